//! The daemon as a cabinet runs it: built with the profile for that, and nothing else in the program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::place::Place;

const BYTES_MAX: u64 = 10 << 20;

/// The program; built when it is first asked for, and its size said then.
pub(crate) fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--profile",
            "cabinet",
            "--quiet",
            "--package",
            "lockerd",
            "--bin",
            "lockerd",
        ])
        .status()
        .unwrap();
    assert!(built.success(), "lockerd does not build");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let program = target.parent().unwrap().join("cabinet/lockerd");
    let bytes = std::fs::metadata(&program).unwrap().len();
    println!(
        "binary, stripped: {:.1} MB (budget {} MB)",
        bytes as f64 / 1e6,
        BYTES_MAX >> 20
    );
    program
}

/// What it is started with: the environment of its unit.
fn command() -> Vec<OsString> {
    let unit = include_str!("../../../../config/lockerd.service");
    let said = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    let mut command = vec![OsString::from("/usr/bin/env")];
    command.extend(said.map(OsString::from));
    command.push(program().into());
    command
}

/// An enrolled cabinet that this program runs.
pub(crate) fn place() -> Place {
    let place = Place::of(crate::directory(), command());
    place.enrol();
    place
}
