//! The daemon of one self-service document locker.

pub mod cabinet;
pub mod journal;
