//! What fuzzing does with the bytes of lock buses; tests do the same with the inputs that were kept.

use chacha20::{R20, hchacha};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use firmware_protocol::secure::{Controller, Key, Keys, Nameplate, Responder, Sensors, VERSIONS};
use firmware_protocol::{
    Accumulator, Answer, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading,
    FRAME_MAX, Family, Frame, Request, Scan, Station, UnlockResult,
};

const BOARD: Board = Board(1);
const CHANNELS: u8 = 24;
const KEY: [u8; 32] = *b"thirty-two bytes that stay here.";

/// Both ends of every family: a family, a command that is open or none, then bytes.
pub(crate) fn families(data: &[u8]) {
    let [family, open, bytes @ ..] = data else { return };
    let family = Family::ALL[usize::from(*family) % Family::ALL.len()];
    let expecting = command(*open).map(request);
    let mut codec = family.codec();
    let mut ear = Accumulator::new();
    for chunk in bytes.chunks(61) {
        let mut rest = chunk;
        loop {
            rest = ear.push(rest);
            while ear
                .next(false, |seen| {
                    sound(seen, codec.scan_answer(seen, expecting.as_ref(), false))
                })
                .is_some()
            {}
            assert!(ear.pending().len() < FRAME_MAX, "what never ends is dropped");
            if rest.is_empty() {
                break;
            }
        }
    }
    while ear
        .next(true, |seen| {
            sound(seen, codec.scan_answer(seen, expecting.as_ref(), true))
        })
        .is_some()
    {}
    assert!(ear.pending().is_empty(), "nothing stays after silence");
    let station = Station {
        board: BOARD,
        channels: CHANNELS,
    };
    let mut ear = Accumulator::new();
    for chunk in bytes.chunks(61) {
        ear.push(chunk);
        while let Some(heard) = ear.next(false, |seen| {
            sound(seen, codec.scan_request(seen, station, false))
        }) {
            let _understood = codec.encode_request(&heard, &mut Frame::new());
            let answer = Answer {
                board: heard.board,
                sequence: heard.sequence,
                content: content(heard.command),
            };
            let _answered = codec.encode_answer(&answer, &mut Frame::new());
        }
    }
}

/// A board of the secure family, with and without a session, hears anything.
pub(crate) fn secure_board(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let mut line = Line::new();
    if mode & 1 != 0 {
        line.open();
    }
    for chunk in bytes.chunks(usize::from(*mode).max(1)) {
        line.board_hears(chunk);
    }
    assert_eq!(line.pulses, 0, "nobody has ordered anything");
}

/// A controller of the secure family hears anything; then a board that has the key, and says anything.
pub(crate) fn secure_controller(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let mut line = Line::new();
    line.open();
    let asked = command(*mode).unwrap_or(Command::ReadVersion);
    let _sent = line.request(asked);
    line.controller_hears(bytes);
    let mut line = Line::new();
    let session = line.open();
    if line.request(asked).is_some() {
        line.controller_hears(&insider(session, 2, bytes));
    }
}

/// A script: what both ends do, and what somebody on the line does with their frames.
pub(crate) fn secure_line(data: &[u8]) {
    let mut line = Line::new();
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut ordered = 0;
    for step in data.chunks_exact(3).take(400) {
        let [what, which, how] = [step[0], step[1], step[2]];
        let at = |frames: &[Vec<u8>]| {
            frames
                .len()
                .checked_sub(1 + usize::from(which) % frames.len().max(1))
        };
        let mut chosen = at(&frames)
            .and_then(|at| frames.get(at).cloned())
            .unwrap_or_default();
        match what % 9 {
            0 => {
                let step = line
                    .controller
                    .owes(BOARD, u64::from(how))
                    .unwrap_or(Command::ReadVersion);
                frames.extend(line.request(step));
            }
            1 => {
                let unlock = line.request(Command::Unlock(channel(which)));
                ordered += u32::from(unlock.is_some());
                frames.extend(unlock);
            }
            2 => frames.extend(line.board_hears(&chosen)),
            3 => line.controller_hears(&chosen),
            4 => {
                if let Some(byte) = chosen.get_mut(usize::from(how) / 8) {
                    *byte ^= 1 << (how % 8);
                }
                frames.extend(line.board_hears(&chosen));
                line.controller_hears(&chosen);
            }
            5 => line.pass(u64::from(which) * u64::from(how), false),
            6 => line.pass(u64::from(how), true),
            7 => line.reboot(),
            _ => match how % 3 {
                0 => line.controller.install(BOARD, Key::new(KEY)),
                1 => line.controller.replace(BOARD),
                _ => line.controller.adopt(BOARD),
            },
        }
        if frames.len() > 64 {
            frames.remove(0);
        }
        assert!(line.pulses <= ordered, "each order opens once at most");
    }
}

/// A frame length that a scan may name.
fn sound<T>(seen: &[u8], scan: Scan<T>) -> Scan<T> {
    match &scan {
        Scan::Frame { length, .. } | Scan::Foreign { length } | Scan::Rubbish { length } => {
            assert!((1..=seen.len()).contains(length));
        }
        Scan::Incomplete | Scan::Noise => {}
    }
    scan
}

fn channel(number: u8) -> Channel {
    Channel::new(number % CHANNELS + 1).expect("a channel of the board")
}

fn command(byte: u8) -> Option<Command> {
    match byte % 8 {
        0 => None,
        1 => Some(Command::Unlock(channel(byte / 8))),
        2 => Some(Command::ReadDoor(channel(byte / 8))),
        3 => Some(Command::ReadAll {
            channels: byte / 8 % Channel::MAX + 1,
        }),
        4 => Some(Command::ReadVersion),
        5 => Some(Command::SetReports(byte & 8 != 0)),
        6 => Some(Command::UnlockAll),
        _ => Some(Command::AllOff),
    }
}

fn request(command: Command) -> Request {
    Request {
        board: BOARD,
        sequence: 1,
        command,
    }
}

fn content(command: Command) -> Content {
    let door = DoorReading::Open;
    match command {
        Command::Unlock(channel) => Content::Unlocked {
            channel,
            result: UnlockResult::Taken,
            door,
            item: None,
        },
        Command::UnlockAll => Content::AllUnlocked,
        Command::ReadDoor(channel) => Content::Door { channel, door },
        Command::ReadAll { channels } => Content::State(BoardState {
            channels,
            doors: DoorMap {
                known: Channel::bits(channels),
                open: 1,
            },
            ..BoardState::default()
        }),
        Command::SetReports(on) => Content::ReportsSet(on),
        Command::ReadVersion => Content::Version([1, 0]),
        Command::AllOff => Content::AllOff,
        Command::Handshake => Content::Handshake,
    }
}

/// Both ends of the secure family on one line.
struct Line {
    controller: Controller,
    responder: Responder,
    ears: (Accumulator, Accumulator),
    kept: Keys,
    starts: u64,
    now_ms: u64,
    pulses: u32,
}

impl Line {
    fn new() -> Self {
        let mut controller = Controller::new();
        controller.shuffle([0xD1; 32]);
        controller.meet(BOARD, Keys::in_force(Key::new(KEY)));
        let kept = Keys::in_force(Key::new(KEY));
        let mut line = Self {
            controller,
            responder: board(kept.clone(), 0),
            ears: (Accumulator::new(), Accumulator::new()),
            kept,
            starts: 0,
            now_ms: 0,
            pulses: 0,
        };
        line.reboot();
        line
    }

    fn reboot(&mut self) {
        self.starts += 1;
        self.now_ms = 0;
        self.responder = board(self.kept.clone(), self.starts);
        self.responder.pass(0, false);
    }

    fn pass(&mut self, ms: u64, button: bool) {
        self.now_ms += ms;
        self.responder.pass(self.now_ms, button);
    }

    fn request(&mut self, command: Command) -> Option<Vec<u8>> {
        let mut frame = Frame::new();
        self.controller.encode(&request(command), &mut frame).ok()?;
        Some(frame.to_vec())
    }

    fn board_hears(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut said = None;
        let mut rest = bytes;
        loop {
            rest = self.ears.0.push(rest);
            let (ear, responder) = (&mut self.ears.0, &mut self.responder);
            while let Some(heard) = ear.next(false, |seen| sound(seen, responder.scan(seen, false))) {
                if responder.unsaved() {
                    self.kept = responder.keys().clone();
                }
                self.pulses += u32::from(matches!(heard.command, Command::Unlock(_)));
                let answer = Answer {
                    board: heard.board,
                    sequence: heard.sequence,
                    content: content(heard.command),
                };
                let mut frame = Frame::new();
                if responder.encode(&answer, &mut frame).is_ok() {
                    said = Some(frame.to_vec());
                }
            }
            if rest.is_empty() {
                return said;
            }
        }
    }

    fn controller_hears(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            rest = self.ears.1.push(rest);
            let (ear, controller) = (&mut self.ears.1, &mut self.controller);
            while ear
                .next(false, |seen| sound(seen, controller.scan(seen, false)))
                .is_some()
            {}
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Opens a session and returns its key.
    fn open(&mut self) -> [u8; 32] {
        let mut session = KEY;
        while let Some(step) = self.controller.owes(BOARD, 0) {
            let asked = self.request(step).unwrap_or_default();
            let answer = self.board_hears(&asked).unwrap_or_default();
            self.controller_hears(&answer);
            let (asked, answer) = (packet(&asked), packet(&answer));
            if asked[1] == 0x01 {
                for input in [b"lockerd1 session", &asked[2..18], &answer[2..18]] {
                    let input: [u8; 16] = input.try_into().expect("sixteen bytes");
                    session = hchacha::<R20>(&session.into(), &input.into()).into();
                }
            }
        }
        session
    }
}

fn board(keys: Keys, start: u64) -> Responder {
    let plate = Nameplate {
        address: BOARD,
        channels: CHANNELS,
        sensors: Sensors::default(),
        firmware: [1, 0],
        serial: *b"FUZZFUZZ",
        versions: VERSIONS,
    };
    Responder::new(plate, Key::new(KEY), keys, start)
}

fn packet(frame: &[u8]) -> Vec<u8> {
    let stuffed = frame.get(1..frame.len().saturating_sub(1)).unwrap_or_default();
    let mut packet = vec![0; stuffed.len()];
    let length = cobs::decode(stuffed, &mut packet).map_or(0, |report| report.frame_size());
    packet.truncate(length);
    packet
}

/// What a board with the session's key says, whatever it is, sealed as it should be.
fn insider(session: [u8; 32], counter: u64, says: &[u8]) -> Vec<u8> {
    let head = [BOARD.0, 0x83];
    let mut text = says[..says.len().min(46)].to_vec();
    let mut nonce = [0; 12];
    nonce[0] = head[1];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    let cipher = ChaCha20Poly1305::new(&session.into());
    let tag = cipher
        .encrypt_inout_detached(&nonce.into(), &head, text.as_mut_slice().into())
        .expect("a short text");
    let packet = [&head[..], &text, &tag].concat();
    let mut stuffed = vec![0; packet.len() + 2];
    let length = cobs::encode(&packet, &mut stuffed);
    stuffed.truncate(length);
    [&[0], &stuffed[..], &[0]].concat()
}
