//! Readers beside the writer, in its process and in another.
#![allow(clippy::unwrap_used)]

use super::super::JournalReader;
use super::*;
use tempfile::tempdir;

#[test]
fn a_reader_follows_the_writer_across_segments() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    let mut inside = journal.reader();
    let mut outside = JournalReader::from_outside(disk(directory.path()));
    let (mut next_inside, mut next_outside) = (1, 1);
    for round in 0..300 {
        if append(&mut journal, 1 + round % 4).wants_checkpoint {
            journal.roll(b"", 0).unwrap();
        }
        if round % 3 == 0 {
            for (reader, next) in [(&mut inside, &mut next_inside), (&mut outside, &mut next_outside)] {
                while let records = reader.read_from(*next, 5, usize::MAX).unwrap()
                    && !records.is_empty()
                {
                    for read in records {
                        assert_eq!(read, record(*next));
                        *next += 1;
                    }
                }
                assert_eq!(*next, journal.last_seq() + 1, "round {round}");
            }
        }
    }
    assert_eq!(outside.last_seq().unwrap(), journal.last_seq());
    assert_eq!(inside.last_seq().unwrap(), journal.last_seq());
    assert_eq!(outside.first_seq().unwrap(), 1);
}

#[test]
fn a_reader_outside_goes_on_after_the_daemon_was_restarted() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    append(&mut journal, 3);
    let mut outside = JournalReader::from_outside(disk(directory.path()));
    assert_eq!(outside.read_from(1, 9, usize::MAX).unwrap().len(), 3);
    drop(journal);
    let mut journal = resume(directory.path(), b"");
    append(&mut journal, 2);
    assert_eq!(seqs(&outside.read_from(4, 9, usize::MAX).unwrap()), [4, 5]);
}

#[test]
fn any_record_can_be_asked_for() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    while journal.last_seq() < 700 {
        if append(&mut journal, 3).wants_checkpoint {
            journal.roll(b"", 0).unwrap();
        }
    }
    let mut reader = journal.reader();
    for seq in [1, 699, 350, 351, 64, 63, 1, 500] {
        assert_eq!(reader.record_at(seq).unwrap(), Some(record(seq)));
    }
    assert_eq!(reader.record_at(0).unwrap(), None);
    assert_eq!(reader.record_at(journal.last_seq() + 1).unwrap(), None);
}

#[test]
fn bounds_are_kept_and_one_record_comes_however_large() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    append(&mut journal, 10);
    let mut reader = journal.reader();
    assert_eq!(seqs(&reader.read_from(1, 4, usize::MAX).unwrap()), [1, 2, 3, 4]);
    assert_eq!(seqs(&reader.read_from(5, 4, 1).unwrap()), [5]);
    let two = record(6).payload_bytes() + record(7).payload_bytes();
    assert_eq!(seqs(&reader.read_from(6, 4, two).unwrap()), [6, 7]);
    assert_eq!(seqs(&reader.read_from(2, 2, usize::MAX).unwrap()), [2, 3]);
}

#[test]
fn a_long_backlog_is_read_without_starting_over() {
    let directory = tempdir().unwrap();
    let large = Options {
        segment_bytes: 4 << 20,
        ..Options::default()
    };
    let mut journal = Journal::open(disk(directory.path()), large)
        .unwrap()
        .resume(b"", 0)
        .unwrap();
    while journal.last_seq() < 100_000 {
        if append(&mut journal, 1_000).wants_checkpoint {
            journal.roll(b"", 0).unwrap();
        }
    }
    let begun = std::time::Instant::now();
    let mut reader = journal.reader();
    let mut next = 1;
    while next <= 100_000 {
        next += reader.read_from(next, 64, 1 << 20).unwrap().len() as u64;
    }
    // Seconds would mean that every call scans its segment again.
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    eprintln!("100,000 records read in {:?}", begun.elapsed());
}
