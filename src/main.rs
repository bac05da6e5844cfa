//! `lockerd`: everything is in the library, so that other programs can start the same daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockerd::main(std::env::args_os())
}
