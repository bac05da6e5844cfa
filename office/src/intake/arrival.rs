//! What came in, verified and read: signature, shape and the chain inside one message.

use office_protocol::{
    CabinetId, Digest, EventHeader, EventMessage, Purpose, SealedPart, Seq, Signed, Start, Status, Timestamp,
    Tip, VerifyingKey,
};

use super::knowledge::Head;
use office_protocol::Branch;

/// The longest type of an event, in bytes; those that are known have at most 26.
const KIND_BYTES_MAX: usize = 100;
/// The longest subject, in bytes; those that are known have at most 53. The database has an index of them, and an index has its bounds.
const SUBJECT_BYTES_MAX: usize = 200;
const VERSION_BYTES_MAX: usize = 100;
const LOCATOR_MAX: usize = 65;

/// What any database keeps as a text: PostgreSQL refuses the character zero.
fn is_plain(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.chars().any(char::is_control)
}

/// Why a message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// The cabinet's key did not sign it.
    Forged,
    /// Nothing that anybody signed.
    Noise,
    /// Signed by the cabinet, yet of another cabinet, of another shape, or out of order.
    NoChain,
}

/// One event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub seq: Seq,
    /// The digest of the event before it.
    pub previous: Digest,
    /// Its own digest.
    pub digest: Digest,
    /// The start that wrote it.
    pub start: Start,
    /// Its type.
    pub kind: Box<str>,
    /// What it is about.
    pub subject: Option<Box<str>>,
    /// When, at the cabinet.
    pub time: Timestamp,
    /// The exact bytes.
    pub bytes: Vec<u8>,
}

impl Arrived {
    /// Reads an event's envelope; none when it is not this cabinet's, or its number and chain do not fit.
    pub fn parse(bytes: Vec<u8>, cabinet: &CabinetId) -> Option<Self> {
        let header = EventHeader::parse(&bytes).ok()?;
        let ours = header.cabinet().as_ref() == Some(cabinet) && header.seq > Seq::ZERO;
        let first_fits = (header.seq == Seq(1)) == (header.previous == Digest::ZERO);
        let kept_as_it_is = i64::try_from(header.seq.0).is_ok()
            && is_plain(&header.kind, KIND_BYTES_MAX)
            && header
                .subject
                .as_deref()
                .is_none_or(|text| is_plain(text, SUBJECT_BYTES_MAX));
        (ours && first_fits && kept_as_it_is).then_some(())?;
        Some(Self {
            seq: header.seq,
            previous: header.previous,
            digest: Digest::of(&bytes),
            start: header.id.split_once('-')?.0.parse().ok()?,
            kind: header.kind.into_boxed_str(),
            subject: header.subject.map(String::into_boxed_str),
            time: header.time,
            bytes,
        })
    }

    /// The end of a history that ends with it.
    pub fn head(&self, branch: Branch) -> Head {
        Head {
            branch,
            seq: self.seq,
            hash: self.digest,
            start: self.start,
        }
    }
}

/// A genuine event message: its events follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// In order, at least one.
    pub events: Vec<Arrived>,
    /// Their sealed parts.
    pub sealed: Vec<SealedPart>,
    /// The cabinet says that it has lost what was between this event and the first one.
    pub after: Option<Tip>,
}

impl Arrival {
    /// Verifies and reads an event message.
    ///
    /// # Errors
    /// [`Rejection`]; the message changes nothing then.
    pub fn check(signed: &Signed, key: &VerifyingKey, cabinet: &CabinetId) -> Result<Self, Rejection> {
        let bytes = signed
            .verify(key, Purpose::Events, cabinet)
            .map_err(|_| Rejection::Forged)?;
        let message = EventMessage::parse(bytes).map_err(|_| Rejection::NoChain)?;
        let events: Option<Vec<Arrived>> = message
            .events
            .into_iter()
            .map(|bytes| Arrived::parse(bytes, cabinet))
            .collect();
        let events = events.ok_or(Rejection::NoChain)?;
        let follows = |pair: &[Arrived]| {
            pair[0].seq.0.checked_add(1) == Some(pair[1].seq.0) && pair[1].previous == pair[0].digest
        };
        let first = events.first().map_or(0, |event| event.seq.0);
        let skips = |after: Tip| {
            let nothing = after.seq == Seq::ZERO;
            after.seq.0.saturating_add(1) < first && nothing == (after.hash == Digest::ZERO)
        };
        if events.windows(2).all(follows) && message.after.is_none_or(skips) {
            Ok(Self {
                events,
                sealed: message.sealed,
                after: message.after,
            })
        } else {
            Err(Rejection::NoChain)
        }
    }

    /// The event that its first one follows.
    pub(super) fn before(&self) -> Option<(Seq, Digest)> {
        let first = self.events.first()?;
        Some((Seq(first.seq.0.checked_sub(1)?), first.previous))
    }

    /// Whether it goes on after this event.
    pub(super) fn follows(&self, end: (Seq, Digest)) -> bool {
        end.0 > Seq::ZERO && self.before() == Some(end)
    }

    /// Its last event.
    pub(super) fn end(&self) -> Option<(Seq, Digest)> {
        self.events.last().map(|event| (event.seq, event.digest))
    }

    /// The numbers of its events and of the one before them, and of the one that they go on after.
    pub(super) fn neighbourhood(&self) -> impl Iterator<Item = Seq> {
        let first = self.events.first().and_then(|event| event.seq.0.checked_sub(1));
        first
            .into_iter()
            .map(Seq)
            .chain(self.events.iter().map(|event| event.seq))
            .chain(self.after.map(|after| after.seq))
    }
}

/// Verifies and reads a status.
///
/// # Errors
/// [`Rejection`].
pub fn check_status(signed: &Signed, key: &VerifyingKey, cabinet: &CabinetId) -> Result<Status, Rejection> {
    let bytes = signed
        .verify(key, Purpose::Status, cabinet)
        .map_err(|_| Rejection::Forged)?;
    let status: Status = serde_json::from_slice(bytes).map_err(|_| Rejection::NoChain)?;
    let bounded = status.locator.len() <= LOCATOR_MAX && is_plain(&status.version, VERSION_BYTES_MAX);
    bounded.then_some(status).ok_or(Rejection::NoChain)
}
