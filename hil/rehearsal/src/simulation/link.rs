//! The cabinet's end: the production sync with its reader, and what the broker has not acknowledged.

use std::collections::BTreeMap;

use lockerd::journal::JournalReader;
use lockerd::office_link::Sync;
use office_protocol::Seq;
use office_protocol::document::{DocumentName, Reported};

use super::network::Line;
use crate::broker::PacketId;

/// One start's link.
pub(super) struct Link {
    pub(super) sync: Sync,
    pub(super) reader: JournalReader,
    pub(super) line: Line,
    pub(super) under_way: BTreeMap<PacketId, u64>,
    /// What was said of documents on this connection.
    pub(super) told: BTreeMap<DocumentName, Reported>,
    /// As of which event what stands in the cabinet was said on this connection, and when it may be said again.
    pub(super) stated: Option<Seq>,
    pub(super) state_at: u64,
}

impl Link {
    pub(super) fn new(sync: Sync, reader: JournalReader, connect_at: u64) -> Self {
        Self {
            sync,
            reader,
            line: Line {
                retry_at: connect_at,
                ..Line::default()
            },
            under_way: BTreeMap::new(),
            told: BTreeMap::new(),
            stated: None,
            state_at: 0,
        }
    }
}
