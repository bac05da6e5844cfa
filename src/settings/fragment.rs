//! The settings file as it is written: every table and key, none of them checked against another.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use office_protocol::event::Size;
use office_protocol::{BoardId, CompartmentId, PortName};
use serde::Deserialize;
use toml::Spanned;

use crate::clock::Trust;
use crate::scanner::framing::Ending;
use crate::scanner::start::StartCommand;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    pub(super) cabinet: Cabinet,
    #[serde(rename = "lock-port", default)]
    pub(super) lock_ports: Vec<Spanned<LockPort>>,
    #[serde(rename = "board", default)]
    pub(super) boards: Vec<Spanned<Board>>,
    #[serde(rename = "compartment", default)]
    pub(super) compartments: Vec<Spanned<Compartment>>,
    #[serde(rename = "scanner", default)]
    pub(super) scanners: Vec<Spanned<Scanner>>,
    #[serde(default)]
    pub(super) journal: Journal,
    #[serde(default)]
    pub(super) kiosk: Kiosk,
    pub(super) office: Office,
    #[serde(default)]
    pub(super) catalogue: Catalogue,
    #[serde(default)]
    pub(super) clock: Clock,
}

impl Compartment {
    /// Whether its switch is of the other kind: what is said of it, or else of its board.
    pub(super) fn is_inverted(&self, boards: &[Spanned<Board>]) -> bool {
        let of_board = |board: &Spanned<Board>| board.get_ref().id == self.board && board.get_ref().inverted;
        self.inverted.unwrap_or_else(|| boards.iter().any(of_board))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cabinet {
    pub(super) secrets: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LockPort {
    pub(super) name: PortName,
    pub(super) path: PathBuf,
    pub(super) family: Spanned<String>,
    pub(super) baud: Option<u32>,
    #[serde(default)]
    pub(super) echo: bool,
    #[serde(default)]
    pub(super) rs485: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Board {
    pub(super) id: BoardId,
    pub(super) port: PortName,
    pub(super) address: u8,
    pub(super) channels: u8,
    #[serde(default)]
    pub(super) supply: u16,
    pub(super) pulse_ms: Option<NonZeroU16>,
    #[serde(default)]
    pub(super) inverted: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Compartment {
    pub(super) id: CompartmentId,
    pub(super) board: BoardId,
    pub(super) channel: u8,
    pub(super) size: Size,
    #[serde(default)]
    pub(super) reachable: bool,
    pub(super) inverted: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Scanner {
    pub(super) name: PortName,
    pub(super) path: PathBuf,
    #[serde(default = "scanner_baud")]
    pub(super) baud: u32,
    #[serde(default)]
    pub(super) start: StartCommand,
    #[serde(default)]
    pub(super) ends: Ending,
}

fn scanner_baud() -> u32 {
    9600
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Journal {
    pub(super) directory: PathBuf,
    pub(super) keep_days: u32,
    pub(super) index: bool,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            directory: "/var/lib/lockerd".into(),
            keep_days: 190,
            index: true,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Kiosk {
    pub(super) address: Spanned<SocketAddr>,
    pub(super) utc_offset_minutes: i16,
}

impl Default for Kiosk {
    fn default() -> Self {
        Self {
            address: Spanned::new(0..0, SocketAddr::from(([127, 0, 0, 1], 8080))),
            utc_offset_minutes: 480,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Office {
    pub(super) host: Spanned<String>,
    pub(super) port: u16,
    #[serde(default = "yes")]
    pub(super) tls: bool,
    pub(super) root: Option<Spanned<String>>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Catalogue {
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Clock {
    #[serde(default)]
    pub(super) trust: Trust,
}
