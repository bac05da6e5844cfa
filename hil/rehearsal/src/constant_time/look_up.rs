//! A whole cabinet with many live codes, and what it does with wrong ones: such that nearly are a code, and such that are not at all.

// Of all screens, the keypad matters here.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

use lockerd::cabinet::limits::RETIRED_MAX;
use lockerd::cabinet::screen::{Action, Screen, Tap};
use lockerd::cabinet::vocabulary::{Dice, Input, Moment, Monotonic, Startup};
use lockerd::cabinet::{Cabinet, Config, Consignment, Direction, Ledger};
use office_protocol::event::{CodeHashes, CompartmentLayout, Size};
use office_protocol::{
    CabinetId, CompartmentId, ConsignmentId, PickupCode, Seq, SigningKey, Start, Timestamp,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::{Finding, plainly_equal, t, timed};

const DIGITS: &[u8] = b"0123456789";
/// As in a QR code's token.
const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TOKEN_LETTERS: usize = 26;
/// Longer than anybody waits after a wrong try, or stands there without a touch.
const BETWEEN_TRIES_MS: u64 = 600_000;

/// Both ways of presenting a code that is not live, and those that were.
pub(super) fn measure(codes: u16, measurements: usize) -> [Finding; 3] {
    let finding = |what, kinds, one: fn(&mut Place, bool, &mut ChaCha8Rng, bool) -> f64| {
        let measured = |leaks| {
            let mut place = Place::new(codes);
            t(measurements, |kind, dice| one(&mut place, kind, dice, leaks))
        };
        Finding {
            what,
            kinds,
            t: measured(false),
            t_with_a_leak: measured(true),
        }
    };
    [
        finding(
            "typed digits, from the tap to the screen",
            "all but the last as of a live code or at random",
            |place, nearly, dice, leaks| {
                let length = place.wait_for_the_keypad();
                let digits = wrong(&place.digits, &place.other_digits, nearly, length, dice);
                place.measured(
                    Input::Tapped(place.tap(Action::Digits {
                        digits: digits.clone(),
                    })),
                    &digits,
                    leaks,
                )
            },
        ),
        finding(
            "a scanned code, from the scan to the screen",
            "all letters but the last as of a live code or at random",
            |place, nearly, dice, leaks| {
                let text = wrong(&place.tokens, &place.other_tokens, nearly, TOKEN_LETTERS, dice);
                place.scanned(&text, leaks)
            },
        ),
        finding(
            "a scanned code of before, from the scan to the screen",
            "collected long ago or just now",
            |place, long_ago, _, leaks| {
                let collected = if long_ago {
                    place.collected.first()
                } else {
                    place.collected.last()
                };
                let text = collected.cloned().unwrap_or_default();
                place.scanned(&text, leaks)
            },
        ),
    ]
}

/// One of as many texts of either kind, with another last letter: a live code's, or one that is like none. Both kinds come again as
/// often, so that a processor learns neither better.
fn wrong(live: &[String], others: &[String], nearly: bool, length: usize, dice: &mut ChaCha8Rng) -> String {
    let kind = if nearly { live } else { others };
    let (begin, last) = kind[dice.next_u32() as usize % kind.len()][..length].split_at(length - 1);
    let other = if last == "0" { '1' } else { '0' };
    format!("{begin}{other}")
}

/// A cabinet, and what is live in it.
struct Place {
    cabinet: Cabinet,
    /// Of live codes, with the spare ones.
    digits: Vec<String>,
    tokens: Vec<String>,
    /// As many that are nobody's.
    other_digits: Vec<String>,
    other_tokens: Vec<String>,
    /// Tokens, the longest ago first.
    collected: Vec<String>,
    now: u64,
}

impl Place {
    /// With this many consignments and codes.
    fn new(codes: u16) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(2);
        let empty = Cabinet::new(config(codes), Ledger::default());
        let mut draw = |count: u16| (0..count).map(|_| code(&mut dice)).collect::<Vec<PickupCode>>();
        let (live, others) = (draw(codes), draw(codes));
        let collected = draw(u16::try_from(RETIRED_MAX).unwrap_or(u16::MAX));
        let mut ledger = Ledger::default();
        ledger
            .retired
            .extend(collected.iter().map(|code| empty.hashes_of(code).token));
        for (number, code) in (1..).zip(&live) {
            let label: ConsignmentId = format!("L-{number}").parse().expect("letters and digits");
            ledger
                .consignments
                .insert(label, placed(CompartmentId(number), empty.hashes_of(code)));
        }
        let digits = |code: &PickupCode| format!("{}{}", code.digits, code.spare);
        let token = |code: &PickupCode| code.qr[code.qr.len() - TOKEN_LETTERS..].to_owned();
        let mut place = Self {
            cabinet: Cabinet::new(config(codes), ledger),
            digits: live.iter().map(digits).collect(),
            tokens: live.iter().map(token).collect(),
            other_digits: others.iter().map(digits).collect(),
            other_tokens: others.iter().map(token).collect(),
            collected: collected.iter().map(token).collect(),
            now: 0,
        };
        place.step(Input::Started(Box::new(Startup {
            start: Start(1),
            version: "measured".into(),
            damage: None,
            touched: Vec::new(),
            documents: Vec::new(),
        })));
        place
    }

    /// How many digits it asks for.
    fn wait_for_the_keypad(&mut self) -> usize {
        loop {
            match self.cabinet.view().screen {
                Screen::EnterDigits {
                    wait_until: None,
                    length,
                    wrong: false,
                } => return length.into(),
                Screen::Home { .. } => {
                    let tap = self.tap(Action::StartCollection);
                    self.step(Input::Tapped(tap));
                }
                _ => {
                    self.now += BETWEEN_TRIES_MS;
                    self.step(Input::DeadlineReached);
                }
            }
        }
    }

    fn tap(&self, action: Action) -> Tap {
        let view = self.cabinet.view();
        Tap {
            session: view.session,
            revision: view.revision,
            action,
        }
    }

    /// How long a token takes.
    fn scanned(&mut self, token: &str, leaks: bool) -> f64 {
        let text = format!("LP1:PORT-7:{token}").into();
        self.measured(Input::Scanned { text }, token, leaks)
    }

    /// How long an input takes; with a leak, all that is known is looked through plainly as well.
    fn measured(&mut self, input: Input, presented: &str, leaks: bool) -> f64 {
        let moment = self.moment();
        let Self {
            cabinet,
            digits,
            tokens,
            collected,
            ..
        } = self;
        let known = [digits, tokens, collected];
        timed(|| {
            black_box(cabinet.handle(&moment, input));
            if leaks {
                let mut all = known.into_iter().flatten();
                black_box(all.any(|known| plainly_equal(known.as_bytes(), presented.as_bytes())));
            }
        })
    }

    fn step(&mut self, input: Input) {
        self.cabinet.handle(&self.moment(), input);
    }

    fn moment(&self) -> Moment {
        Moment {
            now: Monotonic::from_millis(self.now),
            wall: Timestamp::from_millis(i64::try_from(self.now).unwrap_or(i64::MAX)),
            trusted: true,
            dice: Dice::new([1; 32]),
        }
    }
}

fn config(codes: u16) -> Config {
    let built = |number: u16| CompartmentLayout {
        id: CompartmentId(number),
        size: Size::Small,
        reachable: true,
        wiring: None,
    };
    let id: CabinetId = "PORT-7".parse().expect("capitals, a dash and a digit");
    Config {
        id,
        key: SigningKey::from_secret(&[7; 32]),
        root: SigningKey::from_secret(&[8; 32]).verifying_key(),
        layout: (1..=codes).map(built).collect(),
        protected: BTreeSet::new(),
        items: BTreeMap::new(),
    }
}

fn code(dice: &mut ChaCha8Rng) -> PickupCode {
    let mut text = |letters: &[u8], count: usize| -> String {
        let mut any = || char::from(letters[dice.next_u32() as usize % letters.len()]);
        (0..count).map(|_| any()).collect()
    };
    PickupCode {
        qr: format!("LP1:PORT-7:{}", text(LETTERS, TOKEN_LETTERS)),
        digits: text(DIGITS, 8),
        spare: text(DIGITS, 4),
    }
}

fn placed(compartment: CompartmentId, code: CodeHashes) -> Consignment {
    Consignment {
        direction: Direction::Outbound,
        compartment,
        application: None,
        person: None,
        since: Timestamp::default(),
        unverified: false,
        code: Some(code),
        second: None,
        generation: 1,
        placed: Seq(1),
        held_until: None,
        disputed: None,
    }
}
