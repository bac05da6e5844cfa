//! Vandals: guess, show noise and forgeries, touch at random, force doors and leave them open.

// A vandal does not care what the screen shows.
#![allow(clippy::wildcard_enum_match_arm)]

use hardware::Hand;
use lockerd::cabinet::screen::{Action, Screen};
use office_protocol::CompartmentId;
use office_protocol::event::{Complaint, MoveReason, Size, WithdrawReason};

use super::{Move, Sight};
use crate::simulation::bench::Thing;
use crate::simulation::dice::Dice;

/// What a vandal has against the cabinet.
pub(in crate::simulation) struct Vandal {
    /// Codes that are noise, forged, used up, or of another cabinet.
    pub(in crate::simulation) texts: Vec<String>,
    pub(in crate::simulation) forces: bool,
}

impl Vandal {
    pub(super) fn act(&mut self, sight: &Sight<'_>, hands: &mut Vec<Move>, dice: &mut Dice) -> Option<Move> {
        if matches!(
            sight.view.screen,
            Screen::EnterDigits { .. } | Screen::EnterPin { .. } | Screen::EnterSecondFactor { .. }
        ) && dice.percent(80)
        {
            let length = match &sight.view.screen {
                Screen::EnterDigits { length, .. } => usize::from(*length),
                _other => 4,
            };
            return Some(Move::Tap(Action::Digits {
                digits: dice.digits(length),
            }));
        }
        Some(match dice.below(12) {
            0 => Move::ScanNoise,
            1..4 => Move::Scan(dice.pick(&self.texts)?.clone()),
            4 | 5 if self.forces => {
                let door = *dice.pick(&sight.bench.compartments())?;
                let deed = *dice.pick(&[Hand::TakeOut, Hand::PutIn, Hand::Close])?;
                if dice.percent(60) {
                    hands.push(Move::Hand(door, deed, Some(Thing::Foreign)));
                }
                Move::Hand(door, Hand::Force, None)
            }
            6 => Move::StaleTap(anything(dice)?),
            7 if dice.percent(20) => Move::Leave,
            8 => Move::Tap(Action::StartCollection),
            _ => Move::Tap(anything(dice)?),
        })
    }
}

/// Any touch, whether the screen has it or not.
fn anything(dice: &mut Dice) -> Option<Action> {
    let compartment = CompartmentId(u16::try_from(dice.between(0, 20)).ok()?);
    let all = [
        Action::Help,
        Action::Back,
        Action::Done,
        Action::StartCollection,
        Action::StartDropOff,
        Action::ChooseItem {
            item: "permit".parse().ok()?,
        },
        Action::Phone {
            phone: dice.digits(11),
        },
        Action::SkipPhone,
        Action::ChooseSize { size: Size::Large },
        Action::Accept { reachable: true },
        Action::DoorIsOpen {
            open: dice.percent(50),
        },
        Action::DoorIsClosed,
        Action::AnotherDoor {
            reason: MoveReason::Dirty,
        },
        Action::Yes,
        Action::No,
        Action::Reopen,
        Action::Complain {
            complaint: Complaint::Foreign,
        },
        Action::Another,
        Action::Next,
        Action::Rate { stars: 0 },
        Action::MoreTime,
        Action::StartClearing,
        Action::OpenNext,
        Action::OpenThis { compartment },
        Action::UndoLast,
        Action::EndRound,
        Action::Foreign,
        Action::Withdraw {
            compartment,
            reason: WithdrawReason::Ordered,
        },
        Action::ReturnToService { compartment },
        Action::Digits {
            digits: dice.digits(8),
        },
    ];
    dice.pick(&all).cloned()
}
