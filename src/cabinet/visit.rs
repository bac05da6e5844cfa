//! Visits: granting one, pulsing its lock, moving it, settling it.

use office_protocol::event::{
    Alarm, Authority, DoubtReason, MoveReason, UnlockFailure, VisitOutcome, VisitPurpose, WithdrawReason,
};
use office_protocol::{CompartmentId, ConsignmentId, EventBody, SealedPart, Seq};

use super::Cabinet;
use super::door::{Phase, Work};
use super::ledger::Visit;
use super::limits::UNLOCK_LIFETIME_MS;
use super::screen::Trouble;
use super::session::Stage;
use super::vocabulary::Effect;

/// A visit that is about to be granted; what only drop-offs and placings have is added by them.
pub(super) struct Grant {
    pub(super) purpose: VisitPurpose,
    pub(super) authority: Authority,
    pub(super) compartment: CompartmentId,
    pub(super) consignment: Option<ConsignmentId>,
}

impl Grant {
    pub(super) fn body(self) -> EventBody {
        EventBody::VisitGranted {
            purpose: self.purpose,
            authority: self.authority,
            compartment: self.compartment,
            consignment: self.consignment,
            application: None,
            item: None,
            slip: None,
            second: None,
            person: None,
            sealed: None,
        }
    }
}

impl Cabinet {
    /// Grants a visit; the number is its event's. No pulse yet.
    pub(super) fn grant(&mut self, body: EventBody, sealed: Vec<SealedPart>) -> Seq {
        let visit = self.next_seq();
        self.write(Some(visit), body, sealed);
        self.work.insert(
            visit,
            Work {
                phase: Phase::Granted,
                since: self.moment.now,
                alarmed: false,
                entered: false,
            },
        );
        visit
    }

    pub(super) fn visit(&self, visit: Seq) -> Option<&Visit> {
        self.ledger.visits.get(&visit)
    }

    /// One pulse: journaled, then sent.
    pub(super) fn pulse(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit) else {
            return;
        };
        let (compartment, pulse) = (running.compartment, running.pulses.saturating_add(1));
        let unlock = self.record_in(visit, EventBody::UnlockBegun { compartment, pulse });
        self.effect(Effect::Unlock {
            compartment,
            unlock,
            not_after: self.moment.now.plus_millis(UNLOCK_LIFETIME_MS),
        });
        self.pulsed.insert(compartment, self.moment.now);
        self.phase(visit, Phase::Opening);
        // A door that reads open already is pulsed all the same (a sensor never suppresses an unlock), and counts as open.
        if self.seen_closed.get(&compartment) == Some(&false) && !self.is_proving(visit) {
            self.door_opened(visit, compartment);
        }
    }

    pub(super) fn phase(&mut self, visit: Seq, phase: Phase) {
        let before = self.work.get(&visit).is_some_and(|work| work.entered);
        let work = Work {
            phase,
            since: self.moment.now,
            alarmed: false,
            entered: before || matches!(phase, Phase::Open { .. }),
        };
        self.work.insert(visit, work);
    }

    pub(super) fn settle(&mut self, visit: Seq, outcome: VisitOutcome) {
        if let Some(running) = self.ledger.visits.get(&visit) {
            let compartment = running.compartment;
            self.fail_open_pulse(visit);
            self.record_in(visit, EventBody::VisitSettled { compartment, outcome });
        }
        self.work.remove(&visit);
    }

    /// A pulse that nothing came of is written down as uncertain before the visit goes on.
    pub(super) fn fail_open_pulse(&mut self, visit: Seq) {
        let Some((compartment, unlock)) = self
            .visit(visit)
            .and_then(|run| run.unlocking.map(|unlock| (run.compartment, unlock)))
        else {
            return;
        };
        self.record_in(
            visit,
            EventBody::UnlockFailed {
                compartment,
                unlock,
                reason: UnlockFailure::Uncertain,
            },
        );
    }

    /// Nobody knows what is inside any more.
    pub(super) fn doubt(&mut self, visit: Seq, reason: DoubtReason) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        self.use_pass(visit);
        self.record_in(
            visit,
            EventBody::Unconfirmed {
                compartment: running.compartment,
                consignment: running.consignment,
                reason,
            },
        );
    }

    /// A drop-off pass is used up once something is, or may be, inside.
    pub(super) fn use_pass(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit) else {
            return;
        };
        if let (VisitPurpose::DropOff, Authority::Pass { pass, expires, .. }) =
            (running.purpose, &running.authority)
            && !self.ledger.used_passes.contains_key(pass)
        {
            let body = EventBody::PassUsed {
                pass: pass.clone(),
                expires: *expires,
            };
            self.record_in(visit, body);
        }
    }

    /// A visit that ends without an answer: what was touched is in doubt, what was not is free again.
    pub(super) fn abandon(&mut self, visit: Seq, reason: DoubtReason) {
        let Some(pulses) = self.visit(visit).map(|running| running.pulses) else {
            return;
        };
        if pulses == 0 {
            self.settle(visit, VisitOutcome::Cancelled);
        } else {
            self.fail_open_pulse(visit);
            self.doubt(visit, reason);
            self.settle(visit, VisitOutcome::Unconfirmed);
        }
    }

    /// The door did not open after all pulses: the compartment is out of service, or what is inside waits for somebody.
    pub(super) fn jammed(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        self.fail_open_pulse(visit);
        self.raise(Alarm::DoorJammed, Some(running.compartment));
        let entered = self.work.get(&visit).is_some_and(|work| work.entered);
        match running.purpose {
            // It opened before, and something was put in: no other door helps, and nobody can say what is inside.
            VisitPurpose::DropOff if entered => {
                let work = self.door_work(visit);
                self.abandon(visit, DoubtReason::Unanswered);
                self.session.stage = Stage::Sorry(Trouble::DoorStuckInside, work);
            }
            VisitPurpose::Placing if entered => {
                self.abandon(visit, DoubtReason::Unanswered);
                self.placing_stuck();
            }
            VisitPurpose::DropOff | VisitPurpose::Placing => {
                self.withdraw(running.compartment, WithdrawReason::Broken);
                self.move_visit(visit, MoveReason::NotOpened);
            }
            VisitPurpose::TakeBack | VisitPurpose::Collection => self.sorry_stuck(visit),
            VisitPurpose::Clearing
            | VisitPurpose::Recall
            | VisitPurpose::Inspection
            | VisitPurpose::Proving => {
                self.settle(visit, VisitOutcome::NotOpened);
                self.command_ended(&running, false);
                self.skip_in_round(visit, running.compartment, running.purpose);
            }
        }
    }

    pub(super) fn withdraw(&mut self, compartment: CompartmentId, reason: WithdrawReason) {
        if self
            .ledger
            .compartments
            .get(&compartment)
            .is_some_and(|place| place.withdrawn.is_none())
        {
            self.record(EventBody::CompartmentWithdrawn { compartment, reason });
        }
    }
}
