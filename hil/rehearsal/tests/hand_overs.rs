//! The whole road as programs, over pseudo-terminals and a broker: hand-overs, killed programs, and a database that has it all.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Runs the demo's scenario to its end, in which no secret may be found in anything that the programs left, however much they said;
/// its last line says what the office's database holds.
fn scenario(arguments: &[&str]) {
    let run = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["demo", "--scenario", "--language", "en"])
        .args(arguments)
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complaints}");
    let sum = said.lines().last().unwrap();
    let hand_overs = "hand-overs: drop-off 5, clearing 6, placing 6, collection 5, recall 1; office has ";
    assert!(
        sum.starts_with(hand_overs) && sum.ends_with(" events, chain intact"),
        "{sum}"
    );
    let office = &sum[hand_overs.len()..];
    let (has, rest) = office.split_once(" of ").unwrap();
    assert_eq!(has, rest.split(' ').next().unwrap());
}

#[test]
fn a_daemon_killed_at_random_moments_loses_nothing_and_opens_nothing_by_itself() {
    let run = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["demo", "--kills", "25", "--language", "en"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{complaints}");
    assert!(said.contains("25 kills, 26 starts"), "{said}");
}

#[test]
fn hand_overs_survive_every_killed_program() {
    scenario(&[]);
}

#[test]
fn hand_overs_survive_every_killed_program_with_mosquitto_and_client_certificates() {
    scenario(&["--mosquitto"]);
}
