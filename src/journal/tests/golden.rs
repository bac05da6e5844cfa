//! The segment format is frozen: do not change these tests, add a version.
#![allow(clippy::unwrap_used)]

use super::super::format::{self, Decoded, Header, HeaderFault, Record};
use proptest::prelude::*;

const GOLDEN: &[u8] = include_bytes!("../golden/segment-1.bin");

fn header() -> Header {
    Header {
        segment: 7,
        first_seq: 41,
        checkpoint_seq: 40,
        created_ms: 1_767_225_600_123,
        checkpoint_length: 26,
        checkpoint_crc: crc32c::crc32c(b"the state, in someone's way"[..26].as_ref()),
    }
}

fn groups() -> [Vec<Record>; 2] {
    [
        vec![Record {
            seq: 41,
            event: b"{\"type\":\"locker.placed\"}".to_vec(),
            sealed: vec![],
        }],
        vec![
            Record {
                seq: 42,
                event: b"{}".to_vec(),
                sealed: vec![b"sealed".to_vec(), vec![]],
            },
            Record {
                seq: 43,
                event: vec![],
                sealed: vec![vec![0xFF; 9]],
            },
        ],
    ]
}

fn segment() -> Vec<u8> {
    let mut bytes = header().encode().to_vec();
    bytes.extend_from_slice(&b"the state, in someone's way"[..26]);
    bytes.resize(header().records_start() as usize, 0);
    for group in groups() {
        format::encode_group(7, &group, &mut bytes);
    }
    bytes
}

#[test]
fn version_1_is_written_as_ever() {
    assert!(segment() == GOLDEN, "the bytes differ from golden/segment-1.bin");
}

#[test]
fn version_1_is_read_as_ever() {
    assert_eq!(Header::decode(GOLDEN), Ok(header()));
    let mut at = header().records_start() as usize;
    for group in groups() {
        for (index, record) in group.iter().enumerate() {
            let Decoded::Record(placed) = format::decode(&GOLDEN[at..], 7) else {
                panic!("no record at {at}")
            };
            assert_eq!((&placed.record, usize::from(placed.index)), (record, index));
            assert_eq!(usize::from(placed.count), group.len());
            at += placed.stored_bytes;
        }
    }
    assert_eq!(at, GOLDEN.len());
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut bytes = GOLDEN[..64].to_vec();
    bytes[8] = 2;
    assert_eq!(Header::decode(&bytes), Err(HeaderFault::Damaged));
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::decode(&bytes), Err(HeaderFault::Version(2)));
}

#[test]
fn one_event_costs_little_more_than_its_bytes() {
    let event = Record {
        seq: 1,
        event: vec![b'x'; 200],
        sealed: vec![],
    };
    assert!(event.stored_bytes() <= 240);
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(
        segment in 1u32..,
        first in 1u64..u64::MAX / 2,
        parts in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..300),
             prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4)), 1..5),
    ) {
        let group: Vec<Record> = (first..).zip(parts)
            .map(|(seq, (event, sealed))| Record { seq, event, sealed }).collect();
        let mut bytes = Vec::new();
        format::encode_group(segment, &group, &mut bytes);
        let mut at = 0;
        for (index, record) in group.iter().enumerate() {
            let Decoded::Record(placed) = format::decode(&bytes[at..], segment) else { panic!() };
            prop_assert_eq!(&placed.record, record);
            prop_assert_eq!(placed.group_start(), first);
            prop_assert_eq!(placed.closes_group(), index + 1 == group.len());
            prop_assert_eq!(format::decode(&bytes[at..], segment ^ 1), Decoded::Nothing);
            at += placed.stored_bytes;
        }
        prop_assert_eq!(at, bytes.len());
    }

    #[test]
    fn noise_is_never_a_record(noise in prop::collection::vec(any::<u8>(), 0..400), segment in any::<u32>()) {
        prop_assert!(!matches!(format::decode(&noise, segment), Decoded::Record(_)));
        prop_assert!(Header::decode(&noise).is_err());
    }
}
