//! `rehearsal fleet`: an ordinary day of many cabinets, or of one with every byte of its lock bus, and how fast that goes.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::subscriber::NoSubscriber;

use super::{Coverage, Report, day, processor_seconds};

/// Live through an ordinary day of a city's cabinets, all laws checked, and say how much faster than real time that goes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many cabinets
    #[arg(long, default_value_t = 1_354)]
    cabinets: u64,
    /// With every byte on their lock buses
    #[arg(long)]
    bus: bool,
    /// On so many threads; one for each core if not given
    #[arg(long)]
    threads: Option<usize>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
}

/// The events that are hand-overs.
const HAND_OVERS: [&str; 5] = [
    "locker.dropped-off",
    "locker.cleared",
    "locker.placed",
    "locker.collected",
    "locker.recalled",
];

/// Runs the command.
pub fn run(arguments: &Arguments) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(cores).max(1);
    let began = Instant::now();
    let reports = all(arguments, threads);
    let (seconds, busy) = (began.elapsed().as_secs_f64(), processor_seconds());
    for report in &reports {
        if let Some(broken) = &report.broken {
            eprintln!("cabinet {}: {broken}", report.seed);
        }
    }
    let mut coverage = Coverage::default();
    reports.iter().for_each(|report| coverage.add(&report.coverage));
    let hand_overs: u64 = HAND_OVERS.iter().map(|kind| coverage.count(kind)).sum();
    let simulated: u64 = reports.iter().map(|report| report.simulated_ms).sum();
    let bytes: u64 = reports.iter().map(|report| report.bus_bytes).sum();
    let events = coverage
        .counts()
        .iter()
        .filter(|(what, _)| what.starts_with("locker."));
    println!(
        "{} cabinets for a day {} in {seconds:.1} s on {threads} threads ({busy:.1} s of processor time): {:.0} times real time, \
         {:.0} on one core; {hand_overs} hand-overs, {} events, {bytes} bytes on lock buses",
        reports.len(),
        if arguments.bus {
            "with bus bytes"
        } else {
            "without bus bytes"
        },
        simulated as f64 / 1000.0 / seconds,
        simulated as f64 / 1000.0 / busy,
        events.map(|(_, count)| count).sum::<u64>(),
    );
    if reports.iter().any(|report| report.broken.is_some()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn all(arguments: &Arguments, threads: usize) -> Vec<Report> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut reports = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= arguments.cabinets {
                return reports;
            }
            reports.push(day(arguments.from.saturating_add(number), arguments.bus));
        }
    };
    let quiet = || tracing::subscriber::with_default(NoSubscriber::new(), work);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(quiet)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .flatten()
            .collect()
    })
}
