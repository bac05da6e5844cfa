//! The whole cabinet under attack for a day: what it looks at must be what the keypad of the rehearsal looks at.

// Of all screens, a guesser cares for a few.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;

use lockerd::cabinet::limits::CODE_DIGITS;
use lockerd::cabinet::screen::{Action, Screen, Tap};
use lockerd::cabinet::vocabulary::{Dice as StepDice, Input, Moment, Monotonic, Startup};
use lockerd::cabinet::{Cabinet, Config, Consignment, Direction, Ledger};
use office_protocol::event::{CodeHashes, CompartmentLayout, KeyedHash, Size};
use office_protocol::{CabinetId, CompartmentId, ConsignmentId, Seq, SigningKey, Start, Timestamp};

use super::{DAY, FIRST_DAY, Keypad};
use crate::simulation::dice::Dice;

/// How many codes of 8 and of 12 digits are looked at in a day of restless guessing: by the keypad, and by a real cabinet.
pub(super) fn tries_of_a_day(codes: usize, seed: u64) -> ((u64, u64), (u64, u64)) {
    (by_the_keypad(codes), by_a_cabinet(codes, seed))
}

/// Noon: midnight falls into the day that follows.
const NOON: u64 = FIRST_DAY * DAY + DAY / 2;

fn by_the_keypad(codes: usize) -> (u64, u64) {
    let mut keypad = Keypad::at(NOON);
    let mut looked = (0, 0);
    while keypad.ready_at < NOON + DAY {
        keypad.pass_to(keypad.ready_at);
        count(keypad.tries.digits_wanted(codes), &mut looked);
        keypad.wrong();
    }
    looked
}

fn count(digits: usize, looked: &mut (u64, u64)) {
    if digits == CODE_DIGITS {
        looked.0 += 1;
    } else {
        looked.1 += 1;
    }
}

fn by_a_cabinet(codes: usize, seed: u64) -> (u64, u64) {
    let mut dice = Dice::new(seed, 22);
    let mut cabinet = full_cabinet(codes, &mut dice);
    let mut looked = (0, 0);
    let mut now = NOON;
    let startup = Startup {
        start: Start(1),
        version: "simulated".into(),
        damage: None,
        touched: Vec::new(),
        documents: Vec::new(),
    };
    step(&mut cabinet, now, Input::Started(Box::new(startup)), &mut dice);
    while now < NOON + DAY {
        let before = cabinet.ledger().tries.count;
        let view = cabinet.view();
        let action = match view.screen {
            Screen::EnterDigits {
                wait_until: Some(until),
                ..
            } if until.as_millis() > now => {
                now = until.as_millis();
                step(&mut cabinet, now, Input::DeadlineReached, &mut dice);
                continue;
            }
            Screen::EnterDigits { length, .. } => {
                count(usize::from(length), &mut looked);
                Action::Digits {
                    digits: dice.digits(usize::from(length)),
                }
            }
            Screen::MoreTime => Action::MoreTime,
            _ => Action::StartCollection,
        };
        let typed = matches!(action, Action::Digits { .. });
        let tap = Tap {
            session: view.session,
            revision: view.revision,
            action,
        };
        step(&mut cabinet, now, Input::Tapped(tap), &mut dice);
        if typed && cabinet.ledger().tries.count <= before {
            break; // it opened: then this day is over
        }
    }
    looked
}

fn step(cabinet: &mut Cabinet, now: u64, input: Input, dice: &mut Dice) {
    let moment = Moment {
        now: Monotonic::from_millis(now),
        wall: Timestamp::from_millis(i64::try_from(now).unwrap_or(i64::MAX)),
        trusted: true,
        dice: StepDice::new(dice.bytes()),
    };
    cabinet.handle(&moment, input);
}

/// A cabinet with a consignment and a code in each of its compartments.
fn full_cabinet(codes: usize, dice: &mut Dice) -> Cabinet {
    let id: CabinetId = "PORT-7".parse().expect("an id of capitals, a dash and a digit");
    let count = u16::try_from(codes).unwrap_or(u16::MAX);
    let built = |number: u16| CompartmentLayout {
        id: CompartmentId(number),
        size: Size::Small,
        reachable: true,
        wiring: None,
    };
    let config = Config {
        id,
        key: SigningKey::from_secret(&dice.bytes()),
        root: SigningKey::from_secret(&dice.bytes()).verifying_key(),
        layout: (1..=count).map(built).collect(),
        protected: std::collections::BTreeSet::new(),
        items: BTreeMap::new(),
    };
    let mut ledger = Ledger::default();
    for number in 1..=count {
        let label: ConsignmentId = format!("L-{number}").parse().expect("letters and digits");
        ledger
            .consignments
            .insert(label, placed(CompartmentId(number), dice));
    }
    Cabinet::new(config, ledger)
}

fn placed(compartment: CompartmentId, dice: &mut Dice) -> Consignment {
    let mut hash = || {
        let mut short = [0; 16];
        short.copy_from_slice(&dice.bytes()[..16]);
        KeyedHash(short)
    };
    Consignment {
        direction: Direction::Outbound,
        compartment,
        application: None,
        person: None,
        since: Timestamp::default(),
        unverified: false,
        code: Some(CodeHashes {
            token: hash(),
            digits: hash(),
            spare: hash(),
        }),
        second: None,
        generation: 1,
        placed: Seq(1),
        held_until: None,
        disputed: None,
    }
}
