//! What the technician's screen says of the commissioning.

use office_protocol::state::BoardRefusal;
use office_protocol::{BoardId, CompartmentId};

use crate::cabinet::vocabulary::{KeyProblem, Unwritten};

/// How far a cabinet's commissioning is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commissioning {
    /// How many doors there are.
    pub doors: usize,
    /// Doors whose lock is not proven, without those that were found to be wired otherwise.
    pub open: Vec<CompartmentId>,
    /// Doors that were found to have another lock, or a switch of the other kind, than the settings say.
    pub rewired: Vec<CompartmentId>,
    /// The lock boards.
    pub boards: Vec<BoardRow>,
    /// What became of writing the wiring into the settings. Once it is written, `Done` ends the session, and the cabinet starts again.
    pub wiring: Option<Writing<()>>,
    /// What became of the signed report.
    pub report: Option<Writing<Box<str>>>,
    /// The lock board that is to get a key, and how far that is.
    pub key: Option<(BoardId, KeyStep)>,
}

/// How far a new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStep {
    /// The label on the board is to be scanned.
    Scan {
        /// Something else was.
        mistaken: bool,
    },
    /// The button on the board is to be held.
    Button,
    /// It is in force.
    Installed,
    /// It is not.
    Failed(KeyProblem),
}

/// One lock board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    /// Which.
    pub board: BoardId,
    /// Commands to it are authenticated on the wire; otherwise anybody at its cable opens its doors.
    pub protected: bool,
    /// It does not answer.
    pub lost: bool,
    /// Why it will not talk, as it says itself, unproven.
    pub refusal: Option<BoardRefusal>,
}

/// What became of a file that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writing<T> {
    /// It is being written.
    Begun,
    /// It is there; where, if that needs to be said.
    Written(T),
    /// It is as it was.
    Not(Unwritten),
}
