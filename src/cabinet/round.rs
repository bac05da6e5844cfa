//! Rounds: a list that staff go through door by door — clearing, recall, and looking into what is in doubt.

use office_protocol::event::{Alarm, Authority, VisitOutcome, VisitPurpose, WithdrawReason};
use office_protocol::{CompartmentId, EventBody, Seq};

use super::Cabinet;
use super::ledger::{Compartment, Direction};
use super::screen::RoundRow;
use super::session::Stage;
use super::visit::Grant;

impl Cabinet {
    fn belongs(&self, purpose: VisitPurpose, id: CompartmentId, place: &Compartment) -> bool {
        let inside = place
            .consignment
            .as_ref()
            .and_then(|id| self.ledger.consignments.get(id));
        let now = self.today().time;
        match purpose {
            VisitPurpose::Clearing => inside.is_some_and(|inside| inside.direction == Direction::Inbound),
            VisitPurpose::Recall => inside.is_some_and(|inside| {
                let overdue = inside.held_until.is_some_and(|until| until <= now);
                inside.direction == Direction::Outbound && (overdue || inside.disputed.is_some())
            }),
            // Disputed ones too: only somebody who looks can say that a compartment is empty, or holds what nobody knows of.
            VisitPurpose::Inspection => place.doubt.is_some(),
            VisitPurpose::Proving => self.is_to_prove(id, place),
            VisitPurpose::DropOff
            | VisitPurpose::TakeBack
            | VisitPurpose::Placing
            | VisitPurpose::Collection => false,
        }
    }

    /// What is left to do, lowest door first.
    pub(super) fn rows(&self, purpose: VisitPurpose) -> Vec<RoundRow> {
        let skipped = self.session.at_work.as_ref().map(|work| &work.skipped);
        let row = |(id, place): (&CompartmentId, &Compartment)| {
            let inside = place
                .consignment
                .as_ref()
                .and_then(|id| self.ledger.consignments.get(id));
            let busy = place.visit.is_some() || skipped.is_some_and(|skipped| skipped.contains(id));
            (!busy && self.belongs(purpose, *id, place)).then(|| RoundRow {
                compartment: *id,
                consignment: place.consignment.clone(),
                since: inside.map_or(self.ledger.floor, |inside| inside.since),
                unconfirmed: place.doubt.is_some(),
            })
        };
        self.ledger.compartments.iter().filter_map(row).collect()
    }

    pub(super) fn begin_round(&mut self, purpose: VisitPurpose) {
        if let Some(work) = &mut self.session.at_work {
            work.done = 0;
            work.skipped.clear();
            self.session.stage = Stage::Round(purpose);
        }
    }

    /// Back to what there is to do; doors that were given up count again.
    pub(super) fn end_round(&mut self) {
        if let Some(work) = &mut self.session.at_work {
            work.skipped.clear();
        }
        self.session.stage = Stage::StaffHome;
    }

    pub(super) fn open_in_round(&mut self, purpose: VisitPurpose, compartment: Option<CompartmentId>) {
        let rows = self.rows(purpose);
        let row = rows
            .iter()
            .find(|row| compartment.is_none_or(|wanted| row.compartment == wanted));
        let (Some(row), Some(staff)) = (row, self.staff_at_work()) else {
            return;
        };
        let grant = Grant {
            purpose,
            authority: Authority::Staff { staff },
            compartment: row.compartment,
            consignment: row.consignment.clone(),
        };
        if purpose == VisitPurpose::Proving && !self.begin_proving(grant.compartment) {
            return;
        }
        let visit = self.grant(grant.body(), Vec::new());
        self.session.drop_off.envelope = None;
        self.session.stage = Stage::Door { visit };
        self.pulse(visit);
    }

    /// A technician opens a compartment that should be empty.
    pub(super) fn open_empty(&mut self, compartment: CompartmentId) {
        let empty = |place: &Compartment| place.consignment.is_none() && place.visit.is_none();
        let fits = self.ledger.compartments.get(&compartment).is_some_and(empty);
        let (true, Some(staff)) = (fits, self.staff_at_work()) else {
            return;
        };
        let authority = Authority::Staff { staff };
        let grant = Grant {
            purpose: VisitPurpose::Inspection,
            authority,
            compartment,
            consignment: None,
        };
        let visit = self.grant(grant.body(), Vec::new());
        self.session.stage = Stage::Door { visit };
        self.pulse(visit);
    }

    pub(super) fn round_advanced(&mut self, purpose: VisitPurpose) {
        if let Some(work) = &mut self.session.at_work {
            work.done = work.done.saturating_add(1);
        }
        self.session.stage = self.back_at_work(purpose);
    }

    /// Gives this door up for this round; the visit is settled already.
    pub(super) fn skip_in_round(&mut self, visit: Seq, compartment: CompartmentId, purpose: VisitPurpose) {
        if !matches!(self.session.stage, Stage::Door { visit: shown } if shown == visit) {
            return;
        }
        if let Some(work) = &mut self.session.at_work {
            work.skipped.insert(compartment);
        }
        self.session.stage = self.back_at_work(purpose);
    }

    fn back_at_work(&self, purpose: VisitPurpose) -> Stage {
        let technician = self
            .session
            .at_work
            .as_ref()
            .is_some_and(|work| work.role == super::staff::TECHNICIAN);
        if technician && purpose == VisitPurpose::Inspection {
            Stage::Compartments
        } else {
            Stage::Round(purpose)
        }
    }

    /// Staff looked: what should be inside is, or something else.
    pub(super) fn looked(&mut self, visit: Seq, found: Found) {
        let (Some(running), Some(staff)) = (self.ledger.visits.get(&visit).cloned(), self.staff_at_work())
        else {
            return;
        };
        let compartment = running.compartment;
        let consignment = running.consignment.clone();
        let inside = found == Found::Inside && consignment.is_some();
        let body = EventBody::Confirmed {
            compartment,
            consignment: consignment.clone(),
            inside,
            staff: Some(staff.clone()),
        };
        self.record_in(visit, body);
        if found == Found::Foreign || (found == Found::Inside && consignment.is_none()) {
            self.withdraw(compartment, WithdrawReason::Occupied);
        }
        if let Some(consignment) = consignment.filter(|_| inside) {
            let without_code = |inside: &super::Consignment| {
                inside.direction == Direction::Outbound && inside.code.is_none()
            };
            if self
                .ledger
                .consignments
                .get(&consignment)
                .is_some_and(without_code)
            {
                self.issue(Some(visit), consignment, staff);
            }
        }
        self.clear(Alarm::Dispute, Some(compartment));
        self.clear(Alarm::DoorForced, Some(compartment));
        self.settle(visit, VisitOutcome::Done);
        self.round_advanced(running.purpose);
    }
}

/// What staff found inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Inside,
    Empty,
    Foreign,
}
