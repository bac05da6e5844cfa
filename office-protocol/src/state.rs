//! `state`: what stands in a cabinet now. A snapshot, never deltas; for the operators' page, decided on by nobody.

use serde::{Deserialize, Serialize};

use crate::event::{Alarm, Size};
use crate::ids::{BoardId, CompartmentId, PortName, Seq, Start};
use crate::time::Timestamp;

/// Signed with [`crate::Purpose::State`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CabinetState {
    /// Which start of the daemon.
    pub start: Start,
    /// As of this event.
    pub seq: Seq,
    /// When.
    pub time: Timestamp,
    /// Every compartment.
    pub compartments: Vec<CompartmentState>,
    /// Every lock board.
    pub boards: Vec<BoardState>,
    /// Ports that are gone.
    pub ports_lost: Vec<PortName>,
    /// Alarms that stand.
    pub alarms: Vec<StandingAlarm>,
}

/// One compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompartmentState {
    /// Which.
    pub id: CompartmentId,
    /// How large.
    pub size: Size,
    /// What it holds.
    pub occupancy: Occupancy,
    /// The last reading; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// Out of service.
    pub withdrawn: bool,
}

/// What a compartment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occupancy {
    /// Nothing.
    Free,
    /// A visit runs.
    InUse,
    /// A consignment towards the office.
    Inbound,
    /// A consignment towards a citizen.
    Outbound,
    /// Nobody knows.
    Unconfirmed,
}

/// One lock board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardState {
    /// Which.
    pub id: BoardId,
    /// Whether it answers.
    pub answering: bool,
}

/// An alarm that stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StandingAlarm {
    /// What.
    pub alarm: Alarm,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compartment: Option<CompartmentId>,
}
