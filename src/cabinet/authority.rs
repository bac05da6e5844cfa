//! The office's documents in force: verified, versioned, and what they say of a pass or a member of staff.

use office_protocol::document::{
    DocumentName, DocumentRefusal, Expected, ExpectedConsignment, Policy, Reported, Revocations, Staff,
    StaffMember,
};
use office_protocol::event::{PassRefusal, StaffRole};
use office_protocol::{
    CabinetId, ConsignmentId, Digest, KeySet, Pass, Purpose, Signed, StaffId, Timestamp, VerifyingKey,
};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::code::{find_among_all, same_digest};

/// What the office has laid down.
pub struct Authority {
    cabinet: CabinetId,
    root: VerifyingKey,
    /// The keys that verify everything else; none before the first key set.
    pub keys: Option<Arc<KeySet>>,
    /// Who may work here.
    pub staff: Staff,
    /// What was taken back.
    pub revocations: Revocations,
    /// The rules.
    pub policy: Policy,
    /// What couriers will bring.
    pub expected: Expected,
    /// What is in force, for the office to see.
    pub reported: BTreeMap<DocumentName, Reported>,
}

/// What the cabinet knows of time when it judges a credential.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    /// The latest of wall time and floor when the clock is trusted; else the floor.
    pub(super) time: Timestamp,
    /// Whether the clock is trusted.
    pub(super) trusted: bool,
}

impl Authority {
    /// Nothing but the pinned root.
    pub(super) fn new(cabinet: CabinetId, root: VerifyingKey) -> Self {
        Self {
            cabinet,
            root,
            keys: None,
            staff: Staff::default(),
            revocations: Revocations::default(),
            policy: Policy::default(),
            expected: Expected::default(),
            reported: BTreeMap::new(),
        }
    }

    /// Takes a document into force, or says why not. `floor` is the version in the ledger; the same version is taken again, so
    /// that a file lost after its event can come back.
    ///
    /// # Errors
    /// The refusal; it is also in `reported`.
    pub(super) fn take(
        &mut self,
        name: DocumentName,
        signed: &Signed,
        floor: u64,
    ) -> Result<u64, DocumentRefusal> {
        let digest = Digest::of(&signed.bytes);
        let outcome = self.parse_and_hold(name, signed, floor);
        let entry = self.reported.entry(name).or_insert(Reported {
            version: 0,
            digest: Digest::ZERO,
            refused: None,
        });
        match outcome {
            Ok(version) => {
                *entry = Reported {
                    version,
                    digest,
                    refused: None,
                }
            }
            Err(refusal) => entry.refused = Some(refusal),
        }
        outcome
    }

    fn parse_and_hold(
        &mut self,
        name: DocumentName,
        signed: &Signed,
        floor: u64,
    ) -> Result<u64, DocumentRefusal> {
        fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentRefusal> {
            serde_json::from_slice(bytes).map_err(|_| DocumentRefusal::Malformed)
        }
        let newer = |version: u64| {
            if version >= floor {
                Ok(version)
            } else {
                Err(DocumentRefusal::Older)
            }
        };
        if name == DocumentName::Keys {
            let keys =
                KeySet::verify(signed, &self.root, &self.cabinet).map_err(|_| DocumentRefusal::Forged)?;
            let version = newer(keys.version)?;
            self.keys = Some(Arc::new(keys));
            return Ok(version);
        }
        let keys = self.keys.as_ref().ok_or(DocumentRefusal::Forged)?;
        let bytes = keys
            .check(signed, Purpose::Document, &self.cabinet)
            .map_err(|_| DocumentRefusal::Forged)?;
        match name {
            DocumentName::Keys => Err(DocumentRefusal::Malformed),
            DocumentName::Staff => {
                let staff: Staff = read(bytes)?;
                newer(staff.version)?;
                self.staff = staff;
                Ok(self.staff.version)
            }
            DocumentName::Revocations => {
                let revocations: Revocations = read(bytes)?;
                let version = revocations.version;
                // An older list is not in force, but what it takes back stays taken back: it is better than none.
                if version >= floor || version > self.revocations.version {
                    self.revocations = revocations;
                }
                newer(version)
            }
            DocumentName::Policy => {
                let policy: Policy = read(bytes)?;
                newer(policy.version)?;
                self.policy = policy;
                Ok(self.policy.version)
            }
            DocumentName::Expected => {
                let expected: Expected = read(bytes)?;
                newer(expected.version)?;
                self.expected = expected;
                Ok(self.expected.version)
            }
        }
    }

    /// Whether a genuine pass counts here and now. Its use is the ledger's to judge. `listed` is the version of the list of revocations
    /// that was applied last: without it nobody knows whether the pass was taken back.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge(&self, pass: &Pass, today: Today, listed: u64) -> Result<(), PassRefusal> {
        if self.revocations.passes.contains(&pass.id) {
            return Err(PassRefusal::Revoked);
        }
        if self.revocations.version < listed {
            return Err(PassRefusal::Unverifiable);
        }
        if !pass
            .scope
            .includes(&self.cabinet, self.policy.district.as_deref())
        {
            return Err(PassRefusal::Elsewhere);
        }
        if pass.expires <= today.time {
            return Err(PassRefusal::Expired);
        }
        // An untrusted clock knows only that it is at least the floor: too early cannot be told.
        if today.trusted && pass.not_before > today.time {
            return Err(PassRefusal::TooEarly);
        }
        Ok(())
    }

    /// The member of staff of that id and role, unless expired.
    pub(super) fn member(&self, staff: &StaffId, role: StaffRole, today: Today) -> Option<&StaffMember> {
        let current = |member: &&StaffMember| {
            member.id == *staff && member.roles.contains(&role) && member.expires > today.time
        };
        self.staff.members.iter().find(current)
    }

    /// Whether a plastic badge reads like this, whoever's and however old.
    pub(super) fn is_badge(&self, text: &str) -> bool {
        find_among_all(&self.staff.members, badge_reads(text)).is_some()
    }

    /// The member whose plastic badge reads like this, with the first of their roles.
    pub(super) fn badge_holder(&self, text: &str, today: Today) -> Option<(&StaffMember, StaffRole)> {
        let reads = badge_reads(text);
        let member = find_among_all(&self.staff.members, |member| {
            reads(member) && member.expires > today.time
        })?;
        member.roles.first().map(|role| (member, *role))
    }

    /// What the office said of a label.
    pub(super) fn expected(&self, label: &ConsignmentId) -> Option<&ExpectedConsignment> {
        self.expected
            .consignments
            .iter()
            .find(|expected| expected.consignment == *label)
    }
}

/// Whether a member's plastic badge reads like this.
fn badge_reads(text: &str) -> impl Fn(&&StaffMember) -> bool + use<> {
    let digest = Digest::of(text.as_bytes());
    move |member| {
        member
            .badge
            .as_ref()
            .is_some_and(|badge| same_digest(badge, &digest))
    }
}

/// Whether a PIN fits its Argon2 verifier (a PHC string). A verifier that cannot be read fits nothing.
pub(super) fn pin_fits(pin: &str, verifier: &str) -> bool {
    use argon2::password_hash::{PasswordVerifier, phc::PasswordHash};
    PasswordHash::new(verifier).is_ok_and(|hash| {
        argon2::Argon2::default()
            .verify_password(pin.as_bytes(), &hash)
            .is_ok()
    })
}
