//! Proving: staff see which door a lock opens, and that its sensor tells open from closed.
//!
//! Three readings and two words make a proof: closed, open, closed, and between them which door it was. A sensor that says the
//! opposite throughout is wired the other way round, and a door of another number shows how the locks are really wired; both are
//! proofs as well, of a wiring that the settings do not have yet.

use office_protocol::event::{Alarm, DoubtReason, VisitOutcome, VisitPurpose, Wiring};
use office_protocol::{BoardId, CompartmentId, EventBody, Seq};

use super::Cabinet;
use super::door::Phase;
use super::ledger::Compartment;
use super::screen::Screen;
use super::staff::TECHNICIAN;

/// What was seen so far of the lock that is being proven.
pub(super) struct Proving {
    /// What its sensor said before the pulse, with all doors closed: open or not.
    before: bool,
    /// The door that opened, as somebody at the cabinet said.
    door: Option<CompartmentId>,
}

impl Cabinet {
    /// Locks that are not proven, where their boards answer: a technician proves those of empty compartments, a courier the others.
    pub(super) fn is_to_prove(&self, compartment: CompartmentId, place: &Compartment) -> bool {
        let empty = place.consignment.is_none();
        let unproven = place.built && !self.ledger.is_proven(compartment);
        let readable = self.seen_closed.contains_key(&compartment);
        unproven && readable && empty == self.may(TECHNICIAN)
    }

    /// False where the sensor has said nothing yet: then a pulse would prove nothing.
    pub(super) fn begin_proving(&mut self, compartment: CompartmentId) -> bool {
        let closed = self.seen_closed.get(&compartment);
        self.session.proving = closed.map(|closed| Proving {
            before: !closed,
            door: None,
        });
        self.session.proving.is_some()
    }

    /// Whether the one at the screen is proving the lock of this visit.
    pub(super) fn is_proving(&self, visit: Seq) -> bool {
        self.session.visit() == Some(visit)
            && self
                .visit(visit)
                .is_some_and(|running| running.purpose == VisitPurpose::Proving)
    }

    /// The door that opened, once somebody has said which.
    fn named(&self) -> Option<CompartmentId> {
        self.session.proving.as_ref()?.door
    }

    /// Whether the sensor has moved and the person is to say which door did.
    pub(super) fn asks_which_door(&self, visit: Seq) -> bool {
        self.is_proving(visit) && self.named().is_none()
    }

    /// A reading of the lock that is being proven, whichever way its sensor is wired.
    pub(super) fn proving_read(&mut self, visit: Seq, open: bool) {
        let Some(compartment) = self.visit(visit).map(|running| running.compartment) else {
            return;
        };
        let place = self.ledger.compartments.get(&compartment);
        if place.is_some_and(|place| place.open != Some(open)) {
            self.record_in(
                visit,
                if open {
                    EventBody::DoorOpened { compartment }
                } else {
                    EventBody::DoorClosed { compartment }
                },
            );
        }
        if !open {
            self.clear(Alarm::DoorOpen, Some(compartment));
        }
        let moved = self
            .session
            .proving
            .as_ref()
            .is_some_and(|proving| proving.before != open);
        let phase = self.work.get(&visit).map(|work| work.phase);
        match phase {
            Some(Phase::Opening | Phase::Asking | Phase::Closed { .. }) if moved => {
                self.phase(visit, Phase::Open { by_word: false });
            }
            Some(Phase::Open { .. }) if !moved => {
                self.phase(visit, Phase::Closed { by_word: false });
                self.session.touched = self.moment.now;
                self.seen_through(visit);
            }
            Some(
                Phase::Granted
                | Phase::Opening
                | Phase::Resting { .. }
                | Phase::Asking
                | Phase::Open { .. }
                | Phase::Closed { .. },
            )
            | None => {}
        }
    }

    /// The person says which door has opened.
    pub(super) fn door_named(&mut self, visit: Seq, door: CompartmentId) {
        let known = self
            .ledger
            .compartments
            .get(&door)
            .is_some_and(|place| place.built);
        let Some(proving) = self.session.proving.as_mut().filter(|_| known) else {
            return;
        };
        proving.door = Some(door);
        if self
            .visit(visit)
            .is_some_and(|running| running.compartment != door)
        {
            self.doubt_what_is_inside(door, DoubtReason::Inspected); // it stood open, and nobody was to open it
        }
        self.seen_through(visit);
    }

    /// Opened, named, closed again: that is a proof. Who opened a compartment with something inside says whether it still is.
    fn seen_through(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let closed = self
            .work
            .get(&visit)
            .is_some_and(|work| matches!(work.phase, Phase::Closed { .. }));
        let place = self.ledger.compartments.get(&running.compartment);
        let wiring = place.and_then(|place| place.wiring);
        let (true, Some(proving), Some(wiring), Some(staff)) =
            (closed, &self.session.proving, wiring, self.staff_at_work())
        else {
            return;
        };
        let Some(door) = proving.door else { return };
        let wiring = Wiring {
            inverted: wiring.inverted ^ proving.before,
            ..wiring
        };
        if self.ledger.proofs.get(&door) != Some(&wiring) {
            let compartment = door;
            let body = EventBody::ChannelProven {
                compartment,
                wiring,
                staff,
            };
            self.record_in(visit, body);
        }
        self.clear(Alarm::SensorBroken, Some(running.compartment));
        self.clear(Alarm::DoorJammed, Some(running.compartment));
        if running.consignment.is_none() || door != running.compartment {
            self.settle(visit, VisitOutcome::Done);
            if self.ledger.is_proven(running.compartment) {
                self.round_advanced(VisitPurpose::Proving);
            } else {
                self.skip_in_round(visit, running.compartment, VisitPurpose::Proving); // until the settings say so
            }
        }
    }

    /// The person sees something else than the sensor: nothing is proven.
    pub(super) fn sensor_did_not_follow(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        self.fail_open_pulse(visit);
        self.raise(Alarm::SensorBroken, Some(running.compartment));
        if running.consignment.is_some() {
            self.doubt(visit, DoubtReason::Inspected);
            self.settle(visit, VisitOutcome::Unconfirmed);
        } else {
            self.settle(visit, VisitOutcome::Cancelled);
        }
        self.skip_in_round(visit, running.compartment, VisitPurpose::Proving);
    }

    /// A technician has hung another board in this one's place. What lies behind its doors stays collectable.
    pub(super) fn replace_board(&mut self, board: BoardId) {
        let mut places = self.ledger.compartments.keys();
        let known = places.any(|id| self.ledger.board_of(*id) == Some(board));
        if let (true, true, Some(staff)) = (known, self.may(TECHNICIAN), self.staff_at_work()) {
            self.record(EventBody::BoardReplaced { board, staff });
        }
    }

    /// The screen at a door that moves while its lock is being proven.
    pub(super) fn proving_screen(&self, visit: Seq, work: super::screen::DoorWork) -> Screen {
        let phase = self.work.get(&visit).map(|work| work.phase);
        let open = matches!(phase, Some(Phase::Open { .. }));
        match self.named() {
            None => Screen::WhichDoor {
                doors: self.built_doors(),
                work,
            },
            Some(door) if open => Screen::DoorOpen {
                work: super::screen::DoorWork {
                    compartment: door,
                    ..work
                },
                reminder: self.reminder(visit),
                envelope: false,
                item_seen: None,
            },
            Some(_) => Screen::WhatIsInside { work },
        }
    }

    fn built_doors(&self) -> Vec<CompartmentId> {
        let built = self.ledger.compartments.iter().filter(|(_, place)| place.built);
        built.map(|(id, _)| *id).collect()
    }
}
