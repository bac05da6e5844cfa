//! Pages of a drop-off: item, phone, checklist, slip, is it inside, receipt.

use maud::{Markup, html};
use office_protocol::event::{SecondFactorKind, Size};
use office_protocol::{ApplicationId, CompartmentId, ConsignmentId, ItemCode, Timestamp};

use super::collection::stars;
use super::messages::Message as M;
use super::page::{actions, finish};
use super::parts::{DONE_SIGN, Look, Pad, Page, button, grouped, tap};
use super::qr;
use crate::cabinet::screen::{Action, DoorWork};
use crate::catalogue::{Item, Kind, Stage};

pub(super) fn choose_item(page: &Page<'_>) -> Markup {
    let person: Vec<&Stage> = page.catalogue.offered(Kind::Person).collect();
    let business: Vec<&Stage> = page.catalogue.offered(Kind::Business).collect();
    let kinds = [("person", M::Person, person), ("business", M::Business, business)];
    html! {
        div.heading {
            h1 { (page.say(M::ChooseItem)) }
            div.tabs {
                @for (id, label, _) in &kinds {
                    button.button.plain.tab.pressed[*id == "person"] type="button" aria-pressed=(*id == "person")
                        data-show=(id) { (page.say(*label)) }
                }
            }
        }
        @for (id, _, stages) in &kinds {
            div.stages id=(id) data-group="kind" hidden[*id != "person"] {
                @if stages.is_empty() { p { (page.say(M::NothingHere)) } }
                @for stage in stages {
                    button.button.tile type="button" data-show={ "stage-" (stage.code) } {
                        (stage.name.in_language(page.language()))
                    }
                }
            }
        }
        (actions(&page.back()))
        @for (_, _, stages) in &kinds {
            @for stage in stages {
                @let id = format!("stage-{}", stage.code);
                @let choices = html! { @for item in stage.items() { @if item.cabinet { (choice(page, item)) } } };
                (page.sheet_over(&id, stage.name.in_language(page.language()), &choices))
            }
        }
    }
}

fn choice(page: &Page<'_>, item: &Item) -> Markup {
    let action = Action::ChooseItem {
        item: item.code().clone(),
    };
    button(
        Look::Tile,
        html! { (item.name.in_language(page.language())) },
        &action,
    )
}

pub(super) fn enter_phone(page: &Page<'_>, again: bool, mismatch: bool) -> Markup {
    let title = if again { M::PhoneAgain } else { M::EnterPhone };
    let hints = html! {
        @if mismatch { (page.warning(page.say(M::PhoneMismatch))) }
        p { (page.say(M::PhoneWhy)) }
    };
    let pad = Pad {
        sends: "phone",
        min: 11,
        max: 11,
        groups: "3-4-4",
        masked: false,
        wait_until: None,
    };
    let skip = page.button(Look::Plain, M::SkipPhone, &Action::SkipPhone);
    page.keypad(&pad, page.say(title), &hints, &skip)
}

pub(super) fn checklist(
    page: &Page<'_>,
    items: &[ItemCode],
    application: Option<&ApplicationId>,
    size: Size,
    choose_size: bool,
) -> Markup {
    let known: Vec<&Item> = items
        .iter()
        .filter_map(|code| page.catalogue.item(code))
        .collect();
    let guide = known
        .first()
        .and_then(|item| qr::svg(item.guide(), page.say(M::GuideQr)));
    html! {
        h1 { (page.say(M::ChecklistTitle)) }
        div.pair.top {
            div.scroll {
                @for item in &known { (documents(page, item)) }
                @if known.is_empty() { p { (page.say(M::DocumentsUnknown)) } }
                @if let Some(application) = application { p { (page.fill(M::Reference, application)) } }
                p { (page.say(M::PutAllIn)) }
            }
            div.side {
                @if choose_size {
                    p { (page.say(M::DoorSize)) }
                    @for other in [Size::Small, Size::Medium, Size::Large] { (size_button(page, other, other == size)) }
                } @else if let Some(guide) = guide {
                    (guide)
                    p { (page.say(M::GuideQr)) }
                }
            }
        }
        (actions(&html! {
            (page.back())
            (page.button(Look::Plain, M::LowDoor, &Action::Accept { reachable: true }))
            (page.button(Look::Primary, M::Continue, &Action::Accept { reachable: false }))
        }))
    }
}

fn documents(page: &Page<'_>, item: &Item) -> Markup {
    let language = page.language();
    html! {
        p { strong { (item.name.in_language(language)) } }
        ul { @for document in &item.documents { li { (document.in_language(language)) } } }
        p.facts {
            @if item.days == 0 { (page.say(M::AtOnce)) } @else { (page.fill(M::Days, item.days)) }
            " · "
            @if item.fee_yuan == 0 { (page.say(M::Free)) } @else { (page.fill(M::Yuan, item.fee_yuan)) }
        }
    }
}

/// A button for one size; the chosen one has a mark, not only another colour.
pub(super) fn size_button(page: &Page<'_>, size: Size, chosen: bool) -> Markup {
    html! {
        button.button.tile.pressed[chosen] type="button" aria-pressed=(chosen) data-tap=(tap(&Action::ChooseSize { size })) {
            @if chosen { "✓ " } (page.size(size))
        }
    }
}

pub(super) fn slip(
    page: &Page<'_>,
    reference: &ConsignmentId,
    code: &str,
    (digits, spare): (&str, &str),
    second: SecondFactorKind,
) -> Markup {
    let also = match second {
        SecondFactorKind::Phone => M::AlsoPhone,
        SecondFactorKind::Pass => M::AlsoPass,
        SecondFactorKind::Receipt => M::AlsoReceipt,
    };
    html! {
        h1 { (page.say(M::SlipTitle)) }
        div.pair {
            @if let Some(code) = qr::svg(code, page.say(M::QrLabel)) { (code) }
            div.scroll {
                p.digits { (grouped(digits)) }
                p { (page.fill(M::SlipSpare, spare)) }
                (page.warning(page.say(M::NotYetReceived)))
                p { (page.say(also)) }
                p.reference { (page.fill(M::Reference, reference)) }
            }
        }
        (actions(&html! {
            (page.back())
            (page.button(Look::Primary, M::OpenDoor, &Action::Accept { reachable: false }))
        }))
    }
}

pub(super) fn is_it_inside(page: &Page<'_>, work: &DoorWork) -> Markup {
    html! {
        div.pair {
            (page.door(work.compartment, false))
            h1.big { (page.say(M::IsItInside)) }
        }
        (actions(&html! {
            (page.button(Look::Plain, M::InsideNo, &Action::No))
            (page.button(Look::Plain, M::Reopen, &Action::Reopen))
            (page.button(Look::Primary, M::InsideYes, &Action::Yes))
        }))
    }
}

/// What is on a receipt.
pub(super) struct Receipt<'a> {
    pub(super) reference: &'a ConsignmentId,
    pub(super) compartment: CompartmentId,
    pub(super) received: Timestamp,
    pub(super) unverified: bool,
    pub(super) second: Option<&'a str>,
    pub(super) proof: &'a str,
    pub(super) more: u16,
}

pub(super) fn receipt(page: &Page<'_>, receipt: &Receipt<'_>) -> Markup {
    let rate = page.sheet("rate", Look::Plain, M::Rate, M::RateTitle, &stars(page));
    html! {
        h1 { (DONE_SIGN) " " (page.say(M::ReceiptTitle)) " · " (page.fill(M::Door, receipt.compartment)) }
        div.pair {
            @if let Some(proof) = qr::svg(receipt.proof, page.say(M::QrLabel)) { (proof) }
            div.scroll {
                @if let Some(second) = receipt.second { p { strong { (page.fill(M::SecondDigits, second)) } } }
                @if receipt.unverified { (page.warning(page.say(M::Unverified))) }
                p.reference { (page.fill(M::Reference, receipt.reference)) }
                p { (page.local_time(receipt.received)) }
                p { (page.say(M::ReceivedSealed)) }
                p { (page.say(M::PhotographThis)) }
            }
        }
        (actions(&html! {
            (rate.button)
            @if receipt.more > 0 {
                (finish(page, Look::Plain))
                (button(Look::Primary, page.fill(M::AnotherLeft, receipt.more), &Action::Another))
            } @else {
                (finish(page, Look::Primary))
            }
        }))
        (rate.sheet)
    }
}
