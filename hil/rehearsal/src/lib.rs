//! The whole system on one machine.

pub mod bench;
pub mod broker;
pub mod disk;
mod output;
pub mod processes;
pub mod simulation;
