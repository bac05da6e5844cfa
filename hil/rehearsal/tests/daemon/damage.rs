//! A journal that is damaged, locked, or cannot be written: what the screen says, how the daemon ends, and what is left.

use std::ffi::OsString;
use std::path::PathBuf;

use lockerd::journal::{Disk, RealDisk};
use rehearsal::processes::{Launch, ProcessId, Processes};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::page::Page;
use crate::place::{HELP_PHONE, LIMIT, PROGRAM, Place};

fn pid(process: ProcessId) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process.0).unwrap())
}

/// The daemon as a service manager would start it, but with the signal for files that grow too large ignored, so that a write
/// beyond the limit fails as on a broken disk.
fn under_a_limit(place: &Place) -> (Processes, Launch) {
    let launch = place.launch();
    let script = ["-c", "trap '' XFSZ; exec \"$@\"", "sh", PROGRAM].map(OsString::from);
    let arguments = script.into_iter().chain(launch.arguments).collect();
    let sink = std::sync::Arc::new(|_: &str, _: &str| {});
    let processes = Processes::new(PathBuf::from("/bin/sh"), sink);
    (processes, Launch { arguments, ..launch })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_is_said_on_the_screen_and_recovered_by_a_restart() {
    let place = Place::enrolled();
    let bench = place.hardware();
    let (mut limited, launch) = under_a_limit(&place);
    let first = limited.start(launch).await.unwrap().process;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    place.journaled("locker.door-found", 24).await;
    let before = place.events().lines().count();
    let limit = Rlimit {
        current: Some(4096),
        maximum: Some(4096),
    };
    prlimit(pid(first), Resource::Fsize, limit).unwrap();
    bench.obey("hand locks 1 5 force").await.unwrap();
    let last = page.shows("暂停服务").await.html;
    assert!(
        last.contains("Out of service") && last.contains(HELP_PHONE),
        "{last}"
    );
    let status = limited.wait(first, LIMIT).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(74));

    let mut processes = place.processes();
    place.run(&mut processes).await;
    page.shows("start-collection").await;
    place.journaled("locker.started", 2).await;
    assert!(place.events().lines().count() > before);
    assert!(place.lockerd(&["journal", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_shown_and_told_by_its_exit_code() {
    let place = Place::enrolled();
    let disk = RealDisk::open(&place.path("data/journal")).unwrap();
    let locked = disk.lock("journal.lock").unwrap();
    let mut processes = place.processes();
    let refused = place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    let shown = page.shows("暂停服务").await.html;
    assert!(shown.contains(HELP_PHONE), "{shown}");
    kill_process(pid(refused).unwrap(), Signal::TERM).unwrap();
    let status = processes.wait(refused, LIMIT).await.unwrap();
    assert_eq!(status.and_then(|status| status.code()), Some(75));

    drop(locked);
    place.run(&mut processes).await;
    page.shows("start-collection").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_starts_with_an_alarm_and_every_door_in_doubt() {
    let place = Place::enrolled();
    let _bench = place.hardware();
    let mut processes = place.processes();
    let first = place.run(&mut processes).await;
    place.journaled("locker.door-found", 24).await;
    processes.kill(first).await.unwrap();
    let segments = std::fs::read_dir(place.path("data/journal")).unwrap();
    let mut segments: Vec<PathBuf> = segments
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "segment"))
        .collect();
    segments.sort();
    // In the middle of the first record: what follows it proves that it was acknowledged.
    let segment = segments.last().unwrap();
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[4096 + 100] ^= 0x55;
    std::fs::write(segment, bytes).unwrap();

    place.run(&mut processes).await;
    place.journaled("\"alarm\":\"journal-damaged\"", 1).await;
    place.journaled("\"reason\":\"damaged\"", 24).await;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    let verified = place.lockerd(&["journal", "verify"]);
    assert_eq!(verified.status.code(), Some(65), "{verified:?}");
}
