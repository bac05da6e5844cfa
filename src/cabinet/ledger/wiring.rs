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
        let place = self.compartments.get(&compartment);
        place.is_some_and(|place| {
            place
                .wiring
                .is_none_or(|wiring| self.was_seen(compartment, &wiring))
        })
    }

    fn was_seen(&self, compartment: CompartmentId, wiring: &Wiring) -> bool {
        let proof = self.proofs.get(&compartment);
        proof.is_some_and(|proof| proof.holds_for(wiring))
    }

    /// Whether of any lock it is said where its board is reached.
    pub fn says_where_boards_are(&self) -> bool {
        let built = self.compartments.values().filter_map(|place| place.wiring);
        let mut all = built.chain(self.proofs.values().copied());
        all.any(|wiring| wiring.at.is_some())
    }

    /// Whether a compartment that is to be built like this would be proven.
    pub fn proves(&self, built: &CompartmentLayout) -> bool {
        let known = self.compartments.get(&built.id);
        let served = known.is_some_and(|place| place.built && place.wiring.is_none());
        served || built.wiring.is_none_or(|wiring| self.was_seen(built.id, &wiring))
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
        // A proof that does not say where the board was reached holds for where it is reached now, and for nowhere else from now on.
        let built = &self.compartments;
        self.proofs.retain(|id, proof| {
            let wiring = built.get(id).and_then(|place| place.wiring);
            let wiring = wiring.filter(|wiring| proof.holds_for(wiring));
            proof.at = proof.at.or(wiring.and_then(|wiring| wiring.at));
            wiring.is_some()
        });
    }
}
