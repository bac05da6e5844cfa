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
    /// How the lock ports' wires are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wires: Vec<WireState>,
    /// Whether the mains feed the cabinet (otherwise a battery), where a board tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mains: Option<bool>,
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
    /// Whether the item sensor sees something inside, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<bool>,
    /// Out of service.
    pub withdrawn: bool,
    /// Nobody has shown yet that its lock opens its door: nothing is put in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
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
    /// Another board answers at its address as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Why it will not talk, as it says itself, unproven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<BoardRefusal>,
    /// How the exchanges with it have gone since the start of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<BoardTraffic>,
}

/// Why a secure lock board will not talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoardRefusal {
    /// It does not know the cabinet's key.
    UnknownKey,
    /// It and the cabinet speak no version in common.
    NoCommonVersion,
}

/// One lock port's wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireState {
    /// Which port.
    pub port: PortName,
    /// Bytes of noise since the start of the daemon.
    pub noise: u32,
    /// Its echo is not as its setting says; none while nothing has shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_wrong: Option<bool>,
}

/// How the exchanges with one lock board have gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoardTraffic {
    /// Whether its commands are authenticated on the wire.
    pub protected: bool,
    /// Requests sent.
    pub asked: u64,
    /// Answers that fitted.
    pub answered: u64,
    /// Requests that nothing came to in time.
    pub unanswered: u64,
    /// Requests that only rubbish came to.
    pub garbled: u64,
    /// Frames from it that answered nothing.
    pub stray: u64,
    /// What it said unasked.
    pub unasked: u64,
    /// Pulses sent.
    pub pulses: u64,
    /// How long it takes to answer a read, at its slowest of late, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_ms: Option<u64>,
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
