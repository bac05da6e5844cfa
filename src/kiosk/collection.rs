//! Pages of a collection or a take-back: digits, second factor, what a scan was, took everything, done.

use maud::{Markup, html};
use office_protocol::CabinetId;
use office_protocol::event::{Complaint, SecondFactorKind};

use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{DONE_SIGN, Look, Pad, Page, button};
use super::past::refusal_message;
use crate::cabinet::screen::{Action, Done, DoorWork, ScanProblem};
use crate::cabinet::vocabulary::Monotonic;

pub(super) fn enter_digits(
    page: &Page<'_>,
    length: u8,
    wrong: bool,
    wait_until: Option<Monotonic>,
) -> Markup {
    let groups = if length > 8 { "4-4-4" } else { "4-4" };
    let pad = Pad {
        sends: "digits",
        min: length,
        max: length,
        groups,
        masked: false,
        wait_until,
    };
    let hints = html! {
        @if wrong { (page.warning(page.say(M::WrongDigits))) }
        @if length > 8 && !wrong && wait_until.is_none() { p { (page.say(M::TwelveWhy)) } }
        (waiting(page, M::WaitTry, wait_until))
    };
    page.keypad(&pad, &page.fill(M::EnterDigits, length), &hints, &html! {})
}

pub(super) fn enter_second_factor(
    page: &Page<'_>,
    kind: SecondFactorKind,
    wrong: bool,
    wait_until: Option<Monotonic>,
) -> Markup {
    let hints = html! {
        @if wrong { (page.warning(page.say(if kind == SecondFactorKind::Pass { M::WrongPass } else { M::WrongDigits }))) }
        (waiting(page, M::WaitPin, wait_until))
    };
    let title = match kind {
        SecondFactorKind::Phone => M::SecondPhone,
        SecondFactorKind::Receipt => M::SecondReceipt,
        SecondFactorKind::Pass => {
            return html! {
                div.middle { h1.big { (page.say(M::SecondPass)) } (hints) }
                (actions(&page.back()))
            };
        }
    };
    let pad = Pad {
        sends: "digits",
        min: 4,
        max: 4,
        groups: "4",
        masked: false,
        wait_until,
    };
    page.keypad(&pad, page.say(title), &hints, &html! {})
}

/// How long to wait before the next try, counted down by the page.
pub(super) fn waiting(page: &Page<'_>, message: M, wait_until: Option<Monotonic>) -> Markup {
    let Some(left) = page.seconds_until(wait_until) else {
        return html! {};
    };
    let (before, after) = page
        .say(message)
        .split_once("{}")
        .unwrap_or((page.say(message), ""));
    html! { p.waiting { (before) strong data-left=(left) { (left) } (after) } }
}

pub(super) fn scan_problem(page: &Page<'_>, problem: &ScanProblem) -> Markup {
    let text = match problem {
        ScanProblem::Elsewhere(cabinets) => {
            let names: Vec<&str> = cabinets.iter().map(CabinetId::as_str).collect();
            page.fill(M::ScanElsewhereAt, names.join(page.say(M::Or)))
        }
        ScanProblem::Pass(refusal) => page.say(refusal_message(*refusal)).to_owned(),
        ScanProblem::Unreadable => page.say(M::ScanUnreadable).to_owned(),
        ScanProblem::NotOurs => page.say(M::ScanNotOurs).to_owned(),
        ScanProblem::UnknownCode => page.say(M::ScanUnknown).to_owned(),
        ScanProblem::AlreadyCollected => page.say(M::ScanCollected).to_owned(),
        ScanProblem::NotInside => page.say(M::ScanNotInside).to_owned(),
        ScanProblem::UnknownStaff => page.say(M::ScanUnknownStaff).to_owned(),
        ScanProblem::NoRoom => page.say(M::ScanNoRoom).to_owned(),
        ScanProblem::Busy => page.say(M::ScanBusy).to_owned(),
    };
    html! {
        div.middle {
            h1 { (page.say(M::ScanTitle)) }
            (page.warning(&text))
            p { (page.call()) }
            @if let Some(reference) = &page.view.reference { p { (page.fill(M::Reference, reference)) } }
        }
        (actions(&button(Look::Primary, page.say(M::Back), &Action::Back)))
    }
}

pub(super) fn took_everything(page: &Page<'_>, work: &DoorWork, more: u16) -> Markup {
    let problem = complaints(page, &[Complaint::Empty, Complaint::Wrong, Complaint::Damaged]);
    html! {
        div.pair {
            (page.door(work.compartment, false))
            div {
                h1.big { (page.say(M::TookEverything)) }
                @if more > 0 { p { (page.fill(M::MoreDoors, more)) } }
            }
        }
        (actions(&html! {
            (problem.button)
            (page.button(Look::Plain, M::Reopen, &Action::Reopen))
            (page.button(Look::Primary, M::TookYes, &Action::Yes))
        }))
        (problem.sheet)
    }
}

/// A button and sheet to say what is wrong.
pub(super) fn complaints(page: &Page<'_>, complaints: &[Complaint]) -> super::parts::Sheet {
    let choices = html! {
        @for complaint in complaints {
            @let label = match complaint {
                Complaint::Empty => M::ComplaintEmpty,
                Complaint::Wrong => M::ComplaintWrong,
                Complaint::Damaged => M::ComplaintDamaged,
                Complaint::Foreign => M::ComplaintForeign,
            };
            (page.button(Look::Tile, label, &Action::Complain { complaint: *complaint }))
        }
    };
    page.sheet(
        "complain",
        Look::Plain,
        M::SomethingWrong,
        M::WhatIsWrong,
        &choices,
    )
}

pub(super) fn done(page: &Page<'_>, done: Done, more: u16) -> Markup {
    let (title, hint) = match done {
        Done::Collected => (M::Collected, M::CollectedHint),
        Done::TakenBack => (M::TakenBack, M::TakenBackHint),
        Done::NothingPutIn => (M::NothingPutIn, M::NothingPutInHint),
        Done::ComplaintNoted => (M::ComplaintNoted, M::ComplaintNotedHint),
    };
    html! {
        div.middle {
            h1.big { (DONE_SIGN) " " (page.say(title)) }
            p { (page.say(hint)) }
            @if done == Done::ComplaintNoted {
                @if let Some(reference) = &page.view.reference { p { (page.fill(M::Reference, reference)) } }
            }
            @if more == 0 { p { (page.say(M::RateTitle)) } (stars(page)) }
        }
        (actions(&html! {
            @if more > 0 {
                (finish(page, Look::Plain))
                (button(Look::Primary, page.fill(M::NextDoor, more), &Action::Next))
            } @else {
                (finish(page, Look::Primary))
            }
        }))
    }
}

/// One to five, in a row.
pub(super) fn stars(page: &Page<'_>) -> Markup {
    html! {
        div.stars {
            @for stars in 1..=5_u8 {
                button.button.plain.star type="button" aria-label=(page.fill(M::Stars, stars))
                    data-tap=(super::parts::tap(&Action::Rate { stars })) { (stars) span { "★" } }
            }
        }
    }
}
