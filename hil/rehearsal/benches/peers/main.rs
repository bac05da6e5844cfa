//! `cargo peers`: our bus beside libmodbus, pymodbus, minimalmodbus, tokio-modbus and libosdp, over the same paced pseudo-terminals in the
//! same run. Installs the peers with apt, pip and cargo. Prints ratios and how much later than the wire allows; fails nothing.
//!
//! `cargo peers -- polling doors secure` measures only these.
#![allow(clippy::unwrap_used)]

mod bare;
mod contender;
mod doors;
#[path = "../../tests/daemon/place.rs"]
mod place;
mod polling;
mod secure;
mod tools;
mod wire;

use std::time::Duration;

use firmware_protocol::{Board, Family};
use hardware::{BoardSettings, Grain, Line, SimulatedBoard};

pub(crate) const FAMILY: Family = Family::ModbusRelay;
pub(crate) const BOARDS: u8 = 8;
pub(crate) const CHANNELS: u8 = 8;

const ALL: [(&str, fn()); 3] = [
    ("polling", polling::measure),
    ("doors", doors::measure),
    ("secure", secure::measure),
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

/// The boards, on a wire of this speed.
pub(crate) fn line(baud: u32) -> Line {
    let board =
        |number| SimulatedBoard::new(BoardSettings::new(FAMILY, Board(number), CHANNELS), number.into());
    Line::new((1..=BOARDS).map(board).collect(), baud, Grain::Bytes, 1)
}

/// The value that so many percent of all are not above.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// A directory on the disk that the build is on: what is measured must not be in memory.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Waits for something that is told, with a limit.
pub(crate) fn heard<T>(told: &std::sync::mpsc::Receiver<T>, within: Duration) -> Option<T> {
    told.recv_timeout(within).ok()
}
