//! `lockerd journal verify|show|export`: reads the segments, also beside a running daemon; never the index.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use office_protocol::{Digest, EventHeader};

use crate::command_line::Failure;
use crate::journal::{JournalError, JournalReader, RealDisk, Record};

/// How much is read at once.
const BATCH: (usize, usize) = (256, 1 << 20);

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Checks that every kept event can be read and follows from the one before; exit code 65 if not
    Verify {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Lists events, one line each
    Show {
        /// The first number
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        count: usize,
        /// One JSON event per line
        #[arg(long)]
        json: bool,
    },
    /// Writes all kept events to standard output, one JSON event per line, exact bytes
    Export,
}

pub(crate) fn run(directory: &Path, command: &JournalCommand) -> Result<ExitCode, Failure> {
    let disk = RealDisk::open_existing(directory)
        .map_err(|error| Failure::new(66, format!("{}: {error}", directory.display())))?;
    let reader = JournalReader::from_outside(Arc::new(disk));
    match command {
        JournalCommand::Verify { json } => verify(reader, *json),
        JournalCommand::Show { from, count, json } => {
            let mut left = *count;
            each(reader, *from, |record| {
                if left == 0 {
                    return Ok(false);
                }
                left -= 1;
                if *json {
                    line(&record.event)
                } else {
                    line(summary(record).as_bytes())
                }
            })
        }
        JournalCommand::Export => each(reader, 0, |record| line(&record.event)),
    }
}

fn line(bytes: &[u8]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.write_all(b"\n")?;
    Ok(true)
}

fn summary(record: &Record) -> String {
    match EventHeader::parse(&record.event) {
        Ok(header) => format!(
            "{:>8}  {}  {:<32}{}",
            record.seq,
            header.time,
            header.kind,
            header.subject.unwrap_or_default()
        ),
        Err(error) => format!("{:>8}  {error}", record.seq),
    }
}

fn failed(error: JournalError) -> Failure {
    Failure::new(74, error)
}

/// Hands every record on; a reader of our output that leaves is no fault.
fn each(
    mut reader: JournalReader,
    from: u64,
    mut take: impl FnMut(&Record) -> io::Result<bool>,
) -> Result<ExitCode, Failure> {
    let mut next = from.max(reader.first_seq().map_err(failed)?);
    loop {
        let records = reader.read_from(next, BATCH.0, BATCH.1).map_err(failed)?;
        let Some(last) = records.last() else {
            return Ok(ExitCode::SUCCESS);
        };
        next = last.seq + 1;
        for record in &records {
            match take(record) {
                Ok(true) => {}
                Ok(false) => return Ok(ExitCode::SUCCESS),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(Failure::new(74, error)),
            }
        }
    }
}

/// What a walk through the journal found.
#[derive(Default, serde::Serialize)]
struct Findings {
    first: u64,
    last: u64,
    events: u64,
    /// First and last number of what is missing.
    missing: Vec<(u64, u64)>,
    /// Events that do not follow from the one before, or are none.
    broken: Vec<u64>,
}

fn verify(reader: JournalReader, json: bool) -> Result<ExitCode, Failure> {
    let mut found = Findings::default();
    let mut previous: Option<Digest> = None;
    each(reader, 0, |record| {
        if found.events == 0 {
            found.first = record.seq;
        } else if record.seq > found.last + 1 {
            found.missing.push((found.last + 1, record.seq - 1));
            previous = None;
        }
        let header = EventHeader::parse(&record.event).ok();
        let follows = header.is_some_and(|header| previous.is_none_or(|hash| header.previous == hash));
        if !follows {
            found.broken.push(record.seq);
        }
        previous = Some(Digest::of(&record.event));
        found.last = record.seq;
        found.events += 1;
        Ok(true)
    })?;
    let intact = found.missing.is_empty() && found.broken.is_empty();
    if json {
        println!(
            "{}",
            serde_json::to_string(&found).map_err(|error| Failure::new(70, error))?
        );
    } else {
        println!("{} events, {} to {}", found.events, found.first, found.last);
        for (first, last) in &found.missing {
            println!("events {first} to {last} cannot be read");
        }
        for seq in &found.broken {
            println!("event {seq} does not follow from the one before");
        }
        println!("{}", if intact { "chain intact" } else { "chain broken" });
    }
    Ok(if intact {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(65)
    })
}
