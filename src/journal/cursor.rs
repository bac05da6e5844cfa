//! Walks the records of one segment file, and finds the way again after damaged bytes.

use super::disk::DiskFile;
use super::format::{self, Decoded, Placed};
use std::io;
use std::sync::Arc;

const WINDOW_BYTES: usize = 64 * 1024;
/// Whoever looks for one record, or reads on at the end of the journal, needs no more.
const FIRST_WINDOW_BYTES: usize = 4 * 1024;

/// What stands at the cursor.
#[derive(Debug)]
pub(super) enum Found {
    /// A whole record; the cursor is behind it now.
    Record(Placed),
    /// None; the cursor stays.
    Nothing,
}

/// A position in one segment file, with a window of its bytes.
pub(super) struct Cursor {
    file: Arc<dyn DiskFile>,
    segment: u32,
    offset: u64,
    window: Vec<u8>,
    window_at: u64,
    /// How much is read next.
    reach: usize,
}

impl Cursor {
    pub(super) fn new(file: Arc<dyn DiskFile>, segment: u32, offset: u64) -> Self {
        Self {
            file,
            segment,
            offset,
            window: Vec::new(),
            window_at: 0,
            reach: FIRST_WINDOW_BYTES,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes to a place where a record starts.
    pub(super) fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Forgets what was read, because the file may have grown since.
    pub(super) fn refresh(&mut self) {
        self.window.clear();
        self.reach = FIRST_WINDOW_BYTES;
    }

    /// Takes the record at the cursor, if there is one.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        let mut wanted = format::RECORD_HEAD_BYTES;
        loop {
            let segment = self.segment;
            let bytes = self.bytes(self.offset, wanted)?;
            if bytes.len() < wanted {
                return Ok(Found::Nothing);
            }
            match format::decode(bytes, segment) {
                Decoded::Record(placed) => {
                    self.offset += placed.stored_bytes as u64;
                    return Ok(Found::Record(placed));
                }
                Decoded::Needs(more) => wanted = more,
                Decoded::Nothing => return Ok(Found::Nothing),
            }
        }
    }

    /// Looks for the next whole record numbered `seq_min` or more, behind the cursor's place, and takes it.
    ///
    /// When there is none, the cursor stays and the answer is where the last byte that is not zero ends, or the
    /// cursor's own offset when all is zero from there on.
    pub(super) fn resync(&mut self, seq_min: u64) -> io::Result<Result<Placed, u64>> {
        let start = self.offset;
        let segment = self.segment;
        let mut at = start;
        let mut used_end = start;
        loop {
            let bytes = self.bytes(at, WINDOW_BYTES)?;
            if bytes.is_empty() {
                return Ok(Err(used_end));
            }
            if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
                used_end = used_end.max(at + last as u64 + 1);
            }
            let step = if bytes.len() < WINDOW_BYTES {
                bytes.len()
            } else {
                bytes.len() - format::RECORD_HEAD_BYTES
            };
            let step = step.next_multiple_of(8);
            let candidates: Vec<u64> = (0..step)
                .step_by(8)
                .filter(|&near| {
                    bytes
                        .get(near..)
                        .is_some_and(|bytes| format::plausible(bytes, segment))
                })
                .map(|near| at + near as u64)
                .collect();
            for candidate in candidates {
                self.offset = candidate;
                match self.next()? {
                    Found::Record(placed) if placed.record.seq >= seq_min => return Ok(Ok(placed)),
                    Found::Record(_) | Found::Nothing => self.offset = start,
                }
            }
            at += step as u64;
        }
    }

    /// The bytes from `at`: at least `wanted` of them unless the file ends before.
    fn bytes(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let held_end = self.window_at + self.window.len() as u64;
        let held = at >= self.window_at && at + wanted as u64 <= held_end;
        if !held {
            self.window.resize(wanted.max(self.reach), 0);
            self.reach = WINDOW_BYTES.min(self.reach * 2);
            self.window_at = at;
            match self.file.read_at(at, &mut self.window) {
                Ok(read) => self.window.truncate(read),
                Err(error) => {
                    self.window.clear();
                    return Err(error);
                }
            }
        }
        let from = usize::try_from(at - self.window_at).map_err(io::Error::other)?;
        Ok(self.window.get(from..).unwrap_or_default())
    }
}
