//! Law 1: every pulse has its own durable cause, in its run and in time.

use std::collections::BTreeMap;

use office_protocol::{CompartmentId, Seq};

use super::{Lawful, hold};
use crate::simulation::bench::BAUD;

/// The longest unlock of any family: the authenticated one's.
const FRAME_BYTES: u64 = 24;
/// How long after `not_after` the last byte of a frame that began in time may still be on the wire.
const ON_THE_WIRE_MS: u64 = (FRAME_BYTES * 10_000).div_ceil(BAUD);

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

    /// A solenoid was driven.
    pub(super) fn pulsed(&mut self, compartment: CompartmentId, now: u64) -> Lawful<Seq> {
        self.count += 1;
        let cause = self
            .open
            .iter()
            .position(|cause| cause.compartment == compartment);
        let Some(cause) = cause.map(|index| self.open.remove(index)) else {
            return hold(1, false, || {
                format!("compartment {compartment} was pulsed without a cause")
            })
            .map(|()| Seq::ZERO);
        };
        hold(1, now <= cause.not_after + ON_THE_WIRE_MS, || {
            format!(
                "unlock {} of {compartment} came {} ms late",
                cause.unlock,
                now - cause.not_after
            )
        })?;
        Ok(cause.unlock)
    }

    /// Forgets causes that are too old to be used.
    pub(super) fn expire(&mut self, now: u64) {
        self.open.retain(|cause| now <= cause.not_after + ON_THE_WIRE_MS);
    }
}
