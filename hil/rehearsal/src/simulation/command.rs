//! `rehearsal simulate`: many seeds on all cores, progress, what was seen, and the trace of one that fails.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use office_protocol::EventBody;
use serde::Serialize;

use super::{Report, run as live};

/// Live through many seeds of one cabinet's life, and check the laws at every step
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many seeds, besides those that failed once
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this one
    #[arg(long)]
    seed: Option<u64>,
    /// Print the trace, one line per event
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Lines of a failing seed's trace that are printed without `--trace`.
const LAST_LINES: usize = 60;

/// Seeds that failed once; they always run first.
#[must_use]
pub fn kept_seeds() -> Vec<u64> {
    let lines = include_str!("../../seeds.txt").lines();
    lines
        .filter_map(|line| line.split('#').next()?.trim().parse().ok())
        .collect()
}

#[derive(Serialize)]
struct Summary {
    seeds: u64,
    failed: Vec<u64>,
    seconds: f64,
    simulated_hours: f64,
    simulated_per_real: f64,
    starts: u64,
    pulses: u64,
    bus_bytes: u64,
    events: BTreeMap<&'static str, u64>,
    never_seen: Vec<&'static str>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.trace {
        std::panic::set_hook(Box::new(|_| {})); // a panic is reported with its seed
    }
    let seeds: Vec<u64> = match arguments.seed {
        Some(seed) => vec![seed],
        None => kept_seeds()
            .into_iter()
            .chain(arguments.from..arguments.from.saturating_add(arguments.seeds))
            .collect(),
    };
    let began = Instant::now();
    let reports = all(&seeds, arguments.trace, began);
    let seconds = began.elapsed().as_secs_f64();
    let failed: Vec<&Report> = reports.iter().filter(|report| report.broken.is_some()).collect();
    if arguments.trace {
        for report in &reports {
            report.trace.iter().for_each(|line| println!("{line}"));
        }
    } else if let Some(first) = failed.first() {
        let again = live(first.seed, true);
        let from = again.trace.len().saturating_sub(LAST_LINES);
        again.trace[from..].iter().for_each(|line| eprintln!("{line}"));
    }
    for report in &failed {
        let broken = report.broken.as_deref().unwrap_or_default();
        eprintln!("seed {} FAILED: {broken}", report.seed);
    }
    let summary = summary(&reports, &failed, seconds);
    if arguments.json {
        println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    } else {
        print(&summary, &reports);
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        eprintln!("see it all: cargo simulate -- --seed {} --trace", failed[0].seed);
        eprintln!("then add the seed to hil/rehearsal/seeds.txt");
        ExitCode::FAILURE
    }
}

/// One thread for each core; a seed is one thread's alone. In the order of the seeds.
fn all(seeds: &[u64], keep: bool, began: Instant) -> Vec<Report> {
    let next = AtomicU64::new(0);
    let reports = Mutex::new(Vec::new());
    let said = Mutex::new(began);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(seeds.len()) {
            scope.spawn(|| {
                while let Some(seed) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
                    .ok()
                    .and_then(|index| seeds.get(index))
                {
                    let report = live(*seed, keep);
                    if let Some(broken) = &report.broken {
                        eprintln!("seed {seed}: {broken}");
                    }
                    let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
                    reports.push(report);
                    progress(reports.len(), seeds.len(), began, &said);
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|report| seeds.iter().position(|seed| *seed == report.seed));
    reports
}

fn progress(done: usize, of: usize, began: Instant, said: &Mutex<Instant>) {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    if said.elapsed() >= Duration::from_secs(2) || (done == of && of > 1) {
        *said = Instant::now();
        let rate = done as f64 / began.elapsed().as_secs_f64().max(0.001);
        eprintln!("{done} of {of} seeds, {rate:.1} seeds/s");
    }
}

fn summary(reports: &[Report], failed: &[&Report], seconds: f64) -> Summary {
    let mut events = BTreeMap::new();
    for (kind, count) in reports.iter().flat_map(|report| &report.seen) {
        *events.entry(*kind).or_default() += count;
    }
    let known = EventBody::TYPES.iter().copied();
    let never_seen = known.filter(|kind| !events.contains_key(kind)).collect();
    let simulated_ms: u64 = reports.iter().map(|report| report.simulated_ms).sum();
    let simulated = simulated_ms as f64 / 1000.0;
    Summary {
        seeds: reports.len() as u64,
        failed: failed.iter().map(|report| report.seed).collect(),
        seconds,
        simulated_hours: simulated / 3600.0,
        simulated_per_real: simulated / seconds.max(0.001),
        starts: reports.iter().map(|report| report.starts).sum(),
        pulses: reports.iter().map(|report| report.pulses).sum(),
        bus_bytes: reports.iter().map(|report| report.bus_bytes).sum(),
        events,
        never_seen,
    }
}

fn print(summary: &Summary, reports: &[Report]) {
    if let [report] = reports {
        println!("seed {} trace {}", report.seed, report.hash);
    }
    for (kind, count) in &summary.events {
        println!("{count:>9} {kind}");
    }
    println!("never seen: {}", summary.never_seen.join(" "));
    println!(
        "{} seeds, {} failed; {:.1} simulated hours in {:.1} s, {:.0} times real time; {} starts, {} pulses, {} bytes on \
         the lock bus",
        summary.seeds,
        summary.failed.len(),
        summary.simulated_hours,
        summary.seconds,
        summary.simulated_per_real,
        summary.starts,
        summary.pulses,
        summary.bus_bytes,
    );
}
