//! Locks as they hang: what a proof has found, and the wires that are mistaken for one another when a board is replaced.

use office_protocol::{BoardId, CompartmentId, EventBody};

use super::World;
use crate::simulation::coverage::Proof;

impl World {
    // Of all events, two concern how locks hang.
    #[allow(clippy::wildcard_enum_match_arm)]
    pub(super) fn hung(&mut self, body: &EventBody) {
        match body {
            EventBody::ChannelProven {
                compartment, wiring, ..
            } => {
                let place = self.laws.ledger().compartments.get(compartment);
                let written = place.and_then(|place| place.wiring);
                self.coverage.proof(Proof::of(written, *wiring));
            }
            EventBody::BoardReplaced { board, .. } => self.hang(*board),
            _ => {}
        }
    }

    /// Whoever hangs a board takes care of full compartments: what lies there can be collected before anything is proven.
    fn hang(&mut self, board: BoardId) {
        if !self.hanging.percent(self.swarm.build.crosses) {
            return;
        }
        let places = self.laws.ledger().compartments.iter();
        let free = places.filter(|(_, place)| place.consignment.is_none() && place.visit.is_none());
        let doors: Vec<CompartmentId> = free.map(|(id, _)| *id).collect();
        let crossed = self.bench.cross(board, doors, &mut self.hanging);
        self.trace
            .note(self.now, format_args!("wires of {crossed:?} are crossed"));
    }
}
