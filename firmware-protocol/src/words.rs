//! The words both ends of the wire share: addresses, requests, answers, and what a sensor says.

/// A board's address as it is set on its switch and sent on the wire. Whether the first is 0 or 1 is the
/// family's ([`crate::Profile::boards`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Board(pub u8);

/// One lock of a board. Counts from 1 for every family; a family whose wire counts from 0 converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(u8);

impl Channel {
    /// The highest channel any family has (bit maps are 64 bits wide).
    pub const MAX: u8 = 64;

    /// The `number`-th lock, from 1 to [`Channel::MAX`]; none outside of that.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::MAX {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its bit in a 64-bit map: bit 0 is channel 1.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

    /// The bits of all channels of a board with `count` locks.
    #[must_use]
    pub const fn bits(count: u8) -> u64 {
        if count >= Self::MAX {
            u64::MAX
        } else {
            (1 << count) - 1
        }
    }

    /// The channels of a board with `count` locks, in order.
    pub fn all(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(Self::MAX)).map(Self)
    }
}

/// What a door sensor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoorReading {
    /// Shut and locked.
    Closed,
    /// Not shut.
    Open,
    /// The board says that it does not know (no sensor, broken cable).
    Unknown,
}

/// How a lock's switch is wired, compared with what its family's document assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Polarity {
    /// As documented.
    #[default]
    AsDocumented,
    /// The other kind of switch: what the board calls closed is open.
    Inverted,
}

impl DoorReading {
    /// This reading of a lock wired with `polarity`. Its own inverse.
    #[must_use]
    pub const fn with(self, polarity: Polarity) -> Self {
        match (self, polarity) {
            (Self::Closed, Polarity::Inverted) => Self::Open,
            (Self::Open, Polarity::Inverted) => Self::Closed,
            (reading, _) => reading,
        }
    }
}

/// The doors of one board, from one packed answer, in the documented polarity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct DoorMap {
    /// Which channels the board said something about.
    pub known: u64,
    /// Which of these are open.
    pub open: u64,
}

impl DoorMap {
    /// What the map says about one door.
    #[must_use]
    pub const fn door(self, channel: Channel) -> DoorReading {
        if self.known & channel.bit() == 0 {
            DoorReading::Unknown
        } else if self.open & channel.bit() == 0 {
            DoorReading::Closed
        } else {
            DoorReading::Open
        }
    }

    /// Notes what one door says.
    pub const fn set(&mut self, channel: Channel, reading: DoorReading) {
        let bit = channel.bit();
        self.known &= !bit;
        self.open &= !bit;
        match reading {
            DoorReading::Closed => self.known |= bit,
            DoorReading::Open => {
                self.known |= bit;
                self.open |= bit;
            }
            DoorReading::Unknown => {}
        }
    }
}

/// Everything a board says about itself in one packed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct BoardState {
    /// How many channels the answer covers.
    pub channels: u8,
    /// Its doors.
    pub doors: DoorMap,
    /// Which compartments hold something (bit 0 is channel 1), for families with item sensors.
    pub items: Option<u64>,
    /// Whether the contact of its case is open, for families that say so.
    pub tampered: Option<bool>,
    /// Whether it is shaken, for families that say so.
    pub shaken: Option<bool>,
    /// Whether it is fed by the mains (otherwise by a battery), for families that say so.
    pub mains: Option<bool>,
}

/// What the controller asks of one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Which board.
    pub board: Board,
    /// Distinguishes one request from the next in families that number them; others ignore it and decode 0.
    pub sequence: u8,
    /// What it shall do.
    pub command: Command,
}

/// What a board can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Release one lock with a pulse of the board's own length.
    Unlock(Channel),
    /// Release all, one after the other. For benches only: the controller never sends it.
    UnlockAll,
    /// Read one door.
    ReadDoor(Channel),
    /// Read all doors, and whatever else the family packs beside them.
    ReadAll {
        /// How many locks the board is configured to have: the answer's length follows from it.
        channels: u8,
    },
    /// Turn unasked reports on or off.
    SetReports(bool),
    /// Ask for the firmware's version.
    ReadVersion,
    /// Put every output at rest, for boards whose outputs could have been left on.
    AllOff,
    /// A step of the family's own, before or between others: sets up a session, or changes a key.
    Handshake,
}

/// What a board said, asked or unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Which board.
    pub board: Board,
    /// The request's number, in families that number them; 0 in others.
    pub sequence: u8,
    /// What it said.
    pub content: Content,
}

/// What an answer can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// To [`Command::Unlock`].
    Unlocked {
        /// Which lock.
        channel: Channel,
        /// Whether the board took the order.
        result: UnlockResult,
        /// What the door sensor said afterwards, in the documented polarity.
        door: DoorReading,
        /// Whether something is inside, where the answer says so.
        item: Option<bool>,
    },
    /// To [`Command::UnlockAll`].
    AllUnlocked,
    /// To [`Command::ReadDoor`].
    Door {
        /// Which lock.
        channel: Channel,
        /// What its sensor says, in the documented polarity.
        door: DoorReading,
    },
    /// To [`Command::ReadAll`].
    State(BoardState),
    /// To [`Command::SetReports`].
    ReportsSet(bool),
    /// To [`Command::ReadVersion`]: two bytes, meaning as the vendor likes.
    Version([u8; 2]),
    /// To [`Command::AllOff`].
    AllOff,
    /// To [`Command::Handshake`]: the step was taken, and [`crate::Codec::owes`] says what comes next.
    Handshake,
    /// Said unasked: a door may have changed. To be proven with a read.
    Unasked {
        /// Which lock.
        channel: Channel,
        /// What the board claims, in the documented polarity.
        door: DoorReading,
    },
}

/// Whether a board took an order to unlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnlockResult {
    /// Taken: the lock was given its pulse.
    Taken,
    /// The board says that it failed.
    Failed,
    /// The board refuses, for example because the lock is cooling down.
    Refused,
}

impl Answer {
    /// Whether this answers `request`: same board, same channel, same command.
    ///
    /// Sequence numbers and what an answer without checksum has to repeat are checked by the family's scan.
    #[must_use]
    pub fn answers(&self, request: &Request) -> bool {
        if self.board != request.board {
            return false;
        }
        match (request.command, self.content) {
            (Command::Unlock(asked), Content::Unlocked { channel, .. })
            | (Command::ReadDoor(asked), Content::Door { channel, .. }) => asked == channel,
            (Command::ReadAll { channels }, Content::State(state)) => channels == state.channels,
            (Command::SetReports(asked), Content::ReportsSet(set)) => asked == set,
            (Command::UnlockAll, Content::AllUnlocked)
            | (Command::ReadVersion, Content::Version(_))
            | (Command::AllOff, Content::AllOff)
            | (Command::Handshake, Content::Handshake) => true,
            (
                Command::Unlock(_)
                | Command::UnlockAll
                | Command::ReadDoor(_)
                | Command::ReadAll { .. }
                | Command::SetReports(_)
                | Command::ReadVersion
                | Command::AllOff
                | Command::Handshake,
                Content::Unlocked { .. }
                | Content::AllUnlocked
                | Content::Door { .. }
                | Content::State(_)
                | Content::ReportsSet(_)
                | Content::Version(_)
                | Content::AllOff
                | Content::Handshake
                | Content::Unasked { .. },
            ) => false,
        }
    }
}
