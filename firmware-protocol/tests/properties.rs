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
    ]
}

fn requests() -> impl Strategy<Value = (Family, u8, Request)> {
    families().prop_flat_map(|family| {
        let profile = family.profile();
        let boards = profile.boards.0..=profile.boards.1;
        (1..=profile.channels_max, boards).prop_flat_map(move |(channels, board)| {
            commands(channels).prop_map(move |command| {
                (
                    family,
                    channels,
                    Request {
                        board: Board(board),
                        sequence: 0,
                        command,
                    },
                )
            })
        })
    })
}

/// An answer that fits the request.
fn answer_to(request: Request, bits: u64, open: bool) -> Answer {
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
                items: None,
                tampered: None,
            })
        }
        Command::SetReports(on) => Content::ReportsSet(on),
        Command::ReadVersion => Content::Version([bits.to_le_bytes()[0], bits.to_le_bytes()[1]]),
        Command::Handshake => Content::Handshake,
    };
    Answer {
        board: request.board,
        sequence: request.sequence,
        content,
    }
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
            let station = Station { board: request.board, channels };
            let heard = family.codec().scan_request(&frame, station, false);
            prop_assert_eq!(heard, Scan::Frame { length: frame.len(), content: request });
        }
    }

    #[test]
    fn a_controller_understands_what_a_board_says(
        (family, _, request) in requests(), bits in any::<u64>(), open in any::<bool>(),
    ) {
        let answer = answer_to(request, bits, open);
        prop_assert!(answer.answers(&request));
        let mut codec = family.codec();
        let mut frame = Frame::new();
        if codec.encode_request(&request, &mut Frame::new()).is_ok()
            && codec.encode_answer(&answer, &mut frame).is_ok()
        {
            let heard = codec.scan_answer(&frame, Some(&request), false);
            prop_assert_eq!(heard, Scan::Frame { length: frame.len(), content: answer });
            prop_assert!(frame.len() <= codec.answer_length(&request));
        }
    }

    #[test]
    fn an_answer_is_found_after_noise_and_silence(
        (family, _, request) in requests(),
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        bits in any::<u64>(), open in any::<bool>(),
    ) {
        let answer = answer_to(request, bits, open);
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
            prop_assert_eq!(found, Some(answer));
        }
    }

    #[test]
    fn bytes_that_begin_no_frame_cost_no_frame(
        (family, _, request) in requests(), noise in proptest::collection::vec(0_u8..0x7F, 0..300), split in 0_usize..9,
        open in any::<bool>(),
    ) {
        let answer = answer_to(request, 0, open);
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
            prop_assert_eq!(found, vec![answer]);
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
