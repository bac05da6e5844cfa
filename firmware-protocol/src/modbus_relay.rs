//! Modbus RTU boards of relays and inputs: a pulse by the board's own timer, door switches at its inputs.
//!
//! Source: the Modbus specification for frames, CRC and the silence before each request, and the document of the
//! Waveshare Modbus RTU Relay (D), 8 relays and 8 inputs, for its coils: 0200 + relay takes n × 100 ms and ends
//! the pulse by itself, 00FF takes 0000 and puts all relays at rest. A plain coil would hold a relay on, which
//! burns a solenoid: it is neither sent nor understood. An input that is 1 is read as a closed door; switches of
//! the other kind are a setting. The answer to a read names neither input nor number, so doors are always read
//! all together: a late answer is then old, but never another door's.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, Unsupported, covered};
use crate::frame::{Frame, low_first};
use crate::words::{
    Answer, Board, BoardState, Channel, Command, Content, DoorMap, DoorReading, Request, UnlockResult,
};

const READ_INPUTS: u8 = 0x02;
const WRITE_COIL: u8 = 0x05;
/// Set in the function byte of a refusal.
const REFUSED: u8 = 0x80;
const READ_REFUSED: u8 = READ_INPUTS | REFUSED;
const WRITE_REFUSED: u8 = WRITE_COIL | REFUSED;

/// The high byte of the coils that end a pulse by themselves.
const PULSE_COILS: u8 = 0x02;
/// The length of a pulse in 100 ms.
const PULSE: u8 = 7;
/// The coil that is all relays.
const ALL_RELAYS: [u8; 2] = [0x00, 0xFF];

const REQUEST: usize = 8;
const REFUSAL: usize = 5;
/// Address, function, count and CRC.
const AROUND: usize = 5;

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct ModbusRelay;

/// The CRC of the Modbus specification; over a frame with its own CRC at the end it is 0.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 0 {
                crc >> 1
            } else {
                (crc >> 1) ^ 0xA001
            }
        })
    })
}

fn push_crc(frame: &mut Frame) {
    frame.extend(&crc(frame).to_le_bytes());
}

fn is_address(byte: Option<&u8>) -> bool {
    byte.is_none_or(|address| (1..=247).contains(address))
}

/// How long the answer is that begins here: none while that cannot be told, 0 if it is none.
fn answer_length(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(1)? {
        WRITE_COIL => Some(REQUEST),
        READ_REFUSED | WRITE_REFUSED => Some(REFUSAL),
        READ_INPUTS => bytes.get(2).map(|count| match usize::from(*count) {
            count if (1..=8).contains(&count) => AROUND + count,
            _ => 0,
        }),
        _ => Some(0),
    }
}

/// What a written coil meant.
fn coil(frame: &[u8]) -> Option<Command> {
    match frame.get(2..6)? {
        [PULSE_COILS, relay, 0, length] if *length > 0 => {
            Some(Command::Unlock(Channel::new(relay.checked_add(1)?)?))
        }
        [0x00, 0xFF, 0, 0] => Some(Command::AllOff),
        _ => None,
    }
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let board = Board(frame[0]);
    let asked = expecting.filter(|request| request.board == board);
    let unlocked = |channel, result| Content::Unlocked {
        channel,
        result,
        door: DoorReading::Unknown,
        item: None,
    };
    let content = match (frame[1], asked.map(|request| request.command)) {
        (WRITE_COIL, _) => match coil(frame)? {
            Command::Unlock(channel) => unlocked(channel, UnlockResult::Taken),
            Command::AllOff => Content::AllOff,
            Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::ReadAll { .. }
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake => return None,
        },
        (WRITE_REFUSED, Some(Command::Unlock(channel))) => unlocked(channel, UnlockResult::Failed),
        (READ_INPUTS, Some(Command::ReadAll { .. })) => {
            let inputs = &frame[3..frame.len() - 2];
            let channels = covered(asked, board, u8::try_from(inputs.len() * 8).ok()?);
            let known = Channel::bits(channels);
            Content::State(BoardState {
                channels,
                doors: DoorMap {
                    known,
                    open: !low_first(inputs) & known,
                },
                ..BoardState::default()
            })
        }
        _ => return None,
    };
    Some(Answer {
        board,
        sequence: 0,
        content,
    })
}

impl Codec for ModbusRelay {
    fn profile(&self) -> Profile {
        Profile {
            boards: (1, 247),
            unlock_bytes: REQUEST as u8,
            pulse_ms: PULSE as u16 * 100,
            gap_tenths: 35,    // three and a half characters,
            gap_min_us: 1_750, // and above 19200 no shorter
            reads_one: false,
            left_on: true,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        frame.push(request.board.0);
        match request.command {
            Command::Unlock(channel) => {
                frame.extend(&[WRITE_COIL, PULSE_COILS, channel.number() - 1, 0, PULSE]);
            }
            Command::AllOff => {
                frame.push(WRITE_COIL);
                frame.extend(&ALL_RELAYS);
                frame.extend(&[0, 0]);
            }
            Command::ReadAll { channels } => frame.extend(&[READ_INPUTS, 0, 0, 0, channels]),
            Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake => {
                return Err(Unsupported);
            }
        }
        push_crc(frame);
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { channels } => AROUND + usize::from(channels.div_ceil(8)),
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => REQUEST,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        if !is_address(bytes.first()) {
            return Scan::Noise;
        }
        Cut::new(bytes, &[], answer_length(bytes), |frame| crc(frame) == 0)
            .read_expected(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], _station: Station, _ended: bool) -> Scan<Request> {
        let function = bytes
            .get(1)
            .is_none_or(|function| matches!(*function, READ_INPUTS | WRITE_COIL));
        if !is_address(bytes.first()) || !function {
            return Scan::Noise;
        }
        Cut::new(bytes, &[], Some(REQUEST), |frame| crc(frame) == 0).read(|frame| {
            let command = match frame {
                [_, READ_INPUTS, 0, 0, 0, count, ..] if (1..=Channel::MAX).contains(count) => {
                    Command::ReadAll { channels: *count }
                }
                [_, WRITE_COIL, ..] => coil(frame)?,
                _ => return None,
            };
            Some(Request {
                board: Board(frame[0]),
                sequence: 0,
                command,
            })
        })
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        frame.push(answer.board.0);
        match answer.content {
            Content::Unlocked {
                channel,
                result: UnlockResult::Taken,
                ..
            } => frame.extend(&[WRITE_COIL, PULSE_COILS, channel.number() - 1, 0, PULSE]),
            Content::Unlocked {
                result: UnlockResult::Failed,
                ..
            } => frame.extend(&[WRITE_REFUSED, 0x04]),
            Content::AllOff => {
                frame.push(WRITE_COIL);
                frame.extend(&ALL_RELAYS);
                frame.extend(&[0, 0]);
            }
            Content::State(state) => {
                let bytes = state.channels.div_ceil(8);
                frame.extend(&[READ_INPUTS, bytes]);
                let closed = !state.doors.open & Channel::bits(state.channels);
                frame.push_low_first(closed, bytes.into());
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
            | Content::Unasked { .. } => return Err(Unsupported),
        }
        push_crc(frame);
        Ok(())
    }
}
