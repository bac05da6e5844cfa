//! Tests of the engine on a real directory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use office_protocol::event::{CompartmentLayout, Size};
use office_protocol::{EventHeader, SigningKey, Timestamp};

use super::*;
use crate::cabinet::vocabulary::Dice;
use crate::journal::RealDisk;

const SMALL: Options = Options {
    segment_bytes: 32 << 10,
    reserve_bytes: 32 << 10,
};

fn config() -> Config {
    let place = |id| CompartmentLayout {
        id: CompartmentId(id),
        size: Size::Small,
        reachable: true,
        wiring: None,
    };
    Config {
        id: "TEST-1".parse().unwrap(),
        key: SigningKey::from_secret(&[7; 32]),
        root: SigningKey::from_secret(&[8; 32]).verifying_key(),
        layout: (1..=4).map(place).collect(),
        protected: std::collections::BTreeSet::new(),
        items: BTreeMap::new(),
    }
}

fn moment(now: u64) -> Moment {
    Moment {
        now: Monotonic::from_millis(now),
        wall: Timestamp::from_millis(1_700_000_000_000 + now as i64),
        trusted: true,
        dice: Dice::new([now as u8; 32]),
    }
}

fn disks(directory: &Path) -> Disks {
    let disk = |name| Arc::new(RealDisk::open(&directory.join(name)).unwrap());
    Disks {
        journal: disk("journal"),
        documents: disk("documents"),
    }
}

fn run(start: u64) -> Run {
    Run {
        start: Start(start),
        version: "test".into(),
        enrolled_keys: None,
        keep_days: 190,
    }
}

fn open(directory: &Path, start: u64) -> Engine {
    Engine::open(disks(directory), SMALL, config(), run(start), &moment(0))
        .unwrap()
        .0
}

fn door(open: bool) -> Input {
    Input::DoorRead {
        compartment: CompartmentId(2),
        open,
        first: false,
    }
}

#[test]
fn what_was_decided_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = open(directory.path(), 1);
    engine.step(&moment(10), door(true)).unwrap();
    let before = engine.cabinet().ledger().clone();
    drop(engine);
    let opening = Journal::open(disks(directory.path()).journal, SMALL).unwrap();
    let recovered = Recovered::of(&opening, &config()).unwrap();
    assert_eq!(recovered.ledger, before);
    assert_eq!(recovered.damage, None);
}

#[test]
fn segments_roll_and_the_chain_goes_on_through_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut engine = open(directory.path(), 1);
    for round in 0..400 {
        engine.step(&moment(100 + round), door(round % 2 == 0)).unwrap();
        if round == 200 {
            drop(engine);
            engine = open(directory.path(), 2);
        }
    }
    let tip = engine.cabinet().ledger().tip;
    let mut reader = engine.reader();
    let records = reader.read_from(1, 10_000, usize::MAX).unwrap();
    assert_eq!(records.len() as u64, tip.seq.0);
    let mut previous = Digest::ZERO;
    for record in &records {
        assert_eq!(EventHeader::parse(&record.event).unwrap().previous, previous);
        previous = Digest::of(&record.event);
    }
    assert_eq!(previous, tip.hash);
}

#[test]
fn an_unknown_event_of_its_own_refuses_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let opening = Journal::open(disks(directory.path()).journal, SMALL).unwrap();
    let mut journal = opening.resume(&Ledger::default().to_checkpoint(), 0).unwrap();
    let event = r#"{"specversion":"1.0","id":"0000000000000001-1","source":"/cabinets/TEST-1","type":"locker.teleported","time":"2026-01-01T00:00:00.000Z","seq":"1","previous":"PREVIOUS","clock":"trusted","data":{}}"#
        .replace("PREVIOUS", &Digest::ZERO.to_string());
    let record = Record {
        seq: 1,
        event: event.into_bytes(),
        sealed: Vec::new(),
    };
    journal.append(&[record]).unwrap();
    drop(journal);
    let error = Engine::open(disks(directory.path()), SMALL, config(), run(1), &moment(0)).err();
    let said = error.unwrap().to_string();
    assert!(said.contains("locker.teleported"), "{said}");
    assert!(said.contains("event 1"), "{said}");
}

#[test]
fn another_cabinets_journal_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), 1));
    let mut other = config();
    other.id = "TEST-2".parse().unwrap();
    let opened = Engine::open(disks(directory.path()), SMALL, other, run(2), &moment(0));
    assert!(matches!(opened, Err(EngineError::Foreign { .. })));
}

#[test]
fn documents_are_read_back_as_they_were_stored() {
    let directory = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(directory.path()).unwrap();
    let name = office_protocol::document::DocumentName::Policy;
    let key = SigningKey::from_secret(&[9; 32]);
    let signed = Signed::new(
        &key,
        office_protocol::Purpose::Document,
        &config().id,
        b"{}".to_vec(),
    );
    documents::store(&disk, name, &signed).unwrap();
    documents::store(&disk, name, &signed).unwrap();
    assert_eq!(documents::load_all(&disk), vec![(name, signed)]);
}

#[test]
fn a_journal_that_was_let_go_in_part_and_has_no_checkpoint_starts_with_every_compartment_in_doubt() {
    let directory = tempfile::tempdir().unwrap();
    let trims = Run {
        keep_days: 0,
        ..run(1)
    };
    let opened = Engine::open(disks(directory.path()), SMALL, config(), trims, &moment(0));
    let mut engine = opened.unwrap().0;
    let mut now = 100;
    while engine.reader().first_seq().unwrap() == 1 {
        now += 1;
        engine.step(&moment(now), door(now % 2 == 0)).unwrap();
        let tip = engine.cabinet().ledger().tip;
        engine.step(&moment(now), Input::Acknowledged { tip }).unwrap();
        engine.keep_house(&moment(now)).unwrap();
    }
    let first = engine.reader().first_seq().unwrap();
    drop(engine);
    for entry in std::fs::read_dir(directory.path().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "segment") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[64] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let before = Journal::open(disks(directory.path()).journal, SMALL)
        .unwrap()
        .last_seq;
    let engine = open(directory.path(), 2);
    let places = &engine.cabinet().ledger().compartments;
    assert_eq!(places.len(), 4);
    assert!(places.values().all(|place| place.doubt.is_some()), "{places:?}");
    let started = engine.reader().record_at(before + 1).unwrap().unwrap();
    let started = Event::parse(&started.event).unwrap();
    let office_protocol::EventBody::Started {
        damage: Some(damage), ..
    } = started.body
    else {
        panic!("{started:?}")
    };
    assert_eq!(damage.unreadable, [(Seq(1), Seq(first - 1))]);
}
