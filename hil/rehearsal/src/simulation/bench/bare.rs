//! Locks without a bus: what the daemon wants is done at once, and what a sensor sees is known at once.

use std::collections::BTreeMap;
use std::time::Duration;

use firmware_protocol::{DoorReading, Polarity};
use hardware::{Hand, Lock};
use lockerd::cabinet::vocabulary::Input;
use office_protocol::CompartmentId;

/// How long a solenoid is driven.
const PULSE: Duration = Duration::from_millis(500);

/// All locks of a cabinet.
pub(in crate::simulation) struct Bare {
    locks: BTreeMap<CompartmentId, Lock>,
    /// What was read last: open or not.
    read: BTreeMap<CompartmentId, bool>,
    pulses: u32,
}

impl Bare {
    pub(super) fn new(compartments: impl Iterator<Item = CompartmentId>) -> Self {
        Self {
            locks: compartments
                .map(|id| (id, Lock::new(Polarity::AsDocumented)))
                .collect(),
            read: BTreeMap::new(),
            pulses: 0,
        }
    }

    pub(super) fn lock(&self, compartment: CompartmentId) -> Option<&Lock> {
        self.locks.get(&compartment)
    }

    pub(super) fn pulses(&self) -> u32 {
        self.pulses
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.locks.values().filter_map(Lock::next_deadline).min()
    }

    pub(super) fn advance(&mut self, now: Duration) {
        for lock in self.locks.values_mut() {
            if lock.next_deadline().is_some() {
                lock.advance(now);
            }
        }
    }

    pub(super) fn hand(&mut self, compartment: CompartmentId, hand: Hand, now: Duration) -> bool {
        let lock = self.locks.get_mut(&compartment);
        lock.is_some_and(|lock| lock.hand(hand, now))
    }

    /// One pulse.
    pub(in crate::simulation) fn pulse(&mut self, compartment: CompartmentId, now: Duration) {
        if let Some(lock) = self.locks.get_mut(&compartment) {
            lock.pulse(PULSE, now);
            self.pulses += 1;
        }
    }

    /// A daemon has started, which knows of no reading.
    pub(in crate::simulation) fn forget_readings(&mut self) {
        self.read.clear();
    }

    /// What reads otherwise than last time.
    pub(in crate::simulation) fn readings(&mut self) -> Vec<Input> {
        let read = &mut self.read;
        let changed = self.locks.iter().filter_map(|(compartment, lock)| {
            let open = lock.sensed() == DoorReading::Open;
            let before = read.insert(*compartment, open);
            (before != Some(open)).then_some(Input::DoorRead {
                compartment: *compartment,
                open,
                first: before.is_none(),
            })
        });
        changed.collect()
    }
}
