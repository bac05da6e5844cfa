//! Staff: couriers who clear, place, recall and look; technicians who put compartments back into service.

// A person reacts to the screens that matter to the errand; any other is somebody else's.
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeSet;

use hardware::Hand;
use lockerd::cabinet::screen::{Action, Commissioning, DoorWork, Screen, Writing};
use office_protocol::CompartmentId;
use office_protocol::event::{Complaint, Size, VisitPurpose, WithdrawReason};

use super::{Move, Sight, is_it_open, pull, say_closed, take_out, unfit};
use crate::simulation::bench::Thing;
use crate::simulation::dice::Dice;
use crate::simulation::office::PIN;

/// Empties and fills.
pub(in crate::simulation) struct Courier {
    pub(in crate::simulation) credential: String,
    /// Labels of what is on the cart.
    pub(in crate::simulation) labels: Vec<String>,
    /// Consignments taken into the bag.
    done: BTreeSet<&'static str>,
    tried: u8,
}

impl Courier {
    pub(in crate::simulation) fn new(credential: String, labels: Vec<String>) -> Self {
        Self {
            credential,
            labels,
            done: BTreeSet::new(),
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
            Screen::Home { .. } if self.tried > 3 || self.done.contains("all") => Move::Leave,
            Screen::Home { .. } => {
                self.tried += 1;
                Move::Scan(self.credential.clone())
            }
            Screen::EnterPin { wait_until, .. } => type_pin(*wait_until, sight, careful, dice),
            Screen::StaffHome {
                to_clear,
                to_recall,
                unconfirmed,
                to_prove,
                ..
            } => {
                let labels = u16::try_from(self.labels.len()).unwrap_or(u16::MAX);
                let all = [
                    ("inspect", *unconfirmed, Action::StartInspection),
                    ("clear", *to_clear, Action::StartClearing),
                    ("recall", *to_recall, Action::StartRecall),
                    ("prove", *to_prove, Action::StartProving),
                    ("place", labels, Action::StartPlacing),
                ];
                let next = all
                    .into_iter()
                    .find(|(name, count, _)| *count > 0 && self.done.insert(name));
                match next {
                    Some((_, _, action)) => Move::Tap(action),
                    None => {
                        self.done.insert("all");
                        Move::Tap(Action::Done)
                    }
                }
            }
            Screen::Round { rows, .. } => match dice.pick(rows) {
                None => Move::Tap(Action::EndRound),
                Some(_) if !careful && dice.percent(10) => Move::Tap(Action::EndRound),
                Some(row) if dice.percent(20) => Move::Tap(Action::OpenThis {
                    compartment: row.compartment,
                }),
                Some(_) => Move::Tap(Action::OpenNext),
            },
            Screen::PlacingScan { last, refused, .. } => {
                if refused.is_some() && dice.percent(70) {
                    self.labels.pop();
                }
                match self.labels.last() {
                    _ if last.is_some() && dice.percent(15) => Move::Tap(Action::UndoLast),
                    Some(label) => Move::Scan(label.clone()),
                    None => Move::Tap(Action::EndRound),
                }
            }
            Screen::PlacingSize { .. } => Move::Tap(Action::ChooseSize {
                size: *dice.pick(&[Size::Small, Size::Small, Size::Medium, Size::Large])?,
            }),
            Screen::Opening(work) => pull(work, dice),
            Screen::IsDoorOpen(work) => is_it_open(work, sight, careful, dice),
            Screen::DoorOpen { work, reminder, .. } => {
                self.at_the_door(work, *reminder, sight, careful, hands, dice)?
            }
            Screen::IsItInside(work) => {
                let own = Thing::Consignment(work.consignment.as_ref()?.to_string());
                let inside = sight.bench.contents(work.compartment).contains(&own);
                Move::Tap(if inside { Action::Yes } else { Action::No })
            }
            Screen::TookEverything { work, .. } => {
                let empty = sight.bench.contents(work.compartment).is_empty();
                Move::Tap(if empty { Action::Yes } else { Action::Reopen })
            }
            Screen::WhichDoor { work, .. } => which_door(work, sight),
            Screen::WhatIsInside { work } => what_is_inside(work, sight),
            Screen::Done { .. } | Screen::Sorry { .. } | Screen::ScanProblem(_) => Move::Tap(Action::Done),
            _ => return None,
        })
    }

    fn at_the_door(
        &mut self,
        work: &DoorWork,
        reminder: u8,
        sight: &Sight<'_>,
        careful: bool,
        hands: &mut Vec<Move>,
        dice: &mut Dice,
    ) -> Option<Move> {
        let door = opened(work, sight);
        if !sight.bench.is_open(door) {
            return Some(say_closed(reminder));
        }
        let own = work
            .consignment
            .as_ref()
            .map(|id| Thing::Consignment(id.to_string()));
        let inside = sight.bench.contents(door);
        Some(match work.purpose {
            VisitPurpose::Placing => {
                let own = own?;
                if inside.contains(&own) {
                    // Undoing, or the door would not close at once.
                    if dice.percent(50) {
                        return Some(Move::Hand(door, Hand::Close, None));
                    }
                    return Some(take_out(door, hands));
                }
                if let Some(reason) = unfit(sight, door, !careful, dice) {
                    hands.push(Move::Hand(door, Hand::Close, None));
                    return Some(Move::Tap(Action::AnotherDoor { reason }));
                }
                self.labels
                    .retain(|label| Thing::Consignment(label.clone()) != own);
                hands.push(Move::Hand(door, Hand::Close, None));
                Move::Hand(door, Hand::PutIn, Some(own))
            }
            VisitPurpose::Clearing | VisitPurpose::Recall => {
                let other = own.is_some_and(|own| !inside.contains(&own));
                let complains = inside.is_empty() || work.purpose == VisitPurpose::Clearing;
                if other && complains && (careful || dice.percent(50)) {
                    hands.push(Move::Tap(Action::Complain {
                        complaint: if inside.is_empty() {
                            Complaint::Empty
                        } else {
                            Complaint::Foreign
                        },
                    }));
                    return Some(Move::Hand(door, Hand::Close, None));
                }
                if work.purpose == VisitPurpose::Clearing && dice.percent(30) {
                    hands.push(Move::Scan(format!("ENVELOPE-{}", dice.below(1_000))));
                }
                take_out(door, hands)
            }
            VisitPurpose::Inspection
            | VisitPurpose::Proving
            | VisitPurpose::DropOff
            | VisitPurpose::TakeBack
            | VisitPurpose::Collection => Move::Hand(door, Hand::Close, None),
        })
    }
}

/// Proves locks, and puts back into service what was taken out of it.
pub(in crate::simulation) struct Technician {
    credential: String,
    proved: bool,
    replaces: bool,
    seen: BTreeSet<u16>,
    withdraws: bool,
    /// How often they try to have the wiring written that they found.
    writes: u8,
    reports: bool,
    tried: u8,
}

impl Technician {
    pub(in crate::simulation) fn new(
        credential: String,
        withdraws: bool,
        replaces: bool,
        reports: bool,
    ) -> Self {
        Self {
            credential,
            proved: false,
            replaces,
            seen: BTreeSet::new(),
            withdraws,
            writes: 4,
            reports,
            tried: 0,
        }
    }

    pub(super) fn act(&mut self, sight: &Sight<'_>, hands: &mut Vec<Move>) -> Option<Move> {
        Some(match &sight.view.screen {
            Screen::Home { .. } if self.tried > 2 => Move::Leave,
            Screen::Home { .. } => {
                self.tried += 1;
                Move::Scan(self.credential.clone())
            }
            Screen::EnterPin { wait_until, .. } => {
                if wait_until.is_some_and(|until| until.as_millis() > sight.now) {
                    Move::Wait
                } else {
                    Move::Tap(Action::Digits { digits: PIN.into() })
                }
            }
            Screen::StaffHome { to_prove: 1.., .. } if !self.proved => {
                self.proved = true;
                Move::Tap(Action::StartProving)
            }
            Screen::Round { rows, .. } if rows.is_empty() => Move::Tap(Action::EndRound),
            Screen::Round { .. } => Move::Tap(Action::OpenNext),
            Screen::WhichDoor { work, .. } => which_door(work, sight),
            Screen::StaffHome { rewired, .. } if self.reports || (*rewired > 0 && self.writes > 0) => {
                Move::Tap(Action::ShowCommissioning)
            }
            Screen::Commissioning(at) => self.commission(at),
            Screen::StaffHome { .. } if self.tried > 8 => Move::Tap(Action::Done),
            Screen::StaffHome { .. } => Move::Tap(Action::StartInspection),
            Screen::Compartments { rows, boards } => {
                if std::mem::take(&mut self.replaces)
                    && let Some(board) = boards.first().map(|row| row.board)
                {
                    self.proved = false;
                    return Some(Move::Tap(Action::ReplaceBoard { board }));
                }
                let withdrawn = rows.iter().find(|row| row.withdrawn.is_some());
                match withdrawn {
                    Some(row) if row.occupied || !self.seen.insert(row.compartment.0) => {
                        if row.occupied && self.seen.contains(&(row.compartment.0 | 0x8000)) {
                            self.tried = 9;
                            return Some(Move::Tap(Action::Done));
                        }
                        self.seen.insert(row.compartment.0 | 0x8000);
                        Move::Tap(Action::ReturnToService {
                            compartment: row.compartment,
                        })
                    }
                    Some(row) => Move::Tap(Action::OpenThis {
                        compartment: row.compartment,
                    }),
                    None if self.withdraws => {
                        self.withdraws = false;
                        Move::Tap(Action::Withdraw {
                            compartment: rows.iter().find(|row| !row.occupied)?.compartment,
                            reason: WithdrawReason::Ordered,
                        })
                    }
                    None => {
                        self.tried = 9;
                        Move::Tap(Action::Done)
                    }
                }
            }
            Screen::Opening(_) => Move::Wait,
            Screen::IsDoorOpen(work) => {
                let door = opened(work, sight);
                let open = sight.bench.is_open(door);
                if open && work.purpose == VisitPurpose::Proving {
                    hands.push(Move::Hand(door, Hand::Close, None)); // its sensor will not tell
                }
                Move::Tap(Action::DoorIsOpen { open })
            }
            Screen::DoorOpen { work, reminder, .. } => {
                let door = opened(work, sight);
                if !sight.bench.is_open(door) {
                    return Some(say_closed(*reminder));
                }
                take_out(door, hands)
            }
            Screen::WhatIsInside { work } => what_is_inside(work, sight),
            Screen::Done { .. } | Screen::Sorry { .. } | Screen::ScanProblem(_) => Move::Tap(Action::Done),
            _ => return None,
        })
    }
}

impl Technician {
    fn commission(&mut self, at: &Commissioning) -> Move {
        let written = matches!(at.wiring, Some(Writing::Written(())));
        if matches!(at.report, Some(Writing::Begun)) || matches!(at.wiring, Some(Writing::Begun)) {
            Move::Wait
        } else if std::mem::take(&mut self.reports) {
            Move::Tap(Action::KeepReport)
        } else if !written && !at.rewired.is_empty() && self.writes > 0 {
            self.writes -= 1;
            Move::Tap(Action::WriteWiring)
        } else {
            Move::Tap(Action::Done)
        }
    }
}

/// The door that the screen names if that stands open, otherwise the one that the lock has opened.
fn opened(work: &DoorWork, sight: &Sight<'_>) -> CompartmentId {
    if sight.bench.is_open(work.compartment) {
        work.compartment
    } else {
        sight.bench.opens(work.compartment)
    }
}

/// Asked which door has opened: look, and say so.
fn which_door(work: &DoorWork, sight: &Sight<'_>) -> Move {
    let compartment = sight.bench.opens(work.compartment);
    Move::Tap(if sight.bench.is_open(compartment) {
        Action::OpenedDoor { compartment }
    } else {
        Action::No
    })
}

fn what_is_inside(work: &DoorWork, sight: &Sight<'_>) -> Move {
    let inside = sight.bench.contents(sight.bench.opens(work.compartment));
    let own = work
        .consignment
        .as_ref()
        .map(|id| Thing::Consignment(id.to_string()));
    let answer = match own {
        _ if inside.is_empty() => Action::Empty,
        Some(own) if inside.contains(&own) => Action::Inside,
        Some(_) | None => Action::Foreign,
    };
    Move::Tap(answer)
}

fn type_pin(
    wait_until: Option<lockerd::cabinet::vocabulary::Monotonic>,
    sight: &Sight<'_>,
    careful: bool,
    dice: &mut Dice,
) -> Move {
    if wait_until.is_some_and(|until| until.as_millis() > sight.now) {
        return Move::Wait;
    }
    let wrong = dice.percent(if careful { 3 } else { 15 });
    Move::Tap(Action::Digits {
        digits: if wrong { dice.digits(4) } else { PIN.into() },
    })
}
