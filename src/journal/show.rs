//! Writes a journal's events for people (`show`) and for programs (`show --json`, `export`).

use super::error::JournalError;
use super::format::Record;
use super::reader::JournalReader;
use office_protocol::HistoryLine;
use office_protocol::event::{EventHeader, Subject, subjects};
use serde_json::value::RawValue;
use std::io::{self, Write};

const BATCH: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// Which events are wanted; all that is given must fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The first number.
    pub from: Option<u64>,
    /// The last number.
    pub to: Option<u64>,
    /// All of these.
    pub subjects: Vec<Subject>,
}

impl Filter {
    fn wants(&self, record: &Record) -> bool {
        // What is not an event is shown when nothing particular is looked for.
        self.subjects.is_empty()
            || subjects(&record.event)
                .is_ok_and(|found| self.subjects.iter().all(|subject| found.contains(subject)))
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One readable line for each.
    Human,
    /// The event's own bytes, one line for each.
    Json,
    /// `{"event": …, "sealed": […]}` in base64, one line for each. Sealed parts stay encrypted.
    Export,
}

/// Why writing ended early.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Where it was written to.
    #[error("writing the events failed: {0}")]
    Output(#[from] io::Error),
}

/// Writes the wanted events; says how many could not be written because they are not JSON or missing.
///
/// # Errors
/// [`ShowError`].
pub fn show(
    reader: &mut JournalReader,
    filter: &Filter,
    style: Style,
    out: &mut dyn Write,
) -> Result<u64, ShowError> {
    let last = reader.last_seq()?.min(filter.to.unwrap_or(u64::MAX));
    let mut next = reader.first_seq()?.max(filter.from.unwrap_or(0));
    let mut unreadable = 0;
    while next <= last {
        let records = reader.read_from(next, BATCH, BATCH_BYTES)?;
        if records.is_empty() {
            unreadable += last + 1 - next;
            break;
        }
        for record in &records {
            unreadable += record.seq.min(last + 1) - next;
            next = record.seq.min(last) + 1;
            if record.seq > last {
                break;
            }
            if filter.wants(record) && !write_one(record, style, out)? {
                unreadable += 1;
            }
        }
    }
    out.flush()?;
    Ok(unreadable)
}

fn write_one(record: &Record, style: Style, out: &mut dyn Write) -> io::Result<bool> {
    let raw = std::str::from_utf8(&record.event).ok();
    let raw = raw.filter(|raw| !raw.contains(['\n', '\r']));
    let line = match style {
        Style::Human => return write_line(record, out),
        Style::Json => raw
            .filter(|raw| serde_json::from_str::<&RawValue>(raw).is_ok())
            .map(str::to_owned),
        Style::Export => raw.and_then(|raw| HistoryLine::write(raw.as_bytes(), &record.sealed).ok()),
    };
    let Some(line) = line else {
        return Ok(false);
    };
    writeln!(out, "{line}")?;
    Ok(true)
}

fn write_line(record: &Record, out: &mut dyn Write) -> io::Result<bool> {
    let Ok(header) = EventHeader::parse(&record.event) else {
        writeln!(
            out,
            "{:>8}  {} bytes that are not an event",
            record.seq,
            record.event.len()
        )?;
        return Ok(false);
    };
    let kind = header.kind.strip_prefix("locker.").unwrap_or(&header.kind);
    let visit = header
        .visit
        .map(|visit| format!("  visit {visit}"))
        .unwrap_or_default();
    let sealed = match record.sealed.len() {
        0 => String::new(),
        count => format!("  [{count} sealed]"),
    };
    let line = format!(
        "{:>8}  {}  {kind:<22} {}{visit}{sealed}",
        record.seq,
        header.time,
        header.data.get()
    );
    // A scanned code must not steer the terminal.
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    writeln!(out, "{line}")?;
    Ok(true)
}
