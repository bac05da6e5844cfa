//! The words that the deciding part and its shells share: a moment, what comes in, what goes out.

use std::collections::BTreeMap;
use std::time::Duration;

use office_protocol::document::DocumentName;
use office_protocol::event::{Damage, KeyOrigin, TamperSource, Wiring};
use office_protocol::state::BoardRefusal;
use office_protocol::{
    BoardId, CompartmentId, KeyId, PortName, Reply, SealedPart, Seq, Signed, StaffId, Start, Timestamp, Tip,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::label::BoardLabel;
use super::screen::Tap;

/// A time on a clock that never goes back and is never set, to the microsecond; counts from an unspecified point. Decisions about people
/// are in milliseconds; a silence on a lock bus is as short as two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(u64);

impl Monotonic {
    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// From microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Whole milliseconds that have passed.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// The first whole millisecond that is not before it.
    pub const fn next_millis(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// Microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// So many milliseconds later.
    pub const fn plus_millis(self, millis: u64) -> Self {
        self.plus_micros(millis.saturating_mul(1000))
    }

    /// So many microseconds later.
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How long until `later`; zero when that has passed.
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }
}

/// Randomness for one step, drawn by the shell.
#[derive(Clone)]
pub struct Dice([u8; 32]);

impl Dice {
    /// From 32 random bytes.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// A generator for this step.
    pub fn generator(&self) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.0)
    }
}

/// Everything that a decision may know of time and chance.
#[derive(Clone)]
pub struct Moment {
    /// For waits and time-outs.
    pub now: Monotonic,
    /// What the wall clock says.
    pub wall: Timestamp,
    /// Whether somebody who knows has set the wall clock.
    pub trusted: bool,
    /// Chance.
    pub dice: Dice,
}

/// What comes in.
#[derive(Debug, Clone)]
pub enum Input {
    /// First input of every start, after the ledger was restored.
    Started(Box<Startup>),
    /// Somebody works at the controller itself, with the daemon stopped: a technician, for as long as the office has named none.
    TechnicianAtMachine {
        /// What the journal calls them.
        staff: StaffId,
    },
    /// A code was read.
    Scanned {
        /// At most 2,000 printable characters.
        text: Box<str>,
    },
    /// Something that was too long or unreadable for a code was read.
    ScanUnreadable,
    /// Somebody touched the screen.
    Tapped(Tap),
    /// A door was read: sent when the reading changed, or as the first after a gap.
    DoorRead {
        /// Which.
        compartment: CompartmentId,
        /// Open or closed.
        open: bool,
        /// The first reading after a start, a port's return or a quarantine.
        first: bool,
    },
    /// An item sensor was read.
    ItemRead {
        /// Which.
        compartment: CompartmentId,
        /// Something is inside.
        present: bool,
    },
    /// How a pulse went.
    UnlockAnswered {
        /// The pulse: the number of its `unlock-begun` event.
        unlock: Seq,
        /// How.
        outcome: UnlockOutcome,
    },
    /// A lock board stopped answering.
    BoardLost {
        /// Which.
        board: BoardId,
    },
    /// A lock board answers again, or for the first time.
    BoardFound {
        /// Which.
        board: BoardId,
    },
    /// A lock board agreed on a new key: to be on disk before it is used.
    BoardKeyAgreed {
        /// Which.
        board: BoardId,
        /// The key's public name.
        key: KeyId,
        /// How it came about.
        by: KeyOrigin,
    },
    /// A lock board uses its new key.
    BoardKeyInstalled {
        /// Which.
        board: BoardId,
        /// The key's public name.
        key: KeyId,
    },
    /// A lock board got no new key.
    BoardKeyRefused {
        /// Which.
        board: BoardId,
        /// Why not.
        problem: KeyProblem,
    },
    /// A lock bus's port is gone.
    PortLost {
        /// Which.
        port: PortName,
    },
    /// A lock bus's port is back, or there for the first time.
    PortFound {
        /// Which.
        port: PortName,
    },
    /// A scanner is gone.
    PeripheralLost {
        /// Its port.
        port: PortName,
    },
    /// A scanner is back, or there for the first time.
    PeripheralFound {
        /// Its port.
        port: PortName,
    },
    /// Two boards answer at the address of one.
    AddressShared {
        /// Whose address.
        board: BoardId,
        /// On which port.
        port: PortName,
        /// The address on their switches.
        address: u8,
    },
    /// One board is alone at its address again.
    AddressAlone {
        /// Which.
        board: BoardId,
    },
    /// A lock port's echo is not as its setting says: no acknowledgement there is believed.
    EchoWrong {
        /// Which port.
        port: PortName,
        /// Whether the line hands back what is sent.
        echoes: bool,
    },
    /// It is as its setting says, after it was not.
    EchoRight {
        /// Which port.
        port: PortName,
    },
    /// A secure lock board that counts as lost says why it will not talk.
    BoardRefused {
        /// Which.
        board: BoardId,
        /// Why.
        why: BoardRefusal,
    },
    /// The case was opened or shaken.
    Tampered {
        /// What said so.
        source: TamperSource,
    },
    /// Mains power went or came back.
    PowerChanged {
        /// On mains.
        mains: bool,
    },
    /// The connection to the office came or went.
    LinkChanged {
        /// There now.
        online: bool,
    },
    /// The office's database has committed everything up to here.
    Acknowledged {
        /// The last of those events.
        tip: Tip,
    },
    /// A message of the office that its signature does not fit; already dropped.
    ForgerySeen,
    /// A command came in; not yet verified.
    CommandReceived(Signed),
    /// A document came in; not yet verified.
    DocumentReceived {
        /// Which.
        name: DocumentName,
        /// The bytes.
        signed: Signed,
    },
    /// The settings say now which locks were found behind which doors, or why not.
    WiringWritten(Result<(), Unwritten>),
    /// Where a commissioning report is kept, or why it is not.
    ReportKept(Result<Box<str>, Unwritten>),
    /// The disk's room changed.
    SpaceChanged(Space),
    /// The time that `next_deadline` named has come.
    DeadlineReached,
}

/// What is known at a start.
#[derive(Debug, Clone)]
pub struct Startup {
    /// Random, new at every start.
    pub start: Start,
    /// The daemon's version.
    pub version: Box<str>,
    /// What opening the journal had to cut or could not read.
    pub damage: Option<Damage>,
    /// Compartments that the cut events had touched.
    pub touched: Vec<CompartmentId>,
    /// The documents that lie on disk, verified anew.
    pub documents: Vec<(DocumentName, Signed)>,
}

/// How much room the disk has, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Space {
    /// Enough.
    #[default]
    Plenty,
    /// Drop-offs are refused; what is inside can be collected.
    Low,
    /// Also no diagnostics are written: the reserve is for collections.
    Reserve,
}

/// Why a file is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwritten {
    /// Nobody has the right to write there, or the file system is read-only.
    Protected {
        /// Where.
        path: Box<str>,
    },
    /// The settings have a mistake, or are written in a way that cannot be changed by itself.
    Unusable {
        /// Where and which.
        problem: Box<str>,
    },
    /// The disk failed.
    Failed {
        /// Where and how.
        problem: Box<str>,
    },
}

/// Why a board got no new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// It gives no genuine answer: it is not there, or the label is another one's.
    Silent,
    /// The label is of another board than the one that answers.
    OtherBoard,
    /// Nobody held its button.
    NotHeld,
    /// The key could not be kept: it was not put in force.
    NotKept,
    /// It has not begun a session with the new key: that one and the one before are kept.
    Unconfirmed,
}

/// How a pulse went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnlockOutcome {
    /// The board says that the lock opened.
    Opened,
    /// The board took the command; whether the lock opened, the door will show.
    Acknowledged,
    /// Sent to a board that says nothing to it by nature; whether the lock opened, the door will show.
    Sent,
    /// The board says that the lock did not open.
    Refused,
    /// Sent, never answered.
    Uncertain,
    /// Too late or no bus: no pulse.
    NotSent,
    /// The lock or its power supply rests after earlier pulses: no pulse, and none before that time.
    Resting {
        /// When it may be pulsed.
        until: Monotonic,
    },
}

/// What goes out, after the step's events are durable.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Pulse one lock, once.
    Unlock {
        /// Which.
        compartment: CompartmentId,
        /// The pulse: the number of its `unlock-begun` event.
        unlock: Seq,
        /// Not sent after this.
        not_after: Monotonic,
    },
    /// Answer a command.
    Reply(Reply),
    /// Keep an authority document: written aside, synced, renamed.
    StoreDocument {
        /// Which.
        name: DocumentName,
        /// Its verified bytes.
        signed: Signed,
    },
    /// Write into the settings which lock was found behind which door: written aside, synced, renamed. Answered with
    /// [`Input::WiringWritten`].
    WriteWiring {
        /// As they were found.
        found: BTreeMap<CompartmentId, Wiring>,
    },
    /// Sign a commissioning report, and keep it as a file of the cabinet. Answered with [`Input::ReportKept`].
    KeepReport {
        /// The file.
        name: String,
        /// What is in it.
        text: String,
    },
    /// Agree with a lock board on a new key, while somebody holds its button. Answered with [`Input::BoardKeyAgreed`], or
    /// [`Input::BoardKeyRefused`].
    InstallBoardKey {
        /// Which.
        board: BoardId,
        /// What stands on its label.
        label: BoardLabel,
    },
    /// The key that a lock board agreed on is journaled: keep it, and put it in force. Answered with [`Input::BoardKeyInstalled`], or
    /// [`Input::BoardKeyRefused`].
    KeepBoardKey {
        /// Whose.
        board: BoardId,
    },
    /// Stop in good order and start again.
    Restart,
}

/// One event as it goes to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number.
    pub seq: Seq,
    /// Its exact bytes.
    pub event: Vec<u8>,
    /// Its sealed parts.
    pub sealed: Vec<SealedPart>,
}

/// What one input led to: events to make durable as one group, then effects to carry out.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// One atomic group; empty for an input that changed nothing durable.
    pub events: Vec<Recorded>,
    /// Only once the group is on disk.
    pub effects: Vec<Effect>,
}
