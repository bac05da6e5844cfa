//! Real events for the tests: chained, about compartments and consignments.
#![allow(clippy::unwrap_used)]

use super::super::Record;
use office_protocol::event::{Clock, Event, EventBody};
use office_protocol::{Digest, Seq};

/// Event `seq` of a small history: every third is a collection, the others are doors.
pub(crate) fn body(seq: u64) -> EventBody {
    let compartment = office_protocol::CompartmentId((seq % 24) as u16 + 1);
    if seq.is_multiple_of(3) {
        let consignment = format!("WB-0007.{seq}").parse().unwrap();
        EventBody::Collected {
            consignment,
            compartment,
        }
    } else {
        EventBody::DoorClosed { compartment }
    }
}

/// The records of events `first` and on; `previous` is the hash of the one before.
pub(crate) fn chain(first: u64, count: u64, mut previous: Digest) -> (Vec<Record>, Digest) {
    let mut records = Vec::new();
    for seq in first..first + count {
        let event = Event {
            start: "0123456789abcdef".parse().unwrap(),
            source: "WB-0007".parse().unwrap(),
            time: "2026-01-01T00:00:00.000Z".parse().unwrap(),
            clock: Clock::Trusted,
            seq: Seq(seq),
            previous,
            visit: None,
            body: body(seq),
        };
        let event = event.to_bytes();
        previous = Digest::of(&event);
        records.push(Record {
            seq,
            event,
            sealed: vec![vec![0xA5; 3]],
        });
    }
    (records, previous)
}
