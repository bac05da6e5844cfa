//! `rehearsal simulate`: many seeds on all cores, progress, what was seen, and the trace of one that fails.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::subscriber::NoSubscriber;

use super::{Coverage, EXCUSED, Report, processor_seconds, run as live, run_twice};

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
    /// Live through each seed twice, and compare the traces
    #[arg(long)]
    twice: bool,
    /// Fail if an event, effect or refusal was never seen that has no excuse; wants some hundred seeds
    #[arg(long)]
    all_seen: bool,
    /// On so many threads; one for each core if not given
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Every so many seeds, one is lived through twice also without `--twice`.
const TWICE_EVERY: u64 = 50;

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
    threads: usize,
    simulated_per_real: f64,
    simulated_per_real_on_one_core: f64,
    starts: u64,
    pulses: u64,
    bus_bytes: u64,
    seen: BTreeMap<&'static str, u64>,
    never_seen: Vec<&'static str>,
    inexcusably_never_seen: Vec<&'static str>,
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
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores).clamp(1, seeds.len().max(1));
    let reports = all(&seeds, threads, arguments, began);
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
    let summary = summary(&reports, &failed, threads, seconds);
    if arguments.json {
        println!("{}", serde_json::to_string(&summary).unwrap_or_default());
    } else {
        print(&summary, &reports);
    }
    if !failed.is_empty() {
        eprintln!("see it all: cargo simulate -- --seed {} --trace", failed[0].seed);
        eprintln!("then add the seed to hil/rehearsal/seeds.txt");
        return ExitCode::FAILURE;
    }
    if arguments.all_seen && !summary.inexcusably_never_seen.is_empty() {
        eprintln!(
            "never seen, without an excuse: {}",
            summary.inexcusably_never_seen.join(", ")
        );
        eprintln!("let more seeds run, teach the simulation to do it, or say in EXCUSED why it need not");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A seed is one thread's alone. In the order of the seeds.
fn all(seeds: &[u64], threads: usize, arguments: &Arguments, began: Instant) -> Vec<Report> {
    let next = AtomicU64::new(0);
    let reports = Mutex::new(Vec::new());
    let said = Mutex::new(began);
    let work = || {
        while let Some(seed) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
            .ok()
            .and_then(|index| seeds.get(index))
        {
            let twice = arguments.twice || seed.is_multiple_of(TWICE_EVERY);
            let live = if twice { run_twice } else { live };
            let report = live(*seed, arguments.trace);
            if let Some(broken) = &report.broken {
                eprintln!("seed {seed}: {broken}");
            }
            let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.push(report);
            progress(reports.len(), seeds.len(), began, &said);
        }
    };
    // What the daemon would write into its log belongs to the trace of one seed, not to a search.
    let quiet = || tracing::subscriber::with_default(NoSubscriber::new(), work);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            if arguments.trace {
                scope.spawn(work);
            } else {
                scope.spawn(quiet);
            }
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

fn summary(reports: &[Report], failed: &[&Report], threads: usize, seconds: f64) -> Summary {
    let mut coverage = Coverage::default();
    for report in reports {
        coverage.add(&report.coverage);
    }
    let simulated_ms: u64 = reports.iter().map(|report| report.simulated_ms).sum();
    let simulated = simulated_ms as f64 / 1000.0;
    Summary {
        seeds: reports.len() as u64,
        failed: failed.iter().map(|report| report.seed).collect(),
        seconds,
        simulated_hours: simulated / 3600.0,
        threads,
        simulated_per_real: simulated / seconds.max(0.001),
        simulated_per_real_on_one_core: simulated / processor_seconds(),
        starts: reports.iter().map(|report| report.starts).sum(),
        pulses: reports.iter().map(|report| report.pulses).sum(),
        bus_bytes: reports.iter().map(|report| report.bus_bytes).sum(),
        seen: coverage.counts().clone(),
        never_seen: coverage.missing(),
        inexcusably_never_seen: coverage.inexcusably_missing(),
    }
}

fn print(summary: &Summary, reports: &[Report]) {
    if let [report] = reports {
        println!("seed {} trace {}", report.seed, report.hash);
    }
    for (what, count) in &summary.seen {
        println!("{count:>9} {what}");
    }
    if reports.len() > 1 {
        for what in &summary.never_seen {
            let excuse = EXCUSED.iter().find(|(excused, _)| excused == what);
            let excuse = excuse.map_or("no excuse", |(_, excuse)| *excuse);
            println!("    never {what} ({excuse})");
        }
    }
    println!(
        "{} seeds, {} failed; {:.1} simulated hours in {:.1} s on {} threads: {:.0} times real time, {:.0} on one core; {} starts, {} pulses, \
         {} bytes on the lock bus",
        summary.seeds,
        summary.failed.len(),
        summary.simulated_hours,
        summary.seconds,
        summary.threads,
        summary.simulated_per_real,
        summary.simulated_per_real_on_one_core,
        summary.starts,
        summary.pulses,
        summary.bus_bytes,
    );
}
