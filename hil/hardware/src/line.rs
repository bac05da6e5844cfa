//! One serial line with boards on it: bytes take their time in both directions, and collide (pure, seeded).

use std::time::Duration;

use firmware_protocol::{Board, Channel};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::board::{BoardFault, SimulatedBoard};
use crate::mechanics::{Hand, Lock};
use crate::pace::{Grain, Pace};
use crate::speed;

/// Silence after which what a board has heard is over.
const SILENCE: Duration = Duration::from_millis(25);

/// How many frames somebody at the cable remembers.
const OVERHEARD_MAX: usize = 32;

/// What can be wrong with the line itself, until it is set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// The adapter hands back what the controller sends.
    Echoing(bool),
    /// A burst of noise comes before this share of what boards say, in percent.
    Noisy(u8),
    /// Somebody at the cable repeats, gives back and alters what has passed, behind this share of what the
    /// controller says, in percent. Only where every board is authenticated: others would open.
    Meddled(u8),
}

/// What happens to a line from outside.
#[derive(Clone, Copy, Debug)]
pub enum LineInput<'a> {
    /// The controller wrote these bytes.
    Written(&'a [u8]),
    /// A person does something at a compartment.
    Hand(Board, Channel, Hand),
    /// A person presses the button on a board, or lets it go.
    Button(Board, bool),
    /// Something breaks or is repaired at a board.
    BoardFault(Board, BoardFault),
    /// Something breaks or is repaired on the line.
    LineFault(LineFault),
    /// These bytes appear from nowhere.
    Noise(&'a [u8]),
    /// The cable is pulled: what was under way is lost.
    Unplugged,
    /// Only time has passed.
    Tick,
}

/// What a line has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineView {
    /// How often two spoke at once.
    pub collisions: u32,
    /// How many pulses all locks were given.
    pub pulses: u32,
    /// How many pulses began while another solenoid of the same board was driven.
    pub overlaps: u32,
    /// How many bytes the controller wrote.
    pub written: u64,
    /// How many bytes the controller was given.
    pub delivered: u64,
}

/// A line and its boards. Time is counted from any start; it never goes back.
#[derive(Clone, Debug)]
pub struct Line {
    boards: Vec<SimulatedBoard>,
    echoing: bool,
    noisy: u8,
    meddled: u8,
    /// What somebody at the cable remembers.
    overheard: Vec<Vec<u8>>,
    dice: ChaCha8Rng,
    baud: u32,
    /// The speed that the controller has set its port to, where that counts.
    heeded: Option<u32>,
    down: Pace,
    last_heard_at: Duration,
    up: Pace,
    seen: LineView,
    arrived: Vec<u8>,
    said: Vec<u8>,
}

impl Line {
    /// A line at `baud` (8N1) with these boards.
    #[must_use]
    pub fn new(boards: Vec<SimulatedBoard>, baud: u32, grain: Grain, seed: u64) -> Self {
        Self {
            boards,
            echoing: false,
            noisy: 0,
            meddled: 0,
            overheard: Vec::new(),
            dice: ChaCha8Rng::seed_from_u64(seed),
            baud,
            heeded: None,
            down: Pace::new(baud, Grain::Frames),
            last_heard_at: Duration::ZERO,
            up: Pace::new(baud, grain),
            seen: LineView::default(),
            arrived: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Lets the controller's speed count: at another than the line's, both ends hear garbage.
    #[must_use]
    pub fn heeding_speed(mut self) -> Self {
        self.heeded = Some(self.baud);
        self
    }

    /// The controller has set its port to this speed. Without [`Self::heeding_speed`] any will do.
    pub fn set_controller_speed(&mut self, baud: u32) {
        if let Some(heeded) = &mut self.heeded {
            *heeded = baud;
        }
    }

    /// Takes one input; says whether it had an effect (a hand may pull at a locked door).
    ///
    /// `delivered` gets the bytes that have reached the controller by `now`.
    pub fn handle(&mut self, input: LineInput<'_>, now: Duration, delivered: &mut Vec<u8>) -> bool {
        self.advance(now, delivered);
        let worked = match input {
            LineInput::Written(bytes) => {
                match self.heeded {
                    Some(speed) => self.write(&speed::heard(bytes, speed, self.baud), now),
                    None => self.write(bytes, now),
                }
                true
            }
            LineInput::Hand(board, channel, hand) => self
                .board_mut(board)
                .is_some_and(|board| board.hand(channel, hand, now)),
            LineInput::Button(board, held) => self
                .board_mut(board)
                .map(|board| board.hold_button(held, now))
                .is_some(),
            LineInput::BoardFault(board, fault) => {
                self.board_mut(board).map(|board| board.set(fault, now)).is_some()
            }
            LineInput::LineFault(fault) => {
                match fault {
                    LineFault::Echoing(on) => self.echoing = on,
                    LineFault::Noisy(percent) => self.noisy = percent,
                    LineFault::Meddled(percent) => {
                        let safe = self.boards.iter().all(SimulatedBoard::is_protected);
                        self.meddled = if safe { percent } else { 0 };
                    }
                }
                true
            }
            LineInput::Noise(bytes) => {
                self.speak(bytes, now);
                true
            }
            LineInput::Unplugged => {
                self.down.clear();
                self.up.clear();
                true
            }
            LineInput::Tick => return true,
        };
        self.advance(now, delivered);
        worked
    }

    /// When something happens by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let boards = self.boards.iter().filter_map(SimulatedBoard::next_deadline).min();
        [self.down.next_deadline(), self.up.next_deadline(), boards]
            .into_iter()
            .flatten()
            .min()
    }

    /// What it has seen.
    #[must_use]
    pub fn view(&self) -> LineView {
        let locks = self.boards.iter().flat_map(SimulatedBoard::locks);
        let pulses = locks.map(Lock::pulses).sum();
        let overlaps = self.boards.iter().map(SimulatedBoard::overlaps).sum();
        LineView {
            pulses,
            overlaps,
            ..self.seen
        }
    }

    /// One of its boards, by address.
    #[must_use]
    pub fn board(&self, address: Board) -> Option<&SimulatedBoard> {
        self.boards.iter().find(|board| board.address() == address)
    }

    /// One of its compartments.
    #[must_use]
    pub fn lock(&self, address: Board, channel: Channel) -> Option<&Lock> {
        self.board(address)?.lock(channel)
    }

    /// How many solenoids draw current.
    #[must_use]
    pub fn driven(&self, now: Duration) -> usize {
        self.boards
            .iter()
            .flat_map(SimulatedBoard::locks)
            .filter(|lock| lock.driven(now))
            .count()
    }

    fn board_mut(&mut self, address: Board) -> Option<&mut SimulatedBoard> {
        self.boards.iter_mut().find(|board| board.address() == address)
    }

    fn write(&mut self, bytes: &[u8], now: Duration) {
        self.seen.written += bytes.len() as u64;
        if self.meddled > 0 {
            self.down.cut(now); // whoever is at the cable falls silent when the controller speaks
        }
        let collides = self.down.is_idle() && self.up.garble();
        self.down.put(bytes, now);
        if collides {
            self.seen.collisions += 1;
            self.down.garble();
            return;
        }
        if self.echoing {
            self.up.put(bytes, now);
        }
        self.overhear(bytes);
        self.meddle(now);
    }

    fn overhear(&mut self, bytes: &[u8]) {
        if self.meddled == 0 {
            return;
        }
        if self.overheard.len() < OVERHEARD_MAX {
            self.overheard.push(bytes.to_vec());
        } else {
            let at = self.dice.next_u32() as usize % OVERHEARD_MAX;
            self.overheard[at] = bytes.to_vec();
        }
    }

    /// Puts something that passed once behind what is on its way to the boards, perhaps altered.
    fn meddle(&mut self, now: Duration) {
        if self.meddled == 0 || self.dice.next_u32() % 100 >= u32::from(self.meddled) {
            return;
        }
        let at = self.dice.next_u32() as usize % self.overheard.len().max(1);
        let Some(mut forged) = self.overheard.get(at).cloned() else {
            return;
        };
        let bit = self.dice.next_u32() as usize % (forged.len().max(1) * 16);
        if let Some(byte) = forged.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        self.down.put(&forged, now);
    }

    /// A board, or nobody, puts bytes on the line towards the controller.
    fn speak(&mut self, bytes: &[u8], now: Duration) {
        self.overhear(bytes);
        let garbled = self.heeded.map(|speed| speed::heard(bytes, self.baud, speed));
        let bytes = garbled.as_deref().unwrap_or(bytes);
        if self.up.is_idle() {
            self.up.put(bytes, now);
        } else {
            self.seen.collisions += 1;
            self.up.collide(bytes, now);
        }
    }

    fn advance(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.seen.delivered += self.up.take(now, delivered) as u64;
        loop {
            let arrived = self.down.take_first(now, &mut self.arrived);
            if arrived == 0 {
                break;
            }
            let arrived_at = self.down.passed_at();
            let began_at = arrived_at.saturating_sub(self.down.took(arrived));
            let silence = began_at > self.last_heard_at + SILENCE;
            self.last_heard_at = arrived_at;
            for board in &mut self.boards {
                if silence {
                    board.hear_silence();
                }
                board.hear(&self.arrived, arrived_at);
            }
            self.arrived.clear();
        }
        let mut said = std::mem::take(&mut self.said);
        for index in 0..self.boards.len() {
            while self.boards[index].next_deadline().is_some_and(|at| at <= now) {
                said.clear();
                self.noise(&mut said);
                if self.boards[index].say(now, &mut said) {
                    self.speak(&said, now);
                }
            }
        }
        self.said = said;
        self.seen.delivered += self.up.take(now, delivered) as u64;
    }

    fn noise(&mut self, said: &mut Vec<u8>) {
        if self.noisy > 0 && self.dice.next_u32() % 100 < u32::from(self.noisy) {
            let mut noise = [0; 6];
            self.dice.fill_bytes(&mut noise);
            let length = 1 + self.dice.next_u32() as usize % noise.len();
            said.extend_from_slice(&noise[..length]);
        }
    }
}
