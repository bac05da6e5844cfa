//! The file that describes a bench: which port, which board, what is to be done there and by what command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firmware_protocol::secure::Keys;
use firmware_protocol::{Board, Channel, Family, Polarity};
use serde::Deserialize;

use crate::key_file;
use crate::terminal::PortMode;

/// Why a bench's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It cannot be read.
    #[error("{0}: {1}; check path and rights")]
    File(PathBuf, std::io::Error),
    /// It is no such file.
    #[error("{0}: {1}")]
    Form(PathBuf, toml::de::Error),
    /// What it says cannot be.
    #[error("{0}: {1}")]
    Sense(PathBuf, String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: String,
    port: PortPart,
    board: BoardPart,
    #[serde(default)]
    checks: Amounts,
    #[serde(default)]
    commands: Commands,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PortPart {
    path: PathBuf,
    family: String,
    baud: Option<u32>,
    #[serde(default)]
    echo: bool,
    #[serde(default)]
    rs485: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct BoardPart {
    address: u8,
    channels: u8,
    locks: Option<BTreeSet<u8>>,
    #[serde(default)]
    inverted: bool,
    reports: Option<bool>,
    #[serde(default = "cool_down")]
    cool_down_ms: u64,
    key_file: Option<PathBuf>,
}

const fn cool_down() -> u64 {
    15_000
}

/// How much of each check is done.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Amounts {
    /// Reads that are timed.
    pub timed_reads: u32,
    /// Reads of the endurance check.
    pub endurance_reads: u32,
    /// Doors that it opens and closes again.
    pub endurance_openings: u32,
    /// How long a board may take to answer after its power has come, in milliseconds.
    pub power_back_ms: u64,
}

impl Default for Amounts {
    fn default() -> Self {
        Self {
            timed_reads: 200,
            endurance_reads: 2000,
            endurance_openings: 0,
            power_back_ms: 10_000,
        }
    }
}

/// What is done by a command instead of by a person; `{lock}` in it is the lock's number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Commands {
    /// Closes a door.
    pub close_door: Option<String>,
    /// Looks at a door: exit status 0 says open, 1 closed.
    pub door_open: Option<String>,
    /// Cuts the board's power.
    pub power_off: Option<String>,
    /// Restores it.
    pub power_on: Option<String>,
}

/// A bench.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the report calls it.
    pub name: String,
    /// The serial port.
    pub path: PathBuf,
    /// What the board speaks.
    pub family: Family,
    /// The line's speed.
    pub baud: u32,
    /// Whether the adapter hands back what is sent.
    pub echo: bool,
    /// Whether the port's driver is told to switch the direction of an RS-485 line.
    pub rs485: bool,
    /// The board's address.
    pub board: Board,
    /// How many locks it has.
    pub channels: u8,
    /// Which of these are connected, and are checked.
    pub locks: Vec<Channel>,
    /// Whether its switches are of the other kind.
    pub inverted: bool,
    /// Whether it should speak unasked; none if that is only to be found out.
    pub reports: Option<bool>,
    /// How long a lock rests between two pulses, in milliseconds.
    pub cool_down_ms: u64,
    /// The keys of a board of the secure family.
    pub keys: Option<Keys>,
    /// How much is done.
    pub amounts: Amounts,
    /// What is done by commands.
    pub commands: Commands,
}

impl Plan {
    /// Reads the file of a bench.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn load(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path).map_err(|error| PlanError::File(path.to_owned(), error))?;
        let file = toml::from_str(&text).map_err(|error| PlanError::Form(path.to_owned(), error))?;
        Self::of(file).map_err(|problem| PlanError::Sense(path.to_owned(), problem))
    }

    fn of(file: File) -> Result<Self, String> {
        let File {
            name,
            port,
            board,
            checks,
            commands,
        } = file;
        let family = Family::named(&port.family).ok_or_else(|| unknown(&port.family))?;
        let profile = family.profile();
        let (first, last) = profile.boards;
        if !(first..=last).contains(&board.address) {
            return Err(format!(
                "board.address: {} boards have {first} to {last}",
                family.name()
            ));
        }
        if !(1..=profile.channels_max).contains(&board.channels) {
            let most = profile.channels_max;
            return Err(format!(
                "board.channels: {} boards have 1 to {most}",
                family.name()
            ));
        }
        let locks = match board.locks {
            None => Channel::all(board.channels).collect(),
            Some(numbers) => connected(&numbers, board.channels)?,
        };
        let baud = port
            .baud
            .or(profile.baud)
            .ok_or("port.baud: no document names the speed of these boards: give it")?;
        let keys = match (&board.key_file, profile.protected) {
            (Some(path), true) => Some(keys(path)?),
            (None, false) => None,
            (None, true) => return Err("board.key-file: boards of this family need a key".to_owned()),
            (Some(_), false) => return Err("board.key-file: boards of this family have no key".to_owned()),
        };
        Ok(Self {
            name,
            path: port.path,
            family,
            baud,
            echo: port.echo,
            rs485: port.rs485,
            board: Board(board.address),
            channels: board.channels,
            locks,
            inverted: board.inverted,
            reports: board.reports,
            cool_down_ms: board.cool_down_ms,
            keys,
            amounts: checks,
            commands,
        })
    }

    pub(super) const fn polarity(&self) -> Polarity {
        if self.inverted {
            Polarity::Inverted
        } else {
            Polarity::AsDocumented
        }
    }

    pub(super) const fn mode(&self) -> PortMode {
        PortMode {
            baud: self.baud,
            rs485: self.rs485,
        }
    }

    /// The bits of the locks that are checked.
    pub(super) fn checked(&self) -> u64 {
        self.locks.iter().fold(0, |bits, lock| bits | lock.bit())
    }
}

fn connected(numbers: &BTreeSet<u8>, channels: u8) -> Result<Vec<Channel>, String> {
    let lock = |number: &u8| Channel::new(*number).filter(|_| *number <= channels);
    let locks: Option<Vec<Channel>> = numbers.iter().map(lock).collect();
    locks
        .filter(|locks| !locks.is_empty())
        .ok_or_else(|| format!("board.locks: some of 1 to {channels}"))
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
    format!("port.family: {name:?} is none of {}", known.join(", "))
}

/// The keys in a file as the daemon keeps them.
fn keys(path: &Path) -> Result<Keys, String> {
    let keys = key_file::load(path).map_err(|error| format!("board.key-file: {error}"))?;
    if keys.current.is_none() {
        return Err(format!(
            "board.key-file: {}: no key in force; name the file that `lockerd bus install-key` has written",
            path.display()
        ));
    }
    Ok(keys)
}
