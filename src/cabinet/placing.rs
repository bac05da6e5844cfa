//! Placing: a courier puts results in for citizens, door by door; the last one can be undone until the next begins.

use office_protocol::event::{Authority, Size, VisitOutcome, VisitPurpose};
use office_protocol::{ConsignmentId, EventBody, Seq, StaffId};

use super::Cabinet;
use super::allocation::Wish;
use super::door::Phase;
use super::screen::LabelProblem;
use super::session::Stage;

impl Cabinet {
    pub(super) fn label_scanned(&mut self, text: &str) {
        self.session.touched = self.moment.now;
        let Some(label) = self.label_of(text) else {
            return self.refuse_label(LabelProblem::Unreadable);
        };
        let pending = self.session.at_work.as_ref().and_then(|work| work.pending);
        let in_visit = self
            .ledger
            .visits
            .values()
            .any(|visit| visit.consignment.as_ref() == Some(&label));
        if self.ledger.consignments.contains_key(&label) || in_visit {
            return self.refuse_label(LabelProblem::AlreadyInside);
        }
        if let Some(pending) = pending {
            self.placed(pending);
        }
        match self.authority.expected(&label).map(|expected| expected.size) {
            Some(size) => self.begin_placing(label, size),
            None => self.session.stage = Stage::PlacingSize { label },
        }
    }

    fn refuse_label(&mut self, problem: LabelProblem) {
        self.session.stage = Stage::PlacingScan {
            refused: Some(problem),
        };
    }

    pub(super) fn begin_placing(&mut self, label: ConsignmentId, size: Size) {
        let Some(staff) = self.staff_at_work() else { return };
        let Some(compartment) = self.choose(Wish {
            size,
            reachable: false,
        }) else {
            return self.refuse_label(LabelProblem::NoRoom);
        };
        self.session.drop_off.size = Some(size);
        self.session.drop_off.reachable = false;
        let expected = self.authority.expected(&label);
        let body = EventBody::VisitGranted {
            purpose: VisitPurpose::Placing,
            authority: Authority::Staff { staff },
            compartment,
            application: expected.map(|expected| expected.application.clone()),
            person: expected.map(|expected| expected.person.clone()),
            consignment: Some(label),
            item: None,
            slip: None,
            second: None,
            sealed: None,
        };
        let visit = self.grant(body, Vec::new());
        self.session.stage = Stage::Door { visit };
        self.pulse(visit);
    }

    /// The door closed: wait for the next label, or ask what the undoing came to.
    pub(super) fn placing_closed(&mut self, visit: Seq) {
        if self.session.visit() != Some(visit) {
            return;
        }
        if let Some(work) = &mut self.session.at_work
            && !work.undoing
        {
            work.pending = Some(visit);
            self.session.stage = Stage::PlacingScan { refused: None };
        }
    }

    pub(super) fn placing_failed(&mut self) {
        self.refuse_label(LabelProblem::NoRoom);
    }

    /// The door that was to be opened again stays shut, with the last one behind it.
    pub(super) fn placing_stuck(&mut self) {
        if let Some(work) = &mut self.session.at_work {
            work.undoing = false;
            work.pending = None;
        }
        self.refuse_label(LabelProblem::DoorStuck);
    }

    /// Opens the last one again.
    pub(super) fn undo_last(&mut self) {
        let Some(work) = &mut self.session.at_work else {
            return;
        };
        if let Some(visit) = work.pending.take() {
            work.undoing = true;
            self.session.stage = Stage::Door { visit };
            self.pulse(visit);
        }
    }

    /// The undoing's answer to "is it inside?".
    pub(super) fn undone(&mut self, visit: Seq, inside: bool) {
        if let Some(work) = &mut self.session.at_work {
            work.undoing = false;
        }
        if inside {
            self.placed(visit);
        } else {
            self.settle(visit, VisitOutcome::Cancelled);
        }
        self.session.stage = Stage::PlacingScan { refused: None };
    }

    /// The placing counts: the code is issued, and leaves sealed to the office.
    pub(super) fn placed(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let Authority::Staff { staff } = running.authority.clone() else {
            return;
        };
        if let Some(consignment) = running.consignment.clone() {
            let by_word = self
                .work
                .get(&visit)
                .is_some_and(|work| work.phase == Phase::Closed { by_word: true });
            self.issue(Some(visit), consignment, staff);
            if by_word {
                self.doubt(visit, office_protocol::event::DoubtReason::LeftOpen);
            }
        }
        self.settle(visit, VisitOutcome::Done);
        if let Some(work) = &mut self.session.at_work {
            work.pending = None;
            work.done = work.done.saturating_add(1);
        }
    }

    /// Writes down that a consignment lies here for a citizen, with a fresh code.
    pub(super) fn issue(&mut self, visit: Option<Seq>, consignment: ConsignmentId, staff: StaffId) {
        let place = visit
            .and_then(|visit| self.visit(visit))
            .map(|running| running.compartment);
        let known = self.ledger.consignments.get(&consignment);
        let Some(compartment) = known.map(|inside| inside.compartment).or(place) else {
            return;
        };
        let generation = known.map_or(0, |inside| inside.generation).saturating_add(1);
        let running = visit.and_then(|visit| self.visit(visit));
        let application = known
            .and_then(|inside| inside.application.clone())
            .or(running.and_then(|run| run.application.clone()));
        let person = known
            .and_then(|inside| inside.person.clone())
            .or(running.and_then(|run| run.person.clone()));
        let expected = self.authority.expected(&consignment).is_some();
        let hold_days = self.authority.policy.hold_days;
        let (code, part) = self.issue_code().unzip();
        let sealed = part.as_ref().map(office_protocol::SealedPart::digest);
        let body = EventBody::Placed {
            consignment,
            compartment,
            application,
            person,
            expected,
            staff,
            generation,
            code,
            sealed,
            hold_days,
        };
        self.write(visit, body, part.into_iter().collect());
    }
}
