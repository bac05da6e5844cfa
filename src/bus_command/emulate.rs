//! Hands over to the program that plays boards: simulated boards are no part of the one that opens real doors.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::command_line::Failure;

/// Its name; it comes from the package of the same name in this workspace.
const PROGRAM: &str = "hardware";

/// Becomes that program, with the same arguments; returns only if it cannot.
pub(super) fn become_player(arguments: Vec<OsString>) -> Failure {
    let program = beside().unwrap_or_else(|| PROGRAM.into());
    let error = Command::new(&program).arg("emulate").args(arguments).exec();
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(
            69,
            format!(
                "boards are played by a program of its own, and there is no `{PROGRAM}` beside lockerd or in PATH: \
                 build it with `cargo build --release --package {PROGRAM}` and put it there"
            ),
        );
    }
    Failure::new(69, format!("{}: {error}; check its rights", program.display()))
}

/// The one that was built with this program.
fn beside() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name(PROGRAM);
    program.is_file().then_some(program)
}
