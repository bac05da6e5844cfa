//! What can go wrong with the journal, and what to do then.

use std::io;

/// An error of the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("another lockerd has the journal in {place} open; stop that one first")]
    Locked {
        /// The directory.
        place: String,
    },
    /// It was written by a newer program.
    #[error(
        "segment {segment} of the journal has format version {version}, this lockerd knows version 1; install the newer \
         lockerd again"
    )]
    Version {
        /// Segment id.
        segment: u32,
        /// What the segment says.
        version: u32,
    },
    /// The disk failed.
    #[error("{doing} failed: {source}; check the disk, exit, restart and recover")]
    Io {
        /// What was being done, to which file.
        doing: String,
        /// The cause.
        source: io::Error,
    },
    /// No segment can be made and the reserve is used up. The journal still takes what fits into this segment.
    #[error("the disk is full and the journal's reserve is used up; free some space")]
    Full,
    /// A write or sync failed earlier: nothing more may be written to that file.
    #[error("the journal failed earlier and takes nothing more; exit, restart and recover")]
    Poisoned,
    /// The group does not continue where the journal ends.
    #[error("event {got} was to be appended where {expected} is next; this is a fault of the program")]
    OutOfOrder {
        /// The next sequence number.
        expected: u64,
        /// The one that came.
        got: u64,
    },
    /// Too long for the format.
    #[error(
        "a group of {records} records, the longest of {longest} bytes, does not fit the journal's format"
    )]
    TooLarge {
        /// Records in the group.
        records: usize,
        /// Bytes of the longest.
        longest: usize,
    },
}

impl JournalError {
    /// The text is made only when something failed.
    pub(super) fn io(doing: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing: doing(),
            source,
        }
    }
}
