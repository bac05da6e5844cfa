//! What breaks, and when: drawn from the seed, at random times, until everything heals.

use std::time::Duration;

use hardware::{BoardFault, Defect, LineFault};

use super::dice::Dice;
use super::swarm::Swarm;

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Board(u64, BoardFault),
    Lock(u64, Defect),
    Line(LineFault),
    /// The cable is pulled for so many milliseconds.
    Unplugged(u64),
    /// The power goes in the middle of one of the next operations of the disk.
    PowerCut {
        operations: u64,
    },
    /// The daemon is killed; the page cache survives.
    Killed {
        off_ms: u64,
    },
    /// A sync fails, once.
    SyncFails,
    /// Every write takes long for a while.
    SlowDisk(u64),
    /// So many syncs take so long each, as on a card that cleans up.
    SlowSyncs {
        count: u64,
        each_ms: u64,
    },
    /// Something else fills the disk up to so many bytes, or lets them go.
    Filled {
        free_bytes: u64,
    },
    /// Somebody repairs everything.
    Repaired,
    /// The wall clock is set, and believed or not.
    Clock {
        offset_ms: i64,
        trusted: bool,
    },
    /// A door that is open is shut by a passer-by.
    Tidied,
    /// The scanner is gone, or back.
    Scanner {
        there: bool,
    },
    /// The case is shaken.
    Shaken,
    /// Mains power goes, or comes back.
    Mains {
        there: bool,
    },
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    Silent,
    Late,
    Garbled,
    Rebooting,
    StuckDoor,
    WeldedLock,
    DeadSensor,
    Noisy,
    Echoing,
    Meddled,
    Unplugged,
    PowerCut,
    Killed,
    SyncFails,
    SlowDisk,
    SlowSyncs,
    Filled,
    Repaired,
    Clock,
    Tidied,
    Scanner,
    Shaken,
    Mains,
}

impl FaultKind {
    /// All but slow syncs, which each seed draws by themselves, and how much each usually weighs.
    pub(super) const USUAL: &'static [(Self, u64)] = &[
        (Self::Silent, 2),
        (Self::Late, 1),
        (Self::Garbled, 1),
        (Self::Rebooting, 1),
        (Self::StuckDoor, 1),
        (Self::WeldedLock, 1),
        (Self::DeadSensor, 1),
        (Self::Noisy, 1),
        (Self::Echoing, 1),
        (Self::Meddled, 1),
        (Self::Unplugged, 1),
        (Self::PowerCut, 3),
        (Self::Killed, 1),
        (Self::SyncFails, 1),
        (Self::SlowDisk, 1),
        (Self::Filled, 1),
        (Self::Repaired, 3),
        (Self::Clock, 1),
        (Self::Tidied, 2),
        (Self::Scanner, 1),
        (Self::Shaken, 1),
        (Self::Mains, 1),
    ];
}

/// Draws the next fault and how long until it comes; none in a world without faults.
pub(super) fn next(dice: &mut Dice, swarm: &Swarm) -> Option<(u64, Fault)> {
    let kind = *dice.weighted(&swarm.faults)?;
    let wait = dice.between(5_000, swarm.fault_ms);
    let which = dice.number();
    let percent = u8::try_from(dice.between(5, 60)).unwrap_or(5);
    let on = dice.percent(50);
    let fault = match kind {
        FaultKind::Silent => Fault::Board(which, BoardFault::Silent(on)),
        FaultKind::Late => {
            let late = Duration::from_millis(dice.between(20, 1_500));
            Fault::Board(which, BoardFault::Late(late))
        }
        FaultKind::Garbled => Fault::Board(which, BoardFault::Garbled(percent)),
        FaultKind::Rebooting => {
            let down = Duration::from_millis(dice.between(500, 30_000));
            Fault::Board(which, BoardFault::Rebooting(down))
        }
        FaultKind::StuckDoor => Fault::Lock(which, Defect::StuckDoor),
        FaultKind::WeldedLock => Fault::Lock(which, Defect::WeldedLock),
        FaultKind::DeadSensor => Fault::Lock(which, Defect::DeadSensor),
        FaultKind::Noisy => Fault::Line(LineFault::Noisy(percent)),
        FaultKind::Echoing => Fault::Line(LineFault::Echoing(on)),
        FaultKind::Meddled => Fault::Line(LineFault::Meddled(percent)),
        FaultKind::Unplugged => Fault::Unplugged(dice.between(1_000, 60_000)),
        FaultKind::PowerCut => Fault::PowerCut {
            operations: dice.between(1, 60),
        },
        FaultKind::Killed => Fault::Killed {
            off_ms: dice.between(500, 30_000),
        },
        FaultKind::SyncFails => Fault::SyncFails,
        FaultKind::SlowDisk => Fault::SlowDisk(dice.between(50, 3_000)),
        FaultKind::SlowSyncs => Fault::SlowSyncs {
            count: dice.between(1, 5),
            each_ms: dice.between(500, 6_000),
        },
        FaultKind::Filled => Fault::Filled {
            free_bytes: if on {
                swarm.disk_bytes
            } else {
                dice.below(400 << 10)
            },
        },
        FaultKind::Repaired => Fault::Repaired,
        FaultKind::Clock => Fault::Clock {
            offset_ms: i64::try_from(dice.between(0, 60 * 86_400_000)).unwrap_or(0) - 5 * 86_400_000,
            trusted: dice.percent(70),
        },
        FaultKind::Tidied => Fault::Tidied,
        FaultKind::Scanner => Fault::Scanner { there: on },
        FaultKind::Shaken => Fault::Shaken,
        FaultKind::Mains => Fault::Mains { there: on },
    };
    Some((wait, fault))
}
