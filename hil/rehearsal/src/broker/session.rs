//! What the broker remembers of one client: its subscriptions, its queue, and what is under way to it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::message::{Answer, Connect, ConnectionId, Message, PacketId, Quality, Subscription};

/// A message on its way to one client.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) message: Message,
    pub(super) until: Option<Duration>,
    /// The number under which it was sent before.
    pub(super) sent: Option<PacketId>,
}

/// What became of messages while a queue was emptied.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pumped {
    pub(super) delivered: u64,
    pub(super) expired: u64,
    pub(super) oversized: u64,
}

/// One client's session, connected or not.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Option<ConnectionId>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    pub(super) will: Option<Message>,
    pub(super) expiry: Option<Duration>,
    pub(super) expires_at: Option<Duration>,
    pub(super) heard: Duration,
    /// One and a half times the keep-alive; zero: never too silent.
    pub(super) silence_max: Duration,
    pub(super) alive_check: Option<Duration>,
    /// Nothing is sent before this.
    pub(super) held_until: Option<Duration>,
    queue: VecDeque<Queued>,
    in_flight: VecDeque<(PacketId, Queued)>,
    window: usize,
    packet_max: usize,
    last_packet: u16,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            connection: None,
            subscriptions: BTreeMap::new(),
            will: None,
            expiry: Some(Duration::ZERO),
            expires_at: None,
            heard: Duration::ZERO,
            silence_max: Duration::ZERO,
            alive_check: None,
            held_until: None,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            window: 1,
            packet_max: usize::MAX,
            last_packet: 0,
        }
    }

    /// Takes a connection; what was under way goes out again first, in its order and under its numbers.
    pub(super) fn attach(&mut self, connection: ConnectionId, connect: Connect, now: Duration, window: u16) {
        self.connection = Some(connection);
        self.will = connect.will;
        self.expiry = connect.session_expiry;
        self.expires_at = None;
        self.heard = now;
        self.silence_max = connect.keep_alive * 3 / 2;
        self.window = usize::from(connect.receive_maximum.clamp(1, window));
        self.packet_max = connect.packet_max;
        while let Some((packet, queued)) = self.in_flight.pop_back() {
            self.queue.push_front(Queued {
                sent: Some(packet),
                ..queued
            });
        }
    }

    /// Puts a message at the end. At the bound the newest is refused: false. Without a connection, messages of
    /// quality 0 are not kept: true, as nobody was promised them.
    pub(super) fn enqueue(&mut self, queued: Queued, queue_max: usize) -> bool {
        if self.connection.is_none() && queued.message.quality == Quality::AtMostOnce {
            return true;
        }
        if self.queue.len() >= queue_max {
            return false;
        }
        self.queue.push_back(queued);
        true
    }

    /// Sends what may go now, as far as the client's window allows.
    pub(super) fn pump(&mut self, now: Duration, send: &mut dyn FnMut(ConnectionId, Answer)) -> Pumped {
        let mut pumped = Pumped::default();
        let Some(connection) = self.connection else {
            return pumped;
        };
        if self.held_until.is_some_and(|until| now < until) {
            return pumped;
        }
        self.held_until = None;
        while let Some(next) = self.queue.front() {
            let kept = next.message.quality == Quality::AtLeastOnce;
            if kept && self.in_flight.len() >= self.window {
                break;
            }
            let Some(mut next) = self.queue.pop_front() else {
                break;
            };
            if next.until.is_some_and(|until| until <= now) {
                pumped.expired += 1;
                continue;
            }
            next.message.expires_in = next.until.map(|until| until - now);
            if next.message.size() > self.packet_max {
                pumped.oversized += 1;
                continue;
            }
            let again = next.sent.is_some();
            let packet = if kept {
                next.sent.unwrap_or_else(|| self.free_packet())
            } else {
                PacketId(0)
            };
            send(
                connection,
                Answer::Deliver {
                    packet,
                    again,
                    message: next.message.clone(),
                },
            );
            pumped.delivered += 1;
            if kept {
                self.in_flight.push_back((packet, next));
            }
        }
        pumped
    }

    pub(super) fn acknowledge(&mut self, packet: PacketId) {
        if let Some(at) = self.in_flight.iter().position(|(sent, _)| *sent == packet) {
            self.in_flight.remove(at);
        }
    }

    pub(super) fn forget_queued(&mut self) {
        self.queue.clear();
        self.in_flight.clear();
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The next number that nothing under way, or waiting to go again, has. The window is far below 65,535.
    fn free_packet(&mut self) -> PacketId {
        loop {
            self.last_packet = self.last_packet.checked_add(1).unwrap_or(1);
            let packet = PacketId(self.last_packet);
            let used = self.in_flight.iter().any(|(sent, _)| *sent == packet)
                || self
                    .queue
                    .iter()
                    .map_while(|queued| queued.sent)
                    .any(|sent| sent == packet);
            if !used {
                return packet;
            }
        }
    }
}
