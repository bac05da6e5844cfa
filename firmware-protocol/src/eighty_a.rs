//! The 8A/80 family: five-byte frames with an XOR, in the dialects of Shuoming and Kecheng.
//!
//! Source: Shuoming's "485锁控板通讯协议" and working public code for the Kecheng dialect. The answer to
//! Kecheng's version query is in no document we have: two bytes in a frame of the usual shape are assumed.

use crate::accumulator::Scan;
use crate::family::{Codec, Profile, Station, Unsupported};
use crate::frame::{Frame, xor};
use crate::words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

const READ: u8 = 0x80;
const REPORT: u8 = 0x81;
const REPORT_OR_VERSION: u8 = 0x82;
const UNLOCK: u8 = 0x8A;
const REPORTS: u8 = 0x8D;

const CLOSED: u8 = 0x11;
const OPEN: u8 = 0x00;
const READ_FUNCTION: u8 = 0x33;
const VERSION_FUNCTION: u8 = 0x22;
/// Every frame but the packed answer of a board with more than eight locks.
const SHORT: usize = 5;

/// Which firmware: it decides the unlock function and what header 82 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Unlock function 11; 82 is an unasked report (some firmware says 81).
    Shuoming,
    /// Unlock function 33; 81 is an unasked report, 82 asks for the version, 8D turns reports on and off.
    Kecheng,
}

/// The codec. It remembers nothing: these boards have no sessions.
#[derive(Clone, Copy, Debug)]
pub struct EightyA {
    dialect: Dialect,
}

impl EightyA {
    /// A codec for boards of this dialect.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect }
    }

    const fn unlock_function(self) -> u8 {
        match self.dialect {
            Dialect::Shuoming => 0x11,
            Dialect::Kecheng => 0x33,
        }
    }

    const fn report_header(self) -> u8 {
        match self.dialect {
            Dialect::Shuoming => REPORT_OR_VERSION,
            Dialect::Kecheng => REPORT,
        }
    }

    /// What a short frame with a good checksum says to the controller.
    fn short_answer(self, header: u8, lock: u8, last: u8) -> Option<Content> {
        match (header, self.dialect) {
            (READ, _) => Some(Content::Door {
                channel: Channel::new(lock)?,
                door: door(last)?,
            }),
            (UNLOCK, _) if lock == 0 => Some(Content::AllUnlocked),
            (UNLOCK, _) => Some(Content::Unlocked {
                channel: Channel::new(lock)?,
                result: UnlockResult::Taken,
                door: door(last)?,
                item: None,
            }),
            (REPORT, _) | (REPORT_OR_VERSION, Dialect::Shuoming) => Some(Content::Unasked {
                channel: Channel::new(lock)?,
                door: door(last)?,
            }),
            (REPORT_OR_VERSION, Dialect::Kecheng) => Some(Content::Version([lock, last])),
            (REPORTS, Dialect::Kecheng) if lock == 1 && last <= 1 => Some(Content::ReportsSet(last == 1)),
            _ => None,
        }
    }

    /// What a short frame with a good checksum says to a board.
    fn short_request(self, header: u8, lock: u8, last: u8, channels: u8) -> Option<Command> {
        match (header, last) {
            (READ, READ_FUNCTION) if lock == 0 => Some(Command::ReadAll { channels }),
            (READ, READ_FUNCTION) => Some(Command::ReadDoor(Channel::new(lock)?)),
            (UNLOCK, function) if function == self.unlock_function() => Some(if lock == 0 {
                Command::UnlockAll
            } else {
                Command::Unlock(Channel::new(lock)?)
            }),
            (REPORTS, 0 | 1) if self.dialect == Dialect::Kecheng && lock == 1 => {
                Some(Command::SetReports(last == 1))
            }
            (REPORT_OR_VERSION, VERSION_FUNCTION) if self.dialect == Dialect::Kecheng && lock == 0 => {
                Some(Command::ReadVersion)
            }
            _ => None,
        }
    }
}

const fn door(state: u8) -> Option<DoorReading> {
    match state {
        CLOSED => Some(DoorReading::Closed),
        OPEN => Some(DoorReading::Open),
        _ => None,
    }
}

/// The board has one bit for a door: what it does not know, it calls closed.
const fn state(door: DoorReading) -> u8 {
    match door {
        DoorReading::Open => OPEN,
        DoorReading::Closed | DoorReading::Unknown => CLOSED,
    }
}

const fn state_bytes(channels: u8) -> usize {
    channels.div_ceil(8) as usize
}

const fn is_header(byte: u8) -> bool {
    matches!(byte, READ | REPORT | REPORT_OR_VERSION | UNLOCK | REPORTS)
}

/// The packed answer at the start of `bytes`: header, board, highest group first, function, checksum.
fn packed_answer(bytes: &[u8], channels: u8) -> Option<Answer> {
    let groups = state_bytes(channels);
    let frame = bytes.get(..groups + 4)?;
    if frame[groups + 2] != READ_FUNCTION || xor(frame) != 0 {
        return None;
    }
    let closed = frame[2..groups + 2]
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let known = Channel::bits(channels);
    let doors = DoorMap {
        known,
        open: known & !closed,
    };
    let state = BoardState {
        channels,
        doors,
        ..BoardState::default()
    };
    Some(Answer {
        board: Board(frame[1]),
        sequence: 0,
        content: Content::State(state),
    })
}

/// The short frame at the start of `bytes`, if its checksum fits.
fn short(bytes: &[u8]) -> Option<[u8; SHORT]> {
    let frame: [u8; SHORT] = bytes.get(..SHORT)?.try_into().ok()?;
    (xor(&frame) == 0).then_some(frame)
}

impl Codec for EightyA {
    fn profile(&self) -> Profile {
        Profile {
            boards: (1, 32),
            channels_max: 50,
            reports: true,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let kecheng = self.dialect == Dialect::Kecheng;
        let (header, lock, function) = match request.command {
            Command::Unlock(channel) => (UNLOCK, channel.number(), self.unlock_function()),
            Command::UnlockAll => (UNLOCK, 0, self.unlock_function()),
            Command::ReadDoor(channel) => (READ, channel.number(), READ_FUNCTION),
            Command::ReadAll { .. } => (READ, 0, READ_FUNCTION),
            Command::SetReports(on) if kecheng => (REPORTS, 1, u8::from(on)),
            Command::ReadVersion if kecheng => (REPORT_OR_VERSION, 0, VERSION_FUNCTION),
            Command::SetReports(_) | Command::ReadVersion | Command::AllOff | Command::Handshake => {
                return Err(Unsupported);
            }
        };
        frame.extend(&[header, request.board.0, lock, function]);
        frame.push_xor();
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { channels } => state_bytes(channels) + 4,
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::AllOff
            | Command::Handshake => SHORT,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, ended: bool) -> Scan<Answer> {
        let Some(&header) = bytes.first() else {
            return Scan::Incomplete;
        };
        if !is_header(header) {
            return Scan::Noise;
        }
        if let Some(Request {
            board,
            command: Command::ReadAll { channels },
            ..
        }) = expecting
            && header == READ
            && bytes.get(1).is_none_or(|from| *from == board.0)
        {
            if let Some(answer) = packed_answer(bytes, *channels) {
                return Scan::Frame {
                    length: state_bytes(*channels) + 4,
                    content: answer,
                };
            }
            if bytes.len() < state_bytes(*channels) + 4 && !ended {
                return Scan::Incomplete;
            }
        }
        if bytes.len() < SHORT {
            return Scan::Incomplete;
        }
        let said =
            short(bytes).and_then(|frame| Some((frame, self.short_answer(header, frame[2], frame[3])?)));
        match said {
            Some((frame, content)) => Scan::Frame {
                length: SHORT,
                content: Answer {
                    board: Board(frame[1]),
                    sequence: 0,
                    content,
                },
            },
            None => Scan::Noise,
        }
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        let Some(&header) = bytes.first() else {
            return Scan::Incomplete;
        };
        if !is_header(header) {
            return Scan::Noise;
        }
        if bytes.len() < SHORT {
            return Scan::Incomplete;
        }
        let asked = short(bytes).and_then(|frame| {
            Some((
                frame,
                self.short_request(header, frame[2], frame[3], station.channels)?,
            ))
        });
        match asked {
            Some((frame, command)) => Scan::Frame {
                length: SHORT,
                content: Request {
                    board: Board(frame[1]),
                    sequence: 0,
                    command,
                },
            },
            None => Scan::Noise,
        }
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let kecheng = self.dialect == Dialect::Kecheng;
        let (header, lock, last) = match answer.content {
            Content::Unlocked {
                channel,
                door,
                result: UnlockResult::Taken,
                item: _,
            } => (UNLOCK, channel.number(), state(door)),
            Content::AllUnlocked => (UNLOCK, 0, self.unlock_function()),
            Content::Door { channel, door } => (READ, channel.number(), state(door)),
            Content::Unasked { channel, door } => (self.report_header(), channel.number(), state(door)),
            Content::ReportsSet(on) if kecheng => (REPORTS, 1, u8::from(on)),
            Content::Version([first, second]) if kecheng => (REPORT_OR_VERSION, first, second),
            Content::State(state) => {
                frame.extend(&[READ, answer.board.0]);
                let closed = !state.doors.open & Channel::bits(state.channels);
                for group in (0..state_bytes(state.channels)).rev() {
                    frame.push(closed.to_le_bytes()[group]);
                }
                frame.push(READ_FUNCTION);
                frame.push_xor();
                return Ok(());
            }
            Content::Unlocked {
                result: UnlockResult::Failed | UnlockResult::Refused,
                ..
            }
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::AllOff
            | Content::Handshake => return Err(Unsupported),
        };
        frame.extend(&[header, answer.board.0, lock, last]);
        frame.push_xor();
        Ok(())
    }
}
