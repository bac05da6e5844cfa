//! The daemon as a process, over pseudo-terminals and its real screen: enrolled, served, badly treated, killed, and whole again.
#![allow(clippy::unwrap_used)]

mod board_keys;
mod damage;
mod history;
mod messages;
mod page;
mod place;
mod ports;
mod proving;
mod restore;
mod scans;
mod settings;
mod slow_disk;

use place::{LIMIT, Place};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_comes_back_with_its_journal_whole() {
    let place = Place::new();
    let refused = place.lockerd(&["run"]);
    assert_eq!(refused.status.code(), Some(78), "not enrolled: {refused:?}");
    place.enrol();
    let mut processes = place.processes();
    let bench = place.hardware();
    let first = place.run(&mut processes).await;
    place.journaled("locker.started", 1).await;
    bench.obey("hand locks 1 5 force").await.unwrap();
    place.journaled("locker.door-", 1).await;
    processes.kill(first).await.unwrap();
    let second = place.run(&mut processes).await;
    place.journaled("locker.started", 2).await;
    let status = processes.end(second, LIMIT).await.unwrap();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let verified = place.lockerd(&["journal", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("chain intact"));
}
