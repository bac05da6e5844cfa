//! Which lock each compartment has, and which of them were seen to open the right door.

use std::collections::BTreeSet;

use office_protocol::event::{CompartmentLayout, Wiring};
use office_protocol::{BoardId, CompartmentId};

use super::super::limits::PROOFS_MAX;
use super::{Compartment, Ledger};

impl Ledger {
    /// Whether somebody saw that this compartment's lock opens its door. One that a version before commissioning laid out, which
    /// said of no lock where it is, serves as it did.
    pub fn is_proven(&self, compartment: CompartmentId) -> bool {
        self.compartments.get(&compartment).is_some_and(|place| {
            place
                .wiring
                .is_none_or(|wiring| self.proofs.get(&compartment) == Some(&wiring))
        })
    }

    /// Whether a compartment that is to be built like this would be proven.
    pub fn proves(&self, built: &CompartmentLayout) -> bool {
        let known = self.compartments.get(&built.id);
        let served = known.is_some_and(|place| place.built && place.wiring.is_none());
        served
            || built
                .wiring
                .is_none_or(|wiring| self.proofs.get(&built.id) == Some(&wiring))
    }

    /// Built compartments whose lock nobody has proven.
    pub fn unproven(&self) -> impl Iterator<Item = CompartmentId> + '_ {
        let built = self.compartments.iter().filter(|(_, place)| place.built);
        built.map(|(id, _)| *id).filter(|id| !self.is_proven(*id))
    }

    /// The board that a compartment hangs on.
    pub fn board_of(&self, compartment: CompartmentId) -> Option<BoardId> {
        Some(self.compartments.get(&compartment)?.wiring?.board)
    }

    /// Where locks were seen that the settings do not have there.
    pub fn rewired(&self) -> impl Iterator<Item = (CompartmentId, Wiring)> + '_ {
        let proofs = self.proofs.iter().map(|(id, wiring)| (*id, *wiring));
        proofs.filter(|(id, _)| !self.is_proven(*id))
    }

    /// A lock is behind one door only: what was seen last counts.
    pub(super) fn prove(&mut self, compartment: CompartmentId, wiring: Wiring) {
        let lock = |of: Wiring| (of.board, of.channel);
        self.proofs.retain(|_, proven| lock(*proven) != lock(wiring));
        if self.proofs.len() < PROOFS_MAX || self.proofs.contains_key(&compartment) {
            self.proofs.insert(compartment, wiring);
        }
    }

    pub(super) fn lay_out(&mut self, layout: &[CompartmentLayout]) {
        let before = self.compartments.iter();
        let served: BTreeSet<CompartmentId> = before
            .filter(|(_, place)| place.built && place.wiring.is_none())
            .map(|(id, _)| *id)
            .collect();
        for place in self.compartments.values_mut() {
            place.built = false;
        }
        for built in layout {
            let place = self.compartments.entry(built.id).or_insert(Compartment {
                size: built.size,
                reachable: built.reachable,
                built: true,
                wiring: built.wiring,
                open: None,
                consignment: None,
                doubt: None,
                withdrawn: None,
                visit: None,
            });
            (place.size, place.reachable, place.built) = (built.size, built.reachable, true);
            place.wiring = built.wiring;
            // What has served under a version before commissioning goes on serving with the lock that it has.
            if let Some(wiring) = built.wiring.filter(|_| served.contains(&built.id)) {
                self.proofs.insert(built.id, wiring);
            }
        }
        self.compartments
            .retain(|_, place| place.built || place.consignment.is_some() || place.visit.is_some());
        let built = &self.compartments;
        self.proofs
            .retain(|id, wiring| built.get(id).is_some_and(|place| place.wiring == Some(*wiring)));
    }
}
