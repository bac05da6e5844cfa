//! `rehearsal guessing`: many attacker-days against the cabinet's own guard, and what the guard costs honest people.

use std::collections::HashSet;
use std::process::ExitCode;
use std::thread;

use lockerd::cabinet::Tries;
use lockerd::cabinet::limits::{CODE_DIGITS, DAY_MS, SPARE_DIGITS};

use super::dice::Dice;

mod cabinet;
mod honest;

/// Guess pickup codes for a million days, and say how often that opens anything and what the guard costs honest people
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// So many days of 24 hours
    #[arg(long, default_value_t = 1_000_000)]
    days: u64,
    /// So many pickup codes are live
    #[arg(long, default_value_t = 200)]
    codes: usize,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The odds of opening anything in 24 hours that are aimed at.
const GOAL: f64 = 1e-6;
/// How long one attacker goes on, in days, and so how many days begin with the tries of the day before.
const CAMPAIGN_DAYS: u64 = 30;
const DAY: u64 = DAY_MS.unsigned_abs();
/// The first day: any day that is not the first of all.
const FIRST_DAY: u64 = 20_000;

/// How an attacker goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attacker {
    /// Types whenever the guard lets them, day and night.
    Restless,
    /// Types only while eight digits are enough, and comes back every day.
    Patient,
    /// Pulls the plug after every try, so that the wait might be forgotten.
    Unplugging,
}

impl Attacker {
    /// All of them.
    const ALL: [Self; 3] = [Self::Restless, Self::Patient, Self::Unplugging];
}

/// What one way of attacking came to.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    /// Days of 24 hours.
    days: u64,
    /// Typed codes that the guard looked at.
    tries: u64,
    /// Days on which a guess really hit.
    opened: u64,
    /// The sum over the days of the exact odds of what was tried.
    odds: f64,
    /// The day with the highest odds.
    worst: f64,
}

impl Outcome {
    fn add(&mut self, other: &Self) {
        self.days += other.days;
        self.tries += other.tries;
        self.opened += other.opened;
        self.odds += other.odds;
        self.worst = self.worst.max(other.worst);
    }

    /// The odds of opening anything in a day, on average.
    #[must_use]
    fn mean(&self) -> f64 {
        self.odds / self.days.max(1) as f64
    }
}

/// The guard at a keypad: the cabinet's own rules, on a clock of their own.
#[derive(Debug, Clone, Copy)]
struct Keypad {
    tries: Tries,
    now: u64,
    ready_at: u64,
}

/// How long the daemon takes to be back, in milliseconds.
const RESTART_MS: u64 = 1_000;

impl Keypad {
    fn at(now: u64) -> Self {
        Self {
            tries: Tries::default(),
            now,
            ready_at: now,
        }
    }

    fn today(&self) -> i64 {
        i64::try_from(self.now / DAY).unwrap_or(i64::MAX)
    }

    /// As the cabinet does after every input.
    fn pass_to(&mut self, now: u64) {
        self.now = now;
        if let Some(halved) = self.tries.halved(self.today()) {
            self.tries = halved;
        }
    }

    /// A wrong code was typed, which the guard looked at.
    fn wrong(&mut self) {
        self.tries = self.tries.one_more(Some(self.today()));
        self.ready_at = self.now + self.tries.wait_ms();
    }

    /// The power goes and comes back: tries are on disk, the wait begins anew.
    fn restart(&mut self) {
        self.pass_to(self.now + RESTART_MS);
        self.ready_at = self.now + self.tries.wait_ms();
    }
}

/// The codes of one cabinet, drawn at random.
struct Codes {
    digits: HashSet<u64>,
    whole: HashSet<u64>,
    /// Which low bits of the digits occur: most guesses are over here.
    sieve: Vec<u64>,
}

const SHORT: u64 = 10_u64.pow(CODE_DIGITS as u32);
const SPARE: u64 = 10_u64.pow(SPARE_DIGITS as u32);
const SIEVE_BITS: u64 = 1 << 16;

impl Codes {
    fn draw(count: usize, dice: &mut Dice) -> Self {
        let mut codes = Self {
            digits: HashSet::new(),
            whole: HashSet::new(),
            sieve: vec![0; (SIEVE_BITS / 64) as usize],
        };
        while codes.digits.len() < count {
            let digits = dice.below(SHORT);
            if codes.digits.insert(digits) {
                codes.whole.insert(digits * SPARE + dice.below(SPARE));
                let bit = digits % SIEVE_BITS;
                codes.sieve[(bit / 64) as usize] |= 1 << (bit % 64);
            }
        }
        codes
    }

    /// Whether a random guess of so many digits hits.
    fn guess(&self, wanted: usize, dice: &mut Dice) -> bool {
        let digits = dice.below(SHORT);
        let bit = digits % SIEVE_BITS;
        if self.sieve[(bit / 64) as usize] & 1 << (bit % 64) == 0 || !self.digits.contains(&digits) {
            return false;
        }
        wanted == CODE_DIGITS || self.whole.contains(&(digits * SPARE + dice.below(SPARE)))
    }
}

/// The odds that one guess of so many digits hits one of so many codes.
fn odds(codes: usize, wanted: usize) -> f64 {
    codes as f64 / 10_f64.powi(i32::try_from(wanted).unwrap_or(i32::MAX))
}

/// Attacks for so many days; the guesses are really drawn, and their exact odds added up beside.
#[must_use]
fn attack(attacker: Attacker, days: u64, codes: usize, seed: u64) -> Outcome {
    let mut dice = Dice::new(seed, 20);
    let mut outcome = Outcome::default();
    while outcome.days < days {
        let secret = Codes::draw(codes, &mut dice);
        let mut keypad = Keypad::at(FIRST_DAY * DAY + dice.below(DAY));
        for _ in 0..CAMPAIGN_DAYS.min(days - outcome.days) {
            let day = one_day(attacker, &mut keypad, &secret, codes, &mut dice);
            outcome.add(&day);
        }
    }
    outcome
}

fn one_day(
    attacker: Attacker,
    keypad: &mut Keypad,
    secret: &Codes,
    codes: usize,
    dice: &mut Dice,
) -> Outcome {
    let end = keypad.now + DAY;
    let mut day = Outcome {
        days: 1,
        ..Outcome::default()
    };
    let mut hit = false;
    while keypad.ready_at < end {
        keypad.pass_to(keypad.ready_at.max(keypad.now));
        let wanted = keypad.tries.digits_wanted(codes);
        if attacker == Attacker::Patient && wanted > CODE_DIGITS {
            break;
        }
        day.tries += 1;
        day.odds += odds(codes, wanted);
        hit |= secret.guess(wanted, dice);
        keypad.wrong();
        if attacker == Attacker::Unplugging {
            keypad.restart();
        }
    }
    keypad.pass_to(end);
    keypad.ready_at = keypad.ready_at.max(end);
    day.opened = u64::from(hit);
    day.worst = day.odds;
    day
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { days, codes, seed } = *arguments;
    let (modelled, real) = cabinet::tries_of_a_day(codes, seed);
    if modelled != real {
        eprintln!(
            "the cabinet looked at {real:?} codes of 8 and 12 digits in a day, the keypad here at {modelled:?}"
        );
        return ExitCode::FAILURE;
    }
    println!(
        "a cabinet with {codes} codes looks at {} codes of 8 digits and {} of 12 in a day",
        real.0, real.1
    );
    let share = days / Attacker::ALL.len() as u64;
    let mut all = Outcome::default();
    let attack =
        |(attacker, seed): (Attacker, u64)| thread::spawn(move || attack(attacker, share, codes, seed));
    let attacks: Vec<_> = Attacker::ALL.into_iter().zip(seed..).map(attack).collect();
    for (attacker, attack) in Attacker::ALL.into_iter().zip(attacks) {
        let Ok(outcome) = attack.join() else {
            return ExitCode::FAILURE;
        };
        println!(
            "{attacker:?}: {} days, {} tries, opened something on {} of them; exact odds in 24 h {:.1e}, on the worst day {:.1e}",
            outcome.days,
            outcome.tries,
            outcome.opened,
            outcome.mean(),
            outcome.worst,
        );
        all.add(&outcome);
    }
    let kept = all.worst <= GOAL;
    println!(
        "{} attacker-days with {codes} live codes: odds of opening anything in 24 h {:.1e}, on the worst day {:.1e} (goal {GOAL:.0e}: {})",
        all.days,
        all.mean(),
        all.worst,
        if kept { "kept" } else { "MISSED" },
    );
    honest::print(codes, seed);
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keypad_here_lets_through_what_the_cabinet_lets_through() {
        for codes in [1, 24, 200] {
            let (modelled, real) = cabinet::tries_of_a_day(codes, 7);
            assert_eq!(modelled, real, "{codes} codes");
        }
    }

    #[test]
    fn nobody_gets_better_odds_than_the_goal() {
        for codes in [1, 4, 13, 20, 24, 40, 41, 200] {
            for attacker in Attacker::ALL {
                let outcome = attack(attacker, 60, codes, 3);
                assert!(outcome.worst <= GOAL, "{attacker:?}, {codes} codes: {outcome:?}");
            }
        }
    }

    #[test]
    fn guesses_hit_as_often_as_their_odds_say() {
        let mut dice = Dice::new(5, 20);
        let codes = Codes::draw(100_000, &mut dice);
        let hits = (0..100_000)
            .filter(|_| codes.guess(CODE_DIGITS, &mut dice))
            .count();
        assert!((60..150).contains(&hits), "{hits} of 100 expected");
    }
}
