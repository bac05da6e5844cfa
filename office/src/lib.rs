//! The hub: the other end of every cabinet.

pub mod certificates;
pub mod clock;
pub mod database;
pub mod documents;
pub mod hub;
pub mod intake;
pub mod keys;
pub mod mqtt;
pub mod page;
