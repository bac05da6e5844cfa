//! Our own family: authenticated both ways, for boards whose firmware is ours.
//!
//! The README of this package is the specification. In short: packets between zero bytes; a session from a key
//! that only one board and its controller have and that never goes over the bus; ChaCha20-Poly1305 with 64-bit
//! counters; nothing that opens a door in clear, no default key, and a new key only while the button on the
//! board is held or by way of the old key.
//!
//! - [`Controller`]: one line's sessions, for the daemon.
//! - [`Responder`]: one board, for firmware and simulator.
//! - [`Secure`]: both as one [`Codec`], so that the family is one among the others.

mod content;
mod controller;
mod key;
mod packet;
mod peer;
mod responder;

pub use content::{Offer, Sensors, Serial, VERSION};
pub use controller::{BOARDS_MAX, Controller, DOUBT_MS, Refusal};
pub use key::{Key, KeyId, Keys, Nonce};
pub use responder::{INSTALLATION_MS, Nameplate, Responder, SESSION_MS, VERSIONS};

use crate::accumulator::Scan;
use crate::family::{Codec, Profile, Station, Unsupported};
use crate::frame::Frame;
use crate::words::{Answer, Board, Command, Request};

use packet::{Cut, FRAMING, GREETING, HEADER, Kind, TAG, cut};

/// What somebody without a key sees of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The board that it is from or to.
    pub board: Board,
    /// What it is for, as the specification calls it.
    pub kind: &'static str,
    /// In a refusal, the board's number: in clear, so anybody may have said it.
    pub serial: Option<Serial>,
}

/// Looks at the packet at the first byte, without any key.
#[must_use]
pub fn see(bytes: &[u8], ended: bool) -> Scan<Seen> {
    match cut(bytes, ended) {
        Cut::Incomplete => Scan::Incomplete,
        Cut::Rubbish { length } => Scan::Rubbish { length },
        Cut::Packet { length, packet } => match packet.header() {
            Some((board, kind)) => {
                let serial = packet.get(HEADER + 1..).filter(|_| kind == Kind::Refusal);
                let content = Seen {
                    board,
                    kind: kind.name(),
                    serial: serial.and_then(<[u8]>::first_chunk).copied(),
                };
                Scan::Frame { length, content }
            }
            None => Scan::Rubbish { length: length - 1 },
        },
    }
}

/// The codec of the family: a controller's end, and a board's where one was given.
#[derive(Clone, Debug, Default)]
pub struct Secure {
    /// The sessions with the line's boards.
    pub controller: Controller,
    /// The board, on a board.
    pub responder: Option<Responder>,
}

impl Secure {
    /// Knows no board and is none.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            controller: Controller::new(),
            responder: None,
        }
    }
}

impl Codec for Secure {
    fn profile(&self) -> Profile {
        Profile {
            baud: Some(115_200),
            boards: (1, 254),
            reply_typical_ms: 25,
            reply_limit_ms: 250,
            unlock_limit_ms: 500,
            silence_ms: 20,
            unlock_bytes: (FRAMING + responder::REQUEST_HEADER + content::UNLOCK_LENGTH + TAG) as u8,
            packed_unknown: true,
            items: true,
            tamper: true,
            power: true,
            protected: true,
            ..Profile::PLAIN
        }
    }

    fn owes(&self, board: Board, silent_ms: u64) -> Option<Command> {
        self.controller.owes(board, silent_ms)
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        self.controller.encode(request, frame)
    }

    fn answer_length(&self, request: &Request) -> usize {
        let sealed = |plain: usize| FRAMING + HEADER + plain + TAG;
        match request.command {
            Command::Unlock(_) => sealed(5),
            Command::ReadDoor(_) | Command::ReadVersion => sealed(3),
            Command::ReadAll { channels } => sealed(3 + 3 * content::map_bytes(channels)),
            Command::Handshake => FRAMING + GREETING + Offer::LENGTH + TAG,
            Command::UnlockAll | Command::SetReports(_) | Command::AllOff => 0,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], _expecting: Option<&Request>, ended: bool) -> Scan<Answer> {
        self.controller.scan(bytes, ended)
    }

    fn scan_request(&mut self, bytes: &[u8], _station: Station, ended: bool) -> Scan<Request> {
        match &mut self.responder {
            Some(responder) => responder.scan(bytes, ended),
            None => Scan::Rubbish {
                length: bytes.len().max(1),
            },
        }
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let responder = self.responder.as_mut().ok_or(Unsupported)?;
        responder.encode(answer, frame)
    }
}
