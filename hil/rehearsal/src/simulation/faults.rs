//! What breaks, and when: drawn from the seed, at random times, until everything heals.

use std::time::Duration;

use hardware::{BoardFault, Defect, LineFault};

use super::dice::Dice;

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

/// Draws the next fault and how long until it comes.
pub(super) fn next(dice: &mut Dice) -> (u64, Fault) {
    let wait = dice.between(5_000, 400_000);
    let board = dice.number();
    let fault = match dice.below(25) {
        0 => Fault::Board(board, BoardFault::Silent(true)),
        1 => Fault::Board(board, BoardFault::Silent(false)),
        2 => Fault::Board(
            board,
            BoardFault::Late(Duration::from_millis(dice.between(20, 1_500))),
        ),
        3 => Fault::Board(
            board,
            BoardFault::Garbled(u8::try_from(dice.between(5, 60)).unwrap_or(5)),
        ),
        4 => Fault::Board(
            board,
            BoardFault::Rebooting(Duration::from_millis(dice.between(500, 30_000))),
        ),
        5 => Fault::Lock(board, Defect::StuckDoor),
        6 => Fault::Lock(board, Defect::WeldedLock),
        7 => Fault::Lock(board, Defect::DeadSensor),
        8 if dice.percent(50) => {
            Fault::Line(LineFault::Meddled(u8::try_from(dice.between(5, 60)).unwrap_or(5)))
        }
        8 => Fault::Line(LineFault::Noisy(u8::try_from(dice.between(5, 60)).unwrap_or(5))),
        9 => Fault::Unplugged(dice.between(1_000, 60_000)),
        10..=12 => Fault::PowerCut {
            operations: dice.between(1, 60),
        },
        13 => Fault::Killed {
            off_ms: dice.between(500, 30_000),
        },
        14 => Fault::SyncFails,
        15 => Fault::SlowDisk(dice.between(50, 3_000)),
        16 => Fault::Clock {
            offset_ms: i64::try_from(dice.between(0, 60 * 86_400_000)).unwrap_or(0) - 5 * 86_400_000,
            trusted: dice.percent(70),
        },
        17 | 18 => Fault::Tidied,
        19 => Fault::Scanner {
            there: dice.percent(50),
        },
        20 => Fault::Shaken,
        21 => Fault::Mains {
            there: dice.percent(50),
        },
        _ => Fault::Repaired,
    };
    (wait, fault)
}
