//! Nothing lost: hand-overs through the real engine, stopped and damaged in every way that power, processes and disks know.
//!
//! What was acknowledged must be there afterwards, byte for byte, and give the same state; what cannot be read is named by the
//! numbers of the events; no restart opens a door. Stops are tried in memory at every operation of the disk, on this machine's disk with
//! `kill -9`, and on a real ext4 file system whose device loses what it was not asked to keep.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use ext4::SlowDisk;
pub use hasty::Hasty;
use points::Stop;
use table::Table;

mod check;
mod damage;
mod ext4;
mod hasty;
mod kills;
mod life;
mod points;
mod table;
#[cfg(test)]
mod tests;
mod world;

/// sysexits: a law was broken.
const EXIT_BROKEN: u8 = 1;
/// sysexits: it could not be tried.
const EXIT_SYSTEM: u8 = 71;

/// Stop and damage a journal in every way, and print what was lost
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Hidden>,
    /// Only these: power, sync, slow, read-only, full, damage, kills, ext4; may be repeated
    #[arg(long)]
    only: Vec<Part>,
    /// Subsets of what was not synced, tried at every operation
    #[arg(long, default_value_t = 8)]
    subsets: u64,
    /// Processes to kill
    #[arg(long, default_value_t = 2_000)]
    kills: u64,
    /// Power cuts of a real ext4 file system; needs root
    #[arg(long, default_value_t = 500)]
    cuts: u64,
    /// Chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the processes write; left out: a directory of its own beside the build
    #[arg(long)]
    directory: Option<PathBuf>,
    /// One JSON array instead of the table
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Power,
    Sync,
    Slow,
    ReadOnly,
    Full,
    Damage,
    Kills,
    Ext4,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// The process that is killed
    #[command(hide = true)]
    Write(Writer),
}

#[derive(Debug, Parser)]
struct Writer {
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    start: u64,
}

/// Runs the command.
pub fn command(arguments: &Arguments) -> ExitCode {
    let outcome = match &arguments.command {
        Some(Hidden::Write(write)) => kills::write(&write.directory, write.start).map(|()| true),
        None => {
            let mut table = Table::begin(arguments.json);
            all(arguments, &mut table).map(|()| table.end())
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_BROKEN),
        Err(error) => {
            eprintln!("crashes: {error}");
            ExitCode::from(EXIT_SYSTEM)
        }
    }
}

fn all(arguments: &Arguments, table: &mut Table) -> Result<(), String> {
    let asked = |part: Part| arguments.only.is_empty() || arguments.only.contains(&part);
    for (part, stop) in [
        (Part::Power, Stop::Power),
        (Part::Sync, Stop::Sync),
        (Part::Slow, Stop::Slow),
        (Part::ReadOnly, Stop::ReadOnly),
        (Part::Full, Stop::Full),
    ] {
        if asked(part) {
            let subsets = match stop {
                Stop::Power | Stop::Sync => arguments.subsets,
                Stop::ReadOnly | Stop::Full | Stop::Slow => 2,
            };
            table.add(points::every(stop, 2, subsets, 1, &mut progress(part))?);
        }
    }
    if asked(Part::Damage) {
        for row in damage::every(1, 1, &mut progress(Part::Damage))? {
            table.add(row);
        }
    }
    if asked(Part::Kills) {
        let place = place(arguments)?;
        table.add(kills::many(
            place.path(),
            arguments.kills,
            arguments.seed,
            &mut progress(Part::Kills),
        )?);
    }
    if asked(Part::Ext4) {
        let place = place(arguments)?;
        let mut progress = progress(Part::Ext4);
        for row in ext4::cuts(place.path(), arguments.cuts, arguments.seed, &mut progress)? {
            table.add(row);
        }
    }
    Ok(())
}

/// A directory on a disk: what is tried must not be in memory.
fn place(arguments: &Arguments) -> Result<tempfile::TempDir, String> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(PathBuf::from));
    let parent = arguments
        .directory
        .clone()
        .or(beside)
        .unwrap_or_else(std::env::temp_dir);
    tempfile::tempdir_in(&parent)
        .map_err(|error| format!("{}: {error}; choose another --directory", parent.display()))
}

/// Says how far it is to somebody who looks.
fn progress(part: Part) -> impl FnMut(u64) {
    let looks = std::io::stderr().is_terminal();
    let mut said = None;
    move |percent| {
        if looks && said != Some(percent) {
            said = Some(percent);
            let line = if percent >= 99 {
                "\r\x1b[K".to_owned()
            } else {
                format!("\r{part:?} {percent} % ")
            };
            let mut out = std::io::stderr().lock();
            let _nobody_looks = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        }
    }
}
