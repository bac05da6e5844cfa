//! A short slice of every kind of stop and damage.
#![allow(clippy::unwrap_used)]

use super::points::{Stop, every};
use super::table::Row;
use super::{damage, life};

fn lawful(rows: &[Row]) {
    for row in rows {
        assert!(row.is_lawful(), "{row:?}");
    }
}

#[test]
fn hand_overs_lose_nothing_wherever_they_stop() {
    let mut silent = |_| {};
    for (stop, step) in [(Stop::Power, 11), (Stop::Sync, 17), (Stop::ReadOnly, 17)] {
        lawful(&[every(stop, 1, 2, step, &mut silent).unwrap()]);
    }
}

#[test]
fn damage_is_named_and_nothing_wrong_is_ever_read() {
    let rows = damage::every(1, 97, &mut |_| {}).unwrap();
    assert_eq!(rows.len(), 5);
    lawful(&rows);
}

#[test]
fn a_life_hands_over_again_and_again() {
    let world = life::World::new();
    let (disk, documents) = (
        crate::disk::SimulatedDisk::new(1),
        crate::disk::SimulatedDisk::new(2),
    );
    world.furnish(&documents);
    let mut told = 0;
    let mut note = |_| told += 1;
    let disks = life::disks(std::sync::Arc::new(disk), std::sync::Arc::new(documents));
    let mut life =
        life::Life::begin(&world, disks, lockerd::journal::Options::default(), 1, &mut note).unwrap();
    for round in 1..=3 {
        life.round(round).unwrap();
    }
    assert!(life.ledger().consignments.is_empty());
    drop(life);
    assert!(told > 100, "{told}");
}
