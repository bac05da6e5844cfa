//! A controller and a board, byte by byte between them whatever a test wants.
#![allow(dead_code, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use firmware_protocol::secure::{Controller, Key, Keys, Nameplate, Responder, Secure, Sensors, VERSIONS};
use firmware_protocol::{
    Accumulator, Answer, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading, Frame,
    Request, UnlockResult,
};

pub(crate) const BOARD: Board = Board(5);
pub(crate) const LABEL: [u8; 32] = [0x4C; 32];

pub(crate) fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

pub(crate) fn key(seed: u8) -> Key {
    Key::new(core::array::from_fn(|at| seed ^ u8::try_from(at).unwrap()))
}

#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) codec: Secure,
    pub(crate) responder: Responder,
    /// What the board has kept where it survives.
    pub(crate) kept: Keys,
    pub(crate) pulses: Vec<u8>,
    /// So many packets still pass, then none.
    pub(crate) lose_after: Option<u32>,
    plate: Nameplate,
    starts: u64,
    now_ms: u64,
    held: bool,
    ears: (Accumulator, Accumulator),
}

impl Pair {
    pub(crate) fn with_key() -> Self {
        Self::new(Keys::in_force(key(1)), Keys::in_force(key(1)))
    }

    pub(crate) fn new(board: Keys, controller: Keys) -> Self {
        let plate = Nameplate {
            address: BOARD,
            channels: 24,
            sensors: Sensors {
                tamper: true,
                ..Sensors::default()
            },
            firmware: [1, 7],
            serial: *b"SERIAL01",
            versions: VERSIONS,
        };
        let mut codec = Secure::new();
        codec.controller.shuffle([0xD1; 32]);
        assert!(codec.controller.meet(BOARD, controller));
        let mut pair = Self {
            codec,
            responder: Responder::new(plate, Key::new(LABEL), board.clone(), 1),
            kept: board,
            pulses: Vec::new(),
            lose_after: None,
            plate,
            starts: 1,
            now_ms: 0,
            held: false,
            ears: (Accumulator::new(), Accumulator::new()),
        };
        pair.pass(0);
        pair
    }

    pub(crate) fn controller(&mut self) -> &mut Controller {
        &mut self.codec.controller
    }

    pub(crate) fn resize(&mut self, channels: u8) {
        self.plate.channels = channels;
        self.reboot();
    }

    /// Another firmware, which offers these versions.
    pub(crate) fn speak(&mut self, versions: (u8, u8)) {
        self.plate.versions = versions;
        self.reboot();
    }

    pub(crate) fn reboot(&mut self) {
        self.starts += 1;
        self.now_ms = 0;
        self.responder = Responder::new(self.plate, Key::new(LABEL), self.kept.clone(), self.starts);
        self.pass(0);
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.responder.pass(self.now_ms, self.held);
    }

    pub(crate) fn button(&mut self, held: bool) {
        self.held = held;
        self.pass(0);
    }

    /// The controller's frame.
    pub(crate) fn request(&mut self, command: Command) -> Option<Vec<u8>> {
        let request = Request {
            board: BOARD,
            sequence: 0,
            command,
        };
        let mut frame = Frame::new();
        self.codec.encode_request(&request, &mut frame).ok()?;
        Some(frame.to_vec())
    }

    /// The board's answer to some bytes, after it did what they ask.
    pub(crate) fn board_hears(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (responder, ear) = (&mut self.responder, &mut self.ears.0);
        let mut requests = Vec::new();
        let mut rest = bytes;
        loop {
            rest = ear.push(rest);
            requests.extend(core::iter::from_fn(|| {
                ear.next(false, |seen| responder.scan(seen, false))
            }));
            if rest.is_empty() {
                break;
            }
        }
        let mut said = None;
        for request in requests {
            if self.responder.unsaved() {
                self.kept = self.responder.keys().clone();
            }
            let content = self.deed(request.command);
            let answer = Answer {
                board: request.board,
                sequence: request.sequence,
                content,
            };
            let mut frame = Frame::new();
            if self.responder.encode(&answer, &mut frame).is_ok() {
                said = Some(frame.to_vec());
            }
        }
        said
    }

    fn deed(&mut self, command: Command) -> Content {
        match command {
            Command::Unlock(channel) => {
                self.pulses.push(channel.number());
                Content::Unlocked {
                    channel,
                    result: UnlockResult::Taken,
                    door: DoorReading::Open,
                    item: None,
                }
            }
            Command::ReadDoor(channel) => Content::Door {
                channel,
                door: DoorReading::Closed,
            },
            Command::ReadAll { channels } => Content::State(BoardState {
                channels,
                doors: DoorMap {
                    known: u64::MAX >> (64 - channels),
                    open: 2,
                },
                items: None,
                tampered: Some(false),
                ..BoardState::default()
            }),
            Command::ReadVersion => Content::Version([1, 7]),
            Command::Handshake => Content::Handshake,
            other => panic!("{other:?} has no code"),
        }
    }

    /// What the controller takes from some bytes.
    pub(crate) fn controller_hears(&mut self, bytes: &[u8]) -> Option<Content> {
        let (controller, ear) = (&mut self.codec.controller, &mut self.ears.1);
        let mut heard = None;
        let mut rest = bytes;
        loop {
            rest = ear.push(rest);
            while let Some(answer) = ear.next(false, |seen| controller.scan(seen, false)) {
                heard = Some(answer.content);
            }
            if rest.is_empty() {
                return heard;
            }
        }
    }

    fn passes(&mut self) -> bool {
        match &mut self.lose_after {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// One whole exchange.
    pub(crate) fn ask(&mut self, command: Command) -> Option<Content> {
        let request = self.request(command)?;
        let answer = if self.passes() {
            self.board_hears(&request)?
        } else {
            return None;
        };
        if self.passes() {
            self.controller_hears(&answer)
        } else {
            None
        }
    }

    /// Handshakes as far as they go, or twenty of them.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20 {
            match self.codec.owes(BOARD, 0) {
                Some(step) => self.ask(step),
                None => return,
            };
        }
    }

    /// Whether the two get on with each other again, whatever was agreed on, once nobody disturbs them.
    pub(crate) fn heals(&mut self) -> bool {
        for _ in 0..3 {
            self.settle();
            self.codec.controller.adopt(BOARD);
        }
        self.settle();
        self.reboot();
        self.ask(Command::ReadVersion); // in a session that is no more
        self.settle();
        self.codec.controller.is_open(BOARD) && self.ask(Command::ReadVersion).is_some()
    }

    pub(crate) fn open(&mut self) {
        self.settle();
        assert!(self.codec.controller.is_open(BOARD));
    }
}
