//! `cargo budgets`: what the design allows, measured beside the physical limit in the same run. Prints ratios; fails nothing.
#![allow(clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockerd::journal::{Journal, Options, RealDisk, Record};

const APPENDS: u64 = 3_000;
const EVENT_BYTES: usize = 360;
const HISTORY: u64 = 100_000;

fn main() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    durable_append(place.path());
    start_up(place.path());
}

fn record(seq: u64) -> Record {
    Record {
        seq,
        event: vec![b'x'; EVENT_BYTES],
        sealed: Vec::new(),
    }
}

/// Appends and raw writes take turns, so that both meet the same disk.
fn durable_append(place: &Path) {
    let opening = Journal::open(
        Arc::new(RealDisk::open(&place.join("append")).unwrap()),
        Options::default(),
    )
    .unwrap();
    let mut journal = opening.resume(b"{}", 0).unwrap();
    let raw = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(place.join("raw"))
        .unwrap();
    let stored = record(1).stored_bytes();
    raw.write_all_at(&vec![0; stored * usize::try_from(APPENDS).unwrap()], 0)
        .unwrap();
    raw.sync_all().unwrap();

    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    let bytes = vec![b'x'; stored];
    for seq in 1..=APPENDS {
        let group = [record(seq)];
        let begun = Instant::now();
        journal.append(&group).unwrap();
        ours.push(begun.elapsed());
        let begun = Instant::now();
        raw.write_all_at(&bytes, (seq - 1) * stored as u64).unwrap();
        raw.sync_data().unwrap();
        limit.push(begun.elapsed());
    }
    let (ours, limit) = (median(ours), median(limit));
    println!(
        "durable append, one event of {EVENT_BYTES} bytes: {ours:.1?}; raw pre-allocated fdatasync: {limit:.1?}; ratio {:.2} (budget 1.10)",
        ours.as_secs_f64() / limit.as_secs_f64()
    );

    journal.prepare().unwrap(); // as the daemon does in the background
    let before = written_bytes();
    let mut seq = APPENDS;
    let mut payload = 0;
    for _ in 0..500 {
        let group: Vec<Record> = (seq + 1..=seq + 16).map(record).collect();
        seq += 16;
        payload += group.len() * EVENT_BYTES;
        append(&mut journal, &group);
    }
    let batched = (written_bytes() - before) as f64 / payload as f64;
    let before = written_bytes();
    for _ in 0..500 {
        seq += 1;
        append(&mut journal, &[record(seq)]);
    }
    let single = (written_bytes() - before) as f64 / (500 * EVENT_BYTES) as f64;
    println!(
        "bytes written ÷ payload: {single:.1} single (budget 17), {batched:.2} in groups of 16 (budget 1.3)"
    );
}

fn append(journal: &mut Journal, group: &[Record]) {
    if journal.append(group).unwrap().wants_checkpoint {
        journal.roll(b"{}", 0).unwrap();
    }
}

fn start_up(place: &Path) {
    let disk = Arc::new(RealDisk::open(&place.join("history")).unwrap());
    let mut journal = Journal::open(disk.clone(), Options::default())
        .unwrap()
        .resume(b"{}", 0)
        .unwrap();
    let mut seq = 0;
    while seq < HISTORY {
        let group: Vec<Record> = (seq + 1..=seq + 64).map(record).collect();
        seq += 64;
        append(&mut journal, &group);
    }
    drop(journal);
    let begun = Instant::now();
    let journal = Journal::open(disk, Options::default())
        .unwrap()
        .resume(b"{}", 0)
        .unwrap();
    println!(
        "journal open with {HISTORY} events of history: {:.1?} (budget 50 ms)",
        begun.elapsed()
    );
    assert_eq!(journal.last_seq(), seq);
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

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
