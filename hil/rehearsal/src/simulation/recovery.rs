//! Law 10, after everything has healed: the screen comes home, staff can put all right, and the next citizen is served.

use lockerd::cabinet::Compartment;
use office_protocol::CompartmentId;
use office_protocol::event::StaffRole;

use super::MINUTE;
use super::laws::{Lawful, hold};
use super::office::Wrong;
use super::people::{Courier, DroppingOff, Errand, Person, Technician};
use super::world::{World, is_home};

/// How long one visit to the cabinet may take.
const PATIENCE: u64 = 30 * MINUTE;

pub(super) fn next_citizen_is_served(world: &mut World) -> Lawful {
    world.crowd.disperse();
    world.run_until(world.now + 8 * MINUTE)?;
    home(world)?;
    let spoilt = world.bench.line().collisions;
    let wall = world.wall();
    for _ in 0..2 {
        if let Some(credential) = world.office.staff_pass(StaffRole::Courier, wall) {
            send(
                world,
                Errand::Courier(Courier::new(credential, Vec::new())),
                "the last courier",
            )?;
        }
        if let Some(credential) = world.office.staff_pass(StaffRole::Technician, wall) {
            let errand = Errand::Technician(Technician::new(credential, false, false, false));
            send(world, errand, "the last technician")?;
        }
    }
    // What a vandal has put in makes a compartment useless, and who wants a low door goes away without.
    let useful = |(id, place): (&CompartmentId, &Compartment)| {
        let free = place.consignment.is_none()
            && place.doubt.is_none()
            && place.withdrawn.is_none()
            && place.visit.is_none();
        free && place.reachable && world.bench.contents(*id).is_empty()
    };
    let free = world
        .laws
        .ledger()
        .compartments
        .iter()
        .filter(|place| useful(*place))
        .count();
    let pass = world.office.small_pass(wall, Wrong::Nothing);
    let before = world.coverage.count("locker.dropped-off");
    let errand = Errand::DropOff(DroppingOff::new(pass, None));
    send(world, errand, "the next citizen")?;
    let after = world.coverage.count("locker.dropped-off");
    hold(10, free == 0 || after > before, || {
        format!("{free} compartments are free, but the next citizen was not served")
    })?;
    home(world)?;
    let more = world.bench.line().collisions - spoilt;
    hold(6, more == 0, || {
        format!("on a healthy bus two spoke at once, {more} times")
    })?;
    world.network.hub.has_all(&world.laws.events)
}

/// Somebody careful comes, does what the screen says, and leaves.
fn send(world: &mut World, errand: Errand, name: &str) -> Lawful {
    world.crowd.at_screen = Some(Person::careful(errand, name));
    world.crowd.stay_until(world.now + 1_000);
    let end = world.now + PATIENCE;
    while world.crowd.at_screen.is_some() && world.now < end {
        world.run_until(world.now + 10_000)?;
    }
    world.crowd.disperse();
    world.run_until(world.now + 3 * MINUTE)
}

fn home(world: &World) -> Lawful {
    let view = world.daemon.as_ref().map(|daemon| daemon.cabinet().view());
    hold(10, view.as_ref().is_some_and(is_home), || match view {
        Some(view) => format!(
            "everything has healed and nobody is there, but the screen shows {:?}",
            view.screen
        ),
        None => "everything has healed, but the daemon does not run".to_owned(),
    })
}
