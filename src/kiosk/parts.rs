//! What the pages are made of: buttons that carry a tap, the keypad, sheets that open over the page, the picture of a door.

use std::fmt::Display;

use maud::{Markup, PreEscaped, Render, html};
use office_protocol::event::Size;
use office_protocol::{CompartmentId, Timestamp};

use super::home::call;
use super::messages::Message;
use super::past::Past;
use crate::cabinet::screen::{Action, Language, View};
use crate::cabinet::vocabulary::Monotonic;
use crate::catalogue::Catalogue;

/// All that a page may know.
pub(super) struct Page<'a> {
    pub(super) view: &'a View,
    pub(super) catalogue: &'a Catalogue,
    pub(super) now: Monotonic,
    pub(super) utc_offset_minutes: i16,
    /// What was looked up for [`Screen::History`](crate::cabinet::screen::Screen::History); none where nothing could be.
    pub(super) found: Option<&'a [Past]>,
}

impl Page<'_> {
    pub(super) fn language(&self) -> Language {
        self.view.appearance.language
    }

    pub(super) fn say(&self, message: Message) -> &'static str {
        message.text(self.language())
    }

    pub(super) fn fill(&self, message: Message, thing: impl Display) -> String {
        message.with(self.language(), thing)
    }

    /// Whole seconds until then, rounded up; none when it has passed.
    pub(super) fn seconds_until(&self, then: Option<Monotonic>) -> Option<u64> {
        let left = self.now.until(then?).as_millis().div_ceil(1000);
        u64::try_from(left).ok().filter(|left| *left > 0)
    }

    /// `2026-01-31 09:05` by the clock on the wall.
    pub(super) fn local_time(&self, time: Timestamp) -> String {
        let text = time
            .plus_millis(i64::from(self.utc_offset_minutes) * 60_000)
            .to_string();
        text.chars()
            .take(16)
            .map(|c| if c == 'T' { ' ' } else { c })
            .collect()
    }

    pub(super) fn button(&self, look: Look, message: Message, action: &Action) -> Markup {
        button(look, html! { (self.say(message)) }, action)
    }

    pub(super) fn back(&self) -> Markup {
        self.button(Look::Plain, Message::Back, &Action::Back)
    }

    pub(super) fn size(&self, size: Size) -> &'static str {
        self.say(match size {
            Size::Small => Message::Small,
            Size::Medium => Message::Medium,
            Size::Large => Message::Large,
        })
    }

    /// Whom to call, said so that it can be done.
    pub(super) fn call(&self) -> String {
        call(self.language(), self.view.help_phone.as_deref())
    }

    /// A button that opens a sheet, and the sheet: a list of choices with its own way back.
    pub(super) fn sheet(
        &self,
        id: &str,
        look: Look,
        label: Message,
        title: Message,
        choices: &Markup,
    ) -> Sheet {
        Sheet {
            button: html! { button.button.(look.class()) type="button" data-show=(id) { (self.say(label)) } },
            sheet: self.sheet_over(id, self.say(title), choices),
        }
    }

    pub(super) fn sheet_over(&self, id: &str, title: &str, choices: &Markup) -> Markup {
        html! {
            section.sheet id=(id) hidden {
                h1 { (title) }
                div.choices { (choices) }
                div.actions { button.button.plain type="button" data-hide=(id) { (self.say(Message::Back)) } }
            }
        }
    }

    /// The digits typed so far, the telephone keypad, and the row below: back, what else there is, and confirm.
    pub(super) fn keypad(&self, pad: &Pad<'_>, title: &str, hints: &Markup, more: &Markup) -> Markup {
        let waits = self.seconds_until(pad.wait_until);
        html! {
            div.typing data-pad=(pad.sends) data-min=(pad.min) data-max=(pad.max) data-groups=(pad.groups)
                data-masked[pad.masked] data-wait=[waits] {
                div.typed {
                    h1 { (title) }
                    div.cells aria-live="polite" {}
                    (hints)
                }
                div.keys {
                    @for digit in 1..=9 { button.key type="button" data-key=(digit) { (digit) } }
                    button.key.small-key type="button" data-key="clear" { (self.say(Message::Clear)) }
                    button.key type="button" data-key="0" { "0" }
                    button.key.small-key type="button" data-key="erase" { (self.say(Message::Erase)) }
                }
            }
            div.actions {
                (self.back())
                (more)
                button.button.primary type="button" data-key="send" disabled { (self.say(Message::Confirm)) }
            }
        }
    }

    /// A warning with its sign, so that it is not told by colour alone.
    pub(super) fn warning(&self, text: &str) -> Markup {
        html! { p.warning { (WARNING_SIGN) span { (text) } } }
    }

    /// A door with its number, huge; standing open or shut.
    pub(super) fn door(&self, compartment: CompartmentId, open: bool) -> Markup {
        let label = self.fill(Message::Door, compartment);
        html! {
            svg.door role="img" aria-label=(label) viewBox="0 0 360 300" {
                rect.frame x="6" y="6" width="348" height="288" rx="16" {}
                @if open {
                    rect.dark x="24" y="24" width="312" height="252" rx="8" {}
                    path.leaf d="M24 24 L92 46 L92 290 L24 276 Z" {}
                    circle.handle cx="78" cy="168" r="8" {}
                    text.number.inside x="212" y="200" text-anchor="middle" { (compartment) }
                } @else {
                    rect.leaf x="24" y="24" width="312" height="252" rx="8" {}
                    rect.handle x="304" y="120" width="14" height="60" rx="7" {}
                    text.number x="168" y="200" text-anchor="middle" { (compartment) }
                }
            }
        }
    }
}

/// A button and the sheet that it opens.
pub(super) struct Sheet {
    pub(super) button: Markup,
    pub(super) sheet: Markup,
}

/// What is typed and where it goes.
pub(super) struct Pad<'a> {
    /// The action's name: `digits` or `phone`.
    pub(super) sends: &'a str,
    pub(super) min: u8,
    pub(super) max: u8,
    /// How many cells stand together, as `4-4`.
    pub(super) groups: &'a str,
    /// Shown as dots, however many.
    pub(super) masked: bool,
    pub(super) wait_until: Option<Monotonic>,
}

/// How much a button wants to be touched.
#[derive(Clone, Copy)]
pub(super) enum Look {
    Primary,
    Plain,
    Tile,
}

impl Look {
    const fn class(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Plain => "plain",
            Self::Tile => "tile",
        }
    }
}

/// A button that sends an action.
pub(super) fn button(look: Look, content: impl Render, action: &Action) -> Markup {
    html! { button.button.(look.class()) type="button" data-tap=(tap(action)) { (content) } }
}

/// An action as the page sends it.
pub(super) fn tap(action: &Action) -> String {
    serde_json::to_string(action).expect("an action has only texts, numbers and names")
}

/// Digits in groups of four.
pub(super) fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

pub(super) const WARNING_SIGN: PreEscaped<&str> = PreEscaped(
    "<svg class=\"sign\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path fill=\"currentColor\" fill-rule=\"evenodd\" d=\"M12 2 1 22h22zm-1.2 7h2.4v7h-2.4zm0 8.4h2.4v2.4h-2.4z\"/></svg>",
);
pub(super) const DONE_SIGN: PreEscaped<&str> = PreEscaped(
    "<svg class=\"sign good\" viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"11\" fill=\"currentColor\"/><path class=\"stroke\" fill=\"none\" stroke-width=\"2.6\" d=\"m6.5 12.5 3.8 3.8 7.4-8\"/></svg>",
);
