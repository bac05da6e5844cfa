//! Which compartment is which lock: port, board, channel and the way its switch is wired (pure).

use std::collections::BTreeMap;

use firmware_protocol::secure::BOARDS_MAX;
use firmware_protocol::{Board, Channel, Family, Polarity};
use office_protocol::event::BoardPlace;
use office_protocol::{BoardId, CompartmentId, PortName};
use thiserror::Error;

/// One serial port with lock boards of one family.
#[derive(Clone, Debug)]
pub struct BusPort {
    /// Its name in settings, reports and logs.
    pub name: PortName,
    /// What its boards speak.
    pub family: Family,
    /// Its speed, 8N1.
    pub baud: u32,
    /// Whether its adapter hands back what is sent.
    pub echo: bool,
}

/// A power supply that drives one solenoid at a time. Boards may share one across ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Supply(pub u16);

/// One lock board.
#[derive(Clone, Debug)]
pub struct BusBoard {
    /// Its number in settings, reports and logs.
    pub id: BoardId,
    /// The port it is on.
    pub port: PortName,
    /// Its address on that port.
    pub address: Board,
    /// How many locks it has.
    pub channels: u8,
    /// What drives its solenoids.
    pub supply: Supply,
    /// How long it drives one for an unlock, in milliseconds, where that is known better than from its family.
    pub pulse_ms: Option<u16>,
}

/// One compartment's lock.
#[derive(Clone, Debug)]
pub struct BusLock {
    /// The compartment.
    pub compartment: CompartmentId,
    /// The board it is on.
    pub board: BoardId,
    /// Its channel there.
    pub channel: Channel,
    /// How its switch is wired.
    pub polarity: Polarity,
}

/// Why a layout cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Two ports have one name.
    #[error("two lock ports are called {0}: give each its own name")]
    PortTwice(PortName),
    /// Two boards have one number.
    #[error("two lock boards have the number {0}: give each its own")]
    BoardTwice(BoardId),
    /// A board is on a port that is not there.
    #[error("board {0} is on port {1}, which is not among the lock ports: name one that is")]
    NoSuchPort(BoardId, PortName),
    /// Two boards on one port have one address.
    #[error(
        "boards {0} and {1} have the same address on one port: set one of their switches and its address anew"
    )]
    AddressTwice(BoardId, BoardId),
    /// No board of this family has such an address or so many locks.
    #[error("board {board} cannot be: its family has addresses {first} to {last} and 1 to {channels} locks")]
    NotOfFamily {
        /// The board.
        board: BoardId,
        /// The family's lowest address.
        first: u8,
        /// The family's highest address.
        last: u8,
        /// The most locks its boards have.
        channels: u8,
    },
    /// A port's boards need a session each, and there is room for fewer.
    #[error(
        "board {0} is one too many: a line of the secure family has up to {BOARDS_MAX}; put it on another port"
    )]
    TooManyOnLine(BoardId),
    /// Two locks have one compartment number.
    #[error("compartment {0} is there twice: give each lock its own compartment")]
    CompartmentTwice(CompartmentId),
    /// A lock is on a board that is not there.
    #[error("compartment {0} is on board {1}, which is not among the boards: name one that is")]
    NoSuchBoard(CompartmentId, BoardId),
    /// A lock's channel is beyond its board.
    #[error("compartment {0} is on channel {1} of a board with {2} locks: choose a channel that it has")]
    NoSuchChannel(CompartmentId, u8, u8),
    /// Two compartments are on one lock.
    #[error("compartments {0} and {1} are on the same lock: give each its own channel")]
    LockTwice(CompartmentId, CompartmentId),
}

/// A port's place in the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortIndex(pub usize);

/// One board with its compartments by channel.
#[derive(Clone, Debug)]
pub(super) struct PlacedBoard {
    pub(super) id: BoardId,
    pub(super) port: PortIndex,
    pub(super) address: Board,
    pub(super) channels: u8,
    /// Index into the layout's supplies.
    pub(super) supply: usize,
    pub(super) pulse_ms: u16,
    /// Bit 0 is channel 1.
    pub(super) mapped: u64,
    pub(super) inverted: u64,
    compartments: Vec<Option<CompartmentId>>,
}

impl PlacedBoard {
    pub(super) fn compartment(&self, channel: Channel) -> Option<CompartmentId> {
        *self.compartments.get(usize::from(channel.number()) - 1)?
    }
}

/// Where one compartment's lock is, and how it is spoken to.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// Its port.
    pub port: PortIndex,
    /// What is spoken there.
    pub family: Family,
    /// Its board.
    pub board: BoardId,
    /// That board's address.
    pub address: Board,
    /// How many locks that board has.
    pub channels: u8,
    /// Which of them it is.
    pub channel: Channel,
    /// How its switch is wired.
    pub polarity: Polarity,
}

/// All ports, boards and locks of a cabinet, proven to fit together.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub(super) ports: Vec<BusPort>,
    pub(super) boards: Vec<PlacedBoard>,
    pub(super) supplies: usize,
    places: BTreeMap<CompartmentId, (usize, Channel)>,
}

impl Layout {
    /// Proves that everything has its place.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn new(ports: Vec<BusPort>, boards: &[BusBoard], locks: &[BusLock]) -> Result<Self, LayoutError> {
        for (index, port) in ports.iter().enumerate() {
            if ports[..index].iter().any(|other| other.name == port.name) {
                return Err(LayoutError::PortTwice(port.name.clone()));
            }
        }
        let mut supplies: Vec<Supply> = Vec::new();
        let mut layout = Self {
            ports,
            boards: Vec::new(),
            supplies: 0,
            places: BTreeMap::new(),
        };
        for board in boards {
            let supply = supplies
                .iter()
                .position(|known| *known == board.supply)
                .unwrap_or(supplies.len());
            if supply == supplies.len() {
                supplies.push(board.supply);
            }
            layout.place_board(board, supply)?;
        }
        layout.supplies = supplies.len();
        for lock in locks {
            layout.place_lock(lock)?;
        }
        Ok(layout)
    }

    /// Its ports, in the order of their indices.
    #[must_use]
    pub fn ports(&self) -> &[BusPort] {
        &self.ports
    }

    /// Where a board of this number is: its port and its address there.
    #[must_use]
    pub fn board(&self, id: BoardId) -> Option<(PortIndex, Board)> {
        let board = self.boards.iter().find(|board| board.id == id)?;
        Some((board.port, board.address))
    }

    /// What a board of this number speaks, where.
    #[must_use]
    pub fn reached(&self, id: BoardId) -> Option<BoardPlace> {
        let (port, address) = self.board(id)?;
        let port = self.ports.get(port.0)?;
        Some(BoardPlace::of(port.family.name(), &port.name, address.0))
    }

    /// The boards whose lines are authenticated, and who need keys.
    pub fn secure_boards(&self) -> impl Iterator<Item = BoardId> {
        let secure = |board: &&PlacedBoard| self.ports[board.port.0].family.profile().protected;
        self.boards.iter().filter(secure).map(|board| board.id)
    }

    /// All compartments, in order.
    pub fn compartments(&self) -> impl Iterator<Item = CompartmentId> {
        self.places.keys().copied()
    }

    /// Where a compartment's lock is.
    #[must_use]
    pub fn spot(&self, compartment: CompartmentId) -> Option<Spot> {
        let (board, channel) = self.place(compartment)?;
        let board = &self.boards[board];
        Some(Spot {
            port: board.port,
            family: self.ports[board.port.0].family,
            board: board.id,
            address: board.address,
            channels: board.channels,
            channel,
            polarity: if board.inverted & channel.bit() == 0 {
                Polarity::AsDocumented
            } else {
                Polarity::Inverted
            },
        })
    }

    /// The index of a compartment's board, and the channel there.
    pub(super) fn place(&self, compartment: CompartmentId) -> Option<(usize, Channel)> {
        self.places.get(&compartment).copied()
    }

    fn place_board(&mut self, board: &BusBoard, supply: usize) -> Result<(), LayoutError> {
        let port = self.ports.iter().position(|port| port.name == board.port);
        let port = port.ok_or_else(|| LayoutError::NoSuchPort(board.id, board.port.clone()))?;
        if self.boards.iter().any(|other| other.id == board.id) {
            return Err(LayoutError::BoardTwice(board.id));
        }
        let same = |other: &&PlacedBoard| other.port.0 == port && other.address == board.address;
        if let Some(other) = self.boards.iter().find(same) {
            return Err(LayoutError::AddressTwice(other.id, board.id));
        }
        let profile = self.ports[port].family.profile();
        let neighbours = self.boards.iter().filter(|other| other.port.0 == port);
        if profile.protected && neighbours.count() >= BOARDS_MAX {
            return Err(LayoutError::TooManyOnLine(board.id));
        }
        let (first, last) = profile.boards;
        let fits =
            (first..=last).contains(&board.address.0) && (1..=profile.channels_max).contains(&board.channels);
        if !fits {
            let channels = profile.channels_max;
            return Err(LayoutError::NotOfFamily {
                board: board.id,
                first,
                last,
                channels,
            });
        }
        self.boards.push(PlacedBoard {
            id: board.id,
            port: PortIndex(port),
            address: board.address,
            channels: board.channels,
            supply,
            pulse_ms: board.pulse_ms.unwrap_or(profile.pulse_ms),
            mapped: 0,
            inverted: 0,
            compartments: vec![None; usize::from(board.channels)],
        });
        Ok(())
    }

    fn place_lock(&mut self, lock: &BusLock) -> Result<(), LayoutError> {
        let index = self.boards.iter().position(|board| board.id == lock.board);
        let index = index.ok_or(LayoutError::NoSuchBoard(lock.compartment, lock.board))?;
        let board = &mut self.boards[index];
        let channel = lock.channel;
        let Some(place) = board.compartments.get_mut(usize::from(channel.number()) - 1) else {
            return Err(LayoutError::NoSuchChannel(
                lock.compartment,
                channel.number(),
                board.channels,
            ));
        };
        if let Some(other) = place {
            return Err(LayoutError::LockTwice(*other, lock.compartment));
        }
        if self.places.insert(lock.compartment, (index, channel)).is_some() {
            return Err(LayoutError::CompartmentTwice(lock.compartment));
        }
        *place = Some(lock.compartment);
        board.mapped |= channel.bit();
        if lock.polarity == Polarity::Inverted {
            board.inverted |= channel.bit();
        }
        Ok(())
    }
}
