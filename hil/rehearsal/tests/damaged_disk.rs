//! Events that a damaged disk has lost before the office had them: the cabinet signs that they are lost, the office names them, and
//! everything that came later is there once, on either database.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub)]
#[path = "../../../office/tests/support/postgres.rs"]
mod postgres;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;

use lockerd::journal::{JournalReader, RealDisk};
use rehearsal::approval::Approval;
use rehearsal::site::{Brokerage, Plan, Program, Site};
use serde_json::Value;
use waiting::until;

fn last_seq(site: &Site) -> u64 {
    let disk = RealDisk::open_existing(&site.path("cabinet/journal")).unwrap();
    JournalReader::from_outside(Arc::new(disk)).last_seq().unwrap()
}

/// The numbers that the office has, in the order in which they came.
fn stored(site: &Site) -> Vec<u64> {
    let listed = site.office(&["events", "--json"]).unwrap();
    let listed = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    listed
        .map(|event| event["event"]["seq"].as_str().unwrap().parse().unwrap())
        .collect()
}

async fn office_has(site: &Site, last: u64) {
    until("the office has every event", || {
        stored(site).last().is_some_and(|seq| *seq >= last)
    })
    .await;
}

/// Somebody pulls a door open, and closes it.
async fn force_a_door(site: &mut Site) {
    let before = last_seq(site);
    site.hardware("hand locks 1 5 force").await.unwrap();
    until("the door is open", || last_seq(site) > before).await;
    let opened = last_seq(site);
    site.hardware("hand locks 1 5 close").await.unwrap();
    until("the door is closed", || last_seq(site) > opened).await;
}

/// Flips a bit in each of these events, wherever they are kept.
fn damage(site: &Site, seqs: std::ops::RangeInclusive<u64>) {
    for entry in std::fs::read_dir(site.path("cabinet/journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "segment") {
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        for seq in seqs.clone() {
            let text = format!("-{seq}\",\"source\"");
            let found: Vec<usize> = bytes
                .windows(text.len())
                .enumerate()
                .filter_map(|(at, window)| (window == text.as_bytes()).then_some(at))
                .collect();
            found.into_iter().for_each(|at| bytes[at + 1] ^= 1);
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

async fn what_came_behind_a_hole_arrives_once(database: Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan::new(directory.path(), Brokerage::Own, None, None).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let mut site = Site::found(plan, program, Arc::new(|_: &str, _: &str| {})).unwrap();
    if let Some(database) = database {
        let settings = site.path("office.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, format!("database = {database:?}\n{text}")).unwrap();
        let identity = site.path("identity.json").display().to_string();
        site.office(&["enrol", "--cabinet", "DEMO-1", "--identity", &identity])
            .unwrap();
    }
    site.start_all().await.unwrap();
    until("doors are read", || last_seq(&site) > 30).await;
    office_has(&site, last_seq(&site)).await;
    site.kill(Program::Office).await.unwrap();
    let has = *stored(&site).last().unwrap();
    for _ in 0..4 {
        force_a_door(&mut site).await;
    }
    site.kill(Program::Cabinet).await.unwrap();
    let (first, last) = (has + 2, has + 3);
    assert!(last_seq(&site) > last + 2);
    damage(&site, first..=last);

    site.start(Program::Cabinet).await.unwrap();
    site.start(Program::Office).await.unwrap();
    let whole = |tip: u64| -> Vec<u64> { (1..first).chain(last + 1..=tip).collect() };
    let tip = last_seq(&site);
    office_has(&site, tip).await;
    force_a_door(&mut site).await;
    office_has(&site, last_seq(&site)).await;
    let stored = stored(&site);
    assert_eq!(stored, whole(*stored.last().unwrap()), "each once and in order");
    assert!(site.office(&["verify"]).is_ok());

    let token = site.office_secret("token").unwrap();
    let approval = Approval::new(site.plan().office, token);
    let known = approval.cabinet(site.cabinet()).await.unwrap();
    let says = |name: &str| known[name].as_u64();
    assert_eq!((says("lost_from"), says("lost_to")), (Some(first), Some(last)));
    assert_eq!(
        (says("complete_to"), says("branches")),
        (Some(first - 1), Some(1))
    );
    let alarms = approval.ask("GET", "/alarms", None).await.unwrap();
    let lost = |alarm: &&Value| alarm["alarm"] == "events-lost" && alarm["cleared"].is_null();
    assert!(
        alarms.as_array().unwrap().iter().any(|alarm| lost(&alarm)),
        "{alarms}"
    );
    site.end_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_file() {
    what_came_behind_a_hole_arrives_once(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql() {
    what_came_behind_a_hole_arrives_once(Some(postgres::fresh(false))).await;
}
