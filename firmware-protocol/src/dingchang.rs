//! Dingchang DC, 12 and 24 locks: `DC 02` asks, `DC FE` answers, a sum at the end; here 1 means open.
//!
//! Source: the vendor's document. `DC 02 ADDR CMD LEN DATA… SUM`, the sum from ADDR to the last byte of data.
//! Addresses are 1 to 15 (12 locks) or 1 to 99 (24 locks). The document shows the answer to an unlock with one
//! byte (lock) and with two (lock, state): LEN decides. The packed answer has its high byte first; the document
//! shows two bytes, for 12 locks, and three are sent for 24. Its pulse is 150 ms, at 3 A and no more.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, Unsupported, covered};
use crate::frame::{Frame, sum};
use crate::words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

const REQUEST: [u8; 2] = [0xDC, 0x02];
const ANSWER: [u8; 2] = [0xDC, 0xFE];
const UNLOCK: u8 = 0x10;
const READ: u8 = 0x11;
const READ_ALL: u8 = 0x12;
/// Header, address, command, length and checksum.
const AROUND: usize = 6;
/// The most data that a frame has.
const DATA_MAX: usize = 8;

/// How many locks the boards have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ways {
    /// 12 locks, addresses to 15.
    Twelve,
    /// 24 locks, addresses to 99.
    TwentyFour,
}

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dingchang {
    ways: Ways,
}

impl Dingchang {
    /// A codec for boards of this size.
    #[must_use]
    pub const fn new(ways: Ways) -> Self {
        Self { ways }
    }

    const fn state_bytes(self) -> usize {
        match self.ways {
            Ways::Twelve => 2,
            Ways::TwentyFour => 3,
        }
    }
}

const fn door(byte: u8) -> Option<DoorReading> {
    match byte {
        0 => Some(DoorReading::Closed),
        1 => Some(DoorReading::Open),
        _ => None,
    }
}

const fn byte(door: DoorReading) -> u8 {
    match door {
        DoorReading::Closed | DoorReading::Unknown => 0,
        DoorReading::Open => 1,
    }
}

fn cut<'a>(bytes: &'a [u8], header: &[u8]) -> Cut<'a> {
    let length = bytes.get(4).map(|data| match usize::from(*data) {
        data if data <= DATA_MAX => AROUND + data,
        _ => 0,
    });
    Cut::new(bytes, header, length, |frame| {
        matches!(frame, [_, _, summed @ .., last] if sum(summed) == *last) && frame[2] != 0
    })
}

/// Address, command and data of a whole frame.
fn parts(frame: &[u8]) -> Option<(Board, u8, &[u8])> {
    Some((
        Board(*frame.get(2)?),
        *frame.get(3)?,
        frame.get(5..frame.len() - 1)?,
    ))
}

fn state(bytes: &[u8], channels: u8) -> BoardState {
    let known = Channel::bits(channels);
    let open = bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    BoardState {
        channels,
        doors: DoorMap {
            known,
            open: open & known,
        },
        ..BoardState::default()
    }
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let (board, command, data) = parts(frame)?;
    let unlocked = |lock: u8, door: DoorReading| {
        Some(Content::Unlocked {
            channel: Channel::new(lock)?,
            result: UnlockResult::Taken,
            door,
            item: None,
        })
    };
    let content = match (command, data) {
        (UNLOCK, [lock]) => unlocked(*lock, DoorReading::Unknown)?,
        (UNLOCK, [lock, reading]) => unlocked(*lock, door(*reading)?)?,
        (READ, [lock, reading]) => Content::Door {
            channel: Channel::new(*lock)?,
            door: door(*reading)?,
        },
        (READ_ALL, states @ [_, ..]) => {
            let has = u8::try_from(states.len() * 8).ok()?;
            Content::State(state(states, covered(expecting, board, has)))
        }
        _ => return None,
    };
    Some(Answer {
        board,
        sequence: 0,
        content,
    })
}

fn put(frame: &mut Frame, header: [u8; 2], board: Board, command: u8, data: &[u8]) {
    frame.extend(&header);
    frame.extend(&[board.0, command, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
    frame.extend(data);
    frame.push(sum(&frame[header.len()..]));
}

impl Codec for Dingchang {
    fn profile(&self) -> Profile {
        let (last, channels_max) = match self.ways {
            Ways::Twelve => (15, 12),
            Ways::TwentyFour => (99, 24),
        };
        Profile {
            boards: (1, last),
            channels_max,
            unlock_bytes: AROUND as u8 + 1,
            pulse_ms: 150,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let lock;
        let (command, data): (u8, &[u8]) = match request.command {
            Command::Unlock(channel) => {
                lock = [channel.number()];
                (UNLOCK, &lock)
            }
            Command::ReadDoor(channel) => {
                lock = [channel.number()];
                (READ, &lock)
            }
            Command::ReadAll { .. } => (READ_ALL, &[]),
            Command::UnlockAll
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => {
                return Err(Unsupported);
            }
        };
        put(frame, REQUEST, request.board, command, data);
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { .. } => AROUND + self.state_bytes(),
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => AROUND + 2,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        cut(bytes, &ANSWER).read(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        cut(bytes, &REQUEST).read(|frame| {
            let (board, command, data) = parts(frame)?;
            let command = match (command, data) {
                (UNLOCK, [lock]) => Command::Unlock(Channel::new(*lock)?),
                (READ, [lock]) => Command::ReadDoor(Channel::new(*lock)?),
                (READ_ALL, []) => Command::ReadAll {
                    channels: station.channels,
                },
                _ => return None,
            };
            Some(Request {
                board,
                sequence: 0,
                command,
            })
        })
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let mut data = Frame::new();
        let command = match answer.content {
            Content::Unlocked {
                channel,
                result: UnlockResult::Taken,
                door,
                item: _,
            } => {
                data.push(channel.number());
                if door != DoorReading::Unknown {
                    data.push(byte(door));
                }
                UNLOCK
            }
            Content::Door { channel, door } => {
                data.extend(&[channel.number(), byte(door)]);
                READ
            }
            Content::State(state) => {
                for group in (0..self.state_bytes()).rev() {
                    data.push(state.doors.open.to_le_bytes()[group]);
                }
                READ_ALL
            }
            Content::Unlocked {
                result: UnlockResult::Failed | UnlockResult::Refused,
                ..
            }
            | Content::AllUnlocked
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::Handshake
            | Content::AllOff
            | Content::Unasked { .. } => return Err(Unsupported),
        };
        put(frame, ANSWER, answer.board, command, &data);
        Ok(())
    }
}
