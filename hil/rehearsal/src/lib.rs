//! The whole system on one machine.

pub mod broker;
mod output;
pub mod processes;
