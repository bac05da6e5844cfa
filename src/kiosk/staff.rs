//! Pages of staff: PIN, what there is to do, a round, placing, what is inside.

use maud::{Markup, html};
use office_protocol::event::{Size, StaffRole, VisitPurpose};
use office_protocol::{CompartmentId, ConsignmentId, StaffId};

use super::collection::waiting;
use super::drop_off::size_button;
use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{DONE_SIGN, Look, Pad, Page, tap};
use crate::cabinet::screen::{Action, DoorWork, LabelProblem, RoundRow};
use crate::cabinet::vocabulary::Monotonic;

pub(super) fn enter_pin(
    page: &Page<'_>,
    staff: &StaffId,
    wrong: bool,
    wait_until: Option<Monotonic>,
) -> Markup {
    let hints = html! {
        p.reference { (staff) }
        @if wrong { (page.warning(page.say(M::WrongPin))) }
        (waiting(page, M::WaitPin, wait_until))
    };
    let pad = Pad {
        sends: "digits",
        min: 4,
        max: 12,
        groups: "",
        masked: true,
        wait_until,
    };
    page.keypad(&pad, page.say(M::EnterPin), &hints, &html! {})
}

/// `counts`: to clear, to recall, in doubt, to prove, wired otherwise than the settings say. `free`: small, medium, large.
pub(super) fn home(
    page: &Page<'_>,
    staff: &StaffId,
    role: StaffRole,
    counts: [u16; 5],
    free: [u16; 3],
) -> Markup {
    let who = match role {
        StaffRole::Courier => M::Courier,
        StaffRole::Technician => M::Technician,
    };
    let [to_clear, to_recall, unconfirmed, to_prove, rewired] = counts;
    let sizes = [Size::Small, Size::Medium, Size::Large];
    let free: Vec<String> = sizes
        .iter()
        .zip(free)
        .map(|(size, n)| format!("{} {n}", page.size(*size)))
        .collect();
    let job = |label: M, count: Option<u16>, action: &Action| {
        html! {
            button.button.tile type="button" data-tap=(tap(action)) {
                (page.say(label)) @if let Some(count) = count { " " strong { (count) } }
            }
        }
    };
    html! {
        h1 { (page.fill(who, staff)) }
        p { (page.fill(M::FreeDoors, free.join(" · "))) }
        div.choices {
            @if role == StaffRole::Courier {
                (job(M::StaffClear, Some(to_clear), &Action::StartClearing))
                (job(M::StaffPlace, None, &Action::StartPlacing))
                (job(M::StaffRecall, Some(to_recall), &Action::StartRecall))
            }
            (job(M::StaffInspect, Some(unconfirmed), &Action::StartInspection))
            (job(M::StaffProve, Some(to_prove), &Action::StartProving))
            @if role == StaffRole::Technician {
                (job(M::Commissioning, (rewired > 0).then_some(rewired), &Action::ShowCommissioning))
            }
            (job(M::StaffLookUp, None, &Action::StartLookUp))
        }
        (actions(&finish(page, Look::Plain)))
    }
}

pub(super) fn round(page: &Page<'_>, purpose: VisitPurpose, rows: &[RoundRow], done: u16) -> Markup {
    let title = match purpose {
        VisitPurpose::Recall => M::RoundRecall,
        VisitPurpose::Inspection => M::RoundInspection,
        VisitPurpose::Proving => M::RoundProving,
        VisitPurpose::Clearing
        | VisitPurpose::DropOff
        | VisitPurpose::TakeBack
        | VisitPurpose::Placing
        | VisitPurpose::Collection => M::RoundClearing,
    };
    html! {
        h1 { (page.say(title)) " · " (page.fill(M::RoundRest, rows.len())) " · " (page.fill(M::RoundDone, done)) }
        @if purpose == VisitPurpose::Proving && !rows.is_empty() { p { (page.say(M::CloseAllDoors)) } }
        div.list {
            @if rows.is_empty() { p { (DONE_SIGN) " " (page.say(M::RoundEmpty)) } }
            @for row in rows {
                button.row type="button" data-tap=(tap(&Action::OpenThis { compartment: row.compartment })) {
                    strong { (row.compartment) }
                    span.what {
                        @if let Some(consignment) = &row.consignment { span { (consignment) } }
                        span { (page.local_time(row.since)) @if row.unconfirmed { " · ⚠ " (page.say(M::Unconfirmed)) } }
                    }
                }
            }
        }
        (actions(&html! {
            (page.button(Look::Plain, M::EndRound, &Action::EndRound))
            @if !rows.is_empty() { (page.button(Look::Primary, M::OpenNext, &Action::OpenNext)) }
        }))
    }
}

pub(super) fn placing_scan(
    page: &Page<'_>,
    last: Option<&(ConsignmentId, CompartmentId)>,
    done: u16,
    refused: Option<LabelProblem>,
) -> Markup {
    let refused = refused.map(|problem| match problem {
        LabelProblem::Unreadable => M::LabelUnreadable,
        LabelProblem::AlreadyInside => M::LabelInside,
        LabelProblem::NoRoom => M::LabelNoRoom,
        LabelProblem::DoorStuck => M::LabelDoorStuck,
    });
    html! {
        div.middle {
            h1.big { (page.say(M::ScanLabel)) }
            @if let Some(refused) = refused { (page.warning(page.say(refused))) }
            p { (page.fill(M::RoundDone, done)) }
            @if let Some((consignment, compartment)) = last {
                p.reference { (page.fill(M::LastPlaced, consignment)) }
                p { (page.fill(M::Door, compartment)) }
            }
        }
        (actions(&html! {
            @if last.is_some() { (page.button(Look::Plain, M::UndoLast, &Action::UndoLast)) }
            (page.button(Look::Primary, M::EndRound, &Action::EndRound))
        }))
    }
}

pub(super) fn placing_size(page: &Page<'_>, consignment: &ConsignmentId) -> Markup {
    html! {
        h1 { (page.say(M::HowLarge)) }
        p.reference { (consignment) }
        div.choices { @for size in [Size::Small, Size::Medium, Size::Large] { (size_button(page, size, false)) } }
        (actions(&page.back()))
    }
}

pub(super) fn what_is_inside(page: &Page<'_>, work: &DoorWork) -> Markup {
    html! {
        h1 { (page.fill(M::Door, work.compartment)) " · " (page.say(M::WhatIsInside)) }
        @if let Some(consignment) = &work.consignment { p.reference { (consignment) } }
        div.choices {
            (page.button(Look::Tile, M::InsideRight, &Action::Inside))
            (page.button(Look::Tile, M::InsideEmpty, &Action::Empty))
            (page.button(Look::Tile, M::InsideForeign, &Action::Foreign))
        }
        (actions(&page.button(Look::Plain, M::Reopen, &Action::Reopen)))
    }
}
