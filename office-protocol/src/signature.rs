//! Signatures: over exact bytes, for one purpose, for one cabinet.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec;
use crate::ids::{CabinetId, KeyId};
use crate::keys::{SigningKey, VerifyingKey};

/// What a signature is for. A signature made for one purpose verifies for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A cabinet's event message.
    Events,
    /// A cabinet's status.
    Status,
    /// A cabinet's state.
    State,
    /// A cabinet's answer to a command.
    Reply,
    /// A cabinet's word on a document.
    Reported,
    /// A cabinet's receipt for a citizen.
    Receipt,
    /// A cabinet's report of which lock opens which door.
    Commissioning,
    /// The office's position.
    Position,
    /// Where a cabinet's history ends, as the office has it.
    History,
    /// The office's command.
    Command,
    /// The office's authority document.
    Document,
    /// The office's pass.
    Pass,
    /// The root's key set.
    KeySet,
}

impl Purpose {
    /// The text that is signed with the bytes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Status => "status",
            Self::State => "state",
            Self::Reply => "reply",
            Self::Reported => "reported",
            Self::Receipt => "receipt",
            Self::Commissioning => "commissioning",
            Self::Position => "position",
            Self::History => "history",
            Self::Command => "command",
            Self::Document => "document",
            Self::Pass => "pass",
            Self::KeySet => "key-set",
        }
    }
}

/// `locker/v1 ‖ purpose ‖ cabinet`, each ended by a zero byte, which none of them can hold. Empty cabinet: for any.
pub(crate) fn context(purpose: Purpose, cabinet: Option<&CabinetId>) -> Vec<u8> {
    let cabinet = cabinet.map_or("", CabinetId::as_str);
    format!("locker/v1\0{}\0{cabinet}\0", purpose.as_str()).into_bytes()
}

fn signed_bytes(purpose: Purpose, cabinet: &CabinetId, bytes: &[u8]) -> Vec<u8> {
    let mut all = context(purpose, Some(cabinet));
    all.extend_from_slice(bytes);
    all
}

/// A signature with the key that made it. Text form `ed25519:<base64url>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key.
    pub key: KeyId,
    bytes: [u8; 64],
}

const ALGORITHM_PREFIX: &str = "ed25519:";

impl Signature {
    /// From the two MQTT user properties, or the two fields of a file's first line.
    pub fn from_text(key: &str, signature: &str) -> Option<Self> {
        let bytes = codec::decode(signature.strip_prefix(ALGORITHM_PREFIX)?)?;
        Some(Self {
            key: key.parse().ok()?,
            bytes: bytes.try_into().ok()?,
        })
    }

    /// The `signature` property.
    pub fn text(&self) -> String {
        format!("{ALGORITHM_PREFIX}{}", codec::encode(&self.bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature by {}", self.key)
    }
}

/// Bytes with their signature, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Over them.
    pub signature: Signature,
}

/// A signature that does not verify, or a signed file that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Forged {
    /// No key of that name for that purpose.
    #[error("signed by a key that is not known for this purpose")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature does not fit the bytes")]
    Mismatch,
    /// The file has no first line with key and signature.
    #[error("not a signed file: the first line must hold key and signature")]
    NotSigned,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    key: KeyId,
    signature: String,
}

impl Signed {
    /// Signs.
    pub fn new(key: &SigningKey, purpose: Purpose, cabinet: &CabinetId, bytes: Vec<u8>) -> Self {
        let signature = key.sign_raw(&signed_bytes(purpose, cabinet, &bytes));
        Self {
            bytes,
            signature: Signature {
                key: key.id().clone(),
                bytes: signature,
            },
        }
    }

    /// The bytes, if `key` made the signature for this purpose and cabinet.
    ///
    /// # Errors
    /// [`Forged`] otherwise.
    pub fn verify(&self, key: &VerifyingKey, purpose: Purpose, cabinet: &CabinetId) -> Result<&[u8], Forged> {
        if *key.id() != self.signature.key {
            return Err(Forged::UnknownKey);
        }
        let all = signed_bytes(purpose, cabinet, &self.bytes);
        if key.verifies(&all, &self.signature.bytes) {
            Ok(&self.bytes)
        } else {
            Err(Forged::Mismatch)
        }
    }

    /// One file: a JSON line with key and signature, then the exact bytes.
    pub fn to_file(&self) -> Vec<u8> {
        let first = FirstLine {
            key: self.signature.key.clone(),
            signature: self.signature.text(),
        };
        let mut file = serde_json::to_vec(&first).expect("two texts");
        file.push(b'\n');
        file.extend_from_slice(&self.bytes);
        file
    }

    /// Reads what [`Signed::to_file`] wrote.
    ///
    /// # Errors
    /// [`Forged::NotSigned`].
    pub fn from_file(file: &[u8]) -> Result<Self, Forged> {
        let end = file
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(Forged::NotSigned)?;
        let first: FirstLine = serde_json::from_slice(&file[..end]).map_err(|_| Forged::NotSigned)?;
        let signature =
            Signature::from_text(first.key.as_str(), &first.signature).ok_or(Forged::NotSigned)?;
        Ok(Self {
            bytes: file[end + 1..].to_vec(),
            signature,
        })
    }
}
