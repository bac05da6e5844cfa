//! The lock bus: which lock is where, one exchange at a time, and what doors and boards say.
//!
//! - [`layout`] (pure): which compartment is which lock of which board on which port.
//! - [`master`] (pure): decides what goes over each port next and what an answer means. Time is an argument;
//!   it has the verbs `handle`, `next_deadline` and `view`.
//! - [`sniffer`] and [`wording`] (pure): what others say on a bus, in words; [`probe`], [`search`] and [`elsewhere`] (IO): one
//!   port used by hand, who answers there, and who answers otherwise than the settings say. All are for the command line.
//! - [`task`] (IO): opens the ports, carries bytes and time to the master and its reports to the engine.
//!
//! The bus never pulses a lock by itself: each [`Work::Unlock`] is sent once or not at all, never so late that its
//! last byte would pass after its `not_after`, and answered exactly once with an outcome.

use office_protocol::{BoardId, CompartmentId, Seq};

use crate::cabinet::label::BoardLabel;
use crate::cabinet::vocabulary::Monotonic;

mod duty;
pub mod elsewhere;
mod health;
pub mod layout;
pub mod master;
pub mod probe;
pub mod search;
pub mod sniffer;
pub mod task;
mod twins;
mod wire;
pub mod wording;

/// What the bus is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Pulse one lock, once.
    Unlock {
        /// Which.
        compartment: CompartmentId,
        /// The pulse: the number of its `unlock-begun` event.
        unlock: Seq,
        /// Not sent if the board cannot have heard all of it by then.
        not_after: Monotonic,
    },
    /// Exactly these compartments have open visits: read their doors as fast as the wire allows.
    Watch(Vec<CompartmentId>),
    /// Agree with a secure board on a new key while its button is held.
    InstallKey {
        /// Which.
        board: BoardId,
        /// What stands on its label.
        label: BoardLabel,
    },
    /// The key that was agreed on is journaled: keep it, and put it in force.
    KeepKey {
        /// Whose.
        board: BoardId,
    },
}
