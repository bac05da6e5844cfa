//! The `event` message: 1 to 64 events in order, byte for byte as journaled, with their sealed parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::codec;
use crate::digest::Digest;
use crate::sealed::SealedPart;
use crate::status::Tip;

/// A message that is none.
#[derive(Debug, Error)]
pub enum InvalidMessage {
    /// Not JSON of the right shape.
    #[error("not an event message: {0}")]
    Shape(#[from] serde_json::Error),
    /// None, or more than 64.
    #[error("an event message holds 1 to 64 events, not {0}")]
    Count(usize),
    /// A sealed part that is not base64, or whose digest is not its name.
    #[error("a sealed part does not fit its digest")]
    Sealed,
}

/// Events as exact bytes, and sealed parts by digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventMessage {
    /// In order.
    pub events: Vec<Vec<u8>>,
    /// What the events' digests name; erased ones are absent.
    pub sealed: Vec<SealedPart>,
    /// The last event before the first one that the cabinet can still send ([`Seq::ZERO`](crate::Seq::ZERO) where it knows of none): what
    /// was in between is lost. Absent where the first event follows the one before it.
    pub after: Option<Tip>,
}

#[derive(Serialize)]
struct Written<'a> {
    events: Vec<&'a RawValue>,
    sealed: BTreeMap<Digest, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Tip>,
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(default)]
    sealed: BTreeMap<Digest, String>,
    #[serde(default)]
    after: Option<Tip>,
}

impl EventMessage {
    /// The most events in one message.
    pub const EVENTS_MAX: usize = 64;

    /// The payload.
    ///
    /// # Errors
    /// When the count is out of bounds or an event is not JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InvalidMessage> {
        check_count(self.events.len())?;
        let events: Result<Vec<&RawValue>, _> = self
            .events
            .iter()
            .map(|event| serde_json::from_slice(event))
            .collect();
        let sealed = self
            .sealed
            .iter()
            .map(|part| (part.digest(), codec::encode(&part.bytes)))
            .collect();
        Ok(serde_json::to_vec(&Written {
            events: events?,
            sealed,
            after: self.after,
        })?)
    }

    /// Reads a payload. The events are not parsed: their bytes are what was signed and hashed.
    ///
    /// # Errors
    /// [`InvalidMessage`].
    pub fn parse(payload: &[u8]) -> Result<Self, InvalidMessage> {
        let read: Read<'_> = serde_json::from_slice(payload)?;
        check_count(read.events.len())?;
        let part = |(digest, text): (Digest, String)| {
            let part = SealedPart {
                bytes: codec::decode(&text)?,
            };
            (part.digest() == digest).then_some(part)
        };
        let sealed: Option<Vec<SealedPart>> = read.sealed.into_iter().map(part).collect();
        Ok(Self {
            events: read
                .events
                .iter()
                .map(|event| event.get().as_bytes().to_vec())
                .collect(),
            sealed: sealed.ok_or(InvalidMessage::Sealed)?,
            after: read.after,
        })
    }
}

fn check_count(count: usize) -> Result<(), InvalidMessage> {
    if (1..=EventMessage::EVENTS_MAX).contains(&count) {
        Ok(())
    } else {
        Err(InvalidMessage::Count(count))
    }
}
