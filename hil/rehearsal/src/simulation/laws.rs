//! The laws of one cabinet, checked on what became durable, on every pulse and on every page.

use std::collections::BTreeMap;

use lockerd::cabinet::Ledger;
use lockerd::cabinet::limits::{REPLIES_MAX, RETIRED_MAX, USED_PASSES_MAX};
use lockerd::cabinet::screen::View;
use lockerd::journal::Record;
use office_protocol::event::VisitPurpose;
use office_protocol::{CompartmentId, Digest, Event, EventBody, EventHeader, Seq};

use super::bench::Bench;
use super::office::Office;
use codes::Codes;
use pulses::Pulses;

mod codes;
mod pulses;

/// A law that was broken, and how.
#[derive(Debug, Clone)]
pub(super) struct Violation {
    pub(super) law: u8,
    pub(super) what: String,
}

/// What may go on only as long as no law is broken.
pub(super) type Lawful<T = ()> = Result<T, Violation>;

/// Breaks a law unless the condition holds.
pub(super) fn hold(law: u8, holds: bool, what: impl FnOnce() -> String) -> Lawful {
    if holds {
        Ok(())
    } else {
        Err(Violation { law, what: what() })
    }
}

/// The most events that one input may lead to: a start settles and doubts every compartment.
const GROUP_MAX: usize = 200;

/// What must be true, and what was seen so far.
#[derive(Default)]
pub(super) struct Laws {
    /// The ledger as the durable events alone make it.
    pub(super) ledger: Ledger,
    /// Every durable event, by number from 1.
    pub(super) events: Vec<Vec<u8>>,
    /// How often each type of event was seen.
    pub(super) seen: BTreeMap<&'static str, u64>,
    codes: Codes,
    pulses: Pulses,
}

impl Laws {
    /// A group is on disk.
    pub(super) fn group(&self, count: usize) -> Lawful {
        hold(7, count <= GROUP_MAX, || {
            format!("one input led to {count} events")
        })
    }

    /// An event is on disk.
    pub(super) fn durable(&mut self, record: &Record, bench: &Bench, office: &Office) -> Lawful<Event> {
        let event = Event::parse(&record.event).map_err(|error| Violation {
            law: 2,
            what: format!("event {} cannot be read: {error}", record.seq),
        })?;
        hold(2, event.seq.0 == self.events.len() as u64 + 1, || {
            format!("event {} follows {}", event.seq, self.events.len())
        })?;
        hold(2, event.previous == self.ledger.tip.hash, || {
            format!("event {} is not chained to the one before", event.seq)
        })?;
        *self.seen.entry(event.body.kind()).or_default() += 1;
        self.before(&event, bench)?;
        for part in &record.sealed {
            if let Some(code) = office.unseal(part).and_then(|personal| personal.code.clone()) {
                self.codes.sealed(&event, &code)?;
            }
        }
        self.codes.absent_from(&record.event, event.seq)?;
        self.ledger.apply(&event, Digest::of(&record.event));
        self.events.push(record.event.clone());
        self.bounded_and_alone()?;
        Ok(event)
    }

    fn before(&mut self, event: &Event, bench: &Bench) -> Lawful {
        if let EventBody::VisitGranted {
            purpose,
            authority,
            compartment,
            consignment,
            person,
            ..
        } = &event.body
        {
            if let (Some(consignment), Some(person)) = (consignment, person) {
                self.codes.meant_for(consignment, person);
            }
            self.codes.right(&self.ledger, authority, consignment.as_ref())?;
            if matches!(purpose, VisitPurpose::DropOff | VisitPurpose::Placing) {
                self.offered(*compartment, bench)?;
            }
        }
        if let EventBody::CommandAccepted { number, .. } = &event.body {
            hold(9, *number > self.ledger.command_number, || {
                format!("command {number} was carried out again")
            })?;
        }
        if let EventBody::VisitMoved { to, .. } = &event.body {
            self.offered(*to, bench)?;
        }
        if let EventBody::UnlockBegun { compartment, .. } = &event.body {
            self.pulses.begun(event.seq, *compartment);
        }
        Ok(())
    }

    /// Law 4: what is offered is empty beyond doubt, on paper and in truth.
    fn offered(&self, compartment: CompartmentId, bench: &Bench) -> Lawful {
        let place = self.ledger.compartments.get(&compartment);
        let free = place.is_some_and(|place| {
            place.consignment.is_none()
                && place.doubt.is_none()
                && place.withdrawn.is_none()
                && place.visit.is_none()
                && place.open == Some(false)
        });
        hold(4, free, || {
            format!("compartment {compartment} was offered as {place:?}")
        })?;
        let empty = bench.contents(compartment).is_empty() || bench.tainted.contains(&compartment);
        hold(4, empty, || {
            let inside = bench.contents(compartment);
            format!("compartment {compartment} was offered with {inside:?} inside")
        })
    }

    fn bounded_and_alone(&self) -> Lawful {
        let ledger = &self.ledger;
        let mut taken = BTreeMap::new();
        for (id, inside) in &ledger.consignments {
            let other = taken.insert(inside.compartment, id);
            hold(4, other.is_none(), || {
                format!("{id} and {other:?} share compartment {}", inside.compartment)
            })?;
        }
        let bounded = ledger.retired.len() <= RETIRED_MAX
            && ledger.replies.len() <= REPLIES_MAX
            && ledger.used_passes.len() <= USED_PASSES_MAX
            && ledger.visits.len() <= ledger.compartments.len();
        hold(7, bounded, || {
            "a list of the ledger has outgrown its bound".to_owned()
        })
    }

    /// The engine wants a lock pulsed.
    pub(super) fn handed_out(&mut self, unlock: Seq, compartment: CompartmentId, not_after: u64) -> Lawful {
        self.pulses.handed_out(unlock, compartment, not_after)
    }

    /// A solenoid was driven.
    pub(super) fn pulsed(&mut self, compartment: CompartmentId, now: u64) -> Lawful<Seq> {
        self.pulses.expire(now);
        self.pulses.pulsed(compartment, now)
    }

    pub(super) fn pulse_count(&self) -> u64 {
        self.pulses.count
    }

    /// A page was drawn.
    pub(super) fn drawn(&mut self, view: &View) -> Lawful {
        let recent = self.events.len().saturating_sub(8);
        self.codes.drawn(view, &self.events[recent..])
    }

    /// Somebody scanned or typed something.
    pub(super) fn present(&mut self, text: &str) {
        self.codes.present(text);
    }

    /// Law 2: what the engine holds is what the events on disk make.
    pub(super) fn replayed(&self, live: &Ledger) -> Lawful {
        hold(2, *live == self.ledger, || {
            format!(
                "the ledger at {} is not what the journal makes of it at {}: {}",
                live.tip.seq,
                self.ledger.tip.seq,
                difference(live, &self.ledger)
            )
        })
    }

    /// Law 3: no plain code leaves the cabinet.
    pub(super) fn said(&self, payload: &[u8]) -> Lawful {
        self.codes.absent_from(payload, Seq::ZERO)
    }

    /// Law 9: a message that nobody of the office sent changes nothing but alarms; tries may halve at any time.
    pub(super) fn only_alarms_since(&self, before: usize) -> Lawful {
        for event in &self.events[before.min(self.events.len())..] {
            let kind = EventHeader::parse(event)
                .map(|header| header.kind)
                .unwrap_or_default();
            let harmless = matches!(&*kind, "locker.alarm-raised" | "locker.tries-counted");
            hold(9, harmless, || format!("a forged message led to {kind}"))?;
        }
        Ok(())
    }

    /// A start: what was decided before it and not handed out never will be.
    pub(super) fn restarted(&mut self) {
        self.pulses.restarted();
    }
}

fn difference(one: &Ledger, other: &Ledger) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let lines = one.lines().zip(other.lines()).filter(|(one, other)| one != other);
    lines
        .take(4)
        .map(|(one, other)| format!("{} / {}", one.trim(), other.trim()))
        .collect::<Vec<_>>()
        .join("; ")
}
