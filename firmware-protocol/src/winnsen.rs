//! Winnsen: short frames without a checksum, one door at a time, an unlock answered after its pulse.
//!
//! Source: working public code. `90 06 FUNC STATION LOCK 03`, stations from 1, locks 1 to 16. Status and lock
//! change places between the answers to an unlock (`90 07 85 STATION LOCK STATUS 03`) and to a read
//! (`90 07 92 STATION STATUS LOCK 03`). Status 01 is done or open, 00 failed or closed, 02 refused because the
//! lock cools down. The unlock's answer comes after the pulse of 750 ms. As nothing else protects a frame, an
//! answer counts only if length, header, station, lock and trailer all fit the request that is open.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, Unsupported};
use crate::frame::Frame;
use crate::words::{Answer, Board, Channel, Command, Content, DoorReading, Request, UnlockResult};

const REQUEST: [u8; 2] = [0x90, 0x06];
const ANSWER: [u8; 2] = [0x90, 0x07];
const END: u8 = 0x03;
const UNLOCK: u8 = 0x05;
const READ: u8 = 0x12;
/// Set in the function byte of answers.
const ANSWERED: u8 = 0x80;
const UNLOCKED: u8 = UNLOCK | ANSWERED;
const DOOR: u8 = READ | ANSWERED;
const LOCKS: u8 = 16;

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Winnsen;

const fn channel(lock: u8) -> Option<Channel> {
    if lock <= LOCKS { Channel::new(lock) } else { None }
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let content = match *frame {
        [_, _, UNLOCKED, _, lock, status, _] => Content::Unlocked {
            channel: channel(lock)?,
            result: match status {
                0x01 => UnlockResult::Taken,
                0x00 => UnlockResult::Failed,
                0x02 => UnlockResult::Refused,
                _ => return None,
            },
            door: DoorReading::Unknown,
            item: None,
        },
        [_, _, DOOR, _, status, lock, _] => Content::Door {
            channel: channel(lock)?,
            door: match status {
                0x01 => DoorReading::Open,
                0x00 => DoorReading::Closed,
                _ => return None,
            },
        },
        _ => return None,
    };
    let answer = Answer {
        board: Board(frame[3]),
        sequence: 0,
        content,
    };
    expecting
        .is_some_and(|request| answer.answers(request))
        .then_some(answer)
}

impl Codec for Winnsen {
    fn profile(&self) -> Profile {
        Profile {
            boards: (1, 254),
            channels_max: LOCKS,
            unlock_typical_ms: 760,
            unlock_bytes: REQUEST[1],
            pulse_ms: 750,
            unlock_limit_ms: 2000,
            reads_all: false,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let (function, channel) = match request.command {
            Command::Unlock(channel) => (UNLOCK, channel),
            Command::ReadDoor(channel) => (READ, channel),
            Command::UnlockAll
            | Command::ReadAll { .. }
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => return Err(Unsupported),
        };
        if channel.number() > LOCKS {
            return Err(Unsupported);
        }
        frame.extend(&REQUEST);
        frame.extend(&[function, request.board.0, channel.number(), END]);
        Ok(())
    }

    fn answer_length(&self, _request: &Request) -> usize {
        usize::from(ANSWER[1])
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        Cut::new(bytes, &ANSWER, Some(ANSWER[1].into()), |frame| frame[6] == END)
            .read_expected(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], _station: Station, _ended: bool) -> Scan<Request> {
        Cut::new(bytes, &REQUEST, Some(REQUEST[1].into()), |frame| frame[5] == END).read(|frame| {
            let command = match *frame {
                [_, _, UNLOCK, _, lock, _] => Command::Unlock(channel(lock)?),
                [_, _, READ, _, lock, _] => Command::ReadDoor(channel(lock)?),
                _ => return None,
            };
            Some(Request {
                board: Board(frame[3]),
                sequence: 0,
                command,
            })
        })
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let (function, first, second) = match answer.content {
            Content::Unlocked { channel, result, .. } => {
                let status = match result {
                    UnlockResult::Taken => 0x01,
                    UnlockResult::Failed => 0x00,
                    UnlockResult::Refused => 0x02,
                };
                (UNLOCKED, channel.number(), status)
            }
            Content::Door { channel, door } => (DOOR, u8::from(door == DoorReading::Open), channel.number()),
            Content::AllUnlocked
            | Content::State(_)
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::Handshake
            | Content::AllOff
            | Content::Unasked { .. } => return Err(Unsupported),
        };
        frame.extend(&ANSWER);
        frame.extend(&[function, answer.board.0, first, second, END]);
        Ok(())
    }
}
