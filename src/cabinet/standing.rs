//! Alarms that stand for as long as something is so: the clock cannot be believed, and there is no room for the next person.

use office_protocol::event::Alarm;

use super::Cabinet;
use super::ledger::Compartment;

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
        let mut built = self.ledger.compartments.values().filter(|place| place.built);
        let full = built.clone().next().is_some() && !built.any(room);
        self.stands(full, Alarm::CabinetFull);
    }

    fn stands(&mut self, holds: bool, alarm: Alarm) {
        if holds {
            self.raise(alarm, None);
        } else {
            self.clear(alarm, None);
        }
    }
}
