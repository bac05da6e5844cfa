//! What is found for the sample of a history.

use office_protocol::event::{Alarm, Clock, subjects};
use office_protocol::{CompartmentId, ConsignmentId, Digest, Event, EventBody, Seq};

use super::{id, time};
use crate::kiosk::Past;

/// What is found for the sample of [`Screen::History`](crate::cabinet::screen::Screen::History).
pub fn past() -> Vec<Past> {
    let compartment = CompartmentId(17);
    let consignment = id::<ConsignmentId>("R-2026-00815");
    let placed = EventBody::Placed {
        consignment: consignment.clone(),
        compartment,
        application: Some(id("A-2026-00815")),
        person: Some(id("P-4711")),
        expected: true,
        staff: id("C-017"),
        generation: 1,
        code: None,
        sealed: None,
        hold_days: 7,
    };
    let alarm = EventBody::AlarmRaised {
        alarm: Alarm::DoorOpen,
        compartment: Some(compartment),
    };
    let collected = EventBody::Collected {
        consignment,
        compartment,
    };
    let bodies = [collected, EventBody::DoorOpened { compartment }, alarm, placed];
    let past = |(seq, body)| {
        let event = Event {
            start: id("0123456789abcdef"),
            source: id("HZ-0001"),
            time: time(),
            clock: Clock::Trusted,
            seq: Seq(seq),
            previous: Digest::ZERO,
            visit: None,
            body,
        };
        let about = subjects(&event.to_bytes()).unwrap_or_default();
        Past { event, about }
    };
    (1..).zip(bodies).map(past).collect()
}
