//! The daemon of one self-service document locker.

pub mod boards;
pub mod cabinet;
pub mod catalogue;
pub mod documents;
pub mod engine;
pub mod journal;
pub mod scanner;
pub mod serial;
