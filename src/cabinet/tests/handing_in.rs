//! Drop-off and take-back.

use office_protocol::event::{MoveReason, PassRefusal, SecondFactorKind};

use super::super::screen::{Done, DropOffs, Notice, ScanProblem, Trouble};
use super::*;

#[test]
fn a_pass_leads_to_a_receipt_and_is_used_up() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    assert_eq!(bench.happened("dropped-off"), 1);
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    assert_eq!(
        bench.screen(),
        Screen::ScanProblem(ScanProblem::Pass(PassRefusal::Used))
    );
}

#[test]
fn the_slip_is_shown_before_the_door_opens() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
    assert!(matches!(bench.screen(), Screen::Slip { .. }));
    assert!(bench.pulses().is_empty());
    bench.tap(Action::Back);
    assert_eq!(bench.kinds().last(), Some(&"visit-settled"));
    assert!(
        bench.cabinet.ledger().used_passes.is_empty(),
        "nothing was put in, the pass still counts"
    );
}

#[test]
fn what_opens_something_is_no_envelope_and_is_not_written_down() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
    bench.tap(Action::Accept { reachable: false });
    let compartment = *bench.pulses().last().unwrap();
    bench.door(compartment, true);
    let board = "LB1:53455249414c3031:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let secrets = [board, "badge li", "LP1:PORT-7:0123456789ABCDEFGHJKMNPQRS"];
    for secret in secrets {
        bench.scan(secret);
        assert!(
            matches!(bench.screen(), Screen::DoorOpen { envelope: false, .. }),
            "{secret}"
        );
    }
    bench.scan("SF1234567890");
    assert!(matches!(bench.screen(), Screen::DoorOpen { envelope: true, .. }));
    bench.door(compartment, false);
    bench.tap(Action::Yes);
    let events = format!("{:?}", bench.events);
    assert!(events.contains("SF1234567890"));
    for secret in secrets {
        assert!(!events.contains(secret), "{secret}");
    }
}

#[test]
fn every_pulse_is_recorded_before_it_is_sent() {
    let mut bench = Bench::new();
    bench.drop_off("p-1");
    let begun = bench
        .events
        .iter()
        .filter(|event| matches!(event.body, EventBody::UnlockBegun { .. }));
    let begun: Vec<Seq> = begun.map(|event| event.seq).collect();
    let sent = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Unlock { unlock, .. } => Some(*unlock),
        _ => None,
    });
    let sent: Vec<Seq> = sent.collect();
    assert_eq!(begun, sent);
}

#[test]
fn without_a_pass_a_phone_number_is_typed_twice_and_leaves_sealed() {
    let mut bench = Bench::new();
    bench.tap(Action::StartDropOff);
    bench.tap(Action::ChooseItem {
        item: "birth".parse().unwrap(),
    });
    let phone = |phone: &str| Action::Phone { phone: phone.into() };
    bench.tap(phone("13812345678"));
    bench.tap(phone("13812345679"));
    assert_eq!(
        bench.screen(),
        Screen::EnterPhone {
            again: false,
            mismatch: true
        }
    );
    bench.tap(phone("13812345678"));
    bench.tap(phone("13812345678"));
    bench.tap(Action::Accept { reachable: false });
    assert!(matches!(
        bench.screen(),
        Screen::Slip {
            second: SecondFactorKind::Phone,
            ..
        }
    ));
    let personal = bench.sealed.last().unwrap().open(&opening(), &id()).unwrap();
    assert_eq!(personal.phone.as_deref(), Some("13812345678"));
    let journal: String = bench
        .events
        .iter()
        .map(|event| String::from_utf8(event.to_bytes()).unwrap())
        .collect();
    assert!(!journal.contains("1381234"), "no phone number in clear");
}

#[test]
fn only_so_many_drop_offs_without_a_pass_may_be_inside() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.tap(Action::StartDropOff);
        bench.tap(Action::ChooseItem {
            item: "birth".parse().unwrap(),
        });
        bench.tap(Action::SkipPhone);
        bench.tap(Action::Accept { reachable: false });
        bench.tap(Action::Accept { reachable: false });
        bench.open_and_close();
        bench.tap(Action::Yes);
        bench.tap(Action::Done);
    }
    bench.tap(Action::StartDropOff);
    assert_eq!(
        bench.screen(),
        Screen::Sorry {
            trouble: Trouble::TooManyUnverified,
            work: None
        }
    );
}

#[test]
fn another_door_is_given_and_the_bad_one_taken_out_of_service() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
    bench.tap(Action::Accept { reachable: false });
    bench.door(CompartmentId(1), true);
    bench.tap(Action::AnotherDoor {
        reason: MoveReason::Occupied,
    });
    assert_eq!(bench.pulses(), [CompartmentId(1), CompartmentId(2)]);
    let open = Notice::StandsOpen(CompartmentId(1));
    assert!(
        bench.view().notices.contains(&open),
        "close the first door as well"
    );
    bench.door(CompartmentId(1), false);
    assert!(!bench.view().notices.contains(&open));
    bench.door(CompartmentId(2), true);
    bench.tap(Action::AnotherDoor {
        reason: MoveReason::TooSmall,
    });
    assert_eq!(bench.pulses().last(), Some(&CompartmentId(3)));
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("visit-moved"), 2);
    assert_eq!(bench.happened("door-forced"), 0);
    assert!(
        bench.cabinet.ledger().compartments[&CompartmentId(1)]
            .withdrawn
            .is_some()
    );
}

#[test]
fn a_pass_for_two_compartments_fills_two() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-2", 2));
    for more in [1, 0] {
        bench.tap(Action::Accept { reachable: false });
        bench.tap(Action::Accept { reachable: false });
        bench.open_and_close();
        bench.tap(Action::Yes);
        assert!(
            matches!(bench.screen(), Screen::Receipt { more: left, .. } if left == more),
            "{:?}",
            bench.screen()
        );
        bench.tap(Action::Another);
    }
    assert_eq!(bench.happened("dropped-off"), 2);
    assert_eq!(bench.happened("pass-used"), 1);
}

#[test]
fn taken_out_again_before_the_answer_nothing_is_received() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
    bench.tap(Action::Accept { reachable: false });
    bench.open_and_close();
    bench.tap(Action::No);
    assert_eq!(
        bench.screen(),
        Screen::Done {
            done: Done::NothingPutIn,
            more: 0
        }
    );
    assert!(bench.cabinet.ledger().consignments.is_empty());
}

#[test]
fn unanswered_means_unconfirmed_and_the_pass_is_used() {
    let mut bench = Bench::new();
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.tap(Action::Accept { reachable: false });
    bench.tap(Action::Accept { reachable: false });
    bench.open_and_close();
    bench.wait(60_000);
    assert_eq!(bench.screen(), Screen::MoreTime);
    bench.wait(31_000);
    assert!(matches!(bench.screen(), Screen::Home { .. }));
    assert_eq!(bench.happened("unconfirmed"), 1);
    assert_eq!(bench.happened("pass-used"), 1);
    assert!(
        bench.cabinet.ledger().compartments[&CompartmentId(1)]
            .doubt
            .is_some()
    );
}

#[test]
fn a_slip_and_its_pass_take_the_consignment_back() {
    let mut bench = Bench::new();
    let (qr, _) = bench.drop_off("p-1");
    bench.scan(&qr);
    assert!(matches!(
        bench.screen(),
        Screen::EnterSecondFactor {
            kind: SecondFactorKind::Pass,
            ..
        }
    ));
    bench.scan(&Bench::drop_off_pass("p-other", 1));
    assert!(matches!(
        bench.screen(),
        Screen::EnterSecondFactor { wrong: true, .. }
    ));
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("taken-back"), 1);
    assert!(bench.cabinet.ledger().consignments.is_empty());
}

#[test]
fn a_full_cabinet_says_so_before_anybody_identifies() {
    let mut bench = Bench::new();
    for number in 0..6 {
        assert!(matches!(
            bench.screen(),
            Screen::Home {
                drop_offs: DropOffs::Open
            }
        ));
        bench.drop_off(&format!("p-{number}"));
    }
    assert!(matches!(
        bench.screen(),
        Screen::Home {
            drop_offs: DropOffs::Closed { .. }
        }
    ));
    bench.scan(&Bench::drop_off_pass("p-9", 1));
    assert_eq!(bench.screen(), Screen::ScanProblem(ScanProblem::NoRoom));
}
