//! KERONG CU16 and CU12: five bytes to ask, nine to answer, board and lock in one byte, a sum at the end.
//!
//! Source: working public code. `02 ADDR CMD 03 SUM`, ADDR is the board shifted by four and the lock, both from
//! 0; the answer to CMD 30 is `02 ADDR 35 H1 H2 IR1 IR2 03 SUM` with a 1 for each locked hook and for each item
//! that the infrared sensors see. Some firmware answers an unlock with the same frame, some not at all. Command
//! 37 sets the length of the pulse: it is left to who commissions the board with its maker's tool.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, UnlockAnswer, Unsupported, covered};
use crate::frame::{Frame, low_first, sum};
use crate::words::{Answer, Board, BoardState, Channel, Command, Content, DoorMap, Request, UnlockResult};

const BEGIN: u8 = 0x02;
const END: u8 = 0x03;
const READ: u8 = 0x30;
const UNLOCK: u8 = 0x31;
const STATE: u8 = 0x35;

const LOCKS: u8 = 16;
const REQUEST: usize = 5;
const ANSWER: usize = 9;

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Cu16;

fn good(frame: &[u8]) -> bool {
    matches!(frame, [before @ .., END, last] if sum(before).wrapping_add(END) == *last)
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let [_, address, STATE, h1, h2, ir1, ir2, ..] = frame else {
        return None;
    };
    let board = Board(address >> 4);
    let channels = covered(expecting, board, LOCKS);
    let known = Channel::bits(channels);
    let doors = DoorMap {
        known,
        open: !low_first(&[*h1, *h2]) & known,
    };
    let items = low_first(&[*ir1, *ir2]) & known;
    let content = match expecting {
        Some(Request {
            board: asked,
            command: Command::Unlock(channel),
            ..
        }) if *asked == board && channel.number() <= LOCKS => Content::Unlocked {
            channel: *channel,
            result: UnlockResult::Taken,
            door: doors.door(*channel),
            item: Some(items & channel.bit() != 0),
        },
        Some(_) | None => Content::State(BoardState {
            channels,
            doors,
            items: Some(items),
            ..BoardState::default()
        }),
    };
    Some(Answer {
        board,
        sequence: 0,
        content,
    })
}

fn asked(frame: &[u8], station: Station) -> Option<Request> {
    let [_, address, command, ..] = frame else {
        return None;
    };
    let command = match *command {
        READ if address & 0x0F == 0 => Command::ReadAll {
            channels: station.channels,
        },
        UNLOCK => Command::Unlock(Channel::new((address & 0x0F) + 1)?),
        _ => return None,
    };
    Some(Request {
        board: Board(address >> 4),
        sequence: 0,
        command,
    })
}

impl Codec for Cu16 {
    fn profile(&self) -> Profile {
        Profile {
            baud: Some(19_200),
            boards: (0, 15),
            channels_max: LOCKS,
            unlock_limit_ms: 200,
            unlock_bytes: REQUEST as u8,
            unlock_answer: UnlockAnswer::Sometimes,
            reads_one: false,
            items: true,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let (lock, command) = match request.command {
            Command::Unlock(channel) if channel.number() <= LOCKS => (channel.number() - 1, UNLOCK),
            Command::ReadAll { .. } => (0, READ),
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => return Err(Unsupported),
        };
        frame.extend(&[BEGIN, request.board.0 << 4 | lock, command, END]);
        frame.push(sum(frame));
        Ok(())
    }

    fn answer_length(&self, _request: &Request) -> usize {
        ANSWER
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        if bytes.get(2).is_some_and(|command| *command != STATE) {
            return Scan::Noise;
        }
        Cut::new(bytes, &[BEGIN], Some(ANSWER), good).read(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        Cut::new(bytes, &[BEGIN], Some(REQUEST), good).read(|frame| asked(frame, station))
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let Content::State(state) = answer.content else {
            return Err(Unsupported); // an unlock is answered with the state as well
        };
        frame.extend(&[BEGIN, answer.board.0 << 4, STATE]);
        frame.push_low_first(!state.doors.open & Channel::bits(state.channels), 2);
        frame.push_low_first(state.items.unwrap_or(0), 2);
        frame.push(END);
        frame.push(sum(frame));
        Ok(())
    }
}
