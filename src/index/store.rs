//! The index's database: the only file that names sled.
//!
//! Two trees: `subjects` holds `subject NUL seq` keys without values; `events` holds, by number, the subjects of each event, so
//! that it can be forgotten again. sled 0.34 never calls fsync, and may panic on a database that a crash left: hence the
//! marker, which is on disk before the database is opened and goes only after it was flushed and closed.

use office_protocol::Digest;
use office_protocol::event::Subject;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The reason to build one where none was.
pub(super) const NEW: &str = "there is none yet";

const DATABASE: &str = "database";
const ASIDE: &str = "aside";
const MARKER: &str = "in-use";
const CACHE_BYTES: u64 = 1 << 20;
const SEPARATOR: u8 = 0;

pub(super) struct Store {
    database: sled::Db,
    subjects: sled::Tree,
    events: sled::Tree,
    first_seq: u64,
    last_seq: u64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens what was closed in good order; nothing else.
    pub(super) fn open(directory: &Path) -> Result<Self, String> {
        if directory.join(MARKER).exists() {
            return Err("it was not closed in good order".to_owned());
        }
        if !directory.join(DATABASE).exists() {
            return Err(NEW.to_owned());
        }
        mark(directory).map_err(|error| error.to_string())?;
        Self::open_database(directory)
    }

    fn open_database(directory: &Path) -> Result<Self, String> {
        let open = || {
            let database = sled::Config::new()
                .path(directory.join(DATABASE))
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()?;
            let subjects = database.open_tree("subjects")?;
            let events = database.open_tree("events")?;
            let first_seq = events.first()?.map_or(0, |(key, _)| seq_of(&key));
            let last_seq = events.last()?.map_or(0, |(key, _)| seq_of(&key));
            Ok(Self {
                database,
                subjects,
                events,
                first_seq,
                last_seq,
            })
        };
        open().map_err(|error: sled::Error| error.to_string())
    }

    /// The last event taken in; 0 when there is none.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Fails when the last event here is not the journal's event of that number.
    pub(super) fn check(&self, journal: Option<Digest>) -> Result<(), String> {
        let stored = self.database.get("tip").map_err(|error| error.to_string())?;
        match (stored, journal) {
            (Some(stored), Some(journal)) if *stored == journal.0 => Ok(()),
            (None, None) if self.last_seq == 0 => Ok(()),
            (Some(_) | None, Some(_) | None) => Err("it is of another journal".to_owned()),
        }
    }

    /// Takes in an event, and forgets those beyond the bound.
    pub(super) fn add(&mut self, seq: u64, subjects: &[Subject], events_max: u64) -> Result<(), String> {
        if seq <= self.last_seq {
            return Ok(());
        }
        self.add_checked(seq, subjects, events_max)
            .map_err(|error| error.to_string())
    }

    fn add_checked(&mut self, seq: u64, subjects: &[Subject], events_max: u64) -> Result<(), sled::Error> {
        let mut names = Vec::new();
        for subject in subjects {
            let name = name_of(subject);
            self.subjects.insert(key(&name, seq), &[])?;
            names.extend_from_slice(&name);
            names.push(SEPARATOR);
        }
        self.events.insert(seq.to_be_bytes(), names)?;
        if self.first_seq == 0 {
            self.first_seq = seq;
        }
        self.last_seq = seq;
        while self.first_seq + events_max <= seq {
            self.forget(self.first_seq)?;
            self.first_seq += 1;
        }
        Ok(())
    }

    fn forget(&self, seq: u64) -> Result<(), sled::Error> {
        if let Some(names) = self.events.remove(seq.to_be_bytes())? {
            for name in names
                .split(|&byte| byte == SEPARATOR)
                .filter(|name| !name.is_empty())
            {
                self.subjects.remove(key(name, seq))?;
            }
        }
        Ok(())
    }

    /// The newest numbers about a subject, newest first.
    pub(super) fn find(&self, subject: &Subject, count_max: usize) -> Result<Vec<u64>, String> {
        let mut prefix = name_of(subject);
        prefix.push(SEPARATOR);
        let newest = self.subjects.scan_prefix(prefix).rev().take(count_max);
        newest
            .map(|entry| {
                entry
                    .map(|(key, _)| seq_of(&key))
                    .map_err(|error| error.to_string())
            })
            .collect()
    }

    /// Flushes and closes; then the marker goes.
    pub(super) fn close(self, directory: &Path, tip: Option<Digest>) -> Result<(), String> {
        let close = || {
            if let Some(tip) = tip {
                self.database.insert("tip", &tip.0)?;
            }
            self.database.flush().map(|_| ())
        };
        close().map_err(|error: sled::Error| error.to_string())?;
        drop((self.subjects, self.events, self.database));
        sync_all(directory).map_err(|error| error.to_string())?;
        fs::remove_file(directory.join(MARKER)).map_err(|error| error.to_string())
    }
}

/// Moves what is there aside, in place of what was moved aside before, and makes an empty one.
pub(super) fn renew(directory: &Path) -> Result<Store, String> {
    let database = directory.join(DATABASE);
    let aside = directory.join(ASIDE);
    let make_room = || -> io::Result<()> {
        mark(directory)?;
        if database.exists() {
            ignore_missing(fs::remove_dir_all(&aside))?;
            fs::rename(&database, &aside)?;
        }
        Ok(())
    };
    make_room().map_err(|error| error.to_string())?;
    Store::open_database(directory)
}

/// Removes all files of the index.
pub(super) fn remove(directory: &Path) -> Result<(), String> {
    ignore_missing(fs::remove_dir_all(directory)).map_err(|error| error.to_string())
}

/// Makes the directory and the marker, durably.
fn mark(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    File::create(directory.join(MARKER))?.sync_all()?;
    File::open(directory)?.sync_all()
}

/// What sled leaves to the kernel: every file of the closed database reaches the disk before the marker goes.
fn sync_all(directory: &Path) -> io::Result<()> {
    let mut left = vec![directory.join(DATABASE)];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
        File::open(&path)?.sync_all()?;
    }
    Ok(())
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A subject's name: a letter for its kind, and its id, which never holds the separator.
fn name_of(subject: &Subject) -> Vec<u8> {
    match subject {
        Subject::Consignment(id) => format!("c{id}"),
        Subject::Application(id) => format!("a{id}"),
        Subject::Compartment(id) => format!("b{id}"),
        Subject::Person(id) => format!("p{id}"),
        Subject::Staff(id) => format!("s{id}"),
    }
    .into_bytes()
}

fn key(name: &[u8], seq: u64) -> Vec<u8> {
    let mut key = name.to_vec();
    key.push(SEPARATOR);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The number at the end of a key; 0 when it is too short.
fn seq_of(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
