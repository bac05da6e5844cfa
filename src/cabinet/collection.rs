//! Collection: the citizen, or who is authorised, takes a placed consignment out; codes and their renewal.

use office_protocol::event::{Alarm, Authority, Complaint, DoubtReason, VisitOutcome, VisitPurpose};
use office_protocol::sealed::SealingKey;
use office_protocol::{ConsignmentId, EventBody, Personal, PickupCode, SealedPart, Seq, Timestamp};

use super::code::same;
use super::door::Phase;
use super::ledger::Direction;
use super::screen::{Done, ScanProblem, Trouble};
use super::session::Stage;
use super::visit::Grant;
use super::{Cabinet, code};

impl Cabinet {
    /// Typed digits of a code, or of a slip.
    pub(super) fn digits_typed(&mut self, digits: &str) {
        if self.wait_until().is_some() || digits.len() != self.digits_wanted() {
            return;
        }
        let spare = digits.len() > super::limits::CODE_DIGITS;
        let hash = self.code_key.hash(if spare { "spare" } else { "digits" }, digits);
        let found = self.find_by_code(|code| same(if spare { &code.spare } else { &code.digits }, &hash));
        match found {
            Some(id) => self.code_presented(id, true),
            None => {
                self.count_try();
                self.session.stage = Stage::Digits { wrong: true };
            }
        }
    }

    /// A code fitted: a pickup code opens its door, a slip's asks for the second factor.
    pub(super) fn code_presented(&mut self, id: ConsignmentId, digits: bool) {
        let Some(inside) = self.ledger.consignments.get(&id) else {
            return;
        };
        match inside.direction {
            Direction::Outbound => {
                let generation = inside.generation;
                self.begin_collection(id, Authority::PickupCode { generation, digits });
            }
            Direction::Inbound => {
                self.renew_session();
                let authority = Authority::Slip { digits };
                self.session.stage = Stage::SecondFactor {
                    consignment: id,
                    authority,
                    wrong: false,
                };
            }
        }
    }

    /// Opens the door, and remembers what else lies here for the same person.
    pub(super) fn begin_collection(&mut self, id: ConsignmentId, authority: Authority) {
        let person = self
            .ledger
            .consignments
            .get(&id)
            .and_then(|inside| inside.person.clone());
        let same_person = |(other, inside): (&ConsignmentId, &super::Consignment)| {
            let theirs =
                person.is_some() && inside.person == person && inside.direction == Direction::Outbound;
            (theirs && *other != id).then(|| other.clone())
        };
        // A pass names one consignment; a code was given to the person.
        let by_code = matches!(authority, Authority::PickupCode { .. });
        let more = if by_code {
            self.ledger.consignments.iter().filter_map(same_person).collect()
        } else {
            Vec::new()
        };
        self.renew_session();
        self.session.more = more;
        self.session.right = Some(authority.clone());
        self.begin_visit(VisitPurpose::Collection, id, authority);
    }

    /// The next door of the same person.
    pub(super) fn next_of_person(&mut self) {
        self.session
            .more
            .retain(|id| self.ledger.consignments.contains_key(id));
        let Some(authority) = self.session.right.clone() else {
            return;
        };
        if !self.session.more.is_empty() {
            let id = self.session.more.remove(0);
            self.begin_visit(VisitPurpose::Collection, id, authority);
        }
    }

    /// Grants and opens where a consignment lies.
    pub(super) fn begin_visit(&mut self, purpose: VisitPurpose, id: ConsignmentId, authority: Authority) {
        let Some(compartment) = self.ledger.consignments.get(&id).map(|inside| inside.compartment) else {
            return;
        };
        if let Some(running) = self
            .ledger
            .compartments
            .get(&compartment)
            .and_then(|place| place.visit)
        {
            if !self.visit(running).is_some_and(|visit| visit.left_open) {
                return self.scan_problem(ScanProblem::Busy);
            }
            self.settle(running, VisitOutcome::Unconfirmed); // the door still stands open; its owner came back
        }
        let grant = Grant {
            purpose,
            authority,
            compartment,
            consignment: Some(id),
        };
        let visit = self.grant(grant.body(), Vec::new());
        self.session.stage = Stage::Door { visit };
        self.pulse(visit);
    }

    /// "Took everything?" — yes; or nobody answered in time.
    pub(super) fn taken_out(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let by_word = self
            .work
            .get(&visit)
            .is_some_and(|work| work.phase == Phase::Closed { by_word: true });
        let (compartment, staff) = (running.compartment, self.staff_at_work());
        if let Some(consignment) = running.consignment.clone() {
            let body = match (running.purpose, staff) {
                (VisitPurpose::TakeBack, _) => EventBody::TakenBack {
                    consignment,
                    compartment,
                },
                (VisitPurpose::Clearing, Some(staff)) => {
                    let envelope = self.session.drop_off.envelope.take();
                    EventBody::Cleared {
                        consignment,
                        compartment,
                        staff,
                        envelope,
                    }
                }
                (VisitPurpose::Recall, Some(staff)) => EventBody::Recalled {
                    consignment,
                    compartment,
                    staff,
                },
                _ => EventBody::Collected {
                    consignment,
                    compartment,
                },
            };
            self.record_in(visit, body);
            self.clear(Alarm::Dispute, Some(compartment));
            self.clear(Alarm::DoorForced, Some(compartment));
        }
        if by_word {
            self.record_in(
                visit,
                EventBody::Unconfirmed {
                    compartment,
                    consignment: None,
                    reason: DoubtReason::LeftOpen,
                },
            );
        }
        self.settle(visit, VisitOutcome::Done);
        match running.purpose {
            VisitPurpose::Clearing | VisitPurpose::Recall => self.round_advanced(running.purpose),
            VisitPurpose::TakeBack => self.session.stage = Stage::Done(Done::TakenBack),
            VisitPurpose::Collection
            | VisitPurpose::DropOff
            | VisitPurpose::Placing
            | VisitPurpose::Inspection
            | VisitPurpose::Proving => {
                self.session.stage = Stage::Done(Done::Collected);
            }
        }
    }

    /// Empty, wrong, damaged: noted, the consignment stays in doubt, and somebody will look.
    pub(super) fn complained(&mut self, visit: Seq, complaint: Complaint) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let compartment = running.compartment;
        self.record_in(
            visit,
            EventBody::Disputed {
                consignment: running.consignment,
                compartment,
                complaint,
            },
        );
        self.raise(Alarm::Dispute, Some(compartment));
        self.doubt(visit, DoubtReason::Disputed);
        self.settle(visit, VisitOutcome::Unconfirmed);
        match running.purpose {
            VisitPurpose::Clearing
            | VisitPurpose::Recall
            | VisitPurpose::Inspection
            | VisitPurpose::Proving => {
                self.skip_in_round(visit, compartment, running.purpose);
            }
            VisitPurpose::DropOff
            | VisitPurpose::TakeBack
            | VisitPurpose::Placing
            | VisitPurpose::Collection => {
                self.session.stage = Stage::Done(Done::ComplaintNoted);
            }
        }
    }

    /// The door does not open: the documents are safe, the code stays valid.
    pub(super) fn sorry_stuck(&mut self, visit: Seq) {
        let work = self.door_work(visit);
        self.settle(visit, VisitOutcome::NotOpened);
        self.session.stage = Stage::Sorry(Trouble::DoorStuckInside, work);
    }

    pub(super) fn sealing_key(&self) -> Option<SealingKey> {
        self.authority
            .keys
            .as_ref()
            .and_then(|keys| keys.sealing.first().cloned())
    }

    pub(super) fn draw_code(&mut self) -> PickupCode {
        let codes = self.ledger.consignments.values().filter_map(|inside| inside.code);
        let visits = self.ledger.visits.values().filter_map(|visit| visit.slip);
        let taken: Vec<_> = codes.chain(visits).map(|code| code.digits).collect();
        code::draw(&self.config.id, &self.code_key, &taken, &mut self.moment.dice)
    }

    /// A new code with its sealed form for the office; none without the office's sealing key.
    pub(super) fn issue_code(&mut self) -> Option<(office_protocol::event::CodeHashes, SealedPart)> {
        let key = self.sealing_key()?;
        let plain = self.draw_code();
        let hashes = self.code_key.hashes(&plain);
        let cabinet = self.config.id.clone();
        let sealed = SealedPart::seal(
            &Personal {
                phone: None,
                code: Some(plain),
            },
            &key,
            &cabinet,
            self.dice(),
        )?;
        Some((hashes, sealed))
    }

    pub(super) fn reissue_code(&mut self, consignment: &ConsignmentId) {
        let generation = self
            .ledger
            .consignments
            .get(consignment)
            .map_or(1, |inside| inside.generation.saturating_add(1));
        if let Some((code, part)) = self.issue_code() {
            let sealed = part.digest();
            let body = EventBody::CodeReissued {
                consignment: consignment.clone(),
                generation,
                code,
                sealed,
            };
            self.write(None, body, vec![part]);
        }
    }

    /// The office knows of these placings now: their hold period begins.
    pub(super) fn start_holds(&mut self, acknowledged: Seq) {
        if !self.moment.trusted {
            return; // a later position will do
        }
        let until: Timestamp = self.today().time.plus_days(self.authority.policy.hold_days);
        let waiting = |(id, inside): (&ConsignmentId, &super::Consignment)| {
            let known = inside.direction == Direction::Outbound && inside.placed <= acknowledged;
            (known && inside.held_until.is_none()).then(|| id.clone())
        };
        let started: Vec<ConsignmentId> = self.ledger.consignments.iter().filter_map(waiting).collect();
        for consignment in started {
            self.record(EventBody::HoldStarted { consignment, until });
        }
    }
}
