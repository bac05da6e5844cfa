//! Opens the journal: finds the newest checkpoint that can be trusted and what happened after it.

use super::disk::{Disk, Held};
use super::error::JournalError;
use super::format::{Header, HeaderFault, Record};
use super::judge::Damage;
use super::segments::{self, Blanks, LOCK_NAME, SegmentName};
use super::slack;
use super::writer::Journal;
use super::{Options, segments::Beginning};
use std::io;
use std::sync::Arc;

/// A journal that was opened and read, but takes nothing yet.
///
/// Nothing may be decided or sent from it before [`Opening::resume`]: what was read may be in the page cache only.
pub struct Opening {
    /// The newest checkpoint that can be read, as the caller wrote it; none in a new journal, or when all are damaged
    /// (then `damage` says so).
    pub checkpoint: Option<Vec<u8>>,
    /// What happened after the checkpoint, in order; with gaps only where `damage` says so.
    pub records: Vec<Record>,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// The last sequence number that counts; 0 in a new journal.
    pub last_seq: u64,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) lock: Held,
    pub(super) segments: Vec<SegmentName>,
    pub(super) blanks: Vec<String>,
    highest_id: u32,
    /// The last group: it may never have been synced, so it is written again.
    carried: Vec<Record>,
    /// Where the newest segment's used bytes end.
    used_end: u64,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening")
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal in a directory, alone.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process has it, [`JournalError::Version`] when a newer program wrote it,
    /// [`JournalError::Io`].
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Opening, JournalError> {
        let lock = disk.lock(LOCK_NAME).map_err(|error| {
            if error.kind() == io::ErrorKind::WouldBlock {
                return JournalError::Locked { place: disk.place() };
            }
            JournalError::io(|| format!("locking the journal in {}", disk.place()))(error)
        })?;
        let listing = segments::list(&*disk).map_err(JournalError::io(|| {
            format!("listing the journal's files in {}", disk.place())
        }))?;
        for name in &listing.unfinished {
            disk.remove(name)
                .map_err(JournalError::io(|| format!("removing the unfinished {name}")))?;
        }
        if !listing.unfinished.is_empty() {
            // Else a crash could bring back the old file under a name that is used again.
            disk.sync_directory()
                .map_err(JournalError::io(|| "syncing the journal's directory".into()))?;
        }
        let mut opening = Opening {
            checkpoint: None,
            records: Vec::new(),
            damage: Vec::new(),
            last_seq: 0,
            disk,
            options,
            lock,
            highest_id: listing.highest_id,
            segments: listing.segments,
            blanks: listing.blanks,
            carried: Vec::new(),
            used_end: 0,
        };
        opening.recover()?;
        Ok(opening)
    }
}

impl Opening {
    /// Walks back to the newest readable checkpoint, and from there forward to the end.
    fn recover(&mut self) -> Result<(), JournalError> {
        let names = self.segments.clone();
        let mut headers: Vec<Option<Header>> = vec![None; names.len()];
        let mut base = 0;
        let mut checkpoint_seq = 0;
        for index in (0..names.len()).rev() {
            let read = self.read_checkpoint(names[index], &mut headers[index])?;
            base = index;
            if let Some(checkpoint) = read {
                checkpoint_seq = headers[index].map_or(0, |header| header.checkpoint_seq);
                self.checkpoint = Some(checkpoint);
                break;
            }
            self.damage.push(Damage::Checkpoint {
                segment: names[index].id,
            });
        }

        let oldest = names.first().map_or(1, |name| name.first_seq);
        if self.checkpoint.is_none() && oldest > 1 {
            // What was let go is in no checkpoint that can be read: nobody here knows what it came to.
            self.damage.push(Damage::Missing {
                segment: names[0].id,
                first_seq: 1,
                last_seq: oldest - 1,
            });
        }
        self.last_seq = checkpoint_seq;
        for index in base..names.len() {
            let name = names[index];
            let limit = names.get(index + 1).map(|next| next.first_seq);
            let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
            let file = self.disk.open(&name.file_name(), false).map_err(reading())?;
            let read =
                segments::read_segment(file, name, headers[index].as_ref(), limit).map_err(reading())?;
            let judged = read.judged;
            self.damage.extend(judged.damage);
            self.used_end = read.used_end;
            self.last_seq = self
                .last_seq
                .max(headers[index].map_or(0, |header| header.checkpoint_seq));
            if let Some(last) = judged.records.last() {
                self.last_seq = self.last_seq.max(last.seq);
                self.carried = judged.records[judged.records.len() - judged.last_group..].to_vec();
            }
            self.records.extend(
                judged
                    .records
                    .into_iter()
                    .filter(|record| record.seq > checkpoint_seq),
            );
        }
        // A carried group that does not end the journal proves nothing about its end.
        if self.carried.last().is_none_or(|last| last.seq != self.last_seq) {
            self.carried.clear();
        }
        Ok(())
    }

    fn read_checkpoint(
        &self,
        name: SegmentName,
        header: &mut Option<Header>,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
        let file = self.disk.open(&name.file_name(), false).map_err(reading())?;
        match segments::read_checkpoint(&*file).map_err(reading())? {
            Ok((read, checkpoint)) if belongs(&read, name) => {
                *header = Some(read);
                Ok(Some(checkpoint))
            }
            Err(HeaderFault::Version(version)) => Err(JournalError::Version {
                segment: name.id,
                version,
            }),
            Ok(_) | Err(HeaderFault::Damaged) => {
                *header = segments::read_header(&*file)
                    .map_err(reading())?
                    .ok()
                    .filter(|header| belongs(header, name));
                Ok(None)
            }
        }
    }

    /// Somebody else knows that events up to here were there: those that are not are damage, and their numbers are not given again.
    pub fn was_as_long_as(&mut self, seq: u64) {
        if seq <= self.last_seq {
            return;
        }
        self.damage.push(Damage::Missing {
            segment: self.highest_id,
            first_seq: self.last_seq + 1,
            last_seq: seq,
        });
        self.last_seq = seq;
        self.carried.clear(); // they do not end the journal any more
    }

    /// Makes the recovered state durable in a new segment, and gives the journal that takes appends.
    ///
    /// `checkpoint` must include every record of this opening.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Full`].
    pub fn resume(self, checkpoint: &[u8], wall_ms: i64) -> Result<Journal, JournalError> {
        let target = self.options.reserve_segments() + 1;
        let blanks = Arc::new(Blanks::new(
            Arc::clone(&self.disk),
            self.options.segment_bytes,
            target,
            self.blanks.clone(),
        ));
        let first_seq = self
            .carried
            .first()
            .map_or(self.last_seq + 1, |record| record.seq);
        let name = SegmentName {
            id: self.highest_id + 1,
            first_seq,
        };
        let beginning = Beginning {
            name,
            checkpoint_seq: self.last_seq,
            created_ms: wall_ms,
            checkpoint,
            carried: &self.carried,
        };
        let active = slack::begin(&*self.disk, &blanks, &beginning, &self.segments).map_err(|source| {
            if source.kind() == io::ErrorKind::StorageFull {
                JournalError::Full
            } else {
                JournalError::io(|| format!("writing {}", name.file_name()))(source)
            }
        })?;
        if let Some(last) = self.segments.last() {
            slack::cut(&*self.disk, *last, self.used_end);
        }
        Ok(Journal::resumed(self, active, blanks))
    }
}

/// Whether a header is that of the segment with this name.
pub(super) fn belongs(header: &Header, name: SegmentName) -> bool {
    header.segment == name.id && header.first_seq == name.first_seq
}
