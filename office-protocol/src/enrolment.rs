//! Enrolment: what a new cabinet shows the office, and what it gets back.

use serde::{Deserialize, Serialize};

use crate::ids::CabinetId;
use crate::keys::VerifyingKey;

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
    /// The cabinet's key that it is for; offices of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<VerifyingKey>,
}
