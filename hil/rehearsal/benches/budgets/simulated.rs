//! Simulated time per real time: one cabinet with all its bus bytes, on one thread.

use std::time::Instant;

use rehearsal::simulation::{Report, day, run};

const SEEDS: u64 = 20;

pub(crate) fn measure() {
    row("an ordinary day", "budget 100,000", |seed| day(seed, true));
    row("hours full of faults", "no budget", |seed| run(seed, false));
}

fn row(what: &str, budget: &str, live: impl Fn(u64) -> Report) {
    let begun = Instant::now();
    let reports: Vec<Report> = (1..=SEEDS).map(live).collect();
    let real = begun.elapsed();
    let simulated: u64 = reports.iter().map(|report| report.simulated_ms).sum();
    let bytes: u64 = reports.iter().map(|report| report.bus_bytes).sum();
    println!(
        "simulated ÷ real time, {what}, {SEEDS} seeds, {bytes} bus bytes: {:.0} ({budget})",
        simulated as f64 / real.as_millis() as f64
    );
}
