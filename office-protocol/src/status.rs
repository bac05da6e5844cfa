//! `status`: whether a cabinet is there, and where its journal ends. Retained, and the last will.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Seq, Start};

/// One event's place and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// Its number; 0 for an empty journal.
    pub seq: Seq,
    /// Its digest; [`Digest::ZERO`] for an empty journal.
    pub hash: Digest,
}

impl Tip {
    /// Of a journal that holds nothing.
    pub const NONE: Self = Self {
        seq: Seq::ZERO,
        hash: Digest::ZERO,
    };
}

/// Whether the cabinet is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Connected.
    Online,
    /// Gone; what the last will says.
    Offline,
    /// About to stop in good order.
    Draining,
}

/// Signed with [`crate::Purpose::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// There or not.
    pub presence: Presence,
    /// Which start of the daemon.
    pub start: Start,
    /// Rises with every status of one start; the office's position answers it.
    pub nonce: u64,
    /// The daemon's version.
    pub version: String,
    /// Newest first: the tip of the journal, then events ever further before it, the oldest kept last ([`locator_seqs`]). The office
    /// answers with the newest that it has, so a fork or a restored disk shows by itself. Empty when offline.
    #[serde(default)]
    pub locator: Vec<Tip>,
}

/// Which sequence numbers a locator names for a journal that keeps `oldest..=tip`: newest first, spacing doubled, the oldest
/// last. The one that is from 2ⁿ to 2ⁿ⁺¹ before the tip is a multiple of 2ⁿ, so that the next locators name it again.
pub fn locator_seqs(oldest: Seq, tip: Seq) -> impl Iterator<Item = Seq> {
    let before = (0..63).map_while(move |power| Some(((tip.0 >> power).checked_sub(1)?) << power));
    let newer = std::iter::once(tip).chain(before.map(Seq));
    let oldest_kept = (oldest > Seq::ZERO && oldest <= tip).then_some(oldest);
    newer.take_while(move |seq| *seq > oldest).chain(oldest_kept)
}
