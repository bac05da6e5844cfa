//! What goes over the wire: packets between zero bytes, their kinds, and sealed parts.

use core::ops::Deref;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};

use crate::frame::Frame;
use crate::words::Board;

use super::key::{Key, Nonce};

/// The longest packet, before it is stuffed.
pub(super) const PACKET_MAX: usize = 64;
/// The longest packet, stuffed.
const STUFFED_MAX: usize = PACKET_MAX + 1;
/// What a frame adds to its packet: a zero byte at either end, and one byte of stuffing.
pub(super) const FRAMING: usize = 3;
/// The bytes that prove a sealed part.
pub(super) const TAG: usize = 16;
/// Address and kind.
pub(super) const HEADER: usize = 2;
/// Address, kind and the sender's nonce.
pub(super) const GREETING: usize = HEADER + 16;

/// What a packet is for. The highest bit says who sent it, so that nobody's words can be given back to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hello = 0x01,
    Request = 0x03,
    InstallHello = 0x04,
    InstallCommit = 0x05,
    Welcome = 0x81,
    Refusal = 0x82,
    Answer = 0x83,
    InstallWelcome = 0x84,
    Installed = 0x85,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Hello,
        Self::Request,
        Self::InstallHello,
        Self::InstallCommit,
        Self::Welcome,
        Self::Refusal,
        Self::Answer,
        Self::InstallWelcome,
        Self::Installed,
    ];

    /// As the specification calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Request => "request",
            Self::InstallHello => "install hello",
            Self::InstallCommit => "install commit",
            Self::Welcome => "welcome",
            Self::Refusal => "refusal",
            Self::Answer => "answer",
            Self::InstallWelcome => "install welcome",
            Self::Installed => "installed",
        }
    }

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The bytes of one packet, or of what it holds. What does not fit is cut: no packet of ours is that long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    bytes: [u8; PACKET_MAX],
    length: usize,
}

impl Packet {
    pub(super) const fn empty() -> Self {
        Self {
            bytes: [0; PACKET_MAX],
            length: 0,
        }
    }

    pub(super) fn new(board: Board, kind: Kind) -> Self {
        Self::of(&[board.0, kind as u8])
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut packet = Self::empty();
        packet.extend(bytes);
        packet
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(PACKET_MAX - self.length);
        self.bytes[self.length..self.length + taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
    }

    /// Address and kind; none for what is no packet of this protocol.
    pub(super) fn header(&self) -> Option<(Board, Kind)> {
        match **self {
            [board, kind, ..] => Some((Board(board), Kind::of(kind)?)),
            _ => None,
        }
    }

    /// The nonce behind the header.
    pub(super) fn nonce(&self) -> Option<Nonce> {
        self.get(HEADER..GREETING)?.try_into().ok()
    }

    /// Appends `plain`, sealed; everything before it is bound to it.
    pub(super) fn seal(&mut self, key: &Key, kind: Kind, counter: u64, plain: &[u8]) {
        let head = *self;
        let mut text = Self::of(plain);
        let length = text.length;
        let cipher = ChaCha20Poly1305::new(key.bytes().into());
        let buffer = (&mut text.bytes[..length]).into();
        // Fails only beyond 256 GB.
        if let Ok(tag) = cipher.encrypt_inout_detached(&nonce(kind, counter).into(), &head, buffer) {
            self.extend(&text);
            self.extend(&tag);
        }
    }

    /// What is sealed behind the first `head` bytes; none unless all of it is genuine.
    pub(super) fn open(&self, key: &Key, kind: Kind, counter: u64, head: usize) -> Option<Self> {
        let (head, sealed) = self.split_at_checked(head)?;
        let (text, tag) = sealed.split_last_chunk::<TAG>()?;
        let mut plain = Self::of(text);
        let length = plain.length;
        let cipher = ChaCha20Poly1305::new(key.bytes().into());
        let buffer = (&mut plain.bytes[..length]).into();
        let nonce = nonce(kind, counter).into();
        cipher
            .decrypt_inout_detached(&nonce, head, buffer, tag.into())
            .ok()?;
        Some(plain)
    }

    /// Appends the packet's frame.
    pub(super) fn put(&self, frame: &mut Frame) {
        let mut stuffed = [0; STUFFED_MAX];
        if let Ok(length) = cobs::try_encode(self, &mut stuffed) {
            frame.push(0);
            frame.extend(&stuffed[..length]);
            frame.push(0);
        }
    }
}

impl Deref for Packet {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Never twice the same under one key: each kind counts for itself.
fn nonce(kind: Kind, counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = kind as u8;
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

/// What begins at the first byte of what a line brought.
#[derive(Debug)]
pub(super) enum Cut {
    Incomplete,
    Rubbish { length: usize },
    Packet { length: usize, packet: Packet },
}

/// Looks for a packet. `ended` says that no more bytes will come.
pub(super) fn cut(bytes: &[u8], ended: bool) -> Cut {
    let all = bytes.len();
    let Some(start) = bytes.iter().position(|byte| *byte != 0) else {
        return match all {
            0 | 1 => Cut::Incomplete,
            _ => Cut::Rubbish { length: all - 1 },
        };
    };
    let stuffed = &bytes[start..];
    let Some(length) = stuffed.iter().position(|byte| *byte == 0) else {
        return if ended || stuffed.len() > STUFFED_MAX {
            Cut::Rubbish { length: all }
        } else {
            Cut::Incomplete
        };
    };
    let mut plain = [0; PACKET_MAX];
    match cobs::decode(&stuffed[..length], &mut plain) {
        Ok(report) if length <= STUFFED_MAX => Cut::Packet {
            length: start + length + 1,
            packet: Packet::of(plain.get(..report.frame_size()).unwrap_or_default()),
        },
        // The zero at its end may be the one before the next.
        Ok(_) | Err(_) => Cut::Rubbish {
            length: start + length,
        },
    }
}
