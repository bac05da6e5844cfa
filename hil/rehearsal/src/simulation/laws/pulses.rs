//! Law 1: every pulse has its own durable cause, in its run and in time.

use std::collections::BTreeMap;

use office_protocol::{CompartmentId, Seq};

use super::{Lawful, hold};

/// An unlock that was handed out and has not led to a pulse.
struct Cause {
    unlock: Seq,
    compartment: CompartmentId,
    not_after: u64,
}

/// Causes and what came of them.
#[derive(Default)]
pub(super) struct Pulses {
    begun: BTreeMap<Seq, CompartmentId>,
    open: Vec<Cause>,
    pub(super) count: u64,
}

impl Pulses {
    /// An `unlock-begun` is on disk.
    pub(super) fn begun(&mut self, unlock: Seq, compartment: CompartmentId) {
        self.begun.insert(unlock, compartment);
    }

    /// The engine wants a lock pulsed: once for each `unlock-begun`, and only when that is on disk.
    pub(super) fn handed_out(&mut self, unlock: Seq, compartment: CompartmentId, not_after: u64) -> Lawful {
        let cause = self.begun.remove(&unlock);
        hold(1, cause == Some(compartment), || {
            format!(
                "unlock {unlock} of {compartment} has no cause on disk that was not used before: {cause:?}"
            )
        })?;
        self.open.push(Cause {
            unlock,
            compartment,
            not_after,
        });
        Ok(())
    }

    /// A restart: what was decided before and not handed out never will be.
    pub(super) fn restarted(&mut self) {
        self.begun.clear();
    }

    /// A solenoid was driven. Of its causes, those that are over have led to nothing.
    pub(super) fn pulsed(&mut self, compartment: CompartmentId, now: u64) -> Lawful<Seq> {
        self.count += 1;
        let late = |cause: &Cause| now.saturating_sub(cause.not_after);
        let here = self.open.iter().enumerate();
        let here = here.filter(|(_, cause)| cause.compartment == compartment);
        let index = here.min_by_key(|(_, cause)| late(cause)).map(|(index, _)| index);
        let Some(cause) = index.map(|index| self.open.remove(index)) else {
            return hold(1, false, || {
                format!("compartment {compartment} was pulsed without a cause")
            })
            .map(|()| Seq::ZERO);
        };
        hold(1, late(&cause) == 0, || {
            let late = late(&cause);
            format!("unlock {} of {compartment} came {late} ms late", cause.unlock)
        })?;
        self.open.retain(|cause| late(cause) == 0);
        Ok(cause.unlock)
    }
}
