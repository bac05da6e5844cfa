//! A secure board gets a key while the bus runs, in memory with virtual time: journaled, then kept, then used; and what may go wrong.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, LineInput, SimulatedBoard};
use lockerd::boards::Work;
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, PortIndex, Supply};
use lockerd::boards::master::{BusAction, BusInput, BusMaster, BusSettings};
use lockerd::cabinet::label::BoardLabel;
use lockerd::cabinet::vocabulary::{Input, KeyProblem, Monotonic, UnlockOutcome};
use office_protocol::{BoardId, CompartmentId, Seq};

const LOCKS: u8 = 8;
const SECOND: u64 = 1_000;

fn key(seed: u8) -> Key {
    Key::new([seed; 32])
}

/// What stands on the label of a board with this number; the secret is all `seed`.
fn label(serial: u8, seed: u8) -> BoardLabel {
    let serial = format!("{serial:02x}").repeat(8);
    let text = format!("LB1:{serial}:{}", URL_SAFE_NO_PAD.encode([seed; 32]));
    BoardLabel::parse(&text).unwrap()
}

/// Boards 1 and 2 on one line; their labels' secrets are all 91 and all 92. Compartment = board × 100 + lock.
struct Rig {
    master: BusMaster,
    line: Line,
    now: Duration,
    reports: Vec<Input>,
    keeps: Vec<(BoardId, Keys)>,
}

impl Rig {
    /// Board 1 has these keys, the cabinet those.
    fn new(on_board: Keys, in_cabinet: Keys) -> Self {
        let board = |number: u8, keys: Keys| {
            let settings = BoardSettings::new(Family::LockerdSecure, Board(number), LOCKS);
            SimulatedBoard::new(settings, 1).secured(key(90 + number), [number; 8], keys)
        };
        let boards = vec![board(1, on_board), board(2, Keys::in_force(key(2)))];
        let port = BusPort {
            name: "locks".parse().unwrap(),
            family: Family::LockerdSecure,
            baud: 115_200,
            echo: false,
        };
        let placed = [1, 2].map(|number: u8| BusBoard {
            id: BoardId(number.into()),
            port: port.name.clone(),
            address: Board(number),
            channels: LOCKS,
            supply: Supply(number.into()),
            pulse_ms: None,
        });
        let lock = |board: u16, channel: Channel| BusLock {
            compartment: CompartmentId(board * 100 + u16::from(channel.number())),
            board: BoardId(board),
            channel,
            polarity: Polarity::AsDocumented,
        };
        let locks: Vec<BusLock> = [1, 2]
            .into_iter()
            .flat_map(|board| Channel::all(LOCKS).map(move |channel| lock(board, channel)))
            .collect();
        let layout = Layout::new(vec![port], &placed, &locks).unwrap();
        let mut master = BusMaster::new(layout, BusSettings::default());
        let keys = [(BoardId(1), in_cabinet), (BoardId(2), Keys::in_force(key(2)))];
        master.give_keys([7; 32], &BTreeMap::from(keys));
        let mut rig = Self {
            master,
            line: Line::new(boards, 115_200, Grain::Frames, 1),
            now: Duration::from_secs(1),
            reports: Vec::new(),
            keeps: Vec::new(),
        };
        rig.give(BusInput::Opened(PortIndex(0)));
        rig.run(5 * SECOND);
        rig.reports.clear();
        rig
    }

    fn ms(&self) -> Monotonic {
        Monotonic::from_micros(u64::try_from(self.now.as_micros()).unwrap())
    }

    fn give(&mut self, input: BusInput<'_>) {
        for action in self.master.handle(input, self.ms()) {
            match action {
                BusAction::Send(_, frame) => {
                    let mut none = Vec::new();
                    self.line.handle(LineInput::Written(&frame), self.now, &mut none);
                    assert!(none.is_empty());
                }
                BusAction::Report(report) => self.reports.push(report),
                BusAction::KeepKeys(board, keys) => self.keeps.push((board, keys)),
            }
        }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let bus = self.master.next_deadline();
            let bus = bus.map(|at| Duration::from_micros(at.as_micros()));
            let at = self.line.next_deadline().into_iter().chain(bus).min();
            self.now = at.map_or(end, |at| at.max(self.now)).min(end);
            if self.now >= end {
                return;
            }
            let mut bytes = Vec::new();
            self.line.handle(LineInput::Tick, self.now, &mut bytes);
            if bytes.is_empty() {
                self.give(BusInput::Tick);
            } else {
                self.give(BusInput::Received(PortIndex(0), &bytes));
            }
        }
    }

    fn happen(&mut self, input: LineInput<'_>) {
        let mut bytes = Vec::new();
        assert!(self.line.handle(input, self.now, &mut bytes));
        if !bytes.is_empty() {
            self.give(BusInput::Received(PortIndex(0), &bytes));
        }
    }

    fn install(&mut self, label: BoardLabel) {
        let board = BoardId(1);
        self.give(BusInput::Work(&Work::InstallKey { board, label }));
    }

    fn hold(&mut self, held: bool) {
        self.happen(LineInput::Button(Board(1), held));
    }

    /// As the journal's answer to what was agreed on.
    fn journaled(&mut self) {
        let board = BoardId(1);
        self.give(BusInput::Work(&Work::KeepKey { board }));
    }

    /// As the disk's answer to the last keys that were to be kept.
    fn kept(&mut self, kept: bool) {
        let keys = &self.keeps.last().unwrap().1;
        let key = keys.next.as_ref().or(keys.current.as_ref()).unwrap().id();
        self.give(BusInput::KeysKept { key, kept });
    }

    /// The key that board 1 has.
    fn on_board(&self) -> Option<String> {
        let keys = self.line.board(Board(1)).unwrap().keys().unwrap();
        keys.current.as_ref().map(|key| key.id().to_string())
    }

    fn opens(&mut self, compartment: u16, seq: u64) -> bool {
        let work = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(seq),
            not_after: self.ms().plus_millis(2 * SECOND),
        };
        self.give(BusInput::Work(&work));
        self.run(3 * SECOND);
        let opened = |report: &Input| matches!(report, Input::UnlockAnswered { unlock, outcome: UnlockOutcome::Opened } if unlock.0 == seq);
        self.reports.iter().any(opened)
    }

    fn agreed(&self) -> Vec<String> {
        let agreed = |report: &Input| match report {
            Input::BoardKeyAgreed { key, .. } => Some(key.to_string()),
            _ => None,
        };
        self.reports.iter().filter_map(agreed).collect()
    }

    fn installed(&self) -> Vec<String> {
        let installed = |report: &Input| match report {
            Input::BoardKeyInstalled { key, .. } => Some(key.to_string()),
            _ => None,
        };
        self.reports.iter().filter_map(installed).collect()
    }

    fn problems(&self) -> Vec<KeyProblem> {
        let problem = |report: &Input| match report {
            Input::BoardKeyRefused { problem, .. } => Some(*problem),
            _ => None,
        };
        self.reports.iter().filter_map(problem).collect()
    }

    /// Installs a key as far as the disk is asked to keep it.
    fn install_until_kept(&mut self) {
        self.install(label(1, 91));
        self.hold(true);
        self.run(SECOND);
        self.journaled();
    }
}

#[test]
fn a_key_is_journaled_then_kept_then_used_and_the_other_board_goes_on() {
    let mut rig = Rig::new(Keys::default(), Keys::default());
    assert!(!rig.opens(101, 1), "no key yet");
    rig.install(label(1, 91));
    rig.run(20 * SECOND);
    assert!(rig.agreed().is_empty(), "nobody holds the button");
    assert!(rig.opens(205, 2), "the other board is served meanwhile");
    rig.happen(LineInput::Hand(Board(2), Channel::new(7).unwrap(), Hand::Force));
    rig.run(SECOND);
    let forced = |report: &Input| matches!(report, Input::DoorRead { compartment, open: true, .. } if compartment.0 == 207);
    assert!(rig.reports.iter().any(forced), "and read");

    rig.hold(true);
    rig.run(SECOND);
    let agreed = rig.agreed();
    assert_eq!(
        (agreed.len(), rig.keeps.len()),
        (1, 0),
        "nothing is kept before it is journaled"
    );
    rig.journaled();
    rig.run(5 * SECOND);
    assert_eq!(rig.keeps.len(), 1);
    assert_eq!(rig.on_board(), None, "nothing is used before it is kept");
    rig.kept(true);
    rig.run(SECOND);
    assert_eq!(rig.on_board().as_ref(), agreed.first());
    let kept: Vec<_> = rig
        .keeps
        .iter()
        .map(|(_, keys)| [&keys.current, &keys.next].map(|key| key.as_ref().map(|key| key.id().to_string())))
        .collect();
    let new = agreed.first().cloned();
    assert_eq!(kept, [[None, new.clone()], [new, None]]);
    rig.kept(true);
    rig.hold(false);
    rig.run(SECOND);
    assert_eq!(rig.installed(), agreed);
    assert!(rig.problems().is_empty());
    assert!(rig.opens(102, 3) && rig.opens(206, 4));
}

#[test]
fn a_board_keeps_its_key_where_the_new_one_cannot_be_kept() {
    let old = || Keys::in_force(key(1));
    let mut rig = Rig::new(old(), old());
    assert!(rig.opens(101, 1));
    let before = rig.on_board();
    rig.install_until_kept();
    rig.kept(false);
    rig.run(5 * SECOND);
    assert_eq!(rig.problems(), [KeyProblem::NotKept]);
    assert_eq!(rig.on_board(), before);
    assert!(rig.opens(102, 2), "with the key before");

    // Who is not told that it is journaled or kept does not wait for ever.
    rig.install(label(1, 91));
    rig.run(70 * SECOND);
    assert_eq!(rig.problems(), [KeyProblem::NotKept; 2]);
    assert!(rig.opens(103, 3));
    rig.install_until_kept();
    rig.run(70 * SECOND);
    assert_eq!(rig.problems(), [KeyProblem::NotKept; 3]);
    rig.kept(true); // too late
    rig.run(SECOND);
    assert_eq!((rig.on_board(), rig.installed().len()), (before, 0));
    assert!(rig.opens(104, 4));
}

#[test]
fn another_boards_label_a_wrong_secret_or_no_button_change_nothing() {
    let old = || Keys::in_force(key(1));
    let mut rig = Rig::new(old(), old());
    rig.install(label(2, 92));
    rig.run(SECOND);
    assert_eq!(rig.problems(), [KeyProblem::OtherBoard]);
    assert!(rig.opens(101, 1));

    rig.hold(true);
    rig.install(label(1, 17));
    rig.run(5 * SECOND);
    assert_eq!(rig.problems().last(), Some(&KeyProblem::Silent));
    rig.hold(false);
    assert!(rig.opens(102, 2));

    rig.install(label(1, 91));
    rig.run(59 * SECOND);
    assert_eq!(rig.problems().len(), 2);
    rig.run(3 * SECOND);
    assert_eq!(rig.problems().last(), Some(&KeyProblem::NotHeld));
    assert!(rig.opens(103, 3));

    rig.install(label(1, 91));
    rig.give(BusInput::Lost(PortIndex(0)));
    rig.run(70 * SECOND);
    assert_eq!(
        rig.problems().last(),
        Some(&KeyProblem::Silent),
        "the cable is gone"
    );
    assert!(rig.agreed().is_empty() && rig.keeps.is_empty());
}

#[test]
fn a_board_that_dies_in_between_comes_back_with_one_of_two_keys_that_are_kept() {
    let old = || Keys::in_force(key(1));
    let mut rig = Rig::new(old(), old());
    rig.install_until_kept();
    let down = BoardFault::Rebooting(Duration::from_secs(4));
    rig.happen(LineInput::BoardFault(Board(1), down));
    rig.kept(true);
    rig.run(20 * SECOND);
    assert_eq!(rig.problems(), [KeyProblem::Unconfirmed]);
    assert!(rig.keeps[0].1.current.is_some() && rig.keeps[0].1.next.is_some());
    assert!(rig.opens(101, 1), "with the key before");
    rig.install_until_kept(); // the button was held at its start: it counts once it was let go
    assert_eq!(rig.agreed().len(), 1);
    rig.hold(false);
    rig.run(SECOND);
    rig.hold(true);
    rig.run(SECOND);
    rig.journaled();
    rig.kept(true);
    rig.run(SECOND);
    rig.kept(true);
    assert_eq!(rig.installed().last(), rig.on_board().as_ref());
    assert!(rig.opens(102, 2));
}
