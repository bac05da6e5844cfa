//! The bytes between a controller and lock boards, without `std` and without allocation, so that the
//! daemon, board firmware and simulated boards share them.
//!
//! # Shape
//!
//! - [`Request`] and [`Answer`] are the words of both ends, the same for every family: boards by the address
//!   on their switch, channels from 1, doors in the polarity that the family's document assumes.
//! - [`Codec`] is one family: bytes from and to these words, at either end, and a [`Profile`] of what its
//!   documents prescribe (speed, reply times, silences, what it can say at all).
//! - [`Accumulator`] holds what the line brought and asks the codec what begins at its first byte. Frames
//!   end by length; silence only tells that an incomplete one will never be whole. What begins no frame is
//!   dropped byte by byte, so noise costs at most the frame that it hit.
//!
//! # Adding a family
//!
//! Write one file with a type that implements [`Codec`], declare it below, and add one line to the list in
//! `family.rs`. Nothing else changes, here or in the daemon. What the shape allows for:
//!
//! - addresses from 0 or 1 ([`Profile::boards`]), channels from 0 or 1 (convert in the codec);
//! - 1 = open or 1 = closed (convert); switches of the other kind are the caller's ([`DoorReading::with`]);
//! - no answer to an unlock, or only by some firmware ([`Profile::unlock_answer`], [`Codec::answer_length`] 0),
//!   answers after the pulse ([`Profile::unlock_limit_ms`]), no single or no packed reads
//!   ([`Profile::reads_one`], [`Profile::reads_all`]);
//! - frames whose length or meaning depends on what was asked, and families without a checksum, whose
//!   answers count only if they fit it (`expecting` in [`Codec::scan_answer`]); whole frames that mean nothing
//!   without a request ([`Scan::Foreign`]);
//! - numbered requests ([`Request::sequence`]), item sensors, tamper, shock and power ([`BoardState`]);
//! - relays that may have been left on ([`Profile::left_on`], [`Command::AllOff`]);
//! - sessions, keys and counters per board: a codec serves one line and may remember, and may want a handshake
//!   before a request ([`Codec::owes`]): [`secure`].
//!
//! # Deliberately absent
//!
//! Clocks, retries, queues and addresses of compartments: these are the bus master's.
#![no_std]

mod accumulator;
pub mod dingchang;
pub mod dongcheng;
pub mod eighty_a;
mod family;
mod frame;
pub mod kerong_cu16;
pub mod kerong_cu48;
pub mod modbus_relay;
pub mod secure;
pub mod winnsen;
pub mod wkly;
mod words;

pub use accumulator::{Accumulator, Scan};
pub use family::{AnyCodec, Codec, Family, Profile, Station, UnlockAnswer, Unsupported};
pub use frame::{FRAME_MAX, Frame, low_first, sum, xor};
pub use words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Polarity, Request,
    UnlockResult,
};
