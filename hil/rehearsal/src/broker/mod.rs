//! A small MQTT 5 broker for the demo and for hostile tests; no product binary contains it.
//!
//! [`Broker`] is pure and speaks in messages, so that a simulation drives it in memory: `handle` takes what a
//! client or a troublemaker does and answers what is to be done on which connection, `next_deadline` says when
//! to come back. [`Server`] puts it on a loopback socket with rumqttc's codec.

mod command;
mod core;
mod delivery;
mod faults;
mod limits;
mod message;
mod retained;
mod server;
mod session;
mod topics;
mod view;
mod wire;

pub use self::core::{Broker, Input, Output};
pub use command::{Arguments, run};
pub use faults::{Faults, Memory, Misdeed, PerMille};
pub use limits::Limits;
pub use message::{
    Answer, Connect, ConnectionId, Ending, Message, PacketId, Published, Quality, Refusal, Request,
    RetainedOnSubscribe, Subscription,
};
pub use server::{Control, Server, ServerError};
pub use view::{ClientView, Counters, View};
