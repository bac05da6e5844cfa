//! Doors, boards, power and disks that fail.

use office_protocol::event::{Alarm, DoubtReason};
use office_protocol::state::{BoardRefusal, StandingAlarm};

use super::super::allocation::Wish;
use super::super::screen::{DropOffs, LabelProblem, Trouble};
use super::*;

fn at_slip(bench: &mut Bench) {
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
}

#[test]
fn a_stuck_door_is_asked_about_then_pulsed_at_most_three_times_and_drop_off_moves_on() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    for _ in 0..3 {
        bench.wait(4_000);
        assert!(
            matches!(bench.screen(), Screen::IsDoorOpen(_)),
            "{:?}",
            bench.screen()
        );
        bench.tap(Action::DoorIsOpen { open: false });
    }
    assert_eq!(bench.pulses(), [1, 1, 1, 2].map(CompartmentId));
    assert_eq!(bench.happened("compartment-withdrawn"), 1);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("dropped-off"), 1);
}

/// The door stays shut however often it is pulsed.
fn jams(bench: &mut Bench) {
    while {
        bench.wait(4_000);
        matches!(bench.screen(), Screen::IsDoorOpen(_))
    } {
        bench.tap(Action::DoorIsOpen { open: false });
    }
}

#[test]
fn documents_behind_a_door_that_does_not_open_again_are_in_doubt_there_and_never_moved() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    let handed_in = bench.open_and_close();
    bench.tap(Action::Reopen);
    jams(&mut bench);
    let Screen::Sorry { trouble, .. } = bench.screen() else {
        panic!("{:?}", bench.screen())
    };
    assert_eq!(trouble, Trouble::DoorStuckInside);
    bench.tap(Action::Done);

    bench.admit("wang");
    bench.tap(Action::StartPlacing);
    bench.scan("PERMIT-1");
    let placed = bench.open_and_close();
    bench.tap(Action::UndoLast);
    jams(&mut bench);
    let Screen::PlacingScan { refused, .. } = bench.screen() else {
        panic!("{:?}", bench.screen())
    };
    assert_eq!(refused, Some(LabelProblem::DoorStuck));
    assert_eq!(bench.happened("visit-moved"), 0);
    for place in [handed_in, placed] {
        let place = &bench.cabinet.ledger().compartments[&place];
        assert!(place.doubt.is_some() && place.consignment.is_some());
    }
}

#[test]
fn a_stuck_door_at_a_collection_keeps_the_code_valid() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    for _ in 0..3 {
        bench.wait(4_000);
        bench.tap(Action::DoorIsOpen { open: false });
    }
    assert!(matches!(
        bench.screen(),
        Screen::Sorry {
            trouble: Trouble::DoorStuckInside,
            ..
        }
    ));
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
    assert!(
        bench
            .cabinet
            .ledger()
            .alarms
            .iter()
            .all(|standing| standing.alarm != Alarm::DoorJammed)
    );
}

#[test]
fn a_board_that_says_no_is_asked_about_at_once() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    let Some(Effect::Unlock { unlock, .. }) = bench.effects.last().cloned() else {
        panic!()
    };
    bench.input(Input::UnlockAnswered {
        unlock,
        outcome: UnlockOutcome::NotSent,
    });
    assert!(matches!(bench.screen(), Screen::IsDoorOpen(_)));
    assert_eq!(bench.happened("unlock-failed"), 1);
}

#[test]
fn a_lock_that_rests_is_pulsed_by_itself_and_the_wait_counts_as_no_pulse() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    for _ in 0..5 {
        let Some(Effect::Unlock { unlock, .. }) = bench.effects.last().cloned() else {
            panic!()
        };
        let until = Monotonic::from_millis(bench.now + 9_000);
        bench.input(Input::UnlockAnswered {
            unlock,
            outcome: UnlockOutcome::Resting { until },
        });
        assert!(matches!(bench.screen(), Screen::LockResting(_)));
        assert_eq!(bench.cabinet.view().until, Some(until));
        bench.wait(9_000);
        assert!(
            matches!(bench.screen(), Screen::Opening(_)),
            "pulsed again by itself"
        );
    }
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("dropped-off"), 1);
}

#[test]
fn a_dead_sensor_does_not_stop_a_person() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    bench.wait(4_000);
    bench.tap(Action::DoorIsOpen { open: true });
    bench.tap(Action::DoorIsClosed);
    bench.tap(Action::Yes);
    assert!(matches!(bench.screen(), Screen::Receipt { .. }));
    assert_eq!(bench.happened("dropped-off"), 1);
    assert!(
        bench.cabinet.ledger().compartments[&CompartmentId(1)]
            .doubt
            .is_some(),
        "somebody will look"
    );
}

#[test]
fn a_door_left_open_frees_the_screen_and_stays_in_doubt() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.tap(Action::Accept { reachable: false });
    bench.door(CompartmentId(1), true);
    bench.wait(20_000);
    assert!(matches!(bench.screen(), Screen::DoorOpen { reminder: 1, .. }));
    bench.wait(20_000);
    assert!(matches!(bench.screen(), Screen::DoorOpen { reminder: 2, .. }));
    bench.wait(80_000);
    let left_open = |screen| {
        matches!(
            screen,
            Screen::Sorry {
                trouble: Trouble::DoorLeftOpen,
                ..
            }
        )
    };
    assert!(left_open(bench.screen()), "{:?}", bench.screen());
    bench.wait(30_000);
    assert!(matches!(bench.screen(), Screen::Home { .. }));
    assert_eq!(
        (bench.happened("door-left-open"), bench.happened("unconfirmed")),
        (1, 1)
    );
    bench.wait(450_000);
    assert!(
        bench
            .cabinet
            .ledger()
            .alarms
            .iter()
            .any(|standing| standing.alarm == Alarm::DoorOpen)
    );
    bench.door(CompartmentId(1), false);
    assert!(bench.cabinet.ledger().visits.is_empty());
    assert!(bench.cabinet.ledger().alarms.is_empty());
    bench.drop_off("p-2");
}

#[test]
fn no_pulse_is_repeated_by_a_restart() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    let pulses = bench.pulses().len();
    bench.crash();
    assert_eq!(bench.pulses().len(), pulses);
    assert_eq!(bench.happened("unlock-interrupted"), 1);
    assert_eq!(
        bench.cabinet.ledger().compartments[&CompartmentId(1)].doubt,
        Some(DoubtReason::Interrupted)
    );
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1, "the code still works");
}

#[test]
fn a_restart_before_any_pulse_leaves_nothing_in_doubt() {
    let mut bench = Bench::new();
    at_slip(&mut bench);
    bench.crash();
    assert_eq!(bench.happened("unconfirmed"), 0);
    assert!(bench.cabinet.ledger().visits.is_empty());
}

#[test]
fn a_placing_cut_off_by_a_restart_gets_its_code_when_a_courier_has_looked() {
    let mut bench = Bench::new();
    bench.admit("wang");
    bench.tap(Action::StartPlacing);
    bench.scan("PERMIT-1");
    bench.open_and_close();
    bench.crash();
    bench.admit("wang");
    bench.tap(Action::StartInspection);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Inside);
    assert_eq!(bench.happened("placed"), 1);
    bench.tap(Action::EndRound);
    bench.tap(Action::Done);
    let code = bench.last_code();
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
}

#[test]
fn a_lost_boards_compartments_are_not_offered() {
    let mut bench = Bench::new();
    bench.input(Input::BoardLost { board: BoardId(1) });
    assert!(matches!(
        bench.screen(),
        Screen::Home {
            drop_offs: DropOffs::Closed { .. }
        }
    ));
    bench.input(Input::BoardFound { board: BoardId(1) });
    bench.input(Input::DoorRead {
        compartment: CompartmentId(1),
        open: false,
        first: true,
    });
    assert!(matches!(
        bench.screen(),
        Screen::Home {
            drop_offs: DropOffs::Open
        }
    ));
    assert_eq!(bench.happened("door-forced"), 0);
}

#[test]
fn a_full_disk_refuses_drop_offs_but_not_collections() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.input(Input::SpaceChanged(Space::Reserve));
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    assert!(matches!(bench.screen(), Screen::ScanProblem(_)));
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
}

fn stands(bench: &Bench, alarm: Alarm) -> bool {
    let alarms = &bench.cabinet.ledger().alarms;
    alarms.iter().any(|standing| standing.alarm == alarm)
}

#[test]
fn a_clock_that_cannot_be_believed_is_an_alarm_until_it_can() {
    let mut bench = Bench::new();
    assert!(!stands(&bench, Alarm::ClockUntrusted));
    bench.trusted = false;
    bench.input(Input::DeadlineReached);
    assert!(stands(&bench, Alarm::ClockUntrusted));
    bench.input(Input::DeadlineReached);
    assert_eq!(bench.happened("alarm-raised"), 1);
    bench.trusted = true;
    bench.input(Input::DeadlineReached);
    assert!(!stands(&bench, Alarm::ClockUntrusted));
}

#[test]
fn a_cabinet_without_room_is_an_alarm_until_something_is_taken_out() {
    let mut bench = Bench::new();
    let slips: Vec<String> = (1..=6)
        .map(|number| bench.drop_off(&format!("p-{number}")).0)
        .collect();
    assert_eq!(slips.len(), 6);
    assert!(stands(&bench, Alarm::CabinetFull));
    bench.admit("wang");
    bench.tap(Action::StartClearing);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert!(!stands(&bench, Alarm::CabinetFull));
}

#[test]
fn what_boards_tell_of_the_case_the_power_and_their_addresses_stands_as_alarms() {
    use office_protocol::event::TamperSource;
    let mut bench = Bench::new();
    let stands = |bench: &Bench, alarm| {
        let state = bench.cabinet.state();
        state.alarms.iter().any(|standing| standing.alarm == alarm)
    };
    bench.input(Input::Tampered {
        source: TamperSource::Contact,
    });
    bench.admit("wang");
    bench.tap(Action::Done);
    assert!(stands(&bench, Alarm::Tampered), "a courier is not asked to look");
    bench.admit("li");
    bench.tap(Action::Done);
    assert!(!stands(&bench, Alarm::Tampered), "a technician was there");

    bench.input(Input::PowerChanged { mains: true });
    assert_eq!(bench.happened("power-changed"), 0, "as it should be: no news");
    bench.input(Input::PowerChanged { mains: false });
    bench.input(Input::PowerChanged { mains: false });
    assert_eq!(bench.happened("power-changed"), 1);
    assert_eq!(bench.cabinet.state().mains, Some(false));
    assert!(stands(&bench, Alarm::OnBattery));
    bench.crash();
    bench.input(Input::PowerChanged { mains: true });
    assert!(!stands(&bench, Alarm::OnBattery), "also after a restart");

    let board = BoardId(1);
    bench.input(Input::AddressShared {
        board,
        port: "locks".parse().unwrap(),
        address: 3,
    });
    assert_eq!(bench.happened("address-shared"), 1);
    assert!(stands(&bench, Alarm::AddressShared) && bench.cabinet.state().boards[0].shared);
    bench.input(Input::AddressAlone { board });
    assert!(!stands(&bench, Alarm::AddressShared) && !bench.cabinet.state().boards[0].shared);

    bench.input(Input::ItemRead {
        compartment: CompartmentId(1),
        present: true,
    });
    assert_eq!(bench.cabinet.state().compartments[0].item, Some(true));
    bench.input(Input::BoardLost { board });
    assert_eq!(bench.cabinet.state().compartments[0].item, None);
}

#[test]
fn a_board_that_refuses_and_a_wrong_echo_setting_are_told() {
    let mut bench = Bench::new();
    let (board, why) = (BoardId(1), BoardRefusal::UnknownKey);
    bench.input(Input::BoardLost { board });
    bench.input(Input::BoardRefused { board, why });
    assert_eq!(bench.cabinet.state().boards[0].refusal, Some(why));
    bench.input(Input::BoardFound { board });
    assert_eq!(bench.cabinet.state().boards[0].refusal, None);

    let port: PortName = "locks".parse().unwrap();
    bench.input(Input::EchoWrong {
        port: port.clone(),
        echoes: true,
    });
    assert!(stands(&bench, Alarm::EchoWrong));
    bench.input(Input::EchoRight { port });
    assert!(!stands(&bench, Alarm::EchoWrong));
}

#[test]
fn an_item_that_nobody_put_in_is_told_and_its_compartment_is_offered_last() {
    let mut bench = Bench::new();
    let small = Wish {
        size: Size::Small,
        reachable: false,
    };
    let seen = |number| Input::ItemRead {
        compartment: CompartmentId(number),
        present: true,
    };
    let told = |bench: &Bench, number| {
        let alarm = StandingAlarm {
            alarm: Alarm::ItemUnexpected,
            compartment: Some(CompartmentId(number)),
        };
        bench.cabinet.ledger().alarms.contains(&alarm)
    };
    assert_eq!(bench.cabinet.choose(small), Some(CompartmentId(1)));
    bench.input(seen(1));
    assert_eq!(bench.cabinet.choose(small), Some(CompartmentId(2)));
    assert!(!told(&bench, 1), "a sensor may lag behind a door");
    bench.wait(5_000);
    bench.input(Input::DeadlineReached);
    assert!(told(&bench, 1));
    bench.admit("li");
    bench.tap(Action::StartInspection);
    assert!(
        matches!(bench.screen(), Screen::Compartments { rows, .. } if rows[0].unexpected && !rows[1].unexpected)
    );
    bench.tap(Action::Done);
    bench.tap(Action::Done);
    for number in 2..=6 {
        bench.input(seen(number));
    }
    assert_eq!(
        bench.cabinet.choose(small),
        Some(CompartmentId(1)),
        "the next person is served all the same"
    );
    bench.drop_off("p-1");
    assert!(!told(&bench, 1), "somebody was there");
}
