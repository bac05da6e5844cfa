//! Citizens: handing in, taking back, collecting.

// A person reacts to the screens that matter to the errand; any other is somebody else's.
#![allow(clippy::wildcard_enum_match_arm)]

use hardware::Hand;
use lockerd::cabinet::screen::{Action, DropOffs, Screen};
use office_protocol::event::{Complaint, SecondFactorKind, Size, VisitPurpose};

use super::{Letter, Move, Second, Sight, Slip, is_it_open, pull, say_closed, take_out, unfit};
use crate::simulation::bench::Thing;
use crate::simulation::dice::Dice;
use crate::simulation::office::ITEMS;

/// Hands something in.
pub(in crate::simulation) struct DroppingOff {
    pub(in crate::simulation) pass: Option<String>,
    pub(in crate::simulation) phone: Option<String>,
    pub(in crate::simulation) slip: Option<Slip>,
    pub(in crate::simulation) served: bool,
    tried: u8,
}

impl DroppingOff {
    pub(in crate::simulation) fn new(pass: Option<String>, phone: Option<String>) -> Self {
        Self {
            pass,
            phone,
            slip: None,
            served: false,
            tried: 0,
        }
    }

    pub(super) fn act(
        &mut self,
        sight: &Sight<'_>,
        careful: bool,
        hands: &mut Vec<Move>,
        dice: &mut Dice,
    ) -> Option<Move> {
        Some(match &sight.view.screen {
            Screen::Home { .. } if self.served || self.tried > 3 => Move::Leave,
            Screen::Home { drop_offs } => {
                self.tried += 1;
                match (&self.pass, drop_offs) {
                    (Some(pass), _) => Move::Scan(pass.clone()),
                    (None, DropOffs::Open) => Move::Tap(Action::StartDropOff),
                    (None, DropOffs::Closed { .. }) => Move::Leave,
                }
            }
            Screen::ChooseItem => Move::Tap(Action::ChooseItem {
                item: dice.pick(&ITEMS)?.0.parse().ok()?,
            }),
            Screen::EnterPhone { again, .. } => match &self.phone {
                Some(phone) if *again && dice.percent(15) => Move::Tap(Action::Phone {
                    phone: format!("{phone}0"),
                }),
                Some(phone) => Move::Tap(Action::Phone { phone: phone.clone() }),
                None => Move::Tap(Action::SkipPhone),
            },
            Screen::Checklist {
                choose_size: true, ..
            } if dice.percent(15) => Move::Tap(Action::ChooseSize {
                size: *dice.pick(&[Size::Small, Size::Medium, Size::Large])?,
            }),
            Screen::Checklist { .. } => Move::Tap(Action::Accept {
                reachable: dice.percent(20),
            }),
            Screen::Slip {
                qr, digits, second, ..
            } => {
                let second = match (second, &self.pass, &self.phone) {
                    (SecondFactorKind::Pass, Some(pass), _) => Some(Second::Pass(pass.clone())),
                    (SecondFactorKind::Phone, _, Some(phone)) => {
                        Some(Second::Digits(phone[phone.len().saturating_sub(4)..].to_owned()))
                    }
                    _ => None,
                };
                self.slip = Some(Slip {
                    qr: qr.clone(),
                    digits: digits.clone(),
                    second,
                });
                Move::Tap(Action::Accept { reachable: false })
            }
            Screen::Opening(work) if work.purpose == VisitPurpose::DropOff => pull(work, dice),
            Screen::IsDoorOpen(work) if work.purpose == VisitPurpose::DropOff => {
                is_it_open(work, sight, careful, dice)
            }
            Screen::DoorOpen {
                work,
                reminder,
                envelope,
                ..
            } if work.purpose == VisitPurpose::DropOff => {
                let (door, own) = (
                    work.compartment,
                    Thing::Consignment(work.consignment.as_ref()?.to_string()),
                );
                if !sight.bench.is_open(door) {
                    return Some(say_closed(*reminder));
                }
                if sight.bench.contents(door).contains(&own) {
                    return Some(Move::Hand(door, Hand::Close, None));
                }
                if let Some(reason) = unfit(sight, door, !careful, dice) {
                    hands.push(Move::Hand(door, Hand::Close, None));
                    return Some(Move::Tap(Action::AnotherDoor { reason }));
                }
                if !envelope && dice.percent(20) {
                    return Some(Move::Scan(format!("ENVELOPE-{}", dice.below(1_000))));
                }
                if !careful && dice.percent(10) {
                    return Some(Move::Hand(door, Hand::Close, None)); // forgot to put it in
                }
                if dice.percent(90) {
                    hands.push(Move::Hand(door, Hand::Close, None));
                }
                Move::Hand(door, Hand::PutIn, Some(own))
            }
            Screen::IsItInside(work) if work.purpose == VisitPurpose::DropOff => {
                let own = Thing::Consignment(work.consignment.as_ref()?.to_string());
                let inside = sight.bench.contents(work.compartment).contains(&own);
                let answer = match (inside, dice.below(20)) {
                    (_, 0) => Action::Reopen,
                    (true, _) => Action::Yes,
                    (false, 1..8) => Action::Reopen,
                    (false, _) if careful || dice.percent(70) => Action::No,
                    (false, _) => Action::Yes,
                };
                Move::Tap(answer)
            }
            Screen::Receipt { second, more, .. } => {
                self.served = true;
                if let (Some(digits), Some(slip)) = (second, &mut self.slip) {
                    slip.second = Some(Second::Digits(digits.clone()));
                }
                match dice.below(4) {
                    0..2 if *more > 0 => Move::Tap(Action::Another),
                    2 => Move::Tap(Action::Rate { stars: 5 }),
                    _ => Move::Tap(Action::Done),
                }
            }
            Screen::Done { .. } | Screen::Sorry { .. } | Screen::ScanProblem(_) => {
                self.served |= dice.percent(40);
                Move::Tap(Action::Done)
            }
            _ => return None,
        })
    }
}

/// Takes back what was handed in.
pub(in crate::simulation) struct TakingBack {
    slip: Slip,
    tried: u8,
}

impl TakingBack {
    pub(in crate::simulation) fn new(slip: Slip) -> Self {
        Self { slip, tried: 0 }
    }

    pub(super) fn act(
        &mut self,
        sight: &Sight<'_>,
        careful: bool,
        hands: &mut Vec<Move>,
        dice: &mut Dice,
    ) -> Option<Move> {
        Some(match &sight.view.screen {
            Screen::Home { .. } if self.tried > 2 => Move::Leave,
            Screen::Home { .. } => {
                self.tried += 1;
                if dice.percent(50) {
                    Move::Scan(self.slip.qr.clone())
                } else {
                    Move::Tap(Action::StartCollection)
                }
            }
            Screen::EnterDigits { length, .. } if *length > 8 => Move::Scan(self.slip.qr.clone()),
            Screen::EnterDigits { .. } => type_digits(&self.slip.digits, careful, dice),
            Screen::EnterSecondFactor { wait_until, .. } => match &self.slip.second {
                _ if wait_until.is_some_and(|until| until.as_millis() > sight.now) => Move::Wait,
                Some(Second::Pass(pass)) => Move::Scan(pass.clone()),
                Some(Second::Digits(digits)) => type_digits(digits, careful, dice),
                None => Move::Tap(Action::Digits {
                    digits: dice.digits(4),
                }),
            },
            Screen::Opening(work) if work.purpose == VisitPurpose::TakeBack => pull(work, dice),
            Screen::IsDoorOpen(work) if work.purpose == VisitPurpose::TakeBack => {
                is_it_open(work, sight, careful, dice)
            }
            Screen::DoorOpen { work, reminder, .. } if work.purpose == VisitPurpose::TakeBack => {
                if !sight.bench.is_open(work.compartment) {
                    return Some(say_closed(*reminder));
                }
                take_out(work.compartment, hands)
            }
            Screen::TookEverything { work, .. } if work.purpose == VisitPurpose::TakeBack => {
                self.tried = 9;
                if sight.bench.contents(work.compartment).is_empty() {
                    Move::Tap(Action::Yes)
                } else {
                    Move::Tap(Action::Reopen)
                }
            }
            Screen::Done { .. } | Screen::Sorry { .. } | Screen::ScanProblem(_) => Move::Tap(Action::Done),
            _ => return None,
        })
    }
}

/// Collects what was placed.
pub(in crate::simulation) struct Collecting {
    letter: Letter,
    /// The office's pass for somebody else, or for a lost code.
    pass: Option<String>,
    tried: u8,
}

impl Collecting {
    pub(in crate::simulation) fn new(letter: Letter, pass: Option<String>) -> Self {
        Self {
            letter,
            pass,
            tried: 0,
        }
    }

    pub(super) fn act(
        &mut self,
        sight: &Sight<'_>,
        careful: bool,
        hands: &mut Vec<Move>,
        dice: &mut Dice,
    ) -> Option<Move> {
        let code = &self.letter.code;
        Some(match &sight.view.screen {
            Screen::Home { .. } if self.tried > 2 => Move::Leave,
            Screen::Home { .. } => {
                self.tried += 1;
                match &self.pass {
                    Some(pass) => Move::Scan(pass.clone()),
                    None if dice.percent(50) => Move::Scan(code.qr.clone()),
                    None => Move::Tap(Action::StartCollection),
                }
            }
            Screen::EnterDigits { wait_until, .. }
                if wait_until.is_some_and(|until| until.as_millis() > sight.now) =>
            {
                if dice.percent(50) {
                    Move::Scan(code.qr.clone())
                } else {
                    Move::Wait
                }
            }
            Screen::EnterDigits { length, .. } if *length > 8 => {
                type_digits(&format!("{}{}", code.digits, code.spare), careful, dice)
            }
            Screen::EnterDigits { .. } => type_digits(&code.digits, careful, dice),
            Screen::Opening(work) if work.purpose == VisitPurpose::Collection => pull(work, dice),
            Screen::IsDoorOpen(work) if work.purpose == VisitPurpose::Collection => {
                is_it_open(work, sight, careful, dice)
            }
            Screen::DoorOpen { work, reminder, .. } if work.purpose == VisitPurpose::Collection => {
                let inside = sight.bench.contents(work.compartment);
                let own = Thing::Consignment(work.consignment.as_ref()?.to_string());
                if !sight.bench.is_open(work.compartment) {
                    return Some(say_closed(*reminder));
                }
                if !inside.contains(&own) {
                    hands.push(Move::Tap(Action::Complain {
                        complaint: if inside.is_empty() {
                            Complaint::Empty
                        } else {
                            Complaint::Wrong
                        },
                    }));
                    return Some(Move::Hand(work.compartment, Hand::Close, None));
                }
                take_out(work.compartment, hands)
            }
            Screen::TookEverything { work, .. } if work.purpose == VisitPurpose::Collection => {
                self.tried = 9;
                match (sight.bench.contents(work.compartment).is_empty(), dice.below(10)) {
                    (true, 1..) => Move::Tap(Action::Yes),
                    (_, 0) if dice.percent(30) => Move::Wait,
                    _ => Move::Tap(Action::Reopen),
                }
            }
            Screen::Done { more, .. } if *more > 0 && dice.percent(80) => Move::Tap(Action::Next),
            Screen::Done { .. } if dice.percent(20) => Move::Tap(Action::Rate { stars: 4 }),
            Screen::Done { .. } | Screen::Sorry { .. } | Screen::ScanProblem(_) => Move::Tap(Action::Done),
            _ => return None,
        })
    }
}

/// Types digits, now and then wrongly.
fn type_digits(digits: &str, careful: bool, dice: &mut Dice) -> Move {
    let wrong = dice.percent(if careful { 5 } else { 30 });
    let digits = if wrong {
        dice.digits(digits.len())
    } else {
        digits.to_owned()
    };
    Move::Tap(Action::Digits { digits })
}
