//! What the link reads of the journal: events from a number on, and the digest of any one of them.

use office_protocol::{Digest, EventHeader, SealedPart, Seq};

use crate::cabinet::vocabulary::Recorded;
use crate::journal::{JournalError, JournalReader, Record};

/// Reads what is durable. What cannot be read is as if it were not there.
pub trait JournalView {
    /// The first event that is kept; one above the tip when there is none.
    fn oldest(&mut self) -> Seq;

    /// The digest of one event's bytes, if the event, or the one after it, is kept.
    fn hash_at(&mut self, seq: Seq) -> Option<Digest>;

    /// Events from the first that can be read at or after `from`, each of which follows the one before it; at least one if there is
    /// any.
    fn read(&mut self, from: Seq, events_max: usize, bytes_max: usize) -> Vec<Recorded>;
}

impl JournalView for JournalReader {
    fn oldest(&mut self) -> Seq {
        Seq(said(self.first_seq()).unwrap_or(1))
    }

    fn hash_at(&mut self, seq: Seq) -> Option<Digest> {
        if let Some(record) = said(self.record_at(seq.0)).flatten() {
            return Some(Digest::of(&record.event));
        }
        let after = said(self.record_at(seq.next().0)).flatten()?;
        Some(EventHeader::parse(&after.event).ok()?.previous)
    }

    fn read(&mut self, from: Seq, events_max: usize, bytes_max: usize) -> Vec<Recorded> {
        let records = said(self.read_from(from.0, events_max, bytes_max)).unwrap_or_default();
        // Behind a gap another message begins: the office takes only what follows each other.
        let first = records.first().map_or(0, |record| record.seq);
        let follows = |(seq, record): &(u64, Record)| *seq == record.seq;
        let unbroken = (first..).zip(records).take_while(follows);
        unbroken.map(|(_, record)| recorded(record)).collect()
    }
}

fn said<T>(read: Result<T, JournalError>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "the journal could not be read for sending"))
        .ok()
}

fn recorded(record: Record) -> Recorded {
    Recorded {
        seq: Seq(record.seq),
        event: record.event,
        sealed: record
            .sealed
            .into_iter()
            .map(|bytes| SealedPart { bytes })
            .collect(),
    }
}
