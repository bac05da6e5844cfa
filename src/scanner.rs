//! Code scanners: bytes in, codes out.
//!
//! [`framing`] (pure) cuts the bytes into codes; [`task`] (IO) opens the port and tells the engine.

pub mod framing;
pub mod task;
