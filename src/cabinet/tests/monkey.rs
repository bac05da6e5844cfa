//! Anything in any order: random fingers, scans, doors, boards, times and crashes; what must always hold, holds.

use std::collections::BTreeSet;

use office_protocol::event::{Complaint, MoveReason, WithdrawReason};
use rand_core::{Rng, SeedableRng};

use super::*;

fn pick<T: Clone>(dice: &mut impl Rng, from: &[T]) -> T {
    from[dice.next_u32() as usize % from.len()].clone()
}

fn action(dice: &mut impl Rng, digits: &[String]) -> Action {
    let compartment = CompartmentId(1 + (dice.next_u32() % 6) as u16);
    let all = [
        Action::Help,
        Action::Back,
        Action::Done,
        Action::StartCollection,
        Action::StartDropOff,
        Action::Digits {
            digits: pick(dice, digits),
        },
        Action::Digits { digits: PIN.into() },
        Action::ChooseItem {
            item: "birth".parse().unwrap(),
        },
        Action::Phone {
            phone: "13812345678".into(),
        },
        Action::SkipPhone,
        Action::ChooseSize {
            size: pick(dice, &[Size::Small, Size::Medium, Size::Large]),
        },
        Action::Accept {
            reachable: dice.next_u32().is_multiple_of(2),
        },
        Action::Accept { reachable: false },
        Action::DoorIsOpen {
            open: dice.next_u32().is_multiple_of(2),
        },
        Action::DoorIsClosed,
        Action::AnotherDoor {
            reason: pick(
                dice,
                &[MoveReason::Occupied, MoveReason::Dirty, MoveReason::TooSmall],
            ),
        },
        Action::Yes,
        Action::Yes,
        Action::No,
        Action::Reopen,
        Action::Complain {
            complaint: pick(dice, &[Complaint::Empty, Complaint::Wrong, Complaint::Foreign]),
        },
        Action::Another,
        Action::Next,
        Action::Rate { stars: 5 },
        Action::MoreTime,
        Action::StartClearing,
        Action::StartPlacing,
        Action::StartRecall,
        Action::StartInspection,
        Action::OpenNext,
        Action::OpenThis { compartment },
        Action::UndoLast,
        Action::EndRound,
        Action::Inside,
        Action::Empty,
        Action::Foreign,
        Action::Withdraw {
            compartment,
            reason: WithdrawReason::Dirty,
        },
        Action::ReturnToService { compartment },
        Action::StartProving,
        Action::OpenedDoor { compartment },
        Action::ShowCommissioning,
        Action::WriteWiring,
        Action::KeepReport,
        Action::StartLookUp,
        Action::LookUp {
            about: office_protocol::event::Subject::Compartment(compartment),
        },
    ];
    pick(dice, &all)
}

/// What a person who reads the screen would touch.
fn sensible(bench: &Bench, dice: &mut impl Rng, digits: &[String]) -> Option<Action> {
    let one = |dice: &mut _, from: &[Action]| Some(pick(dice, from));
    match bench.screen() {
        Screen::EnterPin { .. } => one(dice, &[Action::Digits { digits: PIN.into() }]),
        Screen::EnterDigits { .. } => Some(Action::Digits {
            digits: pick(dice, digits),
        }),
        Screen::StaffHome { .. } => one(
            dice,
            &[
                Action::StartClearing,
                Action::StartPlacing,
                Action::StartPlacing,
                Action::StartRecall,
                Action::StartInspection,
            ],
        ),
        Screen::Round { rows, .. } if rows.is_empty() => one(dice, &[Action::EndRound]),
        Screen::Round { .. } => one(dice, &[Action::OpenNext]),
        Screen::TookEverything { .. } => {
            let complaint = Complaint::Empty;
            one(
                dice,
                &[
                    Action::Yes,
                    Action::Yes,
                    Action::Reopen,
                    Action::Complain { complaint },
                ],
            )
        }
        Screen::WhatIsInside { .. } => one(dice, &[Action::Inside, Action::Empty]),
        Screen::IsItInside(_) => one(dice, &[Action::Yes, Action::Yes, Action::No]),
        Screen::ScanProblem(_) | Screen::Done { .. } | Screen::Sorry { .. } => one(dice, &[Action::Done]),
        Screen::Help => one(dice, &[Action::Back]),
        Screen::MoreTime => one(dice, &[Action::MoreTime]),
        _ => None,
    }
}

fn one_step(bench: &mut Bench, dice: &mut impl Rng, codes: &mut Vec<String>, digits: &mut Vec<String>) {
    let compartment = CompartmentId(1 + (dice.next_u32() % 6) as u16);
    match dice.next_u32() % 40 {
        0..=21 => {
            let sensible = sensible(bench, dice, digits).filter(|_| !dice.next_u32().is_multiple_of(5));
            let action = sensible.unwrap_or_else(|| action(dice, digits));
            bench.tap(action);
        }
        22..=26 => {
            let text = pick(dice, codes);
            bench.scan(&text);
        }
        27..=33 => {
            // Mostly the door that was just pulsed moves.
            let last = bench
                .pulses()
                .last()
                .copied()
                .filter(|_| !dice.next_u32().is_multiple_of(8));
            bench.door(last.unwrap_or(compartment), dice.next_u32().is_multiple_of(2));
        }
        34 | 35 => {
            let wait = pick(dice, &[1_000, 5_000, 30_000, 61_000, 200_000]);
            bench.wait(wait);
        }
        36 => bench.input(Input::Acknowledged {
            tip: bench.cabinet.ledger().tip,
        }),
        37 => {
            bench.input(Input::BoardLost { board: BoardId(1) });
            bench.input(Input::BoardFound { board: BoardId(1) });
            for number in 1..=6 {
                bench.input(Input::DoorRead {
                    compartment: CompartmentId(number),
                    open: false,
                    first: true,
                });
            }
        }
        38 => bench.trusted = !dice.next_u32().is_multiple_of(4),
        _ if dice.next_u32().is_multiple_of(3) => bench.crash(),
        _ => bench.now += 250_000_000,
    }
    for part in bench.sealed.drain(..) {
        if let Some(code) = part.open(&opening(), &id()).unwrap().code.clone() {
            codes.push(code.qr.clone());
            digits.push(code.digits.clone());
        }
    }
    if let Screen::Slip { qr, digits: slip, .. } = bench.screen() {
        codes.push(qr);
        digits.push(slip);
    }
}

fn check(bench: &Bench) {
    let ledger = bench.cabinet.ledger();
    let places: BTreeSet<_> = ledger
        .consignments
        .values()
        .map(|inside| inside.compartment)
        .collect();
    assert_eq!(
        places.len(),
        ledger.consignments.len(),
        "two consignments never share a compartment"
    );
    for (id, inside) in &ledger.consignments {
        assert_eq!(
            ledger.compartments[&inside.compartment].consignment.as_ref(),
            Some(id)
        );
    }
    for (id, place) in &ledger.compartments {
        assert!(
            place
                .consignment
                .as_ref()
                .is_none_or(|inside| ledger.consignments[inside].compartment == *id)
        );
        assert!(
            place
                .visit
                .is_none_or(|visit| ledger.visits[&visit].compartment == *id)
        );
    }
    for (id, visit) in &ledger.visits {
        assert_eq!(
            ledger.compartments[&visit.compartment].visit,
            Some(*id),
            "one visit at a door"
        );
        assert!(visit.pulses <= 100);
    }
    let begun = |event: &&Event| matches!(event.body, EventBody::UnlockBegun { .. });
    assert_eq!(
        bench.events.iter().filter(begun).count(),
        bench.pulses().len(),
        "one cause for each pulse"
    );
}

#[test]
fn whatever_happens_the_ledger_stays_sound_and_the_screen_comes_home() {
    let mut happened = BTreeSet::new();
    for seed in 0..250 {
        let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut bench = Bench::new();
        let mut codes: Vec<String> = (0..8)
            .map(|number| Bench::drop_off_pass(&format!("p-{number}"), 2))
            .collect();
        codes.extend(
            [
                "badge wang",
                "badge wang",
                "badge li",
                "PERMIT-1",
                "PERMIT-2",
                "OTHER-1",
                "noise \u{1f511}",
            ]
            .map(String::from),
        );
        let mut digits = vec!["00000000".to_owned()];
        for _ in 0..600 {
            one_step(&mut bench, &mut dice, &mut codes, &mut digits);
            check(&bench);
        }
        bench.wait(3_600_000);
        assert!(
            matches!(bench.screen(), Screen::Home { .. }),
            "seed {seed}: {:?}",
            bench.screen()
        );
        bench.crash();
        happened.extend(bench.kinds());
    }
    let wanted = "dropped-off taken-back cleared placed collected recalled disputed unconfirmed confirmed visit-moved \
        door-left-open door-forced unlock-interrupted pass-used tries-counted hold-started";
    let missing: Vec<&str> = wanted
        .split_whitespace()
        .filter(|kind| !happened.contains(kind))
        .collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
}
