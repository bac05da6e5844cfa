//! Dongcheng, in postal cabinets: numbered frames; one read tells of doors, items, the case and shocks.
//!
//! Source: working public code; the frames are built from its rules, none was captured. `02 LEN BOARD SEQ CMD DLEN
//! DATA… BCC 03`: LEN counts the whole frame, 8 to 100; BCC is the XOR of all bytes before it. In an answer the
//! fifth byte is the result, 0 for done, and nothing repeats the command: only its number tells which request it
//! answers. The state (44, asked with the mask 0F) is a bit map of items, one of doors (1 is closed), a byte for
//! tampering and one for shocks (9 is unknown), for at most 40 boxes. An unlock (4F) is answered with whether
//! something is inside; its own software calls the door unknown after each, and so do we. The speed of the line
//! is in no source: the settings have to give it. So is the order of the bits: the lowest is taken for the
//! first box. The frame in which the main board tells of the power supply is in no source either.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, Unsupported, covered};
use crate::frame::{Frame, low_first, xor};
use crate::words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

const BEGIN: u8 = 0x02;
const END: u8 = 0x03;
const UNLOCK: u8 = 0x4F;
const READ_ALL: u8 = 0x44;
/// Items, doors, tampering and shocks.
const EVERYTHING: u8 = 0x0F;
const DONE: u8 = 0;
const FAILED: u8 = 1;
const UNKNOWN: u8 = 9;
/// Header, length, board, number, command, length of data, checksum, end.
const AROUND: usize = 8;
const FRAME: usize = 100;
const BOXES: u8 = 40;

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dongcheng;

fn cut(bytes: &[u8]) -> Cut<'_> {
    let length = bytes.get(1).map(|length| match usize::from(*length) {
        length if (AROUND..=FRAME).contains(&length) => length,
        _ => 0,
    });
    Cut::new(bytes, &[BEGIN], length, |frame| {
        usize::from(frame[5]) + AROUND == frame.len()
            && matches!(frame, [checked @ .., END] if xor(checked) == 0)
    })
}

/// The data of a whole frame.
fn data(frame: &[u8]) -> &[u8] {
    &frame[AROUND - 2..frame.len() - 2]
}

const fn told(byte: u8) -> Option<bool> {
    match byte {
        UNKNOWN => None,
        byte => Some(byte != 0),
    }
}

const fn byte(told: Option<bool>) -> u8 {
    match told {
        None => UNKNOWN,
        Some(told) => told as u8,
    }
}

fn state(data: &[u8], request: &Request) -> Option<BoardState> {
    let [maps @ .., tampered, shaken] = data else {
        return None;
    };
    let half = maps.len() / 2;
    let has = u8::try_from(half * 8).ok().filter(|has| *has <= BOXES)?;
    if maps.len() % 2 != 0 || half == 0 {
        return None;
    }
    let channels = covered(Some(request), request.board, has);
    let known = Channel::bits(channels);
    Some(BoardState {
        channels,
        doors: DoorMap {
            known,
            open: !low_first(&maps[half..]) & known,
        },
        items: Some(low_first(&maps[..half]) & known),
        tampered: told(*tampered),
        shaken: told(*shaken),
        mains: None,
    })
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let request = expecting.filter(|request| request.board.0 == frame[2] && request.sequence == frame[3])?;
    let content = match (request.command, frame[4], data(frame)) {
        (Command::Unlock(channel), result, data) => Content::Unlocked {
            channel,
            result: if result == DONE {
                UnlockResult::Taken
            } else {
                UnlockResult::Failed
            },
            door: DoorReading::Unknown,
            item: data.first().copied().and_then(told),
        },
        (Command::ReadAll { .. }, DONE, data) => Content::State(state(data, request)?),
        _ => return None,
    };
    Some(Answer {
        board: request.board,
        sequence: request.sequence,
        content,
    })
}

fn put(frame: &mut Frame, board: Board, sequence: u8, third: u8, data: &[u8]) {
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    let whole = length.saturating_add(AROUND as u8);
    frame.extend(&[BEGIN, whole, board.0, sequence, third, length]);
    frame.extend(data);
    frame.push_xor();
    frame.push(END);
}

impl Codec for Dongcheng {
    fn profile(&self) -> Profile {
        Profile {
            baud: None,
            boards: (1, 254),
            channels_max: BOXES,
            unlock_bytes: AROUND as u8 + 1,
            reads_one: false,
            items: true,
            tamper: true,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let (command, data) = match request.command {
            Command::Unlock(channel) => (UNLOCK, channel.number()),
            Command::ReadAll { .. } => (READ_ALL, EVERYTHING),
            Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => return Err(Unsupported),
        };
        put(frame, request.board, request.sequence, command, &[data]);
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { channels } => AROUND + 2 * usize::from(channels.div_ceil(8)) + 2,
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => AROUND + 1,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        cut(bytes).read_expected(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        cut(bytes).read(|frame| {
            let command = match (frame[4], data(frame)) {
                (UNLOCK, [number]) => Command::Unlock(Channel::new(*number)?),
                (READ_ALL, [EVERYTHING]) => Command::ReadAll {
                    channels: station.channels,
                },
                _ => return None,
            };
            Some(Request {
                board: Board(frame[2]),
                sequence: frame[3],
                command,
            })
        })
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let mut data = Frame::new();
        let result = match answer.content {
            Content::Unlocked {
                result: UnlockResult::Taken,
                item,
                ..
            } => {
                data.push(byte(item));
                DONE
            }
            Content::Unlocked {
                result: UnlockResult::Failed,
                ..
            } => FAILED,
            Content::State(state) => {
                let bytes = usize::from(state.channels.div_ceil(8));
                data.push_low_first(state.items.unwrap_or(0), bytes);
                data.push_low_first(!state.doors.open & Channel::bits(state.channels), bytes);
                data.extend(&[byte(state.tampered), byte(state.shaken)]);
                DONE
            }
            Content::Unlocked {
                result: UnlockResult::Refused,
                ..
            }
            | Content::AllUnlocked
            | Content::Door { .. }
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::Handshake
            | Content::AllOff
            | Content::Unasked { .. } => return Err(Unsupported),
        };
        put(frame, answer.board, answer.sequence, result, &data);
        Ok(())
    }
}
