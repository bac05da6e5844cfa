//! The broker itself, pure: time and seed are handed in, everything else is in its state.
//!
//! Deliberately absent: quality 2, topic aliases, subscription identifiers, will delay, access rights.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::{Dice, Faults, Memory, Misdeed};
use super::limits::Limits;
use super::message::{
    Answer, Connect, ConnectionId, Ending, Message, PacketId, Quality, Refusal, Request, RetainedOnSubscribe,
    Subscription,
};
use super::retained::Retained;
use super::session::{Queued, Session};
use super::topics::{Filter, Subscribers, Wish};
use super::view::{ClientView, Counters, View};

/// Something for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// From a client.
    Request(ConnectionId, Request),
    /// From whoever makes trouble.
    Misdeed(Misdeed),
    /// `next_deadline` has come.
    Elapsed,
}

/// Something to be done on a connection, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where.
    pub connection: ConnectionId,
    /// What.
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Silence(ConnectionId),
    SessionExpiry(String),
    Release(String),
}

/// An MQTT 5 broker at the level of messages. Times are since any fixed moment and never go back.
#[derive(Debug)]
pub struct Broker {
    pub(super) limits: Limits,
    pub(super) faults: Faults,
    pub(super) dice: Dice,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) connections: BTreeMap<ConnectionId, String>,
    pub(super) subscribers: Subscribers,
    pub(super) retained: Retained,
    pub(super) late: BTreeMap<(Duration, u64), (String, Queued)>,
    pub(super) timers: BTreeSet<(Duration, Timer)>,
    pub(super) serial: u64,
    pub(super) counters: Counters,
    pub(super) now: Duration,
    pub(super) out: Vec<Output>,
}

impl Broker {
    /// An empty broker without faults.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            faults: Faults::default(),
            dice: Dice::new(seed),
            sessions: BTreeMap::new(),
            connections: BTreeMap::new(),
            subscribers: Subscribers::default(),
            retained: Retained::default(),
            late: BTreeMap::new(),
            timers: BTreeSet::new(),
            serial: 0,
            counters: Counters::default(),
            now: Duration::ZERO,
            out: Vec::new(),
        }
    }

    /// Takes one input, after everything that was due before it.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        self.elapse();
        match input {
            Input::Request(connection, request) => self.request(connection, request),
            Input::Misdeed(misdeed) => self.misdeed(misdeed),
            Input::Elapsed => {}
        }
        std::mem::take(&mut self.out)
    }

    /// When `Elapsed` is wanted at the latest; sometimes nothing turns out to be due then.
    pub fn next_deadline(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(due, _)| *due);
        let late = self.late.first_key_value().map(|((due, _), _)| *due);
        timer.into_iter().chain(late).min()
    }

    /// What can be seen from outside.
    pub fn view(&self) -> View {
        let client = |(name, session): (&String, &Session)| {
            let view = ClientView {
                connection: session.connection,
                subscriptions: session.subscriptions.keys().cloned().collect(),
                queued: session.queued(),
                in_flight: session.in_flight(),
            };
            (name.clone(), view)
        };
        View {
            clients: self.sessions.iter().map(client).collect(),
            retained: self.retained.topics(),
            late: self.late.len(),
            counters: self.counters,
        }
    }

    /// What clients are told in CONNACK.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The latest time it was told.
    pub fn now(&self) -> Duration {
        self.now
    }

    fn request(&mut self, connection: ConnectionId, request: Request) {
        if let Request::Connect(connect) = request {
            return self.connect(connection, connect);
        }
        let Some(client) = self.connections.get(&connection).cloned() else {
            if !matches!(request, Request::Leave { .. } | Request::Lose) {
                self.say(connection, Answer::Close(Ending::ProtocolError));
            }
            return;
        };
        if let Some(session) = self.sessions.get_mut(&client) {
            session.heard = self.now;
        }
        match request {
            Request::Connect(_) => self.end(connection, Ending::ProtocolError, true),
            Request::Subscribe(packet, wanted) => self.subscribe(connection, &client, packet, wanted),
            Request::Publish(packet, message) => self.publish(connection, &client, packet, message),
            Request::Acknowledge(packet) => self.acknowledge(connection, &client, packet),
            Request::Ping => self.say(connection, Answer::Pong),
            Request::Unsubscribe(packet, filters) => self.unsubscribe(connection, &client, packet, &filters),
            Request::Leave { with_will } => self.end(connection, Ending::Silent, with_will),
            Request::Lose => self.end(connection, Ending::Silent, true),
        }
    }

    fn connect(&mut self, connection: ConnectionId, mut connect: Connect) {
        if self.connections.contains_key(&connection) {
            return self.end(connection, Ending::ProtocolError, true);
        }
        if let Some(refusal) = self.refusal(&connect) {
            return self.say(connection, Answer::Refuse(refusal));
        }
        let assigned = connect.client.is_empty().then(|| {
            self.serial += 1;
            format!("unnamed-{}", self.serial)
        });
        let client = assigned
            .clone()
            .unwrap_or_else(|| std::mem::take(&mut connect.client));
        if let Some(before) = self.sessions.get(&client).and_then(|session| session.connection) {
            self.end(before, Ending::TakenOver, true);
        }
        if connect.clean_start {
            self.remove_session(&client);
        }
        let session_present = self.sessions.contains_key(&client);
        let session = self.sessions.entry(client.clone()).or_insert_with(Session::new);
        if let Some(expires_at) = session.expires_at {
            self.timers
                .remove(&(expires_at, Timer::SessionExpiry(client.clone())));
        }
        session.attach(connection, connect, self.now, self.limits.window_max);
        if !session.silence_max.is_zero() {
            let due = self.now + session.silence_max;
            session.alive_check = Some(due);
            self.timers.insert((due, Timer::Silence(connection)));
        }
        self.connections.insert(connection, client.clone());
        self.say(
            connection,
            Answer::Accept {
                session_present,
                assigned,
            },
        );
        self.pump(&client);
    }

    fn refusal(&self, connect: &Connect) -> Option<Refusal> {
        if self.faults.refuse {
            return Some(Refusal::Unavailable);
        }
        if self.limits.credentials.is_some() && self.limits.credentials != connect.credentials {
            return Some(Refusal::BadCredentials);
        }
        let known = self.sessions.contains_key(&connect.client);
        (!known && self.sessions.len() >= self.limits.sessions_max).then_some(Refusal::QuotaExceeded)
    }

    fn subscribe(
        &mut self,
        connection: ConnectionId,
        client: &str,
        packet: PacketId,
        all: Vec<Subscription>,
    ) {
        let mut granted = Vec::new();
        let mut kept_values = Vec::new();
        for wanted in all {
            let Some(session) = self.sessions.get_mut(client) else {
                return;
            };
            let fresh = !session.subscriptions.contains_key(&wanted.filter);
            let room = !fresh || session.subscriptions.len() < self.limits.subscriptions_max;
            let Some(filter) = Filter::parse(&wanted.filter).filter(|_| room) else {
                granted.push(None);
                continue;
            };
            let wish = Wish::from(&wanted);
            self.subscribers.add(client, filter, wish);
            let send = match wanted.retained {
                RetainedOnSubscribe::Always => true,
                RetainedOnSubscribe::WhenNew => fresh,
                RetainedOnSubscribe::Never => false,
            };
            if send && filter.group.is_none() {
                kept_values.extend(
                    self.retained
                        .of(filter.path, self.now)
                        .into_iter()
                        .map(|kept| (kept, wish)),
                );
            }
            granted.push(Some(wanted.quality));
            session.subscriptions.insert(wanted.filter.clone(), wanted);
        }
        self.say(connection, Answer::Subscribed(packet, granted));
        for ((message, until), wish) in kept_values {
            self.offer(
                client,
                &message,
                until,
                Wish {
                    retain_as_published: true,
                    ..wish
                },
            );
        }
    }

    fn unsubscribe(&mut self, connection: ConnectionId, client: &str, packet: PacketId, filters: &[String]) {
        let mut known = Vec::new();
        for text in filters {
            let Some(session) = self.sessions.get_mut(client) else {
                return;
            };
            known.push(session.subscriptions.remove(text).is_some());
            if let Some(filter) = Filter::parse(text) {
                self.subscribers.remove(client, filter);
            }
        }
        self.say(connection, Answer::Unsubscribed(packet, known));
    }

    fn publish(&mut self, connection: ConnectionId, client: &str, packet: PacketId, message: Message) {
        if message.topic.is_empty() || message.topic.contains(['+', '#', '\0']) {
            return self.end(connection, Ending::TopicInvalid, true);
        }
        if message.size() > self.limits.packet_max {
            return self.end(connection, Ending::PacketTooLarge, true);
        }
        let cut = self.dice.hit(self.faults.cut);
        if cut && self.dice.heads() {
            return self.cut(connection);
        }
        let quality = message.quality;
        let outcome = self.route(Some(client), &message);
        if cut {
            self.cut(connection);
        } else if quality == Quality::AtLeastOnce {
            self.say(connection, Answer::Published(packet, outcome));
        }
    }

    fn acknowledge(&mut self, connection: ConnectionId, client: &str, packet: PacketId) {
        if self.dice.hit(self.faults.cut) {
            return self.cut(connection);
        }
        if let Some(session) = self.sessions.get_mut(client) {
            session.acknowledge(packet);
        }
        self.pump(client);
    }

    fn cut(&mut self, connection: ConnectionId) {
        self.counters.cut += 1;
        self.end(connection, Ending::Silent, true);
    }

    fn misdeed(&mut self, misdeed: Misdeed) {
        match misdeed {
            Misdeed::Set(faults) => self.faults = faults,
            Misdeed::Forge(message) => {
                self.counters.forged += 1;
                self.route(None, &message);
            }
            Misdeed::Cut(client) => {
                if let Some(connection) = self.sessions.get(&client).and_then(|session| session.connection) {
                    self.cut(connection);
                }
            }
            Misdeed::Crash => self.crash(),
            Misdeed::Forget(Memory::Sessions) => {
                self.crash();
                for client in self.sessions.keys().cloned().collect::<Vec<_>>() {
                    self.remove_session(&client);
                }
                self.late.clear();
            }
            Misdeed::Forget(Memory::Retained) => self.retained.clear(),
            Misdeed::Forget(Memory::Queued) => {
                self.sessions.values_mut().for_each(Session::forget_queued);
                self.late.clear();
            }
            Misdeed::RollBack(filter) => {
                self.retained.roll_back(&filter);
            }
        }
    }

    fn crash(&mut self) {
        for connection in self.connections.keys().copied().collect::<Vec<_>>() {
            self.end(connection, Ending::Silent, false);
        }
    }

    /// Ends a connection; a session that does not outlive it goes with it. The will goes out last.
    fn end(&mut self, connection: ConnectionId, ending: Ending, with_will: bool) {
        let Some(client) = self.connections.remove(&connection) else {
            return;
        };
        self.say(connection, Answer::Close(ending));
        let Some(session) = self.sessions.get_mut(&client) else {
            return;
        };
        session.connection = None;
        let will = session.will.take().filter(|_| with_will);
        if let Some(due) = session.alive_check.take() {
            self.timers.remove(&(due, Timer::Silence(connection)));
        }
        match session.expiry {
            Some(expiry) if expiry.is_zero() => self.remove_session(&client),
            Some(expiry) => {
                let due = self.now + expiry;
                session.expires_at = Some(due);
                self.timers.insert((due, Timer::SessionExpiry(client.clone())));
            }
            None => {}
        }
        if let Some(will) = will {
            self.route(Some(&client), &will);
        }
    }

    fn remove_session(&mut self, client: &str) {
        let Some(session) = self.sessions.remove(client) else {
            return;
        };
        for filter in session
            .subscriptions
            .keys()
            .filter_map(|text| Filter::parse(text))
        {
            self.subscribers.remove(client, filter);
        }
        if let Some(due) = session.expires_at {
            self.timers
                .remove(&(due, Timer::SessionExpiry(client.to_owned())));
        }
        if let Some(due) = session.held_until {
            self.timers.remove(&(due, Timer::Release(client.to_owned())));
        }
    }

    fn elapse(&mut self) {
        while let Some((due, _)) = self.timers.first()
            && *due <= self.now
            && let Some((due, timer)) = self.timers.pop_first()
        {
            match timer {
                Timer::Silence(connection) => self.check_silence(connection),
                Timer::SessionExpiry(client) => {
                    if self
                        .sessions
                        .get(&client)
                        .is_some_and(|session| session.expires_at == Some(due))
                    {
                        self.remove_session(&client);
                    }
                }
                Timer::Release(client) => self.pump(&client),
            }
        }
        while let Some(entry) = self.late.first_entry()
            && entry.key().0 <= self.now
        {
            let (client, queued) = entry.remove();
            self.enqueue(&client, queued);
        }
    }

    fn check_silence(&mut self, connection: ConnectionId) {
        let Some(client) = self.connections.get(&connection) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(client) else {
            return;
        };
        let due = session.heard + session.silence_max;
        if due <= self.now {
            return self.end(connection, Ending::KeepAliveTimeout, true);
        }
        session.alive_check = Some(due);
        self.timers.insert((due, Timer::Silence(connection)));
    }

    fn say(&mut self, connection: ConnectionId, answer: Answer) {
        self.out.push(Output { connection, answer });
    }
}
