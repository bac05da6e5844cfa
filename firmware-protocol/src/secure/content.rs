//! What sealed parts say: a code, then its bytes. What follows the bytes that are known is ignored.

use crate::words::{BoardState, Channel, Command, Content, DoorMap, DoorReading, UnlockResult};

use super::key::Nonce;
use super::packet::Packet;

/// The only version of what is said inside a session so far.
pub const VERSION: u8 = 1;

const BEGIN: u8 = 0x01;
const UNLOCK: u8 = 0x02;
const READ_DOOR: u8 = 0x03;
const READ_ALL: u8 = 0x04;
const READ_VERSION: u8 = 0x05;
const NEW_KEY: u8 = 0x06;
/// An answer's code is its request's with this bit.
const ANSWER: u8 = 0x80;

/// Flags of a board's state; the odd ones say that the board has such a sensor, as they do in its offer.
const ITEMS: u8 = 0x01;
const TAMPER_KNOWN: u8 = 0x02;
const TAMPERED: u8 = 0x04;
/// Whether something is inside, in the answer to an unlock: unknown.
const ITEM_UNKNOWN: u8 = 2;

/// The number that a board was made with.
pub type Serial = [u8; 8];

/// What a board says of itself when a session is set up: sealed, so that nobody can make it say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The lowest and highest version that it speaks inside a session.
    pub versions: (u8, u8),
    /// How many locks it has.
    pub channels: u8,
    /// Whether it has item sensors.
    pub items: bool,
    /// Whether it says that it was tampered with.
    pub tamper: bool,
    /// Its firmware, as its maker counts.
    pub firmware: [u8; 2],
    /// The number that it was made with.
    pub serial: Serial,
}

impl Offer {
    /// Its bytes.
    pub(super) const LENGTH: usize = 14;

    pub(super) fn put(&self, plain: &mut Packet) {
        let features = flag(self.items, ITEMS) | flag(self.tamper, TAMPER_KNOWN);
        let (lowest, highest) = self.versions;
        plain.extend(&[lowest, highest, self.channels, features]);
        plain.extend(&self.firmware);
        plain.extend(&self.serial);
    }

    pub(super) fn of(plain: &[u8]) -> Option<Self> {
        let ([lowest, highest, channels, features, major, minor], rest) = plain.split_first_chunk()?;
        Some(Self {
            versions: (*lowest, *highest),
            channels: *channels,
            items: features & ITEMS != 0,
            tamper: features & TAMPER_KNOWN != 0,
            firmware: [*major, *minor],
            serial: *rest.first_chunk()?,
        })
    }

    pub(super) fn speaks(&self, version: u8) -> bool {
        (self.versions.0..=self.versions.1).contains(&version)
    }
}

/// What a controller asks inside a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Begin, in this version.
    Begin(u8),
    /// What every family can be asked.
    Command(Command),
    /// Agree on a new key; this is the controller's share.
    NewKey(Nonce),
}

impl Asked {
    /// None for what this family has no code for.
    pub(super) fn put(self, plain: &mut Packet) -> Option<()> {
        match self {
            Self::Begin(version) => plain.extend(&[BEGIN, version]),
            Self::Command(Command::Unlock(channel)) => plain.extend(&[UNLOCK, channel.number()]),
            Self::Command(Command::ReadDoor(channel)) => plain.extend(&[READ_DOOR, channel.number()]),
            Self::Command(Command::ReadAll { .. }) => plain.extend(&[READ_ALL]),
            Self::Command(Command::ReadVersion) => plain.extend(&[READ_VERSION]),
            Self::NewKey(share) => {
                plain.extend(&[NEW_KEY]);
                plain.extend(&share);
            }
            Self::Command(
                Command::UnlockAll | Command::SetReports(_) | Command::AllOff | Command::Handshake,
            ) => return None,
        }
        Some(())
    }

    pub(super) fn of(plain: &[u8], channels: u8) -> Option<Self> {
        let channel = |number: u8| Channel::new(number).filter(|channel| channel.number() <= channels);
        Some(match plain {
            [BEGIN, version, ..] => Self::Begin(*version),
            [UNLOCK, number, ..] => Self::Command(Command::Unlock(channel(*number)?)),
            [READ_DOOR, number, ..] => Self::Command(Command::ReadDoor(channel(*number)?)),
            [READ_ALL, ..] => Self::Command(Command::ReadAll { channels }),
            [READ_VERSION, ..] => Self::Command(Command::ReadVersion),
            [NEW_KEY, share @ ..] => Self::NewKey(*share.first_chunk()?),
            _ => return None,
        })
    }
}

/// What a board answers inside a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// Begun, in this version.
    Begin(u8),
    /// What every family can answer.
    Content(Content),
    /// The new key is kept; this is the board's share.
    NewKey(Nonce),
}

impl Answered {
    pub(super) fn put(self, plain: &mut Packet) -> Option<()> {
        match self {
            Self::Begin(version) => plain.extend(&[ANSWER | BEGIN, version]),
            Self::NewKey(share) => {
                plain.extend(&[ANSWER | NEW_KEY]);
                plain.extend(&share);
            }
            Self::Content(Content::Unlocked {
                channel,
                result,
                door,
                item: _,
            }) => plain.extend(&[
                ANSWER | UNLOCK,
                channel.number(),
                result_byte(result),
                door_byte(door),
                ITEM_UNKNOWN,
            ]),
            Self::Content(Content::Door { channel, door }) => {
                plain.extend(&[ANSWER | READ_DOOR, channel.number(), door_byte(door)]);
            }
            Self::Content(Content::State(state)) => put_state(&state, plain),
            Self::Content(Content::Version([major, minor])) => {
                plain.extend(&[ANSWER | READ_VERSION, major, minor]);
            }
            Self::Content(
                Content::AllUnlocked
                | Content::ReportsSet(_)
                | Content::AllOff
                | Content::Handshake
                | Content::Unasked { .. },
            ) => return None,
        }
        Some(())
    }

    pub(super) fn of(plain: &[u8]) -> Option<Self> {
        let (code, rest) = plain.split_first()?;
        Some(match (code ^ ANSWER, rest) {
            (BEGIN, [version, ..]) => Self::Begin(*version),
            (UNLOCK, [number, result, door, ..]) => Self::Content(Content::Unlocked {
                channel: Channel::new(*number)?,
                result: result_of(*result)?,
                door: door_of(*door)?,
                item: None,
            }),
            (READ_DOOR, [number, door, ..]) => Self::Content(Content::Door {
                channel: Channel::new(*number)?,
                door: door_of(*door)?,
            }),
            (READ_ALL, state) => Self::Content(Content::State(state_of(state)?)),
            (READ_VERSION, [major, minor, ..]) => Self::Content(Content::Version([*major, *minor])),
            (NEW_KEY, share) => Self::NewKey(*share.first_chunk()?),
            _ => return None,
        })
    }
}

/// How many bytes a map of so many channels takes.
pub(super) const fn map_bytes(channels: u8) -> usize {
    channels.div_ceil(8) as usize
}

fn put_state(state: &BoardState, plain: &mut Packet) {
    let flags = flag(state.items.is_some(), ITEMS)
        | flag(state.tampered.is_some(), TAMPER_KNOWN)
        | flag(state.tampered == Some(true), TAMPERED);
    plain.extend(&[ANSWER | READ_ALL, state.channels, flags]);
    let bytes = map_bytes(state.channels.min(Channel::MAX));
    plain.extend(&state.doors.known.to_le_bytes()[..bytes]);
    plain.extend(&state.doors.open.to_le_bytes()[..bytes]);
    if let Some(items) = state.items {
        plain.extend(&items.to_le_bytes()[..bytes]);
    }
}

fn state_of(bytes: &[u8]) -> Option<BoardState> {
    let [channels, flags, maps @ ..] = bytes else {
        return None;
    };
    if !(1..=Channel::MAX).contains(channels) {
        return None;
    }
    let all = u64::MAX >> (64 - u32::from(*channels));
    let map = |index: usize| {
        let bytes = map_bytes(*channels);
        let mut wide = [0; 8];
        wide[..bytes].copy_from_slice(maps.get(index * bytes..(index + 1) * bytes)?);
        Some(u64::from_le_bytes(wide) & all)
    };
    let known = map(0)?;
    Some(BoardState {
        channels: *channels,
        doors: DoorMap {
            known,
            open: map(1)? & known,
        },
        items: if flags & ITEMS == 0 { None } else { Some(map(2)?) },
        tampered: (flags & TAMPER_KNOWN != 0).then_some(flags & TAMPERED != 0),
        ..BoardState::default()
    })
}

const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

const fn result_byte(result: UnlockResult) -> u8 {
    match result {
        UnlockResult::Taken => 0,
        UnlockResult::Failed => 1,
        UnlockResult::Refused => 2,
    }
}

const fn result_of(byte: u8) -> Option<UnlockResult> {
    match byte {
        0 => Some(UnlockResult::Taken),
        1 => Some(UnlockResult::Failed),
        2 => Some(UnlockResult::Refused),
        _ => None,
    }
}

const fn door_byte(door: DoorReading) -> u8 {
    match door {
        DoorReading::Closed => 0,
        DoorReading::Open => 1,
        DoorReading::Unknown => 2,
    }
}

const fn door_of(byte: u8) -> Option<DoorReading> {
    match byte {
        0 => Some(DoorReading::Closed),
        1 => Some(DoorReading::Open),
        2 => Some(DoorReading::Unknown),
        _ => None,
    }
}
