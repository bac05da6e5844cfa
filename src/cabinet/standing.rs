//! Alarms that stand for as long as something is so: the clock cannot be believed, there is no room for the next person, or nobody
//! has shown yet which door a lock opens.

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
        let built = self.ledger.compartments.iter().filter(|(_, place)| place.built);
        let mut usable = built.filter(|(id, _)| self.ledger.is_proven(**id));
        let full = usable.clone().next().is_some() && !usable.any(|(_, place)| room(place));
        let unproven = self.ledger.unproven().next().is_some();
        self.stands(full, Alarm::CabinetFull);
        self.stands(unproven, Alarm::Unproven);
    }

    fn stands(&mut self, holds: bool, alarm: Alarm) {
        if holds {
            self.raise(alarm, None);
        } else {
            self.clear(alarm, None);
        }
    }
}
