//! The place: a bus master, a board, the cable between them, and somebody who has hold of it.

use std::collections::BTreeMap;
use std::time::Duration;

use firmware_protocol::secure::{Key, KeyId, Keys};
use firmware_protocol::{Board, Channel, Family, Frame, Polarity};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, LineInput, SimulatedBoard};
use lockerd::boards::Work;
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, PortIndex, Supply};
use lockerd::boards::master::{BusAction, BusInput, BusMaster, BusSettings};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use office_protocol::{BoardId, CompartmentId, Seq};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The board under attack.
pub(super) const BOARD: Board = Board(1);
/// Its locks.
pub(super) const CHANNELS: u8 = 8;
/// How long an order is good for, and a frame that somebody holds back: 2 s, and the time on the wire.
const GOOD_FOR_MS: u64 = 2_100;
/// Half of all locks have the other kind of switch.
const INVERTED: u64 = 0b0101_0101;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Down,
    Up,
}

/// What becomes of frames on their way.
pub(super) type Tap = Box<dyn FnMut(Way, &[u8]) -> Vec<Vec<u8>>>;

struct Order {
    channel: Channel,
    at: u64,
    done: bool,
}

/// One line under attack.
pub(super) struct Scene {
    pub(super) family: Family,
    pub(super) dice: ChaCha8Rng,
    baud: u32,
    /// All that the controller has said, and the boards.
    pub(super) down: Vec<Vec<u8>>,
    pub(super) up: Vec<Vec<u8>>,
    /// The controller's last frame with a pulse in it.
    pub(super) unlock: Vec<u8>,
    pub(super) tap: Option<Tap>,
    /// The board's keys as the cabinet has kept them.
    pub(super) keys: Keys,
    /// All that it has ever kept.
    known: Vec<KeyId>,
    /// Whether something that the cabinet does has stopped working for good.
    pub(super) broken: bool,
    /// What has come back to who asks while the daemon is stopped.
    by_hand: Option<Vec<Vec<u8>>>,
    master: BusMaster,
    line: Line,
    now: u64,
    orders: Vec<Order>,
    answered: Vec<UnlockOutcome>,
    pulses: Vec<u32>,
    opened: u32,
    installed: u32,
    sent: u32,
    seq: u64,
}

fn key() -> Key {
    Key::new(*b"nobody at the cable knows of it.")
}

fn channel(number: u8) -> Channel {
    Channel::all(CHANNELS)
        .nth(usize::from(number) - 1)
        .expect("a lock of the board")
}

impl Scene {
    /// An hour of quiet life in small: readings, and lock 1 opened once and closed again.
    pub(super) fn new(family: Family) -> Self {
        let baud = if family.profile().protected {
            115_200
        } else {
            9_600
        };
        let settings = BoardSettings {
            inverted: INVERTED,
            ..BoardSettings::new(family, BOARD, CHANNELS)
        };
        let keys = Keys::in_force(key());
        let label = Key::new(*b"only the label of this board....");
        let board = SimulatedBoard::new(settings, 1).secured(label, *b"ATTACKED", keys.clone());
        let mut scene = Self {
            family,
            dice: ChaCha8Rng::seed_from_u64(12),
            baud,
            down: Vec::new(),
            up: Vec::new(),
            unlock: Vec::new(),
            tap: None,
            broken: false,
            known: vec![key().id()],
            by_hand: None,
            master: master(family, baud, [0xD1; 32], &keys),
            keys,
            line: Line::new(vec![board], baud, Grain::Frames, 1),
            now: 1_000,
            orders: Vec::new(),
            answered: Vec::new(),
            pulses: vec![0; usize::from(CHANNELS)],
            opened: 0,
            installed: 0,
            sent: 0,
            seq: 0,
        };
        scene.watch();
        scene.run(1_000);
        assert!(scene.serve(1), "before the attacker comes the cabinet works");
        scene
    }

    /// The attacker leaves: what was it good for?
    pub(super) fn leave(mut self) -> super::Outcome {
        self.tap = None;
        // Long enough to find a board again that was thought lost.
        self.run(40_000);
        let serves = self.serve(3) && !self.broken;
        self.judge_key();
        super::Outcome {
            opened: self.opened,
            installed: self.installed,
            sent: self.sent,
            serves,
        }
    }

    /// The cabinet orders one lock opened; whoever is there closes it. Says whether it opened.
    pub(super) fn serve(&mut self, lock: u8) -> bool {
        let before = self.pulses[usize::from(lock) - 1];
        self.order(lock);
        self.run(2_500);
        let hand = LineInput::Hand(BOARD, channel(lock), Hand::Close);
        self.line
            .handle(hand, Duration::from_millis(self.now), &mut Vec::new());
        // The lock rests.
        self.run(20_000);
        self.pulses[usize::from(lock) - 1] > before
    }

    /// The cabinet orders one lock opened.
    pub(super) fn order(&mut self, lock: u8) {
        self.seq += 1;
        let work = Work::Unlock {
            compartment: CompartmentId(lock.into()),
            unlock: Seq(self.seq),
            not_after: Monotonic::from_millis(self.now + 2_000),
        };
        self.orders.push(Order {
            channel: channel(lock),
            at: self.now,
            done: false,
        });
        self.tell(BusInput::Work(&work));
    }

    fn watch(&mut self) {
        self.tell(BusInput::Opened(PortIndex(0)));
        let watched = [1, 2].map(CompartmentId).to_vec();
        self.tell(BusInput::Work(&Work::Watch(watched)));
    }

    /// The daemon is stopped, for somebody who asks by hand with these dice.
    pub(super) fn stop(&mut self) -> [u8; 32] {
        self.tell(BusInput::Lost(PortIndex(0)));
        self.by_hand = Some(Vec::new());
        self.draw()
    }

    /// The daemon is started again, with the keys that are kept.
    pub(super) fn start(&mut self) {
        self.judge_key();
        self.by_hand = None;
        let dice = self.draw();
        self.master = master(self.family, self.baud, dice, &self.keys);
        self.watch();
    }

    fn draw(&mut self) -> [u8; 32] {
        let mut dice = [0; 32];
        self.dice.fill_bytes(&mut dice);
        dice
    }

    /// What comes back to this, by hand; waits so long.
    pub(super) fn ask(&mut self, frame: &[u8], patience_ms: u64) -> Vec<Vec<u8>> {
        self.send(frame);
        for _ in 0..patience_ms {
            if self.by_hand.as_ref().is_some_and(|heard| !heard.is_empty()) {
                break;
            }
            self.run(1);
        }
        self.by_hand.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The cabinet keeps these keys.
    pub(super) fn keep(&mut self, keys: Keys) {
        let ids = [&keys.current, &keys.next].map(|key| key.as_ref().map(Key::id));
        self.known.extend(ids.into_iter().flatten());
        self.keys = keys;
    }

    /// A key that is in force on the board, and that the cabinet has never kept, is somebody else's.
    fn judge_key(&mut self) {
        let keys = self.line.board(BOARD).and_then(SimulatedBoard::keys);
        let strange = |key: &Key| !self.known.contains(&key.id());
        if keys.and_then(|keys| keys.current.as_ref()).is_none_or(strange) {
            self.installed += 1;
        }
    }

    /// The attacker sends this to the boards, and waits until it has passed and was answered.
    pub(super) fn inject(&mut self, frame: &[u8]) -> Vec<u8> {
        self.sent += 1;
        let heard = self.up.len();
        self.carry(frame);
        // A board needs 5 ms to begin, and its answer is at most twice as long.
        self.run(8 + 3 * self.took_ms(frame));
        self.up[heard..].concat()
    }

    /// The attacker sends this to the boards and does not wait longer than it takes on the wire.
    pub(super) fn shout(&mut self, frame: &[u8]) {
        self.sent += 1;
        self.carry(frame);
        self.run(self.took_ms(frame));
    }

    fn took_ms(&self, frame: &[u8]) -> u64 {
        (frame.len() as u64 * 10_000).div_ceil(u64::from(self.baud))
    }

    /// The attacker sends this to the controller.
    pub(super) fn deceive(&mut self, frame: &[u8]) {
        self.sent += 1;
        self.tell(BusInput::Received(PortIndex(0), frame));
        self.run(1);
    }

    /// The board's power is cut and comes back.
    pub(super) fn cut_power(&mut self) {
        let fault = BoardFault::Rebooting(Duration::from_millis(50));
        let cut = LineInput::BoardFault(BOARD, fault);
        self.line
            .handle(cut, Duration::from_millis(self.now), &mut Vec::new());
        self.run(60);
    }

    /// The two wires of the board's button are bridged, or no longer.
    pub(super) fn bridge_button(&mut self, held: bool) {
        let button = LineInput::Button(BOARD, held);
        self.line
            .handle(button, Duration::from_millis(self.now), &mut Vec::new());
    }

    /// Lets so many milliseconds pass.
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let line = self.line.next_deadline().map(ceil_ms);
            let master = self.master.next_deadline().map(Monotonic::next_millis);
            let Some(next) = [line, master].into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            let mut said = Vec::new();
            self.line
                .handle(LineInput::Tick, Duration::from_millis(self.now), &mut said);
            self.judge();
            if !said.is_empty() {
                self.heard(&said);
            }
            if master.is_some_and(|at| at <= self.now) {
                self.tell(BusInput::Tick);
            }
        }
        self.now = end;
    }

    fn tell(&mut self, input: BusInput<'_>) {
        let pulsed = self.master.view().boards[0].statistics.pulses;
        for action in self.master.handle(input, Monotonic::from_millis(self.now)) {
            match action {
                BusAction::Send(_, frame) => {
                    let unlocks = self.master.view().boards[0].statistics.pulses > pulsed;
                    self.say(&frame, unlocks);
                }
                BusAction::Report(Input::UnlockAnswered { outcome, .. }) => self.answered.push(outcome),
                BusAction::Report(_) | BusAction::KeepKeys(..) => {}
            }
        }
    }

    fn say(&mut self, frame: &Frame, unlocks: bool) {
        if unlocks {
            self.unlock = frame.to_vec();
        }
        self.send(frame);
    }

    /// The cabinet sends this.
    fn send(&mut self, frame: &[u8]) {
        self.down.push(frame.to_vec());
        for frame in self.tapped(Way::Down, frame) {
            self.carry(&frame);
        }
    }

    fn heard(&mut self, said: &[u8]) {
        self.up.push(said.to_vec());
        for frame in self.tapped(Way::Up, said) {
            match &mut self.by_hand {
                Some(heard) => heard.push(frame),
                None => self.tell(BusInput::Received(PortIndex(0), &frame)),
            }
        }
    }

    fn tapped(&mut self, way: Way, frame: &[u8]) -> Vec<Vec<u8>> {
        match &mut self.tap {
            Some(tap) => tap(way, frame),
            None => vec![frame.to_vec()],
        }
    }

    fn carry(&mut self, frame: &[u8]) {
        let mut said = Vec::new();
        let at = Duration::from_millis(self.now);
        self.line.handle(LineInput::Written(frame), at, &mut said);
        self.judge();
        if !said.is_empty() {
            self.heard(&said);
        }
    }

    /// Every new pulse needs an order for its lock that is still good, and uses it up.
    fn judge(&mut self) {
        for channel in Channel::all(CHANNELS) {
            let index = usize::from(channel.number()) - 1;
            let count = self.line.lock(BOARD, channel).map_or(0, hardware::Lock::pulses);
            for _ in self.pulses[index]..count {
                let now = self.now;
                let good = |order: &&mut Order| {
                    order.channel == channel && !order.done && now <= order.at + GOOD_FOR_MS
                };
                match self.orders.iter_mut().find(good) {
                    Some(order) => order.done = true,
                    None => self.opened += 1,
                }
            }
            self.pulses[index] = count;
        }
    }
}

fn master(family: Family, baud: u32, dice: [u8; 32], keys: &Keys) -> BusMaster {
    let mut master = BusMaster::new(layout(family, baud), BusSettings::default());
    master.give_keys(dice, &BTreeMap::from([(BoardId(1), keys.clone())]));
    master
}

fn layout(family: Family, baud: u32) -> Layout {
    let port = BusPort {
        name: "locks".parse().expect("a port's name"),
        family,
        baud,
        echo: false,
    };
    let board = BusBoard {
        id: BoardId(1),
        port: port.name.clone(),
        address: BOARD,
        channels: CHANNELS,
        supply: Supply(0),
        pulse_ms: None,
    };
    let lock = |channel: Channel| BusLock {
        compartment: CompartmentId(channel.number().into()),
        board: BoardId(1),
        channel,
        polarity: if INVERTED & channel.bit() == 0 {
            Polarity::AsDocumented
        } else {
            Polarity::Inverted
        },
    };
    let locks: Vec<BusLock> = Channel::all(CHANNELS).map(lock).collect();
    Layout::new(vec![port], &[board], &locks).expect("one board fits every family")
}

fn ceil_ms(at: Duration) -> u64 {
    u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
