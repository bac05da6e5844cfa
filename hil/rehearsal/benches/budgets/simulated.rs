//! Simulated time per real time: one cabinet with all its bus bytes, one thread.

use std::time::Instant;

use rehearsal::simulation::run;

const SEEDS: u64 = 20;

pub(crate) fn measure() {
    let begun = Instant::now();
    let reports: Vec<_> = (1..=SEEDS).map(|seed| run(seed, false)).collect();
    let real = begun.elapsed();
    let simulated: u64 = reports.iter().map(|report| report.simulated_ms).sum();
    let bytes: u64 = reports.iter().map(|report| report.bus_bytes).sum();
    println!(
        "simulated ÷ real time, {SEEDS} seeds, {bytes} bus bytes: {:.0} (budget 100,000)",
        simulated as f64 / real.as_millis() as f64
    );
}
