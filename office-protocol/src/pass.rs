//! Passes: short credentials signed by the office, as QR codes. `LK1:` + base45(COSE_Sign1(CWT claims)), Ed25519.
//!
//! The protected header holds the algorithm (EdDSA) and the key id. `external_aad` is `locker/v1 ‖ pass ‖` and no cabinet: where a
//! pass may be used is in its claims. Standard claims: 4 expiry, 5 not before, 7 id. Private claims are numbered below −70,000.

use ciborium::Value;
use coset::cwt::{ClaimsSet, ClaimsSetBuilder, Timestamp as CwtTime};
use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, RegisteredLabelWithPrivate, iana};
use thiserror::Error;

use crate::codec;
use crate::event::Size;
use crate::ids::{ApplicationId, CabinetId, ConsignmentId, ItemCode, KeyId, PassId, StaffId};
use crate::keys::{KeySet, SigningKey};
use crate::signature::{Purpose, context};
use crate::time::Timestamp;

/// What every pass begins with.
pub const PREFIX: &str = "LK1:";

/// The longest text that is tried as a pass; a QR code of version 25 holds as much.
pub const TEXT_MAX: usize = 1_800;

/// A pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// What single use and revocation are counted by.
    pub id: PassId,
    /// Not before this.
    pub not_before: Timestamp,
    /// Not from this on.
    pub expires: Timestamp,
    /// Where.
    pub scope: Scope,
    /// What for.
    pub kind: PassKind,
}

/// Where a pass counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// At any cabinet.
    Anywhere,
    /// At these.
    Cabinets(Vec<CabinetId>),
    /// At cabinets whose policy names this district.
    District(String),
}

impl Scope {
    /// Whether it includes a cabinet.
    pub fn includes(&self, cabinet: &CabinetId, district: Option<&str>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Cabinets(cabinets) => cabinets.contains(cabinet),
            Self::District(name) => district == Some(name.as_str()),
        }
    }
}

/// What a pass is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassKind {
    /// Hand in documents, once.
    DropOff {
        /// For this application.
        application: ApplicationId,
        /// Which service items it answers.
        items: Vec<ItemCode>,
        /// How large a compartment it takes.
        size: Size,
        /// How many compartments it may fill, 1 to 8.
        compartments: u8,
    },
    /// Take out one consignment, as long as it is inside.
    Collection {
        /// Which.
        consignment: ConsignmentId,
        /// A newer generation kills older ones, and the code.
        generation: u32,
    },
    /// Work as a courier, with a PIN.
    Courier {
        /// Who.
        staff: StaffId,
    },
    /// Work as a technician, with a PIN.
    Technician {
        /// Who.
        staff: StaffId,
    },
}

/// A text that is not a pass of the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPass {
    /// Not a pass at all: noise, too long, or of a newer format.
    #[error("not a pass")]
    Shape,
    /// A pass by its form, but no key of the office signed it.
    #[error("not signed by the office")]
    Forged,
}

const KIND: i64 = -70_001;
const CABINETS: i64 = -70_002;
const DISTRICT: i64 = -70_003;
const APPLICATION: i64 = -70_004;
const ITEMS: i64 = -70_005;
const SIZE: i64 = -70_006;
const COMPARTMENTS: i64 = -70_007;
const CONSIGNMENT: i64 = -70_008;
const GENERATION: i64 = -70_009;
const STAFF: i64 = -70_010;

impl Pass {
    /// The most compartments that one drop-off pass fills.
    pub const COMPARTMENTS_MAX: u8 = 8;

    /// Signs; the text for the QR code.
    pub fn sign(&self, key: &SigningKey) -> String {
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::EdDSA)
            .key_id(key.id().as_str().as_bytes().to_vec())
            .build();
        let claims = self.claims().to_vec().expect("claims are integers and texts");
        let cose = CoseSign1Builder::new()
            .protected(header)
            .payload(claims)
            .create_signature(&context(Purpose::Pass, None), |bytes| {
                key.sign_raw(bytes).to_vec()
            })
            .build();
        let bytes = cose.to_vec().expect("a built message is whole");
        format!("{PREFIX}{}", base45::encode(&bytes))
    }

    /// What it says, for the office to keep: nobody's door opens to this, and [`Pass::sign`] makes the pass of it again.
    pub fn unsigned(&self) -> String {
        let claims = self.claims().to_vec().expect("claims are integers and texts");
        codec::encode(&claims)
    }

    /// Reads what [`Pass::unsigned`] gave; or what a signed text says, without asking who signed it.
    pub fn from_unsigned(text: &str) -> Option<Self> {
        let claims = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                CoseSign1::from_slice(&base45::decode(encoded).ok()?)
                    .ok()?
                    .payload?
            }
            None => codec::decode(text)?,
        };
        Self::from_claims(&ClaimsSet::from_slice(&claims).ok()?)
    }

    /// Reads and verifies a scanned text. Time, place and use are the caller's to judge.
    ///
    /// # Errors
    /// [`InvalidPass`].
    pub fn verify(text: &str, keys: &KeySet) -> Result<Self, InvalidPass> {
        let encoded = text
            .strip_prefix(PREFIX)
            .filter(|_| text.len() <= TEXT_MAX)
            .ok_or(InvalidPass::Shape)?;
        let bytes = base45::decode(encoded).map_err(|_| InvalidPass::Shape)?;
        let cose = CoseSign1::from_slice(&bytes).map_err(|_| InvalidPass::Shape)?;
        let header = &cose.protected.header;
        if header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA)) {
            return Err(InvalidPass::Shape);
        }
        let key: Option<KeyId> = std::str::from_utf8(&header.key_id)
            .ok()
            .and_then(|id| id.parse().ok());
        let key = key
            .and_then(|id| keys.find(&id, Purpose::Pass))
            .ok_or(InvalidPass::Forged)?;
        cose.verify_signature(&context(Purpose::Pass, None), |signature, bytes| {
            let genuine = signature
                .try_into()
                .is_ok_and(|signature| key.verifies(bytes, &signature));
            if genuine { Ok(()) } else { Err(InvalidPass::Forged) }
        })?;
        let claims = cose.payload.as_deref().map(ClaimsSet::from_slice);
        claims
            .and_then(Result::ok)
            .as_ref()
            .and_then(Self::from_claims)
            .ok_or(InvalidPass::Shape)
    }

    fn claims(&self) -> ClaimsSet {
        let text = |text: &str| Value::Text(text.into());
        let mut claims = ClaimsSetBuilder::new()
            .expiration_time(CwtTime::WholeSeconds(self.expires.as_seconds()))
            .not_before(CwtTime::WholeSeconds(self.not_before.as_seconds()))
            .cwt_id(self.id.as_str().as_bytes().to_vec());
        claims = match &self.scope {
            Scope::Anywhere => claims,
            Scope::Cabinets(cabinets) => claims.private_claim(
                CABINETS,
                Value::Array(cabinets.iter().map(|id| text(id.as_str())).collect()),
            ),
            Scope::District(district) => claims.private_claim(DISTRICT, text(district)),
        };
        let kind = |number: u8| Value::Integer(number.into());
        match &self.kind {
            PassKind::DropOff {
                application,
                items,
                size,
                compartments,
            } => claims
                .private_claim(KIND, kind(1))
                .private_claim(APPLICATION, text(application.as_str()))
                .private_claim(
                    ITEMS,
                    Value::Array(items.iter().map(|item| text(item.as_str())).collect()),
                )
                .private_claim(SIZE, kind(*size as u8))
                .private_claim(COMPARTMENTS, kind(*compartments)),
            PassKind::Collection {
                consignment,
                generation,
            } => claims
                .private_claim(KIND, kind(2))
                .private_claim(CONSIGNMENT, text(consignment.as_str()))
                .private_claim(GENERATION, Value::Integer((*generation).into())),
            PassKind::Courier { staff } => claims
                .private_claim(KIND, kind(3))
                .private_claim(STAFF, text(staff.as_str())),
            PassKind::Technician { staff } => claims
                .private_claim(KIND, kind(4))
                .private_claim(STAFF, text(staff.as_str())),
        }
        .build()
    }

    fn from_claims(claims: &ClaimsSet) -> Option<Self> {
        let find = |id: i64| {
            let name = RegisteredLabelWithPrivate::PrivateUse(id);
            claims
                .rest
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let integer = |id: i64| find(id)?.as_integer()?.try_into().ok();
        let texts = |value: &Value| -> Option<Vec<String>> {
            value
                .as_array()?
                .iter()
                .map(|text| text.as_text().map(str::to_owned))
                .collect()
        };
        let parsed_texts = |id: i64| find(id).and_then(texts);
        let time = |time: &Option<CwtTime>| match time {
            Some(CwtTime::WholeSeconds(seconds)) => {
                Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
            }
            Some(CwtTime::FractionalSeconds(_)) | None => None,
        };
        let staff = || find(STAFF)?.as_text()?.parse().ok();
        let scope = match (find(CABINETS), find(DISTRICT)) {
            (None, None) => Scope::Anywhere,
            (Some(cabinets), None) => Scope::Cabinets(
                texts(cabinets)?
                    .iter()
                    .map(|id| id.parse().ok())
                    .collect::<Option<_>>()?,
            ),
            (None, Some(district)) => Scope::District(district.as_text()?.to_owned()),
            (Some(_), Some(_)) => return None,
        };
        let number: u64 = integer(KIND)?;
        let kind = match number {
            1 => PassKind::DropOff {
                application: find(APPLICATION)?.as_text()?.parse().ok()?,
                items: parsed_texts(ITEMS)?
                    .iter()
                    .map(|item| item.parse().ok())
                    .collect::<Option<_>>()?,
                size: match integer(SIZE)? {
                    0 => Size::Small,
                    1 => Size::Medium,
                    2 => Size::Large,
                    _ => return None,
                },
                compartments: u8::try_from(integer(COMPARTMENTS)?)
                    .ok()
                    .filter(|count| (1..=Self::COMPARTMENTS_MAX).contains(count))?,
            },
            2 => PassKind::Collection {
                consignment: find(CONSIGNMENT)?.as_text()?.parse().ok()?,
                generation: integer(GENERATION)?.try_into().ok()?,
            },
            3 => PassKind::Courier { staff: staff()? },
            4 => PassKind::Technician { staff: staff()? },
            _ => return None,
        };
        let id = std::str::from_utf8(claims.cwt_id.as_deref()?)
            .ok()?
            .parse()
            .ok()?;
        Some(Self {
            id,
            not_before: time(&claims.not_before)?,
            expires: time(&claims.expiration_time)?,
            scope,
            kind,
        })
    }
}
