//! `rehearsal replay`: a real cabinet's exported journal, replayed through the ledger, the reference model and the laws that apply.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockerd::cabinet::Direction;
use office_protocol::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::coverage::Coverage;
use super::laws::Lawful;
use super::laws::chronicle::Chronicle;

/// Replay the output of `lockerd journal export`, and check the laws that a history keeps by itself
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The exported journal, one event per line; `-` is standard input
    file: PathBuf,
    /// List how often each type of event, refusal and alarm occurs
    #[arg(long)]
    counts: bool,
}

/// sysexits: the data is wrong.
const EXIT_DATA: u8 = 65;
/// sysexits: no such file.
const EXIT_NO_INPUT: u8 = 66;
/// sysexits: the input failed.
const EXIT_IO: u8 = 74;

/// The longest line that is read: an event with its sealed parts.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be opened.
    #[error("{path} cannot be opened: {source}; export the journal with `lockerd journal export`")]
    Open {
        /// Which.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("line {line} cannot be read: {source}")]
    Read {
        /// Where.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// A law is broken.
    #[error("law {law} is broken on line {line}: {what}")]
    Broken {
        /// Which law.
        law: u8,
        /// Where.
        line: u64,
        /// How.
        what: String,
    },
}

/// What a replay came to.
pub struct Replayed {
    /// How many events there are.
    pub events: u64,
    /// The first one's number: above 1 where older segments were let go, and the laws that need the whole history cannot be
    /// checked.
    pub first: u64,
    /// The last one's number.
    pub last: u64,
    /// Consignments inside at the end: inbound and outbound.
    pub inside: (usize, usize),
    /// Compartments in doubt at the end.
    pub doubts: usize,
    /// What happened of all that can.
    pub coverage: Coverage,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> ExitCode {
    let replayed = open(&arguments.file).and_then(replay);
    match replayed {
        Ok(replayed) => {
            print(&replayed, arguments.counts);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rehearsal replay: {error}");
            ExitCode::from(match error {
                ReplayError::Open { .. } => EXIT_NO_INPUT,
                ReplayError::Read { .. } => EXIT_IO,
                ReplayError::Broken { .. } => EXIT_DATA,
            })
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, ReplayError> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(source) => Err(ReplayError::Open {
            path: path.display().to_string(),
            source,
        }),
    }
}

/// Replays lines as `lockerd journal export` writes them: an event, or an event with its sealed parts.
///
/// # Errors
/// [`ReplayError`]: the first line that cannot be read or breaks a law.
pub fn replay(mut lines: impl BufRead) -> Result<Replayed, ReplayError> {
    let mut chronicle: Option<Chronicle> = None;
    let mut coverage = Coverage::default();
    let (mut events, mut first, mut line) = (0, 0, Vec::new());
    for number in 1.. {
        line.clear();
        let mut limited = lines.by_ref().take(LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut line);
        read.map_err(|source| ReplayError::Read { line: number, source })?;
        let bytes = event_of(line.trim_ascii());
        if line.is_empty() {
            break;
        }
        if bytes.is_empty() {
            continue;
        }
        let event = one(&mut chronicle, bytes).map_err(|broken| ReplayError::Broken {
            law: broken.law,
            line: number,
            what: broken.what,
        })?;
        first = if events == 0 { event.seq.0 } else { first };
        events += 1;
        coverage.event(&event.body);
    }
    let ledger = chronicle.unwrap_or_default().ledger;
    let inbound = ledger.consignments.values();
    let inbound = inbound
        .filter(|inside| inside.direction == Direction::Inbound)
        .count();
    Ok(Replayed {
        events,
        first,
        last: ledger.tip.seq.0,
        inside: (inbound, ledger.consignments.len() - inbound),
        doubts: ledger
            .compartments
            .values()
            .filter(|place| place.doubt.is_some())
            .count(),
        coverage,
    })
}

/// The event's own bytes in a line; with sealed parts it is the `event` of an object.
fn event_of(line: &[u8]) -> &[u8] {
    #[derive(Deserialize)]
    struct Exported<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    let exported: Option<Exported<'_>> = serde_json::from_slice(line).ok();
    exported.map_or(line, |exported| exported.event.get().as_bytes())
}

fn one(chronicle: &mut Option<Chronicle>, bytes: &[u8]) -> Lawful<Event> {
    if chronicle.is_none() {
        let first = Event::parse(bytes).ok();
        *chronicle = first.as_ref().map(Chronicle::beginning_at);
    }
    let chronicle = chronicle.get_or_insert_default();
    let event = chronicle.read(bytes)?;
    chronicle.take(&event, bytes)?;
    chronicle.is_sound()?;
    Ok(event)
}

fn print(replayed: &Replayed, counts: bool) {
    if counts {
        for (what, count) in replayed.coverage.counts() {
            println!("{count:>9} {what}");
        }
    }
    let Replayed {
        events,
        first,
        last,
        inside: (inbound, outbound),
        doubts,
        ..
    } = replayed;
    if *first > 1 {
        println!(
            "the history begins with event {first}: only the laws that need nothing from before it were checked"
        );
    }
    println!(
        "{events} events ({first} to {last}), chain intact, no law broken; inside at the end: {inbound} towards the office, \
         {outbound} towards citizens, {doubts} compartments in doubt"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::journal_of;

    fn lines(events: &[Vec<u8>]) -> Vec<u8> {
        events
            .iter()
            .flat_map(|event| [event.as_slice(), b"\n"].concat())
            .collect()
    }

    fn law(of: Result<Replayed, ReplayError>) -> Option<u8> {
        match of {
            Err(ReplayError::Broken { law, .. }) => Some(law),
            Ok(_) | Err(ReplayError::Open { .. } | ReplayError::Read { .. }) => None,
        }
    }

    #[test]
    fn a_whole_history_keeps_the_laws_and_so_does_one_whose_beginning_was_let_go() {
        let events = journal_of(3);
        let replayed = replay(&*lines(&events))
            .ok()
            .map(|all| (all.events, all.first, all.last));
        let count = events.len() as u64;
        assert_eq!(replayed, Some((count, 1, count)));
        let sealed: Vec<u8> = events
            .iter()
            .flat_map(|event| [b"{\"event\":", event.as_slice(), b",\"sealed\":[]}\n"].concat())
            .collect();
        assert_eq!(replay(&*sealed).ok().map(|all| all.events), Some(count));
        for from in [2, events.len() / 3, events.len() / 2] {
            let rest = replay(&*lines(&events[from..]));
            assert_eq!(
                rest.map(|rest| rest.first).map_err(|error| error.to_string()),
                Ok(from as u64 + 1)
            );
        }
    }

    #[test]
    fn an_event_left_out_changed_or_twice_breaks_a_law() {
        let events = journal_of(3);
        let middle = events.len() / 2;
        let mut short = events.clone();
        short.remove(middle);
        assert_eq!(law(replay(&*lines(&short))), Some(2));
        let mut twice = events.clone();
        twice.insert(middle, events[middle].clone());
        assert_eq!(law(replay(&*lines(&twice))), Some(2));
        let mut changed = events.clone();
        let at = changed[middle].len() - 3;
        changed[middle][at] ^= 1;
        assert!(law(replay(&*lines(&changed))).is_some());
        assert_eq!(law(replay(&b"not an event\n"[..])), Some(2));
    }
}
