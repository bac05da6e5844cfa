//! Drop-off and take-back: a citizen puts a consignment in for the office, and may take it out again until it is cleared.

use office_protocol::event::{
    Authority, DoubtReason, MoveReason, SecondFactor, SecondFactorKind, Size, VisitOutcome, VisitPurpose,
    WithdrawReason,
};
use office_protocol::{
    ApplicationId, ConsignmentId, EventBody, ItemCode, PassId, Personal, Purpose, SealedPart, Seq, Signed,
    Timestamp,
};
use zeroize::Zeroizing;

use super::allocation::Wish;
use super::door::Phase;
use super::screen::{Done, Trouble};
use super::session::{DropOff, Receipt, Stage};
use super::vocabulary::Space;
use super::{Cabinet, code};

/// Shortest and longest phone number, in digits.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

impl Cabinet {
    /// Whether a drop-off can be taken at all just now.
    pub(super) fn takes_drop_offs(&self) -> bool {
        self.space == Space::Plenty
            && super::allocation::free(&self.ledger, &self.seen_closed)
                .next()
                .is_some()
    }

    pub(super) fn begin_drop_off(
        &mut self,
        pass: Option<(PassId, Timestamp)>,
        left: u8,
        application: Option<ApplicationId>,
        items: Vec<ItemCode>,
        size: Option<Size>,
    ) {
        if !self.takes_drop_offs() {
            return self.scan_problem(super::screen::ScanProblem::NoRoom);
        }
        let walk_in = pass.is_none();
        self.renew_session();
        self.session.drop_off = DropOff {
            pass,
            left,
            application,
            items,
            size,
            ..DropOff::default()
        };
        self.session.stage = if walk_in {
            Stage::ChooseItem
        } else {
            Stage::Checklist
        };
    }

    /// Without a pass: only so many may be inside at once.
    pub(super) fn start_walk_in(&mut self) {
        let unverified = self
            .ledger
            .consignments
            .values()
            .filter(|inside| inside.unverified)
            .count();
        if unverified >= self.authority.policy.unverified_drop_offs_max as usize {
            self.session.stage = Stage::Sorry(Trouble::TooManyUnverified, None);
        } else {
            self.begin_drop_off(None, 1, None, Vec::new(), None);
        }
    }

    pub(super) fn item_chosen(&mut self, item: ItemCode) {
        if let Some(size) = self.config.items.get(&item) {
            self.session.drop_off.size = Some(*size);
            self.session.drop_off.items = vec![item];
            self.session.stage = Stage::Phone {
                first: None,
                mismatch: false,
            };
        }
    }

    pub(super) fn phone_typed(&mut self, phone: String) {
        let phone = Zeroizing::new(phone);
        if !(PHONE_DIGITS.contains(&phone.len()) && phone.bytes().all(|digit| digit.is_ascii_digit())) {
            return;
        }
        let Stage::Phone { first, mismatch } = &mut self.session.stage else {
            return;
        };
        match first.take() {
            None => (*first, *mismatch) = (Some(phone), false),
            Some(earlier) if earlier == phone => {
                self.session.drop_off.phone = Some(phone);
                self.session.stage = Stage::Checklist;
            }
            Some(_) => *mismatch = true,
        }
    }

    /// The checklist is accepted: a compartment is kept for this person, and the slip shown before the door opens.
    pub(super) fn checklist_accepted(&mut self, reachable: bool) {
        self.session.drop_off.reachable = reachable;
        let wish = Wish {
            size: self.session.drop_off.size.unwrap_or(Size::Small),
            reachable,
        };
        let Some(compartment) = self.choose(wish) else {
            self.session.stage = Stage::Sorry(Trouble::Full, None);
            return;
        };
        let reference: ConsignmentId = format!("{}.{}", self.config.id, self.next_seq())
            .parse()
            .expect("a cabinet id, a dot and digits");
        let slip = self.draw_code();
        let hashes = self.code_key.hashes(&slip);
        let (kind, secret) = self.draw_second_factor();
        let second = SecondFactor {
            kind,
            hash: self.code_key.hash("second", &format!("{reference} {}", &*secret)),
        };
        self.session.drop_off.second_digits = (kind == SecondFactorKind::Receipt).then_some(secret);
        self.session.drop_off.slip = Some(slip);
        let contact = self.seal_contact();
        let drop_off = &self.session.drop_off;
        let authority = match &drop_off.pass {
            Some((pass, expires)) => Authority::Pass {
                pass: pass.clone(),
                expires: *expires,
                generation: None,
            },
            None => Authority::WalkIn,
        };
        let body = EventBody::VisitGranted {
            purpose: VisitPurpose::DropOff,
            authority,
            compartment,
            consignment: Some(reference),
            application: drop_off.application.clone(),
            item: drop_off.items.first().cloned(),
            slip: Some(hashes),
            second: Some(second),
            person: None,
            sealed: contact.as_ref().map(SealedPart::digest),
        };
        let visit = self.grant(body, contact.into_iter().collect());
        self.session.stage = Stage::Door { visit };
    }

    fn draw_second_factor(&mut self) -> (SecondFactorKind, Zeroizing<String>) {
        let drop_off = &self.session.drop_off;
        if let Some((pass, _)) = &drop_off.pass {
            return (SecondFactorKind::Pass, Zeroizing::new(pass.to_string()));
        }
        match &drop_off.phone {
            Some(phone) => (
                SecondFactorKind::Phone,
                Zeroizing::new(phone[phone.len() - 4..].to_owned()),
            ),
            None => (
                SecondFactorKind::Receipt,
                Zeroizing::new(code::draw_digits(4, self.dice())),
            ),
        }
    }

    fn seal_contact(&mut self) -> Option<SealedPart> {
        let phone = self.session.drop_off.phone.as_ref()?.to_string();
        let key = self.sealing_key()?;
        let cabinet = self.config.id.clone();
        let personal = Personal {
            phone: Some(phone),
            code: None,
        };
        SealedPart::seal(&personal, &key, &cabinet, self.dice())
    }

    /// Another door, because this one is occupied, dirty, too small, out of reach or stuck.
    pub(super) fn move_visit(&mut self, visit: Seq, reason: MoveReason) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let from = running.compartment;
        match reason {
            MoveReason::Occupied => self.withdraw(from, WithdrawReason::Occupied),
            MoveReason::Dirty => self.withdraw(from, WithdrawReason::Dirty),
            MoveReason::TooSmall | MoveReason::NotOpened | MoveReason::OutOfReach => {}
        }
        let place = self.ledger.compartments.get(&from);
        let size = place.map_or(Size::Small, |place| place.size);
        let size = match (reason, size) {
            (MoveReason::TooSmall, Size::Small) => Some(Size::Medium),
            (MoveReason::TooSmall, Size::Medium) => Some(Size::Large),
            (MoveReason::TooSmall, Size::Large) => None,
            (
                MoveReason::Occupied | MoveReason::Dirty | MoveReason::NotOpened | MoveReason::OutOfReach,
                _,
            ) => Some(self.session.drop_off.size.unwrap_or(size)),
        };
        let reachable = self.session.drop_off.reachable || reason == MoveReason::OutOfReach;
        let to = size.and_then(|size| self.choose(Wish { size, reachable }));
        match to {
            Some(to) => {
                self.fail_open_pulse(visit);
                self.record_in(visit, EventBody::VisitMoved { from, to, reason });
                if let Some(work) = self.work.get_mut(&visit) {
                    work.entered = false;
                }
                self.pulse(visit);
            }
            None => {
                let stuck = reason == MoveReason::NotOpened;
                let work = self.door_work(visit);
                self.settle(
                    visit,
                    if stuck {
                        VisitOutcome::NotOpened
                    } else {
                        VisitOutcome::Cancelled
                    },
                );
                if running.purpose == VisitPurpose::Placing {
                    self.placing_failed();
                } else {
                    let trouble = if stuck {
                        Trouble::DoorStuckNoOther
                    } else {
                        Trouble::Full
                    };
                    self.session.stage = Stage::Sorry(trouble, work);
                }
            }
        }
    }

    /// "Is it inside?" — yes.
    pub(super) fn dropped_off(&mut self, visit: Seq) {
        let Some(running) = self.ledger.visits.get(&visit).cloned() else {
            return;
        };
        let Some(reference) = running.consignment.clone() else {
            return;
        };
        let by_word = self
            .work
            .get(&visit)
            .is_some_and(|work| work.phase == Phase::Closed { by_word: true });
        self.use_pass(visit);
        let body = EventBody::DroppedOff {
            consignment: reference.clone(),
            compartment: running.compartment,
            application: running.application.clone(),
            item: running.item.clone(),
            envelope: self.session.drop_off.envelope.take(),
            unverified: matches!(running.authority, Authority::WalkIn),
            sealed: running.sealed,
        };
        self.record_in(visit, body);
        if by_word {
            self.doubt(visit, DoubtReason::LeftOpen); // the person says closed, the sensor does not
        }
        self.settle(visit, VisitOutcome::Done);
        let received = self.moment.wall.max(self.ledger.floor);
        let text = format!("LR1:{}:{reference}:{received}", self.config.id);
        let signed = Signed::new(
            &self.config.key,
            Purpose::Receipt,
            &self.config.id,
            text.into_bytes(),
        );
        let proof = format!(
            "{}:{}",
            String::from_utf8_lossy(&signed.bytes),
            signed.signature.text()
        );
        self.session.drop_off.left = self.session.drop_off.left.saturating_sub(1);
        self.session.stage = Stage::Receipt(Receipt {
            reference,
            compartment: running.compartment,
            received,
            proof,
        });
    }

    /// "Is it inside?" — no, taken out again.
    pub(super) fn not_put_in(&mut self, visit: Seq) {
        self.settle(visit, VisitOutcome::Cancelled);
        self.session.stage = Stage::Done(Done::NothingPutIn);
    }

    /// A second factor was shown: digits or a pass.
    pub(super) fn second_factor(&mut self, shown: SecondFactorKind, secret: &str) {
        let Stage::SecondFactor {
            consignment,
            authority,
            ..
        } = &self.session.stage
        else {
            return;
        };
        let (consignment, authority) = (consignment.clone(), authority.clone());
        if self.wait_until().is_some() {
            return;
        }
        let hash = self.code_key.hash("second", &format!("{consignment} {secret}"));
        let second = self
            .ledger
            .consignments
            .get(&consignment)
            .and_then(|inside| inside.second);
        let typed = |kind| matches!(kind, SecondFactorKind::Phone | SecondFactorKind::Receipt);
        let fits = second.is_some_and(|second| {
            (second.kind == shown || typed(second.kind) && typed(shown)) && code::same(&second.hash, &hash)
        });
        if fits {
            self.begin_visit(VisitPurpose::TakeBack, consignment, authority);
        } else {
            self.count_try();
            self.session.stage = Stage::SecondFactor {
                consignment,
                authority,
                wrong: true,
            };
        }
    }
}
