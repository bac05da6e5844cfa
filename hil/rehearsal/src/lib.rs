//! The whole system on one machine.

pub mod broker;
