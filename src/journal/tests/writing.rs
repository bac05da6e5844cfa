//! Appending, rolling, trimming, and the lock.
#![allow(clippy::unwrap_used)]

use super::super::{JournalError, Space};
use super::*;
use tempfile::tempdir;

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"empty");
    append(&mut journal, 3);
    append(&mut journal, 1);
    drop(journal);
    let opening = open(directory.path());
    assert_eq!(opening.checkpoint.as_deref(), Some(&b"empty"[..]));
    assert_eq!(opening.records, (1..=4).map(record).collect::<Vec<_>>());
    assert_eq!((opening.last_seq, opening.damage.len()), (4, 0));
    let journal = opening.resume(b"four", 2_000).unwrap();
    assert_eq!(journal.last_seq(), 4);
    drop(journal);
    let opening = open(directory.path());
    assert_eq!(opening.checkpoint.as_deref(), Some(&b"four"[..]));
    assert_eq!((opening.records.len(), opening.last_seq), (0, 4));
}

#[test]
fn the_last_group_is_written_again_because_it_may_have_been_in_memory_only() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"empty");
    append(&mut journal, 1);
    append(&mut journal, 2);
    drop(journal);
    drop(resume(directory.path(), b"three"));
    // The power goes, and the old segment loses its last group, which the page cache had shown.
    let old = &segments(directory.path())[0];
    let mut bytes = std::fs::read(old).unwrap();
    let kept = 4096 + record(1).stored_bytes();
    bytes[kept..].fill(0);
    std::fs::write(old, bytes).unwrap();
    let journal = resume(directory.path(), b"three");
    let read = journal.reader().read_from(1, 9, usize::MAX).unwrap();
    assert_eq!(read, (1..=3).map(record).collect::<Vec<_>>());
}

#[test]
fn segments_roll_when_asked_for_and_start_up_reads_the_newest_only() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"0");
    journal.prepare().unwrap();
    while journal.last_seq() < 1_000 {
        if append(&mut journal, 2).wants_checkpoint {
            journal
                .roll(journal.last_seq().to_string().as_bytes(), 1_000)
                .unwrap();
            journal.prepare().unwrap();
        }
    }
    drop(journal);
    assert!(segments(directory.path()).len() > 5);
    let opening = open(directory.path());
    let state: u64 = String::from_utf8(opening.checkpoint.clone().unwrap())
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(seqs(&opening.records), (state + 1..=1_000).collect::<Vec<_>>());
    assert!(opening.records.len() < 300);
}

#[test]
fn a_checkpoint_larger_than_a_segment_gets_a_larger_segment() {
    let directory = tempdir().unwrap();
    let state = vec![7; 100_000];
    let mut journal = resume(directory.path(), &state);
    assert!(!append(&mut journal, 1).wants_checkpoint);
    drop(journal);
    let opening = open(directory.path());
    assert_eq!(opening.checkpoint, Some(state));
    assert_eq!(opening.last_seq, 1);
}

#[test]
fn a_group_longer_than_what_is_left_is_taken_and_a_checkpoint_asked_for() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    assert!(append(&mut journal, 500).wants_checkpoint);
    drop(journal);
    assert_eq!(open(directory.path()).last_seq, 500);
}

#[test]
fn two_daemons_cannot_open_one_journal() {
    let directory = tempdir().unwrap();
    let journal = resume(directory.path(), b"");
    let error = Journal::open(disk(directory.path()), SMALL).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    drop(journal);
    open(directory.path());
}

#[test]
fn only_the_next_numbers_and_sizes_that_fit_are_taken() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    let error = journal.append(&[record(1), record(3)]).unwrap_err();
    assert!(matches!(error, JournalError::OutOfOrder { expected: 2, got: 3 }));
    let long = Record {
        seq: 1,
        event: vec![b' '; 1 << 20],
        sealed: vec![],
    };
    assert!(matches!(
        journal.append(&[long]).unwrap_err(),
        JournalError::TooLarge { .. }
    ));
    assert_eq!(append(&mut journal, 1).last_seq, 1);
}

#[test]
fn only_old_acknowledged_segments_go_and_two_checkpoints_stay() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let directory = tempdir().unwrap();
    let mut journal = open(directory.path()).resume(b"", 0).unwrap();
    for day in 1..=5 {
        append(&mut journal, 2);
        journal.roll(b"", day * DAY).unwrap();
    }
    // Segments end on days 1 to 5 with events 2, 4, 6, 8, 10; the sixth is empty.
    assert_eq!(journal.trim(0, 100 * DAY, 1).unwrap(), 0);
    assert_eq!(journal.trim(5, 100 * DAY, 190).unwrap(), 0);
    assert_eq!(journal.trim(5, 100 * DAY, 1).unwrap(), 2);
    assert_eq!(journal.reader().first_seq().unwrap(), 5);
    assert_eq!(journal.trim(10, 4 * DAY, 1).unwrap(), 1);
    assert_eq!(journal.trim(10, 4 * DAY, 0).unwrap(), 1);
    assert_eq!(journal.trim(10, 400 * DAY, 0).unwrap(), 0);
    let left = segments(directory.path());
    assert_eq!(left.len(), 2);
    assert_eq!(
        seqs(&journal.reader().read_from(1, 9, usize::MAX).unwrap()),
        [9, 10]
    );
}

#[test]
fn a_checkpoint_that_cannot_be_read_does_not_count_as_one_of_the_two() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"state");
    for _ in 0..3 {
        append(&mut journal, 1);
        journal.roll(b"state", 0).unwrap();
    }
    let bad = &segments(directory.path())[2];
    let mut bytes = std::fs::read(bad).unwrap();
    bytes[64] ^= 1;
    std::fs::write(bad, bytes).unwrap();
    assert_eq!(journal.trim(3, 0, 0).unwrap(), 1);
    assert_eq!(segments(directory.path()).len(), 3);
}

#[test]
fn as_the_disk_fills_more_and_more_is_given_up() {
    let levels: Vec<Space> = [200, 59, 27, 15, 5]
        .into_iter()
        .map(|free| Space::judge(free << 20, 0, 4 << 20, 3))
        .collect();
    assert_eq!(
        levels,
        [
            Space::Plenty,
            Space::DropIndex,
            Space::DropAcknowledged,
            Space::RefuseDropOffs,
            Space::QuietDiagnostics
        ]
    );
    assert_eq!(Space::judge(0, 16 << 20, 4 << 20, 3), Space::DropAcknowledged);
    assert_eq!(Options::default().reserve_segments(), 4);
}
