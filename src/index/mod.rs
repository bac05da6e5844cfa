//! The index: the last 20,000 events by consignment, application, compartment, person and staff. Disposable.
//!
//! Nothing that decides who may open a door depends on it. The journal's events are the truth; here are only their numbers by
//! subject, and what is found is read from the journal. It is never opened after a crash: a marker says that it was in use,
//! and then, as with anything else that is wrong with it, it is moved aside and built again from the journal. So no damaged
//! database is ever read, and no sync of it is ever waited for.

mod store;
pub mod task;
#[cfg(test)]
mod tests;

use crate::journal::{JournalError, JournalReader, Record};
use office_protocol::Digest;
use office_protocol::event::{Subject, subjects};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// How many events can be found, unless the caller wants fewer.
pub const EVENTS_MAX: u64 = 20_000;
const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 18;

/// Why the index cannot be used. The daemon goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Its files, even after they were moved aside and made anew.
    #[error("the index in {place} cannot be used: {reason}; the daemon goes on without it")]
    Unusable {
        /// The directory.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// It is being built, or was dropped because the disk fills.
    #[error("the index is not there now; try again later")]
    Absent,
    /// The journal that it is built from.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

type Shared = Arc<Mutex<Option<Store>>>;

/// The one that fills the index; for a task of its own, because building takes a second.
#[derive(Debug)]
pub struct Index {
    directory: PathBuf,
    reader: JournalReader,
    events_max: u64,
    shared: Shared,
}

/// Finds events; every clone finds the same.
#[derive(Debug, Clone)]
pub struct IndexQuery {
    reader: JournalReader,
    shared: Shared,
}

impl Index {
    /// Opens the index in a directory of its own, or makes it anew, and catches up with the journal.
    ///
    /// # Errors
    /// [`IndexError::Unusable`], [`IndexError::Journal`].
    pub fn open(directory: &Path, reader: JournalReader) -> Result<Self, IndexError> {
        Self::open_sized(directory, reader, EVENTS_MAX)
    }

    /// [`Index::open`] with a number of events other than [`EVENTS_MAX`].
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_sized(directory: &Path, reader: JournalReader, events_max: u64) -> Result<Self, IndexError> {
        Self::open_with(directory, &IndexQuery::absent(reader), events_max)
    }

    /// [`Index::open`] for a query that was there before, and finds events from now on.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_for(directory: &Path, query: &IndexQuery) -> Result<Self, IndexError> {
        Self::open_with(directory, query, EVENTS_MAX)
    }

    fn open_with(directory: &Path, query: &IndexQuery, events_max: u64) -> Result<Self, IndexError> {
        let mut index = Self {
            directory: directory.to_path_buf(),
            reader: query.reader.clone(),
            events_max,
            shared: Arc::clone(&query.shared),
        };
        if let Err(reason) = index.reopen() {
            index.rebuild(&reason)?;
        }
        Ok(index)
    }

    /// What finds events in this index.
    #[must_use]
    pub fn query(&self) -> IndexQuery {
        IndexQuery {
            reader: self.reader.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Takes in an event that is durable. One that was left out, or taken in before, does no harm.
    ///
    /// # Errors
    /// [`IndexError`], when it could not even be built anew: drop it then.
    pub fn apply(&mut self, record: &Record) -> Result<(), IndexError> {
        let applied = match held(&self.shared).as_mut() {
            Some(store) => store.add(record.seq, &subjects_of(record), self.events_max),
            None => return Err(IndexError::Absent),
        };
        match applied {
            Ok(()) => Ok(()),
            Err(reason) => self.rebuild(&reason),
        }
    }

    /// Takes in everything that the journal has and the index has not; says how many events that were.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub fn catch_up(&mut self) -> Result<usize, IndexError> {
        let mut taken = 0;
        loop {
            let last = held(&self.shared).as_ref().ok_or(IndexError::Absent)?.last_seq();
            let oldest = (self.reader.last_seq()? + 1).saturating_sub(self.events_max);
            let records = self
                .reader
                .read_from((last + 1).max(oldest), BATCH, BATCH_BYTES)?;
            if records.is_empty() {
                return Ok(taken);
            }
            taken += records.len();
            for record in &records {
                self.apply(record)?;
            }
        }
    }

    /// Closes it in good order, so that the next start need not build it again.
    pub fn close(mut self) {
        let Some(store) = held(&self.shared).take() else {
            return;
        };
        let closed = self
            .digest(store.last_seq())
            .and_then(|tip| store.close(&self.directory, tip));
        if let Err(reason) = closed {
            tracing::warn!(
                reason,
                "the index was not closed in good order; it will be built again"
            );
        }
    }

    /// The hash of one of the journal's events.
    fn digest(&mut self, seq: u64) -> Result<Option<Digest>, String> {
        let record = self.reader.record_at(seq).map_err(|error| error.to_string())?;
        Ok(record.map(|record| Digest::of(&record.event)))
    }

    /// Closes it and removes its files, because the disk fills.
    ///
    /// # Errors
    /// [`IndexError::Unusable`] when they cannot be removed.
    pub fn discard(self) -> Result<(), IndexError> {
        held(&self.shared).take();
        store::remove(&self.directory).map_err(|reason| self.unusable(reason))
    }

    /// Opens what is there, if it was closed in good order and is of this journal.
    fn reopen(&mut self) -> Result<(), String> {
        let store = Store::open(&self.directory)?;
        store.check(self.digest(store.last_seq())?)?;
        *held(&self.shared) = Some(store);
        self.catch_up().map(|_| ()).map_err(|error| error.to_string())
    }

    fn rebuild(&mut self, reason: &str) -> Result<(), IndexError> {
        held(&self.shared).take();
        if reason == store::NEW {
            tracing::info!("building the index");
        } else {
            tracing::warn!(reason, "the index is moved aside and built again");
        }
        let store = store::renew(&self.directory).map_err(|reason| self.unusable(reason))?;
        *held(&self.shared) = Some(store);
        // Not `catch_up`: a second failure must not begin a third attempt.
        let mut next = (self.reader.last_seq()? + 1).saturating_sub(self.events_max);
        loop {
            let records = self.reader.read_from(next, BATCH, BATCH_BYTES)?;
            let Some(last) = records.last() else { return Ok(()) };
            next = last.seq + 1;
            for record in &records {
                let mut shared = held(&self.shared);
                let store = shared.as_mut().ok_or(IndexError::Absent)?;
                if let Err(reason) = store.add(record.seq, &subjects_of(record), self.events_max) {
                    shared.take();
                    drop(shared);
                    return Err(self.unusable(reason));
                }
            }
        }
    }

    fn unusable(&self, reason: String) -> IndexError {
        IndexError::Unusable {
            place: self.directory.display().to_string(),
            reason,
        }
    }
}

impl IndexQuery {
    /// One that finds nothing until an index is opened for it.
    #[must_use]
    pub fn absent(reader: JournalReader) -> Self {
        let shared = Arc::new(Mutex::new(None));
        Self { reader, shared }
    }

    /// The newest events about a subject, newest first, at most `count_max`.
    ///
    /// # Errors
    /// [`IndexError::Absent`], [`IndexError::Journal`], [`IndexError::Unusable`].
    pub fn find(&mut self, subject: &Subject, count_max: usize) -> Result<Vec<Record>, IndexError> {
        let found = match held(&self.shared).as_ref() {
            Some(store) => store.find(subject, count_max),
            None => return Err(IndexError::Absent),
        };
        let seqs = found.map_err(|reason| IndexError::Unusable {
            place: "use".to_owned(),
            reason,
        })?;
        let mut records = Vec::with_capacity(seqs.len());
        for seq in seqs {
            // What the journal no longer keeps is not found any more either.
            records.extend(self.reader.record_at(seq)?);
        }
        Ok(records)
    }
}

/// What is no event is about nothing.
fn subjects_of(record: &Record) -> Vec<Subject> {
    subjects(&record.event).unwrap_or_default()
}

fn held(shared: &Shared) -> MutexGuard<'_, Option<Store>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
