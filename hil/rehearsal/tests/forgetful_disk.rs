//! A disk that forgets the journal's newest pages as a whole: the next start misses them, because it is kept how far the office had the
//! events, names them, doubts every compartment, and goes on where the office stands.
#![allow(clippy::unwrap_used)]

mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockerd::journal::{JournalReader, RealDisk};
use rehearsal::site::{Brokerage, Plan, Program, Site};
use serde_json::Value;
use waiting::until;

fn reader(site: &Site) -> JournalReader {
    let disk = RealDisk::open_existing(&site.path("cabinet/journal")).unwrap();
    JournalReader::from_outside(Arc::new(disk))
}

fn last_seq(site: &Site) -> u64 {
    reader(site).last_seq().unwrap()
}

/// The journal's events that can be read.
fn journal(site: &Site) -> String {
    let records = reader(site).read_from(1, usize::MAX, usize::MAX).unwrap();
    let texts = records
        .iter()
        .map(|record| std::str::from_utf8(&record.event).unwrap());
    texts.collect()
}

/// What the office has, in order.
fn office(site: &Site) -> Vec<Value> {
    let listed = site.office(&["events", "--json"]).unwrap();
    listed
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn seq(listed: &Value) -> u64 {
    listed["event"]["seq"].as_str().unwrap().parse().unwrap()
}

async fn office_has(site: &Site, last: u64) {
    until("the office has every event", || {
        office(site).last().is_some_and(|listed| seq(listed) >= last)
    })
    .await;
}

/// The number up to which it is kept that the office has the journal.
fn kept(site: &Site) -> Option<u64> {
    let text = std::fs::read_to_string(site.path("cabinet/documents/reported")).ok()?;
    let kept: Value = serde_json::from_str(text.split_once('\n')?.1).ok()?;
    kept["tip"]["seq"].as_str()?.parse().ok()
}

fn newest_segment(journal: &Path) -> PathBuf {
    let entries = std::fs::read_dir(journal).unwrap();
    let segments = entries.map(|entry| entry.unwrap().path());
    let segments = segments.filter(|path| path.extension().is_some_and(|kind| kind == "segment"));
    segments.max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_disk_has_forgotten_are_named_and_the_history_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let plan = Plan::new(directory.path(), Brokerage::Own, None, None).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let mut site = Site::found(plan, program, Arc::new(|_: &str, _: &str| {})).unwrap();
    site.start_all().await.unwrap();
    until("doors are read", || last_seq(&site) > 100).await;
    until("it is kept that the office has everything", || {
        kept(&site).is_some_and(|kept| kept == last_seq(&site))
    })
    .await;
    let kept = kept(&site).unwrap();
    site.kill(Program::Cabinet).await.unwrap();

    // What was written last, the last events that the office is known to have among it, was never written.
    let segment = newest_segment(&site.path("cabinet/journal"));
    let mut bytes = std::fs::read(&segment).unwrap();
    let mut left = u64::MAX;
    while left >= kept {
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes[used.saturating_sub(300)..].fill(0);
        std::fs::write(&segment, &bytes).unwrap();
        left = last_seq(&site);
    }

    site.start(Program::Cabinet).await.unwrap();
    let missing = format!("\"unreadable\":[[\"{}\",\"{kept}\"]]", left + 1);
    until("the start names them", || journal(&site).contains(&missing)).await;
    assert!(journal(&site).matches("\"reason\":\"damaged\"").count() >= 24);
    let after = last_seq(&site);
    assert!(after > kept, "their numbers are not given again");
    office_has(&site, after).await;
    let stored = office(&site);
    for next in stored.windows(2) {
        assert_eq!(seq(&next[1]), seq(&next[0]) + 1, "one history, without a gap");
    }
    assert!(stored.iter().all(|listed| listed["branch"] == 0), "nothing forks");
    assert!(site.office(&["verify"]).is_ok());
    site.end_all().await;
}
