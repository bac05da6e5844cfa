//! What nobody knows but who stands before new doors: how many there are, how large they are, and which are out of reach from a
//! wheelchair. Said as options, or asked.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use office_protocol::CompartmentId;
use serde_json::json;

use super::terminal::Terminal;
use super::{Walk, reach, sizes};
use crate::command_line::Failure;
use crate::settings::wiring::{NewBoard, Sizes};

/// To how many of a board's channels a lock is wired: a board speaks of all that it could have.
pub(super) async fn ask_locks(walk: &Walk, board: &NewBoard, terminal: &mut Terminal) -> Result<u8, Failure> {
    let (id, most) = (board.id, board.channels);
    if let Some(locks) = walk.locks {
        return Ok(locks.min(most));
    }
    if walk.yes {
        return Ok(most);
    }
    terminal
        .ask(
            &json!({ "ask": "locks", "board": id, "most": most }),
            &format!("接了几把锁？ How many locks are wired to board {id}? [1 to {most}]"),
            |line| {
                let locks = line.parse().ok().filter(|locks| (1..=most).contains(locks));
                locks.ok_or_else(|| format!("answer a number from 1 to {most}"))
            },
        )
        .await
}

/// How large they are.
pub(super) async fn ask_sizes(
    walk: &Walk,
    doors: &RangeInclusive<u16>,
    terminal: &mut Terminal,
) -> Result<Sizes, Failure> {
    let (first, last) = (doors.start(), doors.end());
    if let Some(said) = &walk.size {
        return said
            .of(doors)
            .map_err(|problem| Failure::new(64, format!("--size: {problem}")));
    }
    if walk.yes {
        let problem = format!("say how large doors {first} to {last} are: --size \"{first}-{last} small\"");
        return Err(Failure::new(64, problem));
    }
    terminal
        .ask(
            &json!({ "ask": "sizes", "first": first, "last": last }),
            &format!(
                "格口多大？ How large are doors {first} to {last}? [small, medium or large for all; or as {first} small, {last} large]"
            ),
            |line| sizes::parse(line)?.of(doors),
        )
        .await
}

/// Which of them can be reached from a wheelchair. Of those that nobody has spoken of nothing is promised.
pub(super) async fn ask_reach(
    walk: &Walk,
    doors: &RangeInclusive<u16>,
    terminal: &mut Terminal,
) -> Result<BTreeSet<CompartmentId>, Failure> {
    let (first, last) = (doors.start(), doors.end());
    if let Some(said) = &walk.unreachable {
        return said
            .leaves(doors)
            .map_err(|problem| Failure::new(64, format!("--unreachable: {problem}")));
    }
    if walk.yes {
        return Ok(BTreeSet::new());
    }
    terminal
        .ask(
            &json!({ "ask": "unreachable", "first": first, "last": last }),
            &format!(
                "坐轮椅够不到哪些格口？ Which of doors {first} to {last} cannot be reached from a wheelchair? [as {first}, {last}; none; or all]"
            ),
            |line| reach::parse(line)?.leaves(doors),
        )
        .await
}
