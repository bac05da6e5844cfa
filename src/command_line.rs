//! What may be typed: arguments → settings → work → exit code. Exit codes follow sysexits.

pub(crate) mod unseen;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use office_protocol::enrolment::Identity;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::bus_command::{self, BusCommand};
use crate::clock;
use crate::commission::{self, Commission};
use crate::daemon;
use crate::engine::{self, EngineError};
use crate::journal::JournalError;
use crate::journal::command::JournalCommand;
use crate::restore::{self, command::Restore};
use crate::secrets;
use crate::settings::Settings;

/// The daemon of one self-service document locker
#[derive(Debug, Parser)]
#[command(
    name = "lockerd",
    version,
    after_help = "Exit codes are those of sysexits.h: 64 usage, 65 damaged or newer data, 66 no such journal, 69 the screen's port, \
                  71 the system, 73 there is a journal already, 74 the disk, 75 another lockerd runs, 78 settings or enrolment."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Configured {
    /// The settings file
    #[arg(
        long,
        global = true,
        default_value = "/etc/lockerd/lockerd.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the cabinet until SIGTERM
    Run(Configured),
    /// Says whether the settings can be used
    Check(Configured),
    /// Makes the cabinet's key if there is none, and prints what the office needs to enrol it (JSON, nothing secret)
    Identity {
        #[command(flatten)]
        configured: Configured,
        /// The key that is to take its place: the one in force goes on signing until the office has taken the new one
        #[arg(long)]
        renew: bool,
    },
    /// Keeps the bundle that `office enrol` answered with
    Enrol {
        #[command(flatten)]
        configured: Configured,
        /// The office's answer
        bundle: PathBuf,
    },
    /// Rebuilds the journal on a new disk from the events that the office has; enrol the cabinet first, start it afterwards
    Restore(Restore),
    /// Looks into the journal, also beside a running daemon
    Journal {
        #[command(flatten)]
        configured: Configured,
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Finds the lock boards, proves lock by lock which door it opens, writes the settings' tables, and prints a signed report; the
    /// daemon must be stopped. Exit code 1 while locks are not proven
    Commission(Commission),
    /// Looks for lock boards, listens to them, speaks to them; the daemon must be stopped
    #[command(subcommand)]
    Bus(BusCommand),
}

/// `arguments` begin with the program's name.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _closed = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let asked = std::env::var("RUST_LOG").ok();
    let filter = asked
        .and_then(|asked| asked.parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let _already = tracing_subscriber::registry().with(lines).with(filter).try_init();
    match obey(arguments.command) {
        Ok(code) => code,
        Err(Failure { code, message }) => {
            eprintln!("lockerd: {message}");
            ExitCode::from(code)
        }
    }
}

/// What is said at the end, and the exit code.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }
}

impl Configured {
    pub(crate) fn file(&self) -> &Path {
        &self.config
    }

    pub(crate) fn load(&self) -> Result<Settings, Failure> {
        Settings::load(&self.config).map_err(|error| Failure::new(78, error))
    }
}

fn obey(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(configured) => serve(configured.load()?),
        Command::Check(configured) => {
            let settings = configured.load()?;
            daemon::catalogue(settings.catalogue.as_deref())
                .map_err(|error| Failure::new(error.exit_code(), error))?;
            println!(
                "{}: {} compartments can be used",
                configured.config.display(),
                settings.compartments.len()
            );
            say_unproven(&settings);
            say_certificate(&settings);
            Ok(ExitCode::SUCCESS)
        }
        Command::Identity { configured, renew } => {
            let directory = configured.load()?.secrets;
            let key = if renew {
                secrets::next_identity(&directory)
            } else {
                secrets::identity(&directory)
            };
            let key = key.map_err(|error| Failure::new(74, error))?;
            let identity = Identity {
                key: key.verifying_key(),
            };
            let json = serde_json::to_string(&identity).map_err(|error| Failure::new(70, error))?;
            println!("{json}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Enrol { configured, bundle } => {
            let enrolled = secrets::enrol(&configured.load()?.secrets, &bundle)
                .map_err(|error| Failure::new(78, error))?;
            println!("enrolled as {}", enrolled.cabinet);
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore(arguments) => restore::command::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Journal { configured, command } => {
            let directory = configured.load()?.directory.join("journal");
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            Ok(ExitCode::from(command.run(
                &directory,
                &mut out,
                &mut std::io::stderr(),
            )))
        }
        Command::Commission(commission) => commission::run(commission),
        Command::Bus(command) => bus_command::run(command),
    }
}

/// Which of the settings' locks nobody has proven; a running daemon has the journal, and says it on its screen.
fn say_unproven(settings: &Settings) {
    let unproven = match engine::ledger_on(&settings.directory.join("journal")) {
        Ok(ledger) => {
            let built = settings.compartments.iter();
            let unproven = built.filter(|place| !ledger.proves(place));
            unproven.map(|place| place.id.to_string()).collect::<Vec<_>>()
        }
        Err(EngineError::Journal(JournalError::Locked { .. })) => {
            println!("lockerd runs: its screen says which locks are not proven");
            return;
        }
        Err(error) => return eprintln!("lockerd: {error}"),
    };
    if !unproven.is_empty() {
        println!(
            "not proven, nothing is put in there: {}; run `lockerd commission`",
            unproven.join(", ")
        );
    }
}

/// Whether the cabinet's certificate ends soon: nobody at the broker hears it then.
fn say_certificate(settings: &Settings) {
    let enrolment = secrets::load(&settings.secrets).ok();
    let ends = enrolment.and_then(|enrolment| enrolment.bundle.ends_soon(clock::wall()));
    if let Some(ends) = ends.filter(|_| settings.office.tls) {
        println!(
            "the certificate ends {ends}: enrol again with the same identity, as README says under New certificates"
        );
    }
}

/// Works within a runtime that is given up soon after.
pub(crate) fn within<T>(mut kind: Builder, work: impl FnOnce(&Runtime) -> T) -> Result<T, Failure> {
    let runtime = kind
        .enable_all()
        .build()
        .map_err(|error| Failure::new(71, format!("the system gives no threads: {error}")))?;
    let outcome = work(&runtime);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(outcome)
}

fn serve(settings: Settings) -> Result<ExitCode, Failure> {
    let run = |runtime: &Runtime| runtime.block_on(daemon::run(settings));
    match within(Builder::new_current_thread(), run)? {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(error.exit_code(), error)),
    }
}
