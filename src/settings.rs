//! Settings: what the file says, checked as a whole; a mistake names file, line, column and what to write instead.

mod fragment;
#[cfg(test)]
mod tests;
pub mod wiring;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use firmware_protocol::{Board, Channel, Family, Polarity};
use office_protocol::event::{CompartmentLayout, Wiring};
use office_protocol::{BoardId, CompartmentId, PortName, TopicRoot};
use thiserror::Error;
use toml::Spanned;

use crate::boards::layout::{BusBoard, BusLock, BusPort, Layout, LayoutError, Supply};
use crate::clock::Trust;
use crate::scanner::framing::Ending;
use crate::scanner::start::StartCommand;
use crate::serial::PortSettings;

use fragment::File;

/// A settings file that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("{file}: {source}; give the settings with --config FILE")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}:{column}: {problem}")]
    Wrong {
        /// Which.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

/// A scanner's port.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Its name.
    pub name: PortName,
    /// Where it is.
    pub port: PortSettings,
    /// What makes it scan.
    pub start: StartCommand,
    /// How it ends a code.
    pub ends: Ending,
}

/// Where the office's broker is.
#[derive(Debug, Clone)]
pub struct Office {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// With the certificates of the enrolment.
    pub tls: bool,
    /// Under which topics.
    pub root: TopicRoot,
}

/// Settings that fit together.
#[derive(Debug)]
pub struct Settings {
    /// The file that they are from.
    pub file: PathBuf,
    /// Where identity and enrolment are kept.
    pub secrets: PathBuf,
    /// Ports, boards and locks.
    pub layout: Layout,
    /// The device files of the layout's ports, in its order.
    pub lock_ports: Vec<PortSettings>,
    /// Every compartment with its lock.
    pub compartments: Vec<CompartmentLayout>,
    /// Scanners.
    pub scanners: Vec<Scanner>,
    /// Journal and documents.
    pub directory: PathBuf,
    /// How long acknowledged events are kept.
    pub keep_days: u32,
    /// Whether staff can look up what happened, at the price of some memory.
    pub index: bool,
    /// Where the kiosk listens.
    pub kiosk: SocketAddr,
    /// The wall clock's distance from UTC on the screen.
    pub utc_offset_minutes: i16,
    /// The office.
    pub office: Office,
    /// A catalogue of one's own.
    pub catalogue: Option<PathBuf>,
    /// When the wall clock is believed.
    pub trust: Trust,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            file: file.clone(),
            source,
        })?;
        Self::parse(&file, &text)
    }

    /// Reads settings from a text; `file` is its name in errors.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`].
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let source = Source { file, text };
        source.validate(source.read()?)
    }

    /// The lock bus of settings that may have no compartments yet: what a cabinet's commissioning begins with.
    ///
    /// # Errors
    /// [`SettingsError::Wrong`].
    pub fn bus(file: &str, text: &str) -> Result<Bus, SettingsError> {
        let source = Source { file, text };
        let read = source.read()?;
        let ports = source.bus_ports(&read)?;
        let devices = read.lock_ports.iter().map(|port| source.lock_port(port));
        let devices: Vec<PortSettings> = devices.collect::<Result<_, _>>()?;
        Ok(Bus {
            ports: ports.into_iter().zip(devices).collect(),
            boards: read.boards.iter().map(|entry| board(entry.get_ref())).collect(),
            last_compartment: read.compartments.iter().map(|place| place.get_ref().id.0).max(),
        })
    }
}

/// The lock bus as far as it is written.
#[derive(Debug)]
pub struct Bus {
    /// Its ports, each with its device.
    pub ports: Vec<(BusPort, PortSettings)>,
    /// Its boards.
    pub boards: Vec<BusBoard>,
    /// The highest number on a door.
    pub last_compartment: Option<u16>,
}

struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn read(&self) -> Result<File, SettingsError> {
        toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.wrong(at, self.in_plain_words(at, error.message().trim()))
        })
    }

    fn wrong(&self, at: usize, problem: String) -> SettingsError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SettingsError::Wrong {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem,
        }
    }

    /// What the parser says, with the key that it is about and without the program's own words.
    fn in_plain_words(&self, at: usize, message: &str) -> String {
        let mut said = message.to_owned();
        for (number, from, to) in [
            ("u8", 0, i64::from(u8::MAX)),
            ("u16", 0, i64::from(u16::MAX)),
            ("u32", 0, i64::from(u32::MAX)),
            ("i16", i64::from(i16::MIN), i64::from(i16::MAX)),
        ] {
            let range = format!("expected a whole number from {from} to {to}");
            said = said.replace(&format!("expected {number}"), &range);
        }
        let line_start = self.text.get(..at).and_then(|before| before.rfind('\n'));
        let line = self.text.get(line_start.map_or(0, |newline| newline + 1)..);
        let line = line.and_then(|line| line.lines().next()).unwrap_or_default();
        match line.split_once('=') {
            Some((key, _)) if !said.contains(key.trim()) => format!("{}: {said}", key.trim()),
            Some(_) | None => said,
        }
    }

    fn validate(&self, read: File) -> Result<Settings, SettingsError> {
        let layout = self.layout(&read)?;
        self.names_apart(&read)?;
        self.devices_apart(&read)?;
        let kiosk = read.kiosk.address;
        if !kiosk.get_ref().ip().is_loopback() {
            let problem = format!(
                "the kiosk may only listen on loopback: write 127.0.0.1:{}",
                kiosk.get_ref().port()
            );
            return Err(self.wrong(kiosk.span().start, problem));
        }
        let host = read.office.host;
        let local = host.get_ref() == "localhost"
            || host
                .get_ref()
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if !read.office.tls && !local {
            let problem = "without TLS the broker must be on this machine: write tls = true".to_owned();
            return Err(self.wrong(host.span().start, problem));
        }
        let root = match read.office.root {
            None => TopicRoot::default(),
            Some(root) => root
                .get_ref()
                .parse()
                .map_err(|error| self.wrong(root.span().start, format!("{error}")))?,
        };
        let compartments = read.compartments.iter().map(|entry| entry.get_ref());
        let compartments = compartments.map(|place| CompartmentLayout {
            id: place.id,
            size: place.size,
            reachable: place.reachable,
            wiring: Some(Wiring {
                board: place.board,
                channel: place.channel,
                inverted: place.is_inverted(&read.boards),
                at: layout.reached(place.board),
            }),
        });
        let compartments = compartments.collect();
        let lock_ports = read.lock_ports.iter().map(|port| self.lock_port(port));
        let lock_ports = lock_ports.collect::<Result<_, _>>()?;
        Ok(Settings {
            file: self.file.into(),
            secrets: read.cabinet.secrets,
            layout,
            lock_ports,
            compartments,
            scanners: read
                .scanners
                .into_iter()
                .map(|scanner| scanner.into_inner())
                .map(|scanner| Scanner {
                    name: scanner.name,
                    port: PortSettings {
                        path: scanner.path,
                        baud: scanner.baud,
                        rs485: false,
                    },
                    start: scanner.start,
                    ends: scanner.ends,
                })
                .collect(),
            directory: read.journal.directory,
            keep_days: read.journal.keep_days,
            index: read.journal.index,
            kiosk: kiosk.into_inner(),
            utc_offset_minutes: read.kiosk.utc_offset_minutes,
            office: Office {
                host: host.into_inner(),
                port: read.office.port,
                tls: read.office.tls,
                root,
            },
            catalogue: read.catalogue.path,
            trust: read.clock.trust,
        })
    }

    fn layout(&self, read: &File) -> Result<Layout, SettingsError> {
        if read.compartments.is_empty() {
            let problem =
                "no compartment: write at least one [[lock-port]], and `lockerd commission` finds its boards";
            return Err(self.wrong(0, problem.to_owned()));
        }
        let ports = self.bus_ports(read)?;
        let boards: Vec<BusBoard> = read.boards.iter().map(|entry| board(entry.get_ref())).collect();
        let mut locks = Vec::new();
        for entry in &read.compartments {
            let place = entry.get_ref();
            let channel = Channel::new(place.channel).ok_or_else(|| {
                let problem = format!(
                    "channel {} cannot be: locks count from 1 to {}",
                    place.channel,
                    Channel::MAX
                );
                self.wrong(entry.span().start, problem)
            })?;
            locks.push(BusLock {
                compartment: place.id,
                board: place.board,
                channel,
                polarity: if place.is_inverted(&read.boards) {
                    Polarity::Inverted
                } else {
                    Polarity::AsDocumented
                },
            });
        }
        Layout::new(ports, &boards, &locks)
            .map_err(|error| self.wrong(culprit(read, &error), error.to_string()))
    }

    fn bus_ports(&self, read: &File) -> Result<Vec<BusPort>, SettingsError> {
        let port = |entry: &Spanned<fragment::LockPort>| {
            let port = entry.get_ref();
            Ok(BusPort {
                name: port.name.clone(),
                family: self.family(port)?,
                baud: self.baud(port)?,
                echo: port.echo,
            })
        };
        read.lock_ports.iter().map(port).collect()
    }

    fn family(&self, port: &fragment::LockPort) -> Result<Family, SettingsError> {
        Family::named(port.family.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
            let problem = format!(
                "no family of boards is called {:?}: write one of {}",
                port.family.get_ref(),
                known.join(", ")
            );
            self.wrong(port.family.span().start, problem)
        })
    }

    fn baud(&self, port: &fragment::LockPort) -> Result<u32, SettingsError> {
        let usual = self.family(port)?.profile().baud;
        port.baud.or(usual).filter(|baud| *baud > 0).ok_or_else(|| {
            let problem = format!(
                "no document names the speed of {} boards: write baud = 9600, or what they are set to",
                port.family.get_ref()
            );
            self.wrong(port.family.span().start, problem)
        })
    }

    fn lock_port(&self, port: &Spanned<fragment::LockPort>) -> Result<PortSettings, SettingsError> {
        let port = port.get_ref();
        Ok(PortSettings {
            path: port.path.clone(),
            baud: self.baud(port)?,
            rs485: port.rs485,
        })
    }

    /// Every device is one port's.
    fn devices_apart(&self, read: &File) -> Result<(), SettingsError> {
        let locks = read.lock_ports.iter();
        let locks = locks.map(|port| (port.span().start, &port.get_ref().path));
        let scanners = read.scanners.iter();
        let scanners = scanners.map(|scanner| (scanner.span().start, &scanner.get_ref().path));
        let mut seen = BTreeSet::new();
        for (at, path) in locks.chain(scanners) {
            if path.as_os_str().is_empty() {
                let problem = "path: write the serial device, such as /dev/ttyUSB0".to_owned();
                return Err(self.wrong(at, problem));
            }
            if !seen.insert(path) {
                let problem = format!("two ports share {}: give each its own device", path.display());
                return Err(self.wrong(at, problem));
            }
        }
        Ok(())
    }

    fn names_apart(&self, read: &File) -> Result<(), SettingsError> {
        for (index, scanner) in read.scanners.iter().enumerate() {
            let name = &scanner.get_ref().name;
            let taken = read.scanners[..index]
                .iter()
                .any(|other| other.get_ref().name == *name)
                || read.lock_ports.iter().any(|port| port.get_ref().name == *name);
            if taken {
                let problem = format!("two ports are called {name}: give each its own name");
                return Err(self.wrong(scanner.span().start, problem));
            }
        }
        Ok(())
    }
}

fn board(read: &fragment::Board) -> BusBoard {
    BusBoard {
        id: read.id,
        port: read.port.clone(),
        address: Board(read.address),
        channels: read.channels,
        supply: Supply(read.supply),
        pulse_ms: read.pulse_ms.map(NonZeroU16::get),
    }
}

/// Where the last entry stands that the error is about.
fn culprit(read: &File, error: &LayoutError) -> usize {
    let port = |name: &PortName| {
        let mut entries = read.lock_ports.iter().rev();
        entries
            .find(|entry| entry.get_ref().name == *name)
            .map(|entry| entry.span())
    };
    let board = |id: BoardId| {
        let mut entries = read.boards.iter().rev();
        entries
            .find(|entry| entry.get_ref().id == id)
            .map(|entry| entry.span())
    };
    let compartment = |id: CompartmentId| {
        let mut entries = read.compartments.iter().rev();
        entries
            .find(|entry| entry.get_ref().id == id)
            .map(|entry| entry.span())
    };
    let span = match error {
        LayoutError::PortTwice(name) => port(name),
        LayoutError::BoardTwice(id)
        | LayoutError::NoSuchPort(id, _)
        | LayoutError::TooManyOnLine(id)
        | LayoutError::AddressTwice(_, id)
        | LayoutError::NotOfFamily { board: id, .. } => board(*id),
        LayoutError::CompartmentTwice(id)
        | LayoutError::NoSuchBoard(id, _)
        | LayoutError::NoSuchChannel(id, ..)
        | LayoutError::LockTwice(_, id) => compartment(*id),
    };
    span.map_or(0, |span| span.start)
}
