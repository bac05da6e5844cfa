//! Durable appends against raw writes of the same bytes, in time and in bytes that reach the disk.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lockerd::journal::{Journal, Options, RealDisk, Record};

pub(crate) mod peers;

const APPENDS: u64 = 3_000;
const EVENT_BYTES: usize = 360;

pub(crate) fn measure() {
    let place = crate::directory();
    let mut journal = open(&place.path().join("journal"));
    append_time(&mut journal, &raw(&place.path().join("raw")));
    for (records, budget) in [(1, Some(17.0)), (16, None), (64, Some(1.3))] {
        written(
            &mut journal,
            records,
            &raw(&place.path().join(format!("raw-{records}"))),
            budget,
        );
    }
}

fn record(seq: u64) -> Record {
    Record {
        seq,
        event: vec![b'x'; EVENT_BYTES],
        sealed: Vec::new(),
    }
}

fn group(journal: &Journal, records: u64) -> Vec<Record> {
    let first = journal.last_seq() + 1;
    (first..first + records).map(record).collect()
}

fn open(place: &Path) -> Journal {
    let disk = Arc::new(RealDisk::open(place).unwrap());
    Journal::open(disk, Options::default())
        .unwrap()
        .resume(b"{}", 0)
        .unwrap()
}

/// A file whose blocks are all allocated and written.
fn raw(place: &Path) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(place)
        .unwrap();
    file.write_all_at(&vec![0; 16 << 20], 0).unwrap();
    file.sync_all().unwrap();
    file
}

/// Appends and raw writes take turns, so that both meet the same disk.
fn append_time(journal: &mut Journal, raw: &File) {
    let bytes = vec![b'x'; record(1).stored_bytes()];
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for at in 0..APPENDS {
        let group = group(journal, 1);
        let begun = Instant::now();
        journal.append(&group).unwrap();
        ours.push(begun.elapsed());
        let begun = Instant::now();
        raw.write_all_at(&bytes, at * bytes.len() as u64).unwrap();
        raw.sync_data().unwrap();
        limit.push(begun.elapsed());
    }
    let (ours, limit) = (crate::median(ours), crate::median(limit));
    println!(
        "durable append, one event of {EVENT_BYTES} bytes: {ours:.1?}; raw pre-allocated fdatasync: {limit:.1?}; ratio {:.2} (budget 1.10)",
        ours.as_secs_f64() / limit.as_secs_f64()
    );
}

/// The page cache writes whole pages, so that each sync writes the page that the last one began once more: the limit is what
/// raw writes of the same lengths cost. The budget is for groups as large as one message to the office.
fn written(journal: &mut Journal, records: u64, raw: &File, budget: Option<f64>) {
    const GROUPS: u64 = 200;
    journal.prepare().unwrap(); // as the daemon does in the background
    let payload = (GROUPS * records) as f64 * EVENT_BYTES as f64;
    let before = written_bytes();
    for _ in 0..GROUPS {
        if journal.append(&group(journal, records)).unwrap().wants_checkpoint {
            journal.roll(b"{}", 0).unwrap();
        }
    }
    let ours = (written_bytes() - before) as f64 / payload;
    let bytes = vec![b'x'; record(1).stored_bytes() * usize::try_from(records).unwrap()];
    let before = written_bytes();
    for at in 0..GROUPS {
        raw.write_all_at(&bytes, at * bytes.len() as u64).unwrap();
        raw.sync_data().unwrap();
    }
    let limit = (written_bytes() - before) as f64 / payload;
    let budget = budget.map_or_else(String::new, |budget| format!(" (budget {budget})"));
    println!(
        "bytes written ÷ payload, groups of {records}: {ours:.2}{budget}; raw writes of the same lengths: {limit:.2}; ratio {:.2}",
        ours / limit
    );
}

/// What all disks have written, from `/proc/diskstats` (512-byte sectors): the process's own count is by whole folios of the page
/// cache. Run it on a quiet machine.
fn written_bytes() -> u64 {
    let disks = std::fs::read_to_string("/proc/diskstats").unwrap();
    let sectors = disks
        .lines()
        .map(|line| line.split_whitespace().nth(9).unwrap().parse::<u64>().unwrap());
    sectors.sum::<u64>() * 512
}
