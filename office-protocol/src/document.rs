//! Authority documents: what the office lays down, signed and versioned, retained on `desired/{document}`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::event::{Size, StaffRole};
use crate::ids::{ApplicationId, ConsignmentId, InvalidId, KeyId, PassId, PersonId, StaffId};
use crate::time::Timestamp;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentName {
    /// [`crate::KeySet`], signed by the root.
    Keys,
    /// [`Staff`].
    Staff,
    /// [`Revocations`].
    Revocations,
    /// [`Policy`].
    Policy,
    /// [`Expected`].
    Expected,
}

impl DocumentName {
    /// All of them, keys first: the others are verified with them.
    pub const ALL: [Self; 5] = [
        Self::Keys,
        Self::Staff,
        Self::Revocations,
        Self::Policy,
        Self::Expected,
    ];

    /// The topic level and file name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Staff => "staff",
            Self::Revocations => "revocations",
            Self::Policy => "policy",
            Self::Expected => "expected",
        }
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DocumentName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let found = Self::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or(InvalidId {
            kind: "document name",
            rule: "keys, staff, revocations, policy or expected",
        })
    }
}

/// Who may work at this cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Staff {
    /// Rises with every change.
    pub version: u64,
    /// Members.
    pub members: Vec<StaffMember>,
}

/// One member of staff.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMember {
    /// Who.
    pub id: StaffId,
    /// What they may do.
    pub roles: Vec<StaffRole>,
    /// SHA-256 of the text on a plastic badge, where they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<Digest>,
    /// Argon2id verifier of the PIN, as a PHC string.
    pub pin: String,
    /// After this they are nobody.
    pub expires: Timestamp,
}

impl fmt::Debug for StaffMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "staff {}", self.id)
    }
}

/// What the office took back before its time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Revocations {
    /// Rises with every change.
    pub version: u64,
    /// Passes.
    pub passes: Vec<PassId>,
    /// Signing keys.
    pub keys: Vec<KeyId>,
}

/// The rules that the office sets; hardware settings are local.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Rises with every change.
    pub version: u64,
    /// The district, for passes that name one.
    pub district: Option<String>,
    /// Days until a placed consignment may be recalled, from the office's acknowledgement.
    pub hold_days: u32,
    /// How many doors the office may open from afar in an hour.
    pub remote_openings_per_hour: u32,
    /// Drop-offs without a pass that may be inside at once.
    pub unverified_drop_offs_max: u32,
    /// The hall's phone number, shown with every reference.
    pub help_phone: Option<String>,
    /// Other cabinets nearby, nearest first, as shown when this one is full.
    pub nearby: Vec<Nearby>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: 0,
            district: None,
            hold_days: 7,
            remote_openings_per_hour: 6,
            unverified_drop_offs_max: 4,
            help_phone: None,
            nearby: Vec::new(),
        }
    }
}

/// Another cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nearby {
    /// Which.
    pub cabinet: crate::ids::CabinetId,
    /// Where, in Chinese.
    pub zh: String,
    /// Where, in English.
    pub en: String,
}

/// Consignments that couriers will bring to this cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expected {
    /// Rises with every change.
    pub version: u64,
    /// Them.
    pub consignments: Vec<ExpectedConsignment>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedConsignment {
    /// The label's text.
    pub consignment: ConsignmentId,
    /// Its application.
    pub application: ApplicationId,
    /// Who it is for; one code opens all of a person's consignments.
    pub person: PersonId,
    /// How large.
    pub size: Size,
}

/// What a cabinet says of a document on `reported/{document}`, signed with [`crate::Purpose::Reported`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The version in force; 0 for none.
    pub version: u64,
    /// Its bytes' digest.
    pub digest: Digest,
    /// Why a newer one was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<DocumentRefusal>,
}

/// Why a document was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentRefusal {
    /// Not signed by a key for documents (the key set: by the root), or altered.
    Forged,
    /// Not of the right shape.
    Malformed,
    /// Lower than the version in force.
    Older,
}
