//! `cargo budgets`: what the design allows, measured beside the physical limit in the same run. Prints ratios; fails nothing.
//!
//! `cargo budgets -- unlock memory` measures only these.
#![allow(clippy::unwrap_used)]

mod backlog;
mod daemon;
mod history;
mod journal;
mod memory;
#[path = "../../tests/daemon/page.rs"]
mod page;
#[path = "../../tests/daemon/place.rs"]
mod place;
mod simulated;
mod start;
mod unlock;

use std::time::Duration;

type Measurement = (&'static str, fn());

const ALL: &[Measurement] = &[
    ("journal", journal::measure),
    ("peers", journal::peers::measure),
    ("backlog", backlog::measure),
    ("unlock", unlock::measure),
    ("start", start::measure),
    ("memory", memory::measure),
    ("simulated", simulated::measure),
];

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (name, measure) in ALL {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            measure();
        }
    }
}

/// The value that so many percent of all are below.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn median(mut times: Vec<Duration>) -> Duration {
    percentile(&mut times, 50)
}

/// A directory on the disk that the build is on: what is measured must not be in memory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
