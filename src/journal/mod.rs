//! The journal: the cabinet's durable, ordered record of everything that happened, in segment files.
//!
//! It carries opaque bytes: events with their sealed parts, in groups that are on disk as a whole or not at all, and
//! checkpoints of whatever state the caller derives from them. Opening never gives a writable journal at once: what was
//! recovered must first be written as a checkpoint into a new segment ([`Opening::resume`]).
//!
//! Assumed of the disk: a sector write may be torn from its neighbours, may be lost until synced, but leaves the bytes of
//! the sector that it does not change. Deliberately absent: recycling of segments, a write queue, retries.

pub mod command;
mod cursor;
pub mod disk;
mod error;
pub mod format;
mod judge;
mod opening;
mod reader;
mod segments;
pub mod show;
mod slack;
mod space;
#[cfg(test)]
pub(crate) mod tests;
mod verify;
mod writer;

pub use disk::{Disk, DiskFile, RealDisk};
pub use error::JournalError;
pub use format::Record;
pub use judge::Damage;
pub use opening::Opening;
pub use reader::JournalReader;
pub use space::Space;
pub use verify::{Problem, Verification, verify};
pub use writer::{Appended, Journal, Preparer};

/// Sizes of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment file.
    pub segment_bytes: u64,
    /// Bytes of events that must find room when the disk is full.
    pub reserve_bytes: u64,
}

impl Default for Options {
    /// Segments of 4 MiB, and a reserve of 10,000 events of 1 KiB.
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            reserve_bytes: 10_000 << 10,
        }
    }
}

impl Options {
    /// When less than this is left in a segment, it is time for a checkpoint.
    fn roll_below(&self) -> u64 {
        self.segment_bytes / 16
    }

    /// Blank segments that hold the reserve, if checkpoints take at most a quarter of each.
    fn reserve_segments(&self) -> usize {
        let usable = (self.segment_bytes - self.segment_bytes / 4 - self.roll_below()).max(1);
        usize::try_from(self.reserve_bytes.div_ceil(usable)).unwrap_or(usize::MAX)
    }
}
