//! What the bus master has reported, by kind.

use lockerd::cabinet::vocabulary::{Input, UnlockOutcome};

/// How pulses ended.
pub(crate) fn outcomes(reports: &[Input]) -> Vec<(u64, UnlockOutcome)> {
    let outcome = |report: &Input| match report {
        Input::UnlockAnswered { unlock, outcome } => Some((unlock.0, *outcome)),
        _ => None,
    };
    reports.iter().filter_map(outcome).collect()
}

/// Doors: number, open, first.
pub(crate) fn doors(reports: &[Input]) -> Vec<(u16, bool, bool)> {
    let door = |report: &Input| match report {
        Input::DoorRead {
            compartment,
            open,
            first,
        } => Some((compartment.0, *open, *first)),
        _ => None,
    };
    reports.iter().filter_map(door).collect()
}
