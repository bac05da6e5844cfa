//! Finding boards: asks every address of each configured port, and says what is there and not in the settings, and the reverse.

use std::time::Duration;

use firmware_protocol::{Board, Codec, Family};
use office_protocol::{BoardId, PortName};

use crate::boards::layout::BusPort;
use crate::boards::probe::Probe;
use crate::boards::search::Search;
use crate::command_line::Failure;
use crate::serial::PortSettings;
use crate::settings::Bus;
use crate::settings::wiring::NewBoard;

/// The highest address that switches on boards usually go to.
const LAST_ADDRESS: u8 = 32;
/// How often a board is asked that should be there.
const TRIES: usize = 3;

/// What a look at all ports came to.
#[derive(Default)]
pub(super) struct Found {
    /// Boards that the settings do not know.
    pub(super) new: Vec<NewBoard>,
    /// Boards of the settings that do not answer.
    pub(super) silent: Vec<BoardId>,
    /// Ports where nobody answers.
    pub(super) deserted: Vec<PortName>,
}

/// The ports whose boards need no key.
pub(super) fn open_ports(bus: &Bus) -> impl Iterator<Item = &(BusPort, PortSettings)> {
    let open = |(port, _): &&(BusPort, PortSettings)| !port.family.profile().protected;
    bus.ports.iter().filter(open)
}

/// Looks at every port whose boards need no key.
pub(super) async fn boards(bus: &Bus, patience: Duration) -> Result<Found, Failure> {
    let mut found = Found::default();
    let last = bus.boards.iter().map(|board| board.id.0).max().unwrap_or(0);
    for (port, device) in open_ports(bus) {
        let known = bus.boards.iter().filter(|board| board.port == port.name);
        let named: Vec<Board> = known.clone().map(|board| board.address).collect();
        let there = answering(port.family, device, &named, patience).await?;
        let silent = known
            .clone()
            .filter(|board| !there.iter().any(|(address, _)| *address == board.address));
        found.silent.extend(silent.map(|board| board.id));
        for (address, channels) in &there {
            if !known.clone().any(|board| board.address == *address) {
                let number = u16::try_from(found.new.len())
                    .unwrap_or(u16::MAX)
                    .saturating_add(1);
                let channels = channels.unwrap_or_else(|| port.family.profile().channels_max);
                found.new.push(NewBoard {
                    id: BoardId(last.saturating_add(number)),
                    port: port.name.clone(),
                    address: address.0,
                    channels,
                    locks: channels,
                });
            }
        }
        if there.is_empty() {
            found.deserted.push(port.name.clone());
        }
    }
    Ok(found)
}

/// Addresses where somebody answers, and how many locks each tells of. The named ones are asked more than once before they count as silent.
async fn answering(
    family: Family,
    device: &PortSettings,
    named: &[Board],
    patience: Duration,
) -> Result<Vec<(Board, Option<u8>)>, Failure> {
    let gone = |error| Failure::new(66, error);
    let mut probe = Probe::open(device.clone()).await.map_err(gone)?;
    let mut codec = family.codec();
    let (first, last) = codec.profile().boards;
    let mut there = Vec::new();
    let usual = (first..=last.min(LAST_ADDRESS)).map(Board);
    let beyond = named.iter().copied().filter(|board| board.0 > LAST_ADDRESS);
    for board in usual.chain(beyond) {
        let mut search = Search {
            probe: &mut probe,
            codec: &mut codec,
            board,
            patience,
        };
        let tries = if named.contains(&board) { TRIES } else { 1 };
        for _ in 0..tries {
            if search.answers().await.map_err(gone)? {
                there.push((board, search.size().await.map_err(gone)?));
                break;
            }
        }
    }
    probe.close().await;
    Ok(there)
}
