//! People: each looks at the screen and at the doors, and then taps, scans, moves a door, waits or leaves.

// A person reacts to a few screens in any case; the errand decides on the others.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::VecDeque;

use hardware::Hand;
use lockerd::cabinet::screen::{Action, Appearance, DoorWork, Language, Screen, View};
use office_protocol::event::MoveReason;
use office_protocol::{CompartmentId, ConsignmentId, PickupCode};

use super::bench::{Bench, Thing};
use super::dice::Dice;

mod citizen;
mod staff;
mod vandal;

pub(super) use citizen::{Collecting, DroppingOff, TakingBack};
pub(super) use staff::{Courier, Technician};
pub(super) use vandal::Vandal;

/// What somebody does next.
#[derive(Clone)]
pub(super) enum Move {
    /// Touches what is shown.
    Tap(Action),
    /// Touches what is no longer shown.
    StaleTap(Action),
    /// Holds a code before the scanner.
    Scan(String),
    /// Holds something before the scanner that is no code.
    ScanNoise,
    /// A hand at a door.
    Hand(CompartmentId, Hand, Option<Thing>),
    /// Looks on.
    Wait,
    /// Goes away, whatever is shown.
    Leave,
}

/// What a person sees.
pub(super) struct Sight<'a> {
    pub(super) view: &'a View,
    pub(super) bench: &'a Bench,
    pub(super) now: u64,
}

/// Somebody's errand.
pub(super) enum Errand {
    DropOff(DroppingOff),
    TakeBack(TakingBack),
    Collect(Collecting),
    Courier(Courier),
    Technician(Technician),
    Vandal(Vandal),
}

/// What a citizen remembers of a drop-off.
#[derive(Clone)]
pub(super) struct Slip {
    pub(super) qr: String,
    pub(super) digits: String,
    /// The pass, the phone's last digits or the receipt's.
    pub(super) second: Option<Second>,
}

/// What must be shown besides the slip.
#[derive(Clone)]
pub(super) enum Second {
    Pass(String),
    Digits(String),
}

/// What the office wrote to a citizen.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) consignment: ConsignmentId,
    pub(super) generation: u32,
    pub(super) code: PickupCode,
}

/// Somebody at the cabinet.
pub(super) struct Person {
    pub(super) errand: Errand,
    pub(super) name: String,
    /// Does what the screen says and tells the truth.
    pub(super) careful: bool,
    /// In how many of a hundred moments they just walk away.
    walks_away: u64,
    /// Never hesitates, never wishes for anything else.
    steady: bool,
    moves_left: u32,
    hands: VecDeque<Move>,
    lost: u32,
}

impl Person {
    /// Somebody of a city where so many of a hundred are careful, and the others so forgetful.
    pub(super) fn new(
        errand: Errand,
        name: String,
        (careful, forgetful): (u64, u64),
        dice: &mut Dice,
    ) -> Self {
        let careful = dice.percent(careful) && !matches!(errand, Errand::Vandal(_));
        Self {
            errand,
            name,
            careful,
            walks_away: if careful { 0 } else { dice.below(forgetful) },
            steady: false,
            moves_left: 120,
            hands: VecDeque::new(),
            lost: 0,
        }
    }

    /// Somebody who does everything right.
    pub(super) fn careful(errand: Errand, name: &str) -> Self {
        Self {
            errand,
            name: name.to_owned(),
            careful: true,
            walks_away: 0,
            steady: true,
            moves_left: 600,
            hands: VecDeque::new(),
            lost: 0,
        }
    }

    /// What they do now, and how long until they do something again.
    pub(super) fn act(&mut self, sight: &Sight<'_>, dice: &mut Dice) -> (Move, u64) {
        self.moves_left = self.moves_left.saturating_sub(1);
        if self.moves_left == 0 || dice.percent(self.walks_away) {
            return (Move::Leave, 0);
        }
        if let Some(hand) = self.hands.pop_front() {
            return (hand, dice.between(300, 2_000));
        }
        let pause = if dice.percent(3) && !self.steady {
            dice.between(20_000, 100_000)
        } else {
            dice.between(800, 6_000)
        };
        let next = match &sight.view.screen {
            Screen::MoreTime if self.steady || dice.percent(80) => Move::Tap(Action::MoreTime),
            Screen::MoreTime => Move::Tap(Action::Done),
            Screen::Help => Move::Tap(Action::Back),
            Screen::LockResting(_) if !matches!(self.errand, Errand::Vandal(_)) => Move::Wait,
            Screen::LockResting(_) => Move::Wait,
            _ if self.steady => self.pursue(sight, dice),
            _ if !matches!(self.errand, Errand::Vandal(_)) && dice.percent(1) => Move::Tap(Action::Help),
            _ if dice.percent(1) => Move::Tap(Action::Appear {
                appearance: Appearance {
                    language: Language::En,
                    large: true,
                    contrast: dice.percent(50),
                },
            }),
            _ => self.pursue(sight, dice),
        };
        (next, pause)
    }

    fn pursue(&mut self, sight: &Sight<'_>, dice: &mut Dice) -> Move {
        let mut hands = Vec::new();
        let next = match &mut self.errand {
            Errand::DropOff(errand) => errand.act(sight, self.careful, &mut hands, dice),
            Errand::TakeBack(errand) => errand.act(sight, self.careful, &mut hands, dice),
            Errand::Collect(errand) => errand.act(sight, self.careful, &mut hands, dice),
            Errand::Courier(errand) => errand.act(sight, self.careful, &mut hands, dice),
            Errand::Technician(errand) => errand.act(sight, &mut hands),
            Errand::Vandal(errand) => errand.act(sight, &mut hands, dice),
        };
        self.hands.extend(hands);
        match next {
            Some(next) => {
                self.lost = 0;
                next
            }
            None => self.puzzled(dice),
        }
    }

    /// The screen shows nothing that helps: somebody else's conversation, perhaps.
    fn puzzled(&mut self, dice: &mut Dice) -> Move {
        self.lost += 1;
        match self.lost {
            0..4 if dice.percent(50) => Move::Wait,
            0..20 if dice.percent(50) => Move::Tap(Action::Back),
            0..20 => Move::Tap(Action::Done),
            _ => Move::Leave,
        }
    }

    /// The slip that they took with them.
    pub(super) fn slip(&self) -> Option<Slip> {
        match &self.errand {
            Errand::DropOff(errand) => errand.slip.clone(),
            Errand::TakeBack(_)
            | Errand::Collect(_)
            | Errand::Courier(_)
            | Errand::Technician(_)
            | Errand::Vandal(_) => None,
        }
    }
}

/// Asked whether the door is open: look, and say so.
fn is_it_open(work: &DoorWork, sight: &Sight<'_>, careful: bool, dice: &mut Dice) -> Move {
    let open = sight.bench.is_open(work.compartment);
    let says = if !careful && dice.percent(10) { !open } else { open };
    Move::Tap(Action::DoorIsOpen { open: says })
}

/// The lock clicked: pull at the door, or let it spring.
fn pull(work: &DoorWork, dice: &mut Dice) -> Move {
    if dice.percent(30) {
        Move::Hand(work.compartment, Hand::Open, None)
    } else {
        Move::Wait
    }
}

/// Takes everything out and closes, in so many hands.
fn take_out(compartment: CompartmentId, hands: &mut Vec<Move>) -> Move {
    hands.push(Move::Hand(compartment, Hand::Close, None));
    Move::Hand(compartment, Hand::TakeOut, None)
}

/// The door is closed, but the screen does not know it.
fn say_closed(reminder: u8) -> Move {
    if reminder > 0 {
        Move::Tap(Action::DoorIsClosed)
    } else {
        Move::Wait
    }
}

/// Why this door will not do, if it will not.
fn unfit(sight: &Sight<'_>, compartment: CompartmentId, picky: bool, dice: &mut Dice) -> Option<MoveReason> {
    if !sight.bench.contents(compartment).is_empty() {
        return Some(MoveReason::Occupied);
    }
    match dice.below(if picky { 25 } else { 1_000_000 }) {
        0 => Some(MoveReason::Dirty),
        1 => Some(MoveReason::TooSmall),
        2 => Some(MoveReason::OutOfReach),
        _ => None,
    }
}
