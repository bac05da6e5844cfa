//! Which compartment is offered: the smallest that fits, proven, free beyond doubt, reachable where that is wished.
//!
//! One whose sensor sees something is offered only where no other fits. A sensor that is broken or dirty must not keep the next person
//! from being served; if it is right, the person at the open door says so, and is given another one.

use std::collections::BTreeMap;

use office_protocol::CompartmentId;
use office_protocol::event::Size;

use super::Cabinet;
use super::ledger::{Compartment, Ledger};

/// What is wanted of a compartment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// At least this large.
    pub(super) size: Size,
    /// Within everybody's reach.
    pub(super) reachable: bool,
}

fn is_free(place: &Compartment) -> bool {
    place.built
        && place.consignment.is_none()
        && place.doubt.is_none()
        && place.withdrawn.is_none()
        && place.visit.is_none()
        && place.open == Some(false)
}

/// Every compartment that may be offered: its lock proven, empty beyond doubt, door seen closed since the start, board answering.
pub(super) fn free<'a>(
    ledger: &'a Ledger,
    seen_closed: &'a BTreeMap<CompartmentId, bool>,
) -> impl Iterator<Item = (CompartmentId, &'a Compartment)> {
    let places = ledger.compartments.iter().map(|(id, place)| (*id, place));
    places.filter(|(id, place)| is_free(place) && seen_closed.get(id) == Some(&true) && ledger.is_proven(*id))
}

impl Cabinet {
    /// The one to offer: one that looks empty before one that does not; smallest size first; then one within reach, so that nobody has to stretch; then the one whose lock has
    /// rested longest, so that locks wear alike and nobody waits for one to cool down; then the lowest number.
    pub(super) fn choose(&self, wish: Wish) -> Option<CompartmentId> {
        free(&self.ledger, &self.seen_closed)
            .filter(|(_, place)| place.size >= wish.size && (place.reachable || !wish.reachable))
            .min_by_key(|(id, place)| {
                let doubtful = self.is_unexpected(*id, place);
                (doubtful, place.size, !place.reachable, self.pulsed.get(id), *id)
            })
            .map(|(id, _)| id)
    }
}
