//! A short slice of every kind of stop and damage.
#![allow(clippy::unwrap_used)]

use super::points::{Stop, every};
use super::table::Row;
use super::world::World;
use super::{damage, life};

fn lawful(rows: &[Row]) {
    for row in rows {
        assert!(row.is_lawful(), "{row:?}");
    }
}

#[test]
fn hand_overs_lose_nothing_wherever_they_stop() {
    let mut silent = |_| {};
    for (stop, step) in [
        (Stop::Power, 11),
        (Stop::Sync, 17),
        (Stop::ReadOnly, 17),
        (Stop::Full, 17),
        (Stop::Slow, 5),
    ] {
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
    let world = World::new();
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

#[test]
fn a_slow_sync_is_waited_for_and_what_is_late_by_then_is_not_done() {
    let (world, options) = (World::new(), lockerd::journal::Options::default());
    let (mut not_sent, mut refused) = (0, 0);
    for slow in 1..80 {
        let (disk, documents) = (
            crate::disk::SimulatedDisk::new(1),
            crate::disk::SimulatedDisk::new(2),
        );
        world.furnish(&documents);
        disk.slow_syncs(slow, 1, 5_000);
        let waited = || disk.take_waited_ms();
        let mut note = |_| {};
        let disks = life::disks(std::sync::Arc::new(disk.clone()), std::sync::Arc::new(documents));
        let life = life::Life::begin(&world, disks, options, 1, &mut note).unwrap();
        let mut life = life.waiting(&waited);
        life.round(1).unwrap();
        assert!(life.ledger().consignments.is_empty());
        let records = life.engine().reader().read_from(1, 10_000, usize::MAX).unwrap();
        let texts = records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.event));
        let (mut failed, mut late) = (0, 0);
        for text in texts {
            failed += usize::from(text.contains("locker.unlock-failed") && text.contains("not-sent"));
            late += usize::from(text.contains("locker.command-refused"));
        }
        assert!(failed <= 1 && late <= 1, "{failed} {late}");
        not_sent += failed;
        refused += late;
    }
    assert!(
        not_sent > 0 && refused > 10,
        "{not_sent} unlocks, {refused} orders"
    );
}
