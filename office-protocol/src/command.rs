//! Commands of the office to one cabinet, and their replies.

use serde::{Deserialize, Serialize};

use crate::event::WithdrawReason;
use crate::ids::{CompartmentId, ConsignmentId, Seq, StaffId, Start};
use crate::time::Timestamp;

/// Signed with [`crate::Purpose::Command`]. Carried out at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Rises by at least one with every command to this cabinet.
    pub number: u64,
    /// The start that it is meant for: a command never outlives a restart.
    pub start: Start,
    /// When the office gave it.
    pub issued: Timestamp,
    /// At most [`Command::DOOR_LIFETIME_MS`] after `issued` where a door opens.
    pub expires: Timestamp,
    /// The operator who gave it.
    pub operator: StaffId,
    /// What to do.
    pub action: Action,
}

impl Command {
    /// How long a command that opens a door may live.
    pub const DOOR_LIFETIME_MS: i64 = 30_000;
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Open one door, for somebody who stands there.
    Open {
        /// Which.
        compartment: CompartmentId,
    },
    /// Take a compartment out of service.
    Withdraw {
        /// Which.
        compartment: CompartmentId,
        /// Why.
        reason: WithdrawReason,
    },
    /// Put it back into service.
    Return {
        /// Which.
        compartment: CompartmentId,
    },
    /// A new pickup code for a consignment that is still inside.
    ReissueCode {
        /// Which.
        consignment: ConsignmentId,
    },
    /// Lower the time floor after a clock had jumped ahead. Does not expire: the clock is what is wrong.
    CorrectClock {
        /// The new floor.
        floor: Timestamp,
    },
    /// Restart the daemon once nobody is being served.
    RestartWhenIdle,
}

impl Action {
    /// Whether it opens a door.
    pub fn opens_door(&self) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::Withdraw { .. }
            | Self::Return { .. }
            | Self::ReissueCode { .. }
            | Self::CorrectClock { .. }
            | Self::RestartWhenIdle => false,
        }
    }
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Past its time, or living longer than such a command may.
    Expired,
    /// For another start of the daemon.
    OtherStart,
    /// The cabinet's clock cannot be believed, and a door would open.
    ClockUntrusted,
    /// More remote openings than the cabinet allows in an hour.
    TooMany,
    /// No such compartment or consignment here.
    Unknown,
    /// Somebody is using the compartment.
    Busy,
    /// The office's sealing key is missing.
    NoSealingKey,
    /// Given later than now: the clock of the office or of the cabinet is wrong.
    TooEarly,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CommandOutcome {
    /// Done.
    Done,
    /// The door did not open.
    NotOpened,
    /// The daemon restarted before it was known how it ended.
    Interrupted,
    /// Not carried out.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// Signed with [`crate::Purpose::Reply`]; sent again when the command comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The command's number.
    pub number: u64,
    /// The event that made it durable.
    pub seq: Seq,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: CommandOutcome,
}
