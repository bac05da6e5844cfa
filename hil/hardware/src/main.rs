//! `hardware`: boards played at the end of a real cable, and real boards checked.

mod check;
mod emulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hardware::HELP;

/// Lock boards on real cables: played, and checked. Exit codes follow sysexits: 64 usage, 66 no such port, 78 a bench's file
#[derive(Debug, Parser)]
#[command(name = "hardware", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays lock boards at a serial port until SIGINT; what is typed moves doors and breaks things
    #[command(after_help = format!("Lines on standard input, with `{}` for PORT:\n{HELP}", emulate::NAME))]
    Emulate(emulate::Emulate),
    /// Checks the lock board of a bench and writes a report for its maker. Doors open!
    #[command(
        after_help = "Exit codes: 0 all passed, 1 a check failed, 75 none failed but not all was done."
    )]
    Check(check::CheckBench),
}

/// Why nothing was done, with the exit code.
struct Failure(u8, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse_from(hardware::typed_after_an_alias(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _closed = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let done = match arguments.command {
        Command::Emulate(emulate) => emulate.run().await.map(|()| ExitCode::SUCCESS),
        Command::Check(check) => check.run().await,
    };
    done.unwrap_or_else(|Failure(code, message)| {
        eprintln!("hardware: {message}");
        ExitCode::from(code)
    })
}
