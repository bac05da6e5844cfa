//! Pages outside of any flow: home, more time, help.

use maud::{Markup, html};

use super::collection::waiting;
use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{Look, Page, button, tap};
use crate::cabinet::screen::{Action, DropOffs, Language};

pub(super) fn home(page: &Page<'_>, drop_offs: &DropOffs) -> Markup {
    html! {
        h1 { (page.say(M::HomeTitle)) }
        div.tiles {
            button.button.primary.huge type="button" data-tap=(tap(&Action::StartCollection)) {
                strong { (page.say(M::Collect)) } span { (page.say(M::CollectHint)) }
            }
            @match drop_offs {
                DropOffs::Open => {
                    button.button.plain.huge type="button" data-tap=(tap(&Action::StartDropOff)) {
                        strong { (page.say(M::HandIn)) } span { (page.say(M::HandInHint)) }
                    }
                }
                DropOffs::Closed { nearby } => {
                    div.huge.closed {
                        strong { (page.say(M::HandInClosed)) }
                        @if !nearby.is_empty() {
                            span { (page.say(M::Nearby)) }
                            @for place in nearby.iter().take(if page.view.appearance.large { 1 } else { 2 }) {
                                span {
                                    @match page.language() { Language::Zh => (place.zh), Language::En => (place.en) }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.foot { span { (page.say(M::StaffHint)) } span { (page.view.cabinet) } }
    }
}

pub(super) fn more_time(page: &Page<'_>) -> Markup {
    html! {
        div.middle { h1.big { (page.say(M::MoreTimeTitle)) } (waiting(page, M::HomeIn, page.view.until)) }
        (actions(&html! {
            (finish(page, Look::Plain))
            (page.button(Look::Primary, M::MoreTime, &Action::MoreTime))
        }))
    }
}

pub(super) fn help(page: &Page<'_>) -> Markup {
    html! {
        div.middle {
            h1 { (page.say(M::HelpTitle)) }
            p.phone { (page.call()) }
            p { (page.say(M::HelpHint)) }
            p { strong { (page.fill(M::Cabinet, &page.view.cabinet)) } }
            @if let Some(reference) = &page.view.reference { p { strong { (page.fill(M::Reference, reference)) } } }
        }
        (actions(&button(Look::Primary, page.say(M::Back), &Action::Back)))
    }
}

/// Said in both languages: nobody is left who could choose one.
pub(super) fn out_of_service(page: &Page<'_>) -> Markup {
    html! {
        div.middle role="alert" data-out="" {
            @for language in [Language::Zh, Language::En] {
                h1.big { (M::OutOfService.text(language)) }
                p { (M::GoneHint.text(language)) }
                p { strong { (call(language, page.view.help_phone.as_deref())) } }
            }
            p { (page.fill(M::Cabinet, &page.view.cabinet)) }
        }
    }
}

/// Whom to call, said so that it can be done.
pub(super) fn call(language: Language, phone: Option<&str>) -> String {
    match phone {
        Some(phone) => M::Call.with(language, phone),
        None => M::CallHall.text(language).to_owned(),
    }
}
