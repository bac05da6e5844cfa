//! What the store knows of one cabinet, as plain data: the heads of its histories and some digests.

use std::collections::BTreeMap;

use office_protocol::{Branch, Digest, Position, Presence, Seq, Start, Status, Tip};

use super::arrival::{Arrival, Arrived};

/// How many earlier starts are remembered, whose statuses no longer count.
const PAST_STARTS_MAX: usize = 16;

/// The last event of one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which history.
    pub branch: Branch,
    /// Its last event.
    pub seq: Seq,
    /// That event's digest.
    pub hash: Digest,
    /// Which start wrote it.
    pub start: Start,
}

impl Head {
    /// Of a cabinet that has sent nothing.
    pub const EMPTY: Self = Self {
        branch: Branch(0),
        seq: Seq::ZERO,
        hash: Digest::ZERO,
        start: Start(0),
    };

    /// The position that says so.
    pub fn position(self, start: Start, answers: Option<u64>) -> Position {
        Position {
            start,
            branch: self.branch,
            seq: self.seq,
            hash: self.hash,
            answers,
        }
    }
}

/// Where a new event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// At the end of a history.
    Append(Branch),
    /// First of a new history, which leaves another after an event.
    Fork {
        /// The new one.
        branch: Branch,
        /// The one that it leaves.
        parent: Branch,
        /// The last event in common.
        after: Seq,
    },
}

impl Origin {
    /// The history that the event is in.
    pub fn branch(self) -> Branch {
        match self {
            Self::Append(branch) | Self::Fork { branch, .. } => branch,
        }
    }
}

/// Events that the cabinet has said it can never send: from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}

/// One event to make durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub origin: Origin,
    /// What is lost right before it.
    pub lost: Option<Lost>,
    /// The event.
    pub event: Arrived,
}

/// What a status is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It says something new.
    News,
    /// It is the last one again.
    Repeated,
    /// It comes too late.
    Stale,
}

/// The starts of a cabinet's daemon, each with the nonce of its last status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// The one that runs.
    pub latest: Option<(Start, u64)>,
    /// Earlier ones, oldest first.
    pub past: Vec<(Start, u64)>,
}

impl Starts {
    /// A status of an earlier start is over, unless it says something new: then the later one was a replay that came when the earlier
    /// was unknown. A last will may come late and proves nothing.
    pub fn worth(&self, status: &Status) -> Worth {
        match self.latest {
            Some((start, nonce)) if start == status.start => match status.nonce.cmp(&nonce) {
                std::cmp::Ordering::Less => Worth::Stale,
                std::cmp::Ordering::Equal => Worth::Repeated,
                std::cmp::Ordering::Greater => Worth::News,
            },
            Some(_) | None => {
                let seen = self.past.iter().find(|(start, _)| *start == status.start);
                let over = seen
                    .is_some_and(|(_, nonce)| status.nonce <= *nonce || status.presence == Presence::Offline);
                if over { Worth::Stale } else { Worth::News }
            }
        }
    }

    /// Takes note of a status that is news.
    pub fn record(&mut self, status: &Status) {
        self.past.retain(|(start, _)| *start != status.start);
        if let Some(before) = self.latest.filter(|(start, _)| *start != status.start) {
            self.past.push(before);
            if self.past.len() > PAST_STARTS_MAX {
                self.past.remove(0);
            }
        }
        self.latest = Some((status.start, status.nonce));
    }
}

/// See the module. A store in memory keeps all digests here; a database reads the wanted ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowledge {
    heads: Vec<Head>,
    digests: BTreeMap<Seq, Vec<(Branch, Digest)>>,
    /// Who wrote those of these events of which it is known.
    writers: BTreeMap<Digest, Start>,
    /// Who has spoken.
    pub starts: Starts,
    /// An alarm says that events are missing.
    pub gap_stands: bool,
}

impl Knowledge {
    /// From the heads of all histories.
    pub fn new(heads: Vec<Head>, starts: Starts, gap_stands: bool) -> Self {
        Self {
            heads,
            digests: BTreeMap::new(),
            writers: BTreeMap::new(),
            starts,
            gap_stands,
        }
    }

    /// Adds the digest of a stored event.
    pub fn learn(&mut self, branch: Branch, seq: Seq, digest: Digest) {
        self.digests.entry(seq).or_default().push((branch, digest));
    }

    /// Adds which start wrote a stored event.
    pub fn learn_writer(&mut self, digest: Digest, start: Start) {
        self.writers.insert(digest, start);
    }

    /// Whether a status comes too late because its start is over: the newest event that it names is stored and its own, and all
    /// histories end with events of others. A cabinet that goes on from there would have named the event that says that it started.
    pub(super) fn is_over(&self, status: &Status) -> bool {
        let own = |start: Start| start == status.start;
        let tip = status.locator.first();
        let written = tip.is_some_and(|tip| self.writers.get(&tip.hash).copied().is_some_and(own));
        written && !self.heads.iter().any(|head| own(head.start))
    }

    /// The histories' ends.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The end of one history.
    pub fn head(&self, branch: Branch) -> Option<Head> {
        self.heads.iter().copied().find(|head| head.branch == branch)
    }

    /// The history that was begun last.
    pub(super) fn newest(&self) -> Option<Head> {
        self.heads.iter().copied().max_by_key(|head| head.branch)
    }

    /// Which history holds exactly this event.
    pub fn find(&self, seq: Seq, digest: Digest) -> Option<Branch> {
        let mut stored = self.digests.get(&seq).into_iter().flatten();
        let ends = |head: &&Head| head.seq == seq && head.hash == digest;
        let stored = stored
            .find(|(_, known)| *known == digest)
            .map(|(branch, _)| *branch);
        stored.or_else(|| self.heads.iter().find(ends).map(|head| head.branch))
    }

    /// The newest event of a status' locator that is stored. Where the history goes on with events of the same start, its end:
    /// one start writes one history, so the cabinet has those too.
    pub(super) fn newest_of(&self, status: &Status) -> Option<Head> {
        let found = status
            .locator
            .iter()
            .find_map(|tip| Some((tip, self.find(tip.seq, tip.hash)?)));
        let (tip, branch) = found?;
        let end = self.head(branch).filter(|head| head.start == status.start);
        Some(end.unwrap_or(Head {
            branch,
            seq: tip.seq,
            hash: tip.hash,
            start: status.start,
        }))
    }

    /// Whether a message's first event is stored, or follows one that is, or goes on after one that is.
    pub(super) fn can_place(&self, arrival: &Arrival) -> bool {
        arrival.events.first().is_some_and(|event| {
            self.find(event.seq, event.digest).is_some()
                || self.origin_for(event.seq, event.previous).is_some()
                || self.origin_behind(event.seq, arrival.after).is_some()
        })
    }

    /// Where an event belongs before which others are lost, as the cabinet has signed; none when the one before those is not stored.
    ///
    /// A history that goes on further than that one, but not as far as this event, is the same history: the cabinet had those too.
    pub(super) fn origin_behind(&self, seq: Seq, after: Option<Tip>) -> Option<(Origin, Lost)> {
        let after = after?;
        let before = Seq(seq.0.checked_sub(1)?);
        let head = if after.seq == Seq::ZERO {
            self.newest()
        } else {
            self.head(self.find(after.seq, after.hash)?)
        };
        let lost_after = |seq: Seq| Lost {
            first: seq.next(),
            last: before,
        };
        Some(match head {
            None => (Origin::Append(Branch(0)), lost_after(Seq::ZERO)),
            Some(head) if head.seq < before => (Origin::Append(head.branch), lost_after(head.seq)),
            Some(head) => (self.fork(head.branch, after.seq), lost_after(after.seq)),
        })
    }

    fn fork(&self, parent: Branch, after: Seq) -> Origin {
        Origin::Fork {
            branch: Branch(self.heads.iter().map(|head| head.branch.0 + 1).max().unwrap_or(0)),
            parent,
            after,
        }
    }

    /// Where an event that is not stored belongs; none when the one before it is not stored.
    pub(super) fn origin_for(&self, seq: Seq, previous: Digest) -> Option<Origin> {
        let before = Seq(seq.0.checked_sub(1)?);
        if before == Seq::ZERO {
            return match self.heads.as_slice() {
                [] => Some(Origin::Append(Branch(0))),
                [..] => Some(self.fork(Branch(0), before)),
            };
        }
        let branch = self.find(before, previous)?;
        let ends_here = self.head(branch).is_some_and(|head| head.seq == before);
        Some(if ends_here {
            Origin::Append(branch)
        } else {
            self.fork(branch, before)
        })
    }

    /// Takes note of an event that is being stored.
    pub fn record(&mut self, stored: &Stored) {
        let branch = stored.origin.branch();
        let head = stored.event.head(branch);
        match self.heads.iter_mut().find(|known| known.branch == branch) {
            Some(known) => *known = head,
            None => self.heads.push(head),
        }
        self.learn(branch, head.seq, head.hash);
        self.learn_writer(head.hash, head.start);
    }
}
