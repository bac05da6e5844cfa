//! The hub's end: the production verdict over a store in memory that survives its crashes.

use std::collections::BTreeMap;

use office::intake::{
    Input, Intake, Knowledge, Rejection, Said, Stored, Verdict, is_newer_word, newest_snapshot,
};
use office_protocol::document::{DocumentName, Reported};
use office_protocol::{CabinetId, CabinetState, Position, Reply, Seq, Signed, Start, Topic, VerifyingKey};

use super::laws::{Lawful, hold};
use super::network::Line;
use crate::broker::ConnectionId;

/// What the cabinet has said beside its history, as operators see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    snapshot: Option<CabinetState>,
    replies: BTreeMap<u64, Reply>,
    reported: BTreeMap<DocumentName, Reported>,
}

/// What became of a message that is neither an event nor a status: operators see it from now on, or something newer, or the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    SnapshotKept,
    SnapshotOld,
    ReplyKept,
    ReplyRepeated,
    ReportKept,
    ReportOld,
}

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
    shown: Shown,
    /// The starts of the cabinet's daemon, in their order.
    starts: Vec<Start>,
    /// What became of messages beside the history, since this was last looked at.
    pub(super) words: Vec<Word>,
    /// How law 9 was broken.
    broken: Option<String>,
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
            shown: Shown::default(),
            starts: Vec::new(),
            words: Vec::new(),
            broken: None,
            rejected: Vec::new(),
            checked: 0,
        }
    }

    /// The cabinet's daemon has started.
    pub(super) fn cabinet_started(&mut self, start: Start) {
        self.starts.push(start);
    }

    /// A message, and whether nobody at the cabinet ever sent it; the position that may be sent once it is committed.
    pub(super) fn hears(
        &mut self,
        now: u64,
        topic: Topic,
        signed: Option<&Signed>,
        forged: bool,
    ) -> Option<Position> {
        let before = (
            self.stored.len(),
            self.knowledge.starts.clone(),
            self.shown.clone(),
        );
        let position = match Said::check(topic, signed, &self.key, &self.cabinet) {
            Ok(Said::Judged(input)) => self.judge(now, input),
            Err(rejection) => self.judge(now, Input::Rejected(rejection)),
            Ok(Said::State(state)) => self.snapshot(state),
            Ok(Said::Reply(reply)) => self.reply(reply),
            Ok(Said::Reported(name, reported)) => self.reported(name, reported),
        };
        let changed =
            (self.stored.len(), &self.knowledge.starts, &self.shown) != (before.0, &before.1, &before.2);
        if forged && (changed || position.is_some()) {
            self.broken = Some(format!(
                "a forged message on {topic:?} changed what the office knows"
            ));
        } else if self.age(&self.shown) < self.age(&before.2) {
            self.broken = Some(format!("an old message on {topic:?} replaced what was newer"));
        }
        position
    }

    fn snapshot(&mut self, state: CabinetState) -> Option<Position> {
        let end = self.stored.last().map_or(Seq::ZERO, |stored| stored.event.seq);
        let there = self.shown.snapshot.as_ref().map(|state| (state.start, state.seq));
        let newest = newest_snapshot([state], &self.knowledge.starts, end, there);
        self.words.push(if newest.is_some() {
            Word::SnapshotKept
        } else {
            Word::SnapshotOld
        });
        self.shown.snapshot = newest.or(self.shown.snapshot.take());
        None
    }

    fn reply(&mut self, reply: Reply) -> Option<Position> {
        let first = !self.shown.replies.contains_key(&reply.number);
        self.words.push(if first {
            Word::ReplyKept
        } else {
            Word::ReplyRepeated
        });
        self.shown.replies.entry(reply.number).or_insert(reply);
        None
    }

    fn reported(&mut self, name: DocumentName, reported: Reported) -> Option<Position> {
        let newer = is_newer_word(&reported, self.shown.reported.get(&name));
        self.words
            .push(if newer { Word::ReportKept } else { Word::ReportOld });
        if newer {
            self.shown.reported.insert(name, reported);
        }
        None
    }

    /// How new it is: by the cabinet's starts and events, and by what it has answered and applied.
    fn age(&self, shown: &Shown) -> (Option<usize>, Option<Seq>, usize, Vec<u64>) {
        let snapshot = shown.snapshot.as_ref();
        let start = snapshot.and_then(|state| self.starts.iter().position(|start| *start == state.start));
        let versions = DocumentName::ALL.map(|name| shown.reported.get(&name).map_or(0, |word| word.version));
        (
            start,
            snapshot.map(|state| state.seq),
            shown.replies.len(),
            versions.to_vec(),
        )
    }

    /// Law 9, for the office: what is forged, repeated or late changes nothing.
    pub(super) fn is_not_fooled(&mut self) -> Lawful {
        let broken = self.broken.take();
        hold(9, broken.is_none(), || broken.unwrap_or_default())
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
