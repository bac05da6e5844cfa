//! The technician's page on the commissioning: what is proven and what is open, the wiring that was found, and the signed report.

use maud::{Markup, html};
use office_protocol::CompartmentId;

use super::messages::Message as M;
use super::page::actions;
use super::parts::{DONE_SIGN, Look, Page};
use super::technician;
use crate::cabinet::screen::{Action, Commissioning, Writing};
use crate::cabinet::vocabulary::Unwritten;

pub(super) fn commissioning(page: &Page<'_>, at: &Commissioning) -> Markup {
    let proven = at.doors.saturating_sub(at.open.len() + at.rewired.len());
    let written = at.wiring == Some(Writing::Written(()));
    html! {
        h1 { (page.fill(M::CommissioningAt, format!("{proven} / {}", at.doors))) }
        div.list {
            @if proven == at.doors { p { (DONE_SIGN) " " (page.say(M::AllProven)) } }
            @if !at.rewired.is_empty() && !written { (page.warning(&page.fill(M::WiredOtherwise, doors(&at.rewired)))) }
            @match &at.wiring {
                None => {},
                Some(Writing::Begun) => p { (page.say(M::BeingWritten)) },
                Some(Writing::Written(())) => p { (DONE_SIGN) " " (page.say(M::WiringWritten)) },
                Some(Writing::Not(why)) => (not_written(page, why)),
            }
            @match &at.report {
                None => {},
                Some(Writing::Begun) => p { (page.say(M::BeingWritten)) },
                Some(Writing::Written(file)) => {
                    p { (DONE_SIGN) " " (page.say(M::ReportKept)) }
                    p.reference { (file) }
                },
                Some(Writing::Not(why)) => (not_written(page, why)),
            }
            @if !at.open.is_empty() { p { (page.fill(M::NotProven, doors(&at.open))) } }
            @for row in &at.boards { p { (technician::board(page, row)) } }
        }
        (actions(&html! {
            @if written {
                (page.button(Look::Plain, M::KeepReport, &Action::KeepReport))
                (page.button(Look::Primary, M::FinishAndRestart, &Action::Done))
            } @else {
                (page.button(Look::Plain, M::Back, &Action::Done))
                (page.button(Look::Plain, M::KeepReport, &Action::KeepReport))
                @if !at.rewired.is_empty() { (page.button(Look::Primary, M::WriteWiring, &Action::WriteWiring)) }
            }
        }))
    }
}

fn doors(all: &[CompartmentId]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// Nothing is lost; what to do, and where.
fn not_written(page: &Page<'_>, why: &Unwritten) -> Markup {
    let (advice, place) = match why {
        Unwritten::Protected { path } => (M::LetWrite, path),
        Unwritten::Unusable { problem } => (M::CorrectSettings, problem),
        Unwritten::Failed { problem } => (M::CheckDisk, problem),
    };
    html! {
        (page.warning(page.say(M::NotWritten)))
        p { (page.say(advice)) }
        p.reference { (place) }
    }
}
