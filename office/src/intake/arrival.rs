//! What came in, verified and read: signature, shape and the chain inside one message.

use office_protocol::{
    CabinetId, Digest, EventHeader, EventMessage, Purpose, SealedPart, Seq, Signed, Start, Status,
    VerifyingKey,
};

use super::knowledge::Head;
use office_protocol::Branch;

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
    /// The exact bytes.
    pub bytes: Vec<u8>,
}

impl Arrived {
    fn parse(bytes: Vec<u8>, cabinet: &CabinetId) -> Option<Self> {
        let header = EventHeader::parse(&bytes).ok()?;
        let ours = header.cabinet().as_ref() == Some(cabinet) && header.seq > Seq::ZERO;
        let first_fits = (header.seq == Seq(1)) == (header.previous == Digest::ZERO);
        (ours && first_fits).then_some(())?;
        Some(Self {
            seq: header.seq,
            previous: header.previous,
            digest: Digest::of(&bytes),
            start: header.id.split_once('-')?.0.parse().ok()?,
            bytes,
        })
    }

    pub(super) fn head(&self, branch: Branch) -> Head {
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
        if events.windows(2).all(follows) {
            Ok(Self {
                events,
                sealed: message.sealed,
            })
        } else {
            Err(Rejection::NoChain)
        }
    }

    /// The numbers of its events and of the one before them.
    pub(super) fn neighbourhood(&self) -> impl Iterator<Item = Seq> {
        let first = self.events.first().and_then(|event| event.seq.0.checked_sub(1));
        first
            .into_iter()
            .map(Seq)
            .chain(self.events.iter().map(|event| event.seq))
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
    let bounded = status.locator.len() <= 65 && status.version.len() <= 100;
    bounded.then_some(status).ok_or(Rejection::NoChain)
}
