//! A cabinet's key is renewed while everything runs, and every program is killed (-9) in the middle of it: with Debian's mosquitto, the
//! real hub and the real daemon.
#![allow(clippy::unwrap_used)]

mod waiting;

use std::path::PathBuf;
use std::sync::Arc;

use rehearsal::site::{Brokerage, Plan, Program, Site};
use waiting::until;

/// Every event of the cabinet's journal is in the office's database.
async fn office_has_everything(site: &Site) {
    let lines = |listed: String| listed.lines().filter(|line| line.contains("specversion")).count();
    until("the office has every event", || {
        let written = lines(site.lockerd(&["journal", "export"]).unwrap());
        written > 0 && lines(site.office(&["events", "--json"]).unwrap()) == written
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_renewed_without_a_restart_and_whatever_is_killed_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan::new(directory.path(), Brokerage::Mosquitto, None, None).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let loud = std::env::var_os("LOUD").is_some();
    let sink = Arc::new(move |name: &str, line: &str| {
        if loud {
            eprintln!("{name}: {line}");
        }
    });
    let mut site = Site::found(plan, program, sink).unwrap();
    site.start_all().await.unwrap();
    office_has_everything(&site).await;
    let key = |site: &Site| std::fs::read_to_string(site.path("secrets/identity.key")).unwrap();
    let codes_before = key(&site);

    for round in 0..2 {
        let before = key(&site);
        let printed = site.lockerd(&["identity", "--renew"]).unwrap();
        site.kill(Program::Cabinet).await.unwrap();
        site.start(Program::Cabinet).await.unwrap();
        assert_eq!(site.lockerd(&["identity", "--renew"]).unwrap(), printed);
        let identity = site.path("identity.json").display().to_string();
        std::fs::write(&identity, &printed).unwrap();
        let renew = [
            "renew",
            "--cabinet",
            site.cabinet().as_str(),
            "--identity",
            &identity,
        ];
        let answer = site.office(&renew).unwrap();
        site.kill(Program::Office).await.unwrap();
        site.start(Program::Office).await.unwrap();
        office_has_everything(&site).await; // signed with the key of before, which still counts
        let bundle = site.path("bundle.json").display().to_string();
        std::fs::write(&bundle, answer).unwrap();
        site.lockerd(&["enrol", &bundle]).unwrap();
        if round == 1 {
            site.kill(Program::Cabinet).await.unwrap();
            site.kill(Program::Broker).await.unwrap();
            site.start(Program::Cabinet).await.unwrap();
            site.start(Program::Broker).await.unwrap();
        }
        let next = site.path("secrets/identity.next.key");
        until("the daemon takes the new key", || !next.exists()).await;
        assert_ne!(key(&site), before);
        let now = site.lockerd(&["identity"]).unwrap();
        assert_eq!(now, printed, "what was to be the key is the key");

        site.hardware("hand locks 1 5 force").await.unwrap();
        site.hardware("hand locks 1 5 close").await.unwrap();
        office_has_everything(&site).await;
    }
    let codes = std::fs::read_to_string(site.path("secrets/codes.key")).unwrap();
    assert_eq!(codes, codes_before, "pickup codes go on living");
    let listed = site.office(&["events", "--json"]).unwrap();
    assert!(!listed.contains("locker.code-reissued"), "{listed}");
    assert!(site.office(&["verify"]).is_ok());
    site.end_all().await;
}
