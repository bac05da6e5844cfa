//! Polling eight boards: cycle against the wire, one dead board, commands on the busy wire, a changed door.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel};
use hardware::{BoardFault, Hand, LineInput};

use crate::contender::{Contender, Told};
use crate::tools::{self, Peer};
use crate::wire::{Passed, Record, Wire, now};
use crate::{BOARDS, FAMILY, directory, heard, line, median, percentile};

/// What is measured on a healthy line, and before it.
const HEALTHY: Duration = Duration::from_secs(4);
const SETTLED: Duration = Duration::from_secs(2);
/// How long a dead line is measured at least; some peers need minutes for two sweeps.
const DEAD: Duration = Duration::from_secs(20);
const DEAD_MAX: Duration = Duration::from_secs(120);
const COMMANDS: usize = 200;
const CHANGES: u64 = 12;
const PATIENCE: Duration = Duration::from_secs(10);
/// The function that writes one coil.
const COMMAND: u8 = 0x05;
/// A request that was on its way to the port when a command was queued is in flight as well; its first byte comes within so many
/// nanoseconds.
const HANDED_OVER: i64 = 300_000;
const DEAD_BOARD: Board = Board(5);

struct Row {
    /// The median of all sweeps against the wire.
    cycle: f64,
    /// The silence that was kept before requests, against what the family prescribes.
    silence: f64,
    dead: f64,
    waits: Vec<f64>,
    /// Against a sweep of its own and one fsync; milliseconds.
    change: (f64, f64),
}

/// Who polls.
#[derive(Clone, Copy)]
enum Who<'a> {
    Ours,
    Peer(&'a Peer),
    Bare,
}

pub(crate) fn measure() {
    let peers = tools::modbus();
    println!(
        "| {BOARDS} boards polled | baud | cycle ÷ wire | silence kept ÷ prescribed | one dead ÷ healthy | command late, ms p50 | p99 | door → kept, ms at most | ÷ (sweep + fsync) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for baud in [9600, 115_200] {
        show("lockerd", baud, contend(Who::Ours, baud));
        for peer in &peers {
            show(peer.name, baud, contend(Who::Peer(peer), baud));
        }
        let (cycle, silence) = bare(baud);
        println!("| a loop that only waits | {baud} | {cycle:.3} | {silence:.2} | | | | | |");
    }
}

fn show(name: &str, baud: u32, mut row: Row) {
    // A command that waits for longer than anybody's patience is none.
    let waited = |wait: f64| {
        if wait.is_nan() {
            "none went out".to_owned()
        } else {
            format!("{wait:.2}")
        }
    };
    let (p50, p99) = (median(&mut row.waits), percentile(&mut row.waits, 99));
    println!(
        "| {name} | {baud} | {:.3} | {:.2} | {:.2} | {} | {} | {:.0} | {:.2} |",
        row.cycle,
        row.silence,
        row.dead,
        waited(p50),
        waited(p99),
        row.change.1,
        row.change.0
    );
}

fn start(who: Who, port: &Path, baud: u32, commands: bool, directory: &Path) -> Contender {
    match who {
        Who::Peer(peer) => Contender::peer(peer, port, baud, commands, directory),
        Who::Ours => Contender::ours(port, baud, commands, directory),
        Who::Bare => Contender::bare(port, baud),
    }
}

/// Cycle and silence of the loop that only waits.
fn bare(baud: u32) -> (f64, f64) {
    let place = directory();
    let port = place.path().join("locks");
    let wire = Wire::new(line(baud), &port);
    let _running = start(Who::Bare, &port, baud, false, place.path());
    let healthy = healthy(&wire);
    (cycle(&healthy, baud), silence(&healthy, baud))
}

fn healthy(wire: &Wire) -> Vec<Passed> {
    sleep(SETTLED);
    let from = now();
    sleep(HEALTHY);
    wire.record.since(from)
}

fn contend(who: Who, baud: u32) -> Row {
    let place = directory();
    let port = place.path().join("locks");
    let wire = Wire::new(line(baud), &port);
    let running = start(who, &port, baud, false, place.path());
    let healthy = healthy(&wire);
    let sweep = sweep(&healthy, BOARDS);
    let change = change(&wire, &running);
    let change = (change / (sweep + raw_sync(place.path())), change * 1e3);
    let silent = LineInput::BoardFault(DEAD_BOARD, BoardFault::Silent(true));
    wire.with(move |line, now, out| line.handle(silent, now, out));
    let dead = dead(&wire.record);
    drop(running);
    drop(wire);
    Row {
        cycle: cycle(&healthy, baud),
        silence: silence(&healthy, baud),
        dead: dead / sweep,
        waits: waits(who, baud),
        change,
    }
}

/// Whether the answer came whole.
fn answered(passed: &Passed) -> bool {
    passed.heard >= 6
}

/// How long a sweep took, in the median, against what its exchanges took at the boards' end of the wire and the prescribed silence.
fn cycle(passed: &[Passed], baud: u32) -> f64 {
    let gap = FAMILY.profile().gap_us(baud) as f64 * 1e3;
    let of = |sweep: &[Passed]| {
        let (last, rest) = sweep.split_last().unwrap();
        let wire: f64 = rest
            .iter()
            .map(|passed| (passed.heard_at - passed.asked_at) as f64 + gap)
            .sum();
        (last.asked_at - sweep[0].asked_at) as f64 / wire
    };
    let sweeps = passed.windows(usize::from(BOARDS) + 1).step_by(BOARDS.into());
    median(
        &mut sweeps
            .filter(|sweep| sweep.iter().all(answered))
            .map(of)
            .collect::<Vec<f64>>(),
    )
}

/// The silence before a request, in the median, against what is prescribed.
fn silence(passed: &[Passed], baud: u32) -> f64 {
    let kept = |pair: &[Passed]| (pair[1].asked_at - pair[0].heard_at) as f64 / 1e3;
    let mut all: Vec<f64> = passed.windows(2).map(kept).collect();
    median(&mut all) / FAMILY.profile().gap_us(baud) as f64
}

/// Seconds in which each of so many boards is read once.
fn sweep(passed: &[Passed], boards: u8) -> f64 {
    let whole: Vec<&Passed> = passed.iter().filter(|passed| answered(passed)).collect();
    let (Some(first), Some(last)) = (whole.first(), whole.last()) else {
        return f64::NAN;
    };
    (last.asked_at - first.asked_at) as f64 / 1e9 / (whole.len() - 1).max(1) as f64 * f64::from(boards)
}

/// The same of those that are alive, after two sweeps in which one was not.
fn dead(record: &Record) -> f64 {
    let died = now();
    let begun = Instant::now();
    // Two requests to the dead one, or as many as a peer repeats, and what follows.
    let settled = |passed: &[Passed]| {
        let misses: Vec<usize> = (0..passed.len())
            .filter(|at| passed[*at].asked[0] == DEAD_BOARD.0)
            .collect();
        let sweeps = misses.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        (sweeps >= 1).then(|| passed[misses[misses.len() - 1]].asked_at)
    };
    let from = loop {
        sleep(Duration::from_millis(50));
        if let Some(from) = settled(&record.since(died)).filter(|from| *from > died) {
            break from;
        }
        if begun.elapsed() > DEAD_MAX {
            return f64::NAN;
        }
    };
    sleep(DEAD);
    // From one read of the same board to another, so that whole sweeps are counted.
    loop {
        let passed = record.since(from);
        let end = |at: &usize| passed[*at].asked[0] == DEAD_BOARD.0 + 1 && answered(&passed[*at]);
        let ends: Vec<usize> = (0..passed.len()).filter(end).collect();
        if let [first, _, .., last] = ends[..] {
            return sweep(&passed[first..=last], BOARDS - 1);
        }
        if begun.elapsed() > DEAD_MAX {
            return f64::NAN;
        }
        sleep(Duration::from_secs(1));
    }
}

/// How much later than the exchange in flight and its silence allow commands begin, in milliseconds.
fn waits(who: Who, baud: u32) -> Vec<f64> {
    let place = directory();
    let port = place.path().join("locks");
    let wire = Wire::new(line(baud), &port);
    let from = now();
    let running = start(who, &port, baud, true, place.path());
    let mut queued = Vec::new();
    while queued.len() < COMMANDS {
        match heard(&running.told, PATIENCE) {
            Some(Told::Command(at)) => queued.push(at),
            Some(Told::Kept(_)) => {}
            None => break,
        }
    }
    // The last one is on its way.
    sleep(Duration::from_millis(500));
    let passed = wire.record.since(from);
    let gap = i64::try_from(FAMILY.profile().gap_us(baud)).unwrap() * 1000;
    let late = |queued: &i64| {
        let begun = passed
            .iter()
            .find(|passed| passed.asked[1] == COMMAND && passed.asked_at >= *queued)?;
        let before = passed
            .iter()
            .rfind(|passed| passed.asked_at < *queued + HANDED_OVER)?;
        let free = (before.heard_at + gap).max(*queued);
        Some((begun.asked_at - free).max(0) as f64 / 1e6)
    };
    // The first may meet what a contender does once at its start.
    queued.iter().skip(1).filter_map(late).collect()
}

/// The longest time from a door's movement until a line of it is durable, in seconds.
fn change(wire: &Wire, running: &Contender) -> f64 {
    while running.told.try_recv().is_ok() {}
    let mut worst: f64 = 0.0;
    for turn in 0..CHANGES {
        // Another moment of the sweep each time.
        sleep(Duration::from_millis(100 + turn * 17));
        let (board, lock) = (
            Board(1 + u8::try_from(turn).unwrap() % BOARDS),
            Channel::new(1).unwrap(),
        );
        for hand in [Hand::Force, Hand::Close] {
            let moved = now();
            wire.with(move |line, now, out| line.handle(LineInput::Hand(board, lock, hand), now, out));
            match heard(&running.told, PATIENCE) {
                Some(Told::Kept(at)) => worst = worst.max((at - moved) as f64 / 1e9),
                Some(Told::Command(_)) | None => return f64::NAN,
            }
        }
    }
    worst
}

/// What one fdatasync of a short line takes here, in seconds.
pub(crate) fn raw_sync(directory: &Path) -> f64 {
    use std::io::Write;
    let mut file = std::fs::File::create(directory.join("raw")).unwrap();
    let mut times: Vec<f64> = (0..100)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(b"1 FE\n").unwrap();
            file.sync_data().unwrap();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    median(&mut times)
}
