//! What one end writes, the other reads; what is altered, it refuses.
#![allow(clippy::unwrap_used)]

use office_protocol::document::DocumentName;
use office_protocol::event::{Authority, Clock, Size, VisitPurpose};
use office_protocol::sealed::{OpeningKey, Unopenable};
use office_protocol::*;
use rand_core::SeedableRng;

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn event() -> Event {
    Event {
        start: Start(7),
        source: cabinet(),
        time: "2026-01-31T09:05:07.042Z".parse().unwrap(),
        clock: Clock::Trusted,
        seq: Seq(12),
        previous: Digest::of(b"before"),
        visit: Some(Seq(12)),
        body: EventBody::VisitGranted {
            purpose: VisitPurpose::Collection,
            authority: Authority::PickupCode {
                generation: 1,
                digits: true,
            },
            compartment: CompartmentId(3),
            consignment: Some("PERMIT-1".parse().unwrap()),
            application: None,
            item: None,
            slip: None,
            second: None,
            person: None,
            sealed: None,
        },
    }
}

fn keys(signing: &SigningKey) -> KeySet {
    let office = OpeningKey::from_secret(&[9; 32]).unwrap();
    KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: signing.verifying_key(),
            purposes: vec![Purpose::Pass, Purpose::Position],
        }],
        sealing: vec![office.sealing_key().clone()],
    }
}

#[test]
fn an_event_reads_back_as_it_was_written() {
    let bytes = event().to_bytes();
    assert_eq!(Event::parse(&bytes).unwrap(), event());
    assert_eq!(EventHeader::parse(&bytes).unwrap().cabinet(), Some(cabinet()));
}

#[test]
fn an_event_of_a_newer_version_has_a_readable_header() {
    let text = String::from_utf8(event().to_bytes())
        .unwrap()
        .replace("visit-granted", "teleported");
    assert_eq!(
        EventHeader::parse(text.as_bytes()).unwrap().kind,
        "locker.teleported"
    );
    assert!(matches!(
        Event::parse(text.as_bytes()),
        Err(event::InvalidEvent::UnknownType(_))
    ));
}

#[test]
fn a_signature_counts_for_its_purpose_and_cabinet_only() {
    let key = SigningKey::from_secret(&[1; 32]);
    let signed = Signed::new(&key, Purpose::Position, &cabinet(), b"{}".to_vec());
    let public = key.verifying_key();
    assert!(signed.verify(&public, Purpose::Position, &cabinet()).is_ok());
    assert!(signed.verify(&public, Purpose::Command, &cabinet()).is_err());
    assert!(
        signed
            .verify(&public, Purpose::Position, &"PORT-8".parse().unwrap())
            .is_err()
    );
    assert_eq!(Signed::from_file(&signed.to_file()).unwrap(), signed);
    let altered = Signed {
        bytes: b"[]".to_vec(),
        ..signed
    };
    assert!(altered.verify(&public, Purpose::Position, &cabinet()).is_err());
}

#[test]
fn a_pass_verifies_with_the_offices_key_and_no_other() {
    let key = SigningKey::from_secret(&[1; 32]);
    let pass = Pass {
        id: "p-1".parse().unwrap(),
        not_before: Timestamp::from_millis(0),
        expires: Timestamp::from_millis(1_800_000_000_000),
        scope: Scope::Cabinets(vec![cabinet()]),
        kind: PassKind::DropOff {
            application: "A-1".parse().unwrap(),
            items: vec!["birth-certificate".parse().unwrap()],
            size: Size::Medium,
            compartments: 2,
        },
    };
    let text = pass.sign(&key);
    assert_eq!(Pass::verify(&text, &keys(&key)), Ok(pass));
    let other = SigningKey::from_secret(&[2; 32]);
    assert_eq!(Pass::verify(&text, &keys(&other)), Err(pass::InvalidPass::Forged));
    assert_eq!(
        Pass::verify("LK1:%%%", &keys(&key)),
        Err(pass::InvalidPass::Shape)
    );
}

#[test]
fn a_sealed_part_opens_at_the_office_for_its_cabinet_only() {
    let office = OpeningKey::from_secret(&[9; 32]).unwrap();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    let personal = Personal {
        phone: Some("13800000000".into()),
        code: None,
    };
    let part = SealedPart::seal(&personal, office.sealing_key(), &cabinet(), &mut rng).unwrap();
    assert!(part.open(&office, &cabinet()).unwrap() == personal);
    assert_eq!(
        part.open(&office, &"PORT-8".parse().unwrap()).err(),
        Some(Unopenable::Altered)
    );
    let other = OpeningKey::from_secret(&[8; 32]).unwrap();
    assert_eq!(part.open(&other, &cabinet()).err(), Some(Unopenable::OtherKey));
}

#[test]
fn an_event_message_keeps_the_exact_bytes() {
    let office = OpeningKey::from_secret(&[9; 32]).unwrap();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    let part = SealedPart::seal(&Personal::default(), office.sealing_key(), &cabinet(), &mut rng).unwrap();
    let message = EventMessage {
        events: vec![event().to_bytes(), event().to_bytes()],
        sealed: vec![part],
        after: None,
    };
    assert_eq!(
        EventMessage::parse(&message.to_bytes().unwrap()).unwrap(),
        message
    );
    assert!(EventMessage::default().to_bytes().is_err());
}

#[test]
fn topics_read_back() {
    let root = TopicRoot::default();
    for topic in [
        Topic::Status,
        Topic::Event,
        Topic::Desired(DocumentName::Staff),
        Topic::Reported(DocumentName::Keys),
    ] {
        assert_eq!(
            Topic::parse(&root, &topic.of(&root, &cabinet())),
            Some((cabinet(), topic))
        );
    }
    assert_eq!(Topic::parse(&root, "locker/v1/PORT-7/other"), None);
}

#[test]
fn a_locator_doubles_its_steps() {
    let seqs: Vec<u64> = status::locator_seqs(Seq(3), Seq(20)).map(|seq| seq.0).collect();
    assert_eq!(seqs, [20, 19, 18, 16, 8, 3]);
    assert_eq!(status::locator_seqs(Seq(1), Seq(0)).count(), 0);
}
