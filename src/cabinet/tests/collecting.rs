//! Collection, codes, passes and the guard.

use office_protocol::event::{Complaint, PassRefusal};

use super::super::screen::{Done, ScanProblem};
use super::*;

#[test]
fn the_qr_code_opens_its_door_and_nothing_after_the_collection() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Reopen);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(
        bench.screen(),
        Screen::Done {
            done: Done::Collected,
            more: 0
        }
    );
    let pulses = bench.pulses().len();
    bench.scan(&code.qr);
    assert_eq!(bench.screen(), Screen::ScanProblem(ScanProblem::AlreadyCollected));
    bench.tap(Action::Back);
    bench.tap(Action::StartCollection);
    bench.digits(&code.digits);
    assert!(matches!(bench.screen(), Screen::EnterDigits { wrong: true, .. }));
    assert_eq!(bench.pulses().len(), pulses);
}

#[test]
fn one_code_opens_all_of_a_persons_consignments_door_by_door() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.place("PERMIT-2");
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(
        bench.screen(),
        Screen::Done {
            done: Done::Collected,
            more: 1
        }
    );
    bench.tap(Action::Next);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 2);
}

#[test]
fn wrong_digits_slow_down_but_never_lock_out() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.tap(Action::StartCollection);
    for _ in 0..5 {
        bench.digits("00000000");
    }
    assert!(matches!(
        bench.screen(),
        Screen::EnterDigits {
            wait_until: Some(_),
            ..
        }
    ));
    bench.digits(&code.digits);
    assert!(bench.pulses().len() == 1, "nothing is looked at during the wait");
    for _ in 0..5 {
        bench.wait(60_000);
        bench.digits("00000000");
    }
    assert!(
        matches!(bench.screen(), Screen::EnterDigits { length: 12, .. }),
        "{:?}",
        bench.screen()
    );
    bench.wait(59_000);
    bench.tap(Action::Back);
    bench.wait(2_000);
    bench.tap(Action::StartCollection);
    bench.digits(&format!("{}{}", code.digits, code.spare));
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
    assert_eq!(
        bench.cabinet.ledger().tries.count,
        10,
        "a success does not reset the guard"
    );
}

#[test]
fn tries_survive_a_restart_and_halve_with_the_days() {
    let mut bench = Bench::new();
    bench.tap(Action::StartCollection);
    for _ in 0..5 {
        bench.digits("00000000");
    }
    bench.crash();
    assert_eq!(bench.cabinet.ledger().tries.count, 5);
    bench.tap(Action::StartCollection);
    assert!(
        matches!(
            bench.screen(),
            Screen::EnterDigits {
                wait_until: Some(_),
                ..
            }
        ),
        "the wait begins anew"
    );
    bench.now += 86_400_000;
    bench.input(Input::DeadlineReached);
    assert_eq!(bench.cabinet.ledger().tries.count, 2);
}

#[test]
fn a_newer_collection_pass_kills_the_code_and_older_passes() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    let pass = |name, generation| {
        let kind = PassKind::Collection {
            consignment: "PERMIT-1".parse().unwrap(),
            generation,
        };
        Bench::pass(name, kind)
    };
    bench.scan(&pass("c-2", 2));
    bench.open_and_close();
    bench.tap(Action::Complain {
        complaint: Complaint::Wrong,
    });
    bench.tap(Action::Done);
    bench.scan(&code.qr);
    assert_eq!(bench.screen(), Screen::ScanProblem(ScanProblem::UnknownCode));
    bench.scan(&pass("c-1", 1));
    assert_eq!(
        bench.screen(),
        Screen::ScanProblem(ScanProblem::Pass(PassRefusal::Superseded))
    );
}

#[test]
fn nobody_who_forges_or_mistakes_a_code_opens_anything() {
    let mut bench = Bench::new();
    let scan = |bench: &mut Bench, text: &str| {
        bench.scan(text);
        let Screen::ScanProblem(problem) = bench.screen() else {
            panic!("{:?}", bench.screen())
        };
        problem
    };
    let forged = Pass {
        id: "x".parse().unwrap(),
        not_before: Timestamp::from_millis(0),
        expires: Timestamp::MAX,
        scope: Scope::Anywhere,
        kind: PassKind::Courier {
            staff: "wang".parse().unwrap(),
        },
    };
    let elsewhere = "LP1:PORT-9:0123456789ABCDEFGHJKMNPQRS";
    let unknown = "LP1:PORT-7:0123456789ABCDEFGHJKMNPQRS";
    let text = forged.sign(&SigningKey::from_secret(&[66; 32]));
    assert_eq!(scan(&mut bench, &text), ScanProblem::Pass(PassRefusal::Forged));
    assert_eq!(
        scan(&mut bench, elsewhere),
        ScanProblem::Elsewhere(vec!["PORT-9".parse().unwrap()])
    );
    assert_eq!(scan(&mut bench, unknown), ScanProblem::UnknownCode);
    assert_eq!(scan(&mut bench, "\u{1}noise\u{7f}"), ScanProblem::NotOurs);
    assert_eq!(scan(&mut bench, "LK1:"), ScanProblem::Unreadable);
    let expired = Pass {
        expires: Timestamp::from_millis(1_750_000_000_000),
        ..forged.clone()
    };
    assert_eq!(
        scan(&mut bench, &expired.sign(&office())),
        ScanProblem::Pass(PassRefusal::Expired)
    );
    let early = Pass {
        not_before: Timestamp::from_millis(1_900_000_000_000),
        ..forged.clone()
    };
    assert_eq!(
        scan(&mut bench, &early.sign(&office())),
        ScanProblem::Pass(PassRefusal::TooEarly)
    );
    let away = Pass {
        scope: Scope::Cabinets(vec!["PORT-9".parse().unwrap()]),
        ..forged.clone()
    };
    assert_eq!(
        scan(&mut bench, &away.sign(&office())),
        ScanProblem::Elsewhere(vec!["PORT-9".parse().unwrap()])
    );
    let another_district = Pass {
        scope: Scope::District("north".into()),
        ..forged
    };
    assert_eq!(
        scan(&mut bench, &another_district.sign(&office())),
        ScanProblem::Pass(PassRefusal::Elsewhere)
    );
    assert!(bench.pulses().is_empty());
}

#[test]
fn a_stale_tap_changes_nothing() {
    let mut bench = Bench::new();
    let View {
        session, revision, ..
    } = bench.view();
    bench.tap(Action::StartCollection);
    let before = bench.screen();
    bench.input(Input::Tapped(Tap {
        session,
        revision,
        action: Action::StartDropOff,
    }));
    assert_eq!(bench.screen(), before);
}

#[test]
fn an_empty_compartment_is_disputed_and_stays_in_doubt() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    let door = bench.open_and_close();
    bench.tap(Action::Complain {
        complaint: Complaint::Empty,
    });
    assert_eq!(
        bench.screen(),
        Screen::Done {
            done: Done::ComplaintNoted,
            more: 0
        }
    );
    assert_eq!(bench.happened("disputed"), 1);
    assert!(bench.cabinet.ledger().compartments[&door].doubt.is_some());
}

#[test]
fn who_walks_away_after_closing_has_collected() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.wait(121_000);
    assert_eq!(bench.happened("collected"), 1);
    assert!(matches!(bench.screen(), Screen::Home { .. }));
}

#[test]
fn codes_work_while_the_clock_cannot_be_believed() {
    let mut bench = Bench::new();
    let code = bench.place("PERMIT-1");
    bench.trusted = false;
    bench.scan(&code.qr);
    bench.open_and_close();
    bench.tap(Action::Yes);
    assert_eq!(bench.happened("collected"), 1);
}
