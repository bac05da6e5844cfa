//! A cabinet that only signs and sends, and a hub on a real database: a SQLite file, or a PostgreSQL of the tests' own.
#![allow(dead_code, unreachable_pub, unused_macros, clippy::unwrap_used)]

use std::path::Path;

use office::database::{Database, Location};
use office::hub::{Hub, Incoming, Outgoing};
use office::keys::Keys;
use office_protocol::event::{Authority, Clock, VisitOutcome, VisitPurpose};
use office_protocol::{
    CabinetId, CabinetState, CompartmentId, ConsignmentId, Digest, Event, EventBody, EventMessage, KeySet,
    Position, Presence, Purpose, SealedPart, Seq, Signed, SigningKey, Start, Status, Tip, Topic, status,
};

pub mod fleet;
pub mod postgres;
pub mod programs;

/// Where one test's hubs have their files and their database.
pub struct Place {
    directory: tempfile::TempDir,
    /// The setting `database`, when it is a server.
    pub server: Option<String>,
}

impl Place {
    pub fn sqlite() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    pub fn postgres() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            server: Some(postgres::fresh(false)),
        }
    }

    /// Whose server waits for the disk, as one in earnest does.
    pub fn durable_postgres() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            server: Some(postgres::fresh(true)),
        }
    }

    /// Runs a statement on the server, into a file in the directory when one is named.
    pub fn psql(&self, text: &str, into: Option<&str>) {
        postgres::run(self.server.as_ref().unwrap(), self.path(), text, into);
    }

    /// Saves the database; no hub has it open.
    pub fn back_up(&self) {
        match &self.server {
            Some(text) => postgres::dump(text, &self.path().join("backup.sql")),
            None => {
                std::fs::copy(self.path().join("office.db"), self.path().join("backup.db")).unwrap();
            }
        }
    }

    /// Puts the saved database in the place of the one that is there; no hub has it open.
    pub fn restore(&self) {
        match &self.server {
            Some(text) => postgres::load(text, self.path(), "backup.sql"),
            None => {
                for ending in ["-wal", "-shm"] {
                    let _not_there = std::fs::remove_file(self.path().join(format!("office.db{ending}")));
                }
                std::fs::copy(self.path().join("backup.db"), self.path().join("office.db")).unwrap();
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn location(&self) -> Location {
        match &self.server {
            Some(text) => Location::server(text).unwrap(),
            None => Location::File(self.path().join("office.db")),
        }
    }
}

/// Each of these tests on either database.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] $(#[$meta])*
            async fn $name() { super::$name(&crate::support::Place::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] $(#[$meta])*
            async fn $name() { super::$name(&crate::support::Place::postgres()).await; })*
        }
    };
}

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
        self.write_of(body, None)
    }

    fn write_of(&mut self, body: EventBody, visit: Option<Seq>) -> Seq {
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
            visit,
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
        let message = EventMessage {
            events,
            sealed,
            after: None,
        };
        Signed::new(&self.key, Purpose::Events, &self.id, message.to_bytes().unwrap())
    }

    /// The message with the events `from..=to`, before which nothing down to `after` is left.
    pub fn events_behind(&self, after: usize, from: usize, to: usize) -> Signed {
        let message = EventMessage {
            events: self.journal[from - 1..to].to_vec(),
            sealed: Vec::new(),
            after: Some(Tip {
                seq: Seq(after as u64),
                hash: Digest::of(&self.journal[after - 1]),
            }),
        };
        Signed::new(&self.key, Purpose::Events, &self.id, message.to_bytes().unwrap())
    }

    /// A whole drop-off, six events.
    pub fn drop_off(&mut self, number: usize) {
        let compartment = CompartmentId(u16::try_from(number % 24 + 1).unwrap());
        let consignment: ConsignmentId = format!("{}.{number}", self.id).parse().unwrap();
        let granted = self.write(EventBody::VisitGranted {
            purpose: VisitPurpose::DropOff,
            authority: Authority::WalkIn,
            compartment,
            consignment: None,
            application: None,
            item: Some("birth-certificate".parse().unwrap()),
            slip: None,
            second: None,
            person: None,
            sealed: None,
        });
        for body in [
            EventBody::UnlockBegun {
                compartment,
                pulse: 1,
            },
            EventBody::DoorOpened { compartment },
            EventBody::DoorClosed { compartment },
            EventBody::DroppedOff {
                consignment,
                compartment,
                application: None,
                item: Some("birth-certificate".parse().unwrap()),
                envelope: None,
                unverified: true,
                sealed: None,
            },
            EventBody::VisitSettled {
                compartment,
                outcome: VisitOutcome::Done,
            },
        ] {
            self.write_of(body, Some(granted));
        }
    }

    pub fn status(&mut self, presence: Presence) -> Signed {
        self.numbered_status(presence).1
    }

    /// A status with its nonce.
    pub fn numbered_status(&mut self, presence: Presence) -> (u64, Signed) {
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
        (self.nonce, self.sign(Purpose::Status, &status))
    }

    pub fn sign<T: serde::Serialize>(&self, purpose: Purpose, value: &T) -> Signed {
        Signed::new(&self.key, purpose, &self.id, serde_json::to_vec(value).unwrap())
    }

    pub fn sends(&self, topic: Topic, signed: Signed) -> Incoming {
        Incoming {
            cabinet: self.id.clone(),
            topic,
            signed: Some(signed),
            kept: false,
        }
    }
}

/// What a cabinet says of itself that has nothing to tell.
pub fn snapshot(start: Start, seq: u64) -> CabinetState {
    CabinetState {
        start,
        seq: Seq(seq),
        time: office::clock::now(),
        compartments: Vec::new(),
        boards: Vec::new(),
        ports_lost: Vec::new(),
        wires: Vec::new(),
        mains: None,
        alarms: Vec::new(),
    }
}

/// Opens a hub whose files and database are there.
pub async fn hub(place: &Place, webhooks: &[&str]) -> Hub {
    let database = Database::open(&place.location()).await.unwrap();
    let keys = Keys::open_or_create(&place.path().join("keys")).unwrap();
    let webhooks = webhooks.iter().map(|name| (*name).to_owned()).collect();
    Hub::new(database, keys, webhooks)
}

/// A hub where this cabinet is enrolled.
pub async fn hub_with(place: &Place, cabinet: &TestCabinet) -> Hub {
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
