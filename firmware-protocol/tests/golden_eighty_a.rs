//! The 8A/80 family's frames, byte for byte as in its documents. Do not change these: change the code.
#![allow(clippy::unwrap_used)]

use firmware_protocol::{
    Answer, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading, Family, Frame,
    Polarity, Request, Scan, Station, UnlockResult,
};

const BOARD: Board = Board(1);

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn request(command: Command) -> Request {
    Request {
        board: BOARD,
        sequence: 0,
        command,
    }
}

fn sent(family: Family, command: Command) -> String {
    let mut frame = Frame::new();
    family
        .codec()
        .encode_request(&request(command), &mut frame)
        .unwrap();
    let station = Station {
        board: BOARD,
        channels: 24,
    };
    let heard = family.codec().scan_request(&frame, station, false);
    assert_eq!(
        heard,
        Scan::Frame {
            length: frame.len(),
            content: request(command)
        },
        "the board understands it"
    );
    format!("{frame:?}")
}

/// Both ways: the bytes mean `content`, and `content` gives the bytes.
fn answered(family: Family, asked: Option<Command>, bytes: &[u8], content: Content) {
    let answer = Answer {
        board: BOARD,
        sequence: 0,
        content,
    };
    let expecting = asked.map(request);
    let heard = family.codec().scan_answer(bytes, expecting.as_ref(), false);
    assert_eq!(
        heard,
        Scan::Frame {
            length: bytes.len(),
            content: answer
        }
    );
    if let Some(expecting) = expecting {
        assert!(answer.answers(&expecting), "it answers the request");
        assert_eq!(family.codec().answer_length(&expecting), bytes.len());
    }
    let mut frame = Frame::new();
    family.codec().encode_answer(&answer, &mut frame).unwrap();
    assert_eq!(&*frame, bytes, "the board says it in these bytes");
}

#[test]
fn shuoming_requests() {
    let family = Family::Shuoming;
    assert_eq!(sent(family, Command::Unlock(channel(1))), "8A 01 01 11 9B");
    assert_eq!(sent(family, Command::Unlock(channel(2))), "8A 01 02 11 98");
    assert_eq!(sent(family, Command::UnlockAll), "8A 01 00 11 9A");
    assert_eq!(sent(family, Command::ReadDoor(channel(1))), "80 01 01 33 B3");
    assert_eq!(sent(family, Command::ReadAll { channels: 24 }), "80 01 00 33 B2");
}

#[test]
fn kecheng_requests() {
    let family = Family::Kecheng;
    assert_eq!(sent(family, Command::Unlock(channel(1))), "8A 01 01 33 B9");
    assert_eq!(sent(family, Command::SetReports(true)), "8D 01 01 01 8C");
    assert_eq!(sent(family, Command::SetReports(false)), "8D 01 01 00 8D");
    assert_eq!(sent(family, Command::ReadVersion), "82 01 00 22 A1");
}

#[test]
fn shuoming_has_neither_report_switch_nor_version() {
    let mut codec = Family::Shuoming.codec();
    for command in [Command::SetReports(true), Command::ReadVersion] {
        assert!(
            codec
                .encode_request(&request(command), &mut Frame::new())
                .is_err()
        );
    }
}

#[test]
fn unlock_answers() {
    let unlocked = |door| Content::Unlocked {
        channel: channel(1),
        result: UnlockResult::Taken,
        door,
        item: None,
    };
    let asked = Some(Command::Unlock(channel(1)));
    for family in [Family::Shuoming, Family::Kecheng] {
        answered(
            family,
            asked,
            &[0x8A, 1, 1, 0x00, 0x8A],
            unlocked(DoorReading::Open),
        );
        answered(
            family,
            asked,
            &[0x8A, 1, 1, 0x11, 0x9B],
            unlocked(DoorReading::Closed),
        );
    }
    let all = [0x8A, 0x01, 0x00, 0x11, 0x9A];
    answered(
        Family::Shuoming,
        Some(Command::UnlockAll),
        &all,
        Content::AllUnlocked,
    );
}

#[test]
fn single_reads_in_both_polarities() {
    let asked = Some(Command::ReadDoor(channel(1)));
    for family in [Family::Shuoming, Family::Kecheng] {
        for (bytes, door) in [
            ([0x80, 1, 1, 0x11, 0x91], DoorReading::Closed),
            ([0x80, 1, 1, 0x00, 0x80], DoorReading::Open),
        ] {
            answered(
                family,
                asked,
                &bytes,
                Content::Door {
                    channel: channel(1),
                    door,
                },
            );
        }
    }
    assert_eq!(DoorReading::Closed.with(Polarity::Inverted), DoorReading::Open);
    assert_eq!(DoorReading::Open.with(Polarity::Inverted), DoorReading::Closed);
    assert_eq!(
        DoorReading::Unknown.with(Polarity::Inverted),
        DoorReading::Unknown
    );
}

#[test]
fn packed_reads_follow_the_number_of_locks() {
    let state = |channels: u8, open: u64| {
        let known = (1 << channels) - 1;
        Content::State(BoardState {
            channels,
            doors: DoorMap { known, open },
            ..BoardState::default()
        })
    };
    for family in [Family::Shuoming, Family::Kecheng] {
        // Locks 1, 10 and 24 are open: groups 17-24, 9-16, 1-8 from left to right.
        let bytes = [
            0x80,
            0x01,
            0x7F,
            0xFD,
            0xFE,
            0x33,
            0x80 ^ 0x01 ^ 0x7F ^ 0xFD ^ 0xFE ^ 0x33,
        ];
        let open = 1 | 1 << 9 | 1 << 23;
        answered(
            family,
            Some(Command::ReadAll { channels: 24 }),
            &bytes,
            state(24, open),
        );
        let bytes = [0x80, 0x01, 0xFB, 0x33, 0x80 ^ 0x01 ^ 0xFB ^ 0x33];
        answered(
            family,
            Some(Command::ReadAll { channels: 8 }),
            &bytes,
            state(8, 1 << 2),
        );
        let mut bytes = [0x80, 0x01, 0x03, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x33, 0];
        bytes[10] = firmware_protocol::xor(&bytes);
        answered(
            family,
            Some(Command::ReadAll { channels: 50 }),
            &bytes,
            state(50, 1 << 7),
        );
    }
}

#[test]
fn unasked_reports_are_82_or_81() {
    let unasked = Content::Unasked {
        channel: channel(3),
        door: DoorReading::Open,
    };
    answered(Family::Shuoming, None, &[0x82, 1, 3, 0x00, 0x80], unasked);
    answered(Family::Kecheng, None, &[0x81, 1, 3, 0x00, 0x83], unasked);
    let answer = Answer {
        board: BOARD,
        sequence: 0,
        content: unasked,
    };
    let heard = Family::Shuoming
        .codec()
        .scan_answer(&[0x81, 1, 3, 0x00, 0x83], None, false);
    assert_eq!(
        heard,
        Scan::Frame {
            length: 5,
            content: answer
        },
        "other firmware of this dialect says 81"
    );
}

#[test]
fn kecheng_reports_and_version_answers() {
    let family = Family::Kecheng;
    let on = [0x8D, 0x01, 0x01, 0x01, 0x8C];
    answered(
        family,
        Some(Command::SetReports(true)),
        &on,
        Content::ReportsSet(true),
    );
    let version = [0x82, 0x01, 0x02, 0x05, 0x84];
    answered(
        family,
        Some(Command::ReadVersion),
        &version,
        Content::Version([2, 5]),
    );
}

#[test]
fn a_single_answer_that_ends_while_a_packed_one_is_awaited_is_found_after_silence() {
    let expecting = request(Command::ReadAll { channels: 24 });
    let bytes = [0x80, 1, 1, 0x11, 0x91];
    let mut codec = Family::Shuoming.codec();
    assert_eq!(
        codec.scan_answer(&bytes, Some(&expecting), false),
        Scan::Incomplete
    );
    assert!(matches!(
        codec.scan_answer(&bytes, Some(&expecting), true),
        Scan::Frame { length: 5, .. }
    ));
}

#[test]
fn wrong_checksums_and_states_are_noise() {
    let mut codec = Family::Shuoming.codec();
    for bytes in [
        [0x80, 1, 1, 0x11, 0x90],
        [0x80, 1, 1, 0x12, 0x92],
        [0x80, 1, 0, 0x11, 0x90],
        [0x83, 1, 1, 0, 0x83],
    ] {
        assert_eq!(codec.scan_answer(&bytes, None, true), Scan::Noise, "{bytes:02X?}");
    }
}
