//! The words of [`Sync`](super::Sync): who speaks, the bounds, what comes in, what goes out, how it stands.

use office_protocol::{CabinetId, KeySet, Seq, Signed, Start, Tip};

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages that the broker has not acknowledged.
    pub window_messages: usize,
    /// Events sent beyond the office's position.
    pub ahead_events: u64,
    /// Shortest time between two statuses on one connection.
    pub status_gap_ms: u64,
    /// How long sent events may stay unconfirmed, or a status unanswered, until it is asked again; doubles up to six times this.
    pub answer_wait_ms: u64,
    /// With nothing to send, a status goes out this often all the same: the office hears that the cabinet lives, and the cabinet whether
    /// the office still has everything (its database may have been restored from a backup).
    pub sign_of_life_ms: u64,
    /// The largest payload, whatever the broker would take.
    pub payload_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window_messages: 16,
            ahead_events: 4_096,
            status_gap_ms: 5_000,
            answer_wait_ms: 10_000,
            sign_of_life_ms: 600_000,
            payload_bytes: 256 * 1024,
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The cabinet.
    pub cabinet: CabinetId,
    /// This start of the daemon.
    pub start: Start,
    /// The daemon's version.
    pub version: String,
}

/// What comes in.
#[derive(Debug, Clone)]
pub enum Input {
    /// Connected and subscribed.
    LinkUp {
        /// The largest packet that the broker takes.
        packet_bytes: usize,
    },
    /// No longer connected; what was under way is gone.
    LinkDown,
    /// A message on `position`; not yet verified.
    PositionReceived(Signed),
    /// The journal is durable up to here.
    TipAdvanced(Seq),
    /// The broker has taken a message.
    MessageAcknowledged {
        /// Its number.
        message: u64,
    },
    /// The broker has refused a message.
    MessageLost {
        /// Its number.
        message: u64,
    },
    /// The office's keys changed.
    KeysChanged(KeySet),
    /// The daemon is about to stop.
    Draining,
    /// The time that `next_deadline` named has come.
    DeadlineReached,
}

/// What goes out, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// On `status`, retained.
    PublishStatus(Signed),
    /// On `event`, quality 1.
    PublishEvents {
        /// Its number, for the answer; never used twice.
        message: u64,
        /// The message.
        signed: Signed,
    },
    /// The office's database holds everything up to here. Lower than before when the office went back.
    Acknowledged {
        /// The last of those events.
        tip: Tip,
    },
    /// A position that the office did not sign.
    ForgerySeen,
    /// Nothing gets through: begin a new connection.
    Reconnect,
}

/// How the link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Connected.
    pub online: bool,
    /// The office has answered, and events are sent.
    pub following: bool,
    /// The journal's tip.
    pub tip: Seq,
    /// The office's position; none before the first.
    pub confirmed: Option<Seq>,
    /// The next event to send.
    pub next: Seq,
    /// Messages that the broker has not acknowledged.
    pub in_flight: usize,
    /// Positions that the office did not sign.
    pub forged: u64,
    /// Genuine positions that did not count: another start, an unknown event, out of date.
    pub ignored: u64,
    /// An event that cannot be sent on this connection: too large for the broker, or unreadable.
    pub blocked: Option<Seq>,
}
