//! Tests of the journal on a real directory.
#![allow(clippy::unwrap_used)]

mod command;
mod damage;
pub(crate) mod events;
mod golden;
mod reading;
mod writing;

use super::{Appended, Journal, Opening, Options, RealDisk, Record};
use std::path::Path;
use std::sync::Arc;

/// Small segments, so that little is much.
pub(super) const SMALL: Options = Options {
    segment_bytes: 16 << 10,
    reserve_bytes: 20 << 10,
};

pub(super) fn disk(directory: &Path) -> Arc<RealDisk> {
    Arc::new(RealDisk::open(directory).unwrap())
}

pub(super) fn open(directory: &Path) -> Opening {
    Journal::open(disk(directory), SMALL).unwrap()
}

/// A new journal, or an old one resumed, with `state` as its checkpoint.
pub(super) fn resume(directory: &Path, state: &[u8]) -> Journal {
    open(directory).resume(state, 1_000).unwrap()
}

pub(super) fn record(seq: u64) -> Record {
    let sealed = (0..seq % 3)
        .map(|part| vec![part as u8 + 1; 5 + seq as usize % 7])
        .collect();
    Record {
        seq,
        event: format!("{{\"seq\":\"{seq}\",\"note\":\"something happened\"}}").into_bytes(),
        sealed,
    }
}

/// Appends `count` records in one group.
pub(super) fn append(journal: &mut Journal, count: u64) -> Appended {
    let first = journal.last_seq() + 1;
    let group: Vec<Record> = (first..first + count).map(record).collect();
    journal.append(&group).unwrap()
}

pub(super) fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

/// The newest segment's path.
pub(super) fn newest(directory: &Path) -> std::path::PathBuf {
    segments(directory).pop().unwrap()
}

pub(super) fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    paths.sort();
    paths
}

/// For the tests of what reads journals: a journal in a directory.
pub(crate) fn open_journal(directory: &Path) -> Journal {
    resume(directory, b"")
}

/// For the tests of what reads journals: appends real events.
pub(crate) fn append_events(journal: &mut Journal, count: u64) {
    let first = journal.last_seq() + 1;
    let before = journal.reader().record_at(first - 1).unwrap();
    let previous = before.map_or(office_protocol::Digest::ZERO, |record| {
        office_protocol::Digest::of(&record.event)
    });
    let (records, _) = events::chain(first, count, previous);
    for record in records {
        if journal.append(&[record]).unwrap().wants_checkpoint {
            journal.roll(b"", 0).unwrap();
        }
    }
}
