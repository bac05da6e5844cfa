//! What sealed parts say: a code, then its bytes. What follows the bytes that are known is ignored.

use crate::words::{BoardState, Channel, Command, Content, DoorMap, DoorReading, UnlockResult};

use super::key::Nonce;
use super::packet::Packet;

/// The only version of what is said inside a session so far.
pub const VERSION: u8 = 1;

const BEGIN: u8 = 0x01;
const UNLOCK: u8 = 0x02;
/// The bytes of an unlock: its code and the channel.
pub(super) const UNLOCK_LENGTH: usize = 2;
const READ_DOOR: u8 = 0x03;
const READ_ALL: u8 = 0x04;
const READ_VERSION: u8 = 0x05;
const NEW_KEY: u8 = 0x06;
/// An answer's code is its request's with this bit.
const ANSWER: u8 = 0x80;

/// Flags of a board's state.
const ITEMS: u8 = 0x01;
const TAMPER_KNOWN: u8 = 0x02;
const TAMPERED: u8 = 0x04;
const SHOCK_KNOWN: u8 = 0x08;
const SHAKEN: u8 = 0x10;
const SUPPLY_KNOWN: u8 = 0x20;
const ON_MAINS: u8 = 0x40;

/// Bits of what a board has besides doors.
const HAS_ITEMS: u8 = 0x01;
const HAS_TAMPER: u8 = 0x02;
const HAS_SHOCK: u8 = 0x04;
const HAS_SUPPLY: u8 = 0x08;

/// The number that a board was made with.
pub type Serial = [u8; 8];

/// What a board can tell besides its doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sensors {
    /// Whether something lies in a compartment.
    pub items: bool,
    /// Whether its case is open.
    pub tamper: bool,
    /// Whether it is shaken.
    pub shock: bool,
    /// Whether it is fed by the mains or by a battery.
    pub supply: bool,
}

impl Sensors {
    const fn byte(self) -> u8 {
        flag(self.items, HAS_ITEMS)
            | flag(self.tamper, HAS_TAMPER)
            | flag(self.shock, HAS_SHOCK)
            | flag(self.supply, HAS_SUPPLY)
    }

    const fn of(byte: u8) -> Self {
        Self {
            items: byte & HAS_ITEMS != 0,
            tamper: byte & HAS_TAMPER != 0,
            shock: byte & HAS_SHOCK != 0,
            supply: byte & HAS_SUPPLY != 0,
        }
    }
}

/// What a board says of itself when a session is set up: sealed, so that nobody can make it say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The lowest and highest version that it speaks inside a session.
    pub versions: (u8, u8),
    /// How many locks it has.
    pub channels: u8,
    /// What it has besides.
    pub sensors: Sensors,
    /// Its firmware, as its maker counts.
    pub firmware: [u8; 2],
    /// The number that it was made with.
    pub serial: Serial,
}

impl Offer {
    /// Its bytes.
    pub(super) const LENGTH: usize = 14;

    pub(super) fn put(&self, plain: &mut Packet) {
        let (lowest, highest) = self.versions;
        plain.extend(&[lowest, highest, self.channels, self.sensors.byte()]);
        plain.extend(&self.firmware);
        plain.extend(&self.serial);
    }

    pub(super) fn of(plain: &[u8]) -> Option<Self> {
        let ([lowest, highest, channels, sensors, major, minor], rest) = plain.split_first_chunk()?;
        Some(Self {
            versions: (*lowest, *highest),
            channels: *channels,
            sensors: Sensors::of(*sensors),
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
                item,
            }) => plain.extend(&[
                ANSWER | UNLOCK,
                channel.number(),
                result_byte(result),
                door_byte(door),
                item_byte(item),
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
            (UNLOCK, [number, result, door, item, ..]) => Self::Content(Content::Unlocked {
                channel: Channel::new(*number)?,
                result: result_of(*result)?,
                door: door_of(*door)?,
                item: item_of(*item)?,
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
        | flag(state.tampered == Some(true), TAMPERED)
        | flag(state.shaken.is_some(), SHOCK_KNOWN)
        | flag(state.shaken == Some(true), SHAKEN)
        | flag(state.mains.is_some(), SUPPLY_KNOWN)
        | flag(state.mains == Some(true), ON_MAINS);
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
        tampered: told(*flags, TAMPER_KNOWN, TAMPERED),
        shaken: told(*flags, SHOCK_KNOWN, SHAKEN),
        mains: told(*flags, SUPPLY_KNOWN, ON_MAINS),
    })
}

fn told(flags: u8, known: u8, is: u8) -> Option<bool> {
    (flags & known != 0).then_some(flags & is != 0)
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

const fn item_byte(item: Option<bool>) -> u8 {
    match item {
        Some(false) => 0,
        Some(true) => 1,
        None => 2,
    }
}

/// None for a byte that has no meaning.
const fn item_of(byte: u8) -> Option<Option<bool>> {
    match byte {
        0 => Some(Some(false)),
        1 => Some(Some(true)),
        2 => Some(None),
        _ => None,
    }
}
