//! In memory: hand-overs stopped at every single operation of the disk, which holds journal and documents, and stopped again while they
//! recover. In every other trial the office has everything, and what it has is let go.

use std::sync::Arc;

use lockerd::engine::EngineError;
use lockerd::journal::Options;
use office_protocol::Tip;

use super::check;
use super::life::{Ended, Life, disks};
use super::table::Row;
use super::world::World;
use crate::disk::SimulatedDisk;

/// Small segments, so that hand-overs roll over many.
const OPTIONS: Options = Options {
    segment_bytes: 64 << 10,
    reserve_bytes: 32 << 10,
};
/// Operations of a recovery and of what follows at which the second stop may fall.
const SECOND_WITHIN: u64 = 23;
/// How long a slow sync takes: longer than an unlock may live.
const SLOW_MS: u64 = 5_000;

/// Where the documents lie.
const DOCUMENTS: &str = "documents";

/// How the first stop comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The power goes, and comes back; what was not synced is kept or forgotten, sector by sector.
    Power,
    /// A sync fails: the process ends, the page cache stays and shows what may not be on disk. Then the power goes.
    Sync,
    /// The file system becomes read-only, as ext4 does when its device fails; the process ends, and later it can be written again.
    ReadOnly,
    /// The disk is full from there on, until the process is killed.
    Full,
    /// Nothing stops: one or two syncs take five seconds each. The power goes afterwards.
    Slow,
}

/// One cabinet's disk, and what it has promised.
struct Trial<'a> {
    world: &'a World,
    disk: SimulatedDisk,
    /// The office has the events, and says so.
    reported: bool,
    promised: Tip,
    starts: u64,
}

impl Trial<'_> {
    /// Recovers, checks, works; an error of the engine is how a stop shows.
    fn live(&mut self, rounds: u64) -> Result<(), Ended> {
        self.starts += 1;
        let before = self.promised;
        let mut promised = before;
        let mut note = |tip: Tip| promised = tip;
        let waited = || self.disk.take_waited_ms();
        let disks = disks(Arc::new(self.disk.clone()), self.disk.directory(DOCUMENTS));
        let outcome = Life::begin(self.world, disks, OPTIONS, self.starts, &mut note).and_then(|life| {
            let mut life = life.waiting(&waited);
            let mut reader = life.engine().reader();
            // The power may have gone meanwhile, which is no fault of the journal.
            let checked = check::holds(&mut reader, before)
                .and_then(|()| check::replays(&mut reader, life.ledger()))
                .and_then(|()| check::misses_nothing(&mut reader, before));
            if !self.disk.has_crashed() {
                checked.map_err(Ended::Wrong)?;
            }
            life.refuses_what_was_revoked()?;
            (1..=rounds).try_for_each(|round| {
                life.revoke()?;
                life.round(round)?;
                if self.reported {
                    life.reported()?;
                }
                life.keep_house()
            })
        });
        self.promised = promised;
        outcome
    }

    fn stopped(&mut self, rounds: u64) -> Result<(), String> {
        match self.live(rounds) {
            Ok(()) | Err(Ended::Stopped(EngineError::Journal(_))) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn trial(world: &World, seed: u64) -> Trial<'_> {
    let disk = SimulatedDisk::new(seed);
    world.furnish(&*disk.directory(DOCUMENTS));
    Trial {
        world,
        disk,
        reported: seed % 2 == 1,
        promised: Tip::NONE,
        starts: 0,
    }
}

/// At how many places of so many rounds of hand-overs it can stop: operations, or syncs that can be slow.
fn places(stop: Stop, rounds: u64) -> Result<u64, String> {
    let world = World::new();
    let mut most = 0;
    for seed in 0..2 {
        let mut trial = trial(&world, seed);
        trial.live(rounds).map_err(|error| error.to_string())?;
        most = most.max(match stop {
            Stop::Power | Stop::Sync | Stop::ReadOnly | Stop::Full => trial.disk.operations(),
            Stop::Slow => trial.disk.syncs(),
        });
    }
    Ok(most)
}

/// Stops at operation `at`, or is slow at sync `at`, again soon after the restart, then goes on.
pub(super) fn one(world: &World, stop: Stop, at: u64, subset: u64, rounds: u64) -> Result<(), String> {
    let mut trial = trial(world, at.wrapping_mul(1_000) + subset);
    match stop {
        Stop::Power => trial.disk.crash_at(at),
        Stop::Sync => trial.disk.fail_sync_at(at),
        Stop::ReadOnly => trial.disk.read_only_at(at),
        Stop::Full => trial.disk.full_at(at, u64::MAX),
        Stop::Slow => trial.disk.slow_syncs(at, 1 + subset % 2, SLOW_MS),
    }
    match stop {
        Stop::Power | Stop::Sync | Stop::ReadOnly | Stop::Full => trial.stopped(rounds)?,
        Stop::Slow => trial.live(rounds).map_err(|error| error.to_string())?,
    }
    match stop {
        Stop::Slow => {
            trial.disk.crash();
            trial.disk.restart();
        }
        Stop::Power => trial.disk.restart(),
        Stop::Sync => {
            trial.disk.fail_sync_at(u64::MAX); // a life may have been too short for it
            trial.disk.kill();
        }
        Stop::ReadOnly | Stop::Full => trial.disk.kill(),
    }
    trial
        .disk
        .crash_at(trial.disk.operations() + 1 + (at + 7 * subset) % SECOND_WITHIN);
    trial.stopped(1)?;
    trial.disk.crash();
    trial.disk.restart();
    trial.live(1).map_err(|error| error.to_string())?;
    trial.disk.crash();
    trial.disk.restart();
    check::intact(&trial.disk, trial.promised)?;
    trial.live(0).map_err(|error| error.to_string())
}

/// Every operation of the hand-overs, each with so many subsets of what was not synced.
pub(super) fn every(
    stop: Stop,
    rounds: u64,
    subsets: u64,
    step: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Row, String> {
    let world = World::new();
    let last = places(stop, rounds)?;
    let mut row = Row::new(match stop {
        Stop::Power => "power cut at every write, sync and rename of the hand-overs, and again after it",
        Stop::Full => "a disk that is full from every operation on, then a power cut",
        Stop::ReadOnly => "a disk that becomes read-only at every operation, then a power cut",
        Stop::Slow => "a sync that takes 5 s, at every sync, then a power cut",
        Stop::Sync => "a sync that fails (EIO) at every operation, then a power cut",
    });
    for at in (1..=last).step_by(step) {
        for subset in 0..subsets {
            let outcome = one(&world, stop, at, subset, rounds);
            row.tried(outcome.map_err(|error| format!("{stop:?} at {at}, subset {subset}: {error}")));
        }
        progress(at * 100 / last);
    }
    Ok(row)
}
