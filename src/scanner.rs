//! Code scanners: bytes in, codes out.
//!
//! [`framing`] (pure) cuts the bytes into codes; [`start`] (pure) is what some must be told first; [`task`] (IO) opens the
//! port and tells the engine.

pub mod framing;
pub mod start;
pub mod task;
