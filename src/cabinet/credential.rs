//! What a scanned text is, and where it leads: a pickup code, a slip, a pass, a badge, a label, an envelope's bar code, or noise.

use office_protocol::document::DocumentName;
use office_protocol::event::{Alarm, Authority, PassRefusal, StaffRole, Subject};
use office_protocol::pass::InvalidPass;
use office_protocol::{ConsignmentId, EventBody, Pass, PassKind, Scope};

use super::Cabinet;
use super::code::{self, find_among_all, same};
use super::door::Phase;
use super::label;
use super::screen::ScanProblem;
use super::session::Stage;

/// The longest bar code of an envelope that is kept.
const ENVELOPE_MAX: usize = 64;

/// The most cabinets that a screen names.
const PLACES_MAX: usize = 3;

impl Cabinet {
    /// A pass, a code, a badge or a lock board's label that somebody holds before the scanner is no consignment's label and no
    /// envelope: it is never written down.
    fn is_secret(&self, text: &str) -> bool {
        let begins = [code::PREFIX, office_protocol::pass::PREFIX, label::PREFIX];
        begins.iter().any(|begin| text.starts_with(begin)) || self.authority.is_badge(text)
    }

    /// The consignment that a label names.
    pub(super) fn label_of(&self, text: &str) -> Option<ConsignmentId> {
        text.parse().ok().filter(|_| !self.is_secret(text))
    }

    pub(super) fn scanned(&mut self, text: &str) {
        if self.session.help || self.session.asked_more_time.is_some() {
            return;
        }
        match &self.session.stage {
            Stage::PlacingScan { .. } => self.label_scanned(text),
            Stage::Door { visit } => {
                let visit = *visit;
                if self
                    .work
                    .get(&visit)
                    .is_some_and(|work| matches!(work.phase, Phase::Open { .. }))
                {
                    self.envelope_scanned(text);
                }
            }
            Stage::SecondFactor { .. } => self.second_pass_scanned(text),
            Stage::History(_) => {
                if let Some(label) = self.label_of(text) {
                    self.session.touched = self.moment.now;
                    self.session.stage = Stage::History(Some(Subject::Consignment(label)));
                }
            }
            Stage::PlacingSize { .. }
            | Stage::ChooseItem
            | Stage::Phone { .. }
            | Stage::Checklist
            | Stage::Pin { .. }
            | Stage::StaffHome
            | Stage::Round(_)
            | Stage::Compartments => {}
            Stage::Commissioning => self.board_label_scanned(text),
            Stage::Home
            | Stage::Digits { .. }
            | Stage::ScanProblem(_)
            | Stage::Receipt(_)
            | Stage::Done(_)
            | Stage::Sorry(..) => self.credential_scanned(text),
        }
    }

    pub(super) fn scan_unreadable(&mut self) {
        if self.session.takes_scans() {
            self.scan_problem(ScanProblem::Unreadable);
        }
    }

    pub(super) fn scan_problem(&mut self, problem: ScanProblem) {
        self.renew_session();
        self.session.stage = Stage::ScanProblem(problem);
    }

    fn envelope_scanned(&mut self, text: &str) {
        if !self.is_secret(text) && text.len() <= ENVELOPE_MAX {
            self.session.drop_off.envelope = Some(text.to_owned());
            self.session.touched = self.moment.now;
        }
    }

    fn credential_scanned(&mut self, text: &str) {
        if let Some(cabinet) = code::cabinet_of(text) {
            if cabinet == self.config.id {
                self.token_scanned(text)
            } else {
                self.scan_problem(ScanProblem::Elsewhere(vec![cabinet]))
            }
        } else if text.starts_with(office_protocol::pass::PREFIX) {
            self.pass_scanned(text);
        } else if let Some((member, role)) = self.authority.badge_holder(text, self.today()) {
            let (staff, verifier) = (member.id.clone(), member.pin.clone());
            self.renew_session();
            self.session.stage = Stage::Pin {
                staff,
                role,
                verifier,
                wrong: false,
            };
        } else {
            self.scan_problem(ScanProblem::NotOurs);
        }
    }

    fn token_scanned(&mut self, text: &str) {
        let hash = self.code_key.hash("token", text);
        let fits = |code: &office_protocol::event::CodeHashes| same(&code.token, &hash);
        let found = self.find_by_code(fits);
        match found {
            Some(id) => self.code_presented(id, false),
            None if find_among_all(&self.ledger.retired, |old| same(old, &hash)).is_some() => {
                self.scan_problem(ScanProblem::AlreadyCollected);
            }
            None => self.scan_problem(ScanProblem::UnknownCode),
        }
    }

    /// Looks at every code, so that the time taken does not tell which one nearly fitted.
    pub(super) fn find_by_code(
        &self,
        fits: impl Fn(&office_protocol::event::CodeHashes) -> bool,
    ) -> Option<ConsignmentId> {
        let inside = &self.ledger.consignments;
        let found = find_among_all(inside, |(_, one)| one.code.as_ref().is_some_and(&fits));
        found.map(|(id, _)| id.clone())
    }

    /// A genuine pass that counts here and now, or the reason on the screen.
    fn admit_pass(&mut self, text: &str) -> Option<Pass> {
        let Some(keys) = self.authority.keys.clone() else {
            self.refuse_pass(None, PassRefusal::Forged);
            return None;
        };
        match Pass::verify(text, &keys) {
            Err(InvalidPass::Shape) => {
                self.scan_problem(ScanProblem::Unreadable);
                None
            }
            Err(InvalidPass::Forged) => {
                self.raise(Alarm::Forgery, None);
                self.refuse_pass(None, PassRefusal::Forged);
                None
            }
            Ok(pass) => match self
                .authority
                .judge(&pass, self.today(), self.revocations_applied())
            {
                Ok(()) => Some(pass),
                Err(refusal) => {
                    self.refuse_pass(Some(&pass), refusal);
                    None
                }
            },
        }
    }

    fn revocations_applied(&self) -> u64 {
        let applied = self.ledger.documents.get(&DocumentName::Revocations);
        applied.map_or(0, |(version, _)| *version)
    }

    pub(super) fn refuse_pass(&mut self, pass: Option<&Pass>, reason: PassRefusal) {
        self.diagnose(EventBody::PassRefused {
            pass: pass.map(|pass| pass.id.clone()),
            reason,
        });
        let scope = pass
            .filter(|_| reason == PassRefusal::Elsewhere)
            .map(|pass| &pass.scope);
        self.scan_problem(match scope {
            Some(Scope::Cabinets(cabinets)) => {
                ScanProblem::Elsewhere(cabinets.iter().take(PLACES_MAX).cloned().collect())
            }
            Some(Scope::Anywhere | Scope::District(_)) | None => ScanProblem::Pass(reason),
        });
    }

    fn pass_scanned(&mut self, text: &str) {
        let Some(pass) = self.admit_pass(text) else { return };
        match &pass.kind {
            PassKind::DropOff {
                application,
                items,
                size,
                compartments,
            } => {
                if self.ledger.used_passes.contains_key(&pass.id) {
                    return self.refuse_pass(Some(&pass), PassRefusal::Used);
                }
                let (application, items, size, left) =
                    (application.clone(), items.clone(), *size, *compartments);
                self.begin_drop_off(
                    Some((pass.id, pass.expires)),
                    left,
                    Some(application),
                    items,
                    Some(size),
                );
            }
            PassKind::Collection {
                consignment,
                generation,
            } => {
                let (consignment, generation) = (consignment.clone(), *generation);
                match self.ledger.consignments.get(&consignment) {
                    None => self.scan_problem(ScanProblem::NotInside),
                    Some(inside) if inside.direction == super::Direction::Inbound => {
                        self.scan_problem(ScanProblem::NotInside)
                    }
                    Some(inside) if generation < inside.generation => {
                        self.refuse_pass(Some(&pass), PassRefusal::Superseded)
                    }
                    Some(_) => {
                        let authority = Authority::Pass {
                            pass: pass.id,
                            expires: pass.expires,
                            generation: Some(generation),
                        };
                        self.begin_collection(consignment, authority);
                    }
                }
            }
            PassKind::Courier { staff } => self.staff_pass(staff.clone(), StaffRole::Courier),
            PassKind::Technician { staff } => self.staff_pass(staff.clone(), StaffRole::Technician),
        }
    }

    fn staff_pass(&mut self, staff: office_protocol::StaffId, role: StaffRole) {
        let verifier = self
            .authority
            .member(&staff, role, self.today())
            .map(|member| member.pin.clone());
        match verifier {
            Some(verifier) => {
                self.renew_session();
                self.session.stage = Stage::Pin {
                    staff,
                    role,
                    verifier,
                    wrong: false,
                };
            }
            None => self.scan_problem(ScanProblem::UnknownStaff),
        }
    }

    /// The second factor of a slip may be the drop-off pass itself.
    fn second_pass_scanned(&mut self, text: &str) {
        let keys = self.authority.keys.clone();
        let pass = keys.and_then(|keys| Pass::verify(text, &keys).ok());
        if let Some(pass) = pass {
            self.second_factor(office_protocol::event::SecondFactorKind::Pass, pass.id.as_str());
        }
    }
}
