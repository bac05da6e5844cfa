//! A cabinet that an office has enrolled, and its staff, without an office program.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use argon2::password_hash::PasswordHasher;
use lockerd::documents;
use lockerd::journal::RealDisk;
use office_protocol::document::{DocumentName, Staff, StaffMember};
use office_protocol::enrolment::Bundle;
use office_protocol::event::StaffRole;
use office_protocol::sealed::OpeningKey;
use office_protocol::{CabinetId, Digest, KeySet, OfficeKey, Purpose, Signed, SigningKey, Timestamp};

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn office() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

/// Enrols the cabinet PORT-7; its secrets lie in the directory that is returned.
pub(crate) fn enrol(directory: &Path) -> PathBuf {
    let root = SigningKey::from_secret(&[1; 32]);
    let purposes = vec![
        Purpose::Document,
        Purpose::Pass,
        Purpose::Command,
        Purpose::Position,
    ];
    let keys = KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: office().verifying_key(),
            purposes,
        }],
        sealing: vec![OpeningKey::from_secret(&[9; 32]).unwrap().sealing_key().clone()],
    };
    let keys = Signed::new(
        &root,
        Purpose::KeySet,
        &cabinet(),
        serde_json::to_vec(&keys).unwrap(),
    );
    let bundle = Bundle {
        cabinet: cabinet(),
        root: root.verifying_key(),
        keys: String::from_utf8(keys.to_file()).unwrap(),
        ca: String::new(),
        certificate: String::new(),
        certificate_ends: None,
        key: None,
    };
    let secrets = directory.join("secrets");
    lockerd::secrets::identity(&secrets).unwrap();
    let given = directory.join("bundle.json");
    std::fs::write(&given, serde_json::to_vec(&bundle).unwrap()).unwrap();
    lockerd::secrets::enrol(&secrets, &given).unwrap();
    secrets
}

/// Names the technician T-1 with BADGE-T and the courier C-1 with BADGE-C, whose PIN is 4711; `data` is the daemon's directory.
pub(crate) fn name_staff(data: &Path) {
    let cheap = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
    let pin = argon.hash_password_with_salt(b"4711", b"salt-for-tests").unwrap();
    let member = |id: &str, role, badge: &str| StaffMember {
        id: id.parse().unwrap(),
        roles: vec![role],
        badge: Some(Digest::of(badge.as_bytes())),
        pin: pin.to_string(),
        expires: Timestamp::from_millis(4_000_000_000_000),
    };
    let staff = Staff {
        version: 1,
        members: vec![
            member("T-1", StaffRole::Technician, "BADGE-T"),
            member("C-1", StaffRole::Courier, "BADGE-C"),
        ],
    };
    let signed = Signed::new(
        &office(),
        Purpose::Document,
        &cabinet(),
        serde_json::to_vec(&staff).unwrap(),
    );
    let disk = RealDisk::open(&data.join("documents")).unwrap();
    documents::store(&disk, DocumentName::Staff, &signed).unwrap();
}
