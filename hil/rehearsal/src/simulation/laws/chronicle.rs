//! The laws that a journal's events keep by themselves: of the simulated cabinet, and of a real one's exported journal.

use std::collections::BTreeMap;

use lockerd::cabinet::Ledger;
use lockerd::cabinet::limits::{REPLIES_MAX, RETIRED_MAX, USED_PASSES_MAX};
use office_protocol::event::VisitPurpose;
use office_protocol::{CompartmentId, Digest, Event, EventBody, Seq};

use super::custody::Custody;
use super::{Lawful, Violation, hold};

/// A history, and what it comes to.
#[derive(Default)]
pub(in crate::simulation) struct Chronicle {
    /// The ledger as the events alone make it.
    pub(in crate::simulation) ledger: Ledger,
    custody: Custody,
    /// The last start.
    started: Seq,
    /// The history began in the middle: the ledger is not whole.
    partial: bool,
}

impl Chronicle {
    /// A history that begins with this event.
    pub(in crate::simulation) fn beginning_at(first: &Event) -> Self {
        if first.seq == Seq(1) {
            return Self::default();
        }
        let mut ledger = Ledger::default();
        ledger.tip.seq = Seq(first.seq.0.saturating_sub(1));
        ledger.tip.hash = first.previous;
        Self {
            ledger,
            custody: Custody::from_the_middle(),
            started: Seq::ZERO,
            partial: true,
        }
    }

    /// Reads an event, which must follow from the one before.
    pub(in crate::simulation) fn read(&self, bytes: &[u8]) -> Lawful<Event> {
        let tip = self.ledger.tip;
        let event = Event::parse(bytes).map_err(|error| Violation {
            law: 2,
            what: format!("the event after {} cannot be read: {error}", tip.seq),
        })?;
        hold(2, event.seq == tip.seq.next(), || {
            format!("event {} follows {}", event.seq, tip.seq)
        })?;
        hold(2, event.previous == tip.hash, || {
            format!("event {} is not chained to the one before", event.seq)
        })?;
        Ok(event)
    }

    /// Takes in an event that was read, if it may happen.
    pub(in crate::simulation) fn take(&mut self, event: &Event, bytes: &[u8]) -> Lawful {
        if !self.partial {
            self.may_happen(event)?;
        }
        self.custody.take(event)?;
        if matches!(event.body, EventBody::Started { .. }) {
            self.started = event.seq;
        }
        self.ledger.apply(event, Digest::of(bytes));
        self.is_bounded()
    }

    /// After a group of events: nobody shares a compartment, and the reference model agrees.
    pub(in crate::simulation) fn is_sound(&self) -> Lawful {
        let mut taken = BTreeMap::new();
        for (id, inside) in &self.ledger.consignments {
            let other = taken.insert(inside.compartment, id);
            hold(4, other.is_none(), || {
                format!("{id} and {other:?} share compartment {}", inside.compartment)
            })?;
        }
        self.custody.agrees_with(&self.ledger)
    }

    // Of all events, these laws concern a few.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn may_happen(&self, event: &Event) -> Lawful {
        let (ledger, seq) = (&self.ledger, event.seq);
        match &event.body {
            EventBody::VisitGranted {
                purpose: VisitPurpose::DropOff | VisitPurpose::Placing,
                compartment,
                ..
            } => self.is_free(*compartment),
            EventBody::VisitMoved { to, .. } => self.is_free(*to),
            EventBody::UnlockBegun { compartment, pulse } => {
                let visit = event.visit.unwrap_or(Seq::ZERO);
                let running = ledger.visits.get(&visit);
                let due = running.is_some_and(|running| {
                    running.compartment == *compartment && *pulse == running.pulses.saturating_add(1)
                });
                hold(1, due && visit > self.started, || {
                    format!(
                        "event {seq} pulses for {running:?} of visit {visit}, last start {}",
                        self.started
                    )
                })
            }
            EventBody::UnlockFailed { unlock, .. } | EventBody::UnlockInterrupted { unlock, .. } => {
                let visit = event.visit.and_then(|visit| ledger.visits.get(&visit));
                hold(
                    1,
                    visit.is_some_and(|running| running.unlocking == Some(*unlock)),
                    || format!("event {seq} ends pulse {unlock}, which is not under way"),
                )
            }
            EventBody::CommandAccepted { number, .. } | EventBody::CommandRefused { number, .. } => {
                hold(9, *number > ledger.command_number, || {
                    format!("event {seq}: command {number} was heard before")
                })
            }
            EventBody::DocumentApplied {
                document, version, ..
            } => {
                let known = ledger.documents.get(document).map_or(0, |(version, _)| *version);
                hold(9, *version >= known, || {
                    format!("event {seq}: {document} went back from version {known} to {version}")
                })
            }
            _ => Ok(()),
        }
    }

    /// Law 4: what is offered is empty beyond doubt.
    fn is_free(&self, compartment: CompartmentId) -> Lawful {
        let place = self.ledger.compartments.get(&compartment);
        let free = place.is_some_and(|place| {
            place.built
                && place.consignment.is_none()
                && place.doubt.is_none()
                && place.withdrawn.is_none()
                && place.visit.is_none()
                && place.open == Some(false)
        });
        hold(4, free, || {
            format!("compartment {compartment} was offered as {place:?}")
        })
    }

    fn is_bounded(&self) -> Lawful {
        let ledger = &self.ledger;
        let bounded = ledger.retired.len() <= RETIRED_MAX
            && ledger.replies.len() <= REPLIES_MAX
            && ledger.used_passes.len() <= USED_PASSES_MAX
            && (self.partial || ledger.visits.len() <= ledger.compartments.len());
        hold(7, bounded, || {
            "a list of the ledger has outgrown its bound".to_owned()
        })
    }
}
