//! The rehearsal broker: its pure core by messages, its socket by the real client.
#![allow(clippy::unwrap_used)]

mod core;
mod faults;
mod shell;
