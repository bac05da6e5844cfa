//! How simulated boards, lines and scanners behave, in memory with virtual time.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use firmware_protocol::{
    Accumulator, Answer, Board, Channel, Codec, Command, Content, DoorReading, Family, Frame,
};
use firmware_protocol::{Request, UnlockResult};
use hardware::{
    BoardFault, BoardSettings, Defect, Ending, GM65_ACKNOWLEDGEMENT, GM65_TRIGGER, Grain, Hand, Line,
    LineFault, LineInput, ScannerInput, SimulatedBoard, SimulatedScanner,
};
use proptest::prelude::*;

const BOARD: Board = Board(1);
const FAMILY: Family = Family::Shuoming;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn line(settings: BoardSettings) -> Line {
    Line::new(vec![SimulatedBoard::new(settings, 1)], 9600, Grain::Bytes, 2)
}

fn board() -> BoardSettings {
    BoardSettings::new(FAMILY, BOARD, 24)
}

/// Runs the line to `until` and returns what the controller got, with the time of the last byte.
fn run(line: &mut Line, until: Duration) -> (Vec<u8>, Duration) {
    let mut delivered = Vec::new();
    let mut last = Duration::ZERO;
    while let Some(at) = line.next_deadline().filter(|at| *at <= until) {
        let before = delivered.len();
        line.handle(LineInput::Tick, at, &mut delivered);
        if delivered.len() > before {
            last = at;
        }
    }
    line.handle(LineInput::Tick, until, &mut delivered);
    (delivered, last)
}

fn ask(line: &mut Line, command: Command, at: Duration) -> Vec<Answer> {
    let request = Request {
        board: BOARD,
        sequence: 0,
        command,
    };
    let mut frame = Frame::new();
    FAMILY.codec().encode_request(&request, &mut frame).unwrap();
    let mut delivered = Vec::new();
    line.handle(LineInput::Written(&frame), at, &mut delivered);
    delivered.extend(run(line, at + ms(300)).0);
    let mut heard = Accumulator::new();
    heard.push(&delivered);
    let mut codec = FAMILY.codec();
    std::iter::from_fn(|| heard.next(true, |bytes| codec.scan_answer(bytes, Some(&request), true))).collect()
}

fn door(line: &mut Line, number: u8, at: Duration) -> DoorReading {
    match ask(line, Command::ReadDoor(channel(number)), at)
        .first()
        .unwrap()
        .content
    {
        Content::Door { door, .. } => door,
        other => panic!("{other:?}"),
    }
}

fn hand(line: &mut Line, number: u8, hand: Hand, at: Duration) -> bool {
    line.handle(LineInput::Hand(BOARD, channel(number), hand), at, &mut Vec::new())
}

fn fault(line: &mut Line, fault: BoardFault, at: Duration) {
    assert!(line.handle(LineInput::BoardFault(BOARD, fault), at, &mut Vec::new()));
}

#[test]
fn a_pulse_opens_the_door_and_a_hand_closes_it() {
    let mut line = line(board());
    assert!(!hand(&mut line, 3, Hand::Open, ms(0)), "it is locked");
    assert_eq!(door(&mut line, 3, ms(0)), DoorReading::Closed);
    let answers = ask(&mut line, Command::Unlock(channel(3)), ms(1000));
    let content = Content::Unlocked {
        channel: channel(3),
        result: UnlockResult::Taken,
        door: DoorReading::Open,
        item: None,
    };
    assert_eq!(
        answers,
        [Answer {
            board: BOARD,
            sequence: 0,
            content
        }]
    );
    assert!(hand(&mut line, 3, Hand::PutIn, ms(1400)));
    assert!(hand(&mut line, 3, Hand::Close, ms(1500)));
    assert!(!hand(&mut line, 3, Hand::TakeOut, ms(1600)), "it is closed");
    assert_eq!(door(&mut line, 3, ms(2000)), DoorReading::Closed);
    let lock = line.lock(BOARD, channel(3)).unwrap();
    assert!(lock.item() && lock.pulses() == 1 && !lock.door_open());
}

#[test]
fn a_stuck_door_stays_shut_and_a_welded_lock_holds_it() {
    for defect in [Defect::StuckDoor, Defect::WeldedLock] {
        let mut line = line(board());
        fault(&mut line, BoardFault::Lock(channel(1), defect, true), ms(0));
        ask(&mut line, Command::Unlock(channel(1)), ms(100));
        assert_eq!(line.view().pulses, 1);
        assert!(!hand(&mut line, 1, Hand::Open, ms(500)));
        assert_eq!(door(&mut line, 1, ms(600)), DoorReading::Closed);
        fault(&mut line, BoardFault::Lock(channel(1), defect, false), ms(1000));
        let repaired_in_time = hand(&mut line, 1, Hand::Open, ms(1100));
        assert_eq!(
            repaired_in_time,
            defect == Defect::StuckDoor,
            "only a stuck door's bolt was released"
        );
    }
}

#[test]
fn a_dead_sensor_says_closed_and_the_other_wiring_says_the_opposite() {
    let mut dead = line(board());
    fault(
        &mut dead,
        BoardFault::Lock(channel(2), Defect::DeadSensor, true),
        ms(0),
    );
    hand(&mut dead, 2, Hand::Force, ms(1));
    assert_eq!(door(&mut dead, 2, ms(10)), DoorReading::Closed);
    let mut inverted = line(BoardSettings {
        inverted: 0b10,
        ..board()
    });
    assert_eq!(
        door(&mut inverted, 2, ms(0)),
        DoorReading::Open,
        "closed, by the other kind of switch"
    );
    assert_eq!(door(&mut inverted, 1, ms(500)), DoorReading::Closed);
}

#[test]
fn bytes_take_their_time_at_the_configured_speed() {
    let mut line = line(board());
    let mut frame = Frame::new();
    let request = Request {
        board: BOARD,
        sequence: 0,
        command: Command::ReadDoor(channel(1)),
    };
    FAMILY.codec().encode_request(&request, &mut frame).unwrap();
    line.handle(LineInput::Written(&frame), ms(0), &mut Vec::new());
    let (bytes, last) = run(&mut line, ms(100));
    assert_eq!(bytes, [0x80, 1, 1, 0x11, 0x91]);
    assert!(
        last > ms(15) && last < ms(16),
        "ten bytes in 10.4 ms, and 5 ms of thought: {last:?}"
    );
}

#[test]
fn silent_late_and_rebooting_boards_owe_answers() {
    let mut line = line(board());
    fault(&mut line, BoardFault::Silent(true), ms(0));
    assert_eq!(ask(&mut line, Command::Unlock(channel(1)), ms(0)), []);
    assert_eq!(line.view().pulses, 1, "it obeys all the same");
    fault(&mut line, BoardFault::Silent(false), ms(500));
    fault(&mut line, BoardFault::Late(ms(400)), ms(500));
    assert_eq!(ask(&mut line, Command::ReadDoor(channel(1)), ms(600)), []);
    assert_eq!(run(&mut line, ms(2000)).0.len(), 5, "late, but it comes");
    fault(&mut line, BoardFault::Late(ms(0)), ms(2000));
    fault(&mut line, BoardFault::Rebooting(ms(1000)), ms(2000));
    assert_eq!(ask(&mut line, Command::Unlock(channel(1)), ms(2100)), []);
    assert_eq!(line.view().pulses, 1, "it was deaf");
    assert_eq!(ask(&mut line, Command::ReadDoor(channel(1)), ms(3100)).len(), 1);
}

#[test]
fn garbled_answers_are_no_frames_and_echoes_are_the_request() {
    let mut line = line(board());
    fault(&mut line, BoardFault::Garbled(100), ms(0));
    assert_eq!(ask(&mut line, Command::ReadDoor(channel(1)), ms(0)), []);
    fault(&mut line, BoardFault::Garbled(0), ms(500));
    line.handle(
        LineInput::LineFault(LineFault::Echoing(true)),
        ms(500),
        &mut Vec::new(),
    );
    line.handle(
        LineInput::Written(&[0x80, 1, 1, 0x33, 0xB3]),
        ms(1000),
        &mut Vec::new(),
    );
    assert_eq!(
        run(&mut line, ms(1200)).0,
        [0x80, 1, 1, 0x33, 0xB3, 0x80, 1, 1, 0x11, 0x91]
    );
    assert_eq!(line.view().collisions, 0);
}

#[test]
fn two_who_speak_at_once_garble_each_other() {
    let mut line = line(board());
    line.handle(
        LineInput::Written(&[0x80, 1, 1, 0x33, 0xB3]),
        ms(0),
        &mut Vec::new(),
    );
    run(&mut line, ms(12));
    line.handle(
        LineInput::Written(&[0x80, 1, 2, 0x33, 0xB0]),
        ms(12),
        &mut Vec::new(),
    );
    run(&mut line, ms(100));
    assert_eq!(line.view().collisions, 1);
}

#[test]
fn reports_come_unasked_when_they_are_on() {
    let mut line = line(BoardSettings {
        reports: true,
        ..board()
    });
    hand(&mut line, 4, Hand::Force, ms(10));
    assert_eq!(run(&mut line, ms(50)).0, [0x82, 1, 4, 0x00, 0x87]);
    hand(&mut line, 4, Hand::Close, ms(100));
    assert_eq!(run(&mut line, ms(150)).0, [0x82, 1, 4, 0x11, 0x96]);
}

#[test]
fn opening_all_drives_one_solenoid_at_a_time() {
    let mut line = line(BoardSettings::new(FAMILY, BOARD, 8));
    line.handle(
        LineInput::Written(&[0x8A, 0x01, 0x00, 0x11, 0x9A]),
        ms(0),
        &mut Vec::new(),
    );
    run(&mut line, ms(10_000));
    assert_eq!((line.view().pulses, line.view().overlaps), (8, 0));
}

#[test]
fn a_scanner_ends_codes_its_own_way_and_a_gm65_acknowledges() {
    for (ending, tail) in [
        (Ending::CarriageReturn, "\r"),
        (Ending::LineFeed, "\n"),
        (Ending::Both, "\r\n"),
    ] {
        let mut scanner = SimulatedScanner::new(ending, false, 9600, Grain::Frames);
        let mut said = Vec::new();
        scanner.handle(ScannerInput::Scan(b"LP1:A"), ms(0), &mut said);
        scanner.handle(ScannerInput::Tick, ms(100), &mut said);
        assert_eq!(said, format!("LP1:A{tail}").as_bytes());
    }
    let mut scanner = SimulatedScanner::new(Ending::Idle, true, 9600, Grain::Frames);
    let mut said = Vec::new();
    scanner.handle(ScannerInput::Written(&GM65_TRIGGER), ms(0), &mut said);
    scanner.handle(ScannerInput::Scan(b"X"), ms(1), &mut said);
    scanner.handle(ScannerInput::Tick, ms(100), &mut said);
    assert_eq!(said, [&GM65_ACKNOWLEDGEMENT[..], b"X"].concat());
}

proptest! {
    #[test]
    fn the_same_seed_and_inputs_give_the_same_bytes(
        seed in any::<u64>(),
        inputs in proptest::collection::vec((0_u8..6, any::<u8>(), 0_u64..200), 0..60),
    ) {
        let play = || {
            let board = SimulatedBoard::new(BoardSettings { reports: true, ..board() }, seed);
            let mut line = Line::new(vec![board], 9600, Grain::Bytes, seed);
            let (mut now, mut delivered) = (Duration::ZERO, Vec::new());
            for &(kind, byte, wait) in &inputs {
                let lock = channel(byte % 24 + 1);
                let input = match kind {
                    0 => LineInput::Written(&[0x8A, 1, 1, 0x11, 0x9B]),
                    1 => LineInput::Written(&[0x80, 1, 0, 0x33, 0xB2]),
                    2 => LineInput::Hand(BOARD, lock, Hand::Force),
                    3 => LineInput::Hand(BOARD, lock, Hand::Close),
                    4 => LineInput::BoardFault(BOARD, BoardFault::Garbled(byte % 100)),
                    _ => LineInput::LineFault(LineFault::Noisy(byte % 100)),
                };
                line.handle(input, now, &mut delivered);
                now += ms(wait);
                while let Some(at) = line.next_deadline().filter(|at| *at <= now) {
                    line.handle(LineInput::Tick, at, &mut delivered);
                }
            }
            (delivered, line.view())
        };
        prop_assert_eq!(play(), play());
    }

    #[test]
    fn noise_from_the_controller_moves_nothing_it_does_not_name(
        bytes in proptest::collection::vec(0_u8..0x80, 0..300),
    ) {
        let mut line = line(board());
        line.handle(LineInput::Written(&bytes), ms(0), &mut Vec::new());
        run(&mut line, ms(2000));
        prop_assert_eq!(line.view().pulses, 0);
    }
}
