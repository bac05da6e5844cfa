//! Alarms that stand for as long as something is so: the clock cannot be believed, there is no room for the next person, nobody has
//! shown yet which door a lock opens, or a sensor sees what nobody put in.

use std::collections::BTreeSet;

use office_protocol::CompartmentId;
use office_protocol::event::Alarm;

use super::Cabinet;
use super::ledger::Compartment;

/// How long a sensor sees something until it is believed, in milliseconds.
const ITEM_SURE_MS: u64 = 5_000;

fn is_empty(place: &Compartment) -> bool {
    place.built && place.consignment.is_none() && place.doubt.is_none() && place.visit.is_none()
}

impl Cabinet {
    /// Raises what has begun and clears what is over; after every input but messages.
    pub(super) fn note_standing(&mut self) {
        self.stands(!self.moment.trusted, Alarm::ClockUntrusted);
        // By the ledger alone: doors that are not read yet are no reason to send a courier.
        let room = |place: &Compartment| {
            place.consignment.is_none()
                && place.doubt.is_none()
                && place.withdrawn.is_none()
                && place.visit.is_none()
        };
        let built = self.ledger.compartments.iter().filter(|(_, place)| place.built);
        let mut usable = built.filter(|(id, _)| self.ledger.is_proven(**id));
        let full = usable.clone().next().is_some() && !usable.any(|(_, place)| room(place));
        let unproven = self.ledger.unproven().next().is_some();
        self.stands(full, Alarm::CabinetFull);
        self.stands(unproven, Alarm::Unproven);
        self.note_items();
    }

    /// Whether its sensor sees something although it is empty by the ledger, and nobody is there.
    pub(super) fn is_unexpected(&self, id: CompartmentId, place: &Compartment) -> bool {
        is_empty(place) && self.items_seen.get(&id) == Some(&true)
    }

    /// A sensor may lag behind a door, and may flicker: it has to see something for a while, and the alarm then stands until somebody
    /// has been at that door.
    fn note_items(&mut self) {
        let now = self.moment.now;
        let places = self.ledger.compartments.iter();
        let seen: BTreeSet<CompartmentId> = places
            .filter(|(id, place)| self.is_unexpected(**id, place))
            .map(|(id, _)| *id)
            .collect();
        self.unexpected.retain(|id, _| seen.contains(id));
        for id in seen {
            let since = *self.unexpected.entry(id).or_insert(now);
            if now >= since.plus_millis(ITEM_SURE_MS) {
                self.raise(Alarm::ItemUnexpected, Some(id));
            }
        }
        let alarms = self.ledger.alarms.iter();
        let over: Vec<CompartmentId> = alarms
            .filter(|standing| standing.alarm == Alarm::ItemUnexpected)
            .filter_map(|standing| standing.compartment)
            .filter(|id| !self.ledger.compartments.get(id).is_some_and(is_empty))
            .collect();
        for id in over {
            self.clear(Alarm::ItemUnexpected, Some(id));
        }
    }

    fn stands(&mut self, holds: bool, alarm: Alarm) {
        if holds {
            self.raise(alarm, None);
        } else {
            self.clear(alarm, None);
        }
    }
}
