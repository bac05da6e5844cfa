//! `rehearsal`: the parts of the rehearsal as commands.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rehearsal::{attack, bench, broker, constant_time, crashes, demo, processes, simulation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The whole locker system on one machine
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Attack(attack::Arguments),
    Broker(broker::Arguments),
    Crashes(crashes::Arguments),
    ConstantTime(constant_time::Arguments),
    Hardware(bench::Arguments),
    Simulate(simulation::Arguments),
    Replay(simulation::ReplayArguments),
    Fleet(simulation::FleetArguments),
    Guessing(simulation::GuessingArguments),
}

fn main() -> ExitCode {
    if !processes::die_with_parent() {
        return ExitCode::SUCCESS;
    }
    // Daemon and hub are this executable under another name, with their own arguments and log; Debian's broker takes its place.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|name| name.to_str()) {
        Some("lockerd") => return lockerd::main(std::env::args_os().skip(1)),
        Some("office") => return office::command_line::main(std::env::args_os().skip(1)),
        Some("become") => return processes::become_another(arguments),
        Some(_) | None => {}
    }
    let command = Arguments::parse_from(hardware::typed_after_an_alias(std::env::args_os())).command;
    // What is damaged on purpose needs no warning.
    let level = if matches!(command, Command::Crashes(_)) {
        LevelFilter::OFF
    } else {
        LevelFilter::WARN
    };
    let asked = std::env::var("RUST_LOG").ok();
    let filter = asked
        .and_then(|asked| asked.parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
    match command {
        Command::Demo(arguments) => on_runtime(demo::run(arguments)),
        Command::Attack(arguments) => attack::command(&arguments),
        Command::ConstantTime(arguments) => constant_time::command(&arguments),
        Command::Crashes(arguments) => crashes::command(&arguments),
        Command::Hardware(arguments) => on_runtime(bench::run(arguments)),
        Command::Broker(arguments) => on_runtime(broker::run(arguments)),
        Command::Simulate(arguments) => simulation::command(&arguments),
        Command::Replay(arguments) => simulation::replay_command(&arguments),
        Command::Fleet(arguments) => simulation::fleet(&arguments),
        Command::Guessing(arguments) => simulation::guessing(&arguments),
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
