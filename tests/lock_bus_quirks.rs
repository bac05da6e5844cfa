//! The bus master with boards that differ from most of their family, in memory with virtual time: what they say is written in bytes, so
//! that no mistake of our codec can be theirs as well.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use firmware_protocol::Family;
use hardware::{BoardSettings, Hand, Quirk};
use lockerd::boards::master::Life;
use lockerd::cabinet::vocabulary::{Input, UnlockOutcome};

mod lock_bus_rig;

use lock_bus_rig::{Rig, board, line};

/// One board with eight locks and this quirk, all doors read once and that forgotten.
fn rig(family: Family, quirk: Quirk) -> Rig {
    let quirky = BoardSettings {
        quirk: Some(quirk),
        ..board(family, 0)
    };
    let mut rig = Rig::new(&[vec![quirky]]);
    rig.run(3000);
    rig.reports.clear();
    rig
}

/// Whether any door was read as open.
fn opened(rig: &Rig) -> bool {
    rig.doors().iter().any(|(_, open, _)| *open)
}

#[test]
fn every_quirk_is_tried_here_in_each_family_that_has_it() {
    for (name, quirk) in Quirk::ALL {
        for family in quirk.families() {
            let mut rig = rig(*family, quirk);
            rig.unlock(103, 1);
            rig.run(3000);
            let what = format!("{} {name}: {:?}", family.name(), rig.outcomes());
            assert_eq!(rig.outcomes().len(), 1, "{what}");
            let pulsed = rig.pulses() == 1;
            assert_eq!(
                pulsed,
                opened(&rig),
                "a door is open where a lock was pulsed: {what}"
            );
            let refuses = matches!(quirk, Quirk::Refusing | Quirk::Failing);
            assert_eq!(pulsed, !refuses, "{what}");
            let bus = rig.master.view();
            assert_eq!(bus.boards[0].life, Life::Healthy, "{what}");
            assert_eq!(bus.boards[0].statistics.garbled, 0, "{what}");
        }
    }
}

#[test]
fn a_lock_that_the_board_refuses_to_open_is_no_open_door() {
    for (family, outcome) in [
        // A failure in so many words.
        (Family::Wkly, UnlockOutcome::Refused),
        (Family::ModbusRelay, UnlockOutcome::Refused),
        // "Not opened" is also what a board says whose door has not moved yet: the readings that follow decide.
        (Family::Shuoming, UnlockOutcome::Acknowledged),
        (Family::Kecheng, UnlockOutcome::Acknowledged),
    ] {
        let quirk = match family {
            Family::ModbusRelay => Quirk::Failing,
            _ => Quirk::Refusing,
        };
        let name = family.name();
        let mut rig = rig(family, quirk);
        let answered = rig.master.view().boards[0].statistics.answered;
        rig.unlock(103, 1);
        rig.run(4000);
        assert_eq!(rig.outcomes(), [(1, outcome)], "{name}");
        assert_eq!((rig.pulses(), opened(&rig)), (0, false), "{name}");
        let statistics = rig.master.view().boards[0].statistics;
        assert!(statistics.answered > answered, "{name}: {statistics:?}");
        assert_eq!(statistics.unanswered, 0, "{name}: {statistics:?}");
    }
}

#[test]
fn an_exception_to_a_relay_that_is_not_there_refuses_and_opens_nothing() {
    // Settings say eight locks; the board has four relays, and inputs for all eight doors.
    let mut rig = rig(Family::ModbusRelay, Quirk::Exceptional);
    let relays = BoardSettings {
        channels: 4,
        ..rig.boards[0].1
    };
    rig.lines[0] = line(Family::ModbusRelay, &[relays]);
    rig.unlock(107, 1);
    rig.run(1000);
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Refused)]);
    assert_eq!((rig.pulses(), opened(&rig)), (0, false));
}

#[test]
fn exceptions_instead_of_readings_are_garbage_and_make_no_door() {
    let quirky = BoardSettings {
        quirk: Some(Quirk::Exceptional),
        ..board(Family::ModbusRelay, 0)
    };
    let mut rig = Rig::new(&[vec![quirky]]);
    let fewer = BoardSettings {
        channels: 4,
        ..quirky
    };
    rig.lines[0] = line(Family::ModbusRelay, &[fewer]); // the first word was to the other
    rig.run(20_000);
    let view = rig.master.view();
    let statistics = view.boards[0].statistics;
    assert_eq!(rig.doors(), [], "nothing is known of any door");
    assert!(
        statistics.garbled > 3 && statistics.unanswered == 1,
        "{statistics:?}"
    );
    assert_eq!(view.boards[0].life, Life::Quarantined);
    let lost = |report: &Input| matches!(report, Input::BoardLost { .. });
    assert!(rig.reports.iter().any(lost), "and it is said");
    assert_eq!(rig.shared(), [], "one board that says the same again is not two");
    // A word that it does understand it still obeys.
    rig.unlock(102, 1);
    rig.run(3000);
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Acknowledged)]);
    assert_eq!((rig.pulses(), opened(&rig)), (1, false));
}

#[test]
fn three_bytes_of_a_cu24_are_all_of_its_doors_and_none_of_a_larger_board() {
    let mut rig = rig(Family::Cu48, Quirk::Short);
    assert!(rig.hand(1, 2, Hand::Force) && rig.hand(1, 8, Hand::Force));
    rig.run(2000);
    assert_eq!(rig.doors(), [(102, true, false), (108, true, false)]);
    // Where the settings say more than 24 locks, three bytes are too few.
    let large = BoardSettings {
        channels: 32,
        quirk: Some(Quirk::Short),
        ..board(Family::Cu48, 0)
    };
    let mut rig = Rig::new(&[vec![large]]);
    rig.run(20_000);
    assert_eq!((rig.doors(), rig.shared()), (vec![], vec![]));
    let board = rig.master.view().boards[0];
    assert!(
        board.statistics.garbled > 0 && board.life == Life::Quarantined,
        "{board:?}"
    );
}

#[test]
fn an_answer_that_names_only_the_lock_leaves_the_door_to_its_reading() {
    for family in [Family::Dingchang12, Family::Dingchang24] {
        let mut rig = rig(family, Quirk::Terse);
        rig.unlock(105, 1);
        rig.run(3000);
        assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Acknowledged)]);
        assert_eq!(rig.doors(), [(105, true, false)], "{}", family.name());
    }
}
