//! Damaged, torn and cut segments: nothing wrong is ever read, nothing right is lost in silence.
#![allow(clippy::unwrap_used)]

use super::super::judge::Damage;
use super::super::segments::{self, SegmentName};
use super::super::{DiskFile, JournalError, Record};
use super::*;
use std::io;
use tempfile::tempdir;

/// A segment file in memory, to try many.
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn set_length(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Groups of 1, 2, 3 and 1 records in one segment, and how long the used part is.
fn sample() -> (tempfile::TempDir, Vec<u8>, usize) {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"state");
    for count in [1, 2, 3, 1] {
        append(&mut journal, count);
    }
    drop(journal);
    let bytes = std::fs::read(newest(directory.path())).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    (directory, bytes, used.next_multiple_of(8))
}

fn judged(bytes: &[u8]) -> (Vec<Record>, Vec<Damage>) {
    let file = Arc::new(Bytes(bytes.to_vec()));
    let header = segments::read_header(&*file).unwrap().ok();
    let name = SegmentName { id: 1, first_seq: 1 };
    let judged = segments::read_segment(file, name, header.as_ref(), None)
        .unwrap()
        .judged;
    (judged.records, judged.damage)
}

/// Every record is right, and those that are not there are reported.
fn check(records: &[Record], damage: &[Damage], what: &str) {
    for one in records {
        assert_eq!(*one, record(one.seq), "{what}");
    }
    for seq in 1..=7 {
        let here = records.iter().any(|record| record.seq == seq);
        let reported = damage.iter().any(|damage| match damage {
            Damage::Tail { first_seq, .. } => *first_seq <= seq,
            Damage::Missing {
                first_seq, last_seq, ..
            } => (*first_seq..=*last_seq).contains(&seq),
            Damage::Checkpoint { .. } => false,
        });
        assert!(
            here != reported,
            "{what}: event {seq} read: {here}, reported: {reported}, {damage:?}"
        );
    }
}

#[test]
fn no_flipped_bit_makes_a_wrong_record_or_loses_one_in_silence() {
    let (_directory, bytes, used) = sample();
    for at in 0..used + 64 {
        for bit in 0..8 {
            let mut flipped = bytes[..used + 128].to_vec();
            flipped[at] ^= 1 << bit;
            let (records, damage) = judged(&flipped);
            check(&records, &damage, &format!("bit {bit} of byte {at}"));
        }
    }
}

#[test]
fn a_flipped_bit_in_header_or_checkpoint_is_reported() {
    let (directory, bytes, _) = sample();
    for at in 0..64 + 5 {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(newest(directory.path()), flipped).unwrap();
        let opening = open(directory.path());
        assert_eq!(opening.checkpoint, None);
        assert_eq!(opening.damage[0], Damage::Checkpoint { segment: 1 }, "byte {at}");
        assert_eq!(seqs(&opening.records), [1, 2, 3, 4, 5, 6, 7], "byte {at}");
    }
}

#[test]
fn without_a_checkpoint_what_was_let_go_is_named() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"state");
    for _ in 0..3 {
        append(&mut journal, 2);
        journal.roll(b"state", 0).unwrap();
    }
    assert_eq!(journal.trim(6, 0, 0).unwrap(), 2);
    drop(journal);
    for segment in super::segments(directory.path()) {
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[64] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
    }
    let opening = open(directory.path());
    assert_eq!((opening.checkpoint.as_deref(), opening.last_seq), (None, 6));
    assert!(
        opening.damage.iter().any(|damage| matches!(
            damage,
            Damage::Missing {
                first_seq: 1,
                last_seq: 4,
                ..
            }
        )),
        "{:?}",
        opening.damage
    );
}

#[test]
fn a_tail_torn_at_any_byte_leaves_whole_groups_only() {
    let (_directory, bytes, used) = sample();
    let start = used - record(7).stored_bytes();
    for at in 4096..used {
        let mut torn = bytes.clone();
        torn[at..].fill(0);
        let (records, damage) = judged(&torn);
        let count = records.len();
        assert!([0, 1, 3, 6, 7].contains(&count), "torn at {at}: {count} records");
        assert_eq!(seqs(&records), (1..=count as u64).collect::<Vec<_>>());
        if at > start + 4 && count < 7 {
            assert!(
                matches!(&damage[..], [Damage::Tail { first_seq: 7, .. }]),
                "torn at {at}: {damage:?}"
            );
        }
        let (shorter, _) = judged(&torn[..at.next_multiple_of(8)]);
        assert_eq!(
            records, shorter,
            "torn at {at}: cut file and zeroed file must read the same"
        );
    }
}

#[test]
fn a_torn_group_is_cut_with_what_can_be_read_of_it() {
    let (directory, mut bytes, used) = sample();
    let third_group: usize = (4..=6).map(|seq| record(seq).stored_bytes()).sum();
    let end = used - record(7).stored_bytes();
    // The first record of the group was lost, its other two were written, nothing came after.
    bytes[end..].fill(0);
    bytes[end - third_group..][..8].fill(0);
    std::fs::write(newest(directory.path()), &bytes).unwrap();
    let opening = open(directory.path());
    assert_eq!(opening.last_seq, 3);
    assert_eq!(
        opening.damage,
        [Damage::Tail {
            segment: 1,
            first_seq: 4,
            readable: vec![record(5), record(6)]
        }]
    );
    let mut journal = opening.resume(b"after", 2_000).unwrap();
    append(&mut journal, 1);
    let read = journal.reader().read_from(1, 100, usize::MAX).unwrap();
    assert_eq!(seqs(&read), [1, 2, 3, 4]);
    assert_eq!(read[3], record(4));
}

#[test]
fn a_bad_newest_checkpoint_falls_back_to_the_one_before_and_loses_nothing() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"first");
    append(&mut journal, 3);
    journal.roll(b"second", 2_000).unwrap();
    append(&mut journal, 2);
    drop(journal);
    let path = newest(directory.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[64] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let opening = open(directory.path());
    assert_eq!(opening.checkpoint.as_deref(), Some(&b"first"[..]));
    assert_eq!(opening.damage, [Damage::Checkpoint { segment: 2 }]);
    assert_eq!(seqs(&opening.records), [1, 2, 3, 4, 5]);
}

#[test]
fn damage_before_acknowledged_groups_is_reported_and_the_rest_is_kept() {
    let (directory, mut bytes, _) = sample();
    let second = 4096 + record(1).stored_bytes();
    bytes[second + 40] ^= 0xFF;
    std::fs::write(newest(directory.path()), &bytes).unwrap();
    let opening = open(directory.path());
    assert_eq!(
        opening.damage,
        [Damage::Missing {
            segment: 1,
            first_seq: 2,
            last_seq: 2
        }]
    );
    assert_eq!(seqs(&opening.records), [1, 3, 4, 5, 6, 7]);
    let mut journal = opening.resume(b"after", 2_000).unwrap();
    append(&mut journal, 1);
    let mut reader = journal.reader();
    assert_eq!(
        seqs(&reader.read_from(1, 100, usize::MAX).unwrap()),
        [1, 3, 4, 5, 6, 7, 8]
    );
    assert_eq!(reader.record_at(2).unwrap(), None);
}

#[test]
fn a_newer_format_is_refused_not_called_damaged() {
    let (directory, mut bytes, _) = sample();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(newest(directory.path()), &bytes).unwrap();
    let error = Journal::open(disk(directory.path()), SMALL).unwrap_err();
    assert!(matches!(
        error,
        JournalError::Version {
            segment: 1,
            version: 2
        }
    ));
}
