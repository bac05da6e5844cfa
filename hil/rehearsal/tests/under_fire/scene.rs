//! A cabinet and its office that are looked at from outside: what the one has written and the other has stored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lockerd::cabinet::screen::Action;
use office_protocol::{Digest, Event, HistoryLine};
use rehearsal::approval::Approval;
use rehearsal::finger::Finger;
use rehearsal::site::{Brokerage, Plan, Program, Site};
use serde_json::Value;

use crate::waiting::until;

const ACCEPT: Action = Action::Accept { reachable: false };

/// An event: its number and its digest.
pub(crate) type Place = (u64, Digest);

/// With mosquitto; nothing runs yet. `LOUD=1` shows what the programs say.
pub(crate) fn found(plan: Plan) -> Site {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let loud = std::env::var_os("LOUD").is_some();
    let here = plan.directory.display().to_string();
    let sink = Arc::new(move |name: &str, line: &str| {
        if loud {
            eprintln!("{here} {name}: {line}");
        }
    });
    Site::found(plan, program, sink).unwrap()
}

/// Everything runs, and the office has what the cabinet wrote when it started.
pub(crate) async fn running(directory: &Path) -> Site {
    let mut site = found(Plan::new(directory, Brokerage::Mosquitto, None, None).unwrap());
    site.start_all().await.unwrap();
    until("doors are read", || journal(&site).len() > 24).await;
    office_has_all_of(&site, &site).await;
    site
}

/// The cabinet's events, in order.
pub(crate) fn journal(cabinet: &Site) -> Vec<Place> {
    let exported = cabinet.lockerd(&["journal", "export"]).unwrap();
    let event = |line: &str| {
        let line = HistoryLine::parse(line).unwrap();
        let seq = Event::parse(&line.event).unwrap().seq;
        (seq.0, Digest::of(&line.event))
    };
    exported.lines().map(event).collect()
}

/// The office's events of each history, in the order in which they were stored.
pub(crate) fn stored(office: &Site) -> BTreeMap<u64, Vec<Place>> {
    let listed = office.office(&["events", "--json"]).unwrap();
    let mut histories: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    for line in listed.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let seq = event["event"]["seq"].as_str().unwrap().parse().unwrap();
        let digest = serde_json::from_value(event["digest"].clone()).unwrap();
        let branch = event["branch"].as_u64().unwrap();
        histories.entry(branch).or_default().push((seq, digest));
    }
    histories
}

/// Waits until every event that this cabinet has written is at this office.
pub(crate) async fn office_has_all_of(office: &Site, cabinet: &Site) {
    until("the office has every event", || {
        let stored: Vec<Place> = stored(office).into_values().flatten().collect();
        journal(cabinet).iter().all(|event| stored.contains(event))
    })
    .await;
}

/// Every event is stored once, each history in order and without a hole, and every chain holds.
pub(crate) fn each_once_and_in_order(office: &Site) {
    let histories = stored(office);
    for (branch, events) in &histories {
        let numbers: Vec<u64> = events.iter().map(|event| event.0).collect();
        let first = numbers[0];
        let wanted: Vec<u64> = (first..first + numbers.len() as u64).collect();
        assert_eq!(numbers, wanted, "history {branch}");
        assert!(*branch > 0 || first == 1);
    }
    office.office(&["verify"]).unwrap();
}

/// How many histories the office has of the cabinet, and whether it says that they are a fork.
pub(crate) async fn histories(office: &Site) -> (u64, bool) {
    let approval = approval(office);
    let known = approval.cabinet(office.cabinet()).await.unwrap();
    let alarms = approval.ask("GET", "/alarms", None).await.unwrap();
    let fork = |alarm: &Value| alarm["alarm"] == "fork" && alarm["cleared"].is_null();
    let alarmed = alarms.as_array().unwrap().iter().any(fork);
    (known["branches"].as_u64().unwrap(), alarmed)
}

pub(crate) fn approval(office: &Site) -> Approval {
    Approval::new(office.plan().office, office.office_secret("token").unwrap())
}

/// Somebody pulls a door open and closes it; the cabinet has written both.
pub(crate) async fn force_a_door(cabinet: &mut Site) {
    let last = |cabinet: &Site| journal(cabinet).last().unwrap().0;
    for deed in ["force", "close"] {
        let before = last(cabinet);
        cabinet.hardware(&format!("hand locks 1 5 {deed}")).await.unwrap();
        until("the door has moved", || last(cabinet) > before).await;
    }
}

/// Somebody hands an envelope in, as the office has allowed it.
pub(crate) async fn drop_off(cabinet: &mut Site, pass: &str) {
    let mut finger = Finger::new(cabinet.plan().kiosk);
    finger.see(&["home"]).await.unwrap();
    loop {
        cabinet.hardware(&format!("scan scanner {pass}")).await.unwrap();
        if finger.soon(&["checklist"]).await.is_some() {
            break;
        }
    }
    finger.touch(&ACCEPT, &["slip"]).await.unwrap();
    let door = finger
        .touch(&ACCEPT, &["door-open"])
        .await
        .unwrap()
        .door()
        .unwrap();
    let mut moved = String::new();
    while moved != "done" {
        moved = cabinet
            .hardware(&format!("hand locks 1 {door} put"))
            .await
            .unwrap();
    }
    loop {
        cabinet
            .hardware(&format!("hand locks 1 {door} close"))
            .await
            .unwrap();
        if finger.soon(&["is-it-inside"]).await.is_some() {
            break;
        }
    }
    finger.touch(&Action::Yes, &["receipt"]).await.unwrap();
    finger.touch(&Action::Done, &["home"]).await.unwrap();
}

/// Copies a file or directory with its owners and rights; what is at `to` is replaced.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _nothing_there = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// Stops the cabinet as a power cut would, and lets it run on a copy of a disk.
pub(crate) async fn restart_on(cabinet: &mut Site, disk: &Path) {
    cabinet.kill(Program::Cabinet).await.unwrap();
    copy(disk, &cabinet.path("cabinet"));
    cabinet.start(Program::Cabinet).await.unwrap();
}
