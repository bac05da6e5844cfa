//! The simulation: production code on one thread, from one seed, with a virtual clock.
//!
//! A [`run`] is an hour or two of one cabinet: people at its screen and its doors, boards that fail, a disk that crashes, and
//! after every step the laws. First everything may break and nothing may go wrong; then everything heals, and the next
//! citizen must be served.
//!
//! What is real: cabinet, engine, journal, sync, bus master, the bytes of the boards' protocol, the hub's verdict. What is
//! simulated: time, chance, disk, boards, broker, people. One seed and one commit give one trace, byte for byte.

mod bench;
mod command;
mod crowd;
mod daemon;
mod dice;
mod faults;
mod hub;
mod laws;
mod link;
mod network;
mod office;
mod people;
mod recovery;
mod trace;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use command::{Arguments, kept_seeds, run as command};

use dice::Dice;
use laws::{Lawful, Violation};
use world::World;

const MINUTE: u64 = 60_000;

/// What a seed came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Which law was broken and how; none when all hold.
    pub broken: Option<String>,
    /// The hash of the trace.
    pub hash: String,
    /// The trace, where it was kept.
    pub trace: Vec<String>,
    /// Virtual milliseconds.
    pub simulated_ms: u64,
    /// How often each type of event was recorded.
    pub seen: BTreeMap<&'static str, u64>,
    /// Starts of the daemon.
    pub starts: u64,
    /// Pulses of all locks.
    pub pulses: u64,
    /// Bytes on the lock bus.
    pub bus_bytes: u64,
}

/// Lives through one seed; `keep` keeps the trace.
pub fn run(seed: u64, keep: bool) -> Report {
    let lived = catch_unwind(AssertUnwindSafe(|| live(seed, keep)));
    lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Report {
            seed,
            broken: Some(format!("panic: {}", text.unwrap_or_default())),
            hash: String::new(),
            trace: Vec::new(),
            simulated_ms: 0,
            seen: BTreeMap::new(),
            starts: 0,
            pulses: 0,
            bus_bytes: 0,
        }
    })
}

fn live(seed: u64, keep: bool) -> Report {
    let mut world = World::new(seed, keep);
    let outcome = through_everything(&mut world, seed);
    let broken = outcome.err().map(|Violation { law, what }| {
        let at = world.now / 1000;
        format!("law {law} after {at} s: {what}")
    });
    if let Some(broken) = &broken {
        world.trace.note(world.now, format_args!("BROKEN {broken}"));
    }
    let line = world.bench.line.view();
    let (starts, pulses) = (world.starts(), world.laws.pulse_count());
    let (hash, trace) = world.trace.finish();
    Report {
        seed,
        broken,
        hash,
        trace,
        simulated_ms: world.now,
        seen: world.laws.seen,
        starts,
        pulses,
        bus_bytes: line.written + line.delivered,
    }
}

fn through_everything(world: &mut World, seed: u64) -> Lawful {
    world.begin()?;
    let length = Dice::new(seed, 9).between(25, 75) * MINUTE;
    world.run_until(length)?;
    world.heal()?;
    recovery::next_citizen_is_served(world)
}
