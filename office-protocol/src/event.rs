//! Events: what happened at a cabinet, in order, chained by hash. CloudEvents 1.0 in JSON.
//!
//! The cabinet serialises an [`Event`] once; those bytes are journaled, hashed, sent and stored. Readers that need not know every
//! type (the office must store what a newer cabinet sends) parse an [`EventHeader`] first.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::digest::Digest;
use crate::ids::{
    ApplicationId, BoardId, CabinetId, CompartmentId, ConsignmentId, ItemCode, KeyId, PassId, PersonId,
    PortName, Seq, StaffId, Start,
};
use crate::time::Timestamp;

mod body;
mod subject;
mod words;
pub use body::*;
pub use subject::{Subject, subjects};
pub use words::*;

/// Whether the cabinet had reason to believe its clock when it wrote a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Set by a time service or the office.
    Trusted,
    /// After a start without one; the time is at least the floor.
    Untrusted,
}

/// One event with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which start of the daemon wrote it; with `seq` the event's `id`.
    pub start: Start,
    /// The cabinet.
    pub source: CabinetId,
    /// Wall time.
    pub time: Timestamp,
    /// Whether `time` can be believed.
    pub clock: Clock,
    /// Its number, from 1 without a gap.
    pub seq: Seq,
    /// The digest of the bytes of the event before it; [`Digest::ZERO`] for the first.
    pub previous: Digest,
    /// The visit that it belongs to: the number of the visit's first event.
    pub visit: Option<Seq>,
    /// What happened.
    pub body: EventBody,
}

/// Bytes that are not an event.
#[derive(Debug, Error)]
pub enum InvalidEvent {
    /// Not JSON of the right shape.
    #[error("not an event: {0}")]
    Shape(#[from] serde_json::Error),
    /// `specversion`, `source` or `id` is not what this version writes.
    #[error("not an event: {0} is not as `locker/v1` has it")]
    Envelope(&'static str),
    /// A well-formed event of a type that this program does not know.
    #[error("unknown event type {0}: written by a newer version")]
    UnknownType(String),
}

#[derive(Serialize)]
struct Written<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(flatten)]
    body: &'a EventBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: Timestamp,
    seq: Seq,
    previous: Digest,
    clock: Clock,
    #[serde(skip_serializing_if = "Option::is_none")]
    visit: Option<Seq>,
}

/// The envelope of any event, known or not. `data` is kept as text.
#[derive(Debug, Clone, Deserialize)]
pub struct EventHeader {
    specversion: String,
    /// `<start>-<seq>`.
    pub id: String,
    source: String,
    /// `locker.` and the type in kebab-case.
    #[serde(rename = "type")]
    pub kind: String,
    /// `consignment/<id>`, `compartment/<id>`, … where the event is about one thing.
    pub subject: Option<String>,
    /// Wall time at the cabinet.
    pub time: Timestamp,
    /// Its number.
    pub seq: Seq,
    /// The digest of the event before it.
    pub previous: Digest,
    /// Whether the time can be believed.
    pub clock: Clock,
    /// The first event of its visit.
    pub visit: Option<Seq>,
    /// The type's own fields, as they were written.
    pub data: Box<RawValue>,
}

const SOURCE_PREFIX: &str = "/cabinets/";

impl EventHeader {
    /// Reads an envelope.
    ///
    /// # Errors
    /// When the bytes are not a `locker/v1` event.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidEvent> {
        let header: Self = serde_json::from_slice(bytes)?;
        if header.specversion != "1.0" {
            return Err(InvalidEvent::Envelope("specversion"));
        }
        if header.cabinet().is_none() {
            return Err(InvalidEvent::Envelope("source"));
        }
        let start = header.start().ok_or(InvalidEvent::Envelope("id"))?;
        if header.id != format!("{start}-{}", header.seq) {
            return Err(InvalidEvent::Envelope("id"));
        }
        Ok(header)
    }

    /// The cabinet that `source` names.
    pub fn cabinet(&self) -> Option<CabinetId> {
        self.source.strip_prefix(SOURCE_PREFIX)?.parse().ok()
    }

    fn start(&self) -> Option<Start> {
        self.id.split_once('-')?.0.parse().ok()
    }
}

impl Event {
    /// The bytes that are journaled, hashed and sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            specversion: "1.0",
            id: format!("{}-{}", self.start, self.seq),
            source: format!("{SOURCE_PREFIX}{}", self.source),
            body: &self.body,
            subject: self.body.subject(),
            time: self.time,
            seq: self.seq,
            previous: self.previous,
            clock: self.clock,
            visit: self.visit,
        };
        serde_json::to_vec(&written).expect("events hold only text keys and finite numbers")
    }

    /// Reads an event of a known type.
    ///
    /// # Errors
    /// [`InvalidEvent::UnknownType`] for a well-formed event of a type that is not in [`EventBody`]; otherwise what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidEvent> {
        #[derive(Serialize)]
        struct Tagged<'a> {
            r#type: &'a str,
            data: &'a RawValue,
        }
        let header = EventHeader::parse(bytes)?;
        if !EventBody::TYPES.contains(&header.kind.as_str()) {
            return Err(InvalidEvent::UnknownType(header.kind));
        }
        let tagged = serde_json::to_string(&Tagged {
            r#type: &header.kind,
            data: &header.data,
        })?;
        Ok(Self {
            start: header.start().ok_or(InvalidEvent::Envelope("id"))?,
            source: header.cabinet().ok_or(InvalidEvent::Envelope("source"))?,
            time: header.time,
            clock: header.clock,
            seq: header.seq,
            previous: header.previous,
            visit: header.visit,
            body: serde_json::from_str(&tagged)?,
        })
    }
}
