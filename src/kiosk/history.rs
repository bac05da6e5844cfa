//! Pages that look back: choose a door or scan a label, then what happened to it and what else that led to.

use maud::{Markup, html};
use office_protocol::CompartmentId;
use office_protocol::event::Subject;

use super::messages::Message as M;
use super::page::actions;
use super::parts::{Look, Page, button};
use super::past::{Past, detail, name};
use crate::cabinet::screen::Action;

/// Other things that a page leads to.
const RELATED_MAX: usize = 8;

pub(super) fn look_up(page: &Page<'_>, compartments: &[CompartmentId]) -> Markup {
    html! {
        h1 { (page.say(M::LookUpTitle)) }
        div.grid {
            @for compartment in compartments {
                (button(Look::Tile, compartment.to_string(), &Action::LookUp { about: Subject::Compartment(*compartment) }))
            }
        }
        (actions(&page.back()))
    }
}

pub(super) fn history(page: &Page<'_>, about: &Subject) -> Markup {
    let related = related(about, page.found.unwrap_or_default());
    let choices = html! {
        @for other in &related {
            (button(Look::Tile, called(page, other), &Action::LookUp { about: other.clone() }))
        }
    };
    let sheet = page.sheet("related", Look::Plain, M::Related, M::Related, &choices);
    html! {
        h1 { (called(page, about)) }
        div.list {
            @match page.found {
                None => p { (page.warning(page.say(M::HistoryAbsent))) },
                Some([]) => p { (page.say(M::HistoryEmpty)) },
                Some(found) => @for past in found { (row(page, about, past)) },
            }
        }
        (actions(&html! {
            (page.back())
            @if !related.is_empty() { (sheet.button) }
        }))
        @if !related.is_empty() { (sheet.sheet) }
    }
}

fn row(page: &Page<'_>, about: &Subject, past: &Past) -> Markup {
    let others: Vec<String> = past
        .about
        .iter()
        .filter(|other| *other != about)
        .map(|other| called(page, other))
        .collect();
    html! {
        div.row {
            span.when { (page.local_time(past.event.time)) }
            span.what {
                span {
                    (page.say(name(&past.event.body)))
                    @if let Some(detail) = detail(&past.event.body) { " · " (page.say(detail)) }
                }
                @if !others.is_empty() { span { (others.join(" · ")) } }
            }
        }
    }
}

/// What the events are about besides what was looked for, newest first.
fn related(about: &Subject, found: &[Past]) -> Vec<Subject> {
    let mut related = Vec::new();
    for other in found.iter().flat_map(|past| &past.about) {
        if other != about && !related.contains(other) && related.len() < RELATED_MAX {
            related.push(other.clone());
        }
    }
    related
}

fn called(page: &Page<'_>, subject: &Subject) -> String {
    match subject {
        Subject::Consignment(id) => page.fill(M::ConsignmentCalled, id),
        Subject::Application(id) => page.fill(M::ApplicationCalled, id),
        Subject::Compartment(id) => page.fill(M::Door, id),
        Subject::Person(id) => page.fill(M::PersonCalled, id),
        Subject::Staff(id) => page.fill(M::StaffCalled, id),
    }
}
