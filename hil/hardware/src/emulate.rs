//! `hardware emulate`: simulated lock boards at the end of a real cable, in front of somebody else's controller.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family};
use hardware::key_file::{self, KeyFileError};
use hardware::{Bench, BoardSettings, Grain, Line, Port, PortMode, Quirk, SimulatedBoard, typed};

use crate::Failure;

/// The name that the line has in what is typed.
pub(crate) const NAME: &str = "line";
/// The simulated wire is so fast that the real one sets the pace.
const UNPACED: u32 = 4_000_000;

#[derive(Debug, Args)]
pub(crate) struct Emulate {
    /// The serial port; the controller is at the other end of its cable
    #[arg(long, value_name = "PATH")]
    port: PathBuf,
    /// What the boards speak
    #[arg(long, value_name = "NAME", value_parser = family)]
    family: Family,
    /// The line's speed. Left out: the family's usual one
    #[arg(long)]
    baud: Option<u32>,
    /// The port switches the direction of an RS-485 line itself
    #[arg(long)]
    rs485: bool,
    /// The address on a board's switch; may be repeated
    #[arg(long = "address", value_name = "ADDRESS", required = true)]
    addresses: Vec<u8>,
    /// How many locks each board has
    #[arg(long, default_value_t = 8)]
    locks: u8,
    /// How long a board takes to begin an answer to a read, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    reply: u64,
    /// The boards refuse a lock for so long after a pulse, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    cool_down: u64,
    /// The boards speak unasked when a door changes
    #[arg(long)]
    reports: bool,
    /// The locks' switches are of the other kind
    #[arg(long)]
    inverted: bool,
    /// The boards say nothing to an unlock, where their family leaves that open
    #[arg(long)]
    quiet: bool,
    /// How the boards differ from most of their family: refusing, terse, short, exceptional or failing
    #[arg(long, value_name = "NAME", value_parser = quirk)]
    quirk: Option<Quirk>,
    /// Where a board of the secure family keeps its keys, in the form of the cabinet's `board-N.key`: once for each address, in their
    /// order. Without such a file yet, a board has no key until one is installed with its label, which is printed
    #[arg(long = "key-file", value_name = "FILE")]
    key_files: Vec<PathBuf>,
}

fn family(name: &str) -> Result<Family, String> {
    Family::named(name).ok_or_else(|| {
        let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        format!("no such family: one of {}", known.join(", "))
    })
}

fn quirk(name: &str) -> Result<Quirk, String> {
    let named = Quirk::ALL.iter().find(|(known, _)| *known == name);
    named.map(|(_, quirk)| *quirk).ok_or_else(|| {
        let known: Vec<&str> = Quirk::ALL.iter().map(|(known, _)| *known).collect();
        format!("no such quirk: one of {}", known.join(", "))
    })
}

/// A secure board as it comes from its maker, with a label of its own, and with the keys that it has kept since.
fn secured(board: SimulatedBoard, path: &Path) -> Result<SimulatedBoard, Failure> {
    let keys = match key_file::load(path) {
        Err(KeyFileError::Unread(_, error)) if error.kind() == ErrorKind::NotFound => Keys::default(),
        read => read.map_err(|error| Failure(66, error.to_string()))?,
    };
    let (mut starts, mut secret) = ([0; 8], [0; 32]);
    getrandom::fill(&mut starts)
        .and_then(|()| getrandom::fill(&mut secret))
        .map_err(|error| Failure(71, format!("no random bytes can be had: {error}")))?;
    let address = board.address().0;
    let serial = [b'E', b'M', b'U', b'L', b'A', b'T', b'E', address];
    println!(
        "board {address}: {}, label LB1:{:016x}:{}",
        match &keys.current {
            Some(key) => format!("key {}", key.id()),
            None => "no key yet".to_owned(),
        },
        u64::from_be_bytes(serial),
        URL_SAFE_NO_PAD.encode(secret)
    );
    let file = path.to_owned();
    let keep = move |keys: &Keys| {
        if let Err(error) = key_file::keep(&file, keys) {
            eprintln!(
                "hardware: {}: {error}; the board's new key will be lost with this program",
                file.display()
            );
        }
    };
    let label = Key::new(secret);
    Ok(board
        .secured(label, serial, keys)
        .outliving(u64::from_le_bytes(starts), keep))
}

impl Emulate {
    fn baud(&self) -> Result<u32, Failure> {
        let usual = self.family.profile().baud;
        let problem = || {
            format!(
                "no document names the speed of {} boards: give --baud",
                self.family.name()
            )
        };
        self.baud.or(usual).ok_or_else(|| Failure(64, problem()))
    }

    fn boards(&self) -> Result<Vec<SimulatedBoard>, Failure> {
        let profile = self.family.profile();
        if !(1..=profile.channels_max).contains(&self.locks) {
            let problem = format!(
                "{} boards have 1 to {} locks",
                self.family.name(),
                profile.channels_max
            );
            return Err(Failure(64, problem));
        }
        if let Some(quirk) = self
            .quirk
            .filter(|quirk| !quirk.families().contains(&self.family))
        {
            let known: Vec<&str> = quirk.families().iter().map(|family| family.name()).collect();
            let problem = format!("only these have that quirk: {}", known.join(", "));
            return Err(Failure(64, problem));
        }
        let secrets = if profile.protected {
            self.addresses.len()
        } else {
            0
        };
        if self.key_files.len() != secrets {
            let problem = format!(
                "{} boards need {}",
                self.family.name(),
                if profile.protected {
                    "one --key-file for each --address"
                } else {
                    "no --key-file"
                }
            );
            return Err(Failure(64, problem));
        }
        let board = |(index, address): (usize, &u8)| {
            if !(profile.boards.0..=profile.boards.1).contains(address) {
                let (first, last) = profile.boards;
                return Err(Failure(
                    64,
                    format!("{} boards have addresses {first} to {last}", self.family.name()),
                ));
            }
            let settings = BoardSettings {
                reply: Duration::from_millis(self.reply),
                cool_down: Duration::from_millis(self.cool_down),
                reports: self.reports,
                inverted: if self.inverted {
                    Channel::bits(self.locks)
                } else {
                    0
                },
                unlock_answered: !self.quiet,
                quirk: self.quirk,
                ..BoardSettings::new(self.family, Board(*address), self.locks)
            };
            let board = SimulatedBoard::new(settings, u64::from(*address));
            match self.key_files.get(index) {
                Some(path) => secured(board, path),
                None => Ok(board),
            }
        };
        self.addresses.iter().enumerate().map(board).collect()
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        let baud = self.baud()?;
        let line = Line::new(self.boards()?, UNPACED, Grain::Bytes, 0);
        let problem = |error| {
            Failure(
                66,
                format!(
                    "{}: {error}; check path, rights and who has it open",
                    self.port.display()
                ),
            )
        };
        let mut bench = Bench::default();
        let mode = PortMode {
            baud,
            rs485: self.rs485,
        };
        let port = Port::attach(line, &self.port, mode).map_err(problem)?;
        bench.lines.insert(NAME.to_owned(), port);
        println!(
            "{} at {baud} baud on {}: boards {:?} with {} locks each",
            self.family.name(),
            self.port.display(),
            self.addresses,
            self.locks
        );
        let mut typed = typed();
        while let Some(line) = typed.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            match bench.obey(&line).await {
                Ok(answer) => println!("{answer}"),
                Err(error) => println!("{error}"),
            }
        }
        // Nobody types any more; the boards go on.
        std::future::pending().await
    }
}
