//! From a door's movement until the daemon's journal has it: nobody at the cabinet, so each door is read twice a second. What is seen
//! from outside is when the record is written; one fsync comes on top.

use std::time::{Duration, SystemTime};

use firmware_protocol::{Board, Channel};
use hardware::{Hand, Line, Port};
use lockerd::boards::master::BusSettings;

use crate::place::{LIMIT, PROGRAM, Place};
use crate::polling::raw_sync;
use crate::wire::now;
use crate::{directory, median};

const CHANGES: u64 = 24;
const BOARD: Board = Board(1);

pub(crate) fn measure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = Place::of(directory(), vec![PROGRAM.into(), "lockerd".into()]);
    place.enrol();
    let disk = raw_sync(place.directory.path());
    let mut times = runtime.block_on(changes(&place));
    times.iter_mut().for_each(|time| *time += disk);
    let sweep = Duration::from_millis(BusSettings::default().sweep_ms).as_secs_f64();
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!(
        "\ndoor → journal, {CHANGES} changes through the daemon, sweep {:.0} ms + fsync {:.1} ms: median {:.0} ms, worst {:.0} ms; worst ÷ (sweep + fsync) {:.2} (budget 1.1 sweep + one fsync)",
        sweep * 1e3,
        disk * 1e3,
        median(&mut times) * 1e3,
        worst * 1e3,
        worst / (sweep + disk)
    );
}

async fn changes(place: &Place) -> Vec<f64> {
    let bench = place.hardware();
    let port: &Port<Line> = &bench.lines["locks"];
    let mut processes = place.processes();
    let process = place.run(&mut processes).await;
    place.journaled("locker.door-found", 24).await;
    let mut times = Vec::new();
    for turn in 0..CHANGES {
        // Another moment of the sweep each time; what the last change led to has been journaled by then.
        tokio::time::sleep(Duration::from_millis(700 + turn * 41)).await;
        let lock = Channel::new(1 + u8::try_from(turn / 2).unwrap()).unwrap();
        let hand = if turn % 2 == 0 { Hand::Force } else { Hand::Close };
        let before = written(place);
        let moved = now();
        assert!(port.hand(BOARD, lock, hand).await.unwrap());
        while written(place) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push((now() - moved) as f64 / 1e9);
    }
    processes.end(process, LIMIT).await.unwrap();
    times
}

/// When the journal was written last.
fn written(place: &Place) -> Option<SystemTime> {
    let files = std::fs::read_dir(place.path("data/journal")).unwrap();
    files
        .filter_map(|file| file.ok()?.metadata().ok()?.modified().ok())
        .max()
}
