//! Decides what of a segment's readable records counts, and what is damage. Pure.

use super::format::{Placed, Record};
use std::fmt;

/// Something in the journal that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The last group is incomplete: cut, because it was never acknowledged, or else is damaged.
    Tail {
        /// Segment id.
        segment: u32,
        /// The first sequence number that was cut.
        first_seq: u64,
        /// What of the group can be read, to know which compartments it touched.
        readable: Vec<Record>,
    },
    /// Records that were acknowledged and cannot be read.
    Missing {
        /// Segment id.
        segment: u32,
        /// First of them.
        first_seq: u64,
        /// Last of them.
        last_seq: u64,
    },
    /// A segment's header or checkpoint cannot be read: an older checkpoint was used.
    Checkpoint {
        /// Segment id.
        segment: u32,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tail {
                segment,
                first_seq,
                readable,
            } => write!(
                f,
                "segment {segment}: the group from {first_seq} on is unacknowledged or damaged, {} of its records \
                 can be read; it was cut",
                readable.len()
            ),
            Self::Missing {
                segment,
                first_seq,
                last_seq,
            } => {
                write!(
                    f,
                    "segment {segment}: events {first_seq} to {last_seq} cannot be read"
                )
            }
            Self::Checkpoint { segment } => {
                write!(f, "segment {segment}: its header or checkpoint cannot be read")
            }
        }
    }
}

/// What was found in one segment, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) segment: u32,
    /// The number of its first record.
    pub(super) first_seq: u64,
    /// What the checkpoint includes is never cut.
    pub(super) checkpoint_seq: u64,
    /// First number of the segment after it: records from there on were cut when that was made.
    pub(super) limit: Option<u64>,
    pub(super) found: Vec<Placed>,
    /// Bytes that are not zero follow the last record.
    pub(super) dirty_tail: bool,
}

/// What counts.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) records: Vec<Record>,
    /// How many records at the end of `records` are the last group.
    pub(super) last_group: usize,
    pub(super) damage: Vec<Damage>,
}

pub(super) fn judge(mut findings: Findings) -> Judged {
    let segment = findings.segment;
    if let Some(limit) = findings.limit {
        findings.found.retain(|placed| placed.record.seq < limit);
    }
    let mut damage = Vec::new();
    let cut = if findings.limit.is_none() {
        cut_tail(&mut findings)
    } else {
        None
    };

    let mut expected = findings.first_seq;
    for placed in &findings.found {
        if placed.record.seq > expected {
            damage.push(Damage::Missing {
                segment,
                first_seq: expected,
                last_seq: placed.record.seq - 1,
            });
        }
        expected = placed.record.seq + 1;
    }
    let end = match (findings.limit, &cut) {
        (Some(limit), _) => limit,
        (None, Some((start, _))) => *start,
        (None, None) => findings.checkpoint_seq + 1,
    };
    if expected < end {
        damage.push(Damage::Missing {
            segment,
            first_seq: expected,
            last_seq: end - 1,
        });
    }
    if let Some((first_seq, readable)) = cut {
        damage.push(Damage::Tail {
            segment,
            first_seq,
            readable,
        });
    } else if findings.dirty_tail && findings.limit.is_none() {
        damage.push(Damage::Tail {
            segment,
            first_seq: expected.max(end),
            readable: Vec::new(),
        });
    }

    let last_start = findings.found.last().map_or(0, Placed::group_start);
    let records: Vec<Record> = findings.found.into_iter().map(|placed| placed.record).collect();
    let last_group = records.iter().filter(|record| record.seq >= last_start).count();
    Judged {
        records,
        last_group,
        damage,
    }
}

/// Takes an incomplete last group out of the findings.
fn cut_tail(findings: &mut Findings) -> Option<(u64, Vec<Record>)> {
    let last = findings.found.last()?;
    let start = last.group_start();
    let count = usize::from(last.count);
    let keep = findings.found.partition_point(|placed| placed.record.seq < start);
    if findings.found.len() - keep == count || start <= findings.checkpoint_seq {
        return None;
    }
    let readable = findings.found.drain(keep..).map(|placed| placed.record).collect();
    Some((start, readable))
}
