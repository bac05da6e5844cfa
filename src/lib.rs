//! The daemon of one self-service document locker: it drives the locks, reads codes, shows the touch screen, and reports every
//! hand-over to the office.
//!
//! # One rule
//!
//! **Decide** (pure) → **make durable** (journal) → **act** (lock, screen, network), in no other order: a solenoid never fires
//! unless the reason is already on disk.
//!
//! # Map
//!
//! | module | what it is |
//! |---|---|
//! | [`cabinet`] | decides; no clock, no dice, no IO: a moment and an input give events and effects |
//! | [`journal`] | the truth on disk: ordered, hash-chained, in groups that are there as a whole or not at all |
//! | [`engine`] | joins the two; the only writer, on its own thread |
//! | [`index`] | recent events by subject; can always be thrown away |
//! | [`documents`] | the office's authority documents as files |
//! | [`boards`] | the lock bus: one exchange at a time, each unlock sent once or not at all |
//! | [`scanner`] | bytes in, codes out |
//! | [`serial`] | ports that are opened again when they are back |
//! | [`kiosk`] | the screens, served on loopback |
//! | [`office_link`] | events up, authority down; moved on only by the office's signed position |
//! | [`catalogue`] | what people can apply for |
//! | [`settings`], [`secrets`], [`clock`] | what the daemon is told, who it is, what time it is |
//! | [`restore`] | a new disk in an old cabinet: the journal from the office's events |
//! | [`daemon`] | starts one task per shell and stops them in order |
//!
//! Arrows point down only: the daemon knows everything, the engine knows cabinet and journal, a shell knows the cabinet's
//! vocabulary and what it was handed, and no shell names another. They talk through bounded channels.
//!
//! # Laws
//!
//! 1. No pulse without a durable cause, none repeated by a restart, none after its `not_after`.
//! 2. Replaying the journal gives the live ledger, wherever a crash fell.
//! 3. A pickup code opens one compartment, and nothing after its collection.
//! 4. An occupied or doubtful compartment is never offered; two consignments never share one.
//! 5. Every event reaches the office's database exactly once and in order; nothing there is contradicted by the cabinet's disk.
//! 6. One exchange on a bus at a time; no board starves another.
//! 7. Every queue, session and retry is bounded, and what happens at the bound is stated.
//! 8. The same seed and the same program give the same trace.
//! 9. A forged, altered, replayed, reordered or late message changes nothing but a counter and an alarm.
//! 10. Nobody at the screen, and no broken sensor, keeps the next person from being served.

use std::ffi::OsString;
use std::process::ExitCode;

pub mod boards;
mod bus_command;
pub mod cabinet;
pub mod catalogue;
pub mod clock;
mod command_line;
mod commission;
pub mod daemon;
pub mod documents;
pub mod engine;
pub mod index;
pub mod journal;
pub mod kiosk;
pub mod office_link;
pub mod restore;
pub mod scanner;
pub mod secrets;
pub mod serial;
pub mod settings;

/// The whole program; `arguments` begin with its name.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    command_line::run(arguments)
}
