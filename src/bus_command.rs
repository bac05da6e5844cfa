//! `lockerd bus scan|sniff|send|emulate|install-key|replace-key`: a technician at the lock bus, with the daemon stopped.

mod emulate;
mod key;
mod scan;
mod send;
mod sniff;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use firmware_protocol::Family;
use office_protocol::BoardId;
use tokio::runtime::{Builder, Runtime};

use crate::command_line::{Configured, Failure, within};

#[derive(Debug, Subcommand)]
pub(crate) enum BusCommand {
    /// Looks for boards: asks every address of the families at their speeds, with reads only; greets secure boards without a key, which
    /// tells that they are there. Exit code 1 if there are none
    Scan(Scan),
    /// Writes down what is said on a line, decoded, with the time of each frame; sends nothing
    Sniff(Sniff),
    /// Reads a door, or opens an empty compartment as a technician would at the screen; needs the daemon stopped
    Send(Send),
    /// Plays lock boards at a port, to try somebody else's controller. Done by the program `hardware`, which must be beside this one or
    /// in PATH
    #[command(disable_help_flag = true)]
    Emulate {
        /// As `hardware emulate` takes them; --help lists them
        #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Installs a key on a secure board while somebody holds the button on it. Standard input: the text on the board's label.
    /// Journaled; needs the daemon stopped
    InstallKey(Key),
    /// Replaces a secure board's key by way of the one that it has. Journaled; needs the daemon stopped
    ReplaceKey(Key),
}

/// A line, and what may be on it.
#[derive(Debug, Args)]
struct Line {
    /// The serial port
    #[arg(long, value_name = "PATH")]
    port: PathBuf,
    /// Only this family of boards; may be repeated. Left out: all to look for, all that need no key to listen to
    #[arg(long = "family", value_name = "NAME", value_parser = family)]
    families: Vec<Family>,
    /// The port switches the direction of an RS-485 line itself
    #[arg(long)]
    rs485: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

impl Line {
    /// Those that were named, otherwise all of these.
    fn families(&self, all: impl Iterator<Item = Family>) -> Vec<Family> {
        if self.families.is_empty() {
            all.collect()
        } else {
            self.families.clone()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    line: Line,
    /// Only this speed; may be repeated. Left out: the usual one of each family, 9600 where none is documented
    #[arg(long = "baud", value_name = "BAUD", value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    bauds: Vec<u32>,
    /// First and last address, as on the boards' switches
    #[arg(long, value_name = "FIRST-LAST", default_value = "0-32", value_parser = addresses)]
    addresses: (u8, u8),
    /// How long to wait for an answer to begin, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=5000))]
    patience: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Sniff {
    #[command(flatten)]
    line: Line,
    /// The line's speed
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: u32,
    /// End after so many lines
    #[arg(long)]
    count: Option<usize>,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    configured: Configured,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(flatten)]
    configured: Configured,
    /// The board's number in the settings
    #[arg(long, value_name = "NUMBER")]
    board: u16,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Reads one door
    Read {
        /// The number on the door
        compartment: u16,
    },
    /// Opens an empty compartment. Standard input: the technician's badge or pass, then the PIN, one line each. Journaled like any
    /// other opening; a compartment that holds something is opened by a courier at the screen
    Unlock {
        /// The number on the door
        compartment: u16,
        /// Say that it is empty once it has been closed again; otherwise its contents are in doubt until somebody looks
        #[arg(long)]
        empty: bool,
    },
}

fn family(name: &str) -> Result<Family, String> {
    Family::named(name).ok_or_else(|| {
        let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        format!("no such family: one of {}", known.join(", "))
    })
}

fn addresses(text: &str) -> Result<(u8, u8), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |part: &str| {
        part.trim()
            .parse::<u8>()
            .map_err(|_| format!("{part:?} is no address: 0 to 255"))
    };
    let (first, last) = (number(first)?, number(last)?);
    if first <= last {
        Ok((first, last))
    } else {
        Err("the first address is above the last".to_owned())
    }
}

pub(crate) fn run(command: BusCommand) -> Result<ExitCode, Failure> {
    within(Builder::new_multi_thread(), |runtime| obey(runtime, command))?
}

fn obey(runtime: &Runtime, command: BusCommand) -> Result<ExitCode, Failure> {
    match command {
        BusCommand::Emulate { arguments } => Err(emulate::become_player(arguments)),
        BusCommand::Scan(scan) => runtime.block_on(scan::run(&scan)),
        BusCommand::Sniff(sniff) => runtime.block_on(sniff::run(&sniff)),
        BusCommand::InstallKey(key) => {
            runtime.block_on(key::install(&key.configured.load()?, BoardId(key.board)))
        }
        BusCommand::ReplaceKey(key) => {
            runtime.block_on(key::replace(&key.configured.load()?, BoardId(key.board)))
        }
        BusCommand::Send(send) => {
            let settings = send.configured.load()?;
            match send.what {
                What::Read { compartment } => runtime.block_on(send::read(&settings, compartment, send.json)),
                What::Unlock { compartment, empty } => {
                    runtime.block_on(send::unlock(settings, compartment, empty, send.json))
                }
            }
        }
    }
}

/// Writes one line at once; a reader of it that has left ends the command.
fn say(line: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(74, format!("standard output: {error}")))
}
