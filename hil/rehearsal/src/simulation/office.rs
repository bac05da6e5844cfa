//! The office's desk: its keys, documents, passes and commands. What the cabinet is told, and by whose hand.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use office_protocol::document::{
    DocumentName, Expected, ExpectedConsignment, Policy, Revocations, Staff, StaffMember,
};
use office_protocol::event::{Size, StaffRole, WithdrawReason};
use office_protocol::sealed::OpeningKey;
use office_protocol::{
    Action, ApplicationId, CabinetId, Command, CompartmentId, ConsignmentId, Digest, KeySet, OfficeKey, Pass,
    PassId, PassKind, PersonId, Position, Purpose, Scope, SealedPart, Signed, SigningKey, Start, Timestamp,
    Topic, VerifyingKey,
};
use serde::Serialize;

use super::dice::Dice;

/// The PIN of every member of staff in the simulation.
pub(super) const PIN: &str = "4711";
/// What the courier's plastic badge reads like.
pub(super) const BADGE: &str = "BADGE-0042";
/// The service items that are taken without a pass.
pub(super) const ITEMS: [(&str, Size); 2] = [("permit", Size::Small), ("archive", Size::Medium)];

/// Who gives authority.
pub(super) struct Office {
    pub(super) cabinet: CabinetId,
    root: SigningKey,
    signer: SigningKey,
    forger: SigningKey,
    opening: OpeningKey,
    versions: u64,
    serial: u64,
    hold_days: u32,
    expected: Vec<ExpectedConsignment>,
    revoked: Vec<PassId>,
    /// Passes for more than one compartment.
    wide: BTreeMap<PassId, u8>,
    /// Whether cabinets may seal for it.
    sealing: bool,
    /// The documents as they should be in force.
    desired: BTreeMap<DocumentName, Signed>,
    /// Documents that were signed and not announced yet.
    unsent: Vec<(DocumentName, Signed)>,
    /// Every command, by number from 1.
    commands: Vec<Command>,
}

impl Office {
    pub(super) fn new(cabinet: CabinetId, sealing: bool, dice: &mut Dice) -> Self {
        let opening = loop {
            if let Some(key) = OpeningKey::from_secret(&dice.bytes()) {
                break key;
            }
        };
        Self {
            cabinet,
            root: SigningKey::from_secret(&dice.bytes()),
            signer: SigningKey::from_secret(&dice.bytes()),
            forger: SigningKey::from_secret(&dice.bytes()),
            opening,
            versions: 0,
            serial: 0,
            hold_days: u32::try_from(dice.below(2)).unwrap_or(0),
            expected: Vec::new(),
            revoked: Vec::new(),
            wide: BTreeMap::new(),
            sealing,
            desired: BTreeMap::new(),
            unsent: Vec::new(),
            commands: Vec::new(),
        }
    }

    pub(super) fn root(&self) -> VerifyingKey {
        self.root.verifying_key()
    }

    /// Reads a sealed part.
    pub(super) fn unseal(&self, part: &[u8]) -> Option<office_protocol::Personal> {
        let part = SealedPart { bytes: part.to_vec() };
        part.open(&self.opening, &self.cabinet).ok()
    }

    fn document<T: Serialize>(&self, name: DocumentName, body: &T) -> Option<(DocumentName, Signed)> {
        let bytes = serde_json::to_vec(body).ok()?;
        let (key, purpose) = match name {
            DocumentName::Keys => (&self.root, Purpose::KeySet),
            DocumentName::Staff
            | DocumentName::Revocations
            | DocumentName::Policy
            | DocumentName::Expected => (&self.signer, Purpose::Document),
        };
        Some((name, Signed::new(key, purpose, &self.cabinet, bytes)))
    }

    /// Signs all documents anew; the key set among them.
    pub(super) fn sign_documents(&mut self) -> Option<KeySet> {
        self.versions += 1;
        let version = self.versions;
        let purposes = vec![
            Purpose::Position,
            Purpose::Command,
            Purpose::Document,
            Purpose::Pass,
        ];
        let keys = KeySet {
            version,
            keys: vec![OfficeKey {
                key: self.signer.verifying_key(),
                purposes,
            }],
            sealing: self
                .sealing
                .then(|| self.opening.sealing_key().clone())
                .into_iter()
                .collect(),
        };
        let policy = Policy {
            version,
            district: Some("port".into()),
            hold_days: self.hold_days,
            ..Policy::default()
        };
        let all = [
            self.document(DocumentName::Keys, &keys),
            self.document(DocumentName::Staff, &staff(version)),
            self.revocations_document(),
            self.document(DocumentName::Policy, &policy),
        ];
        self.desired = all
            .into_iter()
            .flatten()
            .chain(self.expected_document())
            .collect();
        Some(keys)
    }

    /// All documents as they should be in force, keys first.
    pub(super) fn desired(&self) -> Vec<(DocumentName, Signed)> {
        let desired = self.desired.iter();
        desired.map(|(name, signed)| (*name, signed.clone())).collect()
    }

    /// The key set of the enrolment.
    pub(super) fn enrolled_keys(&self) -> Option<Signed> {
        self.desired.get(&DocumentName::Keys).cloned()
    }

    /// A signed position.
    pub(super) fn position(&self, position: &Position) -> Option<Signed> {
        let bytes = serde_json::to_vec(position).ok()?;
        Some(Signed::new(&self.signer, Purpose::Position, &self.cabinet, bytes))
    }

    /// The same bytes, signed by somebody who is not the office and not the cabinet.
    pub(super) fn forge(&self, topic: Topic, bytes: Vec<u8>) -> Signed {
        let purpose = match topic {
            Topic::Status => Purpose::Status,
            Topic::State => Purpose::State,
            Topic::Event => Purpose::Events,
            Topic::Position => Purpose::Position,
            Topic::Command => Purpose::Command,
            Topic::Reply => Purpose::Reply,
            Topic::Desired(_) => Purpose::Document,
            Topic::Reported(_) => Purpose::Reported,
        };
        Signed::new(&self.forger, purpose, &self.cabinet, bytes)
    }

    /// Any command.
    pub(super) fn random_command(&mut self, start: Start, now: Timestamp, dice: &mut Dice) -> Option<Signed> {
        let compartment = CompartmentId(u16::try_from(dice.between(1, 17)).ok()?);
        let action = match dice.below(12) {
            0..4 => Action::Open { compartment },
            4 => Action::Withdraw {
                compartment,
                reason: WithdrawReason::Ordered,
            },
            5 | 6 => Action::Return { compartment },
            7 => Action::RestartWhenIdle,
            8 => Action::CorrectClock { floor: now },
            _ => Action::ReissueCode {
                consignment: format!("L-{}", dice.between(1, 12)).parse().ok()?,
            },
        };
        let issued = match dice.below(100) {
            0..10 => now.plus_millis(-40_000),
            // The office's clock is ahead.
            10..14 => now.plus_millis(7_200_000),
            _ => now,
        };
        self.command(action, start, issued)
    }

    fn expected_document(&self) -> Option<(DocumentName, Signed)> {
        let expected = Expected {
            version: self.versions,
            consignments: self.expected.clone(),
        };
        self.document(DocumentName::Expected, &expected)
    }

    fn revocations_document(&self) -> Option<(DocumentName, Signed)> {
        let revocations = Revocations {
            version: self.versions,
            passes: self.revoked.clone(),
            ..Revocations::default()
        };
        self.document(DocumentName::Revocations, &revocations)
    }

    /// Announces a consignment that a courier will bring.
    pub(super) fn expect(
        &mut self,
        consignment: &ConsignmentId,
        person: &PersonId,
        size: Size,
    ) -> Option<()> {
        self.versions += 1;
        let application = self.application()?;
        self.expected.push(ExpectedConsignment {
            consignment: consignment.clone(),
            application,
            person: person.clone(),
            size,
        });
        let (name, signed) = self.expected_document()?;
        self.desired.insert(name, signed.clone());
        self.unsent.push((name, signed));
        Some(())
    }

    fn revoke(&mut self, pass: PassId) -> Option<()> {
        self.versions += 1;
        self.revoked.push(pass);
        let (name, signed) = self.revocations_document()?;
        self.desired.insert(name, signed.clone());
        self.unsent.push((name, signed));
        Some(())
    }

    /// Documents that were signed since the last call.
    pub(super) fn unsent(&mut self) -> Vec<(DocumentName, Signed)> {
        std::mem::take(&mut self.unsent)
    }

    /// Somebody at the office signs what is no document.
    pub(super) fn blunder(&self) -> Option<(DocumentName, Signed)> {
        self.document(DocumentName::Policy, &"no policy at all")
    }

    fn application(&mut self) -> Option<ApplicationId> {
        self.serial += 1;
        format!("A-{}", self.serial).parse().ok()
    }

    fn pass(&mut self, kind: PassKind, now: Timestamp, scope: Scope, expires_ms: i64) -> Option<Pass> {
        self.serial += 1;
        Some(Pass {
            id: format!("P-{}", self.serial).parse().ok()?,
            not_before: now.plus_millis(-3_600_000),
            expires: now.plus_millis(expires_ms),
            scope,
            kind,
        })
    }

    fn sign_pass(&mut self, kind: PassKind, now: Timestamp, wrong: Wrong) -> Option<String> {
        let elsewhere = || Some(Scope::Cabinets(vec!["ELSEWHERE-1".parse().ok()?]));
        let scope = match wrong {
            Wrong::Elsewhere => elsewhere()?,
            Wrong::Nothing | Wrong::Expired | Wrong::Forged | Wrong::Revoked | Wrong::TooEarly => {
                Scope::Anywhere
            }
        };
        let lifetime = if wrong == Wrong::Expired {
            -1_000
        } else {
            400 * 86_400_000
        };
        let mut pass = self.pass(kind, now, scope, lifetime)?;
        if wrong == Wrong::TooEarly {
            pass.not_before = now.plus_millis(100 * 86_400_000);
        }
        if wrong == Wrong::Revoked {
            self.revoke(pass.id.clone())?;
        }
        let key = if wrong == Wrong::Forged {
            &self.forger
        } else {
            &self.signer
        };
        Some(pass.sign(key))
    }

    /// A drop-off pass.
    pub(super) fn drop_off_pass(
        &mut self,
        now: Timestamp,
        dice: &mut Dice,
        wrong: Wrong,
    ) -> Option<DropOffPass> {
        let size = *dice.pick(&[Size::Small, Size::Small, Size::Medium, Size::Large])?;
        let compartments = if dice.percent(20) { 2 } else { 1 };
        let kind = PassKind::DropOff {
            application: self.application()?,
            items: vec!["permit".parse().ok()?],
            size,
            compartments,
        };
        let text = self.sign_pass(kind, now, wrong)?;
        if compartments > 1 {
            self.wide
                .insert(format!("P-{}", self.serial).parse().ok()?, compartments);
        }
        Some(DropOffPass { text })
    }

    /// How many compartments a drop-off pass fills.
    pub(super) fn compartments(&self, pass: &PassId) -> u8 {
        self.wide.get(pass).copied().unwrap_or(1)
    }

    /// A drop-off pass for one small compartment.
    pub(super) fn small_pass(&mut self, now: Timestamp, wrong: Wrong) -> Option<String> {
        let kind = PassKind::DropOff {
            application: self.application()?,
            items: Vec::new(),
            size: Size::Small,
            compartments: 1,
        };
        self.sign_pass(kind, now, wrong)
    }

    /// A pass that lets somebody else collect.
    pub(super) fn collection_pass(
        &mut self,
        consignment: &ConsignmentId,
        generation: u32,
        now: Timestamp,
    ) -> Option<String> {
        let kind = PassKind::Collection {
            consignment: consignment.clone(),
            generation,
        };
        self.sign_pass(kind, now, Wrong::Nothing)
    }

    /// A staff pass.
    pub(super) fn staff_pass(&mut self, role: StaffRole, now: Timestamp) -> Option<String> {
        let kind = match role {
            StaffRole::Courier => PassKind::Courier {
                staff: "courier-1".parse().ok()?,
            },
            StaffRole::Technician => PassKind::Technician {
                staff: "technician-1".parse().ok()?,
            },
        };
        self.sign_pass(kind, now, Wrong::Nothing)
    }

    /// A pass for somebody who has left the staff.
    pub(super) fn unknown_staff_pass(&mut self, now: Timestamp) -> Option<String> {
        let kind = PassKind::Courier {
            staff: "courier-0".parse().ok()?,
        };
        self.sign_pass(kind, now, Wrong::Nothing)
    }

    /// A signed command with the next number.
    pub(super) fn command(&mut self, action: Action, start: Start, now: Timestamp) -> Option<Signed> {
        let command = Command {
            number: self.commands.len() as u64 + 1,
            start,
            issued: now,
            expires: now.plus_millis(Command::DOOR_LIFETIME_MS),
            operator: "operator-1".parse().ok()?,
            action,
        };
        let bytes = serde_json::to_vec(&command).ok()?;
        self.commands.push(command);
        Some(Signed::new(&self.signer, Purpose::Command, &self.cabinet, bytes))
    }

    /// The command of that number.
    pub(super) fn ordered(&self, number: u64) -> Option<&Command> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.commands.get(index)
    }
}

/// What is wrong with a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Nothing,
    Expired,
    Forged,
    Elsewhere,
    Revoked,
    TooEarly,
}

/// A pass in a citizen's hand.
pub(super) struct DropOffPass {
    pub(super) text: String,
}

fn staff(version: u64) -> Staff {
    let member = |id: &str, role, badge: Option<&str>| {
        Some(StaffMember {
            id: id.parse().ok()?,
            roles: vec![role],
            badge: badge.map(|badge| Digest::of(badge.as_bytes())),
            pin: verifier()?,
            expires: Timestamp::MAX,
        })
    };
    let members = [
        member("courier-1", StaffRole::Courier, Some(BADGE)),
        member("technician-1", StaffRole::Technician, None),
    ];
    Staff {
        version,
        members: members.into_iter().flatten().collect(),
    }
}

/// As weak as Argon2 can be: the simulation types many PINs.
fn verifier() -> Option<String> {
    let params = Params::new(8, 1, 1, None).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2
        .hash_password_with_salt(PIN.as_bytes(), b"sixteen bytes ok")
        .ok()?;
    Some(hash.to_string())
}
