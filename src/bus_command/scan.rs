//! Which boards answer on a line: every address of each family at its speed, asked with reads only. Secure boards are greeted without a
//! key: they refuse, and so they are found.

use std::process::ExitCode;
use std::time::Duration;

use firmware_protocol::secure::Serial;
use firmware_protocol::{Board, Family};

use crate::boards::probe::{PortGone, Probe};
use crate::boards::search::{Search, keyless};
use crate::command_line::Failure;
use crate::serial::PortSettings;

use super::{Scan, say};

/// The speed where no document names one.
const BAUD: u32 = 9600;

/// A board that answered.
#[derive(serde::Serialize)]
struct Found {
    family: &'static str,
    baud: u32,
    address: u8,
    /// How many locks its packed answer tells of; none where it has none.
    channels: Option<u8>,
    /// The number that a secure board says it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            family,
            baud,
            address,
            channels,
            serial,
        } = self;
        write!(to, "{family}, {baud} baud, address {address}")?;
        if let Some(channels) = channels {
            write!(to, ", up to {channels} locks")?;
        }
        match serial {
            Some(serial) => write!(
                to,
                ", number {serial}: a secure board, which tells more to who has its key only"
            ),
            None => Ok(()),
        }
    }
}

pub(super) async fn run(scan: &Scan) -> Result<ExitCode, Failure> {
    let mut found = 0;
    for (baud, families) in plan(scan) {
        let settings = PortSettings {
            path: scan.line.port.clone(),
            baud,
            rs485: scan.line.rs485,
        };
        let mut probe = Probe::open(settings).await.map_err(gone)?;
        for family in families {
            found += search(scan, &mut probe, family, baud).await?;
        }
        probe.close().await;
    }
    if found > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "lockerd: no board answers; check power, cable, A and B, and the boards' switches, or name other speeds"
    );
    Ok(ExitCode::from(1))
}

fn gone(error: PortGone) -> Failure {
    Failure::new(66, error)
}

/// The families by the speed that they are tried at, so that the port is opened once for each.
fn plan(scan: &Scan) -> Vec<(u32, Vec<Family>)> {
    let families = scan.line.families(Family::ALL.iter().copied());
    let mut bauds = scan.bauds.clone();
    if !bauds.is_empty() {
        return bauds.into_iter().map(|baud| (baud, families.clone())).collect();
    }
    let usual = |family: &Family| family.profile().baud.unwrap_or(BAUD);
    bauds.extend(families.iter().map(usual));
    bauds.sort_unstable();
    bauds.dedup();
    let at = |baud: u32| {
        families
            .iter()
            .copied()
            .filter(move |family| usual(family) == baud)
    };
    bauds.into_iter().map(|baud| (baud, at(baud).collect())).collect()
}

async fn search(scan: &Scan, probe: &mut Probe, family: Family, baud: u32) -> Result<usize, Failure> {
    let profile = family.profile();
    let (first, last) = scan.addresses;
    let mut found = 0;
    for address in first.max(profile.boards.0)..=last.min(profile.boards.1) {
        let Some((channels, serial)) = meet(scan, probe, family, Board(address)).await.map_err(gone)? else {
            continue;
        };
        found += 1;
        let board = Found {
            family: family.name(),
            baud,
            address,
            channels,
            serial: serial.map(|serial| format!("{:016x}", u64::from_be_bytes(serial))),
        };
        say(&if scan.line.json {
            serde_json::to_string(&board).map_err(|error| Failure::new(70, error))?
        } else {
            board.to_string()
        })?;
    }
    Ok(found)
}

/// Whether somebody is there, how many locks he tells of, and a secure board's number.
async fn meet(
    scan: &Scan,
    probe: &mut Probe,
    family: Family,
    board: Board,
) -> Result<Option<(Option<u8>, Option<Serial>)>, PortGone> {
    let protected = family.profile().protected;
    let mut codec = if protected { keyless(board) } else { family.codec() };
    let mut search = Search {
        probe,
        codec: &mut codec,
        board,
        patience: Duration::from_millis(scan.patience),
    };
    if protected {
        return Ok(search.refuses().await?.map(|serial| (None, Some(serial))));
    }
    Ok(if search.answers().await? {
        Some((search.size().await?, None))
    } else {
        None
    })
}
