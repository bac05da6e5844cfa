//! The page on which staff say which door a lock has opened.

use maud::{Markup, html};
use office_protocol::CompartmentId;

use super::messages::Message as M;
use super::page::actions;
use super::parts::{Look, Page, button};
use crate::cabinet::screen::{Action, DoorWork};

pub(super) fn which_door(page: &Page<'_>, work: &DoorWork, doors: &[CompartmentId]) -> Markup {
    let named = |compartment: CompartmentId| Action::OpenedDoor { compartment };
    let others = html! {
        div.grid {
            @for door in doors { (button(Look::Tile, door.to_string(), &named(*door))) }
        }
    };
    let another = page.sheet(
        "another-door",
        Look::Plain,
        M::AnotherNumber,
        M::WhichDoor,
        &others,
    );
    html! {
        div.pair {
            (page.door(work.compartment, true))
            h1.big { (page.say(M::WhichDoor)) }
        }
        (actions(&html! {
            (page.button(Look::Plain, M::NoDoor, &Action::No))
            (another.button)
            (button(Look::Primary, page.fill(M::ThisDoor, work.compartment), &named(work.compartment)))
        }))
        (another.sheet)
    }
}
