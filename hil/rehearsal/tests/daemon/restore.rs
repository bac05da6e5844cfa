//! A new disk: the journal comes back from the office's history, and from nothing else.

use std::path::PathBuf;
use std::process::Output;

use office_protocol::{Digest, Event, HistoryEnd, HistoryHead, Purpose, Seq, Signed, SigningKey, Timestamp};
use rehearsal::processes::Processes;

use crate::place::{LIMIT, Place};

/// A place whose daemon ran, and the history that an office would have of it.
struct Lost {
    place: Place,
    lines: Vec<String>,
    identity: office_protocol::KeyId,
}

impl Lost {
    async fn new() -> Self {
        let place = Place::enrolled();
        let bench = place.hardware();
        let mut processes = place.processes();
        let daemon = place.run(&mut processes).await;
        place.journaled("locker.door-found", 24).await;
        bench.obey("hand locks 1 5 force").await.unwrap();
        place.journaled("locker.door-forced", 1).await;
        end(&mut processes, daemon).await;
        let exported = place.lockerd(&["journal", "export"]);
        let printed = place.lockerd(&["identity"]);
        let identity: office_protocol::enrolment::Identity = serde_json::from_slice(&printed.stdout).unwrap();
        std::fs::rename(place.path("data/journal"), place.path("lost")).unwrap();
        Self {
            lines: String::from_utf8(exported.stdout)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect(),
            identity: identity.key.id().clone(),
            place,
        }
    }

    fn last(&self) -> Vec<u8> {
        let line: serde_json::Value = serde_json::from_str(self.lines.last().unwrap()).unwrap();
        office_protocol::HistoryLine::parse(self.lines.last().unwrap())
            .map(|line| line.event)
            .unwrap_or_else(|_| panic!("{line}"))
    }

    fn end(&self) -> HistoryEnd {
        let last = self.last();
        HistoryEnd {
            branch: office_protocol::Branch(0),
            seq: Event::parse(&last).unwrap().seq,
            hash: Digest::of(&last),
            identity: self.identity.clone(),
            issued: lockerd::clock::wall(),
            lost: Vec::new(),
        }
    }

    fn head(&self, end: &HistoryEnd, key: &SigningKey) -> String {
        let bytes = serde_json::to_vec(end).unwrap();
        let signed = Signed::new(key, Purpose::History, &Place::cabinet(), bytes);
        HistoryHead::write(&signed, &self.place.keys.signed_key_set(&Place::cabinet(), 1))
    }

    fn restore(&self, head: &str, lines: &[String]) -> Output {
        let file = self.place.path("history.jsonl");
        std::fs::write(&file, format!("{head}\n{}\n", lines.join("\n"))).unwrap();
        self.place
            .lockerd(&["restore", "--from-office", &file.display().to_string()])
    }

    /// Refused with this exit code and these words, and nothing was written.
    fn refused(&self, head: &str, lines: &[String], code: i32, words: &str) {
        let refused = self.restore(head, lines);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        for name in ["data/journal", "data/journal.restoring"] {
            assert!(!self.place.path(name).exists(), "{name} after: {said}");
        }
    }
}

async fn end(processes: &mut Processes, daemon: rehearsal::processes::ProcessId) {
    let status = processes.end(daemon, LIMIT).await.unwrap();
    assert!(status.is_some_and(|status| status.success()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_journal_comes_back_byte_for_byte_and_goes_on_where_the_office_stood() {
    let lost = Lost::new().await;
    let reported = lost.place.path("data/documents/reported");
    std::fs::write(&reported, "how far the office had the lost journal").unwrap();
    let end_of_history = lost.end();
    let head = lost.head(&end_of_history, &lost.place.keys.positions);
    let restored = lost.restore(&head, &lost.lines);
    assert!(restored.status.success(), "{restored:?}");
    let said = String::from_utf8_lossy(&restored.stdout);
    assert!(said.contains("24 compartments are in doubt"), "{said}");
    assert!(!reported.exists(), "it was of another journal");

    let before = lost.lines.len();
    let exported = lost.place.lockerd(&["journal", "export"]);
    let now = String::from_utf8(exported.stdout).unwrap();
    let now: Vec<&str> = now.lines().collect();
    assert_eq!(&now[..before], &lost.lines[..]);
    assert!(now[before].contains("\"locker.restored\""), "{}", now[before]);
    assert_eq!(now.len(), before + 1 + 24, "every compartment is in doubt");

    let again = lost.restore(&head, &lost.lines);
    assert_eq!(again.status.code(), Some(73), "{again:?}");
    let _bench = lost.place.hardware();
    let mut processes = lost.place.processes();
    let daemon = lost.place.run(&mut processes).await;
    lost.place.journaled("locker.started", 2).await;
    end(&mut processes, daemon).await;
    let verified = lost.place.lockerd(&["journal", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_which_the_office_never_had_a_part_comes_back_with_the_hole_that_it_signed() {
    let lost = Lost::new().await;
    let holed = HistoryEnd {
        lost: vec![(Seq(4), Seq(6))],
        ..lost.end()
    };
    let mut lines = lost.lines.clone();
    lines.drain(3..6);
    let restored = lost.restore(&lost.head(&holed, &lost.place.keys.positions), &lines);
    assert!(restored.status.success(), "{restored:?}");
    let exported = lost.place.lockerd(&["journal", "export"]);
    let now = String::from_utf8(exported.stdout).unwrap();
    let now: Vec<&str> = now.lines().collect();
    assert_eq!(&now[..lines.len()], &lines[..]);
    assert!(now[lines.len()].contains("\"locker.restored\""));
    let _bench = lost.place.hardware();
    let mut processes = lost.place.processes();
    let daemon = lost.place.run(&mut processes).await;
    lost.place.journaled("locker.started", 2).await;
    end(&mut processes, daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_cabinets_whole_history_restores_nothing() {
    let lost = Lost::new().await;
    let reported = lost.place.path("data/documents/reported");
    std::fs::write(&reported, "how far the office had the lost journal").unwrap();
    let right = lost.end();
    let key = &lost.place.keys.positions;
    let head = lost.head(&right, key);
    let lines = &lost.lines;
    let without = |index: usize| {
        let mut fewer = lines.clone();
        fewer.remove(index);
        fewer
    };
    lost.refused(&head, &without(3), 65, "does not follow event 3");
    let elsewhere = HistoryEnd {
        lost: vec![(Seq(5), Seq(5))],
        ..right.clone()
    };
    lost.refused(
        &lost.head(&elsewhere, key),
        &without(3),
        65,
        "does not follow event 3",
    );
    lost.refused(&head, &without(lines.len() - 1), 65, "copy the file again");
    let mut altered = lines.clone();
    let index = altered
        .iter()
        .position(|line| line.contains("door-forced"))
        .unwrap();
    altered[index] = altered[index].replace("\"compartment\":5", "\"compartment\":6");
    assert_ne!(&altered, lines);
    lost.refused(&head, &altered, 65, "does not follow event");
    let mut last = lines.clone();
    let end = last.len() - 1;
    last[end] = last[end].replace("\"clock\":\"trusted\"", "\"clock\":\"untrusted\"");
    lost.refused(&head, &last, 65, "the office has signed that it ends with");
    let mut noise = lines.clone();
    noise[2] = "noise".into();
    lost.refused(&head, &noise, 65, "line 4: not a line of a history");

    let forged = lost.head(&right, &SigningKey::from_secret(&[66; 32]));
    lost.refused(&forged, lines, 65, "office export-cabinet --cabinet DEMO-1");
    lost.refused("", lines, 65, "office export-cabinet --cabinet DEMO-1");
    let other = HistoryEnd {
        identity: "0123456789abcdef".parse().unwrap(),
        ..right.clone()
    };
    lost.refused(&lost.head(&other, key), lines, 65, "another identity");
    let old = HistoryEnd {
        issued: Timestamp::from_millis(1_700_000_000_000),
        ..right.clone()
    };
    lost.refused(&lost.head(&old, key), lines, 65, "more than a day ago");

    assert!(reported.exists(), "nothing is forgotten before all is restored");
    let journal: PathBuf = lost.place.path("data/journal");
    std::fs::rename(lost.place.path("lost"), &journal).unwrap();
    let kept = lost.place.events();
    let refused = lost.restore(&head, lines);
    assert_eq!(refused.status.code(), Some(73), "{refused:?}");
    assert_eq!(lost.place.events(), kept);
}
