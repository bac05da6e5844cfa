//! `office`: the hub as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    office::main(std::env::args_os())
}
