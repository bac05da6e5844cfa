//! Simulated lock boards and scanners: the hardware of a cabinet without the hardware.
//!
//! # Shape
//!
//! The core is pure and seeded: no clock, no threads, no files. Time is an argument, counted from any start.
//!
//! - [`Lock`]: one compartment. A pulse releases the bolt and the door springs open; a [`Hand`] closes it,
//!   puts something in, or breaks it open.
//! - [`SimulatedBoard`]: hears requests of any family, drives its locks, answers after its own time.
//! - [`Line`]: boards on one wire. Bytes take ten bit times each, and two who speak at once garble each other.
//! - [`SimulatedScanner`]: says a code, ended its own way.
//!
//! `Line` and `SimulatedScanner` have `handle` and `next_deadline`: a simulation in memory calls them with
//! virtual time ([`Grain::Frames`]), and [`Port`] runs the same values on pseudo-terminals, byte by byte at
//! the configured speed ([`Grain::Bytes`]), under names that survive unplugging. [`Bench`] does what lines of
//! text say, for the demo and for people.
//!
//! A line that heeds speed ([`Line::heeding_speed`]) hears and says what a receiver at another speed makes of it ([`speed`]).
//!
//! # Faults
//!
//! [`BoardFault`] (silent, late, garbled, clogging, rebooting; case open, shaken, on battery), [`Defect`] (stuck door, welded lock, dead sensor, opened by power),
//! [`LineFault`] (echo, noise, somebody at the cable), and the cable itself ([`Port::unplug`]).
//!
//! # At the end of a real cable
//!
//! `hardware emulate` ([`Port::attach`]) plays boards at a serial port, to test a controller that is somebody else's. It is a
//! program of its own, with `hardware check`, because the one that opens real doors holds no simulated boards; `lockerd bus emulate`
//! hands over to it. A secure board's keys are kept in a file meanwhile ([`key_file`]).
//!
//! # Checks
//!
//! [`checks`] is one set of checks for boards, simulated or real: `hardware check FILE`.
//!
//! # Adding a family
//!
//! Add it to `firmware-protocol`: boards here speak through its codec and behave as its profile says (whether and
//! when an unlock is answered, what is told beside doors), so there is nothing to do. What real boards were seen to do otherwise is a
//! [`Quirk`], written down byte for byte.
//!
//! # Deliberately absent
//!
//! Modem lines; and RS-485 direction at pseudo-terminals: they answer `ENOTTY` to both.

mod board;
pub mod checks;
mod control;
pub mod key_file;
mod line;
mod mechanics;
mod pace;
mod port;
mod quirk;
mod scanner;
mod secure;
pub mod speed;
mod terminal;
mod typed;

pub use board::{BoardFault, BoardSettings, SimulatedBoard};
pub use control::{Bench, ControlError, HELP};
pub use line::{Line, LineFault, LineInput, LineView};
pub use mechanics::{Defect, Hand, Lock};
pub use pace::{Grain, Pace};
pub use port::{Device, Ended, Port};
pub use quirk::Quirk;
pub use scanner::{Ending, GM65_ACKNOWLEDGEMENT, GM65_TRIGGER, ScannerInput, SimulatedScanner};
pub use terminal::{PortMode, Terminal, Timer};
pub use typed::{typed, typed_after_an_alias};
