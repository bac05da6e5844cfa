//! Passes: drop-off, collection, and staff's. They are signed when they are shown, and kept unsigned.

use office_protocol::event::StaffRole;
use office_protocol::{Pass, PassId, PassKind, Scope, StaffId, Timestamp};

use crate::clock;
use crate::database::directory::IssuedPass;
use crate::keys::Keys;

/// A pass that counts from now on, for so many days.
pub fn issue(kind: PassKind, scope: Scope, days: u32) -> IssuedPass {
    let now = clock::now();
    let id: PassId = clock::random_name::<8>()
        .parse()
        .expect("hexadecimal digits are a pass id");
    let expires =
        Timestamp::from_millis((now.as_seconds() * 1000).saturating_add(i64::from(days) * 86_400_000));
    let (name, subject, generation) = described(&kind);
    let pass = Pass {
        id: id.clone(),
        // Cabinets' clocks may be a little behind.
        not_before: now.plus_millis(-300_000),
        expires,
        scope,
        kind,
    };
    IssuedPass {
        id: id.to_string(),
        kind: name.to_owned(),
        subject,
        generation: i64::from(generation),
        claims: pass.unsigned(),
        issued: now.as_millis(),
        expires: expires.as_millis(),
        revoked: None,
        used_at: None,
    }
}

/// The QR code's text, which is as good as a key: never log or keep it. None when the database holds something else than a pass.
pub fn signed(keys: &Keys, pass: &IssuedPass) -> Option<String> {
    Pass::from_unsigned(&pass.claims).map(|pass| pass.sign(&keys.passes))
}

fn described(kind: &PassKind) -> (&'static str, String, u32) {
    match kind {
        PassKind::DropOff { application, .. } => ("drop-off", application.to_string(), 0),
        PassKind::Collection {
            consignment,
            generation,
        } => ("collection", consignment.to_string(), *generation),
        PassKind::Courier { staff } => ("courier", staff.to_string(), 0),
        PassKind::Technician { staff } => ("technician", staff.to_string(), 0),
    }
}

/// What staff of these roles carry: couriers who are technicians as well choose at the screen.
pub fn staff_kind(staff: StaffId, roles: &[StaffRole]) -> PassKind {
    if roles.contains(&StaffRole::Courier) {
        PassKind::Courier { staff }
    } else {
        PassKind::Technician { staff }
    }
}
