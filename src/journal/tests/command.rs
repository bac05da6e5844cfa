//! `lockerd journal` on whole, running and damaged journals.
#![allow(clippy::unwrap_used)]

use super::super::command::*;
use super::super::verify::{Problem, verify};
use super::events::chain;
use super::*;
use office_protocol::Digest;
use std::path::Path;
use tempfile::tempdir;

/// A journal of 300 events in several segments, still open.
fn running(directory: &Path) -> Journal {
    let mut journal = resume(directory, b"");
    let mut previous = Digest::ZERO;
    while journal.last_seq() < 300 {
        let (group, last) = chain(journal.last_seq() + 1, 3, previous);
        previous = last;
        if journal.append(&group).unwrap().wants_checkpoint {
            journal.roll(b"", 0).unwrap();
        }
    }
    journal
}

fn run(directory: &Path, command: &JournalCommand) -> (u8, String, String) {
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let code = command.run(directory, &mut out, &mut complaints);
    (
        code,
        String::from_utf8(out).unwrap(),
        String::from_utf8(complaints).unwrap(),
    )
}

const VERIFY: JournalCommand = JournalCommand::Verify { json: false };

fn show(arguments: ShowArguments) -> JournalCommand {
    JournalCommand::Show(arguments)
}

#[test]
fn a_running_journal_is_verified() {
    let directory = tempdir().unwrap();
    let _journal = running(directory.path());
    let (code, out, complaints) = run(directory.path(), &VERIFY);
    assert_eq!(code, EXIT_OK, "{out}{complaints}");
    assert!(out.contains("300 events (1 to 300), chain intact"), "{out}");
    let (code, out, _) = run(directory.path(), &JournalCommand::Verify { json: true });
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, EXIT_OK);
    assert_eq!(
        (&answer["events"], &answer["intact"]),
        (&300.into(), &true.into())
    );
}

#[test]
fn one_flipped_bit_is_found_and_named() {
    let directory = tempdir().unwrap();
    drop(running(directory.path()));
    let path = &segments(directory.path())[1];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[4096 + 100] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let (code, out, complaints) = run(directory.path(), &VERIFY);
    assert_eq!(code, EXIT_DATA);
    assert!(
        out.contains("cannot be read") && out.contains("NOT intact"),
        "{out}"
    );
    assert!(complaints.contains("1 things cannot be read"), "{complaints}");
    let (code, out, _) = run(directory.path(), &JournalCommand::Export);
    assert_eq!((code, out.lines().count()), (EXIT_DATA, 299));
}

#[test]
fn a_broken_chain_and_a_wrong_number_are_found_though_every_byte_is_as_written() {
    let directory = tempdir().unwrap();
    let mut journal = resume(directory.path(), b"");
    let (first, _) = chain(1, 2, Digest::ZERO);
    let (forged, forged_last) = chain(3, 1, Digest::of(b"something else"));
    let (mut wrong, _) = chain(9, 1, forged_last);
    wrong[0].seq = 4;
    for group in [first, forged, wrong] {
        journal.append(&group).unwrap();
    }
    journal.append(&[record(5)]).unwrap();
    let problems = verify(&*disk(directory.path())).unwrap().problems;
    assert_eq!(problems[0], Problem::Chain { seq: 3 });
    assert_eq!(problems[1], Problem::Number { seq: 4, said: 9 });
    assert!(matches!(problems[2], Problem::NotAnEvent { seq: 5, .. }));
    assert_eq!(problems.len(), 3);
}

#[test]
fn events_are_shown_by_number_compartment_and_consignment() {
    let directory = tempdir().unwrap();
    let _journal = running(directory.path());
    let (code, out, _) = run(
        directory.path(),
        &show(ShowArguments {
            from: Some(5),
            to: Some(7),
            ..Default::default()
        }),
    );
    assert_eq!(code, EXIT_OK);
    let kinds: Vec<&str> = out
        .lines()
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(kinds, ["door-closed", "collected", "door-closed"]);
    assert!(
        out.contains("2026-01-01T00:00:00.000Z") && out.contains("[1 sealed]"),
        "{out}"
    );

    let one = ShowArguments {
        compartment: Some("3".parse().unwrap()),
        json: true,
        ..Default::default()
    };
    let (_, out, _) = run(directory.path(), &show(one));
    assert_eq!(out.lines().count(), 13);
    assert!(
        out.lines()
            .all(|line| line.starts_with('{') && line.contains("\"compartment\":3")),
        "{out}"
    );

    let one = ShowArguments {
        consignment: Some("WB-0007.30".parse().unwrap()),
        ..Default::default()
    };
    let (_, out, _) = run(directory.path(), &show(one));
    assert_eq!(out.lines().count(), 1);
    assert!(out.trim_start().starts_with("30 "), "{out}");
}

#[test]
fn export_keeps_the_events_bytes_and_the_sealed_parts_sealed() {
    let directory = tempdir().unwrap();
    let _journal = running(directory.path());
    let (code, out, _) = run(directory.path(), &JournalCommand::Export);
    assert_eq!(code, EXIT_OK);
    let (expected, _) = chain(1, 1, Digest::ZERO);
    let event = String::from_utf8(expected[0].event.clone()).unwrap();
    assert_eq!(
        out.lines().next().unwrap(),
        format!("{{\"event\":{event},\"sealed\":[\"paWl\"]}}")
    );
    assert_eq!(out.lines().count(), 300);
}

#[test]
fn no_journal_is_said_so() {
    let directory = tempdir().unwrap();
    let (code, _, complaints) = run(directory.path(), &VERIFY);
    assert_eq!(code, EXIT_NO_INPUT);
    assert!(complaints.contains("no journal"), "{complaints}");
    let (code, _, _) = run(&directory.path().join("nowhere"), &JournalCommand::Export);
    assert_eq!(code, EXIT_NO_INPUT);
}
