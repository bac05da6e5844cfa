//! One simulated lock board: hears requests, drives its locks, answers after its own time (pure, seeded).

use std::collections::VecDeque;
use std::time::Duration;

use firmware_protocol::{
    Accumulator, Answer, AnyCodec, Board, BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading,
    Frame, Polarity, Request, Station, UnlockAnswer, UnlockResult,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::mechanics::{Hand, Lock};
use crate::quirk;
use crate::secure::Secured;

mod settings;

pub use settings::{BoardFault, BoardSettings};

/// How many answers a board may owe; it forgets what it is asked beyond.
const OWED_MAX: usize = 8;
/// How long a board waits after one pulse before the next when it opens all.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// What it will say.
#[derive(Clone, Debug)]
pub(crate) enum Owed {
    /// What its codec makes of this, then.
    Answer(Request, UnlockResult),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// One simulated board.
#[derive(Clone, Debug)]
pub struct SimulatedBoard {
    pub(crate) settings: BoardSettings,
    pub(crate) codec: AnyCodec,
    /// What a board of the secure family has besides.
    pub(crate) secured: Option<Secured>,
    heard: Accumulator,
    pub(crate) heard_raw: quirk::Heard,
    locks: Vec<Lock>,
    owed: VecDeque<(Duration, Owed)>,
    /// Door changes not yet reported, while reports are on.
    unreported: u64,
    sensed_open: u64,
    moves_at: Option<Duration>,
    sweep: Option<(Duration, u8)>,
    silent: bool,
    late: Duration,
    garbled: u8,
    clogging: bool,
    case_open: bool,
    shaken: bool,
    on_battery: bool,
    deaf_until: Duration,
    overlaps: u32,
    dice: ChaCha8Rng,
}

impl SimulatedBoard {
    /// A board with all doors closed and nothing inside.
    #[must_use]
    pub fn new(settings: BoardSettings, seed: u64) -> Self {
        let locks = Channel::all(settings.channels).map(|channel| {
            let inverted = settings.inverted & channel.bit() != 0;
            Lock::new(if inverted {
                Polarity::Inverted
            } else {
                Polarity::AsDocumented
            })
        });
        let mut board = Self {
            settings,
            codec: settings.family.codec(),
            secured: None,
            heard: Accumulator::new(),
            heard_raw: quirk::Heard::default(),
            locks: locks.collect(),
            owed: VecDeque::new(),
            unreported: 0,
            sensed_open: 0,
            moves_at: None,
            sweep: None,
            silent: false,
            late: Duration::ZERO,
            garbled: 0,
            clogging: false,
            case_open: false,
            shaken: false,
            on_battery: false,
            deaf_until: Duration::ZERO,
            overlaps: 0,
            dice: ChaCha8Rng::seed_from_u64(seed),
        };
        board.sensed_open = board.doors().open;
        board
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Board {
        self.settings.address
    }

    /// Whether its commands are authenticated.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.codec.profile().protected
    }

    /// One of its compartments; none beyond its number of locks.
    #[must_use]
    pub fn lock(&self, channel: Channel) -> Option<&Lock> {
        self.locks.get(usize::from(channel.number()) - 1)
    }

    /// All of its compartments, in order.
    pub fn locks(&self) -> impl Iterator<Item = &Lock> {
        self.locks.iter()
    }

    /// How many pulses began while another solenoid of this board was still driven.
    #[must_use]
    pub const fn overlaps(&self) -> u32 {
        self.overlaps
    }

    /// Whole bytes came over the line.
    pub fn hear(&mut self, bytes: &[u8], now: Duration) {
        self.advance(now);
        if now < self.deaf_until {
            self.hear_silence();
            return;
        }
        if self.is_quirky(bytes, now) {
            self.heard.clear();
            return;
        }
        self.attend(now);
        let station = Station {
            board: self.settings.address,
            channels: self.settings.channels,
        };
        let mut rest = bytes;
        loop {
            rest = self.heard.push(rest);
            while let Some(request) = self
                .heard
                .next(false, |seen| self.codec.scan_request(seen, station, false))
            {
                if request.board == self.settings.address {
                    self.keep_keys();
                    self.obey(request, now);
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        if self.clogging && self.heard.dropped() > 0 {
            self.deaf_until = Duration::MAX;
        }
    }

    fn reboot(&mut self, down: Duration, now: Duration) {
        self.deaf_until = now + down;
        self.owed.clear();
        self.heard = Accumulator::new();
        self.heard_raw.clear();
        self.restart();
        self.unreported = 0;
        self.sweep = None;
        for channel in Channel::all(self.settings.channels) {
            if self.lock(channel).is_some_and(Lock::opens_at_start) {
                self.drive(channel, now);
            }
        }
    }

    /// The line was silent for longer than a frame may pause.
    pub fn hear_silence(&mut self) {
        self.heard.clear();
        self.heard_raw.clear();
    }

    /// A person does something at one compartment; says whether it worked.
    pub fn hand(&mut self, channel: Channel, hand: Hand, now: Duration) -> bool {
        self.advance(now);
        let worked = self
            .locks
            .get_mut(usize::from(channel.number()) - 1)
            .is_some_and(|lock| lock.hand(hand, now));
        self.notice_changes();
        worked
    }

    /// Breaks or repairs something.
    pub fn set(&mut self, fault: BoardFault, now: Duration) {
        self.advance(now);
        match fault {
            BoardFault::Silent(silent) => self.silent = silent,
            BoardFault::Late(late) => self.late = late,
            BoardFault::Garbled(percent) => self.garbled = percent,
            BoardFault::Clogging(clogging) => self.clogging = clogging,
            BoardFault::Rebooting(down) => self.reboot(down, now),
            BoardFault::CaseOpen(open) => self.case_open = open,
            BoardFault::Shaken(shaken) => self.shaken = shaken,
            BoardFault::OnBattery(battery) => self.on_battery = battery,
            BoardFault::Lock(channel, defect, present) => {
                if let Some(lock) = self.locks.get_mut(usize::from(channel.number()) - 1) {
                    lock.set(defect, present);
                }
            }
        }
        self.notice_changes();
    }

    /// When it will do or say something by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let owed = self.owed.front().map(|(at, ..)| *at);
        let report = (self.unreported != 0).then_some(Duration::ZERO);
        [owed, report, self.moves_at, self.sweep.map(|(at, _)| at)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Appends the next thing that it says by now, if any; one frame at a time.
    pub fn say(&mut self, now: Duration, said: &mut Vec<u8>) -> bool {
        self.advance(now);
        let mut frame = Frame::new();
        let answer = if self.owed.front().is_some_and(|(at, _)| *at <= now) {
            match self.owed.pop_front() {
                Some((_, Owed::Answer(request, result))) => Some(Answer {
                    board: request.board,
                    sequence: request.sequence,
                    content: self.content(request.command, result),
                }),
                Some((_, Owed::Bytes(bytes))) => {
                    frame.extend(&bytes);
                    None
                }
                None => return false,
            }
        } else if self.unreported != 0 {
            let Some(channel) = Channel::new(self.unreported.trailing_zeros() as u8 + 1) else {
                return false;
            };
            self.unreported &= !channel.bit();
            let content = Content::Unasked {
                channel,
                door: self.door(channel),
            };
            Some(Answer {
                board: self.settings.address,
                sequence: 0,
                content,
            })
        } else {
            return false;
        };
        let encoded = answer.is_none_or(|answer| self.codec.encode_answer(&answer, &mut frame).is_ok());
        if self.silent || !encoded {
            return false;
        }
        let start = said.len();
        said.extend_from_slice(&frame);
        if self.garbled > 0 && self.dice.next_u32() % 100 < u32::from(self.garbled) {
            let at = start + self.dice.next_u32() as usize % frame.len();
            said[at] ^= 1 << (self.dice.next_u32() % 8);
        }
        true
    }

    fn obey(&mut self, request: Request, now: Duration) {
        let mut result = UnlockResult::Taken;
        let takes = match request.command {
            Command::Unlock(channel) => {
                let rested = |lock: &Lock| lock.rested(self.settings.cool_down, now);
                if self.lock(channel).is_none_or(rested) {
                    self.drive(channel, now);
                } else {
                    result = UnlockResult::Refused;
                }
                self.settings.unlock_reply
            }
            Command::UnlockAll => {
                self.sweep = Some((now, 1));
                self.advance(now);
                self.settings.unlock_reply
            }
            Command::SetReports(on) => {
                self.settings.reports = on;
                self.settings.reply
            }
            Command::AllOff => {
                self.sweep = None;
                self.locks.iter_mut().for_each(Lock::release);
                self.settings.reply
            }
            Command::ReadDoor(_) | Command::ReadAll { .. } | Command::ReadVersion | Command::Handshake => {
                self.settings.reply
            }
        };
        if self.answers(request.command) {
            self.owe(now + takes, Owed::Answer(request, result));
        }
    }

    pub(crate) fn owe(&mut self, at: Duration, owed: Owed) {
        if self.owed.len() < OWED_MAX {
            let at = at + self.late;
            let after = self.owed.back().map_or(at, |(last, _)| at.max(*last));
            self.owed.push_back((after, owed));
        }
    }

    fn answers(&self, command: Command) -> bool {
        let unlock = matches!(command, Command::Unlock(_) | Command::UnlockAll);
        !unlock
            || match self.codec.profile().unlock_answer {
                UnlockAnswer::Always => true,
                UnlockAnswer::Sometimes => self.settings.unlock_answered,
                UnlockAnswer::Never => false,
            }
    }

    pub(crate) fn drive(&mut self, channel: Channel, now: Duration) {
        if self.locks.iter().any(|lock| lock.driven(now)) {
            self.overlaps += 1;
        }
        if let Some(lock) = self.locks.get_mut(usize::from(channel.number()) - 1) {
            lock.pulse(self.settings.pulse, now);
        }
        self.plan_moves();
    }

    fn plan_moves(&mut self) {
        self.moves_at = self.locks.iter().filter_map(Lock::next_deadline).min();
    }

    fn advance(&mut self, now: Duration) {
        while let Some((at, channel)) = self.sweep.filter(|(at, _)| *at <= now) {
            let next = channel + 1;
            let pulse = self.settings.pulse;
            self.sweep = (next <= self.settings.channels).then_some((at + pulse + SWEEP_PAUSE, next));
            if let Some(channel) = Channel::new(channel) {
                self.drive(channel, at);
            }
        }
        if self.moves_at.is_some_and(|at| at <= now) {
            for lock in &mut self.locks {
                lock.advance(now);
            }
            self.plan_moves();
            self.notice_changes();
        }
    }

    fn notice_changes(&mut self) {
        let open = self.doors().open;
        if self.settings.reports {
            self.unreported |= open ^ self.sensed_open;
        }
        self.sensed_open = open;
    }

    fn door(&self, channel: Channel) -> DoorReading {
        self.lock(channel).map_or(DoorReading::Unknown, Lock::sensed)
    }

    pub(crate) fn doors(&self) -> DoorMap {
        let mut doors = DoorMap::default();
        for channel in Channel::all(self.settings.channels) {
            doors.set(channel, self.door(channel));
        }
        doors
    }

    fn content(&self, command: Command, result: UnlockResult) -> Content {
        match command {
            // Whose answer to an unlock is optional answers with its state.
            Command::Unlock(_) if self.codec.profile().unlock_answer == UnlockAnswer::Sometimes => {
                Content::State(self.state(self.settings.channels))
            }
            Command::Unlock(channel) => Content::Unlocked {
                channel,
                result,
                door: self.door(channel),
                item: self
                    .codec
                    .profile()
                    .items
                    .then(|| self.items() & channel.bit() != 0),
            },
            Command::UnlockAll => Content::AllUnlocked,
            Command::ReadDoor(channel) => Content::Door {
                channel,
                door: self.door(channel),
            },
            Command::ReadAll { channels } => Content::State(self.state(channels)),
            Command::SetReports(on) => Content::ReportsSet(on),
            Command::ReadVersion => Content::Version([1, 0]),
            Command::Handshake => Content::Handshake,
            Command::AllOff => Content::AllOff,
        }
    }

    /// What its sensors say; what its family's frames have no place for is left out there.
    fn state(&self, channels: u8) -> BoardState {
        BoardState {
            channels,
            doors: self.doors(),
            items: Some(self.items()),
            tampered: Some(self.case_open),
            shaken: Some(self.shaken),
            mains: Some(!self.on_battery),
        }
    }

    fn items(&self) -> u64 {
        Channel::all(self.settings.channels)
            .filter(|channel| self.lock(*channel).is_some_and(Lock::item))
            .fold(0, |bits, channel| bits | channel.bit())
    }
}
