//! How much a broker takes, and what happens at each bound.

use bytes::Bytes;

/// The bounds of a broker, and what it says of them in CONNACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a packet; a longer one ends the connection with `PacketTooLarge`.
    pub packet_max: usize,
    /// Unacknowledged messages each way on one connection (receive maximum).
    pub window_max: u16,
    /// Messages waiting for one client; at the bound the newest is lost and counted, and its publisher is told
    /// `QueuesFull` where no other client took it.
    pub queue_max: usize,
    /// Sessions; at the bound a new client is refused with `QuotaExceeded`.
    pub sessions_max: usize,
    /// Subscriptions of one client; at the bound a new one is refused.
    pub subscriptions_max: usize,
    /// Retained topics; at the bound a message of a new topic is delivered but not retained.
    pub retained_max: usize,
    /// Messages held back by faults; at the bound nothing more is held back.
    pub late_max: usize,
    /// The one user name and password; `None`: anybody.
    pub credentials: Option<(String, Bytes)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_max: 256 * 1024,
            window_max: 64,
            queue_max: 20_000,
            sessions_max: 110_000,
            subscriptions_max: 100,
            retained_max: 1_100_000,
            late_max: 100_000,
            credentials: None,
        }
    }
}
