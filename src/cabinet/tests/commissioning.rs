//! What a technician at the screen has written: the wiring that was found, and the signed report.

use std::collections::BTreeMap;

use super::super::report;
use super::super::screen::{Commissioning, KeyStep, Writing};
use super::super::vocabulary::KeyProblem;
use super::*;

fn compartment(number: u16) -> CompartmentId {
    CompartmentId(number)
}

/// A technician proves these locks, each of which opens a door.
fn prove(bench: &mut Bench, found: &[(u16, u16)]) {
    bench.admit("li");
    bench.tap(Action::StartProving);
    for (lock, door) in found {
        bench.tap(Action::OpenNext);
        bench.door(compartment(*lock), true);
        bench.tap(Action::OpenedDoor {
            compartment: compartment(*door),
        });
        bench.door(compartment(*lock), false);
    }
    bench.tap(Action::EndRound);
}

/// Doors 1 and 2 have each other's lock, and door 3 its own.
fn crossed() -> Bench {
    let mut bench = Bench::asleep(Ledger::default());
    bench.start(1);
    prove(&mut bench, &[(1, 2), (2, 1), (3, 3)]);
    bench
}

fn at(bench: &Bench) -> Commissioning {
    match bench.screen() {
        Screen::Commissioning(at) => at,
        other => panic!("{other:?}"),
    }
}

fn wanted(bench: &Bench) -> Vec<BTreeMap<CompartmentId, Wiring>> {
    let wiring = |effect: &Effect| match effect {
        Effect::WriteWiring { found } => Some(found.clone()),
        _ => None,
    };
    bench.effects.iter().filter_map(wiring).collect()
}

fn restarts(bench: &Bench) -> usize {
    let restart = |effect: &&Effect| matches!(effect, Effect::Restart);
    bench.effects.iter().filter(restart).count()
}

#[test]
fn crossed_locks_are_named_written_on_demand_and_proven_after_the_restart() {
    let mut bench = crossed();
    assert!(matches!(bench.screen(), Screen::StaffHome { rewired: 2, .. }));
    bench.tap(Action::ShowCommissioning);
    let shown = at(&bench);
    assert_eq!(shown.rewired, [compartment(1), compartment(2)]);
    assert_eq!((shown.doors, shown.open.len()), (6, 3));
    assert!(wanted(&bench).is_empty(), "nothing is written unasked");
    bench.tap(Action::WriteWiring);
    let found = [(compartment(1), wiring(2)), (compartment(2), wiring(1))];
    assert_eq!(wanted(&bench), [found.into()]);
    assert_eq!(at(&bench).wiring, Some(Writing::Begun));
    bench.tap(Action::WriteWiring);
    assert_eq!(wanted(&bench).len(), 1, "once is enough");
    bench.input(Input::WiringWritten(Ok(())));
    assert_eq!(at(&bench).wiring, Some(Writing::Written(())));
    assert_eq!(restarts(&bench), 0, "somebody is at the screen");
    bench.tap(Action::Done);
    assert!(matches!(bench.screen(), Screen::Home { .. }));
    assert_eq!(restarts(&bench), 1);
    let mut layout = config().layout;
    (layout[0].wiring, layout[1].wiring) = (Some(wiring(2)), Some(wiring(1)));
    bench.rewire(layout);
    let open: Vec<u16> = bench.cabinet.ledger().unproven().map(|id| id.0).collect();
    assert_eq!(open, [4, 5, 6]);
    assert_eq!(bench.cabinet.ledger().rewired().count(), 0);
}

#[test]
fn the_restart_waits_until_nobody_is_being_served() {
    let mut bench = crossed();
    bench.tap(Action::ShowCommissioning);
    bench.tap(Action::WriteWiring);
    bench.input(Input::WiringWritten(Ok(())));
    bench.wait(50_000);
    assert_eq!(restarts(&bench), 0);
    bench.wait(60_000);
    assert_eq!(restarts(&bench), 1, "whoever walked away is not waited for");
}

#[test]
fn settings_that_cannot_be_written_say_so_and_nothing_is_lost() {
    let mut bench = crossed();
    let events = bench.events.len();
    bench.tap(Action::ShowCommissioning);
    bench.tap(Action::WriteWiring);
    let why = Unwritten::Protected {
        path: "/etc/lockerd/lockerd.toml".into(),
    };
    bench.input(Input::WiringWritten(Err(why.clone())));
    assert_eq!(at(&bench).wiring, Some(Writing::Not(why)));
    assert_eq!(at(&bench).rewired.len(), 2);
    assert_eq!(bench.events.len(), events);
    bench.tap(Action::WriteWiring);
    bench.input(Input::WiringWritten(Ok(())));
    assert_eq!(
        at(&bench).wiring,
        Some(Writing::Written(())),
        "it can be tried again"
    );
    bench.crash();
    assert_eq!(
        bench.cabinet.ledger().rewired().count(),
        2,
        "the old settings still"
    );
}

#[test]
fn an_answer_that_comes_when_everybody_has_gone_restarts_all_the_same() {
    let mut bench = crossed();
    bench.tap(Action::ShowCommissioning);
    bench.tap(Action::WriteWiring);
    bench.tap(Action::Done);
    bench.tap(Action::Done);
    bench.input(Input::WiringWritten(Ok(())));
    assert_eq!(restarts(&bench), 1);
}

#[test]
fn of_each_board_it_is_said_whether_its_wire_is_protected() {
    let mut layout = config().layout;
    layout[5].wiring = Some(Wiring {
        board: BoardId(2),
        channel: 1,
        inverted: false,
        at: None,
    });
    let mut bench = Bench::new();
    bench.rewire(layout);
    bench.admit("li");
    bench.tap(Action::ShowCommissioning);
    let boards = at(&bench).boards;
    let told: Vec<_> = boards.iter().map(|row| (row.board.0, row.protected)).collect();
    assert_eq!(told, [(1, false), (2, true)]);
    bench.tap(Action::Done);
    bench.tap(Action::StartInspection);
    assert!(matches!(bench.screen(), Screen::Compartments { boards: all, .. } if all == boards));
}

#[test]
fn a_courier_has_nothing_written_and_neither_has_who_found_nothing() {
    let mut bench = crossed();
    bench.tap(Action::Done);
    bench.admit("wang");
    for action in [Action::ShowCommissioning, Action::WriteWiring, Action::KeepReport] {
        bench.tap(action);
        assert!(matches!(bench.screen(), Screen::StaffHome { .. }));
    }
    let mut bench = Bench::new();
    bench.admit("li");
    bench.tap(Action::ShowCommissioning);
    assert_eq!((at(&bench).doors, at(&bench).open.len()), (6, 0));
    bench.tap(Action::WriteWiring);
    assert!(wanted(&bench).is_empty());
}

#[test]
fn the_report_is_signed_kept_and_its_place_is_said() {
    let mut bench = crossed();
    bench.tap(Action::ShowCommissioning);
    bench.tap(Action::KeepReport);
    let kept = bench.effects.iter().find_map(|effect| match effect {
        Effect::KeepReport { name, text } => Some((name.clone(), text.clone())),
        _ => None,
    });
    let (name, text) = kept.unwrap();
    assert_eq!(name, format!("report-{}.txt", bench.cabinet.ledger().tip.seq));
    let (cabinet, key) = (config().id, config().key);
    let signed = report::sign(text.clone(), &cabinet, &key);
    assert_eq!(report::read(&signed, &key.verifying_key()).as_ref(), Some(&text));
    assert!(text.contains("door 3: board 1 channel 3: proven"), "{text}");
    assert!(text.contains("door 1: board 1 channel 1: NOT PROVEN"), "{text}");
    assert!(text.contains("board 1: its wire is NOT AUTHENTICATED"), "{text}");
    assert!(text.ends_with("1 of 6 proven\n"), "{text}");
    assert!(
        report::read(&signed, &office().verifying_key()).is_none(),
        "another key"
    );
    bench.input(Input::ReportKept(Ok("/var/lib/lockerd/report".into())));
    assert_eq!(
        at(&bench).report,
        Some(Writing::Written("/var/lib/lockerd/report".into()))
    );
    let problem = Unwritten::Failed {
        problem: "full".into(),
    };
    bench.tap(Action::KeepReport);
    bench.input(Input::ReportKept(Err(problem.clone())));
    assert_eq!(at(&bench).report, Some(Writing::Not(problem)));
}

const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

/// What goes to the lock bus on account of keys.
fn key_orders(bench: &Bench) -> Vec<(&'static str, BoardId)> {
    let order = |effect: &Effect| match effect {
        Effect::InstallBoardKey { board, label } => {
            assert_eq!(label.serial, *b"SERIAL01");
            Some(("install", *board))
        }
        Effect::KeepBoardKey { board } => Some(("keep", *board)),
        _ => None,
    };
    bench.effects.iter().filter_map(order).collect()
}

#[test]
fn a_boards_label_leads_to_a_key_that_is_journaled_before_it_is_kept_and_its_secret_is_nowhere() {
    let mut bench = Bench::new();
    let (board, label) = (BoardId(2), format!("LB1:53455249414c3031:{SECRET}"));
    bench.admit("li");
    bench.tap(Action::ShowCommissioning);
    bench.scan(&label);
    bench.tap(Action::InstallKey { board: BoardId(1) }); // a vendor's
    bench.scan(&label);
    assert!(key_orders(&bench).is_empty() && at(&bench).key.is_none());

    bench.tap(Action::InstallKey { board });
    assert_eq!(at(&bench).key, Some((board, KeyStep::Scan { mistaken: false })));
    bench.scan("SF1234567890");
    assert_eq!(at(&bench).key, Some((board, KeyStep::Scan { mistaken: true })));
    bench.scan(&label);
    assert_eq!(at(&bench).key, Some((board, KeyStep::Button)));
    assert_eq!(key_orders(&bench), [("install", board)]);
    bench.scan(&label);
    assert_eq!(key_orders(&bench).len(), 1, "once is enough");

    let key: office_protocol::KeyId = "1e3bee94".parse().unwrap();
    let before = bench.events.len();
    let by = office_protocol::event::KeyOrigin::Label;
    bench.input(Input::BoardKeyAgreed {
        board,
        key: key.clone(),
        by,
    });
    assert_eq!(bench.kinds()[before..], ["board-key-agreed"]);
    assert_eq!(key_orders(&bench), [("install", board), ("keep", board)]);
    bench.input(Input::BoardKeyInstalled { board, key });
    assert_eq!(at(&bench).key, Some((board, KeyStep::Installed)));
    assert_eq!(bench.happened("board-key-installed"), 1);
    let said = format!("{:?} {:?} {:?}", bench.events, bench.effects, bench.screen());
    assert!(!said.contains(SECRET) && !said.contains("7, 7, 7"), "{said}");
}

#[test]
fn what_came_of_a_key_is_said_and_it_can_be_tried_again() {
    let mut bench = Bench::new();
    let (board, label) = (BoardId(2), format!("LB1:53455249414c3031:{SECRET}"));
    bench.admit("wang"); // a courier
    bench.tap(Action::ShowCommissioning);
    bench.tap(Action::InstallKey { board });
    bench.scan(&label);
    assert!(key_orders(&bench).is_empty());
    bench.tap(Action::Done);

    bench.admit("li");
    bench.tap(Action::ShowCommissioning);
    for problem in [KeyProblem::NotHeld, KeyProblem::Unconfirmed] {
        bench.tap(Action::InstallKey { board });
        bench.scan(&label);
        bench.input(Input::BoardKeyRefused {
            board: BoardId(1),
            problem,
        });
        assert_eq!(at(&bench).key, Some((board, KeyStep::Button)), "of another board");
        bench.input(Input::BoardKeyRefused { board, problem });
        assert_eq!(at(&bench).key, Some((board, KeyStep::Failed(problem))));
    }
    assert_eq!(key_orders(&bench).len(), 2);
    bench.tap(Action::Done);
    bench.tap(Action::ShowCommissioning);
    assert_eq!(at(&bench).key, None);
}
