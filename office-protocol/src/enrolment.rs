//! Enrolment: what a new cabinet shows the office, and what it gets back.

use serde::{Deserialize, Serialize};

use crate::ids::CabinetId;
use crate::keys::VerifyingKey;
use crate::time::Timestamp;

/// So many days before a certificate ends the office and the cabinet say that a new one is wanted.
pub const CERTIFICATE_WARNING_DAYS: u32 = 30;

/// What `lockerd identity` prints and `office enrol` takes: nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cabinet's public key; its private half signs events and speaks TLS.
    pub key: VerifyingKey,
}

/// What `office enrol` answers with: one file, nothing secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The cabinet's id from now on.
    pub cabinet: CabinetId,
    /// Pinned: what the key set must be signed by.
    pub root: VerifyingKey,
    /// The first key set, as a signed file's text.
    pub keys: String,
    /// The broker's certificate authority, PEM.
    pub ca: String,
    /// The cabinet's client certificate for its own key, PEM.
    pub certificate: String,
    /// Until when that certificate counts; offices of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends: Option<Timestamp>,
    /// The cabinet's key that it is for; offices of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<VerifyingKey>,
}

impl Bundle {
    /// When its certificate ends, if that is soon or over.
    pub fn ends_soon(&self, now: Timestamp) -> Option<Timestamp> {
        self.certificate_ends
            .filter(|ends| *ends < now.plus_days(CERTIFICATE_WARNING_DAYS))
    }
}
