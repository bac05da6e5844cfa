//! The network: the broker, the cabinet's link and the hub at its two ends, and everything that a broker can do wrong.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use lockerd::cabinet::vocabulary::{self, Monotonic};
use lockerd::office_link::{Output as SyncOutput, Sync};
use office_protocol::{CabinetId, Digest, Signature, Signed, Start, Topic, TopicRoot};

use super::dice::Dice;
use super::hub::Hub;
use super::link::Link;
use super::office::Office;
use super::swarm::{MisdeedKind, Swarm};
use crate::broker::{
    Answer, Broker, Connect, ConnectionId, Faults, Input, Limits, Message, Misdeed, Output, PacketId,
    Published, Request, Subscription,
};

mod misdeeds;
mod telling;

/// Earlier messages that may be replayed.
const REPLAYS_MAX: usize = 64;
/// The packets that the broker takes.
const PACKET_BYTES: usize = 256 * 1024;

/// A client's state of connection.
#[derive(Default)]
pub(super) struct Line {
    pub(super) connection: Option<ConnectionId>,
    pub(super) up: bool,
    pub(super) retry_at: u64,
}

/// Something for the engine, and whether nobody of the office ever sent it.
pub(super) struct Heard {
    pub(super) input: vocabulary::Input,
    pub(super) forged: bool,
}

/// All of it.
pub(super) struct Network {
    root: TopicRoot,
    cabinet: CabinetId,
    broker: Broker,
    dice: Dice,
    serial: u64,
    packet: u16,
    pub(super) link: Option<Link>,
    pub(super) hub: Hub,
    outputs: VecDeque<Output>,
    /// Every message that one of the two ends really sent.
    genuine: BTreeSet<Digest>,
    replays: VecDeque<Message>,
    /// What the cabinet put on the wire since it was last looked at.
    pub(super) said: Vec<Vec<u8>>,
    next_fault: Option<u64>,
    next_command: Option<u64>,
    misdeeds: Vec<(MisdeedKind, u64)>,
    unreliable: u64,
    hub_crashes: u64,
    command_ms: Option<u64>,
    mistakes: u64,
}

impl Network {
    pub(super) fn new(seed: u64, cabinet: CabinetId, hub: Hub, swarm: &Swarm) -> Self {
        Self {
            root: TopicRoot::default(),
            cabinet,
            broker: Broker::new(
                Limits {
                    packet_max: PACKET_BYTES,
                    ..Limits::default()
                },
                seed,
            ),
            dice: Dice::new(seed, 6),
            serial: 0,
            packet: 0,
            link: None,
            hub,
            outputs: VecDeque::new(),
            genuine: BTreeSet::new(),
            replays: VecDeque::new(),
            said: Vec::new(),
            next_fault: Some(90_000),
            next_command: swarm.command_ms.map(|_| 120_000),
            misdeeds: swarm.misdeeds.clone(),
            unreliable: swarm.unreliable,
            hub_crashes: swarm.hub_crashes,
            command_ms: swarm.command_ms,
            mistakes: swarm.mistakes,
        }
    }

    pub(super) fn next_time(&self) -> Option<u64> {
        if !self.outputs.is_empty() {
            return Some(0);
        }
        let broker = self
            .broker
            .next_deadline()
            .map(|at| u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
        let link = self.link.as_ref().map(|link| match link.line.connection {
            None => link.line.retry_at,
            Some(_) => link.sync.next_deadline().map_or(u64::MAX, Monotonic::as_millis),
        });
        let hub = match self.hub.line.connection {
            None => Some(self.hub.line.retry_at),
            Some(_) => self.hub.intake.next_deadline(),
        };
        [broker, link, hub, self.next_fault, self.next_command]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets everything happen that is due; what the engine must hear comes back.
    pub(super) fn turn(
        &mut self,
        now: u64,
        wall: office_protocol::Timestamp,
        office: &mut Office,
    ) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.next_fault.is_some_and(|at| at <= now) {
            self.strike(now, office);
        }
        if self.next_command.is_some_and(|at| at <= now) {
            let longest = self.command_ms.unwrap_or(u64::MAX);
            self.next_command = Some(now + self.dice.between(30_000, longest));
            self.command(now, wall, office);
        }
        self.ask(now, Input::Elapsed);
        let hub_due = self.hub.line.connection.is_none() && self.hub.line.retry_at <= now;
        if hub_due {
            let connection = self.connection();
            self.hub.line.connection = Some(connection);
            self.ask(
                now,
                Input::Request(connection, Request::Connect(Connect::clean("hub"))),
            );
        }
        if self.hub.intake.next_deadline().is_some_and(|at| at <= now) {
            let position = self.hub.deadline(now);
            self.position(now, position, office);
        }
        let link_due = self
            .link
            .as_ref()
            .is_some_and(|link| link.line.connection.is_none() && link.line.retry_at <= now);
        if link_due {
            self.connect_link(now);
        }
        let sync_due = self.link.as_ref().and_then(|link| link.sync.next_deadline());
        if sync_due.is_some_and(|at| at.as_millis() <= now) {
            self.sync(
                now,
                lockerd::office_link::Input::DeadlineReached,
                false,
                &mut heard,
            );
        }
        self.settle(now, office, &mut heard);
        heard
    }

    /// A durable event more.
    pub(super) fn tip(&mut self, now: u64, seq: office_protocol::Seq) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.sync(
            now,
            lockerd::office_link::Input::TipAdvanced(seq),
            false,
            &mut heard,
        );
        heard
    }

    /// A daemon has started.
    pub(super) fn started(
        &mut self,
        (sync, start): (Sync, Start),
        reader: lockerd::journal::JournalReader,
        now: u64,
    ) {
        self.hub.cabinet_started(start);
        self.link = Some(Link::new(sync, reader, now + 200));
    }

    /// The daemon is gone, and its connection with it.
    pub(super) fn fell(&mut self, now: u64) {
        if let Some(connection) = self.link.take().and_then(|link| link.line.connection) {
            self.ask(now, Input::Request(connection, Request::Lose));
        }
    }

    /// From now on the broker does what a broker does.
    pub(super) fn heal(&mut self, now: u64) {
        self.next_fault = None;
        self.next_command = None;
        self.hub.crashes = false;
        self.ask(now, Input::Misdeed(Misdeed::Set(Faults::default())));
    }

    fn connection(&mut self) -> ConnectionId {
        self.serial += 1;
        ConnectionId(self.serial)
    }

    fn packet(&mut self) -> PacketId {
        self.packet = self.packet.wrapping_add(1).max(1);
        PacketId(self.packet)
    }

    fn ask(&mut self, now: u64, input: Input) {
        self.outputs
            .extend(self.broker.handle(Duration::from_millis(now), input));
    }

    fn message(&self, topic: Topic, signed: &Signed, retain: bool) -> Message {
        let mut message = Message::new(topic.of(&self.root, &self.cabinet), signed.bytes.clone());
        message.retain = retain;
        message.user = vec![
            ("signature".to_owned(), signed.signature.text()),
            ("key".to_owned(), signed.signature.key.to_string()),
        ];
        message
    }

    fn publish(
        &mut self,
        now: u64,
        connection: ConnectionId,
        topic: Topic,
        signed: &Signed,
        retain: bool,
    ) -> PacketId {
        let message = self.message(topic, signed, retain);
        self.genuine.insert(print_of(&message));
        if self.replays.len() == REPLAYS_MAX {
            self.replays.pop_front();
        }
        self.replays.push_back(message.clone());
        let packet = self.packet();
        self.ask(now, Input::Request(connection, Request::Publish(packet, message)));
        packet
    }

    fn connect_link(&mut self, now: u64) {
        let connection = self.connection();
        let Some(link) = &mut self.link else { return };
        link.line.connection = Some(connection);
        let will = link.sync.begin_connection();
        let will = self.message(Topic::Status, &will, true);
        self.genuine.insert(print_of(&will));
        let connect = Connect {
            will: Some(will),
            ..Connect::clean("cabinet")
        };
        self.ask(now, Input::Request(connection, Request::Connect(connect)));
    }

    /// Lets the broker's answers reach both ends until all is said.
    fn settle(&mut self, now: u64, office: &mut Office, heard: &mut Vec<Heard>) {
        while let Some(Output { connection, answer }) = self.outputs.pop_front() {
            let of_link = self.link.as_ref().and_then(|link| link.line.connection) == Some(connection);
            let of_hub = self.hub.line.connection == Some(connection);
            match answer {
                Answer::Accept { .. } if of_link || of_hub => {
                    let filters: Vec<String> = if of_link {
                        Topic::cabinet_filters(&self.root, &self.cabinet).into()
                    } else {
                        Topic::office_filters(&self.root).into()
                    };
                    let wanted = filters.into_iter().map(Subscription::new).collect();
                    let packet = self.packet();
                    self.ask(
                        now,
                        Input::Request(connection, Request::Subscribe(packet, wanted)),
                    );
                }
                Answer::Subscribed(..) if of_link => {
                    if let Some(link) = &mut self.link {
                        link.line.up = true;
                    }
                    heard.push(Heard {
                        input: vocabulary::Input::LinkChanged { online: true },
                        forged: false,
                    });
                    let up = lockerd::office_link::Input::LinkUp {
                        packet_bytes: PACKET_BYTES,
                    };
                    self.sync(now, up, false, heard);
                }
                Answer::Subscribed(..) if of_hub => {
                    self.hub.line.up = true;
                    for (name, signed) in office.desired() {
                        self.publish(now, connection, Topic::Desired(name), &signed, true);
                    }
                }
                Answer::Deliver { packet, message, .. } if of_link || of_hub => {
                    self.ask(now, Input::Request(connection, Request::Acknowledge(packet)));
                    if of_link {
                        self.link_hears(now, &message, heard);
                    } else {
                        self.hub_hears(now, &message, office);
                    }
                }
                Answer::Published(packet, outcome) if of_link => {
                    let message = self.link.as_mut().and_then(|link| link.under_way.remove(&packet));
                    if let Some(message) = message {
                        use lockerd::office_link::Input as In;
                        let input = match outcome {
                            Published::Taken | Published::NoSubscribers => {
                                In::MessageAcknowledged { message }
                            }
                            Published::QueuesFull => In::MessageLost { message },
                        };
                        self.sync(now, input, false, heard);
                    }
                }
                Answer::Refuse(_) | Answer::Close(_) if of_link => self.link_down(now, heard),
                Answer::Refuse(_) | Answer::Close(_) if of_hub => {
                    self.hub.line = Line {
                        retry_at: now + 2_000,
                        ..Line::default()
                    };
                }
                Answer::Accept { .. }
                | Answer::Subscribed(..)
                | Answer::Deliver { .. }
                | Answer::Published(..)
                | Answer::Refuse(_)
                | Answer::Close(_)
                | Answer::Unsubscribed(..)
                | Answer::Pong => {}
            }
        }
    }

    fn link_down(&mut self, now: u64, heard: &mut Vec<Heard>) {
        let wait = self.dice.between(250, 20_000);
        let Some(link) = &mut self.link else { return };
        link.line = Line {
            retry_at: now + wait,
            ..Line::default()
        };
        link.under_way.clear();
        link.told.clear();
        link.stated = None;
        heard.push(Heard {
            input: vocabulary::Input::LinkChanged { online: false },
            forged: false,
        });
        self.sync(now, lockerd::office_link::Input::LinkDown, false, heard);
    }

    fn link_hears(&mut self, now: u64, message: &Message, heard: &mut Vec<Heard>) {
        let forged = !self.genuine.contains(&print_of(message));
        let Some((_, topic)) = Topic::parse(&self.root, &message.topic) else {
            return;
        };
        let Some(signed) = signed(message) else {
            heard.push(Heard {
                input: vocabulary::Input::ForgerySeen,
                forged,
            });
            return;
        };
        let input = match topic {
            Topic::Position => {
                self.sync(
                    now,
                    lockerd::office_link::Input::PositionReceived(signed),
                    forged,
                    heard,
                );
                return;
            }
            Topic::Command => vocabulary::Input::CommandReceived(signed),
            Topic::Desired(name) => vocabulary::Input::DocumentReceived { name, signed },
            Topic::Status | Topic::State | Topic::Event | Topic::Reply | Topic::Reported(_) => return,
        };
        heard.push(Heard { input, forged });
    }

    fn sync(&mut self, now: u64, input: lockerd::office_link::Input, forged: bool, heard: &mut Vec<Heard>) {
        let Some(link) = &mut self.link else { return };
        let outputs = link
            .sync
            .handle(Monotonic::from_millis(now), input, &mut link.reader);
        let connection = link.line.connection.filter(|_| link.line.up);
        for output in outputs {
            match (output, connection) {
                (SyncOutput::PublishStatus(signed), Some(connection)) => {
                    self.publish(now, connection, Topic::Status, &signed, true);
                }
                (SyncOutput::PublishEvents { message, signed }, Some(connection)) => {
                    self.said.push(signed.bytes.clone());
                    let packet = self.publish(now, connection, Topic::Event, &signed, false);
                    if let Some(link) = &mut self.link {
                        link.under_way.insert(packet, message);
                    }
                }
                (SyncOutput::PublishStatus(_) | SyncOutput::PublishEvents { .. }, None) => {}
                (SyncOutput::Acknowledged { tip }, _) => heard.push(Heard {
                    input: vocabulary::Input::Acknowledged { tip },
                    forged,
                }),
                (SyncOutput::ForgerySeen, _) => heard.push(Heard {
                    input: vocabulary::Input::ForgerySeen,
                    forged,
                }),
                (SyncOutput::Reconnect, Some(connection)) => {
                    self.ask(now, Input::Request(connection, Request::Lose));
                }
                (SyncOutput::Reconnect, None) => {}
            }
        }
    }

    fn position(&mut self, now: u64, position: Option<office_protocol::Position>, office: &Office) {
        let connection = self.hub.line.connection.filter(|_| self.hub.line.up);
        if let (Some(position), Some(connection)) = (position, connection)
            && let Some(signed) = office.position(&position)
        {
            self.publish(now, connection, Topic::Position, &signed, false);
        }
    }

    /// The office announces a document.
    pub(super) fn announce(
        &mut self,
        now: u64,
        name: office_protocol::document::DocumentName,
        signed: &Signed,
    ) {
        if let Some(connection) = self.hub.line.connection.filter(|_| self.hub.line.up) {
            self.publish(now, connection, Topic::Desired(name), signed, true);
        }
    }
}

/// What tells one message from another.
fn print_of(message: &Message) -> Digest {
    let mut all = message.topic.clone().into_bytes();
    all.extend_from_slice(&message.payload);
    for (name, value) in &message.user {
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(value.as_bytes());
    }
    Digest::of(&all)
}

fn signed(message: &Message) -> Option<Signed> {
    let find = |wanted: &str| {
        let found = message.user.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    Some(Signed {
        bytes: message.payload.to_vec(),
        signature: Signature::from_text(find("key")?, find("signature")?)?,
    })
}
