//! `lockerd journal verify|show|export`: reads segments only, beside a running daemon.

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::reader::JournalReader;
use super::show::{Filter, ShowError, Style, show};
use super::verify::verify;
use clap::{Args, Subcommand};
use office_protocol::event::Subject;
use office_protocol::{CompartmentId, ConsignmentId};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// sysexits: fine.
pub const EXIT_OK: u8 = 0;
/// sysexits: the data is damaged.
pub const EXIT_DATA: u8 = 65;
/// sysexits: there is no such journal.
pub const EXIT_NO_INPUT: u8 = 66;
/// sysexits: the disk failed.
pub const EXIT_IO: u8 = 74;

/// What to do with the journal
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// Check every byte, the order of the events and the chain of their hashes
    Verify {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show events, one line each
    Show(ShowArguments),
    /// Write all events with their sealed parts (still encrypted) as JSON lines
    Export,
}

/// Which events to show
#[derive(Debug, Clone, Default, Args)]
pub struct ShowArguments {
    /// Number of the first event
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// Number of the last event
    #[arg(long, value_name = "SEQ")]
    pub to: Option<u64>,
    /// Only events about this compartment
    #[arg(long, value_name = "NUMBER")]
    pub compartment: Option<CompartmentId>,
    /// Only events about this consignment
    #[arg(long, value_name = "ID")]
    pub consignment: Option<ConsignmentId>,
    /// The events' own JSON, one line each
    #[arg(long)]
    pub json: bool,
}

impl JournalCommand {
    /// Runs it on the journal in a directory; gives the exit code. Results go to `out`, complaints to `complaints`.
    pub fn run(&self, directory: &Path, out: &mut dyn Write, complaints: &mut dyn Write) -> u8 {
        // A complaint that cannot be written has nowhere else to go.
        let mut complain = |what: &dyn std::fmt::Display| {
            let _ = writeln!(complaints, "lockerd journal: {what}");
        };
        let disk: Arc<dyn Disk> = match RealDisk::open_existing(directory) {
            Ok(disk) => Arc::new(disk),
            Err(error) => {
                complain(&format_args!(
                    "there is no journal in {}: {error}",
                    directory.display()
                ));
                return if error.kind() == io::ErrorKind::NotFound {
                    EXIT_NO_INPUT
                } else {
                    EXIT_IO
                };
            }
        };
        match super::segments::list(&*disk) {
            Ok(listing) if listing.segments.is_empty() => {
                complain(&format_args!("there is no journal in {}", directory.display()));
                return EXIT_NO_INPUT;
            }
            Ok(_) => {}
            Err(error) => {
                complain(&format_args!("{} cannot be listed: {error}", directory.display()));
                return EXIT_IO;
            }
        }
        let result = match self {
            Self::Verify { json } => run_verify(&*disk, *json, out),
            Self::Show(arguments) => {
                let style = if arguments.json { Style::Json } else { Style::Human };
                run_show(disk, &arguments.filter(), style, out)
            }
            Self::Export => run_show(disk, &Filter::default(), Style::Export, out),
        };
        match result {
            Ok(0) => EXIT_OK,
            Ok(unreadable) => {
                complain(&format_args!("{unreadable} things cannot be read or are wrong"));
                EXIT_DATA
            }
            // Whoever read along has seen enough.
            Err(ShowError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_OK,
            Err(error) => {
                complain(&error);
                match error {
                    ShowError::Journal(JournalError::Version { .. }) => EXIT_DATA,
                    ShowError::Journal(_) | ShowError::Output(_) => EXIT_IO,
                }
            }
        }
    }
}

impl ShowArguments {
    fn filter(&self) -> Filter {
        let compartment = self.compartment.map(Subject::Compartment);
        let consignment = self.consignment.clone().map(Subject::Consignment);
        Filter {
            from: self.from,
            to: self.to,
            subjects: compartment.into_iter().chain(consignment).collect(),
        }
    }
}

/// What `verify --json` says.
#[derive(Serialize)]
struct Answer {
    segments: usize,
    events: u64,
    first: Option<u64>,
    last: Option<u64>,
    intact: bool,
    problems: Vec<String>,
}

fn run_verify(disk: &dyn Disk, json: bool, out: &mut dyn Write) -> Result<u64, ShowError> {
    let found = verify(disk)?;
    if json {
        let answer = Answer {
            segments: found.segments,
            events: found.events,
            first: found.range.map(|(first, _)| first),
            last: found.range.map(|(_, last)| last),
            intact: found.problems.is_empty(),
            problems: found.problems.iter().map(ToString::to_string).collect(),
        };
        serde_json::to_writer(&mut *out, &answer).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(found.problems.len() as u64);
    }
    for problem in &found.problems {
        writeln!(out, "{problem}")?;
    }
    let (first, last) = found.range.unwrap_or((0, 0));
    let verdict = if found.problems.is_empty() {
        "intact"
    } else {
        "NOT intact"
    };
    writeln!(
        out,
        "{} segments, {} events ({first} to {last}), chain {verdict}",
        found.segments, found.events
    )?;
    Ok(found.problems.len() as u64)
}

fn run_show(
    disk: Arc<dyn Disk>,
    filter: &Filter,
    style: Style,
    out: &mut dyn Write,
) -> Result<u64, ShowError> {
    show(&mut JournalReader::from_outside(disk), filter, style, out)
}
