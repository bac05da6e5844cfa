//! `rehearsal`: the parts of the rehearsal as commands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rehearsal::{bench, broker, processes, simulation};
use tracing_subscriber::EnvFilter;

/// The whole locker system on one machine
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Broker(broker::Arguments),
    Hardware(bench::Arguments),
    Simulate(simulation::Arguments),
}

fn main() -> ExitCode {
    if !processes::die_with_parent() {
        return ExitCode::SUCCESS;
    }
    // The daemon is this executable under another name, with its own arguments and log.
    if std::env::args_os().nth(1).is_some_and(|name| name == "lockerd") {
        return lockerd::main(std::env::args_os().skip(1));
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().command {
        Command::Hardware(arguments) => on_runtime(bench::run(arguments)),
        Command::Broker(arguments) => on_runtime(broker::run(arguments)),
        Command::Simulate(arguments) => simulation::command(&arguments),
    }
}

fn on_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!(
                "rehearsal: the system gives no threads or descriptors ({error}); close other programs"
            );
            return ExitCode::from(71);
        }
    };
    runtime.block_on(work)
}
