//! The index finds, forgets, and is built again whenever anything is wrong with it.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::journal::tests::{append_events, open_journal};
use office_protocol::Seq;
use std::fs;
use tempfile::{TempDir, tempdir};
use tokio::sync::watch;

fn compartment(number: u16) -> Subject {
    Subject::Compartment(office_protocol::CompartmentId(number))
}

fn found(query: &mut IndexQuery, subject: &Subject) -> Vec<u64> {
    query
        .find(subject, 1_000)
        .unwrap()
        .iter()
        .map(|record| record.seq)
        .collect()
}

/// What the test events say: event `seq` is about compartment `seq % 24 + 1`.
fn expected(number: u64, first: u64, last: u64) -> Vec<u64> {
    (first..=last)
        .rev()
        .filter(|seq| seq % 24 + 1 == number)
        .collect()
}

fn setting() -> (TempDir, PathBuf, PathBuf) {
    let directory = tempdir().unwrap();
    let (journal, index) = (directory.path().join("journal"), directory.path().join("index"));
    (directory, journal, index)
}

#[test]
fn events_are_found_by_what_they_are_about_newest_first() {
    let (_directory, journal, index) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 100);
    let mut index = Index::open(&index, journal.reader()).unwrap();
    let mut query = index.query();
    assert_eq!(found(&mut query, &compartment(5)), expected(5, 1, 100));
    assert_eq!(
        found(&mut query, &Subject::Consignment("WB-0007.33".parse().unwrap())),
        [33]
    );
    // No consignment's name is the beginning of another's.
    assert_eq!(
        found(&mut query, &Subject::Consignment("WB-0007.3".parse().unwrap())),
        [3]
    );
    assert_eq!(query.find(&compartment(5), 2).unwrap().len(), 2);

    append_events(&mut journal, 50);
    for record in journal.reader().read_from(101, 100, usize::MAX).unwrap() {
        index.apply(&record).unwrap();
        index.apply(&record).unwrap();
    }
    assert_eq!(found(&mut query, &compartment(5)), expected(5, 1, 150));
    assert_eq!(
        query.find(&compartment(5), 1).unwrap()[0].seq,
        *expected(5, 1, 150).first().unwrap()
    );
}

#[test]
fn only_so_many_events_are_kept() {
    let (_directory, journal, index) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 500);
    let mut index = Index::open_sized(&index, journal.reader(), 100).unwrap();
    append_events(&mut journal, 77);
    assert_eq!(index.catch_up().unwrap(), 77);
    for number in 1..=24 {
        assert_eq!(
            found(&mut index.query(), &compartment(number)),
            expected(u64::from(number), 478, 577)
        );
    }
}

#[test]
fn closed_in_good_order_it_is_used_again_and_catches_up() {
    let (_directory, journal, place) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 90);
    Index::open(&place, journal.reader()).unwrap().close();
    append_events(&mut journal, 10);
    let mut index = Index::open(&place, journal.reader()).unwrap();
    assert!(!place.join("aside").exists(), "it was built again");
    assert_eq!(found(&mut index.query(), &compartment(7)), expected(7, 1, 100));
    assert_eq!(index.catch_up().unwrap(), 0);
}

#[test]
fn after_a_crash_it_is_not_trusted() {
    let (_directory, journal, place) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 60);
    drop(Index::open(&place, journal.reader()).unwrap());
    let index = Index::open(&place, journal.reader()).unwrap();
    assert!(place.join("aside").exists(), "what a crash left was opened");
    assert_eq!(found(&mut index.query(), &compartment(7)), expected(7, 1, 60));
}

#[test]
fn damaged_files_and_another_journals_index_are_replaced() {
    let (directory, journal, place) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 60);
    Index::open(&place, journal.reader()).unwrap().close();
    fs::write(place.join("database/conf"), b"noise").unwrap();
    let index = Index::open(&place, journal.reader()).unwrap();
    assert_eq!(found(&mut index.query(), &compartment(7)), expected(7, 1, 60));
    index.close();

    let mut other = open_journal(&directory.path().join("other"));
    append_events(&mut other, 31);
    let index = Index::open(&place, other.reader()).unwrap();
    assert_eq!(found(&mut index.query(), &compartment(7)), expected(7, 1, 31));
}

#[test]
fn once_discarded_nothing_is_found_and_its_files_are_gone() {
    let (_directory, journal, place) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 5);
    let index = Index::open(&place, journal.reader()).unwrap();
    let mut query = index.query();
    index.discard().unwrap();
    assert!(!place.exists());
    assert!(matches!(query.find(&compartment(1), 1), Err(IndexError::Absent)));
}

#[test]
fn without_a_place_to_be_the_error_says_that_the_daemon_goes_on() {
    let (directory, journal, _) = setting();
    let journal = open_journal(&journal);
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Index::open(&file, journal.reader()).unwrap_err();
    assert!(error.to_string().contains("goes on without it"), "{error}");
}

#[test]
fn when_the_disk_fills_it_goes_and_it_is_back_when_there_is_room() {
    let (_directory, journal, place) = setting();
    let mut journal = open_journal(&journal);
    append_events(&mut journal, 30);
    let (tip, tips) = watch::channel(Seq(30));
    let (allow, allowed) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);
    let channels = task::Channels {
        tip: tips,
        allowed,
        stop: stopping,
    };
    let mut query = IndexQuery::absent(journal.reader());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = {
        let (query, place, runtime) = (query.clone(), place.clone(), runtime.handle().clone());
        std::thread::spawn(move || task::run(&place, &query, channels, &runtime))
    };
    let mut until = |wanted: Option<Vec<u64>>| {
        let begun = std::time::Instant::now();
        loop {
            let records = query.find(&compartment(7), 100).ok();
            let found = records.map(|records| records.iter().map(|record| record.seq).collect());
            if found == wanted {
                return;
            }
            assert!(begun.elapsed().as_secs() < 20, "{found:?} instead of {wanted:?}");
            std::thread::yield_now();
        }
    };
    until(None);
    assert!(!place.exists(), "before it is known whether there is room");
    allow.send(true).unwrap();
    until(Some(expected(7, 1, 30)));
    append_events(&mut journal, 30);
    tip.send(Seq(60)).unwrap();
    until(Some(expected(7, 1, 60)));
    allow.send(false).unwrap();
    until(None);
    allow.send(true).unwrap();
    until(Some(expected(7, 1, 60)));
    stop.send(true).unwrap();
    running.join().unwrap();
    assert!(
        place.exists() && !place.join("in-use").exists(),
        "closed in good order"
    );
}
