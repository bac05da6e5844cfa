//! What is sent to the office and when. Pure: no clock, no dice, no IO but the journal view handed in.
//!
//! After every connection, and whenever there is doubt, a fresh status asks where the office stands. Its signed answer, naming an event
//! that this journal has, says from where to send. Later positions only move forward, and only while they quote the last question;
//! nothing else moves the outbox, a broker's acknowledgement least of all: that only makes room in the window. What the journal has lost is
//! signed as lost by the message that goes on behind it.

use std::collections::BTreeMap;

use office_protocol::{
    Digest, EventMessage, KeySet, Position, Presence, Purpose, Seq, Signed, SigningKey, Status, Tip, status,
};

use super::journal_view::JournalView;
use super::words::{Identity, Input, Limits, Output, View};
use crate::cabinet::vocabulary::{Monotonic, Recorded};

/// Bits of a nonce that count statuses on one connection; the last will takes the highest.
const NONCE_CONNECTION_BITS: u32 = 24;

/// Topic, properties and framing around a payload.
const PACKET_OVERHEAD: usize = 1_024;

/// See the module.
pub struct Sync {
    identity: Identity,
    limits: Limits,
    key: SigningKey,
    keys: KeySet,
    packet_bytes: usize,
    draining: bool,
    view: View,
    nonce: u64,
    message: u64,
    in_flight: BTreeMap<u64, Seq>,
    /// What the next event to send goes on after.
    before: Tip,
    /// What the last status named: most of it is named again, and is not looked for again.
    named: Vec<Tip>,
    /// The last number of a hole that was passed: those are not under way.
    hole_end: Seq,
    asked: Monotonic,
    ask_at: Option<Monotonic>,
    progress: Monotonic,
    fruitless: u32,
}

impl Sync {
    /// For one start of the daemon; `tip` is the last durable event.
    pub fn new(identity: Identity, limits: Limits, key: SigningKey, keys: KeySet, tip: Seq) -> Self {
        let view = View {
            tip,
            ..View::default()
        };
        Self {
            identity,
            limits,
            key,
            keys,
            packet_bytes: 0,
            draining: false,
            view,
            nonce: 0,
            message: 0,
            in_flight: BTreeMap::new(),
            before: Tip::NONE,
            named: Vec::new(),
            hole_end: Seq::ZERO,
            asked: Monotonic::default(),
            ask_at: None,
            progress: Monotonic::default(),
            fruitless: 0,
        }
    }

    /// Everything is signed with this key from now on.
    pub fn sign_with(&mut self, key: SigningKey) {
        self.key = key;
    }

    /// The last will for the connection that is about to be tried. Its nonce is above every status of that connection and below every
    /// later one, so that a will that comes late is seen to be.
    pub fn begin_connection(&mut self) -> Signed {
        let connection = (self.nonce >> NONCE_CONNECTION_BITS) + 1;
        self.nonce = connection << NONCE_CONNECTION_BITS;
        let last = self.nonce | ((1 << NONCE_CONNECTION_BITS) - 1);
        self.status(Presence::Offline, last, Vec::new())
    }

    /// How the link stands.
    pub fn view(&self) -> View {
        View {
            in_flight: self.in_flight.len(),
            ..self.view
        }
    }

    /// When `DeadlineReached` is wanted.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let live = self.view.online && !self.draining;
        let deadlines = [self.ask_at, self.patience_ends(), self.sign_of_life()];
        live.then(|| deadlines.into_iter().flatten().min()).flatten()
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Monotonic, input: Input, journal: &mut dyn JournalView) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::LinkUp { packet_bytes } => {
                self.link_down();
                self.packet_bytes = packet_bytes;
                self.view.online = true;
                self.ask(now, journal, &mut out);
            }
            Input::LinkDown => self.link_down(),
            Input::PositionReceived(signed) => self.position(now, &signed, journal, &mut out),
            Input::TipAdvanced(tip) => {
                self.view.tip = self.view.tip.max(tip);
                self.view.blocked = None;
            }
            Input::MessageAcknowledged { message } => {
                self.in_flight.remove(&message);
            }
            Input::MessageLost { message } => {
                if self.in_flight.remove(&message).is_some() {
                    self.want_to_ask(now, journal, &mut out);
                }
            }
            Input::KeysChanged(keys) => self.keys = keys,
            Input::Draining => self.drain(journal, &mut out),
            Input::DeadlineReached => self.deadline(now, journal, &mut out),
        }
        self.send(now, journal, &mut out);
        out
    }

    fn link_down(&mut self) {
        self.view.online = false;
        self.view.following = false;
        self.view.blocked = None;
        self.in_flight.clear();
        self.ask_at = None;
    }

    fn drain(&mut self, journal: &mut dyn JournalView, out: &mut Vec<Output>) {
        self.draining = true;
        self.view.following = false;
        if self.view.online {
            self.nonce += 1;
            let locator = self.locator(journal);
            out.push(Output::PublishStatus(self.status(
                Presence::Draining,
                self.nonce,
                locator,
            )));
        }
    }

    /// When an unanswered status or unconfirmed events become a reason to ask anew.
    fn patience_ends(&self) -> Option<Monotonic> {
        let wait = self.limits.answer_wait_ms << self.fruitless.min(3);
        let wait = wait.min(6 * self.limits.answer_wait_ms);
        let since = if self.view.following {
            self.unconfirmed().then_some(self.progress)?
        } else {
            self.asked
        };
        Some(since.plus_millis(wait))
    }

    /// When an idle connection asks all the same.
    fn sign_of_life(&self) -> Option<Monotonic> {
        let idle = self.view.following && !self.unconfirmed();
        idle.then(|| self.asked.plus_millis(self.limits.sign_of_life_ms))
    }

    fn unconfirmed(&self) -> bool {
        self.view.confirmed.is_some_and(|at| self.view.next > at.next())
    }

    fn deadline(&mut self, now: Monotonic, journal: &mut dyn JournalView, out: &mut Vec<Output>) {
        if !self.view.online || self.draining {
            return;
        }
        if self.patience_ends().is_some_and(|end| end <= now) {
            self.fruitless = self.fruitless.saturating_add(1);
            if self.fruitless > 3 && !self.in_flight.is_empty() {
                out.push(Output::Reconnect);
            }
            self.ask(now, journal, out);
        } else if [self.ask_at, self.sign_of_life()]
            .into_iter()
            .flatten()
            .any(|at| at <= now)
        {
            self.ask(now, journal, out);
        }
    }

    fn want_to_ask(&mut self, now: Monotonic, journal: &mut dyn JournalView, out: &mut Vec<Output>) {
        let earliest = self.asked.plus_millis(self.limits.status_gap_ms);
        if !self.view.online || self.draining {
        } else if earliest <= now {
            self.ask(now, journal, out);
        } else {
            self.ask_at = Some(earliest);
        }
    }

    /// Publishes a fresh status and sends nothing until it is answered.
    fn ask(&mut self, now: Monotonic, journal: &mut dyn JournalView, out: &mut Vec<Output>) {
        if self.draining {
            return;
        }
        self.nonce += 1;
        self.asked = now;
        self.ask_at = None;
        self.view.following = false;
        let locator = self.locator(journal);
        out.push(Output::PublishStatus(self.status(
            Presence::Online,
            self.nonce,
            locator,
        )));
    }

    fn locator(&mut self, journal: &mut dyn JournalView) -> Vec<Tip> {
        let oldest = journal.oldest();
        let tip = |seq| {
            let named = self.named.iter().find(|named| named.seq == seq).copied();
            named.or_else(|| {
                Some(Tip {
                    seq,
                    hash: journal.hash_at(seq)?,
                })
            })
        };
        self.named = status::locator_seqs(oldest, self.view.tip)
            .filter_map(tip)
            .collect();
        self.named.clone()
    }

    fn status(&self, presence: Presence, nonce: u64, locator: Vec<Tip>) -> Signed {
        let status = Status {
            presence,
            start: self.identity.start,
            nonce,
            version: self.identity.version.clone(),
            locator,
        };
        let bytes = serde_json::to_vec(&status).expect("a status holds texts and numbers");
        Signed::new(&self.key, Purpose::Status, &self.identity.cabinet, bytes)
    }

    fn position(
        &mut self,
        now: Monotonic,
        signed: &Signed,
        journal: &mut dyn JournalView,
        out: &mut Vec<Output>,
    ) {
        let Ok(bytes) = self.keys.check(signed, Purpose::Position, &self.identity.cabinet) else {
            self.view.forged += 1;
            out.push(Output::ForgerySeen);
            return;
        };
        let position = serde_json::from_slice::<Position>(bytes).ok();
        let Some(position) = position.filter(|position| position.start == self.identity.start) else {
            self.view.ignored += 1;
            return;
        };
        // One that was signed before the last question may be of a database that has gone back since.
        let current = position.answers == Some(self.nonce);
        let answer = current && !self.view.following;
        let known = self.knows(&position, journal) || answer && self.has_lost(&position, journal);
        let forward = self.view.confirmed.is_none_or(|at| position.seq > at);
        if known && current && (answer || forward) {
            let tip = Tip {
                seq: position.seq,
                hash: position.hash,
            };
            self.moved(now, tip, forward, out);
            if answer {
                self.ask_at = None;
                self.view.following = self.view.online && !self.draining;
                self.go_on_after(tip);
            }
        } else {
            self.view.ignored += 1;
            let stands = known && self.view.confirmed == Some(position.seq) && !self.unconfirmed();
            let late = position.answers.is_some_and(|nonce| nonce < self.nonce);
            if self.view.following && !stands && !late {
                self.want_to_ask(now, journal, out);
            }
        }
    }

    fn knows(&self, position: &Position, journal: &mut dyn JournalView) -> bool {
        if position.seq == Seq::ZERO {
            return position.hash == Digest::ZERO;
        }
        position.seq <= self.view.tip && journal.hash_at(position.seq) == Some(position.hash)
    }

    /// Whether the event that a position names, and the one after it that would tell its digest, can never be read again: then the office's
    /// word is all that is left of it.
    fn has_lost(&self, position: &Position, journal: &mut dyn JournalView) -> bool {
        let within = position.seq > Seq::ZERO && position.seq <= self.view.tip;
        within && journal.hash_at(position.seq).is_none() && {
            let next = journal.read(position.seq, 1, 0);
            next.first().is_some_and(|next| next.seq > position.seq.next())
        }
    }

    fn go_on_after(&mut self, tip: Tip) {
        self.view.next = tip.seq.next();
        self.before = tip;
    }

    fn moved(&mut self, now: Monotonic, tip: Tip, forward: bool, out: &mut Vec<Output>) {
        let seq = tip.seq;
        if forward {
            self.fruitless = 0;
        }
        self.progress = now;
        self.view.blocked = None;
        if self.view.next <= seq {
            self.go_on_after(tip);
        }
        if self.view.confirmed != Some(seq) {
            self.view.confirmed = Some(seq);
            out.push(Output::Acknowledged { tip });
        }
    }

    fn send(&mut self, now: Monotonic, journal: &mut dyn JournalView, out: &mut Vec<Output>) {
        while let Some(records) = self.records_to_send(journal) {
            let (Some(first), Some(last)) = (records.first(), records.last()) else {
                return;
            };
            let (first, last) = (first.seq, tip_of(last));
            // What cannot be read any more is signed as lost; else the office would wait for it for ever.
            let hole = first > self.view.next;
            let message = EventMessage {
                events: records.iter().map(|record| record.event.clone()).collect(),
                sealed: records.into_iter().flat_map(|record| record.sealed).collect(),
                after: hole.then_some(self.before),
            };
            let Ok(bytes) = message.to_bytes() else {
                self.wait_for_better(self.view.next);
                return;
            };
            if hole {
                self.hole_end = Seq(first.0 - 1);
            }
            if !self.unconfirmed() {
                self.progress = now;
            }
            self.message += 1;
            self.go_on_after(last);
            self.in_flight.insert(self.message, last.seq);
            out.push(Output::PublishEvents {
                message: self.message,
                signed: Signed::new(&self.key, Purpose::Events, &self.identity.cabinet, bytes),
            });
        }
    }

    /// This event, and all after it, cannot be sent now.
    fn wait_for_better(&mut self, seq: Seq) {
        tracing::warn!(%seq, "too large for the broker, or unreadable now: nothing is sent from this event on");
        self.view.blocked = Some(seq);
    }

    /// The next message's events, if one may be sent now.
    fn records_to_send(&mut self, journal: &mut dyn JournalView) -> Option<Vec<Recorded>> {
        let confirmed = self.view.confirmed?.max(self.hole_end);
        let next = self.view.next;
        let room = self.view.following
            && self.view.blocked.is_none()
            && self.in_flight.len() < self.limits.window_messages
            && next <= self.view.tip
            && next.0.saturating_sub(confirmed.0) <= self.limits.ahead_events;
        if !room {
            return None;
        }
        let bytes_max = self
            .packet_bytes
            .saturating_sub(PACKET_OVERHEAD)
            .min(self.limits.payload_bytes);
        let mut records = journal.read(next, EventMessage::EVENTS_MAX, bytes_max);
        let mut bytes = 0;
        let fitting = records
            .iter()
            .take_while(|record| {
                bytes += encoded_bytes(record);
                bytes <= bytes_max && record.seq <= self.view.tip
            })
            .count();
        records.truncate(fitting);
        if records.is_empty() {
            self.wait_for_better(next);
            return None;
        }
        Some(records)
    }
}

fn tip_of(record: &Recorded) -> Tip {
    Tip {
        seq: record.seq,
        hash: Digest::of(&record.event),
    }
}

/// What a record takes in a message, or a little more: sealed parts are base64 under their digest.
fn encoded_bytes(record: &Recorded) -> usize {
    let sealed = record
        .sealed
        .iter()
        .map(|part| part.bytes.len().div_ceil(3) * 4 + 80);
    record.event.len() + 32 + sealed.sum::<usize>()
}
