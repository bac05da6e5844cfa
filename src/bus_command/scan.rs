//! Which boards answer on a line: every address of each family at its speed, asked with reads only.

use std::process::ExitCode;
use std::time::Duration;

use firmware_protocol::{Board, Codec, Family};

use crate::boards::probe::{PortGone, Probe};
use crate::boards::search::Search;
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
}

impl std::fmt::Display for Found {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            family,
            baud,
            address,
            channels,
        } = self;
        write!(to, "{family}, {baud} baud, address {address}")?;
        match channels {
            Some(channels) => write!(to, ", up to {channels} locks"),
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
    let families = scan.line.families();
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
    let mut codec = family.codec();
    let profile = codec.profile();
    let (first, last) = scan.addresses;
    let mut found = 0;
    for address in first.max(profile.boards.0)..=last.min(profile.boards.1) {
        let mut search = Search {
            probe: &mut *probe,
            codec: &mut codec,
            board: Board(address),
            patience: Duration::from_millis(scan.patience),
        };
        if !search.answers().await.map_err(gone)? {
            continue;
        }
        found += 1;
        let board = Found {
            family: family.name(),
            baud,
            address,
            channels: search.size().await.map_err(gone)?,
        };
        say(&if scan.line.json {
            serde_json::to_string(&board).map_err(|error| Failure::new(70, error))?
        } else {
            board.to_string()
        })?;
    }
    Ok(found)
}
