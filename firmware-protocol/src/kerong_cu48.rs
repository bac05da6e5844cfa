//! KERONG CU48, CU24 and CU48B: six bytes to ask, a sum at the end, and never a word about an unlock.
//!
//! Source: the vendor's document. `02 ADDR LOCK CMD 03 SUM`, boards 00 to 09 and locks 00 to 2F, lock 30 for all;
//! the answer to a read is `02 ADDR 00 CMD D1…D6 03 SUM`, locks 1 to 8 in D1, low bit first, 1 for locked, which
//! "may be opposite, depends on the NO/NC switch". The CU48B has other command bytes. No source shows a CU24's
//! answer: where no more than 24 locks are configured, three state bytes are understood as well as six.

use crate::accumulator::{Cut, Scan};
use crate::family::{Codec, Profile, Station, UnlockAnswer, Unsupported, covered};
use crate::frame::{Frame, low_first, sum};
use crate::words::{Answer, Board, BoardState, Channel, Command, Content, DoorMap, Request};

const BEGIN: u8 = 0x02;
const END: u8 = 0x03;
const LOCKS: u8 = 48;
const ALL: u8 = LOCKS;
const REQUEST: usize = 6;
/// Of answers with six and with three state bytes.
const LONG: usize = 12;
const SHORT: usize = 9;
const SHORT_LOCKS: u8 = 24;

/// Which board: it decides the command bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// CU48 and CU24: 50 reads, 51 unlocks, 65 answers.
    Cu48,
    /// CU48B: 60 reads, 61 unlocks, 75 answers.
    Cu48b,
}

/// The codec. It remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Cu48 {
    model: Model,
}

impl Cu48 {
    /// A codec for boards of this model.
    #[must_use]
    pub const fn new(model: Model) -> Self {
        Self { model }
    }

    const fn read(self) -> u8 {
        match self.model {
            Model::Cu48 => 0x50,
            Model::Cu48b => 0x60,
        }
    }

    const fn unlock(self) -> u8 {
        self.read() + 0x01
    }

    const fn state(self) -> u8 {
        self.read() + 0x15
    }
}

fn good(frame: &[u8]) -> bool {
    matches!(frame, [before @ .., END, last] if sum(before).wrapping_add(END) == *last)
}

fn said(frame: &[u8], expecting: Option<&Request>) -> Option<Answer> {
    let [_, address, 0, _, states @ .., _, _] = frame else {
        return None;
    };
    let board = Board(*address);
    let has = u8::try_from(states.len() * 8).ok()?;
    let channels = covered(expecting, board, has);
    let known = Channel::bits(channels);
    let doors = DoorMap {
        known,
        open: !low_first(states) & known,
    };
    Some(Answer {
        board,
        sequence: 0,
        content: Content::State(BoardState {
            channels,
            doors,
            ..BoardState::default()
        }),
    })
}

impl Codec for Cu48 {
    fn profile(&self) -> Profile {
        Profile {
            baud: Some(19_200),
            boards: (0, 9),
            channels_max: LOCKS,
            unlock_bytes: REQUEST as u8,
            unlock_answer: UnlockAnswer::Never,
            reads_one: false,
            ..Profile::PLAIN
        }
    }

    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
        let (lock, command) = match request.command {
            Command::Unlock(channel) if channel.number() <= LOCKS => (channel.number() - 1, self.unlock()),
            Command::UnlockAll => (ALL, self.unlock()),
            Command::ReadAll { .. } => (0, self.read()),
            Command::Unlock(_)
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => return Err(Unsupported),
        };
        frame.extend(&[BEGIN, request.board.0, lock, command, END]);
        frame.push(sum(frame));
        Ok(())
    }

    fn answer_length(&self, request: &Request) -> usize {
        match request.command {
            Command::ReadAll { .. } => LONG,
            Command::Unlock(_)
            | Command::UnlockAll
            | Command::ReadDoor(_)
            | Command::SetReports(_)
            | Command::ReadVersion
            | Command::Handshake
            | Command::AllOff => 0,
        }
    }

    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, _ended: bool) -> Scan<Answer> {
        if bytes.get(3).is_some_and(|command| *command != self.state()) {
            return Scan::Noise;
        }
        let few = |request: &Request| matches!(request.command, Command::ReadAll { channels } if channels <= SHORT_LOCKS);
        if expecting.is_none_or(few)
            && let found @ Scan::Frame { .. } =
                Cut::new(bytes, &[BEGIN], Some(SHORT), good).read(|frame| said(frame, expecting))
        {
            return found;
        }
        Cut::new(bytes, &[BEGIN], Some(LONG), good).read(|frame| said(frame, expecting))
    }

    fn scan_request(&mut self, bytes: &[u8], station: Station, _ended: bool) -> Scan<Request> {
        Cut::new(bytes, &[BEGIN], Some(REQUEST), good).read(|frame| {
            let [_, address, lock, command, ..] = *frame else {
                return None;
            };
            let command = if command == self.read() && lock == 0 {
                Command::ReadAll {
                    channels: station.channels,
                }
            } else if command == self.unlock() && lock == ALL {
                Command::UnlockAll
            } else if command == self.unlock() && lock < LOCKS {
                Command::Unlock(Channel::new(lock + 1)?)
            } else {
                return None;
            };
            Some(Request {
                board: Board(address),
                sequence: 0,
                command,
            })
        })
    }

    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
        let Content::State(state) = answer.content else {
            return Err(Unsupported);
        };
        frame.extend(&[BEGIN, answer.board.0, 0, self.state()]);
        frame.push_low_first(!state.doors.open & Channel::bits(state.channels), 6);
        frame.push(END);
        frame.push(sum(frame));
        Ok(())
    }
}
