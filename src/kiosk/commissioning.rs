//! The technician's page on the commissioning: what is proven and what is open, the wiring that was found, the signed
//! report, and new keys of lock boards.

use maud::{Markup, html};
use office_protocol::{BoardId, CompartmentId};

use super::messages::Message as M;
use super::page::actions;
use super::parts::{DONE_SIGN, Look, Page};
use super::technician;
use crate::cabinet::screen::{Action, Commissioning, KeyStep, Writing};
use crate::cabinet::vocabulary::{KeyProblem, Unwritten};

pub(super) fn commissioning(page: &Page<'_>, at: &Commissioning) -> Markup {
    let proven = at.doors.saturating_sub(at.open.len() + at.rewired.len());
    let written = at.wiring == Some(Writing::Written(()));
    html! {
        h1 { (page.fill(M::CommissioningAt, format!("{proven} / {}", at.doors))) }
        div.list {
            @if let Some((board, step)) = at.key { (key(page, board, step)) }
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
            @for row in &at.boards {
                p {
                    (technician::board(page, row))
                    @if row.protected {
                        " " (page.button(Look::Plain, M::InstallKey, &Action::InstallKey { board: row.board }))
                    }
                }
            }
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

/// What to do at the board, or what came of it.
fn key(page: &Page<'_>, board: BoardId, step: KeyStep) -> Markup {
    html! {
        @match step {
            KeyStep::Scan { mistaken } => {
                @if mistaken { (page.warning(page.say(M::NoBoardLabel))) }
                p { strong { (page.fill(M::ScanBoardLabel, board)) } }
            },
            KeyStep::Button => p { strong { (page.fill(M::HoldButton, board)) } },
            KeyStep::Installed => p { (DONE_SIGN) " " (page.fill(M::KeyInstalled, board)) },
            KeyStep::Failed(problem) => {
                (page.warning(&page.fill(M::NoNewKey, board)))
                p { (page.say(key_problem(problem))) }
            },
        }
    }
}

const fn key_problem(problem: KeyProblem) -> M {
    match problem {
        KeyProblem::Silent => M::KeySilent,
        KeyProblem::OtherBoard => M::KeyOtherBoard,
        KeyProblem::NotHeld => M::KeyNotHeld,
        KeyProblem::NotKept => M::CheckDisk,
        KeyProblem::Unconfirmed => M::KeyUnconfirmed,
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
