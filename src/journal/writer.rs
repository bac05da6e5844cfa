//! The writable journal: appends groups durably, rolls to new segments, lets old ones go.

use super::Options;
use super::disk::{Disk, Held};
use super::error::JournalError;
use super::format::{self, Record};
use super::opening::{Opening, belongs};
use super::reader::{JournalReader, Shared};
use super::segments::{self, Active, Beginning, Blanks, SegmentName};
use super::slack;
use super::space::Space;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The last sequence number that is durable now.
    pub last_seq: u64,
    /// The segment is nearly full: call [`Journal::roll`] with a checkpoint.
    pub wants_checkpoint: bool,
}

/// The one writer of a journal. Every call may take as long as the disk takes.
pub struct Journal {
    disk: Arc<dyn Disk>,
    options: Options,
    _lock: Held,
    active: Active,
    blanks: Arc<Blanks>,
    shared: Arc<Shared>,
    last_seq: u64,
    poisoned: bool,
    buffer: Vec<u8>,
    /// Segments whose checkpoints were read back and found whole.
    verified: BTreeSet<u32>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

/// Fills blank segments ahead of use; for a background thread.
#[derive(Clone)]
pub struct Preparer(Arc<Blanks>);

impl std::fmt::Debug for Preparer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preparer")
    }
}

impl Preparer {
    /// Makes blank segments until the reserve and one more are ready; says how many it made.
    ///
    /// # Errors
    /// [`JournalError::Io`]: the disk is full or failing. The journal goes on with what is ready.
    pub fn prepare(&self) -> Result<usize, JournalError> {
        self.0
            .prepare()
            .map_err(JournalError::io(|| "preparing a blank journal segment".into()))
    }
}

impl Journal {
    pub(super) fn resumed(opening: Opening, active: Active, blanks: Arc<Blanks>) -> Self {
        let mut segments = opening.segments;
        segments.push(active.name);
        Self {
            shared: Arc::new(Shared::new(opening.last_seq, segments)),
            disk: opening.disk,
            options: opening.options,
            _lock: opening.lock,
            active,
            blanks,
            last_seq: opening.last_seq,
            poisoned: false,
            buffer: Vec::new(),
            verified: BTreeSet::new(),
        }
    }

    /// The last durable sequence number; 0 when there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Appends a group that is on disk as a whole when this returns, or not at all.
    ///
    /// # Errors
    /// After [`JournalError::Io`] the journal is poisoned: exit, restart, recover. The group's fate is unknown until then.
    pub fn append(&mut self, group: &[Record]) -> Result<Appended, JournalError> {
        self.check(group)?;
        if !group.is_empty() {
            self.buffer.clear();
            format::encode_group(self.active.name.id, group, &mut self.buffer);
            let file = &self.active.file;
            let written = file
                .write_at(self.active.offset, &self.buffer)
                .and_then(|()| file.sync());
            written.map_err(|source| {
                self.poisoned = true;
                JournalError::io(|| format!("appending to {}", self.active.name.file_name()))(source)
            })?;
            self.active.offset += self.buffer.len() as u64;
            self.last_seq += group.len() as u64;
            self.shared.advance(self.last_seq);
        }
        Ok(Appended {
            last_seq: self.last_seq,
            wants_checkpoint: self.wants_checkpoint(),
        })
    }

    fn check(&self, group: &[Record]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let longest = group.iter().map(Record::stored_bytes).max().unwrap_or(0);
        let parts = group.iter().map(|record| record.sealed.len()).max().unwrap_or(0);
        let most = usize::from(u16::MAX);
        if longest > format::RECORD_BYTES_MAX || group.len() > most || parts > most {
            return Err(JournalError::TooLarge {
                records: group.len(),
                longest,
            });
        }
        for (expected, record) in (self.last_seq + 1..).zip(group) {
            if record.seq != expected {
                return Err(JournalError::OutOfOrder {
                    expected,
                    got: record.seq,
                });
            }
        }
        Ok(())
    }

    /// Whether it is time for [`Journal::roll`].
    #[must_use]
    pub fn wants_checkpoint(&self) -> bool {
        self.active.offset + self.options.roll_below() > self.active.capacity
    }

    /// Begins a new segment with a checkpoint that includes everything appended so far.
    ///
    /// # Errors
    /// After [`JournalError::Full`] the journal goes on in the old segment as long as that has room; after
    /// [`JournalError::Io`] it is poisoned.
    pub fn roll(&mut self, checkpoint: &[u8], wall_ms: i64) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let name = SegmentName {
            id: self.active.name.id + 1,
            first_seq: self.last_seq + 1,
        };
        let beginning = Beginning {
            name,
            checkpoint_seq: self.last_seq,
            created_ms: wall_ms,
            checkpoint,
            carried: &[],
        };
        let mut closed = self.shared.segments();
        closed.retain(|closed| *closed != self.active.name);
        let next = slack::begin(&*self.disk, &self.blanks, &beginning, &closed).map_err(|source| {
            if source.kind() == io::ErrorKind::StorageFull {
                return JournalError::Full;
            }
            self.poisoned = true;
            JournalError::io(|| format!("beginning {}", name.file_name()))(source)
        })?;
        self.shared.add(name);
        let old = std::mem::replace(&mut self.active, next);
        slack::cut(&*self.disk, old.name, old.offset);
        Ok(())
    }

    /// Fills blank segments inline; see [`Preparer::prepare`].
    ///
    /// # Errors
    /// [`JournalError::Io`]: the disk is full or failing.
    pub fn prepare(&self) -> Result<usize, JournalError> {
        self.preparer().prepare()
    }

    /// What a background thread calls so that [`Journal::roll`] finds a blank segment.
    #[must_use]
    pub fn preparer(&self) -> Preparer {
        Preparer(Arc::clone(&self.blanks))
    }

    /// A reader that sees what is durable.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        JournalReader::beside(Arc::clone(&self.disk), Arc::clone(&self.shared))
    }

    /// How much room there is, and so what to give up.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn space(&self) -> Result<Space, JournalError> {
        let free = self
            .disk
            .free_bytes()
            .map_err(JournalError::io(|| "asking for the disk's free space".into()))?;
        let ready = self.blanks.ready() as u64 * self.options.segment_bytes;
        Ok(Space::judge(
            free,
            ready,
            self.options.segment_bytes,
            self.options.reserve_segments(),
        ))
    }

    /// Removes the oldest segments that the office has acknowledged and that ended more than `keep_days` ago; says how many.
    ///
    /// The two newest checkpoints that can be read stay in any case. Call it with a trusted time only. With
    /// `keep_days` 0 everything acknowledged goes, which is what [`Space::DropAcknowledged`] asks for.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the journal stays usable.
    pub fn trim(
        &mut self,
        acknowledged_seq: u64,
        now_wall_ms: i64,
        keep_days: u32,
    ) -> Result<usize, JournalError> {
        let segments = self.shared.segments();
        let kept_from = self.second_verified(&segments)?;
        let keep_ms = i64::from(keep_days) * DAY_MS;
        let mut removed = 0;
        for pair in segments[..=kept_from].windows(2) {
            let (old, next) = (pair[0], pair[1]);
            if next.first_seq > acknowledged_seq.saturating_add(1) {
                break;
            }
            // It ended when its successor was made; if that cannot say when, its own beginning must do.
            let header = match self.header(next)? {
                Some(header) => Some(header),
                None => self.header(old)?,
            };
            let ended = header.map_or(i64::MIN, |header| header.created_ms);
            if keep_days > 0 && ended.saturating_add(keep_ms) > now_wall_ms {
                break;
            }
            let doing = || JournalError::io(|| format!("removing {}", old.file_name()));
            self.disk.remove(&old.file_name()).map_err(doing())?;
            // One by one, so that a crash cannot leave a hole.
            self.disk.sync_directory().map_err(doing())?;
            self.shared.remove(old);
            removed += 1;
        }
        Ok(removed)
    }

    /// The index of the second newest segment whose checkpoint can be read back; 0 when there are not two.
    fn second_verified(&mut self, segments: &[SegmentName]) -> Result<usize, JournalError> {
        let mut found = 0;
        for (index, name) in segments.iter().enumerate().rev() {
            if !self.verified.contains(&name.id) {
                let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
                let file = self.disk.open(&name.file_name(), false).map_err(reading())?;
                match segments::read_checkpoint(&*file).map_err(reading())? {
                    Ok((header, _)) if belongs(&header, *name) => self.verified.insert(name.id),
                    Ok(_) | Err(_) => continue,
                };
            }
            found += 1;
            if found == 2 {
                self.verified.retain(|id| *id >= name.id);
                return Ok(index);
            }
        }
        Ok(0)
    }

    fn header(&self, name: SegmentName) -> Result<Option<format::Header>, JournalError> {
        let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
        let file = self.disk.open(&name.file_name(), false).map_err(reading())?;
        Ok(segments::read_header(&*file).map_err(reading())?.ok())
    }
}
