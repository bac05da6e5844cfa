//! The verdict on what a cabinet sends: store, have already, hold, reject, alarm. Pure: no clock, no IO, no async.
//!
//! The caller reads what the store knows ([`Knowledge`], only for the numbers in [`Intake::wanted`]), lets [`Intake::handle`] judge, makes the
//! verdict durable in the same transaction, and only then signs and sends its position. The simulation runs this very code over a
//! [`Knowledge`] kept in memory. Several hubs over one store judge the same cabinet in turn: what counts is in the [`Knowledge`], and an
//! [`Intake`] holds only what its own hub waits for.

use office_protocol::{CabinetId, Digest, Position, Presence, Seq, Start, Status};

mod arrival;
mod knowledge;
mod word;

pub use arrival::{Arrival, Arrived, Rejection, check_status};
pub use knowledge::{Head, Knowledge, Lost, Origin, Starts, Stored, Worth};
pub use word::{Said, is_newer_word, newest_snapshot};

/// Milliseconds of a clock that never jumps.
pub type Monotonic = u64;

/// How long events after a gap wait for what is missing: several hubs on one subscription reorder as a normal case.
pub const HOLD_MS: u64 = 2_000;
/// How often a hub that holds events looks whether another has stored what is missing.
pub const LOOK_MS: u64 = 100;
/// How long events may be missing, with nothing moving, before it is an alarm.
pub const GAP_ALARM_MS: u64 = 60_000;
/// The most messages held per cabinet; above, the oldest is dropped and comes again.
pub const HELD_MESSAGES_MAX: usize = 64;

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
    /// The cabinet has said that it has lost events which are not here.
    Lost,
}

impl HubAlarm {
    /// The code in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forgery => "forgery",
            Self::Malformed => "malformed",
            Self::Gap => "gap",
            Self::Fork => "fork",
            Self::Lost => "events-lost",
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
    /// A status that counts.
    pub status: Option<Status>,
    /// The cabinet itself has said something that was not known.
    pub fresh: bool,
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

/// Events are missing.
#[derive(Debug, Clone, Copy)]
struct Gap {
    since: Monotonic,
    /// The event that what came follows, and that is not stored.
    missing: (Seq, Digest),
    resend_at: Option<Monotonic>,
    look_at: Monotonic,
    alarmed: bool,
}

/// The volatile part of one cabinet's intake; losing it costs a resend and nothing else.
#[derive(Debug)]
pub struct Intake {
    cabinet: CabinetId,
    held: Vec<Arrival>,
    gap: Option<Gap>,
    told: Option<(Start, Seq)>,
    view: View,
}

impl Intake {
    /// For one cabinet.
    pub fn new(cabinet: CabinetId) -> Self {
        Self {
            cabinet,
            held: Vec::new(),
            gap: None,
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
            gap_since: self.gap.map(|gap| gap.since),
            ..self.view
        }
    }

    /// When [`Input::DeadlineReached`] is wanted.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let gap = self.gap?;
        let look = (!self.held.is_empty()).then_some(gap.look_at);
        let alarm = (!gap.alarmed).then_some(gap.since + GAP_ALARM_MS);
        [look, gap.resend_at, alarm].into_iter().flatten().min()
    }

    /// Whose digests the [`Knowledge`] must hold for these inputs, judged in this order; `heads` are the histories' ends. A message that
    /// goes on where a history ends needs none.
    pub fn wanted(&self, inputs: &[Input], heads: &[Head]) -> Vec<Seq> {
        let mut ends: Vec<(Seq, Digest)> = heads.iter().map(|head| (head.seq, head.hash)).collect();
        let mut wanted: Vec<Seq> = self.held.iter().flat_map(Arrival::neighbourhood).collect();
        wanted.extend(self.gap.map(|gap| gap.missing.0));
        for input in inputs {
            match input {
                Input::Arrived(arrival) => match ends.iter_mut().find(|end| arrival.follows(**end)) {
                    Some(end) => *end = arrival.end().unwrap_or(*end),
                    None => wanted.extend(arrival.neighbourhood()),
                },
                Input::Status(status) => wanted.extend(status.locator.iter().map(|tip| tip.seq)),
                Input::Rejected(_) | Input::DeadlineReached => {}
            }
        }
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
        verdict.fresh |= !verdict.stored.is_empty();
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
        self.held.push(arrival);
        if self.held.len() > HELD_MESSAGES_MAX {
            self.held.remove(0);
        }
        self.settle(now, knowledge, verdict);
    }

    /// Stores what is held and follows what is known; the rest waits for what is missing.
    fn settle(&mut self, now: Monotonic, knowledge: &mut Knowledge, verdict: &mut Verdict) {
        let mut head = None;
        while let Some(index) = self.held.iter().position(|held| knowledge.can_place(held)) {
            let held = self.held.remove(index);
            head = self.place(held, knowledge, verdict).or(head);
        }
        self.watch(now, knowledge, verdict);
        if let Some(head) = head {
            verdict.position = self.moved_to(head, !verdict.stored.is_empty(), knowledge);
        }
    }

    /// Whether events are missing: since when, and whether the alarm still stands.
    fn watch(&mut self, now: Monotonic, knowledge: &mut Knowledge, verdict: &mut Verdict) {
        let moved = !verdict.stored.is_empty();
        let came = |gap: Gap| knowledge.find(gap.missing.0, gap.missing.1).is_some();
        if self.held.is_empty() && (moved || self.gap.is_some_and(came)) {
            self.gap = None;
            if std::mem::take(&mut knowledge.gap_stands) {
                verdict.cleared.push(HubAlarm::Gap);
            }
        }
        let Some(missing) = self
            .held
            .iter()
            .filter_map(Arrival::before)
            .max_by_key(|event| event.0)
        else {
            return;
        };
        let gap = self.gap.get_or_insert(Gap {
            since: now,
            missing,
            resend_at: None,
            look_at: now,
            alarmed: false,
        });
        if moved {
            gap.since = now;
            gap.alarmed = false;
        }
        gap.missing = missing;
        gap.resend_at.get_or_insert(now + HOLD_MS);
        gap.look_at = now + LOOK_MS;
    }

    /// Stores what is new of a message that follows what is known.
    fn place(&mut self, arrival: Arrival, knowledge: &mut Knowledge, verdict: &mut Verdict) -> Option<Head> {
        let (mut last, mut after) = (None, arrival.after);
        for event in arrival.events {
            let after = after.take();
            let placed = match knowledge.find(event.seq, event.digest) {
                Some(branch) => {
                    self.view.repeated += 1;
                    let newest = knowledge.head(branch).filter(|head| head.start == event.start);
                    newest.unwrap_or_else(|| event.head(branch))
                }
                None => {
                    let (origin, lost) = match knowledge.origin_for(event.seq, event.previous) {
                        Some(origin) => (origin, None),
                        None => {
                            let (origin, lost) = knowledge.origin_behind(event.seq, after)?;
                            (origin, Some(lost))
                        }
                    };
                    let mut raise = |alarm, is_so| {
                        if is_so && !verdict.raised.contains(&alarm) {
                            verdict.raised.push(alarm);
                        }
                    };
                    raise(HubAlarm::Fork, matches!(origin, Origin::Fork { .. }));
                    raise(HubAlarm::Lost, lost.is_some());
                    let stored = Stored { origin, lost, event };
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
    fn moved_to(&mut self, head: Head, news: bool, knowledge: &Knowledge) -> Option<Position> {
        let (start, nonce) = knowledge.starts.latest?;
        let told = self.told.filter(|(told_start, _)| *told_start == start);
        if !news && told.is_some_and(|(_, seq)| seq >= head.seq) {
            return None;
        }
        self.told = Some((start, head.seq));
        Some(head.position(start, Some(nonce)))
    }

    fn deadline(&mut self, now: Monotonic, knowledge: &mut Knowledge, verdict: &mut Verdict) {
        self.settle(now, knowledge, verdict);
        let Some(gap) = &mut self.gap else {
            return;
        };
        if gap.since + GAP_ALARM_MS <= now && !gap.alarmed {
            gap.alarmed = true;
            knowledge.gap_stands = true;
            verdict.raised.push(HubAlarm::Gap);
        }
        if gap.resend_at.is_some_and(|at| at <= now) {
            gap.resend_at = None;
            self.held.clear();
            let head = knowledge.newest().unwrap_or(Head::EMPTY);
            if let Some((start, nonce)) = knowledge.starts.latest {
                self.told = Some((start, head.seq));
                verdict.position = Some(head.position(start, Some(nonce)));
            }
        }
    }

    fn status(&mut self, status: Status, knowledge: &mut Knowledge, verdict: &mut Verdict) {
        let worth = if knowledge.is_over(&status) {
            Worth::Stale
        } else {
            knowledge.starts.worth(&status)
        };
        match worth {
            Worth::Stale => {
                self.view.stale += 1;
                return;
            }
            Worth::Repeated => {}
            Worth::News => {
                knowledge.starts.record(&status);
                verdict.fresh = status.presence != Presence::Offline;
            }
        }
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
