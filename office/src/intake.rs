//! The verdict on what a cabinet sends: store, have already, hold, reject, alarm. Pure: no clock, no IO, no async.
//!
//! The caller reads what the store knows ([`Knowledge`], only for the numbers in [`Intake::wanted`]), lets [`Intake::handle`] judge, makes the
//! verdict durable in the same transaction, and only then signs and sends its position. The simulation runs this very code over a
//! [`Knowledge`] kept in memory.

use std::collections::VecDeque;

use office_protocol::{CabinetId, Position, Presence, Seq, Start, Status};

mod arrival;
mod knowledge;

pub use arrival::{Arrival, Arrived, Rejection, check_status};
pub use knowledge::{Head, Knowledge, Origin, Stored};

/// Milliseconds of a clock that never jumps.
pub type Monotonic = u64;

/// How long events after a gap wait for what is missing: several hubs on one subscription reorder as a normal case.
pub const HOLD_MS: u64 = 2_000;
/// How long a gap may last before it is an alarm.
pub const GAP_ALARM_MS: u64 = 60_000;
/// The most messages held per cabinet; above, the oldest is dropped and comes again.
pub const HELD_MESSAGES_MAX: usize = 64;
/// How many earlier starts are remembered, whose statuses no longer count.
const PAST_STARTS_MAX: usize = 16;

/// What comes in for one cabinet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A genuine event message.
    Arrived(Arrival),
    /// Something that is not genuine, or not an event message.
    Rejected(Rejection),
    /// A genuine status.
    Status(Status),
    /// The time that `next_deadline` named has come.
    DeadlineReached,
}

/// What an operator should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubAlarm {
    /// Something in the cabinet's name that its key did not sign.
    Forgery,
    /// Signed by the cabinet, yet not a chain of its events.
    Malformed,
    /// Events have been missing for a minute.
    Gap,
    /// Two histories from one event: a cloned or restored disk.
    Fork,
}

impl HubAlarm {
    /// The code in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forgery => "forgery",
            Self::Malformed => "malformed",
            Self::Gap => "gap",
            Self::Fork => "fork",
        }
    }
}

/// What is to be made durable, and what may be said afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// In this order, each once.
    pub stored: Vec<Stored>,
    /// Sealed parts that came with them.
    pub sealed: Vec<office_protocol::SealedPart>,
    /// Alarms to raise.
    pub raised: Vec<HubAlarm>,
    /// Alarms that no longer stand.
    pub cleared: Vec<HubAlarm>,
    /// The status that is now the cabinet's latest.
    pub status: Option<Status>,
    /// To be signed and sent after everything above is committed.
    pub position: Option<Position>,
}

/// How one cabinet's intake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Messages held until what is missing comes.
    pub held: usize,
    /// Since when events are missing.
    pub gap_since: Option<Monotonic>,
    /// Messages that were forged.
    pub forged: u64,
    /// Messages that were no chain of events, and noise.
    pub malformed: u64,
    /// Events that were there already.
    pub repeated: u64,
    /// Statuses that were out of date.
    pub stale: u64,
}

/// The volatile part of one cabinet's intake; losing it costs a resend and nothing else.
#[derive(Debug)]
pub struct Intake {
    cabinet: CabinetId,
    latest: Option<(Start, u64)>,
    /// Earlier starts, each with the last nonce that was seen of it.
    past: VecDeque<(Start, u64)>,
    held: Vec<Arrival>,
    resend_at: Option<Monotonic>,
    gap_alarmed: bool,
    told: Option<(Start, Seq)>,
    view: View,
}

impl Intake {
    /// For one cabinet; `latest` is the start and nonce of the last status that the database has.
    pub fn new(cabinet: CabinetId, latest: Option<(Start, u64)>) -> Self {
        Self {
            cabinet,
            latest,
            past: VecDeque::new(),
            held: Vec::new(),
            resend_at: None,
            gap_alarmed: false,
            told: None,
            view: View::default(),
        }
    }

    /// The cabinet.
    pub fn cabinet(&self) -> &CabinetId {
        &self.cabinet
    }

    /// How it stands.
    pub fn view(&self) -> View {
        View {
            held: self.held.len(),
            ..self.view
        }
    }

    /// When [`Input::DeadlineReached`] is wanted.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let alarm = self.view.gap_since.filter(|_| !self.gap_alarmed);
        let alarm = alarm.map(|since| since + GAP_ALARM_MS);
        [self.resend_at, alarm].into_iter().flatten().min()
    }

    /// Whose digests the [`Knowledge`] must hold for this input.
    pub fn wanted(&self, input: &Input) -> Vec<Seq> {
        let mut wanted = Vec::new();
        match input {
            Input::Arrived(arrival) => wanted.extend(arrival.neighbourhood()),
            Input::Status(status) => wanted.extend(status.locator.iter().map(|tip| tip.seq)),
            Input::Rejected(_) | Input::DeadlineReached => {}
        }
        wanted.extend(self.held.iter().flat_map(Arrival::neighbourhood));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Judges one input. What the verdict stores is recorded in `knowledge` as well.
    pub fn handle(&mut self, now: Monotonic, input: Input, knowledge: &mut Knowledge) -> Verdict {
        let mut verdict = Verdict::default();
        match input {
            Input::Arrived(arrival) => self.arrived(now, arrival, knowledge, &mut verdict),
            Input::Rejected(rejection) => self.rejected(rejection, &mut verdict),
            Input::Status(status) => self.status(status, knowledge, &mut verdict),
            Input::DeadlineReached => self.deadline(now, knowledge, &mut verdict),
        }
        verdict
    }

    fn rejected(&mut self, rejection: Rejection, verdict: &mut Verdict) {
        match rejection {
            Rejection::Forged => {
                self.view.forged += 1;
                verdict.raised.push(HubAlarm::Forgery);
            }
            Rejection::Noise => self.view.malformed += 1,
            Rejection::NoChain => {
                self.view.malformed += 1;
                verdict.raised.push(HubAlarm::Malformed);
            }
        }
    }

    fn arrived(
        &mut self,
        now: Monotonic,
        arrival: Arrival,
        knowledge: &mut Knowledge,
        verdict: &mut Verdict,
    ) {
        let Some(mut head) = self.place(arrival, knowledge, verdict) else {
            self.gap(now);
            return;
        };
        while let Some(index) = self.held.iter().position(|held| knowledge.can_place(held)) {
            let held = self.held.remove(index);
            if let Some(later) = self.place(held, knowledge, verdict) {
                head = later;
            }
        }
        if self.held.is_empty() {
            self.gap_closed(verdict);
        }
        verdict.position = self.moved_to(head, !verdict.stored.is_empty());
    }

    /// Stores what is new of a message. `None`: it does not follow anything that is known, and is held.
    fn place(&mut self, arrival: Arrival, knowledge: &mut Knowledge, verdict: &mut Verdict) -> Option<Head> {
        if !knowledge.can_place(&arrival) {
            self.held.push(arrival);
            if self.held.len() > HELD_MESSAGES_MAX {
                self.held.remove(0);
            }
            return None;
        }
        let mut last = None;
        for event in arrival.events {
            let placed = match knowledge.find(event.seq, event.digest) {
                Some(branch) => {
                    self.view.repeated += 1;
                    let newest = knowledge.head(branch).filter(|head| head.start == event.start);
                    newest.unwrap_or_else(|| event.head(branch))
                }
                None => {
                    let origin = knowledge.origin_for(event.seq, event.previous)?;
                    if matches!(origin, Origin::Fork { .. }) && !verdict.raised.contains(&HubAlarm::Fork) {
                        verdict.raised.push(HubAlarm::Fork);
                    }
                    let stored = Stored { origin, event };
                    knowledge.record(&stored);
                    let head = stored.event.head(stored.origin.branch());
                    verdict.stored.push(stored);
                    head
                }
            };
            last = Some(placed);
        }
        verdict.sealed.extend(arrival.sealed);
        last
    }

    /// A position for new events always; for repeated ones only where it tells something new, because a position that stands still means "send again".
    fn moved_to(&mut self, head: Head, news: bool) -> Option<Position> {
        let (start, _) = self.latest?;
        let told = self.told.filter(|(told_start, _)| *told_start == start);
        if !news && told.is_some_and(|(_, seq)| seq >= head.seq) {
            return None;
        }
        self.told = Some((start, head.seq));
        Some(head.position(start, None))
    }

    fn gap(&mut self, now: Monotonic) {
        self.view.gap_since.get_or_insert(now);
        self.resend_at.get_or_insert(now + HOLD_MS);
    }

    fn gap_closed(&mut self, verdict: &mut Verdict) {
        self.view.gap_since = None;
        self.resend_at = None;
        if std::mem::take(&mut self.gap_alarmed) {
            verdict.cleared.push(HubAlarm::Gap);
        }
    }

    fn deadline(&mut self, now: Monotonic, knowledge: &Knowledge, verdict: &mut Verdict) {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.resend_at = None;
            self.held.clear();
            let head = knowledge.newest().unwrap_or(Head::EMPTY);
            if let Some((start, _)) = self.latest {
                self.told = Some((start, head.seq));
                verdict.position = Some(head.position(start, None));
            }
        }
        let due = self
            .view
            .gap_since
            .is_some_and(|since| since + GAP_ALARM_MS <= now);
        if due && !self.gap_alarmed {
            self.gap_alarmed = true;
            verdict.raised.push(HubAlarm::Gap);
        }
    }

    /// Whether a status is of an earlier start. One that says something new is not: then the later one was a replay that came
    /// after a restart of this hub, which forgets what is past. A last will may come late and proves nothing.
    fn is_over(&self, status: &Status) -> bool {
        let seen = self.past.iter().find(|(start, _)| *start == status.start);
        seen.is_some_and(|(_, nonce)| status.nonce <= *nonce || status.presence == Presence::Offline)
    }

    fn status(&mut self, status: Status, knowledge: &Knowledge, verdict: &mut Verdict) {
        let stale = match self.latest {
            Some((start, nonce)) if start == status.start => status.nonce < nonce,
            Some(_) | None => self.is_over(&status),
        };
        if stale {
            self.view.stale += 1;
            return;
        }
        self.past.retain(|(start, _)| *start != status.start);
        if let Some(before) = self.latest.filter(|(start, _)| *start != status.start) {
            self.past.push_back(before);
            if self.past.len() > PAST_STARTS_MAX {
                self.past.pop_front();
            }
        }
        self.latest = Some((status.start, status.nonce));
        if status.presence != Presence::Offline {
            let head = knowledge.newest_of(&status).unwrap_or(Head::EMPTY);
            self.told = Some((status.start, head.seq));
            verdict.position = Some(head.position(status.start, Some(status.nonce)));
        }
        verdict.status = Some(status);
    }
}

#[cfg(test)]
mod tests;
