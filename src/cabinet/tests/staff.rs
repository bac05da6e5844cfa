//! Couriers and technicians.

use office_protocol::event::{Complaint, VisitPurpose, WithdrawReason};

use super::*;

#[test]
fn a_wrong_pin_admits_nobody() {
    let mut bench = Bench::new();
    bench.scan("badge wang");
    bench.digits("0000");
    assert!(matches!(bench.screen(), Screen::EnterPin { wrong: true, .. }));
    assert_eq!(bench.cabinet.ledger().tries.count, 1);
}

#[test]
fn a_courier_clears_what_was_dropped_off() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    bench.drop_off("p-2");
    bench.admit("wang");
    bench.tap(Action::StartClearing);
    for left in [2, 1] {
        assert!(matches!(bench.screen(), Screen::Round { rows, .. } if rows.len() == left));
        bench.tap(Action::OpenNext);
        bench.open_and_close();
        bench.tap(Action::Yes);
    }
    assert_eq!(bench.happened("cleared"), 2);
    assert!(bench.cabinet.ledger().consignments.is_empty());
}

#[test]
fn the_last_placing_can_be_undone_until_the_next_begins() {
    let mut bench = Bench::new();
    bench.admit("wang");
    bench.tap(Action::StartPlacing);
    bench.scan("PERMIT-1");
    bench.open_and_close();
    assert_eq!(bench.happened("placed"), 0, "no code before the next one starts");
    bench.tap(Action::UndoLast);
    bench.open_and_close();
    bench.tap(Action::No);
    assert!(bench.cabinet.ledger().visits.is_empty());
    bench.scan("PERMIT-1");
    bench.open_and_close();
    bench.scan("PERMIT-2");
    assert_eq!(bench.happened("placed"), 1);
    bench.open_and_close();
    bench.tap(Action::EndRound);
    assert_eq!(bench.happened("placed"), 2);
}

#[test]
fn an_unknown_label_is_taken_as_it_is() {
    let mut bench = Bench::new();
    bench.admit("wang");
    bench.tap(Action::StartPlacing);
    bench.scan("UNKNOWN-1");
    bench.tap(Action::ChooseSize { size: Size::Large });
    assert_eq!(bench.open_and_close(), CompartmentId(5));
    bench.tap(Action::EndRound);
    assert!(matches!(
        &bench.events.last().unwrap().body,
        EventBody::VisitSettled { .. }
    ));
    assert_eq!(bench.happened("placed"), 1);
}

#[test]
fn what_is_overdue_is_recalled_and_its_code_works_until_then() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.input(Input::Acknowledged {
        tip: bench.cabinet.ledger().tip,
    });
    assert_eq!(bench.happened("hold-started"), 1);
    bench.admit("wang");
    bench.tap(Action::StartRecall);
    assert!(
        matches!(bench.screen(), Screen::Round { rows, .. } if rows.is_empty()),
        "not yet"
    );
    bench.tap(Action::EndRound);
    bench.tap(Action::Done);
    bench.now += 8 * 86_400_000;
    bench.admit("wang");
    bench.tap(Action::StartRecall);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("recalled"), 1);
    bench.tap(Action::EndRound);
    bench.tap(Action::Done);
    bench.scan(&code.qr);
    assert!(matches!(bench.screen(), Screen::ScanProblem(_)));
}

#[test]
fn looking_into_a_doubt_resolves_it() {
    let mut bench = Bench::new();
    bench.place("PERMIT-1");
    bench.door(CompartmentId(1), true);
    assert_eq!(bench.happened("door-forced"), 1);
    bench.door(CompartmentId(1), false);
    bench.admit("wang");
    bench.tap(Action::StartInspection);
    assert!(
        matches!(bench.screen(), Screen::Round { purpose: VisitPurpose::Inspection, rows, .. } if rows.len() == 1)
    );
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Inside);
    assert!(
        bench.cabinet.ledger().compartments[&CompartmentId(1)]
            .doubt
            .is_none()
    );
    assert_eq!(bench.cabinet.ledger().consignments.len(), 1);
}

#[test]
fn a_technician_takes_compartments_out_of_service_and_opens_empty_ones_only() {
    let mut bench = Bench::new();
    bench.place("PERMIT-1");
    bench.admit("li");
    bench.tap(Action::StartClearing);
    assert!(
        matches!(bench.screen(), Screen::StaffHome { .. }),
        "not a technician's work"
    );
    bench.tap(Action::StartInspection);
    let pulses = bench.pulses().len();
    bench.tap(Action::OpenThis {
        compartment: CompartmentId(1),
    });
    assert_eq!(bench.pulses().len(), pulses, "somebody's documents are inside");
    bench.tap(Action::Withdraw {
        compartment: CompartmentId(2),
        reason: WithdrawReason::Broken,
    });
    bench.tap(Action::OpenThis {
        compartment: CompartmentId(2),
    });
    bench.open_and_close();
    bench.tap(Action::Empty);
    bench.tap(Action::ReturnToService {
        compartment: CompartmentId(2),
    });
    assert_eq!(bench.happened("compartment-returned"), 1);
    assert!(matches!(bench.screen(), Screen::Compartments { .. }));
}

#[test]
fn a_code_held_before_the_scanner_is_no_label() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.admit("wang");
    bench.tap(Action::StartLookUp);
    bench.scan(&code.qr);
    assert!(matches!(bench.screen(), Screen::LookUp { .. }));
    bench.tap(Action::Back);
    bench.tap(Action::StartPlacing);
    bench.scan(&code.qr);
    let unreadable = Some(super::super::screen::LabelProblem::Unreadable);
    assert!(matches!(bench.screen(), Screen::PlacingScan { refused, .. } if refused == unreadable));
}

#[test]
fn staff_look_up_what_happened_to_a_door_or_a_label_and_nobody_else_does() {
    use office_protocol::event::Subject;
    let mut bench = Bench::new();
    let about = Subject::Compartment(CompartmentId(3));
    bench.tap(Action::LookUp { about: about.clone() });
    bench.tap(Action::StartLookUp);
    assert!(matches!(bench.screen(), Screen::Home { .. }));
    bench.admit("wang");
    bench.tap(Action::StartLookUp);
    assert!(matches!(bench.screen(), Screen::LookUp { compartments } if compartments.len() == 6));
    bench.tap(Action::LookUp { about: about.clone() });
    assert_eq!(bench.screen(), Screen::History { about });
    bench.scan("PERMIT-1");
    let about = Subject::Consignment("PERMIT-1".parse().unwrap());
    assert_eq!(bench.screen(), Screen::History { about });
    bench.tap(Action::Back);
    assert!(matches!(bench.screen(), Screen::LookUp { .. }));
    bench.tap(Action::Back);
    assert!(matches!(bench.screen(), Screen::StaffHome { .. }));
}

/// A courier says of the next door of a round that something is wrong with it.
fn dispute(bench: &mut Bench, round: Action, complaint: Complaint) -> CompartmentId {
    bench.admit("wang");
    bench.tap(round);
    bench.tap(Action::OpenNext);
    let door = bench.open_and_close();
    bench.tap(Action::Complain { complaint });
    bench.tap(Action::EndRound);
    assert!(bench.cabinet.ledger().compartments[&door].doubt.is_some());
    door
}

/// Looks into the only compartment in doubt, and says what is inside.
fn look(bench: &mut Bench, answer: Action) {
    assert!(
        matches!(bench.screen(), Screen::StaffHome { unconfirmed: 1, .. }),
        "{:?}",
        bench.screen()
    );
    bench.tap(Action::StartInspection);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(answer);
    assert!(matches!(bench.screen(), Screen::Round { rows, .. } if rows.is_empty()));
}

#[test]
fn a_drop_off_that_a_courier_disputes_as_empty_is_settled_by_looking() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    let door = dispute(&mut bench, Action::StartClearing, Complaint::Empty);
    look(&mut bench, Action::Empty);
    let ledger = bench.cabinet.ledger();
    assert!(ledger.consignments.is_empty() && ledger.alarms.is_empty());
    assert!(ledger.compartments[&door].doubt.is_none() && ledger.compartments[&door].withdrawn.is_none());
}

#[test]
fn a_drop_off_disputed_as_foreign_leaves_a_compartment_that_a_technician_returns() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    let door = dispute(&mut bench, Action::StartClearing, Complaint::Foreign);
    look(&mut bench, Action::Foreign);
    let ledger = bench.cabinet.ledger();
    assert!(ledger.consignments.is_empty() && ledger.compartments[&door].doubt.is_none());
    assert_eq!(
        ledger.compartments[&door].withdrawn,
        Some(WithdrawReason::Occupied)
    );
}

#[test]
fn a_disputed_drop_off_that_is_inside_after_all_can_be_cleared_again() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    dispute(&mut bench, Action::StartClearing, Complaint::Empty);
    look(&mut bench, Action::Inside);
    bench.tap(Action::EndRound);
    bench.tap(Action::StartClearing);
    bench.tap(Action::OpenNext);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("cleared"), 1);
}

#[test]
fn a_collection_disputed_as_empty_is_settled_by_looking() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Complain {
        complaint: Complaint::Empty,
    });
    bench.tap(Action::Done);
    bench.admit("wang");
    look(&mut bench, Action::Empty);
    assert!(bench.cabinet.ledger().consignments.is_empty());
}
