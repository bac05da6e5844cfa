//! What the office may order, and what nobody else may.

use office_protocol::document::{DocumentRefusal, Policy, Revocations};
use office_protocol::event::{Alarm, PassRefusal, WithdrawReason};

use super::super::screen::ScanProblem;
use super::*;

fn command(bench: &Bench, number: u64, action: office_protocol::Action) -> Command {
    let now = Timestamp::from_millis(1_790_000_000_000 + i64::try_from(bench.now).unwrap());
    Command {
        number,
        start: bench.cabinet.ledger().start,
        issued: now,
        expires: now.plus_millis(30_000),
        operator: "chen".parse().unwrap(),
        action,
    }
}

fn send(bench: &mut Bench, command: &Command) {
    let signed = Signed::new(
        &office(),
        Purpose::Command,
        &id(),
        serde_json::to_vec(command).unwrap(),
    );
    bench.input(Input::CommandReceived(signed));
}

/// Signs a command that is good, and sends it.
pub(super) fn give(bench: &mut Bench, number: u64, action: office_protocol::Action) {
    let good = command(bench, number, action);
    send(bench, &good);
}

fn replies(bench: &Bench) -> Vec<Reply> {
    let reply = |effect: &Effect| match effect {
        Effect::Reply(reply) => Some(reply.clone()),
        _ => None,
    };
    bench.effects.iter().filter_map(reply).collect()
}

const OPEN: office_protocol::Action = office_protocol::Action::Open {
    compartment: CompartmentId(3),
};

#[test]
fn a_command_is_carried_out_once_and_answered_as_often_as_it_comes() {
    let mut bench = Bench::new();
    let open = command(&bench, 1, OPEN);
    send(&mut bench, &open);
    bench.door(CompartmentId(3), true);
    send(&mut bench, &open);
    assert_eq!(bench.pulses(), [CompartmentId(3)]);
    assert!(matches!(
        replies(&bench)[..],
        [
            Reply {
                outcome: CommandOutcome::Done,
                ..
            },
            Reply { number: 1, .. }
        ]
    ));
    bench.door(CompartmentId(3), false);
    assert!(bench.cabinet.ledger().visits.is_empty());
}

#[test]
fn stale_forged_misaddressed_and_too_many_commands_open_nothing() {
    let mut bench = Bench::new();
    let expired = Command {
        expires: Timestamp::from_millis(1_790_000_000_000),
        ..command(&bench, 1, OPEN)
    };
    send(&mut bench, &expired);
    let long_lived = Command {
        expires: expired.issued.plus_millis(60_000),
        ..command(&bench, 2, OPEN)
    };
    send(&mut bench, &long_lived);
    let other_start = Command {
        start: Start(99),
        ..command(&bench, 3, OPEN)
    };
    send(&mut bench, &other_start);
    let forged = Signed::new(
        &SigningKey::from_secret(&[66; 32]),
        Purpose::Command,
        &id(),
        serde_json::to_vec(&command(&bench, 4, OPEN)).unwrap(),
    );
    bench.input(Input::CommandReceived(forged));
    assert!(
        bench
            .cabinet
            .ledger()
            .alarms
            .iter()
            .any(|standing| standing.alarm == Alarm::Forgery)
    );
    bench.trusted = false;
    let untrusted = command(&bench, 5, OPEN);
    send(&mut bench, &untrusted);
    bench.trusted = true;
    assert!(bench.pulses().is_empty());
    for number in 10..20 {
        let open = command(&bench, number, OPEN);
        send(&mut bench, &open);
        bench.door(CompartmentId(3), true);
        bench.door(CompartmentId(3), false);
    }
    assert_eq!(bench.pulses().len(), 6, "the cabinet's own hourly cap");
}

#[test]
fn of_two_doors_that_are_opened_at_once_each_has_its_outcome() {
    let mut bench = Bench::new();
    give(&mut bench, 1, OPEN);
    let other = office_protocol::Action::Open {
        compartment: CompartmentId(4),
    };
    give(&mut bench, 2, other.clone());
    bench.door(CompartmentId(3), true);
    bench.door(CompartmentId(4), true);
    let said: Vec<(u64, CommandOutcome)> = replies(&bench)
        .into_iter()
        .map(|reply| (reply.number, reply.outcome))
        .collect();
    assert_eq!(said, [(1, CommandOutcome::Done), (2, CommandOutcome::Done)]);

    let mut bench = Bench::new();
    give(&mut bench, 1, OPEN);
    give(&mut bench, 2, other);
    bench.crash();
    let interrupted = bench.events.iter().filter_map(|event| match event.body {
        EventBody::CommandDone {
            number,
            outcome: CommandOutcome::Interrupted,
        } => Some(number),
        _ => None,
    });
    assert_eq!(interrupted.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_command_of_an_office_whose_clock_is_ahead_opens_nothing() {
    let mut bench = Bench::new();
    for (number, ahead) in [(1, 7_200_000), (2, 31_000)] {
        let good = command(&bench, number, OPEN);
        let early = Command {
            issued: good.issued.plus_millis(ahead),
            expires: good.expires.plus_millis(ahead),
            ..good
        };
        send(&mut bench, &early);
    }
    let refusal = Refusal::TooEarly;
    let refused = |reply: &Reply| reply.outcome == CommandOutcome::Refused { refusal };
    assert!(replies(&bench).len() == 2 && replies(&bench).iter().all(refused));
    let good = command(&bench, 3, OPEN);
    let little = Command {
        issued: good.issued.plus_millis(20_000),
        expires: good.expires.plus_millis(20_000),
        ..good
    };
    send(&mut bench, &little);
    assert_eq!(bench.pulses(), [CompartmentId(3)]);
}

fn revocations(version: u64, passes: &[&str]) -> (DocumentName, Signed) {
    let revocations = Revocations {
        version,
        passes: passes.iter().map(|pass| pass.parse().unwrap()).collect(),
        ..Revocations::default()
    };
    (DocumentName::Revocations, document(&revocations))
}

/// What a pass leads to.
fn shown(bench: &mut Bench, pass: &str) -> Option<PassRefusal> {
    bench.scan(&Bench::drop_off_pass(pass, 1));
    match bench.screen() {
        Screen::ScanProblem(ScanProblem::Pass(refusal)) => Some(refusal),
        _ => None,
    }
}

#[test]
fn a_list_of_revocations_that_is_missing_lets_no_pass_through() {
    let mut bench = Bench::new();
    let (name, second) = revocations(2, &["p-1", "p-2"]);
    bench.input(Input::DocumentReceived { name, signed: second });
    assert_eq!(shown(&mut bench, "p-2"), Some(PassRefusal::Revoked));

    // The file is gone.
    bench.crash();
    assert_eq!(shown(&mut bench, "p-2"), Some(PassRefusal::Unverifiable));
    assert_eq!(shown(&mut bench, "p-3"), Some(PassRefusal::Unverifiable));

    // The file is the one before, or nothing that the office has signed.
    let forged = Signed::new(&root(), Purpose::Document, &id(), b"{}".to_vec());
    for (kept, first) in [
        (revocations(1, &["p-1"]), PassRefusal::Revoked),
        ((name, forged), PassRefusal::Unverifiable),
    ] {
        bench.crash_with(vec![kept]);
        assert_eq!(shown(&mut bench, "p-1"), Some(first));
        assert_eq!(shown(&mut bench, "p-3"), Some(PassRefusal::Unverifiable));
    }

    // The office sends it again.
    let (name, second) = revocations(2, &["p-1", "p-2"]);
    bench.input(Input::DocumentReceived { name, signed: second });
    assert_eq!(shown(&mut bench, "p-2"), Some(PassRefusal::Revoked));
    assert_eq!(shown(&mut bench, "p-3"), None);
}

#[test]
fn an_older_list_of_revocations_never_replaces_the_one_in_force() {
    let mut bench = Bench::new();
    for (version, passes) in [(2, ["p-2"]), (1, ["p-1"])] {
        let (name, signed) = revocations(version, &passes);
        bench.input(Input::DocumentReceived { name, signed });
    }
    assert_eq!(shown(&mut bench, "p-2"), Some(PassRefusal::Revoked));
    assert_eq!(shown(&mut bench, "p-1"), None);
}

#[test]
fn withdrawing_and_a_new_code() {
    let mut bench = Bench::new();
    let old = bench.place("PERMIT-1");
    let withdraw = office_protocol::Action::Withdraw {
        compartment: CompartmentId(2),
        reason: WithdrawReason::Ordered,
    };
    let first = command(&bench, 1, withdraw);
    send(&mut bench, &first);
    let second = command(
        &bench,
        2,
        office_protocol::Action::ReissueCode {
            consignment: "PERMIT-1".parse().unwrap(),
        },
    );
    send(&mut bench, &second);
    let new = bench.last_code();
    assert!(
        bench.cabinet.ledger().compartments[&CompartmentId(2)]
            .withdrawn
            .is_some()
    );
    bench.scan(&old.qr);
    assert!(matches!(bench.screen(), Screen::ScanProblem(_)));
    bench.scan(&new.qr);
    bench.open_and_close();
}

#[test]
fn a_jump_of_the_clock_to_2099_is_corrected_by_the_office() {
    let mut bench = Bench::new();
    bench.now = 2_300_000_000_000; // some seventy years
    bench.tap(Action::Help);
    bench.tap(Action::Back);
    bench.now = 10_000;
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    assert!(
        matches!(bench.screen(), Screen::ScanProblem(_)),
        "everything looks expired"
    );
    let floor = Timestamp::from_millis(1_790_000_000_000);
    let correct = command(&bench, 1, office_protocol::Action::CorrectClock { floor });
    send(&mut bench, &correct);
    bench.scan(&Bench::drop_off_pass("p-1", 1));
    assert!(
        matches!(bench.screen(), Screen::Checklist { .. }),
        "{:?}",
        bench.screen()
    );
}

#[test]
fn an_older_or_forged_document_changes_nothing() {
    let mut bench = Bench::new();
    let newer = document(&Policy {
        version: 5,
        hold_days: 3,
        ..Policy::default()
    });
    bench.input(Input::DocumentReceived {
        name: DocumentName::Policy,
        signed: newer,
    });
    assert_eq!(bench.cabinet.authority().policy.hold_days, 3);
    let older = document(&Policy {
        version: 4,
        hold_days: 9,
        ..Policy::default()
    });
    bench.input(Input::DocumentReceived {
        name: DocumentName::Policy,
        signed: older,
    });
    let reported = &bench.cabinet.authority().reported[&DocumentName::Policy];
    assert_eq!(
        (reported.version, reported.refused),
        (5, Some(DocumentRefusal::Older))
    );
    let forged = Signed::new(&root(), Purpose::Document, &id(), b"{}".to_vec());
    bench.input(Input::DocumentReceived {
        name: DocumentName::Policy,
        signed: forged,
    });
    assert_eq!(bench.cabinet.authority().policy.hold_days, 3);
    let stored = bench
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::StoreDocument { .. }))
        .count();
    assert_eq!(stored, 1);
}
