//! `lockerd commission`: a technician goes through a cabinet with the daemon stopped: finds its boards, proves lock by lock which
//! door it opens and that its sensor follows, writes the settings' tables, and signs a report.
//!
//! The same cabinet decides that the screen speaks to: every pulse is a visit of a technician's with its cause in the journal, and an
//! occupied compartment is opened by nobody here.

mod desk;
mod doors;
mod finding;
mod ports;
mod reach;
pub(crate) mod report;
mod sizes;
mod terminal;
mod walk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use office_protocol::{BoardId, VerifyingKey};
use tokio::runtime::Builder;

use crate::command_line::{Configured, Failure, within};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Commission {
    #[command(flatten)]
    walk: Walk,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Args)]
struct Walk {
    #[command(flatten)]
    configured: Configured,
    /// Ask nothing: boards that are found are written down, with compartments as --size says, and the door that the settings name is
    /// taken to have opened when its sensor moves
    #[arg(long)]
    yes: bool,
    /// One JSON object per line, for a program that answers: `{"ask": …}` wants a line on standard input
    #[arg(long)]
    json: bool,
    /// The number on the first door of boards that are new
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    first: Option<u16>,
    /// To how many channels of each board that is new a lock is wired, from the first on. Left out, it is asked; with --yes, all that
    /// the board speaks of
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..))]
    locks: Option<u8>,
    /// How large the compartments of boards that are new are: one size (small, medium, large), or as in `1-12 small, 13-24 large`.
    /// Left out, it is asked
    #[arg(long, value_name = "SIZES", value_parser = sizes::parse)]
    size: Option<sizes::Said>,
    /// Which of these compartments cannot be reached from a wheelchair: their numbers, as in `5,6-9`, or none, or all. Left out, it is
    /// asked; with --yes, nobody is promised one
    #[arg(long, value_name = "DOORS", value_parser = reach::parse)]
    unreachable: Option<reach::Unreachable>,
    /// Do not look for boards: prove those of the settings
    #[arg(long)]
    no_scan: bool,
    /// How long to wait for a board's answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=5000))]
    patience: u64,
    /// How long to look for boards that do not answer, in other families and at other speeds, on each port; 0 not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    search: u64,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Says that another board hangs in a board's place: its locks are to be proven anew. What lies behind them stays collectable.
    /// Journaled; needs the daemon stopped
    ReplaceBoard {
        #[command(flatten)]
        configured: Configured,
        /// The board's number in the settings
        #[arg(long, value_name = "NUMBER")]
        board: u16,
    },
    /// Prints and keeps a signed report of what is proven now; needs the daemon stopped
    Report(Configured),
    /// Says whether a report is as the cabinet signed it. Exit code 1 if it is not
    Verify {
        #[command(flatten)]
        configured: Configured,
        /// The report
        file: PathBuf,
        /// The cabinet's key that was in force when it was signed, as `lockerd identity` printed it. Left out: this cabinet's own
        #[arg(long, value_parser = key)]
        key: Option<Box<VerifyingKey>>,
    },
}

fn key(text: &str) -> Result<Box<VerifyingKey>, String> {
    let key = serde_json::from_value(serde_json::Value::String(text.to_owned()));
    key.map_err(|_| "no key: give what stands after \"key\" in what `lockerd identity` prints".to_owned())
}

pub(crate) fn run(commission: Commission) -> Result<ExitCode, Failure> {
    within(Builder::new_multi_thread(), |runtime| {
        runtime.block_on(obey(commission))
    })?
}

async fn obey(commission: Commission) -> Result<ExitCode, Failure> {
    match commission.other {
        None => walk::run(&commission.walk).await,
        Some(Other::ReplaceBoard { configured, board }) => {
            walk::replace_board(&configured, BoardId(board)).await
        }
        Some(Other::Report(configured)) => {
            let settings = configured.load()?;
            let desk = desk::Desk::open(&settings).await?;
            let (kept, text) = report::write(&settings, desk.cabinet())?;
            println!("{text}signed, and kept as {}", kept.display());
            Ok(ExitCode::SUCCESS)
        }
        Some(Other::Verify {
            configured,
            file,
            key,
        }) => report::verify(&configured, &file, key),
    }
}
