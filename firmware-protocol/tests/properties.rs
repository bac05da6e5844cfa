//! What holds for every family: noise never panics, decode∘encode = id, and frames are found after noise.
#![allow(clippy::unwrap_used)]

use firmware_protocol::{
    Accumulator, Answer, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading,
    FRAME_MAX, Family, Frame, Request, Scan, Station, UnlockResult,
};
use proptest::prelude::*;

fn families() -> impl Strategy<Value = Family> {
    proptest::sample::select(Family::ALL)
}

fn commands(channels: u8) -> impl Strategy<Value = Command> {
    let channel = (1..=channels).prop_map(|number| Channel::new(number).unwrap());
    prop_oneof![
        channel.clone().prop_map(Command::Unlock),
        channel.prop_map(Command::ReadDoor),
        Just(Command::UnlockAll),
        Just(Command::ReadAll { channels }),
        any::<bool>().prop_map(Command::SetReports),
        Just(Command::ReadVersion),
        Just(Command::AllOff),
    ]
}

fn requests() -> impl Strategy<Value = (Family, u8, Request)> {
    families().prop_flat_map(|family| {
        let profile = family.profile();
        let boards = profile.boards.0..=profile.boards.1;
        (1..=profile.channels_max, boards).prop_flat_map(move |(channels, board)| {
            (commands(channels), any::<u8>()).prop_map(move |(command, number)| {
                let sequence = if numbered(family) { number } else { 0 };
                let board = Board(board);
                (
                    family,
                    channels,
                    Request {
                        board,
                        sequence,
                        command,
                    },
                )
            })
        })
    })
}

/// Whether the family's frames carry a number.
fn numbered(family: Family) -> bool {
    let sent = |sequence| {
        let command = Command::Unlock(Channel::new(1).unwrap());
        let mut frame = Frame::new();
        let request = Request {
            board: Board(1),
            sequence,
            command,
        };
        family
            .codec()
            .encode_request(&request, &mut frame)
            .map(|()| frame)
    };
    sent(1) != sent(2)
}

/// An answer that fits the request.
fn answer_to(family: Family, request: Request, bits: u64, open: bool) -> Answer {
    let profile = family.profile();
    let door = if open {
        DoorReading::Open
    } else {
        DoorReading::Closed
    };
    let content = match request.command {
        Command::Unlock(channel) => Content::Unlocked {
            channel,
            result: UnlockResult::Taken,
            door,
            item: profile.items.then_some(bits & 1 == 1),
        },
        Command::UnlockAll => Content::AllUnlocked,
        Command::ReadDoor(channel) => Content::Door { channel, door },
        Command::ReadAll { channels } => {
            let known = if channels == 64 {
                u64::MAX
            } else {
                (1 << channels) - 1
            };
            let doors = DoorMap {
                known,
                open: bits & known,
            };
            Content::State(BoardState {
                channels,
                doors,
                items: profile.items.then_some(!bits & known),
                tampered: profile.tamper.then_some(bits & 1 == 1),
                shaken: profile.tamper.then_some(bits & 2 == 2),
                mains: profile.power.then_some(bits & 4 == 4),
            })
        }
        Command::SetReports(on) => Content::ReportsSet(on),
        Command::ReadVersion => Content::Version([bits.to_le_bytes()[0], bits.to_le_bytes()[1]]),
        Command::Handshake => Content::Handshake,
        Command::AllOff => Content::AllOff,
    };
    Answer {
        board: request.board,
        sequence: request.sequence,
        content,
    }
}

/// What arrives of an answer whose frame has no place for a door or an item beside the unlock.
fn carried(sent: Answer, heard: Answer) -> Answer {
    let (
        Content::Unlocked {
            channel,
            result,
            door,
            item,
            ..
        },
        Content::Unlocked {
            door: told,
            item: seen,
            ..
        },
    ) = (sent.content, heard.content)
    else {
        return sent;
    };
    let content = Content::Unlocked {
        channel,
        result,
        door: if told == DoorReading::Unknown { told } else { door },
        item: item.and(seen.and(item)),
    };
    Answer { content, ..sent }
}

fn frames_in(family: Family, expecting: Option<&Request>, chunks: &[Vec<u8>]) -> Vec<Answer> {
    let mut codec = family.codec();
    let mut accumulator = Accumulator::new();
    let mut found = Vec::new();
    for chunk in chunks {
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            rest = accumulator.push(rest);
            while let Some(answer) =
                accumulator.next(false, |bytes| codec.scan_answer(bytes, expecting, false))
            {
                found.push(answer);
            }
        }
    }
    while let Some(answer) = accumulator.next(true, |bytes| codec.scan_answer(bytes, expecting, true)) {
        found.push(answer);
    }
    assert!(accumulator.pending().is_empty(), "nothing stays after silence");
    found
}

proptest! {
    #[test]
    fn noise_never_panics_and_never_stays(
        family in families(),
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..8),
        asked in proptest::option::of(requests()),
    ) {
        let expecting = asked.map(|(_, _, request)| request);
        frames_in(family, expecting.as_ref(), &chunks);
        let mut codec = family.codec();
        let station = Station { board: Board(1), channels: 24 };
        for chunk in chunks {
            let heard = codec.scan_request(&chunk, station, true);
            if let Scan::Frame { length, .. } = heard {
                prop_assert!(length >= 1 && length <= chunk.len());
            }
        }
    }

    #[test]
    fn a_board_understands_what_a_controller_says((family, channels, request) in requests()) {
        let mut frame = Frame::new();
        if family.codec().encode_request(&request, &mut frame).is_ok() {
            let unlock = matches!(request.command, Command::Unlock(_));
            prop_assert!(!unlock || frame.len() == usize::from(family.profile().unlock_bytes));
            let station = Station { board: request.board, channels };
            let heard = family.codec().scan_request(&frame, station, false);
            prop_assert_eq!(heard, Scan::Frame { length: frame.len(), content: request });
        }
    }

    #[test]
    fn a_controller_understands_what_a_board_says(
        (family, _, request) in requests(), bits in any::<u64>(), open in any::<bool>(),
    ) {
        let answer = answer_to(family, request, bits, open);
        prop_assert!(answer.answers(&request));
        let mut codec = family.codec();
        let mut frame = Frame::new();
        if codec.encode_request(&request, &mut Frame::new()).is_ok()
            && codec.encode_answer(&answer, &mut frame).is_ok()
        {
            let heard = codec.scan_answer(&frame, Some(&request), false);
            let Scan::Frame { length, content } = heard else { panic!("{heard:?}") };
            prop_assert_eq!((length, content), (frame.len(), carried(answer, content)));
            prop_assert!(content.answers(&request));
            prop_assert!(frame.len() <= codec.answer_length(&request));
            let mut again = Frame::new();
            codec.encode_answer(&content, &mut again).unwrap();
            prop_assert_eq!(again, frame, "nothing is lost on the way back");
        }
    }

    #[test]
    fn an_answer_is_found_after_noise_and_silence(
        (family, _, request) in requests(),
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        bits in any::<u64>(), open in any::<bool>(),
    ) {
        let answer = answer_to(family, request, bits, open);
        let mut codec = family.codec();
        let mut frame = Frame::new();
        if codec.encode_request(&request, &mut Frame::new()).is_ok()
            && codec.encode_answer(&answer, &mut frame).is_ok()
        {
            let mut accumulator = Accumulator::new();
            let mut rest = noise.as_slice();
            while !rest.is_empty() {
                rest = accumulator.push(rest);
                while accumulator.next(false, |bytes| codec.scan_answer(bytes, Some(&request), false)).is_some() {}
            }
            while accumulator.next(true, |bytes| codec.scan_answer(bytes, Some(&request), true)).is_some() {}
            accumulator.push(&frame);
            let found = accumulator.next(false, |bytes| codec.scan_answer(bytes, Some(&request), false));
            prop_assert_eq!(found, found.map(|found| carried(answer, found)));
            prop_assert!(found.is_some());
        }
    }

    #[test]
    fn bytes_that_begin_no_frame_cost_no_frame(
        (family, _, request) in requests(), noise in proptest::collection::vec(0_u8..0x7F, 0..300), split in 0_usize..9,
        open in any::<bool>(),
    ) {
        let answer = answer_to(family, request, 0, open);
        let mut codec = family.codec();
        let mut frame = Frame::new();
        if codec.encode_request(&request, &mut Frame::new()).is_ok()
            && codec.encode_answer(&answer, &mut frame).is_ok()
            && noise.iter().all(|byte| {
                codec.scan_answer(&[*byte], Some(&request), false) == Scan::Noise
            })
        {
            let (first, second) = frame.split_at(split.min(frame.len()));
            let found = frames_in(family, Some(&request), &[noise, first.to_vec(), second.to_vec()]);
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0], carried(answer, found[0]));
        }
    }
}

proptest! {
    #[test]
    fn a_frame_of_one_family_is_no_answer_in_another(
        (family, _, request) in requests(), other in families(), (_, _, asked) in requests(), bits in any::<u64>(),
    ) {
        let mut frame = Frame::new();
        let answer = answer_to(family, request, bits, false);
        let kin = |one: Family, two: Family| one.name().split('-').next() == two.name().split('-').next();
        if !kin(family, other) && family.codec().encode_answer(&answer, &mut frame).is_ok() {
            let heard = frames_in(other, Some(&asked), &[frame.to_vec()]);
            prop_assert!(heard.iter().all(|answer| !answer.answers(&asked)), "{:?}", heard);
        }
    }

    #[test]
    fn a_changed_bit_is_refused_where_there_is_a_checksum(
        (family, _, request) in requests(), bits in any::<u64>(), at in any::<proptest::sample::Index>(), bit in 0..8,
    ) {
        let mut frame = Frame::new();
        let answer = answer_to(family, request, bits, true);
        let mut codec = family.codec();
        if family != Family::Winnsen && codec.encode_answer(&answer, &mut frame).is_ok() {
            let mut changed = frame.to_vec();
            changed[at.index(frame.len())] ^= 1_u8 << bit;
            let heard = codec.scan_answer(&changed, Some(&request), true);
            let whole = matches!(heard, Scan::Frame { length, .. } if length == frame.len());
            prop_assert!(!whole, "{:?}", heard);
        }
    }
}

#[test]
fn what_never_completes_is_dropped_at_the_longest_frame() {
    let mut accumulator = Accumulator::new();
    assert!(accumulator.push(&[7; FRAME_MAX]).is_empty());
    assert_eq!(accumulator.next(false, |_| Scan::<()>::Incomplete), None);
    assert!(accumulator.pending().len() < FRAME_MAX);
    assert!(accumulator.dropped() > 0);
}

#[test]
fn an_answer_of_another_board_channel_or_command_does_not_match() {
    let channel = |number| Channel::new(number).unwrap();
    let request = |board, command| Request {
        board: Board(board),
        sequence: 0,
        command,
    };
    let asked = request(1, Command::ReadDoor(channel(3)));
    let said = |board, content| Answer {
        board: Board(board),
        sequence: 0,
        content,
    };
    let door = DoorReading::Open;
    assert!(
        said(
            1,
            Content::Door {
                channel: channel(3),
                door
            }
        )
        .answers(&asked)
    );
    assert!(
        !said(
            2,
            Content::Door {
                channel: channel(3),
                door
            }
        )
        .answers(&asked)
    );
    assert!(
        !said(
            1,
            Content::Door {
                channel: channel(4),
                door
            }
        )
        .answers(&asked)
    );
    let unlocked = Content::Unlocked {
        channel: channel(3),
        result: UnlockResult::Taken,
        door,
        item: None,
    };
    assert!(!said(1, unlocked).answers(&asked));
    assert!(
        !said(
            1,
            Content::Unasked {
                channel: channel(3),
                door
            }
        )
        .answers(&asked)
    );
}
