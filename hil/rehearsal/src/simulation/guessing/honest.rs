//! What the guard costs who has the right code: digits to type, and waiting after a slip of the finger or behind a vandal.

use super::{DAY, FIRST_DAY, Keypad};
use crate::simulation::dice::Dice;

/// A finger slips on so many of a thousand digits.
const SLIPS: u64 = 5;
/// How long a digit takes to type, in milliseconds.
const DIGIT_MS: u64 = 700;
/// People asked in each situation.
const PEOPLE: usize = 20_000;

/// Prints what each situation costs.
pub(super) fn print(codes: usize, seed: u64) {
    let quiet = Keypad::at(FIRST_DAY * DAY + DAY / 2);
    let mut gave_up = quiet;
    for _ in 0..10 {
        gave_up.pass_to(gave_up.ready_at);
        gave_up.wrong();
    }
    let mut slipped = quiet;
    slipped.wrong();
    let mut restless = quiet;
    while restless.now < quiet.now + DAY {
        restless.pass_to(restless.ready_at);
        restless.wrong();
    }
    let mut days_after = restless;
    days_after.pass_to(restless.now + DAY);
    let situations = [
        ("on a quiet day", quiet),
        ("after somebody who mistyped once", slipped),
        ("right after a vandal's tenth try", gave_up),
        ("right after a vandal's whole day", restless),
        ("a day after that", days_after),
    ];
    println!("with the QR code there is never a wait. With digits, a finger slipping on {SLIPS} ‰ of them:");
    for (name, keypad) in situations {
        let cost = Cost::of(keypad, codes, seed);
        println!(
            "  {name}: {} digits; waits {:.1} s on average, {:.0} s for one in a hundred; {:.1} % mistype; {:.0} s until the door opens",
            keypad.tries.digits_wanted(codes),
            cost.wait_s,
            cost.worst_s,
            cost.mistyped,
            cost.served_s,
        );
    }
}

struct Cost {
    wait_s: f64,
    worst_s: f64,
    mistyped: f64,
    served_s: f64,
}

impl Cost {
    fn of(keypad: Keypad, codes: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed, 21);
        let people: Vec<(u64, u64, bool)> = (0..PEOPLE).map(|_| one(keypad, codes, &mut dice)).collect();
        let mut waits: Vec<u64> = people.iter().map(|(wait, _, _)| *wait).collect();
        waits.sort_unstable();
        let mean = |sum: u64| sum as f64 / PEOPLE as f64 / 1000.0;
        Self {
            wait_s: mean(waits.iter().sum()),
            worst_s: waits[PEOPLE * 99 / 100] as f64 / 1000.0,
            mistyped: people.iter().filter(|(_, _, slipped)| *slipped).count() as f64 * 100.0 / PEOPLE as f64,
            served_s: mean(people.iter().map(|(_, served, _)| *served).sum()),
        }
    }
}

/// One person with the right code: milliseconds waited and until the right code was in, and whether the first was wrong.
fn one(mut keypad: Keypad, codes: usize, dice: &mut Dice) -> (u64, u64, bool) {
    let (came, mut waited, mut slipped) = (keypad.now, 0, false);
    loop {
        let ready = keypad.ready_at.max(keypad.now);
        waited += ready - keypad.now;
        let digits = keypad.tries.digits_wanted(codes) as u64;
        keypad.pass_to(ready + digits * DIGIT_MS);
        if (0..digits).all(|_| dice.below(1_000) >= SLIPS) {
            return (waited, keypad.now - came, slipped);
        }
        slipped = true;
        keypad.wrong();
    }
}
