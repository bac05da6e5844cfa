//! The bus's task with boards of the secure family, on real pseudo-terminals.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, Port, SimulatedBoard};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, LayoutError, Supply};
use lockerd::boards::master::{BusMaster, BusSettings};
use lockerd::boards::{Work, task};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use lockerd::serial::PortSettings;
use office_protocol::state::BoardRefusal;
use office_protocol::{BoardId, CompartmentId, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const FAMILY: Family = Family::LockerdSecure;
const LIMIT: Duration = Duration::from_secs(20);
const BAUD: u32 = 115_200;

fn key(seed: u8) -> Key {
    Key::new([seed; 32])
}

fn port(name: &str) -> BusPort {
    BusPort {
        name: name.parse().unwrap(),
        family: FAMILY,
        baud: BAUD,
        echo: false,
    }
}

fn placed(port: &BusPort, number: u8) -> BusBoard {
    BusBoard {
        id: BoardId(number.into()),
        port: port.name.clone(),
        address: Board(number),
        channels: 8,
        supply: Supply(1),
        pulse_ms: None,
    }
}

/// Two boards of eight locks; compartments 1 to 8 and 9 to 16.
fn layout(name: &str) -> Layout {
    let port = port(name);
    let boards = [placed(&port, 1), placed(&port, 2)];
    let lock = |board: u8, channel: Channel| BusLock {
        compartment: CompartmentId(u16::from(board - 1) * 8 + u16::from(channel.number())),
        board: BoardId(board.into()),
        channel,
        polarity: Polarity::AsDocumented,
    };
    let locks: Vec<BusLock> = [1, 2]
        .into_iter()
        .flat_map(|board| Channel::all(8).map(move |channel| lock(board, channel)))
        .collect();
    Layout::new(vec![port], &boards, &locks).unwrap()
}

struct Bus {
    port: Port<Line>,
    work: mpsc::Sender<Work>,
    reports: mpsc::Receiver<Input>,
    start: Instant,
}

impl Bus {
    /// Board 1 has the key that the daemon knows; board 2 the given one.
    fn start(name: &str, second: u8) -> Self {
        let board = |number: u8, seed: u8| {
            let settings = BoardSettings::new(FAMILY, Board(number), 8);
            SimulatedBoard::new(settings, 1).secured(key(99), [number; 8], Keys::in_force(key(seed)))
        };
        let line = Line::new(vec![board(1, 1), board(2, second)], BAUD, Grain::Bytes, 1);
        let path = std::env::temp_dir()
            .join(format!("secure-bus-{name}-{}", std::process::id()))
            .join("locks");
        let port = Port::spawn(line, &path).unwrap();
        let mut master = BusMaster::new(layout("locks"), BusSettings::default());
        let keys = [
            (BoardId(1), Keys::in_force(key(1))),
            (BoardId(2), Keys::in_force(key(2))),
        ];
        master.give_keys([7; 32], &BTreeMap::from(keys));
        let (work, wanted) = mpsc::channel(16);
        let (sender, reports) = mpsc::channel(64);
        let (views, _view) = watch::channel(master.view());
        let start = Instant::now();
        let clock = move || Monotonic::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap());
        let paths = vec![PortSettings {
            path,
            baud: BAUD,
            rs485: false,
        }];
        tokio::spawn(task::run(master, paths, clock, wanted, sender, views));
        Self {
            port,
            work,
            reports,
            start,
        }
    }

    async fn until(&mut self, fits: impl Fn(&Input) -> bool) -> Vec<Input> {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                let found = fits(&report);
                seen.push(report);
                if found {
                    return;
                }
            }
        };
        assert!(
            timeout(LIMIT, waiting).await.is_ok(),
            "only {seen:?} was reported"
        );
        seen
    }

    async fn unlock(&mut self, compartment: u16, seq: u64) -> UnlockOutcome {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        let work = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(seq),
            not_after: Monotonic::from_millis(now + 2000),
        };
        self.work.send(work).await.unwrap();
        let seen = self.until(|report| outcome(report, seq).is_some()).await;
        seen.iter().find_map(|report| outcome(report, seq)).unwrap()
    }

    async fn pulses(&self) -> u32 {
        self.port.view().await.unwrap().pulses
    }
}

fn outcome(report: &Input, seq: u64) -> Option<UnlockOutcome> {
    match report {
        Input::UnlockAnswered { unlock, outcome } if unlock.0 == seq => Some(*outcome),
        _ => None,
    }
}

fn door(number: u16, is: bool) -> impl Fn(&Input) -> bool {
    move |report| matches!(report, Input::DoorRead { compartment, open, .. } if compartment.0 == number && *open == is)
}

fn board(number: u16, lost: bool) -> impl Fn(&Input) -> bool {
    move |report| match report {
        Input::BoardLost { board } => lost && board.0 == number,
        Input::BoardFound { board } => !lost && board.0 == number,
        _ => false,
    }
}

#[tokio::test]
async fn sessions_are_set_up_doors_are_read_and_opened() {
    let mut bus = Bus::start("doors", 2);
    bus.until(door(16, false)).await;
    assert_eq!(bus.unlock(7, 1).await, UnlockOutcome::Opened);
    bus.until(door(7, true)).await;
    assert_eq!(bus.unlock(12, 2).await, UnlockOutcome::Opened);
    let channel = Channel::new(7).unwrap();
    assert!(bus.port.hand(Board(1), channel, Hand::Close).await.unwrap());
    bus.until(door(7, false)).await;
    let line = bus.port.view().await.unwrap();
    assert_eq!((line.pulses, line.collisions), (2, 0));
}

#[test]
fn more_boards_than_a_line_has_sessions_for_are_refused() {
    let port = port("locks");
    let layout = |count: u8| {
        let boards: Vec<BusBoard> = (1..=count).map(|number| placed(&port, number)).collect();
        Layout::new(vec![port.clone()], &boards, &[]).map(|_| ())
    };
    assert_eq!(layout(32), Ok(()));
    assert_eq!(layout(33), Err(LayoutError::TooManyOnLine(BoardId(33))));
}

#[tokio::test]
async fn a_board_that_restarts_is_greeted_anew_and_pulses_are_not_repeated() {
    let mut bus = Bus::start("restart", 2);
    bus.until(door(16, false)).await;
    assert_eq!(bus.unlock(1, 1).await, UnlockOutcome::Opened);
    let fault = BoardFault::Rebooting(Duration::from_millis(1200));
    bus.port.board_fault(Board(1), fault).await.unwrap();
    bus.until(board(1, true)).await;
    assert_eq!(
        bus.unlock(2, 2).await,
        UnlockOutcome::NotSent,
        "no session, no pulse"
    );
    bus.until(board(1, false)).await;
    assert_eq!(bus.unlock(3, 3).await, UnlockOutcome::Opened);
    assert_eq!(bus.pulses().await, 2);
}

#[tokio::test]
async fn a_board_with_another_key_is_lost_and_the_other_goes_on() {
    let mut bus = Bus::start("stranger", 3);
    bus.until(board(2, true)).await;
    let why = |report: &Input| {
        matches!(
            report,
            Input::BoardRefused {
                board: BoardId(2),
                why: BoardRefusal::UnknownKey
            }
        )
    };
    bus.until(why).await;
    assert_eq!(bus.unlock(9, 1).await, UnlockOutcome::NotSent);
    assert_eq!(bus.unlock(1, 2).await, UnlockOutcome::Opened);
    assert_eq!(bus.pulses().await, 1);
}

#[tokio::test]
async fn a_battery_anywhere_is_told_once_and_the_mains_when_all_boards_have_them_again() {
    let mut bus = Bus::start("battery", 2);
    let power =
        |mains| move |report: &Input| matches!(report, Input::PowerChanged { mains: is } if *is == mains);
    let told = bus.until(power(true)).await;
    assert!(!told.iter().any(power(false)));
    let set = async |bus: &Bus, board, battery| {
        let fault = BoardFault::OnBattery(battery);
        bus.port.board_fault(Board(board), fault).await.unwrap();
    };
    set(&bus, 1, true).await;
    bus.until(power(false)).await;
    set(&bus, 2, true).await;
    set(&bus, 1, false).await;
    // Both have been heard since: their doors tell so.
    for (board, compartment) in [(1, 3), (2, 11)] {
        let channel = Channel::new(3).unwrap();
        bus.port.hand(Board(board), channel, Hand::Force).await.unwrap();
        let seen = bus.until(door(compartment, true)).await;
        assert!(!seen.iter().any(power(true)), "board 2 is on battery still");
        assert!(!seen.iter().any(power(false)), "told before");
    }
    set(&bus, 2, false).await;
    bus.until(power(true)).await;
}
