//! The technician's page: every compartment, with what may be done to each.

use maud::{Markup, html};
use office_protocol::event::WithdrawReason;
use office_protocol::state::BoardRefusal;

use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{Look, Page, Sheet, button};
use crate::cabinet::screen::{Action, BoardRow, CompartmentRow};

pub(super) fn compartments(page: &Page<'_>, rows: &[CompartmentRow], boards: &[BoardRow]) -> Markup {
    let replacing = replacing(page, boards);
    html! {
        h1 { (page.say(M::Compartments)) }
        div.grid {
            @for row in rows {
                button.button.tile.compartment type="button" data-show={ "compartment-" (row.compartment) } {
                    strong { (row.compartment) " " small { (page.size(row.size)) } }
                    span { (state(page, row)) }
                }
            }
        }
        (actions(&html! { (replacing.button) (finish(page, Look::Plain)) }))
        (replacing.sheet)
        @for row in rows {
            @let id = format!("compartment-{}", row.compartment);
            @let title = format!("{} · {}", page.fill(M::Door, row.compartment), state(page, row));
            (page.sheet_over(&id, &title, &choices(page, row)))
        }
    }
}

/// Which board another one hangs in place of.
fn replacing(page: &Page<'_>, boards: &[BoardRow]) -> Sheet {
    let choices = html! {
        @for row in boards {
            (button(Look::Tile, board(page, row), &Action::ReplaceBoard { board: row.board }))
        }
    };
    page.sheet(
        "boards",
        Look::Plain,
        M::ReplaceBoard,
        M::ReplaceBoardWhich,
        &choices,
    )
}

/// What a board is called, and whether anybody at its cable can open its doors.
pub(super) fn board(page: &Page<'_>, row: &BoardRow) -> String {
    let wire = if row.protected {
        M::WireProtected
    } else {
        M::WireUnprotected
    };
    let why = match row.refusal {
        Some(BoardRefusal::UnknownKey) => M::BoardUnknownKey,
        Some(BoardRefusal::NoCommonVersion) => M::BoardOtherVersion,
        None => M::StateUnreachable,
    };
    let lost = if row.lost {
        format!(" · {}", page.say(why))
    } else {
        String::new()
    };
    let (name, wire) = (page.fill(M::BoardCalled, row.board), page.say(wire));
    format!("{name} · {wire}{lost}")
}

/// The worst that is known of it, and whether it stands open.
fn state(page: &Page<'_>, row: &CompartmentRow) -> String {
    let door = match row.open {
        Some(true) => M::StateOpen,
        Some(false) => M::StateClosed,
        None => M::StateUnknown,
    };
    let duty = match row {
        CompartmentRow {
            unreachable: true, ..
        } => M::StateUnreachable,
        CompartmentRow {
            withdrawn: Some(_), ..
        } => M::StateWithdrawn,
        CompartmentRow { proven: false, .. } => M::StateUnproven,
        CompartmentRow { unexpected: true, .. } => M::StateUnexpected,
        CompartmentRow { occupied: true, .. } => M::StateOccupied,
        CompartmentRow { occupied: false, .. } => M::StateFree,
    };
    if row.unreachable || row.withdrawn.is_some() || !row.proven || row.unexpected {
        format!("⚠ {}", page.say(duty))
    } else {
        format!("{} · {}", page.say(duty), page.say(door))
    }
}

fn choices(page: &Page<'_>, row: &CompartmentRow) -> Markup {
    let compartment = row.compartment;
    html! {
        (page.button(Look::Tile, M::OpenDoor, &Action::OpenThis { compartment }))
        @if let Some(reason) = row.withdrawn {
            (button(Look::Tile, page.say(M::ReturnToService), &Action::ReturnToService { compartment }))
            p { (page.fill(M::WithdrawFor, page.say(reason_message(reason)))) }
        } @else {
            @for reason in [WithdrawReason::Dirty, WithdrawReason::Broken, WithdrawReason::Occupied, WithdrawReason::Ordered] {
                @let label = page.fill(M::WithdrawFor, page.say(reason_message(reason)));
                (button(Look::Tile, label, &Action::Withdraw { compartment, reason }))
            }
        }
    }
}

pub(super) const fn reason_message(reason: WithdrawReason) -> M {
    match reason {
        WithdrawReason::Dirty => M::Dirty,
        WithdrawReason::Broken => M::Broken,
        WithdrawReason::Occupied => M::OccupiedShort,
        WithdrawReason::Ordered => M::Ordered,
    }
}
