//! The hub's end: the production verdict over a store in memory that survives its crashes.

use office::intake::{Arrival, Input, Intake, Knowledge, Rejection, Stored, Verdict, check_status};
use office_protocol::{CabinetId, Position, Seq, Signed, Start, Topic, VerifyingKey};

use super::laws::{Lawful, hold};
use super::network::Line;
use crate::broker::ConnectionId;

/// The hub, as far as one cabinet concerns it.
pub(super) struct Hub {
    cabinet: CabinetId,
    key: VerifyingKey,
    pub(super) intake: Intake,
    pub(super) line: Line,
    /// Whether it may crash at any message.
    pub(super) crashes: bool,
    /// The database: what is committed.
    knowledge: Knowledge,
    pub(super) stored: Vec<Stored>,
    /// Why messages were not taken, since this was last looked at.
    pub(super) rejected: Vec<Rejection>,
    checked: usize,
}

impl Hub {
    pub(super) fn new(cabinet: CabinetId, key: VerifyingKey) -> Self {
        Self {
            intake: Intake::new(cabinet.clone()),
            cabinet,
            key,
            line: Line::default(),
            crashes: false,
            knowledge: Knowledge::default(),
            stored: Vec::new(),
            rejected: Vec::new(),
            checked: 0,
        }
    }

    /// A message; the position that may be sent once it is committed.
    pub(super) fn hears(&mut self, now: u64, topic: Topic, signed: Option<Signed>) -> Option<Position> {
        let Some(signed) = signed else {
            return self.judge(now, Input::Rejected(Rejection::Noise));
        };
        let input = match topic {
            Topic::Event => match Arrival::check(&signed, &self.key, &self.cabinet) {
                Ok(arrival) => Input::Arrived(arrival),
                Err(rejection) => Input::Rejected(rejection),
            },
            Topic::Status => match check_status(&signed, &self.key, &self.cabinet) {
                Ok(status) => Input::Status(status),
                Err(rejection) => Input::Rejected(rejection),
            },
            Topic::State
            | Topic::Position
            | Topic::Command
            | Topic::Reply
            | Topic::Desired(_)
            | Topic::Reported(_) => return None,
        };
        self.judge(now, input)
    }

    pub(super) fn deadline(&mut self, now: u64) -> Option<Position> {
        self.judge(now, Input::DeadlineReached)
    }

    fn judge(&mut self, now: u64, input: Input) -> Option<Position> {
        if let Input::Rejected(rejection) = &input {
            self.rejected.push(*rejection);
        }
        let verdict: Verdict = self.intake.handle(now, input, &mut self.knowledge);
        self.stored.extend(verdict.stored);
        verdict.position
    }

    /// It crashes and comes back then; what was committed stays.
    pub(super) fn restart(&mut self, at: u64) -> Option<ConnectionId> {
        self.intake = Intake::new(self.cabinet.clone());
        let line = Line {
            retry_at: at,
            ..Line::default()
        };
        std::mem::replace(&mut self.line, line).connection
    }

    /// The start that the last status named.
    pub(super) fn start(&self) -> Option<Start> {
        self.knowledge.starts.latest.map(|(start, _)| start)
    }

    /// Law 5, at any time: what is stored is what the cabinet's disk holds, in one history, in order, once.
    pub(super) fn agrees_with(&mut self, events: &[Vec<u8>]) -> Lawful {
        for (index, stored) in self.stored.iter().enumerate().skip(self.checked) {
            let seq = stored.event.seq;
            hold(5, stored.origin.branch().0 == 0, || {
                format!("event {seq} began another history")
            })?;
            hold(5, seq.0 == index as u64 + 1, || {
                format!("the {index}th event in the office's database is {seq}")
            })?;
            let same = events
                .get(index)
                .is_some_and(|event| *event == stored.event.bytes);
            hold(5, same, || {
                format!("event {seq} at the office is not the cabinet's")
            })?;
        }
        self.checked = self.stored.len();
        Ok(())
    }

    /// Law 5: nothing counts as arrived that is not in the database.
    pub(super) fn really_has(&self, acknowledged: Seq) -> Lawful {
        hold(5, acknowledged.0 <= self.stored.len() as u64, || {
            let has = self.stored.len();
            format!("the cabinet believes that the office has {acknowledged} events, but it has {has}")
        })
    }

    /// Law 5, in the end: every event has arrived.
    pub(super) fn has_all(&self, events: &[Vec<u8>]) -> Lawful {
        hold(5, self.stored.len() == events.len(), || {
            format!("the office has {} of {} events", self.stored.len(), events.len())
        })
    }
}
