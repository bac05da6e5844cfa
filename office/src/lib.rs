//! The hub: the other end of every cabinet.
//!
//! What cabinets send is judged ([`intake`], pure), committed ([`database`]) and only then answered ([`hub`]), over the broker ([`mqtt`]).
//! [`server`] serves the [`api`] and the operators' page ([`console`]); [`webhooks`] tell other systems of hand-overs.

pub mod api;
pub mod certificates;
pub mod clients;
pub mod clock;
pub mod command_line;
pub mod console;
pub mod database;
pub mod documents;
pub mod history;
pub mod hub;
pub mod intake;
pub mod issuing;
pub mod keys;
pub mod limits;
mod log;
pub mod mqtt;
pub mod page;
pub mod qr;
pub mod revoked;
pub mod run;
pub mod secrets;
pub mod server;
pub mod settings;
pub mod webhooks;

pub use command_line::main;
