//! From nothing to ready with a million events of history: the engine by itself, and the daemon as a process.

use std::process::Command;
use std::time::Instant;

use lockerd::engine::Engine;
use lockerd::journal::Options;

use crate::daemon;
use crate::history::{EVENTS, live, moment, told};
use crate::page::Page;
use crate::place::{LIMIT, Place};

const STARTS: u64 = 9;

pub(crate) fn measure() {
    let place = daemon::place();
    let mut now = live(&place);
    let checkpoint = |engine: &Engine| engine.cabinet().ledger().to_checkpoint().len();
    let mut times = Vec::new();
    let mut bytes = 0;
    for start in 0..=STARTS {
        now += 1_000;
        let (disks, config, run) = told(&place, 2 + start);
        let begun = Instant::now();
        let (engine, _) = Engine::open(disks, Options::default(), config, run, &moment(now)).unwrap();
        // The first one meets a disk on which nobody has prepared blank segments, as the daemon does in the background.
        if start > 0 {
            times.push(begun.elapsed());
        }
        engine.preparer().prepare().unwrap();
        bytes = checkpoint(&engine);
    }
    let disk = {
        let (disks, ..) = told(&place, 0);
        let file = disks.journal.create("limit", 4 << 20).unwrap();
        let begun = Instant::now();
        file.write_at(0, &vec![b'x'; bytes + 4096]).unwrap();
        file.sync().unwrap();
        let took = begun.elapsed();
        disks.journal.remove("limit").unwrap();
        took
    };
    println!(
        "engine open with {EVENTS} events of history, a checkpoint of {bytes} bytes: {:.1?} (budget 50 ms); writing that checkpoint durably by itself: {disk:.1?}",
        crate::median(times)
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(as_a_process(&place));
}

/// To the first screen, and to the first that offers a door, because a free one has been read.
async fn as_a_process(place: &Place) {
    let begun = Instant::now();
    let version = Command::new(daemon::program()).arg("--version").output().unwrap();
    let nothing = begun.elapsed();
    assert!(version.status.success());
    let _bench = place.hardware();
    let (mut screens, mut swept) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut processes = place.processes();
        let begun = Instant::now();
        let process = place.run(&mut processes).await;
        let mut page = Page::open(place.kiosk);
        page.shows("start-collection").await;
        screens.push(begun.elapsed());
        page.shows("start-drop-off").await;
        swept.push(begun.elapsed());
        processes.end(process, LIMIT).await.unwrap();
    }
    println!(
        "daemon, process to first screen: {:.1?}; to a door that can be opened, over 9600 baud: {:.1?}; a process that does nothing: {nothing:.1?}",
        crate::median(screens),
        crate::median(swept)
    );
}
