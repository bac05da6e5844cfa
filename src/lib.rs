//! The daemon of one self-service document locker.

pub mod boards;
pub mod cabinet;
pub mod catalogue;
pub mod clock;
pub mod documents;
pub mod engine;
pub mod index;
pub mod journal;
pub mod kiosk;
pub mod office_link;
pub mod scanner;
pub mod secrets;
pub mod serial;
pub mod settings;
