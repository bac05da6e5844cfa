//! Which lock opens which door: proven, voided, found otherwise, and what is refused until then.

use std::collections::BTreeSet;

use office_protocol::event::{Alarm, Complaint, VisitPurpose};
use office_protocol::state::StandingAlarm;

use super::super::screen::{DropOffs, Notice};
use super::*;

/// A cabinet that nobody has commissioned.
fn fresh() -> Bench {
    let mut bench = Bench::asleep(Ledger::default());
    bench.start(1);
    bench
}

fn compartment(number: u16) -> CompartmentId {
    CompartmentId(number)
}

fn unproven(bench: &Bench) -> Vec<u16> {
    bench.cabinet.ledger().unproven().map(|id| id.0).collect()
}

fn stands(bench: &Bench, alarm: Alarm) -> bool {
    let alarms = &bench.cabinet.ledger().alarms;
    alarms.iter().any(|standing| standing.alarm == alarm)
}

/// A technician or courier begins the round of locks that are to be proven.
fn begin(bench: &mut Bench, who: &str) {
    bench.admit(who);
    bench.tap(Action::StartProving);
}

/// The next lock of the round is proven: its door springs open, is named and closed.
fn prove_next(bench: &mut Bench) -> CompartmentId {
    bench.tap(Action::OpenNext);
    let door = *bench.pulses().last().unwrap();
    bench.door(door, true);
    assert!(matches!(bench.screen(), Screen::WhichDoor { work, .. } if work.compartment == door));
    bench.tap(Action::OpenedDoor { compartment: door });
    assert!(matches!(bench.screen(), Screen::DoorOpen { .. }));
    bench.door(door, false);
    door
}

#[test]
fn a_new_cabinet_says_that_it_is_unproven_and_takes_nothing_in() {
    let mut bench = fresh();
    assert_eq!(unproven(&bench), [1, 2, 3, 4, 5, 6]);
    assert!(stands(&bench, Alarm::Unproven) && !stands(&bench, Alarm::CabinetFull));
    assert!(bench.view().notices.contains(&Notice::Unproven));
    assert!(matches!(
        bench.screen(),
        Screen::Home {
            drop_offs: DropOffs::Closed { .. }
        }
    ));
    assert!(
        bench
            .cabinet
            .state()
            .compartments
            .iter()
            .all(|place| place.unproven)
    );
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    assert!(matches!(bench.screen(), Screen::ScanProblem(_)));
    bench.tap(Action::Back);
    bench.admit("wang");
    bench.tap(Action::StartPlacing);
    bench.scan("PERMIT-1");
    let no_room = Some(super::super::screen::LabelProblem::NoRoom);
    assert!(matches!(bench.screen(), Screen::PlacingScan { refused, .. } if refused == no_room));
}

#[test]
fn a_technician_proves_lock_by_lock_and_each_serves_from_then_on() {
    let mut bench = fresh();
    begin(&mut bench, "li");
    assert!(
        matches!(bench.screen(), Screen::Round { purpose: VisitPurpose::Proving, rows, .. } if rows.len() == 6)
    );
    let first = prove_next(&mut bench);
    assert_eq!(unproven(&bench), [2, 3, 4, 5, 6]);
    bench.crash();
    assert_eq!(unproven(&bench), [2, 3, 4, 5, 6], "a proof is durable");
    bench.drop_off("p-1");
    assert!(bench.cabinet.ledger().compartments[&first].consignment.is_some());
    begin(&mut bench, "li");
    let doors: BTreeSet<CompartmentId> = (0..5).map(|_| prove_next(&mut bench)).collect();
    assert_eq!(doors.len(), 5);
    assert!(matches!(bench.screen(), Screen::Round { rows, .. } if rows.is_empty()));
    assert!(unproven(&bench).is_empty() && !stands(&bench, Alarm::Unproven));
    assert_eq!(bench.happened("channel-proven"), 6);
    assert!(bench.cabinet.ledger().visits.is_empty());
    bench.crash();
    assert!(unproven(&bench).is_empty());
}

#[test]
fn a_lock_behind_another_door_is_found_and_counts_once_the_settings_say_so() {
    let mut bench = fresh();
    begin(&mut bench, "li");
    for (lock, door) in [(1, 2), (2, 1)] {
        bench.tap(Action::OpenNext);
        assert_eq!(bench.pulses().last(), Some(&compartment(lock)));
        bench.door(compartment(lock), true);
        bench.tap(Action::OpenedDoor {
            compartment: compartment(door),
        });
        bench.door(compartment(lock), false);
    }
    assert_eq!(unproven(&bench), [1, 2, 3, 4, 5, 6], "the settings say otherwise");
    let found: Vec<_> = bench.cabinet.ledger().rewired().collect();
    assert_eq!(found, [(compartment(1), wiring(2)), (compartment(2), wiring(1))]);
    let mut layout = config().layout;
    (layout[0].wiring, layout[1].wiring) = (Some(wiring(2)), Some(wiring(1)));
    bench.rewire(layout);
    assert_eq!(unproven(&bench), [3, 4, 5, 6]);
    bench.rewire(config().layout);
    assert_eq!(
        unproven(&bench),
        [1, 2, 3, 4, 5, 6],
        "another lock is another proof"
    );
}

#[test]
fn a_board_that_is_reached_elsewhere_is_another_board() {
    let mut bench = Bench::new();
    bench.rewire(reached_at(1));
    assert!(
        unproven(&bench).is_empty(),
        "what was proven before holds for here"
    );
    let mut layout = reached_at(1);
    layout[..3].clone_from_slice(&reached_at(2)[..3]);
    bench.rewire(layout);
    assert_eq!(
        unproven(&bench),
        [1, 2, 3],
        "its number and its channels are the same"
    );
    assert!(stands(&bench, Alarm::Unproven));
    bench.rewire(reached_at(1));
    assert_eq!(unproven(&bench), [1, 2, 3], "what was proven of it is gone");
}

#[test]
fn a_sensor_that_says_the_opposite_is_found() {
    let mut bench = fresh();
    bench.door(compartment(1), true);
    begin(&mut bench, "li");
    bench.tap(Action::OpenNext);
    assert!(
        matches!(bench.screen(), Screen::Opening(_)),
        "that it reads open proves nothing"
    );
    bench.door(compartment(1), false);
    bench.tap(Action::OpenedDoor {
        compartment: compartment(1),
    });
    bench.door(compartment(1), true);
    let inverted = office_protocol::event::Wiring {
        inverted: true,
        ..wiring(1)
    };
    let found: Vec<_> = bench.cabinet.ledger().rewired().collect();
    assert_eq!(found, [(compartment(1), inverted)]);
    assert!(bench.cabinet.ledger().visits.is_empty());
}

#[test]
fn a_sensor_that_does_not_follow_and_a_door_that_nobody_saw_prove_nothing() {
    let mut bench = fresh();
    begin(&mut bench, "li");
    bench.tap(Action::OpenNext);
    bench.wait(5_000);
    assert!(matches!(bench.screen(), Screen::IsDoorOpen(_)));
    bench.tap(Action::DoorIsOpen { open: true });
    assert!(stands(&bench, Alarm::SensorBroken));
    bench.tap(Action::OpenNext);
    assert_eq!(bench.pulses().last(), Some(&compartment(2)), "the round goes on");
    bench.door(compartment(2), true);
    bench.tap(Action::No);
    assert_eq!(unproven(&bench).len(), 6);
    assert!(bench.cabinet.ledger().visits.is_empty());
    // A door that stands open from the start has moved once only.
    bench.door(compartment(3), true);
    bench.tap(Action::OpenNext);
    bench.door(compartment(3), false);
    bench.tap(Action::OpenedDoor {
        compartment: compartment(3),
    });
    bench.wait(200_000);
    assert!(matches!(
        bench.screen(),
        Screen::Home { .. } | Screen::Sorry { .. }
    ));
    assert_eq!(unproven(&bench).len(), 6);
}

#[test]
fn a_replaced_board_is_proven_anew_by_technician_and_courier_and_all_is_collectable_meanwhile() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.place("PERMIT-2");
    bench.admit("li");
    bench.tap(Action::StartInspection);
    bench.tap(Action::ReplaceBoard { board: BoardId(9) });
    assert_eq!(bench.happened("board-replaced"), 0);
    bench.tap(Action::ReplaceBoard { board: BoardId(1) });
    assert_eq!(bench.happened("board-replaced"), 1);
    assert_eq!(unproven(&bench).len(), 6);
    assert_eq!(bench.cabinet.ledger().consignments.len(), 2);
    bench.tap(Action::Done);
    bench.tap(Action::StartProving);
    assert!(
        matches!(bench.screen(), Screen::Round { rows, .. } if rows.len() == 4),
        "empty ones only"
    );
    bench.tap(Action::OpenThis {
        compartment: compartment(1),
    });
    assert!(
        matches!(bench.screen(), Screen::Round { .. }),
        "somebody's documents are inside"
    );
    for _ in 0..4 {
        prove_next(&mut bench);
    }
    bench.tap(Action::EndRound);
    bench.tap(Action::Done);
    assert_eq!(unproven(&bench), [1, 2]);
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
    bench.tap(Action::Done);
    begin(&mut bench, "wang");
    assert!(matches!(bench.screen(), Screen::Round { rows, .. } if rows.len() == 1));
    let door = prove_next(&mut bench);
    assert!(matches!(bench.screen(), Screen::WhatIsInside { .. }));
    bench.tap(Action::Inside);
    assert!(matches!(
        bench.screen(),
        Screen::Round {
            purpose: VisitPurpose::Proving,
            ..
        }
    ));
    let place = &bench.cabinet.ledger().compartments[&door];
    assert!(place.consignment.is_some() && place.doubt.is_none());
    assert!(bench.cabinet.ledger().is_proven(door));
}

#[test]
fn another_door_that_springs_open_puts_what_lies_there_in_doubt() {
    let mut bench = Bench::new();
    bench.place("PERMIT-1");
    bench.admit("li");
    bench.tap(Action::StartInspection);
    bench.tap(Action::ReplaceBoard { board: BoardId(1) });
    bench.tap(Action::Done);
    bench.tap(Action::StartProving);
    bench.tap(Action::OpenNext);
    bench.door(compartment(2), true);
    bench.tap(Action::OpenedDoor {
        compartment: compartment(1),
    });
    bench.door(compartment(2), false);
    assert!(
        bench.cabinet.ledger().compartments[&compartment(1)]
            .doubt
            .is_some()
    );
}

#[test]
fn walking_away_in_the_middle_leaves_a_doubt_and_no_proof() {
    let mut bench = fresh();
    begin(&mut bench, "li");
    bench.tap(Action::OpenNext);
    bench.door(compartment(1), true);
    bench.crash();
    assert_eq!(unproven(&bench).len(), 6);
    assert!(
        bench.cabinet.ledger().compartments[&compartment(1)]
            .doubt
            .is_some()
    );
    bench.door(compartment(1), false);
    bench.admit("wang");
    bench.tap(Action::StartInspection);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Complain {
        complaint: Complaint::Empty,
    });
    bench.tap(Action::Empty);
    assert!(
        bench.cabinet.ledger().compartments[&compartment(1)]
            .doubt
            .is_none()
    );
}

#[test]
fn whoever_is_at_the_machine_is_a_technician_until_the_office_has_named_one() {
    let input = Input::TechnicianAtMachine {
        staff: "on-site".parse().unwrap(),
    };
    let mut bench = fresh();
    bench.input(input.clone());
    assert!(matches!(bench.screen(), Screen::Home { .. }), "the office has");
    let mut bench = Bench::asleep(Ledger::default());
    bench.start_without_documents(1);
    bench.input(input);
    assert!(matches!(bench.screen(), Screen::StaffHome { to_prove: 6, .. }));
}

#[test]
fn what_served_before_commissioning_was_known_serves_on_and_what_is_new_does_not() {
    let mut old = config().layout;
    old.iter_mut().for_each(|place| place.wiring = None);
    old.pop();
    let mut bench = Bench::asleep(Ledger::default());
    bench.rewire(old);
    assert!(unproven(&bench).is_empty(), "an older version knew of no proofs");
    bench.rewire(config().layout);
    assert_eq!(unproven(&bench), [6]);
    assert_eq!(
        bench.cabinet.ledger().alarms.first(),
        Some(&StandingAlarm {
            alarm: Alarm::Unproven,
            compartment: None
        })
    );
    bench.crash();
    assert_eq!(unproven(&bench), [6]);
}
