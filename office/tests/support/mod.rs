//! A cabinet that only signs and sends, and a hub on a real SQLite file.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::Path;

use office::database::Database;
use office::hub::{Hub, Incoming, Outgoing};
use office::keys::Keys;
use office_protocol::event::Clock;
use office_protocol::{
    CabinetId, Digest, Event, EventBody, EventMessage, KeySet, Position, Presence, Purpose, SealedPart, Seq,
    Signed, SigningKey, Start, Status, Tip, Topic, status,
};

/// Whose key signs.
pub struct TestCabinet {
    pub id: CabinetId,
    pub key: SigningKey,
    pub start: Start,
    pub journal: Vec<Vec<u8>>,
    nonce: u64,
}

impl TestCabinet {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.parse().unwrap(),
            key: SigningKey::from_secret(&[7; 32]),
            start: Start(0xabc),
            journal: Vec::new(),
            nonce: 0,
        }
    }

    pub fn write(&mut self, body: EventBody) -> Seq {
        let seq = Seq(self.journal.len() as u64 + 1);
        let event = Event {
            start: self.start,
            source: self.id.clone(),
            time: office::clock::now(),
            clock: Clock::Trusted,
            seq,
            previous: self
                .journal
                .last()
                .map_or(Digest::ZERO, |bytes| Digest::of(bytes)),
            visit: None,
            body,
        };
        self.journal.push(event.to_bytes());
        seq
    }

    pub fn rate(&mut self, count: usize) {
        for stars in 0..count {
            self.write(EventBody::Rated {
                stars: u8::try_from(stars % 5).unwrap(),
            });
        }
    }

    /// The message with the events `from..=to`.
    pub fn events(&self, from: usize, to: usize, sealed: Vec<SealedPart>) -> Signed {
        let events = self.journal[from - 1..to].to_vec();
        let message = EventMessage { events, sealed };
        Signed::new(&self.key, Purpose::Events, &self.id, message.to_bytes().unwrap())
    }

    pub fn status(&mut self, presence: Presence) -> Signed {
        self.nonce += 1;
        let tip = |seq: Seq| Tip {
            seq,
            hash: Digest::of(&self.journal[seq.0 as usize - 1]),
        };
        let status = Status {
            presence,
            start: self.start,
            nonce: self.nonce,
            version: "test".into(),
            locator: status::locator_seqs(Seq(1), Seq(self.journal.len() as u64))
                .map(tip)
                .collect(),
        };
        self.sign(Purpose::Status, &status)
    }

    pub fn sign<T: serde::Serialize>(&self, purpose: Purpose, value: &T) -> Signed {
        Signed::new(&self.key, purpose, &self.id, serde_json::to_vec(value).unwrap())
    }

    pub fn sends(&self, topic: Topic, signed: Signed) -> Incoming {
        Incoming {
            cabinet: self.id.clone(),
            topic,
            signed: Some(signed),
        }
    }
}

/// Opens the hub whose files are in `place`.
pub async fn hub(place: &Path, webhooks: &[&str]) -> Hub {
    let database = Database::open(&place.join("office.db")).await.unwrap();
    let keys = Keys::open_or_create(&place.join("keys")).unwrap();
    Hub::new(
        database,
        keys,
        webhooks.iter().map(|name| (*name).to_owned()).collect(),
    )
}

/// A hub where this cabinet is enrolled.
pub async fn hub_with(place: &Path, cabinet: &TestCabinet) -> Hub {
    let hub = hub(place, &["approval"]).await;
    let key = cabinet.key.verifying_key();
    hub.database
        .enrol(&cabinet.id, &key, office::clock::now())
        .await
        .unwrap();
    hub
}

/// The position among what the hub sends, verified.
pub fn position(hub: &Hub, outgoing: &[Outgoing]) -> Option<Position> {
    let keys: KeySet = hub.keys.key_set(1);
    let message = outgoing.iter().find(|message| message.topic == Topic::Position)?;
    let bytes = keys
        .check(&message.signed, Purpose::Position, &message.cabinet)
        .unwrap();
    Some(serde_json::from_slice(bytes).unwrap())
}
