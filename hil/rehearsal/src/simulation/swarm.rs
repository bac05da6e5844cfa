//! The swarm: which people, faults and misdeeds a seed's world has, and how strong they are.
//!
//! An average world meets average combinations. So each seed leaves some kinds out altogether and makes others heavy: one has only
//! vandals and power cuts, another a quiet broker and a lock that jams ten times an hour.

use super::bench::Build;
use super::dice::Dice;
use super::faults::FaultKind;

/// Who comes for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    DropOff,
    TakeBack,
    Collect,
    Courier,
    Technician,
    Vandal,
}

/// What the broker and whoever owns it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MisdeedKind {
    /// It loses, repeats, reorders, delays, alters and cuts at random.
    Unreliable,
    /// It becomes what a broker should be.
    Reliable,
    Crash,
    Forget,
    RollBack,
    Cut,
    Forge,
    Replay,
}

/// One seed's world in numbers.
#[derive(Debug)]
pub(super) struct Swarm {
    pub(super) build: Build,
    pub(super) people: Vec<(Kind, u64)>,
    /// In how many of a hundred times somebody does what the screen says and tells the truth.
    pub(super) careful: u64,
    /// In how many of a hundred moments somebody who is not careful just walks away, at most.
    pub(super) forgetful: u64,
    /// The longest pause between two visits, in milliseconds.
    pub(super) quiet_ms: u64,
    pub(super) faults: Vec<(FaultKind, u64)>,
    /// The longest time between two faults, in milliseconds.
    pub(super) fault_ms: u64,
    pub(super) misdeeds: Vec<(MisdeedKind, u64)>,
    /// How much of what a broker carries it may spoil in each way, in thousandths.
    pub(super) unreliable: u64,
    /// In how many of a hundred times the hub crashes at a message, while it does.
    pub(super) hub_crashes: u64,
    /// The longest time between two commands, in milliseconds; none where the office orders nothing.
    pub(super) command_ms: Option<u64>,
    /// In how many of a hundred times the office makes a mistake: documents that are none, passes too early or revoked.
    pub(super) mistakes: u64,
    /// Whether the cabinet was in service before locks were proven; otherwise a technician comes first.
    pub(super) served: bool,
    /// Whether the office has given its sealing key: without it there are no codes.
    pub(super) sealing: bool,
    /// The disk, in bytes.
    pub(super) disk_bytes: u64,
}

impl Swarm {
    pub(super) fn draw(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, 8);
        let people = [
            (Kind::DropOff, 6),
            (Kind::TakeBack, 2),
            (Kind::Collect, 4),
            (Kind::Courier, 4),
            (Kind::Technician, 1),
            (Kind::Vandal, 3),
        ];
        let misdeeds = [
            (MisdeedKind::Unreliable, 3),
            (MisdeedKind::Reliable, 1),
            (MisdeedKind::Crash, 1),
            (MisdeedKind::Forget, 1),
            (MisdeedKind::RollBack, 1),
            (MisdeedKind::Cut, 1),
            (MisdeedKind::Forge, 1),
            (MisdeedKind::Replay, 1),
        ];
        let build = Build {
            boards: u8::try_from(dice.between(1, 2)).unwrap_or(1),
            channels: u8::try_from(dice.between(4, 8)).unwrap_or(4),
            wired: true,
            told: true,
            crosses: *Dice::new(seed, 11).pick(&[0, 50, 100]).unwrap_or(&0),
        };
        let mut swarm = Self {
            build,
            people: some(dice, &people, 20),
            careful: *dice.pick(&[20, 60, 60, 90, 100]).unwrap_or(&60),
            forgetful: *dice.pick(&[0, 12, 12, 30]).unwrap_or(&12),
            quiet_ms: *dice
                .pick(&[60_000, 240_000, 240_000, 900_000])
                .unwrap_or(&240_000),
            faults: some(dice, FaultKind::USUAL, 35),
            fault_ms: *dice
                .pick(&[60_000, 400_000, 400_000, 1_500_000])
                .unwrap_or(&400_000),
            misdeeds: some(dice, &misdeeds, 25),
            unreliable: *dice.pick(&[20, 200, 200, 500]).unwrap_or(&200),
            hub_crashes: *dice.pick(&[0, 8, 8, 30]).unwrap_or(&8),
            command_ms: dice.pick(&[60_000, 600_000, 600_000, 3_600_000]).copied(),
            mistakes: *dice.pick(&[0, 5, 25]).unwrap_or(&5),
            sealing: dice.percent(95),
            served: dice.percent(75),
            disk_bytes: *dice
                .pick(&[1 << 20, 8 << 20, 8 << 20, 64 << 20])
                .unwrap_or(&(8 << 20)),
        };
        swarm.build.told = swarm.served || Dice::new(seed, 9).percent(30);
        let slow_syncs = some(&mut Dice::new(seed, 10), &[(FaultKind::SlowSyncs, 1)], 50);
        swarm.faults.extend(slow_syncs);
        swarm
    }

    /// An ordinary day: a cabinet of 24 compartments where nothing breaks, everybody is careful, and somebody comes about every
    /// forty minutes.
    pub(super) fn ordinary(wired: bool) -> Self {
        Self {
            build: Build {
                boards: 1,
                channels: 24,
                wired,
                told: true,
                crosses: 0,
            },
            people: vec![(Kind::DropOff, 4), (Kind::Collect, 4), (Kind::Courier, 1)],
            careful: 100,
            forgetful: 0,
            quiet_ms: 7_000_000,
            faults: Vec::new(),
            fault_ms: 0,
            misdeeds: Vec::new(),
            unreliable: 0,
            hub_crashes: 0,
            command_ms: None,
            mistakes: 0,
            sealing: true,
            served: true,
            disk_bytes: 8 << 20,
        }
    }
}

/// Each kind is left out in so many of a hundred seeds, or weighs up to three times what it usually does.
fn some<T: Copy>(dice: &mut Dice, usual: &[(T, u64)], left_out: u64) -> Vec<(T, u64)> {
    let weigh = |(kind, weight): &(T, u64)| {
        let times = if dice.percent(left_out) {
            0
        } else {
            dice.between(1, 3)
        };
        (*kind, weight * times)
    };
    usual.iter().map(weigh).collect()
}
