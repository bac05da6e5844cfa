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
    /// Newest first: the tip of the journal, then the events 1, 2, 4, 8, … before it, down to the oldest kept. The office answers
    /// with the newest that it has, so a fork or a restored disk shows by itself. Empty when offline.
    #[serde(default)]
    pub locator: Vec<Tip>,
}

/// Which sequence numbers a locator names for a journal that keeps `oldest..=tip`: newest first, spacing doubled.
pub fn locator_seqs(oldest: Seq, tip: Seq) -> impl Iterator<Item = Seq> {
    let back = std::iter::once(0).chain((0..63).map(|power| 1_u64 << power));
    back.map_while(move |back| tip.0.checked_sub(back).map(Seq))
        .take_while(move |seq| *seq >= oldest && seq.0 > 0)
}
