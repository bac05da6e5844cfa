//! A new disk in an old cabinet: the journal is rebuilt from the history that the office gives out, event by event.
//!
//! The office signs where the history ends, and each event names the digest of the one before: so nothing in between can be
//! missing, altered or another cabinet's. The events are applied as at every start, and journaled again byte for byte, so that
//! numbers go on where the office's end. What the cabinet did after the last event that reached the office is not known: every
//! compartment is in doubt until a person has looked. Pickup codes are hashed under a key that the identity gives; where the
//! identity was lost too, the next start issues them anew.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use office_protocol::event::InvalidEvent;
use office_protocol::{
    CabinetId, Digest, Event, HistoryEnd, HistoryHead, HistoryLine, InvalidHistory, Seq, Signed, Timestamp,
    Tip, VerifyingKey,
};
use thiserror::Error;

use crate::cabinet::vocabulary::{Moment, Recorded};
use crate::cabinet::{Cabinet, Config, Direction, Ledger};
use crate::journal::{Disk, Journal, JournalError, Options, Record};

pub(crate) mod command;

/// The longest line: an event with its sealed parts.
const LINE_BYTES_MAX: u64 = 2 << 20;
/// How many events are made durable at once.
const GROUP_EVENTS: usize = 64;
/// A history that was written longer ago may lack what the cabinet has reported since.
const AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The file could not be read.
    #[error("line {line} cannot be read: {source}")]
    Read {
        /// Where.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The first line.
    #[error(
        "this is no history of {cabinet} from its office: {source}; ask for it with `office export-cabinet --cabinet {cabinet}`"
    )]
    Head {
        /// This cabinet.
        cabinet: CabinetId,
        /// What is wrong.
        source: InvalidHistory,
    },
    /// Made for a key that this cabinet does not have.
    #[error(
        "the history is for another identity of this cabinet ({0}): enrol this one first, then ask the office for the history"
    )]
    Identity(String),
    /// Stale.
    #[error(
        "the history is of {0}, more than a day ago: what the cabinet has reported since is missing; ask the office for it again"
    )]
    Old(Timestamp),
    /// A line that is not an event.
    #[error("line {line}: {source}; ask the office for the history again")]
    Line {
        /// Where.
        line: u64,
        /// What is wrong.
        source: InvalidHistory,
    },
    /// An event that this program does not know.
    #[error("line {line}: {source}; install the newer lockerd")]
    Event {
        /// Where.
        line: u64,
        /// What is wrong.
        source: InvalidEvent,
    },
    /// An event that does not follow the one before.
    #[error(
        "line {line}: event {found} of {source_cabinet} does not follow event {after}: something is missing, altered or of another \
         cabinet; ask the office for the history again"
    )]
    Chain {
        /// Where.
        line: u64,
        /// What stands there.
        found: Seq,
        /// Whose.
        source_cabinet: CabinetId,
        /// What it should follow.
        after: Seq,
    },
    /// The file stops early, or goes on too long.
    #[error(
        "the history ends with event {found}, but the office has signed that it ends with {signed}; copy the file again"
    )]
    End {
        /// Where the file ends.
        found: Seq,
        /// Where it should.
        signed: Seq,
    },
    /// The new journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What the office knows of a cabinet, its first line verified.
pub struct History<R> {
    head: HistoryHead,
    cabinet: CabinetId,
    lines: R,
    line: u64,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the office's history ends.
    pub end: HistoryEnd,
    /// Consignments that should be inside.
    pub consignments: usize,
    /// Pickup codes that the next start issues anew.
    pub codes: usize,
    /// Compartments that somebody must look into.
    pub compartments: usize,
}

impl<R: BufRead> History<R> {
    /// Reads and verifies the first line; `now` is the wall clock.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn open(
        lines: R,
        cabinet: &CabinetId,
        root: &VerifyingKey,
        identity: &VerifyingKey,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let mut lines = lines;
        let wrong = |source| RestoreError::Head {
            cabinet: cabinet.clone(),
            source,
        };
        let first = read_line(&mut lines, 1)?.unwrap_or_default();
        let head = HistoryHead::verify(&first, root, cabinet).map_err(wrong)?;
        if head.end.identity != *identity.id() {
            return Err(RestoreError::Identity(head.end.identity.to_string()));
        }
        // A new machine whose clock was never set is before it; that says nothing.
        if head.end.issued.plus_millis(AGE_MAX_MS) < now {
            return Err(RestoreError::Old(head.end.issued));
        }
        Ok(Self {
            head,
            cabinet: cabinet.clone(),
            lines,
            line: 1,
        })
    }

    /// The key set in force, signed.
    pub fn keys(&self) -> &Signed {
        &self.head.signed_keys
    }

    /// Journals the whole history on an empty disk, and what follows from having lost the old one. After an error the disk holds
    /// nothing that may be used.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn rebuild(
        mut self,
        disk: Arc<dyn Disk>,
        config: Config,
        moment: &Moment,
    ) -> Result<Restored, RestoreError> {
        let mut ledger = Ledger::default();
        let opening = Journal::open(Arc::clone(&disk), Options::default())?;
        let mut journal = opening.resume(&ledger.to_checkpoint(), moment.wall.as_millis())?;
        let mut group = Vec::new();
        while let Some((record, event)) = self.next(&ledger)? {
            if event.seq > ledger.tip.seq.next() {
                append(&mut journal, &mut group, &ledger, event.time)?;
                drop(journal);
                ledger.tip = before(&event);
                journal = behind_a_hole(Arc::clone(&disk), &ledger, event.time)?;
            }
            ledger.apply(&event, Digest::of(&record.event));
            group.push(record);
            if group.len() == GROUP_EVENTS {
                append(&mut journal, &mut group, &ledger, event.time)?;
            }
        }
        append(&mut journal, &mut group, &ledger, moment.wall)?;
        let end = self.head.end;
        if ledger.tip.seq != end.seq || ledger.tip.hash != end.hash {
            return Err(RestoreError::End {
                found: ledger.tip.seq,
                signed: end.seq,
            });
        }
        let dead = ledger
            .identity
            .as_ref()
            .is_some_and(|before| before != config.key.id());
        let outbound = ledger.consignments.values();
        let outbound =
            outbound.filter(|inside| inside.direction == Direction::Outbound && inside.code.is_some());
        let restored = Restored {
            consignments: ledger.consignments.len(),
            codes: if dead { outbound.count() } else { 0 },
            compartments: ledger.compartments.len(),
            end,
        };
        let step = Cabinet::new(config, ledger).restored(moment, restored.end.issued);
        group.extend(step.events.into_iter().map(record));
        journal.append(&group)?;
        Ok(restored)
    }

    /// The next event, if it follows what is known.
    fn next(&mut self, ledger: &Ledger) -> Result<Option<(Record, Event)>, RestoreError> {
        self.line += 1;
        let line = self.line;
        let Some(text) = read_line(&mut self.lines, line)? else {
            return Ok(None);
        };
        let HistoryLine { event, sealed } =
            HistoryLine::parse(&text).map_err(|source| RestoreError::Line { line, source })?;
        let parsed = Event::parse(&event).map_err(|source| RestoreError::Event { line, source })?;
        let seq = parsed.seq;
        let lost = (ledger.tip.seq.next(), Seq(seq.0.saturating_sub(1)));
        // The office has signed that it never had these; what follows them says what the last of them was.
        let after = if self.head.end.lost.contains(&lost) {
            before(&parsed)
        } else {
            ledger.tip
        };
        if seq != after.seq.next() || parsed.previous != after.hash || parsed.source != self.cabinet {
            return Err(RestoreError::Chain {
                line,
                found: seq,
                source_cabinet: parsed.source,
                after: after.seq,
            });
        }
        let record = Record {
            seq: seq.0,
            event,
            sealed,
        };
        Ok(Some((record, parsed)))
    }
}

/// The event that another follows.
fn before(event: &Event) -> Tip {
    Tip {
        seq: Seq(event.seq.0.saturating_sub(1)),
        hash: event.previous,
    }
}

/// The journal goes on in a segment of its own, whose checkpoint includes what is lost.
fn behind_a_hole(disk: Arc<dyn Disk>, ledger: &Ledger, time: Timestamp) -> Result<Journal, RestoreError> {
    let mut opening = Journal::open(disk, Options::default())?;
    opening.was_as_long_as(ledger.tip.seq.0);
    Ok(opening.resume(&ledger.to_checkpoint(), time.as_millis())?)
}

fn append(
    journal: &mut Journal,
    group: &mut Vec<Record>,
    ledger: &Ledger,
    time: Timestamp,
) -> Result<(), RestoreError> {
    let appended = journal.append(group)?;
    group.clear();
    if appended.wants_checkpoint {
        journal.roll(&ledger.to_checkpoint(), time.as_millis())?;
    }
    Ok(())
}

fn record(recorded: Recorded) -> Record {
    Record {
        seq: recorded.seq.0,
        event: recorded.event,
        sealed: recorded.sealed.into_iter().map(|part| part.bytes).collect(),
    }
}

/// One line without its end; none at the end of the file.
fn read_line(lines: &mut impl BufRead, line: u64) -> Result<Option<String>, RestoreError> {
    let mut text = String::new();
    let read = lines.take(LINE_BYTES_MAX).read_line(&mut text);
    let read = read.map_err(|source| RestoreError::Read { line, source })?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok((read > 0).then_some(text))
}
