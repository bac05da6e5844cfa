//! The WKLY family (Yunchuan and others): frames that open with these four letters, an XOR at the end.
//!
//! Source: working public code. `57 4B 4C 59 LEN BOARD CMD DATA… XOR`; LEN counts the whole frame, boards count
//! from 0, locks from 1. Answers begin with a status (00 done, FF failed); a door is 00 open, 01 closed,
//! FF unknown. The most locks of a board and the reply times are in no source: the widest bit map that we
//! have, and the usual patience.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, Unsupported, covered};
use crate::frame::{Frame, xor};
use crate::words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

const HEADER: [u8; 4] = *b"WKLY";
/// Header, length, board, command and checksum.
const AROUND: usize = 8;

const UNLOCK: u8 = 0x82;
const READ: u8 = 0x83;
const READ_ALL: u8 = 0x84;
const REPORT: u8 = 0x85;

const DONE: u8 = 0x00;
const FAILED: u8 = 0xFF;

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Wkly;

const fn door(byte: u8) -> Option<DoorReading> {
    match byte {
        0x00 => Some(DoorReading::Open),
        0x01 => Some(DoorReading::Closed),
        0xFF => Some(DoorReading::Unknown),
        _ => None,
    }
}

const fn byte(door: DoorReading) -> u8 {
    match door {
        DoorReading::Open => 0x00,
        DoorReading::Closed => 0x01,
        DoorReading::Unknown => 0xFF,
    }
}

fn cut(bytes: &[u8]) -> Cut<'_> {
    let length = bytes.get(HEADER.len()).map(|length| {
        let length = usize::from(*length);
        if length < AROUND { 0 } else { length }
    });
    Cut::new(bytes, &HEADER, length, |frame| xor(frame) == 0)
}

/// Board, command and data of a whole frame.
fn parts(frame: &[u8]) -> Option<(Board, u8, &[u8])> {
    Some((
        Board(*frame.get(5)?),
        *frame.get(6)?,
        frame.get(7..frame.len() - 1)?,
    ))
}

fn state(doors: &[u8], channels: u8) -> Option<BoardState> {
    let mut map = DoorMap::default();
    for (channel, byte) in Channel::all(channels).zip(doors) {
        map.set(channel, door(*byte)?);
    }
    Some(BoardState {
        channels,
        doors: map,
        ..BoardState::default()
    })
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let (board, command, data) = parts(frame)?;
    let content = match (command, data) {
        (UNLOCK, [status, lock, reading]) => Content::Unlocked {
            channel: Channel::new(*lock)?,
            result: match *status {
                DONE => UnlockResult::Taken,
                FAILED => UnlockResult::Failed,
                _ => return None,
            },
            door: door(*reading)?,
            item: None,
        },
        (READ, [DONE, lock, reading]) => Content::Door {
            channel: Channel::new(*lock)?,
            door: door(*reading)?,
        },
        (READ, [FAILED, lock, _]) => Content::Door {
            channel: Channel::new(*lock)?,
            door: DoorReading::Unknown,
        },
        (READ_ALL, [DONE, count, doors @ ..]) if doors.len() == usize::from(*count) => {
            let channels = covered(expecting, board, (*count).min(Channel::MAX));
            Content::State(state(doors, channels)?)
        }
        (REPORT, [lock, reading]) => Content::Unasked {
            channel: Channel::new(*lock)?,
            door: door(*reading)?,
        },
        _ => return None,
    };
    Some(Answer {
        board,
        sequence: 0,
        content,
    })
}

fn asked(frame: &[u8], station: Station) -> Option<Request> {
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
}

fn put(frame: &mut Frame, board: Board, command: u8, data: &[u8]) {
    frame.extend(&HEADER);
    frame.push(u8::try_from(AROUND + data.len()).unwrap_or(u8::MAX));
    frame.extend(&[board.0, command]);
    frame.extend(data);
    frame.push_xor();
}

impl Codec for Wkly {
    fn profile(&self) -> Profile {
        Profile {
            boards: (0, 254),
            unlock_bytes: AROUND as u8 + 1,
            packed_unknown: true,
            reports: true,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        match request.command {
            Command::Unlock(channel) => put(frame, request.board, UNLOCK, &[channel.number()]),
            Command::ReadDoor(channel) => put(frame, request.board, READ, &[channel.number()]),
            Command::ReadAll { .. } => put(frame, request.board, READ_ALL, &[]),
            Command::UnlockAll
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => {
                return Err(Unsupported);
            }
        }
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { channels } => AROUND + 2 + usize::from(channels),
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => AROUND + 3,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        cut(bytes).read(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        cut(bytes).read(|frame| asked(frame, station))
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        match answer.content {
            Content::Unlocked {
                channel,
                result,
                door,
                item: _,
            } => {
                let status = match result {
                    UnlockResult::Taken => DONE,
                    UnlockResult::Failed => FAILED,
                    UnlockResult::Refused => return Err(Unsupported),
                };
                put(
                    frame,
                    answer.board,
                    UNLOCK,
                    &[status, channel.number(), byte(door)],
                );
            }
            Content::Door { channel, door } => {
                put(frame, answer.board, READ, &[DONE, channel.number(), byte(door)]);
            }
            Content::State(state) => {
                let mut data = Frame::new();
                data.extend(&[DONE, state.channels]);
                for channel in Channel::all(state.channels) {
                    data.push(byte(state.doors.door(channel)));
                }
                put(frame, answer.board, READ_ALL, &data);
            }
            Content::Unasked { channel, door } => {
                put(frame, answer.board, REPORT, &[channel.number(), byte(door)]);
            }
            Content::AllUnlocked
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::Handshake
            | Content::AllOff => {
                return Err(Unsupported);
            }
        }
        Ok(())
    }
}
