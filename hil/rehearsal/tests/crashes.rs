//! `cargo crashes` on this machine: processes killed (-9), and, where this user may mount, power cuts of a real ext4.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn rows(arguments: &[&str]) -> Vec<Value> {
    let run = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["crashes", "--json", "--directory", env!("CARGO_TARGET_TMPDIR")])
        .args(arguments)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{}\n{complaints}",
        String::from_utf8_lossy(&run.stdout)
    );
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn killed_processes_lose_nothing_that_they_were_promised() {
    let rows = rows(&["--only", "kills", "--kills", "40"]);
    assert_eq!((&rows[0]["tried"], &rows[0]["broken"]), (&40.into(), &0.into()));
}

#[test]
fn power_cuts_of_a_real_ext4_lose_nothing_and_without_syncs_they_would() {
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        eprintln!("left out: only root may mount, and only where there are loop devices");
        return;
    }
    let rows = rows(&["--only", "ext4", "--cuts", "20"]);
    assert_eq!((&rows[0]["tried"], &rows[0]["broken"]), (&20.into(), &0.into()));
    assert!(rows[1]["broken"].as_u64().unwrap() > 0, "{}", rows[1]);
}
