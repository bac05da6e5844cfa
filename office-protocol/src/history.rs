//! A cabinet's history as the office has it, in one file: for a cabinet that has lost its disk.
//!
//! The first line says where the history ends, signed by the office, beside the key set that the signature is verified with. Each
//! further line is one event, byte for byte, with its sealed parts (sealed still), as `lockerd journal export` writes it. Each event
//! names the digest of the one before, so the signed end stands for all of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::digest::Digest;
use crate::ids::{Branch, CabinetId, KeyId, Seq};
use crate::keys::{KeySet, VerifyingKey};
use crate::signature::{Forged, Purpose, Signed};
use crate::time::Timestamp;

/// Where a cabinet's history ends. Signed with [`Purpose::History`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEnd {
    /// Which history.
    pub branch: Branch,
    /// Its last event.
    pub seq: Seq,
    /// That event's digest; [`Digest::ZERO`] for an empty history.
    pub hash: Digest,
    /// The cabinet's identity that is enrolled: the file is for no other.
    pub identity: KeyId,
    /// When the office wrote the file.
    pub issued: Timestamp,
    /// Events that the cabinet itself had lost before they reached the office, first and last: the file goes on behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(Seq, Seq)>,
}

/// A line that is not what stands in such a file.
#[derive(Debug, Error)]
pub enum InvalidHistory {
    /// Not JSON of the right shape.
    #[error("not a line of a history: {0}")]
    Shape(#[from] serde_json::Error),
    /// A sealed part that is no base64.
    #[error("a sealed part is no base64")]
    Sealed,
    /// Not of this office, or of another cabinet.
    #[error(transparent)]
    Forged(#[from] Forged),
}

/// The first line, as texts of signed files.
#[derive(Serialize, Deserialize)]
struct FirstLine {
    history: String,
    keys: String,
}

/// The first line, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryHead {
    /// Where the history ends.
    pub end: HistoryEnd,
    /// The key set in force.
    pub keys: KeySet,
    /// The same, as the root signed it.
    pub signed_keys: Signed,
}

impl HistoryHead {
    /// The first line, without its line end.
    pub fn write(end: &Signed, keys: &Signed) -> String {
        let text = |signed: &Signed| String::from_utf8_lossy(&signed.to_file()).into_owned();
        serde_json::to_string(&FirstLine {
            history: text(end),
            keys: text(keys),
        })
        .expect("two texts")
    }

    /// Reads and verifies a first line.
    ///
    /// # Errors
    /// [`InvalidHistory`]: the root did not sign the keys for this cabinet, or none of them the history.
    pub fn verify(line: &str, root: &VerifyingKey, cabinet: &CabinetId) -> Result<Self, InvalidHistory> {
        let first: FirstLine = serde_json::from_str(line)?;
        let signed_keys = Signed::from_file(first.keys.as_bytes())?;
        let keys = KeySet::verify(&signed_keys, root, cabinet)?;
        let history = Signed::from_file(first.history.as_bytes())?;
        let end = serde_json::from_slice(keys.check(&history, Purpose::History, cabinet)?)?;
        Ok(Self {
            end,
            keys,
            signed_keys,
        })
    }
}

/// One event with its sealed parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryLine {
    /// The exact bytes.
    pub event: Vec<u8>,
    /// Its sealed parts; erased ones are absent.
    pub sealed: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(default)]
    sealed: Vec<String>,
}

impl HistoryLine {
    /// The line, without its line end.
    ///
    /// # Errors
    /// [`InvalidHistory::Shape`] when the event is not JSON.
    pub fn write(event: &[u8], sealed: &[Vec<u8>]) -> Result<String, InvalidHistory> {
        let line = Line {
            event: serde_json::from_slice(event)?,
            sealed: sealed.iter().map(|part| STANDARD.encode(part)).collect(),
        };
        Ok(serde_json::to_string(&line)?)
    }

    /// Reads a line; the event is not looked into.
    ///
    /// # Errors
    /// [`InvalidHistory`].
    pub fn parse(line: &str) -> Result<Self, InvalidHistory> {
        let read: Line<'_> = serde_json::from_str(line)?;
        let sealed: Result<Vec<_>, _> = read.sealed.iter().map(|part| STANDARD.decode(part)).collect();
        Ok(Self {
            event: read.event.get().as_bytes().to_vec(),
            sealed: sealed.map_err(|_| InvalidHistory::Sealed)?,
        })
    }
}
