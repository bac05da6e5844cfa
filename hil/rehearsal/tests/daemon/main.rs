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

use std::process::{Command, Stdio};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_does_so_without_a_complaint() {
    let place = Place::enrolled();
    let _bench = place.hardware();
    for start in 1..=4 {
        let daemon = Command::new(&place.program[0])
            .args(place.launch().arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        place.journaled("locker.started", start).await;
        let mut tell = Command::new("kill");
        let told = tell.args(["-TERM", &daemon.id().to_string()]).status();
        assert!(told.unwrap().success());
        let ended = daemon.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && !said.contains("panicked"), "{said}");
    }
}
