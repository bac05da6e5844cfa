//! The bus master against simulated boards, in memory with virtual time.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

#[path = "lock_bus_rig/reports.rs"]
mod reports;

use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{BoardFault, BoardSettings, Defect, Grain, Hand, Line, LineFault, LineInput, SimulatedBoard};
use lockerd::boards::Work;
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, LayoutError, PortIndex, Supply};
use lockerd::boards::master::{BusAction, BusInput, BusMaster, BusSettings, Echo};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use office_protocol::{BoardId, CompartmentId, Seq};
use proptest::prelude::*;

const LOCKS: u8 = 24;
const PORT: PortIndex = PortIndex(0);

/// One port with boards 1.. of 24 locks; compartment = board × 100 + lock.
struct Rig {
    master: BusMaster,
    line: Line,
    now: Duration,
    reports: Vec<Input>,
    delivered: Vec<u8>,
}

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn compartment(board: u8, lock: u8) -> CompartmentId {
    CompartmentId(u16::from(board) * 100 + u16::from(lock))
}

fn layout(boards: u8, echo: bool, inverted: u64) -> Layout {
    let port = BusPort {
        name: "locks".parse().unwrap(),
        family: Family::Shuoming,
        baud: 9600,
        echo,
    };
    let placed: Vec<BusBoard> = (1..=boards)
        .map(|board| BusBoard {
            id: BoardId(u16::from(board)),
            port: port.name.clone(),
            address: Board(board),
            channels: LOCKS,
            supply: Supply(1),
            pulse_ms: None,
        })
        .collect();
    let locks: Vec<BusLock> = (1..=boards)
        .flat_map(|board| {
            Channel::all(LOCKS).map(move |channel| BusLock {
                compartment: compartment(board, channel.number()),
                board: BoardId(u16::from(board)),
                channel,
                polarity: if inverted & channel.bit() == 0 {
                    Polarity::AsDocumented
                } else {
                    Polarity::Inverted
                },
            })
        })
        .collect();
    Layout::new(vec![port], &placed, &locks).unwrap()
}

impl Rig {
    /// A rig whose port has just opened.
    fn new(boards: u8) -> Self {
        Self::with(
            boards,
            BoardSettings::new(Family::Shuoming, Board(0), LOCKS),
            false,
        )
    }

    fn with(boards: u8, settings: BoardSettings, echo: bool) -> Self {
        let simulated = (1..=boards).map(|board| {
            SimulatedBoard::new(
                BoardSettings {
                    address: Board(board),
                    ..settings
                },
                u64::from(board),
            )
        });
        let line = Line::new(simulated.collect(), 9600, Grain::Frames, 7);
        let master = BusMaster::new(layout(boards, echo, settings.inverted), BusSettings::default());
        let mut rig = Self {
            master,
            line,
            now: Duration::from_secs(1),
            reports: vec![],
            delivered: vec![],
        };
        if echo {
            rig.set_line(LineFault::Echoing(true));
        }
        rig.give(BusInput::Opened(PORT));
        rig
    }

    /// A rig that has read all doors once, and forgotten what was reported of that.
    fn settled(boards: u8) -> Self {
        let mut rig = Self::new(boards);
        rig.run(3000);
        rig.reports.clear();
        rig
    }

    fn ms(&self) -> Monotonic {
        Monotonic::from_micros(u64::try_from(self.now.as_micros()).unwrap())
    }

    fn give(&mut self, input: BusInput<'_>) {
        let actions = self.master.handle(input, self.ms());
        for action in actions {
            match action {
                BusAction::Send(_, frame) => {
                    self.line
                        .handle(LineInput::Written(&frame), self.now, &mut self.delivered);
                }
                BusAction::Report(report) => self.reports.push(report),
                BusAction::KeepKeys(..) => {}
            }
        }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let bus = self
                .master
                .next_deadline()
                .map(|at| Duration::from_micros(at.as_micros()).max(self.now));
            let line = self.line.next_deadline();
            let at = bus
                .into_iter()
                .chain(line)
                .min()
                .map_or(end, |at| at.max(self.now));
            if at >= end {
                self.now = end;
                return;
            }
            self.now = at;
            self.line.handle(LineInput::Tick, at, &mut self.delivered);
            if self.delivered.is_empty() {
                self.give(BusInput::Tick);
            } else {
                let bytes = std::mem::take(&mut self.delivered);
                self.give(BusInput::Received(PORT, &bytes));
            }
        }
    }

    /// Asks for a pulse, which may wait for two seconds.
    fn unlock(&mut self, board: u8, lock: u8, seq: u64) {
        let not_after = self.ms().plus_millis(2000);
        let work = Work::Unlock {
            compartment: compartment(board, lock),
            unlock: Seq(seq),
            not_after,
        };
        self.give(BusInput::Work(&work));
    }

    fn watch(&mut self, compartments: Vec<CompartmentId>) {
        self.give(BusInput::Work(&Work::Watch(compartments)));
    }

    fn hand(&mut self, board: u8, lock: u8, hand: Hand) -> bool {
        self.line.handle(
            LineInput::Hand(Board(board), channel(lock), hand),
            self.now,
            &mut self.delivered,
        )
    }

    fn set(&mut self, board: u8, fault: BoardFault) {
        self.line.handle(
            LineInput::BoardFault(Board(board), fault),
            self.now,
            &mut self.delivered,
        );
    }

    fn set_line(&mut self, fault: LineFault) {
        self.line
            .handle(LineInput::LineFault(fault), self.now, &mut self.delivered);
    }

    /// What was reported of unlocks, doors (number, open, first) and the rest, since the last look.
    fn outcomes(&self) -> Vec<(u64, UnlockOutcome)> {
        reports::outcomes(&self.reports)
    }

    fn doors(&self) -> Vec<(u16, bool, bool)> {
        reports::doors(&self.reports)
    }

    fn boards(&self) -> Vec<(u16, bool)> {
        let board = |report: &Input| match report {
            Input::BoardFound { board } => Some((board.0, true)),
            Input::BoardLost { board } => Some((board.0, false)),
            _ => None,
        };
        self.reports.iter().filter_map(board).collect()
    }

    fn answered(&self, board: usize) -> u64 {
        self.master.view().boards[board].statistics.answered
    }
}

#[test]
fn the_first_sweep_finds_port_boards_and_doors() {
    let mut rig = Rig::new(2);
    rig.hand(2, 3, Hand::Force);
    rig.run(300);
    assert_eq!(rig.boards(), [(1, true), (2, true)]);
    assert!(matches!(&rig.reports[0], Input::PortFound { .. }));
    let doors = rig.doors();
    assert_eq!(doors.len(), 48);
    assert!(
        doors
            .iter()
            .all(|(number, open, first)| *first && *open == (*number == 203))
    );
    rig.reports.clear();
    rig.run(10_000);
    assert!(
        rig.reports.is_empty(),
        "nothing changes, nothing is said: {:?}",
        rig.reports
    );
    assert_eq!(rig.master.view().ports[0].echo, Echo::Proven);
}

#[test]
fn an_unlock_opens_its_door_and_the_hand_closes_it() {
    let mut rig = Rig::settled(1);
    rig.watch(vec![compartment(1, 5)]);
    rig.unlock(1, 5, 42);
    rig.run(300);
    assert_eq!(rig.outcomes(), [(42, UnlockOutcome::Opened)]);
    assert_eq!(rig.doors(), [(105, true, false)]);
    rig.reports.clear();
    assert!(rig.hand(1, 5, Hand::Close));
    rig.run(60);
    assert_eq!(
        rig.doors(),
        [(105, false, false)],
        "a watched door is read within 60 ms"
    );
    assert_eq!(rig.line.view().pulses, 1);
    assert_eq!(rig.line.view().collisions, 0);
}

#[test]
fn an_unlock_goes_ahead_of_any_read() {
    let mut rig = Rig::settled(8);
    rig.watch((1..=LOCKS).map(|lock| compartment(1, lock)).collect());
    rig.run(1003);
    rig.unlock(8, 1, 1);
    rig.run(45);
    assert_eq!(
        rig.line.view().pulses,
        1,
        "one exchange in flight, then the pulse"
    );
}

#[test]
fn one_solenoid_at_a_time_and_each_outcome_once() {
    let mut rig = Rig::settled(2);
    for (lock, seq) in [(1, 1), (2, 2), (3, 3)] {
        rig.unlock(1 + lock % 2, lock, seq);
    }
    for _ in 0..300 {
        rig.run(10);
        assert!(rig.line.driven(rig.now) <= 1);
    }
    let opened = |seq| (seq, UnlockOutcome::Opened);
    assert_eq!(rig.outcomes(), [opened(1), opened(2), opened(3)]);
}

#[test]
fn no_pulse_after_its_time_and_none_within_the_cool_down() {
    let mut rig = Rig::settled(1);
    rig.unlock(1, 1, 1);
    rig.run(3100);
    rig.unlock(1, 1, 2);
    rig.run(3100);
    rig.unlock(1, 1, 3);
    rig.run(3100);
    let opened = UnlockOutcome::Opened;
    let outcomes = rig.outcomes();
    assert_eq!(outcomes[..2], [(1, opened), (2, opened)]);
    let [.., (3, UnlockOutcome::Resting { until })] = outcomes[..] else {
        panic!("{outcomes:?}")
    };
    rig.run(until.as_millis() - u64::try_from(rig.now.as_millis()).unwrap());
    rig.unlock(1, 1, 4);
    rig.run(500);
    assert_eq!(rig.outcomes().last(), Some(&(4, opened)), "rested until then");
    rig.reports.clear();
    for seq in 10..20 {
        rig.unlock(1, u8::try_from(seq).unwrap(), seq);
    }
    rig.run(5000);
    let outcomes = rig.outcomes();
    assert_eq!(outcomes.len(), 10);
    let sent = outcomes.iter().filter(|(_, outcome)| *outcome == opened).count();
    assert!(
        (3..=4).contains(&sent),
        "what one supply can do in two seconds: {sent}"
    );
    assert_eq!(usize::try_from(rig.line.view().pulses).unwrap(), 3 + sent);
}

#[test]
fn a_stuck_or_welded_lock_is_acknowledged_and_its_door_stays_closed() {
    for defect in [Defect::StuckDoor, Defect::WeldedLock] {
        let mut rig = Rig::settled(1);
        rig.set(1, BoardFault::Lock(channel(1), defect, true));
        rig.unlock(1, 1, 1);
        rig.run(1000);
        assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Acknowledged)]);
        assert_eq!(rig.doors(), []);
    }
}

#[test]
fn a_silent_board_is_left_alone_but_an_unlock_is_tried_at_once() {
    let mut rig = Rig::settled(2);
    rig.set(1, BoardFault::Silent(true));
    rig.run(5000);
    assert_eq!(rig.boards(), [(1, false)]);
    rig.unlock(1, 1, 1);
    rig.run(1500);
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Uncertain)]);
    assert_eq!(rig.line.view().pulses, 1, "never repeated");
    rig.reports.clear();
    rig.set(1, BoardFault::Silent(false));
    rig.run(31_000);
    assert_eq!(rig.boards(), [(1, true)]);
    let doors = rig.doors();
    assert_eq!(doors.len(), 24);
    assert!(
        doors
            .iter()
            .all(|(number, open, first)| *first && *open == (*number == 101))
    );
}

#[test]
fn one_dead_board_of_eight_does_not_slow_the_others() {
    let polls = |dead: bool| {
        let mut rig = Rig::settled(8);
        rig.set(8, BoardFault::Silent(dead));
        rig.watch((1..=7).map(|board| compartment(board, 1)).collect());
        rig.run(5_000);
        let before: u64 = (0..7).map(|board| rig.answered(board)).sum();
        rig.run(60_000);
        (0..7).map(|board| rig.answered(board)).sum::<u64>() - before
    };
    let (healthy, hindered) = (polls(false), polls(true));
    assert!(hindered * 105 >= healthy * 100, "{hindered} of {healthy} polls");
}

#[test]
fn watched_boards_are_read_in_turn_and_no_other_starves() {
    let mut rig = Rig::settled(8);
    rig.watch(vec![compartment(1, 1), compartment(2, 1), compartment(2, 2)]);
    let before: Vec<u64> = (0..8).map(|board| rig.answered(board)).collect();
    rig.run(10_000);
    let polls: Vec<u64> = (0..8).map(|board| rig.answered(board) - before[board]).collect();
    assert!(polls[0] > 100 && polls[1] > 100, "{polls:?}");
    assert!(polls[2..].iter().all(|count| *count >= 10), "{polls:?}");
}

#[test]
fn late_answers_are_let_out_and_belong_to_nobody() {
    let mut rig = Rig::settled(2);
    rig.set(1, BoardFault::Late(Duration::from_millis(220)));
    rig.run(20_000);
    assert_eq!(rig.boards(), [], "it is learnt that this board is slow");
    assert_eq!(rig.doors(), []);
    rig.set(1, BoardFault::Late(Duration::from_millis(1500)));
    rig.run(20_000);
    rig.set(1, BoardFault::Late(Duration::from_millis(220)));
    rig.set(1, BoardFault::Silent(true));
    rig.run(20_000);
    rig.set(1, BoardFault::Silent(false));
    rig.run(60_000);
    assert!(rig.doors().iter().all(|(_, open, first)| !open && *first));
    let lives = [(1, false), (1, true)];
    assert_eq!(rig.boards(), lives, "as slow as before, it is there again");
    assert_eq!(
        rig.answered(0).abs_diff(rig.answered(1)) / 200,
        0,
        "both are asked again"
    );
    let mut rig = Rig::new(1);
    rig.set(1, BoardFault::Silent(true));
    rig.run(5000);
    rig.set(1, BoardFault::Silent(false));
    rig.set(1, BoardFault::Late(Duration::from_millis(700)));
    rig.run(90_000);
    assert_eq!(rig.boards().last(), Some(&(1, true)), "found however slow");
}

#[test]
fn noise_and_garbled_answers_open_no_door_and_lose_no_board() {
    let mut rig = Rig::settled(2);
    rig.set_line(LineFault::Noisy(30));
    rig.set(2, BoardFault::Garbled(30));
    rig.run(3_600_000);
    assert_eq!(rig.doors(), []);
    assert_eq!(rig.boards(), []);
    assert_eq!(rig.line.view().pulses, 0);
    assert!(rig.master.view().ports[0].noise > 0);
}

#[test]
fn echoes_are_told_from_answers_and_a_wrong_setting_is_found() {
    let mut rig = Rig::with(1, BoardSettings::new(Family::Shuoming, Board(0), LOCKS), true);
    rig.run(1000);
    assert_eq!(rig.doors().len(), 24);
    rig.set(1, BoardFault::Silent(true));
    rig.unlock(1, 1, 1);
    rig.run(1500);
    assert_eq!(
        rig.outcomes(),
        [(1, UnlockOutcome::Uncertain)],
        "an echo is no answer"
    );
    rig.set(1, BoardFault::Silent(false));
    rig.run(40_000);
    assert_eq!(rig.master.view().ports[0].echo, Echo::Proven);
    rig.set_line(LineFault::Echoing(false));
    rig.watch(vec![compartment(1, 1)]);
    rig.run(1000);
    assert_eq!(rig.master.view().ports[0].echo, Echo::Contradicted);
    rig.reports.clear();
    rig.unlock(1, 2, 2);
    rig.run(3000);
    assert_eq!(rig.outcomes(), [(2, UnlockOutcome::Uncertain)]);

    let mut rig = Rig::settled(1);
    rig.set_line(LineFault::Echoing(true));
    rig.watch(vec![compartment(1, 1)]);
    rig.run(1000);
    assert_eq!(rig.master.view().ports[0].echo, Echo::Contradicted);
    rig.unlock(1, 2, 3);
    rig.run(3000);
    assert_eq!(rig.outcomes(), [(3, UnlockOutcome::Uncertain)]);
    assert_eq!(
        rig.doors(),
        [(102, true, false)],
        "reads go on and show the truth"
    );
}

#[test]
fn the_other_wiring_is_read_the_other_way() {
    let settings = BoardSettings {
        inverted: 0b1010,
        ..BoardSettings::new(Family::Shuoming, Board(0), LOCKS)
    };
    let mut rig = Rig::with(1, settings, false);
    rig.run(500);
    assert!(rig.doors().iter().all(|(_, open, _)| !open));
    rig.reports.clear();
    rig.unlock(1, 2, 1);
    rig.run(1000);
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Opened)]);
    assert_eq!(rig.doors(), [(102, true, false)]);
}

#[test]
fn an_unasked_report_is_proven_with_a_read() {
    let settings = BoardSettings {
        reports: true,
        ..BoardSettings::new(Family::Shuoming, Board(0), LOCKS)
    };
    let mut rig = Rig::with(1, settings, false);
    rig.run(3000);
    rig.reports.clear();
    rig.line.handle(
        LineInput::Noise(&[0x82, 1, 4, 0x00, 0x87]),
        rig.now,
        &mut rig.delivered,
    );
    rig.run(500);
    assert_eq!(rig.doors(), [], "a report that is not true");
    assert!(rig.master.view().boards[0].statistics.unasked >= 1);
    rig.hand(1, 4, Hand::Force);
    rig.run(300);
    assert_eq!(rig.doors(), [(104, true, false)]);
}

#[test]
fn a_lost_port_answers_what_waited_and_its_return_reads_anew() {
    let mut rig = Rig::settled(1);
    rig.unlock(1, 1, 1);
    rig.unlock(1, 2, 2);
    rig.line.handle(LineInput::Unplugged, rig.now, &mut rig.delivered);
    rig.give(BusInput::Lost(PORT));
    rig.give(BusInput::Lost(PORT));
    rig.unlock(1, 3, 3);
    let (uncertain, not_sent) = (UnlockOutcome::Uncertain, UnlockOutcome::NotSent);
    assert_eq!(rig.outcomes(), [(1, uncertain), (2, not_sent), (3, not_sent)]);
    let lost = rig
        .reports
        .iter()
        .filter(|report| matches!(report, Input::PortLost { .. }))
        .count();
    assert_eq!(lost, 1);
    rig.run(5000);
    rig.reports.clear();
    rig.hand(1, 9, Hand::Force);
    rig.give(BusInput::Opened(PORT));
    rig.run(500);
    assert_eq!(rig.doors().len(), 24);
    assert!(
        rig.doors().contains(&(109, true, true)),
        "found open, never forced"
    );
}

#[test]
fn our_own_delay_is_neither_a_silent_board_nor_the_end_of_a_frame() {
    let mut rig = Rig::settled(1);
    rig.unlock(1, 1, 1);
    let half = |rig: &mut Rig, bytes: &[u8], late: u64| {
        rig.now += Duration::from_millis(late);
        rig.give(BusInput::Received(PORT, bytes));
    };
    half(&mut rig, &[0x8A, 0x01], 100);
    half(&mut rig, &[0x01, 0x00, 0x8A], 1500);
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Opened)]);
}

#[test]
fn a_compartment_that_is_nowhere_is_not_sent() {
    let mut rig = Rig::settled(1);
    rig.unlock(9, 9, 5);
    assert_eq!(rig.outcomes(), [(5, UnlockOutcome::NotSent)]);
}

#[test]
fn a_layout_that_does_not_fit_is_refused() {
    let port = BusPort {
        name: "a".parse().unwrap(),
        family: Family::Shuoming,
        baud: 9600,
        echo: false,
    };
    let board = |id, port: &str, address, channels| BusBoard {
        id: BoardId(id),
        port: port.parse().unwrap(),
        address: Board(address),
        channels,
        supply: Supply(0),
        pulse_ms: None,
    };
    let lock = |compartment, board, number| BusLock {
        compartment: CompartmentId(compartment),
        board: BoardId(board),
        channel: channel(number),
        polarity: Polarity::AsDocumented,
    };
    let make =
        |boards: &[BusBoard], locks: &[BusLock]| Layout::new(vec![port.clone()], boards, locks).unwrap_err();
    let one = board(1, "a", 1, 8);
    assert!(matches!(
        make(&[board(1, "b", 1, 8)], &[]),
        LayoutError::NoSuchPort(..)
    ));
    assert!(matches!(
        make(&[board(1, "a", 0, 8)], &[]),
        LayoutError::NotOfFamily { .. }
    ));
    assert!(matches!(
        make(&[board(1, "a", 1, 51)], &[]),
        LayoutError::NotOfFamily { .. }
    ));
    assert!(matches!(
        make(&[one.clone(), board(1, "a", 2, 8)], &[]),
        LayoutError::BoardTwice(_)
    ));
    assert!(matches!(
        make(&[one.clone(), board(2, "a", 1, 8)], &[]),
        LayoutError::AddressTwice(..)
    ));
    let boards = [one];
    assert!(matches!(
        make(&boards, &[lock(1, 2, 1)]),
        LayoutError::NoSuchBoard(..)
    ));
    assert!(matches!(
        make(&boards, &[lock(1, 1, 9)]),
        LayoutError::NoSuchChannel(..)
    ));
    assert!(matches!(
        make(&boards, &[lock(1, 1, 1), lock(1, 1, 2)]),
        LayoutError::CompartmentTwice(_)
    ));
    assert!(matches!(
        make(&boards, &[lock(1, 1, 1), lock(2, 1, 1)]),
        LayoutError::LockTwice(..)
    ));
}

#[test]
fn an_hour_of_virtual_time_with_people_at_the_doors() {
    let start = Instant::now();
    let mut rig = Rig::settled(1);
    for visit in 0..60_u64 {
        let lock = u8::try_from(visit % 24).unwrap() + 1;
        rig.watch(vec![compartment(1, lock)]);
        rig.unlock(1, lock, visit);
        rig.run(1000);
        assert!(rig.hand(1, lock, Hand::Close));
        rig.run(200);
        rig.watch(vec![]);
        rig.run(58_800);
    }
    assert_eq!(rig.outcomes().len(), 60);
    assert!(
        rig.outcomes()
            .iter()
            .all(|(_, outcome)| *outcome == UnlockOutcome::Opened)
    );
    assert_eq!(rig.doors().len(), 120, "each door opened and closed, once");
    assert_eq!((rig.line.view().pulses, rig.line.view().collisions), (60, 0));
    let factor = 3600.0 / start.elapsed().as_secs_f64();
    println!("an hour with bus bytes: {factor:.0} times real time");
}

#[derive(Debug, Clone)]
enum Happening {
    Unlock(u8, u8),
    Hand(u8, u8, Hand),
    Fault(u8, BoardFault),
    Noisy(u8),
    Noise(Vec<u8>),
    Cable,
    Watch(u8, u8),
}

fn happenings() -> impl Strategy<Value = Happening> {
    let hands = prop_oneof![Just(Hand::Open), Just(Hand::Close), Just(Hand::Force)];
    let faults = prop_oneof![
        any::<bool>().prop_map(BoardFault::Silent),
        (0_u64..1500).prop_map(|late| BoardFault::Late(Duration::from_millis(late))),
        (0_u8..60).prop_map(BoardFault::Garbled),
        (0_u64..3000).prop_map(|down| BoardFault::Rebooting(Duration::from_millis(down))),
    ];
    prop_oneof![
        4 => (1_u8..=3, 1_u8..=LOCKS).prop_map(|(board, lock)| Happening::Unlock(board, lock)),
        2 => (1_u8..=3, 1_u8..=LOCKS, hands).prop_map(|(board, lock, hand)| Happening::Hand(board, lock, hand)),
        2 => (1_u8..=3, faults).prop_map(|(board, fault)| Happening::Fault(board, fault)),
        1 => (0_u8..50).prop_map(Happening::Noisy),
        1 => proptest::collection::vec(any::<u8>(), 1..40).prop_map(Happening::Noise),
        1 => Just(Happening::Cable),
        1 => (1_u8..=3, 1_u8..=LOCKS).prop_map(|(board, lock)| Happening::Watch(board, lock)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_pulses_have_causes_outcomes_come_once_and_all_heals(
        story in proptest::collection::vec((happenings(), 0_u64..4000), 1..60),
    ) {
        let mut rig = Rig::settled(3);
        let mut unlocks = 0;
        for (happening, wait) in story {
            match happening {
                Happening::Unlock(board, lock) => {
                    unlocks += 1;
                    rig.unlock(board, lock, unlocks);
                }
                Happening::Hand(board, lock, hand) => { rig.hand(board, lock, hand); }
                Happening::Fault(board, fault) => rig.set(board, fault),
                Happening::Noisy(percent) => rig.set_line(LineFault::Noisy(percent)),
                Happening::Noise(bytes) => {
                    rig.line.handle(LineInput::Noise(&bytes), rig.now, &mut rig.delivered);
                }
                Happening::Cable => {
                    rig.line.handle(LineInput::Unplugged, rig.now, &mut rig.delivered);
                    rig.give(BusInput::Lost(PORT));
                    rig.give(BusInput::Opened(PORT));
                }
                Happening::Watch(board, lock) => rig.watch(vec![compartment(board, lock)]),
            }
            for _ in 0..wait / 50 {
                rig.run(50);
                prop_assert!(rig.line.driven(rig.now) <= 1);
            }
        }
        for board in 1..=3 {
            rig.set(board, BoardFault::Silent(false));
            rig.set(board, BoardFault::Late(Duration::ZERO));
            rig.set(board, BoardFault::Garbled(0));
        }
        rig.set_line(LineFault::Noisy(0));
        rig.run(70_000);
        let mut answered: Vec<u64> = rig.outcomes().into_iter().map(|(unlock, _)| unlock).collect();
        answered.sort_unstable();
        prop_assert_eq!(answered, (1..=unlocks).collect::<Vec<_>>());
        let sent = rig.outcomes().iter().filter(|(_, outcome)| {
            !matches!(outcome, UnlockOutcome::NotSent | UnlockOutcome::Resting { .. })
        }).count();
        prop_assert!(usize::try_from(rig.line.view().pulses).unwrap() <= sent);
        let mut last = std::collections::BTreeMap::new();
        for (number, open, _) in rig.doors() {
            last.insert(number, open);
        }
        for board in 1..=3 {
            for lock in 1..=LOCKS {
                let number = compartment(board, lock).0;
                let really = rig.line.lock(Board(board), channel(lock)).unwrap().door_open();
                prop_assert_eq!(last.get(&number).copied().unwrap_or(false), really, "door {}", number);
            }
        }
    }
}
