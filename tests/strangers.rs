//! What the search for boards sends is harmless to boards of every other family, at every speed: nothing of it opens anything.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{
    Accumulator, AnyCodec, Board, Channel, Codec, Command, Family, Frame, Request, Station,
};
use hardware::speed::heard;
use hardware::{BoardSettings, Grain, Line, LineInput, Port, SimulatedBoard};
use lockerd::boards::elsewhere::{self, Hunt, SPEEDS};
use lockerd::boards::search::{keyless, presence, request, sizes};
use lockerd::serial::PortSettings;
use tokio::task::JoinSet;

/// The addresses that are asked when nobody is known.
const USUAL: u8 = 32;

fn open_families() -> impl Iterator<Item = Family> {
    let all = Family::ALL.iter().copied();
    all.filter(|family| !family.profile().protected)
}

/// All that is ever asked of a board at this address, if the family has one: of a secure one, whether it is there.
fn questions(family: Family, address: u8) -> Vec<Vec<u8>> {
    let profile = family.profile();
    let (first, last) = profile.boards;
    if !(first..=last).contains(&address) {
        return Vec::new();
    }
    let told = profile.reads_all.then_some(Command::ReadAll {
        channels: Channel::MAX,
    });
    let commands = [presence(&profile)]
        .into_iter()
        .chain(sizes(&profile))
        .chain(told);
    let frame = |mut codec: AnyCodec, command| {
        let mut frame = Frame::new();
        let request = request(Board(address), command);
        codec.encode_request(&request, &mut frame).unwrap();
        frame.to_vec()
    };
    if profile.protected {
        return vec![frame(keyless(Board(address)), Command::Handshake)];
    }
    commands.map(|command| frame(family.codec(), command)).collect()
}

/// What boards of a family are asked by these bytes, whatever their address.
fn understood(family: Family, bytes: &[u8]) -> Vec<Request> {
    let mut codec = family.codec();
    let station = Station {
        board: Board(1),
        channels: family.profile().channels_max,
    };
    let (mut seen, mut requests, mut rest) = (Accumulator::new(), Vec::new(), bytes);
    loop {
        rest = seen.push(rest);
        requests.extend(std::iter::from_fn(|| {
            seen.next(rest.is_empty(), |bytes| codec.scan_request(bytes, station, false))
        }));
        if rest.is_empty() {
            return requests;
        }
    }
}

fn assert_harmless(to: Family, bytes: &[u8], what: &str) {
    for request in understood(to, bytes) {
        assert!(
            matches!(request.command, Command::ReadDoor(_) | Command::ReadAll { .. }),
            "{what} is {request:?} to {}: {bytes:02x?}",
            to.name()
        );
    }
}

#[test]
fn every_question_is_at_most_a_read_to_every_family() {
    for from in Family::ALL.iter().copied() {
        let mut all = Vec::new();
        for address in 0..=u8::MAX {
            for question in questions(from, address) {
                for to in open_families() {
                    assert_harmless(to, &question, from.name());
                }
                all.extend(question);
            }
        }
        for to in open_families() {
            assert_harmless(to, &all, from.name()); // who waits for more puts pieces of several together
        }
    }
}

#[test]
fn every_question_is_harmless_to_boards_at_another_speed() {
    for sent in SPEEDS {
        for from in Family::ALL.iter().copied() {
            let all: Vec<Vec<u8>> = (0..=USUAL).flat_map(|address| questions(from, address)).collect();
            for speed in SPEEDS.into_iter().filter(|speed| *speed != sent) {
                let together: Vec<u8> = all
                    .iter()
                    .flat_map(|question| heard(question, sent, speed))
                    .collect();
                for to in open_families() {
                    let what = format!("{} at {sent}, heard at {speed},", from.name());
                    assert_harmless(to, &together, &what);
                }
            }
        }
    }
}

/// The documents' open commands without their check sums, which cheap firmware may not look at: `..` is any byte.
const OPENING: [&str; 12] = [
    "8a .. .. 11",
    "8a .. .. 33",
    "8d .. 01 00",
    "8d .. 01 01",
    "57 4b 4c 59 09 .. 82",
    "02 .. 31 03",
    "02 .. .. 51 03",
    "02 .. .. 61 03",
    "dc 02 .. 10 01",
    "90 06 05 .. .. 03",
    "02 09 .. .. 4f 01",
    "02 .. 37 .. 03", // sets the length of a pulse
];

#[test]
fn no_question_holds_an_open_command_of_the_documents_even_without_its_check() {
    for family in Family::ALL.iter().copied() {
        for address in 0..=u8::MAX {
            for question in questions(family, address) {
                for pattern in OPENING {
                    let wanted: Vec<Option<u8>> = pattern
                        .split(' ')
                        .map(|byte| u8::from_str_radix(byte, 16).ok())
                        .collect();
                    let fits = |bytes: &[u8]| {
                        let mut pairs = bytes.iter().zip(&wanted);
                        pairs.all(|(byte, wanted)| wanted.is_none_or(|wanted| wanted == *byte))
                    };
                    assert!(
                        !question.windows(wanted.len()).any(fits),
                        "{} at {address}: {question:02x?} holds {pattern}",
                        family.name()
                    );
                }
            }
        }
    }
}

fn boards(family: Family) -> Vec<SimulatedBoard> {
    let profile = family.profile();
    let (first, last) = profile.boards;
    let board = |address| {
        let settings = BoardSettings::new(family, Board(address), profile.channels_max.min(12));
        let board = SimulatedBoard::new(settings, 1);
        let label = Key::new([7; 32]);
        let secret = profile.protected;
        if secret {
            board.secured(label, [address; 8], Keys::in_force(Key::new([1; 32])))
        } else {
            board
        }
    };
    (first..=last.min(USUAL)).map(board).collect()
}

#[test]
fn no_simulated_board_opens_while_boards_are_looked_for() {
    for family in Family::ALL {
        for pause in [Duration::ZERO, Duration::from_millis(200)] {
            let mut line = Line::new(boards(*family), 9_600, Grain::Frames, 1);
            let (mut now, mut delivered) = (Duration::ZERO, Vec::new());
            for from in Family::ALL.iter().copied() {
                for question in (0..=USUAL).flat_map(|address| questions(from, address)) {
                    line.handle(LineInput::Written(&question), now, &mut delivered);
                    now += Duration::from_millis(20) + pause;
                    line.handle(LineInput::Tick, now, &mut delivered);
                }
            }
            assert_eq!(line.view().pulses, 0, "{}", family.name());
            assert!(!delivered.is_empty(), "{}", family.name());
        }
    }
}

/// A port of WKLY boards at 9600 baud of which these do not answer, or nobody does.
fn searched(path: std::path::PathBuf, silent: Vec<Board>) -> elsewhere::Line {
    elsewhere::Line {
        family: Family::Wkly,
        device: PortSettings {
            path,
            baud: 9_600,
            rs485: false,
        },
        deserted: silent.is_empty(),
        silent,
    }
}

/// Who answers at another speed than the settings say, as which families.
async fn found(family: Family, directory: std::path::PathBuf) -> (Family, Vec<Family>, u32, u32) {
    let address = family.profile().boards.0.max(2);
    let most = family.profile().channels_max;
    let board = SimulatedBoard::new(BoardSettings::new(family, Board(address), most), 1);
    let path = directory.join(family.name());
    let speed = if family == Family::Winnsen { 2_400 } else { 57_600 };
    let simulated = Line::new(vec![board], speed, Grain::Bytes, 1).heeding_speed();
    let port = Port::spawn(simulated, &path).unwrap();
    let line = searched(path, vec![Board(address)]);
    let steps = line.steps();
    let mut hunt = Hunt::new(line, Duration::from_millis(60), Duration::from_secs(60));
    for step in &steps {
        if hunt.needs(step) {
            hunt.take(step).await.unwrap();
        }
    }
    let pulses = port.view().await.unwrap().pulses;
    let [one] = hunt.found() else {
        panic!("{}: {:?}", family.name(), hunt.found())
    };
    (family, one.families.clone(), one.baud, pulses)
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_of_every_family_are_found_at_a_speed_that_they_should_not_have() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = JoinSet::new();
    for family in open_families() {
        all.spawn(found(family, directory.path().to_owned()));
    }
    while let Some(found) = all.join_next().await {
        let (family, families, baud, pulses) = found.unwrap();
        let alike = [Family::Shuoming, Family::Kecheng];
        if alike.contains(&family) {
            assert_eq!(families, alike);
        } else {
            assert_eq!(families, [family]);
        }
        assert!(baud == 57_600 || baud == 2_400);
        assert_eq!(pulses, 0, "{}", family.name());
    }
}

#[tokio::test]
async fn a_search_ends_when_its_time_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nobody");
    let _port = Port::spawn(Line::new(Vec::new(), 9_600, Grain::Bytes, 1), &path).unwrap();
    let line = searched(path, Vec::new());
    let steps = line.steps();
    let asked: usize = steps.iter().map(|step| step.addresses.len()).sum();
    assert_eq!(
        asked,
        SPEEDS.len() * 33,
        "every usual address at every speed, once"
    );
    let limit = Duration::from_millis(400);
    let mut hunt = Hunt::new(line, Duration::from_millis(20), limit);
    let begun = std::time::Instant::now();
    for step in &steps {
        hunt.take(step).await.unwrap();
    }
    assert!(hunt.is_late() && hunt.found().is_empty());
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "all of it would take minutes"
    );
}
