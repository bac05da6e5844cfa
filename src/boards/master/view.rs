//! How the bus is at one moment: its ports, its boards, and how they have done (pure).

use office_protocol::{BoardId, PortName};

use super::{BoardStatistics, BusMaster, Echo, Life};

/// A port at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortView {
    /// Its name.
    pub name: PortName,
    /// Whether it is open.
    pub open: bool,
    /// Whether its echo is as its setting says.
    pub echo: Echo,
    /// Bytes of noise dropped since the start.
    pub noise: u32,
}

/// A board at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardView {
    /// Its number.
    pub id: BoardId,
    /// Where it is in its life.
    pub life: Life,
    /// How long it takes to answer a read, at its slowest of late, in milliseconds.
    pub slowest_ms: Option<u64>,
    /// Whether its commands are authenticated on the wire.
    pub protected: bool,
    /// Whether another board answers at its address as well.
    pub shared: bool,
    /// How it has done since the start.
    pub statistics: BoardStatistics,
}

/// The bus at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusView {
    /// Its ports, in the layout's order.
    pub ports: Vec<PortView>,
    /// Its boards, in the layout's order.
    pub boards: Vec<BoardView>,
    /// Unlocks that wait for their turn.
    pub waiting: usize,
}

impl BusMaster {
    /// How it is.
    #[must_use]
    pub fn view(&self) -> BusView {
        let ports = self
            .layout
            .ports
            .iter()
            .zip(&self.ports)
            .map(|(place, port)| PortView {
                name: place.name.clone(),
                open: port.open,
                echo: port.wire.echo,
                noise: port.wire.dropped(),
            });
        let boards = self
            .layout
            .boards
            .iter()
            .zip(&self.boards)
            .map(|(place, board)| BoardView {
                id: place.id,
                life: board.life,
                slowest_ms: board.slowest_ms(),
                protected: self.ports[place.port.0].wire.profile.protected,
                shared: board.twins.suspected(),
                statistics: board.statistics,
            });
        BusView {
            ports: ports.collect(),
            boards: boards.collect(),
            waiting: self.wanted.len(),
        }
    }
}
