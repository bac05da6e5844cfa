//! From a view to a page: the shell that a browser loads once, and the screen that fills it at each change.

use maud::{DOCTYPE, Markup, html};

use super::messages::Message as M;
use super::parts::{Look, Page, WARNING_SIGN, tap};
use super::past::Past;
use super::{collection, commissioning, door, drop_off, history, home, proving, staff, technician};
use crate::cabinet::screen::{Action, Appearance, Language, Notice, Screen, View};
use crate::cabinet::vocabulary::Monotonic;
use crate::catalogue::Catalogue;

/// Draws one screen. `utc_offset_minutes` is the wall clock's, for the times on receipts; `found` what staff look up.
pub fn render(
    view: &View,
    catalogue: &Catalogue,
    now: Monotonic,
    utc_offset_minutes: i16,
    found: Option<&[Past]>,
) -> Markup {
    let page = Page {
        view,
        catalogue,
        now,
        utc_offset_minutes,
        found,
    };
    let appearance = view.appearance;
    let lang = match appearance.language {
        Language::Zh => "zh-CN",
        Language::En => "en",
    };
    html! {
        div.kiosk.large[appearance.large].contrast[appearance.contrast] lang=(lang) data-screen=(name(&view.screen)) {
            main.main {
                (notices(&page))
                (screen(&page))
            }
            @if view.screen != Screen::OutOfService { (rail(&page)) }
        }
    }
}

/// What a screen is called in the page, in every language.
const fn name(screen: &Screen) -> &'static str {
    match screen {
        Screen::Home { .. } => "home",
        Screen::EnterDigits { .. } => "enter-digits",
        Screen::EnterSecondFactor { .. } => "enter-second-factor",
        Screen::ScanProblem(_) => "scan-problem",
        Screen::ChooseItem => "choose-item",
        Screen::EnterPhone { .. } => "enter-phone",
        Screen::Checklist { .. } => "checklist",
        Screen::Slip { .. } => "slip",
        Screen::Opening(_) => "opening",
        Screen::LockResting(_) => "lock-resting",
        Screen::IsDoorOpen(_) => "is-door-open",
        Screen::DoorOpen { .. } => "door-open",
        Screen::IsItInside(_) => "is-it-inside",
        Screen::TookEverything { .. } => "took-everything",
        Screen::Receipt { .. } => "receipt",
        Screen::Done { .. } => "done",
        Screen::Sorry { .. } => "sorry",
        Screen::EnterPin { .. } => "enter-pin",
        Screen::StaffHome { .. } => "staff-home",
        Screen::Round { .. } => "round",
        Screen::PlacingScan { .. } => "placing-scan",
        Screen::PlacingSize { .. } => "placing-size",
        Screen::WhichDoor { .. } => "which-door",
        Screen::WhatIsInside { .. } => "what-is-inside",
        Screen::Compartments { .. } => "compartments",
        Screen::Commissioning(_) => "commissioning",
        Screen::MoreTime => "more-time",
        Screen::Help => "help",
        Screen::LookUp { .. } => "look-up",
        Screen::History { .. } => "history",
        Screen::OutOfService => "out-of-service",
    }
}

/// The page that is loaded once; `assets` names its version, so that a newer daemon has it loaded again.
pub fn shell(view: &View, assets: &str) -> Markup {
    let phone = |language| home::call(language, view.help_phone.as_deref());
    html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (view.cabinet) }
                link rel="stylesheet" href="/kiosk.css";
                script src="/kiosk.js" defer {}
            }
            body data-assets=(assets) {
                div id="screen" {}
                div.gone id="gone" role="alert" {
                    @for language in [Language::Zh, Language::En] {
                        div {
                            h1.soon { (M::PleaseWait.text(language)) }
                            h1.late { (M::OutOfService.text(language)) }
                            p { (M::GoneHint.text(language)) }
                            p { strong { (phone(language)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What does not work, what matters most to a person first; as many as leave room for the screen, and all of them under help.
fn notices(page: &Page<'_>) -> Markup {
    let mut notices = page.view.notices.clone();
    notices.sort_by_key(|notice| urgency(*notice));
    if page.view.screen != Screen::Help {
        notices.truncate(if page.view.appearance.large { 2 } else { 3 });
    }
    html! {
        @if !notices.is_empty() {
            div.notices role="status" {
                @for notice in notices { span.notice { (WARNING_SIGN) (notice_text(page, notice)) } }
            }
        }
    }
}

const fn urgency(notice: Notice) -> u8 {
    match notice {
        Notice::ScannerLost => 0,
        Notice::DoorsUnreachable => 1,
        Notice::StandsOpen(_) => 2,
        Notice::Offline => 3,
        Notice::Full => 4,
        Notice::Unproven => 5,
        Notice::DropOffsRefused => 6,
        Notice::ClockUntrusted => 7,
    }
}

fn notice_text(page: &Page<'_>, notice: Notice) -> String {
    let message = match notice {
        Notice::Offline => M::Offline,
        Notice::ScannerLost => M::ScannerLost,
        Notice::DoorsUnreachable => M::DoorsUnreachable,
        Notice::Full => M::FullNotice,
        Notice::Unproven => M::UnprovenNotice,
        Notice::DropOffsRefused => M::DropOffsRefused,
        Notice::ClockUntrusted => M::ClockUntrusted,
        Notice::StandsOpen(compartment) => return page.fill(M::StandsOpen, compartment),
    };
    page.say(message).to_owned()
}

fn screen(page: &Page<'_>) -> Markup {
    match &page.view.screen {
        Screen::Home { drop_offs } => home::home(page, drop_offs),
        Screen::EnterDigits {
            length,
            wrong,
            wait_until,
        } => collection::enter_digits(page, *length, *wrong, *wait_until),
        Screen::EnterSecondFactor {
            kind,
            wrong,
            wait_until,
        } => collection::enter_second_factor(page, *kind, *wrong, *wait_until),
        Screen::ScanProblem(problem) => collection::scan_problem(page, problem),
        Screen::ChooseItem => drop_off::choose_item(page),
        Screen::EnterPhone { again, mismatch } => drop_off::enter_phone(page, *again, *mismatch),
        Screen::Checklist {
            items,
            application,
            size,
            choose_size,
        } => drop_off::checklist(page, items, application.as_ref(), *size, *choose_size),
        Screen::Slip {
            reference,
            qr,
            digits,
            spare,
            second,
        } => drop_off::slip(page, reference, qr, (digits, spare), *second),
        Screen::Opening(work) => door::opening(page, work),
        Screen::LockResting(work) => door::lock_resting(page, work),
        Screen::IsDoorOpen(work) => door::is_door_open(page, work),
        Screen::DoorOpen {
            work,
            reminder,
            envelope,
            item_seen,
        } => door::door_open(page, work, *reminder, *envelope, *item_seen),
        Screen::IsItInside(work) => drop_off::is_it_inside(page, work),
        Screen::TookEverything { work, more } => collection::took_everything(page, work, *more),
        Screen::Receipt {
            reference,
            compartment,
            received,
            unverified,
            second,
            proof,
            more,
        } => drop_off::receipt(
            page,
            &drop_off::Receipt {
                reference,
                compartment: *compartment,
                received: *received,
                unverified: *unverified,
                second: second.as_deref(),
                proof,
                more: *more,
            },
        ),
        Screen::Done { done, more } => collection::done(page, *done, *more),
        Screen::Sorry { trouble, work } => door::sorry(page, *trouble, work.as_ref()),
        Screen::EnterPin {
            staff,
            wrong,
            wait_until,
        } => staff::enter_pin(page, staff, *wrong, *wait_until),
        Screen::StaffHome {
            staff,
            role,
            to_clear,
            to_recall,
            unconfirmed,
            to_prove,
            rewired,
            free,
        } => {
            let counts = [*to_clear, *to_recall, *unconfirmed, *to_prove, *rewired];
            staff::home(page, staff, *role, counts, *free)
        }
        Screen::Round { purpose, rows, done } => staff::round(page, *purpose, rows, *done),
        Screen::PlacingScan { last, done, refused } => {
            staff::placing_scan(page, last.as_ref(), *done, *refused)
        }
        Screen::PlacingSize { consignment } => staff::placing_size(page, consignment),
        Screen::WhichDoor { work, doors } => proving::which_door(page, work, doors),
        Screen::WhatIsInside { work } => staff::what_is_inside(page, work),
        Screen::Compartments { rows, boards } => technician::compartments(page, rows, boards),
        Screen::Commissioning(at) => commissioning::commissioning(page, at),
        Screen::OutOfService => home::out_of_service(page),
        Screen::LookUp { compartments } => history::look_up(page, compartments),
        Screen::History { about } => history::history(page, about),
        Screen::MoreTime => home::more_time(page),
        Screen::Help => home::help(page),
    }
}

/// Language, text size, contrast and help: on every screen, in the same place.
fn rail(page: &Page<'_>) -> Markup {
    let is = page.view.appearance;
    let language = match is.language {
        Language::Zh => Language::En,
        Language::En => Language::Zh,
    };
    let text_size = if is.large { M::NormalText } else { M::LargeText };
    html! {
        aside.rail {
            div.clock {
                @if let Some(left) = page.seconds_until(page.view.until) {
                    span.left data-left=(left) { (left) } span { (page.say(M::SecondsLeft)) }
                }
            }
            (appear(page, M::OtherLanguage, "文A", false, Appearance { language, ..is }))
            (appear(page, text_size, if is.large { "A−" } else { "A+" }, is.large, Appearance { large: !is.large, ..is }))
            (appear(page, M::Contrast, "◐", is.contrast, Appearance { contrast: !is.contrast, ..is }))
            @if page.view.screen == Screen::Help {
                button.tool.pressed type="button" aria-pressed="true" disabled { b { "?" } span { (page.say(M::HelpLabel)) } }
            } @else {
                button.tool type="button" data-tap=(tap(&Action::Help)) { b { "?" } span { (page.say(M::HelpLabel)) } }
            }
        }
    }
}

fn appear(page: &Page<'_>, label: M, sign: &str, pressed: bool, appearance: Appearance) -> Markup {
    html! {
        button.tool.pressed[pressed] type="button" aria-pressed=(pressed) data-tap=(tap(&Action::Appear { appearance })) {
            b aria-hidden="true" { (sign) }
            span { (page.say(label)) }
        }
    }
}

/// The row at the foot of a screen.
pub(super) fn actions(content: &Markup) -> Markup {
    html! { div.actions { (content) } }
}

/// Finished: home.
pub(super) fn finish(page: &Page<'_>, look: Look) -> Markup {
    page.button(look, M::Finish, &Action::Done)
}
