//! The hub: the other end of every cabinet.

pub mod certificates;
pub mod keys;
