//! The whole system on one machine.

pub mod approval;
pub mod attack;
pub mod bench;
pub mod broker;
pub mod commissioning;
pub mod constant_time;
pub mod crashes;
pub mod demo;
pub mod disk;
pub mod finger;
mod output;
pub mod processes;
pub mod secrecy;
pub mod simulation;
pub mod site;
