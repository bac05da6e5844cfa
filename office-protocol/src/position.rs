//! The office's position: up to where its database has committed a cabinet's events. The only thing that moves an outbox.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Branch, Seq, Start};

/// Signed with [`crate::Purpose::Position`]; accepted only if `hash` is the digest of event `seq` in the cabinet's own journal
/// ([`Digest::ZERO`] for `seq` 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The start of the cabinet that it is meant for; others ignore it.
    pub start: Start,
    /// Which history.
    pub branch: Branch,
    /// Everything up to this event is in the database.
    pub seq: Seq,
    /// That event's digest.
    pub hash: Digest,
    /// The `nonce` of the last status of that start which the office had heard. A position counts only while that is the cabinet's last
    /// question, and moves back only as the first that does: so an old one replayed moves nothing. Absent: of an office before this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<u64>,
}
