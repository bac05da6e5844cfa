//! Checks a whole journal, beside a running daemon too: every CRC, the order, and the chain of hashes.

use super::Damage;
use super::disk::Disk;
use super::error::JournalError;
use super::format::{HeaderFault, Record};
use super::opening::belongs;
use super::segments::{self, SegmentName};
use office_protocol::Digest;
use office_protocol::event::EventHeader;
use std::fmt;
use std::io;

/// How often a last group that may be under the writer's pen is looked at again.
const LOOKS: usize = 3;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Segments read.
    pub segments: usize,
    /// First and last event read; none in an empty journal.
    pub range: Option<(u64, u64)>,
    /// Events read.
    pub events: u64,
    /// Everything that is wrong, in order.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Bytes that cannot be read.
    Damage(Damage),
    /// Not a JSON event; the reason.
    NotAnEvent {
        /// Its number in the journal.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The event says another number than the journal.
    Number {
        /// Its number in the journal.
        seq: u64,
        /// What the event says.
        said: u64,
    },
    /// The event does not name the hash of the event before it.
    Chain {
        /// The later of the two events.
        seq: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(damage) => damage.fmt(f),
            Self::NotAnEvent { seq, reason } => write!(f, "event {seq} is not an event: {reason}"),
            Self::Number { seq, said } => write!(f, "event {seq} says that it is event {said}"),
            Self::Chain { seq } => write!(f, "event {seq} does not name the hash of the event before it"),
        }
    }
}

/// The event before, to check the next one against.
enum Before {
    /// Nothing was before: the chain begins.
    Beginning,
    /// The event before is not kept or cannot be read.
    Unknown,
    /// Its number and hash.
    Event(u64, Digest),
}

/// Reads and checks everything. Changes nothing, takes no lock.
///
/// # Errors
/// [`JournalError::Io`], [`JournalError::Version`].
pub fn verify(disk: &dyn Disk) -> Result<Verification, JournalError> {
    let names = segments::list(disk)
        .map_err(JournalError::io(|| {
            format!("listing the journal's files in {}", disk.place())
        }))?
        .segments;
    let mut verification = Verification::default();
    let mut before = Before::Beginning;
    for (index, name) in names.iter().enumerate() {
        let limit = names.get(index + 1).map(|next| next.first_seq);
        let Some(Read { records, damage }) = read(disk, *name, limit)? else {
            continue;
        };
        verification.segments += 1;
        verification
            .problems
            .extend(damage.into_iter().map(Problem::Damage));
        if index == 0 && name.first_seq > 1 {
            before = Before::Unknown;
        }
        for record in records {
            before = check(&record, before, &mut verification.problems);
            verification.events += 1;
            let first = verification.range.map_or(record.seq, |(first, _)| first);
            verification.range = Some((first, record.seq));
        }
    }
    Ok(verification)
}

/// One segment as it was read.
struct Read {
    records: Vec<Record>,
    damage: Vec<Damage>,
}

/// Reads one segment; none when the daemon removed it meanwhile.
fn read(disk: &dyn Disk, name: SegmentName, limit: Option<u64>) -> Result<Option<Read>, JournalError> {
    let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
    let mut looks = 0;
    loop {
        let file = match disk.open(&name.file_name(), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(reading()(error)),
        };
        let mut damage = Vec::new();
        let header = match segments::read_checkpoint(&*file).map_err(reading())? {
            Ok((header, _)) if belongs(&header, name) => Some(header),
            Err(HeaderFault::Version(version)) => {
                return Err(JournalError::Version {
                    segment: name.id,
                    version,
                });
            }
            Ok(_) | Err(HeaderFault::Damaged) => {
                damage.push(Damage::Checkpoint { segment: name.id });
                let header = segments::read_header(&*file).map_err(reading())?;
                header.ok().filter(|header| belongs(header, name))
            }
        };
        let judged = segments::read_segment(file, name, header.as_ref(), limit)
            .map_err(reading())?
            .judged;
        looks += 1;
        let unfinished = judged
            .damage
            .iter()
            .any(|damage| matches!(damage, Damage::Tail { .. }));
        if unfinished && looks < LOOKS {
            continue;
        }
        damage.extend(judged.damage);
        return Ok(Some(Read {
            records: judged.records,
            damage,
        }));
    }
}

fn check(record: &Record, before: Before, problems: &mut Vec<Problem>) -> Before {
    let seq = record.seq;
    let after = Before::Event(seq, Digest::of(&record.event));
    let header = match EventHeader::parse(&record.event) {
        Ok(header) => header,
        Err(error) => {
            problems.push(Problem::NotAnEvent {
                seq,
                reason: error.to_string(),
            });
            return after;
        }
    };
    if header.seq.0 != seq {
        problems.push(Problem::Number {
            seq,
            said: header.seq.0,
        });
    }
    let expected = match before {
        Before::Beginning if seq == 1 => Some(Digest::ZERO),
        Before::Event(earlier, digest) if earlier + 1 == seq => Some(digest),
        Before::Beginning | Before::Event(..) | Before::Unknown => None,
    };
    if expected.is_some_and(|expected| expected != header.previous) {
        problems.push(Problem::Chain { seq });
    }
    after
}
