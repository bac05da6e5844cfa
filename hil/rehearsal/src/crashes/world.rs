//! The office of a life's cabinet: keys and documents that are always the same, staff with a badge and a PIN, and what it signs.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use lockerd::cabinet::Config;
use lockerd::documents;
use lockerd::journal::Disk;
use office_protocol::document::{DocumentName, Policy, Revocations, Staff, StaffMember};
use office_protocol::event::{CompartmentLayout, Size, StaffRole, Wiring};
use office_protocol::sealed::OpeningKey;
use office_protocol::{
    Action, BoardId, CabinetId, Command, CompartmentId, Digest, KeySet, OfficeKey, Pass, PassKind,
    PickupCode, Purpose, Scope, SealedPart, Signed, SigningKey, Start, Timestamp,
};

pub(super) const COMPARTMENTS: u16 = 6;
pub(super) const PIN: &str = "4711";
/// What the staff's badges read like.
pub(super) const COURIER: &str = "BADGE-C";
pub(super) const TECHNICIAN: &str = "BADGE-T";
const FAR_AHEAD: Timestamp = Timestamp::from_millis(4_000_000_000_000);

/// The office's keys and documents, and the cabinet's key: always the same.
pub(super) struct World {
    root: SigningKey,
    office: SigningKey,
    opening: OpeningKey,
    pub(super) keys: Signed,
    documents: [(DocumentName, Signed); 2],
}

impl World {
    pub(super) fn new() -> Self {
        let (root, office) = (
            SigningKey::from_secret(&[1; 32]),
            SigningKey::from_secret(&[2; 32]),
        );
        let opening = OpeningKey::from_secret(&[3; 32]).expect("any 32 bytes are an X25519 key");
        let keys = KeySet {
            version: 1,
            keys: vec![OfficeKey {
                key: office.verifying_key(),
                purposes: vec![Purpose::Pass, Purpose::Document, Purpose::Command],
            }],
            sealing: vec![opening.sealing_key().clone()],
        };
        let staff = Staff {
            version: 1,
            members: vec![
                member("wang", StaffRole::Courier, COURIER),
                member("li", StaffRole::Technician, TECHNICIAN),
            ],
        };
        let policy = Policy {
            version: 1,
            ..Policy::default()
        };
        let signed = |key, purpose, bytes| Signed::new(key, purpose, &cabinet(), bytes);
        let json = |value: serde_json::Value| value.to_string().into_bytes();
        let text = "documents are texts and numbers";
        Self {
            keys: signed(
                &root,
                Purpose::KeySet,
                json(serde_json::to_value(&keys).expect(text)),
            ),
            documents: [
                (
                    DocumentName::Staff,
                    signed(
                        &office,
                        Purpose::Document,
                        json(serde_json::to_value(&staff).expect(text)),
                    ),
                ),
                (
                    DocumentName::Policy,
                    signed(
                        &office,
                        Purpose::Document,
                        json(serde_json::to_value(&policy).expect(text)),
                    ),
                ),
            ],
            root,
            office,
            opening,
        }
    }

    /// Puts the office's documents where the engine looks for them.
    pub(super) fn furnish(&self, disk: &dyn Disk) {
        for (name, signed) in &self.documents {
            documents::store(disk, *name, signed).expect("this disk works");
        }
    }

    /// How the cabinet is built: nobody has proven its locks yet.
    pub(super) fn config(&self) -> Config {
        let ids = || (1..=COMPARTMENTS).map(CompartmentId);
        Config {
            id: cabinet(),
            key: SigningKey::from_secret(&[4; 32]),
            root: self.root.verifying_key(),
            layout: ids()
                .map(|id| CompartmentLayout {
                    id,
                    size: Size::Small,
                    reachable: true,
                    wiring: Some(Wiring {
                        board: BoardId(1),
                        channel: u8::try_from(id.0).unwrap_or(u8::MAX),
                        inverted: false,
                        at: None,
                    }),
                })
                .collect(),
            protected: std::collections::BTreeSet::new(),
            items: std::collections::BTreeMap::new(),
        }
    }

    /// A drop-off pass.
    pub(super) fn pass(&self, name: &str) -> String {
        let pass = Pass {
            id: name.parse().expect("letters and digits"),
            not_before: Timestamp::from_millis(0),
            expires: FAR_AHEAD,
            scope: Scope::Anywhere,
            kind: PassKind::DropOff {
                application: "A-1".parse().expect("letters and digits"),
                items: Vec::new(),
                size: Size::Small,
                compartments: 1,
            },
        };
        pass.sign(&self.office)
    }

    /// The list of revocations of this version: the passes of all versions up to it.
    pub(super) fn revocations(&self, version: u64) -> Signed {
        let revocations = Revocations {
            version,
            passes: (1..=version)
                .map(|version| revoked(version).parse().expect("letters and digits"))
                .collect(),
            ..Revocations::default()
        };
        let bytes = serde_json::to_vec(&revocations).expect("documents are texts and numbers");
        Signed::new(&self.office, Purpose::Document, &cabinet(), bytes)
    }

    /// The order to open a compartment; nobody may follow it any more after `expires`.
    pub(super) fn order(
        &self,
        number: u64,
        start: Start,
        (issued, expires): (Timestamp, Timestamp),
        compartment: CompartmentId,
    ) -> Signed {
        let command = Command {
            number,
            start,
            issued,
            expires,
            operator: "op-1".parse().expect("letters, a dash, a digit"),
            action: Action::Open { compartment },
        };
        let bytes = serde_json::to_vec(&command).expect("texts and numbers");
        Signed::new(&self.office, Purpose::Command, &cabinet(), bytes)
    }

    /// The code in a letter to the office.
    pub(super) fn code(&self, letter: Vec<u8>) -> Option<PickupCode> {
        let letter = SealedPart { bytes: letter };
        letter.open(&self.opening, &cabinet()).ok()?.code.clone()
    }
}

/// The pass that a version of the list of revocations takes back.
pub(super) fn revoked(version: u64) -> String {
    format!("revoked-{version}")
}

fn member(id: &str, role: StaffRole, badge: &str) -> StaffMember {
    StaffMember {
        id: id.parse().expect("letters"),
        roles: vec![role],
        badge: Some(Digest::of(badge.as_bytes())),
        pin: pin_verifier(),
        expires: FAR_AHEAD,
    }
}

fn cabinet() -> CabinetId {
    "PORT-7".parse().expect("capitals, a dash, a digit")
}

fn pin_verifier() -> String {
    let cheap = Params::new(8, 1, 1, None).expect("the smallest that there is");
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
    let hash = argon.hash_password_with_salt(PIN.as_bytes(), b"salt-for-tests");
    hash.expect("a salt of 14 bytes").to_string()
}
