//! The laws of one cabinet, checked on what became durable, on every pulse and on every page.

use std::collections::BTreeMap;

use lockerd::cabinet::Ledger;
use lockerd::cabinet::screen::View;
use lockerd::journal::Record;
use office_protocol::event::{Authority, VisitPurpose};
use office_protocol::{CompartmentId, Event, EventBody, EventHeader, PassId, PickupCode, Seq, Timestamp};

use super::bench::{Bench, Pulsed, Thing};
use super::office::Office;
use chronicle::Chronicle;
use codes::Codes;
use pulses::Pulses;

pub(super) use codes::Shown;

pub(super) mod chronicle;
mod codes;
mod custody;
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
    chronicle: Chronicle,
    /// Every durable event, by number from 1.
    pub(super) events: Vec<Vec<u8>>,
    codes: Codes,
    pulses: Pulses,
    /// How many compartments each drop-off pass has filled.
    filled: BTreeMap<PassId, u8>,
}

impl Laws {
    /// The ledger as the durable events alone make it.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.chronicle.ledger
    }

    /// A group is on disk.
    pub(super) fn group(&self, count: usize) -> Lawful {
        hold(7, count <= GROUP_MAX, || {
            format!("one input led to {count} events")
        })?;
        self.chronicle.is_sound()
    }

    /// An event is on disk.
    ///
    /// The code that came with it is given as well: what the office's letter says.
    pub(super) fn durable(
        &mut self,
        record: &Record,
        bench: &Bench,
        office: &Office,
    ) -> Lawful<(Event, Option<PickupCode>)> {
        let event = self.chronicle.read(&record.event)?;
        self.before(&event, bench, office)?;
        let mut parts = record.sealed.iter();
        let code = parts.find_map(|part| office.unseal(part)?.code.clone());
        if let Some(code) = &code {
            self.codes.sealed(&event, code)?;
        }
        self.codes.absent_from(&record.event, event.seq)?;
        self.chronicle.take(&event, &record.event)?;
        self.events.push(record.event.clone());
        Ok((event, code))
    }

    // Of all events, these laws concern a few.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn before(&mut self, event: &Event, bench: &Bench, office: &Office) -> Lawful {
        match &event.body {
            EventBody::VisitGranted {
                purpose,
                authority,
                compartment,
                consignment,
                person,
                ..
            } => {
                if let (Some(consignment), Some(person)) = (consignment, person) {
                    self.codes.meant_for(consignment, person);
                }
                self.codes.right(self.ledger(), authority, consignment.as_ref())?;
                if matches!(purpose, VisitPurpose::DropOff | VisitPurpose::Placing) {
                    really_empty(*compartment, bench)?;
                    self.proven(*compartment, bench)?;
                }
            }
            EventBody::Started { .. } => {
                // What was decided before it and not handed out never will be, and nobody has shown anything yet.
                self.pulses.restarted();
                self.codes.restarted();
            }
            EventBody::VisitMoved { to, .. } => {
                really_empty(*to, bench)?;
                self.proven(*to, bench)?;
            }
            EventBody::DroppedOff { .. } => self.pass(event.visit, office)?,
            EventBody::UnlockBegun { compartment, .. } => self.pulses.begun(event.seq, *compartment),
            EventBody::CommandAccepted { number, .. } => {
                self.command(*number, event.time, office)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Law 4: nothing is put in where nobody has shown which door the lock opens, and it does open that one.
    fn proven(&self, compartment: CompartmentId, bench: &Bench) -> Lawful {
        hold(4, self.ledger().is_proven(compartment), || {
            format!("compartment {compartment} was offered, but its lock is not proven")
        })?;
        let door = bench.opens(compartment);
        hold(4, door == compartment, || {
            format!("compartment {compartment} was offered, but its lock opens door {door}")
        })
    }

    /// Law 9: what is carried out was ordered for this start, and is not late.
    fn command(&self, number: u64, time: Timestamp, office: &Office) -> Lawful {
        let ordered = office.ordered(number);
        let meant = ordered.is_some_and(|command| {
            let late = command.action.opens_door() && command.expires <= time;
            command.start == self.ledger().start && !late
        });
        hold(9, meant, || {
            let start = self.ledger().start;
            format!("command {number}, {ordered:?}, was carried out in start {start} at {time}")
        })
    }

    /// Law 9: a drop-off pass fills as many compartments as the office said, however often it is shown.
    fn pass(&mut self, visit: Option<Seq>, office: &Office) -> Lawful {
        let running = visit.and_then(|visit| self.ledger().visits.get(&visit));
        let Some(Authority::Pass { pass, .. }) = running.map(|running| running.authority.clone()) else {
            return Ok(());
        };
        let filled = self.filled.entry(pass.clone()).or_default();
        *filled += 1;
        let (filled, may) = (*filled, office.compartments(&pass));
        hold(9, filled <= may, || {
            format!("pass {pass} is for {may} compartments, but filled {filled}")
        })
    }

    /// The engine wants a lock pulsed.
    pub(super) fn handed_out(&mut self, unlock: Seq, compartment: CompartmentId, not_after: u64) -> Lawful {
        self.pulses.handed_out(unlock, compartment, not_after)
    }

    /// A solenoid was driven: in time, for a cause, behind the right door unless somebody is looking which one that is, and where
    /// nothing lies that the visit is not about.
    pub(super) fn pulsed(&mut self, Pulsed { door, meant }: Pulsed, now: u64, bench: &Bench) -> Lawful<Seq> {
        let unlock = self.pulses.pulsed(meant, now)?;
        let mut visits = self.ledger().visits.values();
        let visit = visits.find(|visit| visit.compartment == meant);
        let looks = [VisitPurpose::Inspection, VisitPurpose::Proving];
        let looked_into = visit.is_none_or(|visit| looks.contains(&visit.purpose));
        let theirs = |thing: &Thing| match thing {
            Thing::Consignment(name) => {
                let about = visit.and_then(|visit| visit.consignment.as_ref());
                about.is_some_and(|id| id.as_str() == name)
            }
            Thing::Foreign => true,
        };
        let inside = bench.contents(door);
        let tainted = bench.tainted.contains(&door);
        let known = looked_into || tainted || inside.iter().all(theirs);
        hold(4, known, || {
            format!("compartment {door} with {inside:?} inside was opened for {visit:?}")
        })?;
        let right = door == meant || (looked_into && (tainted || inside.is_empty()));
        hold(4, right, || {
            format!("door {door} with {inside:?} inside was opened in place of {meant}, for {visit:?}")
        })?;
        Ok(unlock)
    }

    pub(super) fn pulse_count(&self) -> u64 {
        self.pulses.count
    }

    /// A page was drawn.
    pub(super) fn drawn(&mut self, view: &View) -> Lawful {
        let recent = self.events.len().saturating_sub(8);
        self.codes.drawn(view, &self.events[recent..])
    }

    /// The cabinet is about to judge something that somebody scanned or typed.
    pub(super) fn shown(&mut self, shown: Shown<'_>) {
        self.codes.shown(shown, &self.chronicle.ledger);
    }

    /// A step is over: this is the conversation now.
    pub(super) fn conversation(&mut self, view: &View) {
        self.codes.conversation(view.session);
    }

    /// Law 2: what the engine holds is what the events on disk make.
    pub(super) fn replayed(&self, live: &Ledger) -> Lawful {
        hold(2, live == self.ledger(), || {
            format!(
                "the ledger at {} is not what the journal makes of it at {}: {}",
                live.tip.seq,
                self.ledger().tip.seq,
                difference(live, self.ledger())
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
            let harmless = matches!(
                &*kind,
                "locker.alarm-raised" | "locker.alarm-cleared" | "locker.tries-counted"
            );
            hold(9, harmless, || format!("a forged message led to {kind}"))?;
        }
        Ok(())
    }
}

/// Law 4: what is offered is empty in truth, unless somebody did there what the cabinet cannot know of.
fn really_empty(compartment: CompartmentId, bench: &Bench) -> Lawful {
    let inside = bench.contents(compartment);
    hold(
        4,
        inside.is_empty() || bench.tainted.contains(&compartment),
        || format!("compartment {compartment} was offered with {inside:?} inside"),
    )
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
