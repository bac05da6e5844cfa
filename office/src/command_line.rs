//! Arguments → settings → what was asked → exit code (sysexits).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use office_protocol::CabinetId;
use thiserror::Error;

use crate::certificates::Issued;
use crate::clock;
use crate::database::{Database, DatabaseError, Location, events};
use crate::documents;
use crate::history::HistoryError;
use crate::keys::{self, KeyStoreError, Keys, RotatedKey, write_secret};
use crate::log;
use crate::revoked;
use crate::run::{self, RunError};
use crate::settings::{Settings, SettingsError};

mod cabinets;

use cabinets::{enrol, export, renew, revoke};

/// The office's side of all document lockers: intake, API, operators' page.
#[derive(Debug, Parser)]
#[command(name = "office", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub
    Run(Config),
    /// Make the keys once; `run` and `enrol` do it too when there are none
    Keys(Config),
    /// Enrol a cabinet: prints the bundle that `lockerd` takes
    Enrol {
        #[command(flatten)]
        config: Config,
        /// The cabinet's id: 1 to 16 of A-Z, 0-9 and -
        #[arg(long)]
        cabinet: CabinetId,
        /// What `lockerd identity` printed; - for standard input
        #[arg(long)]
        identity: PathBuf,
    },
    /// Let an enrolled cabinet sign with its next key: prints the bundle that `lockerd` takes. The key before counts until the new one
    /// has worked
    Renew {
        #[command(flatten)]
        config: Config,
        /// The cabinet's id
        #[arg(long)]
        cabinet: CabinetId,
        /// What `lockerd identity --renew` printed; - for standard input
        #[arg(long)]
        identity: PathBuf,
    },
    /// Take a cabinet's key back at once, whether a hub runs or not: nothing that it signs counts until it is enrolled anew
    Revoke {
        #[command(flatten)]
        config: Config,
        /// The cabinet's id
        #[arg(long)]
        cabinet: CabinetId,
    },
    /// Write a cabinet's history for `lockerd restore`, to standard output: its disk was lost, its doors are still full
    ExportCabinet {
        #[command(flatten)]
        config: Config,
        /// The cabinet's id
        #[arg(long)]
        cabinet: CabinetId,
        /// Which history, if a cloned or restored disk made more than one; left out: the newest
        #[arg(long)]
        branch: Option<u32>,
        /// Even if the cabinet is online
        #[arg(long)]
        anyway: bool,
    },
    /// Issue certificates for the broker and for the hub, and the list of revoked ones: ca.pem, server.pem, server.key, office.pem,
    /// office.key, revoked.pem. They count for 397 days
    Certificates {
        #[command(flatten)]
        config: Config,
        /// The directory that they are written to
        #[arg(long)]
        out: PathBuf,
        /// A host name or address of the broker
        #[arg(long = "host", default_values = ["localhost", "127.0.0.1"])]
        hosts: Vec<String>,
    },
    /// Replace a key without a gap: prepare it, use it once all cabinets know it, retire the old one. Restart the hubs after each step
    Rotate {
        #[command(flatten)]
        config: Config,
        /// What to do
        step: Step,
        /// Which key
        key: RotatedKey,
        /// Even if some cabinets or passes are left behind
        #[arg(long)]
        anyway: bool,
    },
    /// List stored events, oldest first
    Events {
        #[command(flatten)]
        config: Config,
        /// Of one cabinet
        #[arg(long)]
        cabinet: Option<CabinetId>,
        /// Of one type, as locker.collected
        #[arg(long = "type")]
        kind: Option<String>,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Verify every stored event's digest, place and chain again
    Verify {
        #[command(flatten)]
        config: Config,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Step {
    /// Make the new key; cabinets learn it
    Prepare,
    /// The new key signs; the old one still counts
    Use,
    /// The old key counts no more
    Retire,
}

#[derive(Debug, clap::Args)]
struct Config {
    /// The settings file
    #[arg(long, default_value = "/etc/office/office.toml")]
    config: PathBuf,
}

/// Why a command did not succeed.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error("{0} is not what `lockerd identity` prints: {1}")]
    Identity(PathBuf, serde_json::Error),
    #[error("{0} is not enrolled, or was revoked: only `office enrol` gives it a key")]
    NotEnrolled(CabinetId),
    #[error("{0} is not enrolled")]
    Unknown(CabinetId),
    #[error("{0}; wait, or say --anyway")]
    TooEarly(String),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error("the stored events are not whole; restore the database from its backup")]
    Broken,
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    /// As in sysexits.h.
    fn code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Run(RunError::Broker(_)) => 78,
            Self::Identity(..) | Self::NotEnrolled(_) | Self::Unknown(_) | Self::Broken => 65,
            Self::File { .. } => 66,
            Self::TooEarly(_) | Self::History(HistoryError::Online) => 75,
            Self::History(HistoryError::Database(_)) => 74,
            Self::History(HistoryError::Unknown | HistoryError::Revoked | HistoryError::NoBranch(_)) => 65,
            Self::Run(RunError::Listen { .. }) => 69,
            Self::Keys(_) | Self::Run(RunError::Keys(_)) => 77,
            Self::Database(_) | Self::Run(RunError::Database(_)) => 74,
            Self::System(_) | Self::Run(RunError::System(_)) => 71,
        }
    }
}

/// The program; the demo calls it too.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let usage = error.use_stderr();
            if error.print().is_err() || usage {
                return ExitCode::from(64);
            }
            return ExitCode::SUCCESS;
        }
    };
    log::begin();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(carry_out(arguments.command)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("office: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

async fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(config) => Ok(run::run(Settings::read(&config.config)?).await?),
        Command::Keys(config) => {
            let settings = Settings::read(&config.config)?;
            std::fs::create_dir_all(&settings.directory)?;
            Keys::open_or_create(&settings.keys())?;
            println!("{}", settings.keys().display());
            Ok(())
        }
        Command::Enrol {
            config,
            cabinet,
            identity,
        } => enrol(&Settings::read(&config.config)?, &cabinet, &identity).await,
        Command::Renew {
            config,
            cabinet,
            identity,
        } => renew(&Settings::read(&config.config)?, &cabinet, &identity).await,
        Command::Revoke { config, cabinet } => revoke(&Settings::read(&config.config)?, &cabinet).await,
        Command::ExportCabinet {
            config,
            cabinet,
            branch,
            anyway,
        } => export(&Settings::read(&config.config)?, &cabinet, branch, anyway).await,
        Command::Rotate {
            config,
            step,
            key,
            anyway,
        } => rotate(&Settings::read(&config.config)?, step, key, anyway).await,
        Command::Certificates { config, out, hosts } => {
            certificates(&Settings::read(&config.config)?, &out, &hosts).await
        }
        Command::Events {
            config,
            cabinet,
            kind,
            json,
        } => {
            let database = open(&Settings::read(&config.config)?).await?;
            list(&database, cabinet, kind, json).await
        }
        Command::Verify { config, json } => {
            let found = open(&Settings::read(&config.config)?).await?.verify().await?;
            if json {
                println!("{}", serde_json::to_string(&found).expect("counts and texts"));
            } else {
                println!(
                    "{} of {} events intact, {} histories, {} events lost by their cabinets",
                    found.intact, found.events, found.branches, found.lost
                );
                found.faults.iter().for_each(|fault| println!("broken: {fault}"));
            }
            found.is_intact().then_some(()).ok_or(Failure::Broken)
        }
    }
}

async fn open(settings: &Settings) -> Result<Database, Failure> {
    let location = settings.database();
    match location {
        Location::File(path) if !path.exists() => {
            let error = std::io::ErrorKind::NotFound.into();
            Err(Failure::File { path, error })
        }
        Location::File(_) | Location::Server(_) => Ok(Database::open(&location).await?),
    }
}

async fn rotate(settings: &Settings, step: Step, key: RotatedKey, anyway: bool) -> Result<(), Failure> {
    let directory = settings.keys();
    let known = Keys::open(&directory)?;
    match step {
        Step::Prepare => keys::prepare(&directory, key)?,
        Step::Use => {
            let database = Database::open(&settings.database()).await?;
            let behind = documents::without_key_set(&database, &known).await?;
            if !behind.is_empty() && !anyway {
                let behind = behind.join(", ");
                return Err(Failure::TooEarly(format!(
                    "these cabinets do not know the new key yet: {behind}"
                )));
            }
            keys::begin_to_use(&directory, key)?;
        }
        Step::Retire if key == RotatedKey::Documents && !anyway => {
            let database = Database::open(&settings.database()).await?;
            let behind = documents::signed_before(&database, &known).await?;
            if !behind.is_empty() {
                let behind = behind.join(", ");
                return Err(Failure::TooEarly(format!(
                    "these cabinets have documents of the old key: {behind}"
                )));
            }
            keys::retire(&directory, key)?;
        }
        Step::Retire => {
            let since = keys::superseded_at(&directory, key).map(clock::timestamp);
            if let (RotatedKey::Passes, Some(since), false) = (key, since, anyway) {
                let database = Database::open(&settings.database()).await?;
                let left = database.passes_issued_before(since, clock::now()).await?;
                if left > 0 {
                    return Err(Failure::TooEarly(format!(
                        "{left} passes of the old key still count"
                    )));
                }
            }
            keys::retire(&directory, key)?;
        }
    }
    Ok(())
}

async fn certificates(settings: &Settings, out: &Path, hosts: &[String]) -> Result<(), Failure> {
    std::fs::create_dir_all(&settings.directory)?;
    let keys = Keys::open_or_create(&settings.keys())?;
    let gone = Database::open(&settings.database()).await?.revoked_keys().await?;
    std::fs::create_dir_all(out)?;
    let write = |name: &str, text: &str| write_secret(&out.join(name), text);
    let both = |name: &str, issued: &Issued| {
        write(&format!("{name}.pem"), &issued.certificate)?;
        write(&format!("{name}.key"), &issued.key)
    };
    write("ca.pem", keys.authority.pem())?;
    revoked::write(&out.join("revoked.pem"), &keys.authority.revoked(&gone)?)?;
    both("server", &keys.authority.server(hosts)?)?;
    both("office", &keys.authority.client("office")?)?;
    println!("{}", out.display());
    Ok(())
}

async fn list(
    database: &Database,
    cabinet: Option<CabinetId>,
    kind: Option<String>,
    json: bool,
) -> Result<(), Failure> {
    let mut filter = events::Filter {
        cabinet: cabinet.map(|id| id.to_string()),
        kind,
        ascending: true,
        limit: 1_000,
        ..events::Filter::default()
    };
    loop {
        let page = database.events(&filter).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        filter.after = Some(last.arrival);
        for listed in &page {
            if json {
                println!(
                    "{}",
                    serde_json::to_string(listed).expect("a stored event is JSON")
                );
            } else {
                println!("{}\t{}\t{}", listed.arrival, listed.branch, listed.event);
            }
        }
    }
}
