//! Pages of one door: opening, asked whether it is open, open, and when it did not work.

use maud::{Markup, html};
use office_protocol::event::{Complaint, MoveReason, VisitPurpose};

use super::collection::{complaints, waiting};
use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{Look, Page, Sheet};
use crate::cabinet::screen::{Action, DoorWork, Trouble};

pub(super) fn opening(page: &Page<'_>, work: &DoorWork) -> Markup {
    html! {
        div.pair.tall {
            (page.door(work.compartment, false))
            div { h1.big { (page.say(M::Opening)) } p { (page.say(M::OpeningHint)) } }
        }
    }
}

pub(super) fn lock_resting(page: &Page<'_>, work: &DoorWork) -> Markup {
    html! {
        div.pair.tall {
            (page.door(work.compartment, false))
            div { h1.big { (page.say(M::LockResting)) } (waiting(page, M::OpensIn, page.view.until)) }
        }
    }
}

pub(super) fn is_door_open(page: &Page<'_>, work: &DoorWork) -> Markup {
    html! {
        div.pair {
            (page.door(work.compartment, false))
            h1.big { (page.say(M::IsDoorOpen)) }
        }
        (actions(&html! {
            (page.button(Look::Plain, M::DoorShut, &Action::DoorIsOpen { open: false }))
            (page.button(Look::Primary, M::DoorOpened, &Action::DoorIsOpen { open: true }))
        }))
    }
}

pub(super) fn door_open(
    page: &Page<'_>,
    work: &DoorWork,
    reminder: u8,
    envelope: bool,
    item_seen: Option<bool>,
) -> Markup {
    let task = match work.purpose {
        VisitPurpose::DropOff => M::PutIn,
        VisitPurpose::Placing => M::PlaceIn,
        VisitPurpose::Collection => M::TakeOut,
        VisitPurpose::TakeBack => M::TakeBackOut,
        VisitPurpose::Clearing | VisitPurpose::Recall => M::ClearOut,
        VisitPurpose::Inspection => M::LookInside,
        VisitPurpose::Proving => M::CloseToProve,
    };
    let way_out = way_out(page, work.purpose);
    html! {
        div.pair data-alarm=(reminder) {
            (page.door(work.compartment, true))
            div.scroll {
                @match reminder {
                    0 => h1 { (page.say(M::DoorIsOpen)) },
                    1 => (page.warning(page.say(M::PleaseClose))),
                    2.. => div.loud { (page.warning(page.say(M::PleaseCloseNow))) },
                }
                p { (page.say(task)) }
                @if matches!(work.purpose, VisitPurpose::DropOff | VisitPurpose::Clearing) {
                    p { @if envelope { "✓ " (page.say(M::EnvelopeRead)) } @else { (page.say(M::ScanEnvelope)) } }
                }
                @match item_seen {
                    Some(true) => p { (page.say(M::SomethingInside)) },
                    Some(false) => p { (page.say(M::NothingInside)) },
                    None => {}
                }
            }
        }
        (actions(&html! {
            @if let Some(way_out) = &way_out { (way_out.button) }
            @if reminder > 0 { (page.button(Look::Primary, M::IHaveClosed, &Action::DoorIsClosed)) }
        }))
        @if let Some(way_out) = way_out { (way_out.sheet) }
    }
}

/// What somebody may say at an open door when it is not as it should be.
fn way_out(page: &Page<'_>, purpose: VisitPurpose) -> Option<Sheet> {
    match purpose {
        VisitPurpose::DropOff | VisitPurpose::Placing => {
            let reasons = [
                (M::Occupied, MoveReason::Occupied),
                (M::Dirty, MoveReason::Dirty),
                (M::TooSmall, MoveReason::TooSmall),
                (M::OutOfReach, MoveReason::OutOfReach),
            ];
            let choices = html! {
                @for (label, reason) in reasons { (page.button(Look::Tile, label, &Action::AnotherDoor { reason })) }
            };
            Some(page.sheet(
                "another",
                Look::Plain,
                M::AnotherDoor,
                M::AnotherDoorWhy,
                &choices,
            ))
        }
        VisitPurpose::Collection => Some(complaints(
            page,
            &[Complaint::Empty, Complaint::Wrong, Complaint::Damaged],
        )),
        VisitPurpose::Clearing | VisitPurpose::Recall => Some(complaints(
            page,
            &[
                Complaint::Empty,
                Complaint::Wrong,
                Complaint::Damaged,
                Complaint::Foreign,
            ],
        )),
        VisitPurpose::TakeBack | VisitPurpose::Inspection | VisitPurpose::Proving => None,
    }
}

pub(super) fn sorry(page: &Page<'_>, trouble: Trouble, work: Option<&DoorWork>) -> Markup {
    let text = match trouble {
        Trouble::DoorStuckInside => M::StuckInside,
        Trouble::DoorStuckNoOther => M::StuckNoOther,
        Trouble::Full => M::SorryFull,
        Trouble::DoorLeftOpen => M::LeftOpen,
        Trouble::TooManyUnverified => M::TooMany,
    };
    let reference = page.view.reference.clone();
    let reference = reference.or_else(|| work?.consignment.as_ref().map(ToString::to_string));
    html! {
        div.middle {
            h1 { (page.say(M::SorryTitle)) @if let Some(work) = work { " · " (page.fill(M::Door, work.compartment)) } }
            (page.warning(page.say(text)))
            p.phone { (page.call()) }
            @if let Some(reference) = reference { p { (page.fill(M::Reference, reference)) } }
        }
        (actions(&html! {
            (page.button(Look::Plain, M::HelpLabel, &Action::Help))
            (finish(page, Look::Primary))
        }))
    }
}
