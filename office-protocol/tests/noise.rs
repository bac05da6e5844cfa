//! Noise never panics in any parser, and altered bytes never verify.
#![allow(clippy::unwrap_used)]

use office_protocol::sealed::OpeningKey;
use office_protocol::*;
use proptest::prelude::*;
use rand_core::SeedableRng;

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

fn keys() -> KeySet {
    KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: key().verifying_key(),
            purposes: vec![Purpose::Pass, Purpose::Position],
        }],
        sealing: Vec::new(),
    }
}

fn opening() -> OpeningKey {
    OpeningKey::from_secret(&[9; 32]).unwrap()
}

fn pass() -> String {
    let pass = Pass {
        id: "p-1".parse().unwrap(),
        not_before: Timestamp::from_millis(0),
        expires: Timestamp::from_millis(1_800_000_000_000),
        scope: Scope::Cabinets(vec![cabinet()]),
        kind: PassKind::Courier {
            staff: "c-1".parse().unwrap(),
        },
    };
    pass.sign(&key())
}

/// Every parser that reads what comes from outside.
fn read_everywhere(bytes: &[u8]) {
    let _ = Event::parse(bytes);
    let _ = EventHeader::parse(bytes);
    let _ = EventMessage::parse(bytes);
    let _ = Signed::from_file(bytes);
    let _ = SealedPart {
        bytes: bytes.to_vec(),
    }
    .open(&opening(), &cabinet());
    let _ = serde_json::from_slice::<Position>(bytes);
    let _ = serde_json::from_slice::<Command>(bytes);
    let _ = serde_json::from_slice::<Status>(bytes);
    let _ = serde_json::from_slice::<CabinetState>(bytes);
    let _ = serde_json::from_slice::<KeySet>(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = Pass::verify(&text, &keys());
    let _ = Pass::verify(&format!("{}{text}", pass::PREFIX), &keys());
    let _ = Topic::parse(&TopicRoot::default(), &text);
    let _ = Topic::parse(&TopicRoot::default(), &format!("locker/v1/{text}"));
    let _ = text.parse::<Timestamp>();
    let _ = text.parse::<Digest>();
    let _ = Signature::from_text(&text, &format!("ed25519:{text}"));
}

/// One golden file, altered.
fn altered_golden() -> impl Strategy<Value = Vec<u8>> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(directory).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    files.sort();
    let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (prop::sample::select(files), prop::collection::vec(edit, 1..6)).prop_map(|(mut bytes, edits)| {
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn altered_messages_never_panic(bytes in altered_golden()) {
        read_everywhere(&bytes);
    }

    #[test]
    fn altered_bytes_never_verify(at in any::<prop::sample::Index>(), flip in 1..=255_u8, bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let mut signed = Signed::new(&key(), Purpose::Position, &cabinet(), bytes);
        let at = at.index(signed.bytes.len());
        signed.bytes[at] ^= flip;
        prop_assert!(keys().check(&signed, Purpose::Position, &cabinet()).is_err());
    }

    #[test]
    fn an_altered_pass_never_counts(at in any::<prop::sample::Index>(), letter in "[0-9A-Z $%*+./:-]") {
        let genuine = pass();
        let mut text = genuine.clone();
        let at = pass::PREFIX.len() + at.index(text.len() - pass::PREFIX.len());
        text.replace_range(at..=at, &letter);
        prop_assume!(text != genuine);
        prop_assert!(Pass::verify(&text, &keys()).is_err());
    }

    #[test]
    fn an_altered_sealed_part_never_opens(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
        let personal = Personal { phone: Some("13800000000".into()), code: None };
        let genuine = SealedPart::seal(&personal, opening().sealing_key(), &cabinet(), &mut rng).unwrap();
        let mut part = genuine;
        let at = at.index(part.bytes.len());
        part.bytes[at] ^= flip;
        prop_assert!(part.open(&opening(), &cabinet()).is_err());
    }
}
