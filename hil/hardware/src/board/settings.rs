//! What a simulated board is, and what can be wrong with it (pure).

use std::time::Duration;

use firmware_protocol::{Board, Channel, Family};

use crate::mechanics::Defect;
use crate::quirk::Quirk;

/// What a board is.
#[derive(Clone, Copy, Debug)]
pub struct BoardSettings {
    /// Which protocol it speaks.
    pub family: Family,
    /// The address on its switch.
    pub address: Board,
    /// How many locks it has.
    pub channels: u8,
    /// How long it takes to begin an answer to a read.
    pub reply: Duration,
    /// How long it takes to begin an answer to an unlock: it reads the door after the bolt has moved.
    pub unlock_reply: Duration,
    /// Whether it answers an unlock, if its family leaves that open.
    pub unlock_answered: bool,
    /// How long it drives a solenoid for one unlock.
    pub pulse: Duration,
    /// How long a lock rests after a pulse: until then the board refuses it.
    pub cool_down: Duration,
    /// Whether it speaks unasked when a door changes.
    pub reports: bool,
    /// Which locks have the other kind of switch (bit 0 is channel 1).
    pub inverted: u64,
    /// What it says otherwise than most of its family.
    pub quirk: Option<Quirk>,
}

impl BoardSettings {
    /// A board as most are: answers reads in 5 ms and unlocks in its family's time, wired as documented, refuses
    /// nothing, silent unless asked.
    #[must_use]
    pub fn new(family: Family, address: Board, channels: u8) -> Self {
        Self {
            family,
            address,
            channels,
            reply: Duration::from_millis(5),
            unlock_reply: Duration::from_millis(family.profile().unlock_typical_ms.into()),
            unlock_answered: true,
            pulse: Duration::from_millis(family.profile().pulse_ms.into()),
            cool_down: Duration::ZERO,
            reports: false,
            inverted: 0,
            quirk: None,
        }
    }
}

/// What can be wrong with a board, until it is set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardFault {
    /// Hears and pulses, but never answers.
    Silent(bool),
    /// Answers this much later than it should.
    Late(Duration),
    /// Flips a bit in this share of its answers, in percent.
    Garbled(u8),
    /// Hears nothing more once it has heard noise, until it restarts.
    Clogging(bool),
    /// Restarts: deaf for this long, and forgets what it owed.
    Rebooting(Duration),
    /// Something is wrong with one compartment.
    Lock(Channel, Defect, bool),
    /// The contact of its case is open.
    CaseOpen(bool),
    /// It is shaken.
    Shaken(bool),
    /// The mains have failed and a battery feeds it.
    OnBattery(bool),
}
