//! What can be seen of a broker from outside.

use std::collections::BTreeMap;

use super::message::ConnectionId;
use super::session::Pumped;

/// A broker at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// By client name.
    pub clients: BTreeMap<String, ClientView>,
    /// Topics that have a retained message.
    pub retained: Vec<String>,
    /// Messages held back by faults.
    pub late: usize,
    /// Since the start.
    pub counters: Counters,
}

/// One client's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// `None`: remembered, but not connected.
    pub connection: Option<ConnectionId>,
    /// Filters as they were subscribed.
    pub subscriptions: Vec<String>,
    /// Messages waiting.
    pub queued: usize,
    /// Messages delivered and not yet acknowledged.
    pub in_flight: usize,
}

/// What happened to messages since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Published by clients, wills and forgery.
    pub published: u64,
    /// Deliveries sent, repeated ones too.
    pub delivered: u64,
    /// Not delivered because their time was over.
    pub expired: u64,
    /// Not delivered because the client does not take packets that large.
    pub oversized: u64,
    /// Not delivered because the client's queue was full.
    pub overflowed: u64,
    /// Not retained because there were too many topics.
    pub not_retained: u64,
    /// Not delivered by fault.
    pub dropped: u64,
    /// Altered by fault.
    pub altered: u64,
    /// Delivered twice by fault.
    pub repeated: u64,
    /// Overtaken by fault.
    pub reordered: u64,
    /// Held up in order by fault.
    pub delayed: u64,
    /// Connections ended by fault.
    pub cut: u64,
    /// Messages that nobody published.
    pub forged: u64,
}

impl Counters {
    pub(super) fn add(&mut self, pumped: Pumped) {
        self.delivered += pumped.delivered;
        self.expired += pumped.expired;
        self.oversized += pumped.oversized;
    }
}
