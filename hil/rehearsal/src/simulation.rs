//! The simulation: production code on one thread, from one seed, with a virtual clock.
//!
//! A [`run`] is an hour or two of one cabinet: people at its screen and its doors, boards that fail, a disk that crashes, and
//! after every step the laws. First everything may break and nothing may go wrong; then everything heals, and the next
//! citizen must be served. Each seed has its own swarm of people and faults: some kinds are missing, others heavy.
//!
//! What is real: cabinet, engine, journal, sync, bus master, the bytes of the boards' protocol, the hub's verdict. What is
//! simulated: time, chance, disk, boards, broker, people. One seed and one commit give one trace, byte for byte.

mod bench;
mod command;
mod coverage;
mod crowd;
mod daemon;
mod dice;
mod faults;
mod fleet;
mod guessing;
mod hub;
mod laws;
mod link;
mod network;
mod office;
mod people;
mod recovery;
mod replay;
mod swarm;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use command::{Arguments, kept_seeds, run as command};
pub use coverage::{Coverage, EXCUSED};
pub use fleet::{Arguments as FleetArguments, run as fleet};
pub use guessing::{Arguments as GuessingArguments, run as guessing};
pub use replay::{Arguments as ReplayArguments, ReplayError, Replayed, replay, run as replay_command};

use dice::Dice;
use laws::{Lawful, Violation};
use swarm::Swarm;
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
    /// What happened of all that can.
    pub coverage: Coverage,
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
            coverage: Coverage::default(),
            starts: 0,
            pulses: 0,
            bus_bytes: 0,
        }
    })
}

/// Processor time that this process has used, in seconds: what a simulation costs on one core, whatever else runs on the machine.
fn processor_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Lives through one seed twice: law 8, the same in every byte.
pub fn run_twice(seed: u64, keep: bool) -> Report {
    let (first, mut second) = (run(seed, keep), run(seed, keep));
    if second.broken.is_none() && (&first.hash, &first.trace) != (&second.hash, &second.trace) {
        second.broken = Some(format!(
            "law 8: the same seed gave trace {} and then {}",
            first.hash, second.hash
        ));
    }
    second
}

/// The journal of one seed's life, event by event.
#[cfg(test)]
fn journal_of(seed: u64) -> Vec<Vec<u8>> {
    let mut world = World::new(seed, Swarm::draw(seed), false);
    let lived = through_everything(&mut world, seed);
    assert!(lived.is_ok(), "{lived:?}");
    world.laws.events
}

fn live(seed: u64, keep: bool) -> Report {
    let mut world = World::new(seed, Swarm::draw(seed), keep);
    let outcome = through_everything(&mut world, seed);
    report(world, seed, outcome)
}

/// An ordinary day of one cabinet, with or without the bytes of its lock bus.
pub fn day(seed: u64, wired: bool) -> Report {
    let mut world = World::new(seed, Swarm::ordinary(wired), false);
    let outcome = world.begin().and_then(|()| world.run_until(24 * 60 * MINUTE));
    report(world, seed, outcome)
}

fn report(mut world: World, seed: u64, outcome: Lawful) -> Report {
    let broken = outcome.err().map(|Violation { law, what }| {
        let at = world.now / 1000;
        format!("law {law} after {at} s: {what}")
    });
    if let Some(broken) = &broken {
        world.trace.note(world.now, format_args!("BROKEN {broken}"));
    }
    let line = world.bench.line();
    let (starts, pulses) = (world.starts(), world.laws.pulse_count());
    let (hash, trace) = world.trace.finish();
    Report {
        seed,
        broken,
        hash,
        trace,
        simulated_ms: world.now,
        coverage: world.coverage,
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
