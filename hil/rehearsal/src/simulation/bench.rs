//! The cabinet's body: lock boards on a line, what truly lies in each compartment, and hands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{
    BoardFault, BoardSettings, Defect, Grain, Hand, Line, LineFault, LineInput, LineView, Lock,
    SimulatedBoard,
};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, Supply};
use office_protocol::event::{BoardPlace, CompartmentLayout, Size, Wiring};
use office_protocol::{BoardId, CompartmentId};

use super::dice::Dice;
use bare::Bare;

mod bare;

/// Something that can lie in a compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// A consignment of that name.
    Consignment(String),
    /// Rubbish.
    Foreign,
}

/// How the daemon gets at the locks.
enum Body {
    /// Over a lock bus, byte by byte.
    Wired(Box<Line>),
    /// At once, without a bus: for many cabinets.
    Bare(Bare),
}

/// The hardware of one cabinet.
pub(super) struct Bench {
    body: Body,
    places: BTreeMap<CompartmentId, (Board, Channel)>,
    contents: BTreeMap<CompartmentId, Vec<Thing>>,
    /// Where somebody did what the cabinet cannot know of: its contents prove nothing any more.
    pub(super) tainted: BTreeSet<CompartmentId>,
    broken: BTreeSet<CompartmentId>,
    family: Family,
    seed: u64,
    /// Which switches are of the other kind, board by board, as far as the settings say.
    told: Vec<u64>,
    boards: u8,
    channels: u8,
    pulses: BTreeMap<CompartmentId, u32>,
    seen_pulses: u32,
}

/// How a cabinet is built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Build {
    pub(super) boards: u8,
    /// Of each board.
    pub(super) channels: u8,
    /// Whether bytes go over a bus.
    pub(super) wired: bool,
    /// Whether the settings say which switches are of the other kind, before a technician has found that out.
    pub(super) told: bool,
}

/// Bits a second on the lock bus.
pub(super) const BAUD: u64 = 9_600;
const LINE_BAUD: u32 = 9_600;

/// A secret of one seed's world.
fn secret(seed: u64, which: u8) -> Key {
    let mut bytes = [which; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Key::new(bytes)
}

/// Any family that has boards of so many channels; the authenticated ones seldom, because every byte of theirs is worked for.
fn family(channels: u8, dice: &mut Dice) -> Family {
    let seldom = dice.percent(4);
    let all = Family::ALL.iter().copied();
    let some: Vec<Family> = all
        .filter(|family| family.profile().protected == seldom && family.profile().channels_max >= channels)
        .collect();
    dice.pick(&some).copied().unwrap_or(Family::Shuoming)
}

impl Bench {
    pub(super) fn new(build: Build, dice: &mut Dice, seed: u64) -> Self {
        let Build {
            boards,
            channels,
            wired,
            told,
        } = build;
        let family = family(channels, dice);
        let inverted: Vec<u64> = (0..boards)
            .map(|_| if dice.percent(30) { dice.number() & 0xFF } else { 0 })
            .collect();
        let board = |index: u8| {
            let mut settings = BoardSettings::new(family, Board(index + 1), channels);
            settings.inverted = inverted[usize::from(index)];
            let (label, keys) = (secret(seed, 0x80 | index), Keys::in_force(secret(seed, index)));
            SimulatedBoard::new(settings, seed ^ u64::from(index)).secured(label, [index; 8], keys)
        };
        let mut places = BTreeMap::new();
        for index in 0..boards {
            for channel in Channel::all(channels) {
                let number = u16::from(index) * u16::from(channels) + u16::from(channel.number());
                places.insert(CompartmentId(number), (Board(index + 1), channel));
            }
        }
        let contents = places.keys().map(|id| (*id, Vec::new())).collect();
        let body = if wired {
            let boards = (0..boards).map(board).collect();
            Body::Wired(Box::new(Line::new(boards, LINE_BAUD, Grain::Frames, seed)))
        } else {
            Body::Bare(Bare::new(places.keys().copied()))
        };
        Self {
            body,
            places,
            contents,
            tainted: BTreeSet::new(),
            broken: BTreeSet::new(),
            family,
            seed,
            told: if told {
                inverted
            } else {
                vec![0; usize::from(boards)]
            },
            boards,
            channels,
            pulses: BTreeMap::new(),
            seen_pulses: 0,
        }
    }

    pub(super) fn compartments(&self) -> Vec<CompartmentId> {
        self.places.keys().copied().collect()
    }

    /// The keys of boards that have some, as the daemon keeps them.
    pub(super) fn keys(&self) -> BTreeMap<BoardId, Keys> {
        (0..self.boards)
            .map(|index| {
                (
                    BoardId(u16::from(index) + 1),
                    Keys::in_force(secret(self.seed, index)),
                )
            })
            .collect()
    }

    /// The boards whose protocol is authenticated: all or none.
    pub(super) fn protected(&self) -> BTreeSet<BoardId> {
        let all = (1..=self.boards).map(|number| BoardId(u16::from(number)));
        all.filter(|_| self.family.profile().protected).collect()
    }

    /// Half of them small, a quarter each medium and large; every third out of reach. A version before commissioning does not say
    /// which locks they have.
    pub(super) fn compartment_layout(&self, before_commissioning: bool) -> Vec<CompartmentLayout> {
        let size = |id: &CompartmentId| match id.0 % 4 {
            0 => Size::Large,
            1 => Size::Medium,
            _ => Size::Small,
        };
        let wiring = |board: Board, channel: Channel| Wiring {
            board: BoardId(u16::from(board.0)),
            channel: channel.number(),
            inverted: self.is_inverted(board, channel),
            at: "locks"
                .parse()
                .ok()
                .map(|port| BoardPlace::of(self.family.name(), &port, board.0)),
        };
        let built = |(id, (board, channel)): (&CompartmentId, &(Board, Channel))| CompartmentLayout {
            id: *id,
            size: size(id),
            reachable: id.0 % 3 != 0,
            wiring: (!before_commissioning).then(|| wiring(*board, *channel)),
        };
        self.places.iter().map(built).collect()
    }

    /// As the settings say.
    fn is_inverted(&self, board: Board, channel: Channel) -> bool {
        self.told[usize::from(board.0) - 1] & channel.bit() != 0
    }

    /// What a technician has found goes into the settings; locks are where the settings say.
    pub(super) fn write_settings(&mut self, found: &BTreeMap<CompartmentId, Wiring>) {
        for (compartment, wiring) in found {
            let (board, channel) = self.places[compartment];
            let told = &mut self.told[usize::from(board.0) - 1];
            *told = if wiring.inverted {
                *told | channel.bit()
            } else {
                *told & !channel.bit()
            };
        }
    }

    /// The same wiring as the daemon's settings say it.
    pub(super) fn layout(&self) -> Option<Layout> {
        let port = BusPort {
            name: "locks".parse().ok()?,
            family: self.family,
            baud: LINE_BAUD,
            echo: false,
        };
        let boards: Option<Vec<BusBoard>> = (1..=self.boards)
            .map(|number| {
                Some(BusBoard {
                    id: BoardId(u16::from(number)),
                    port: "locks".parse().ok()?,
                    address: Board(number),
                    channels: self.channels,
                    supply: Supply(0),
                    pulse_ms: None,
                })
            })
            .collect();
        let lock = |(id, (board, channel)): (&CompartmentId, &(Board, Channel))| BusLock {
            compartment: *id,
            board: BoardId(u16::from(board.0)),
            channel: *channel,
            polarity: if self.is_inverted(*board, *channel) {
                Polarity::Inverted
            } else {
                Polarity::AsDocumented
            },
        };
        let locks: Vec<BusLock> = self.places.iter().map(lock).collect();
        Layout::new(vec![port], &boards?, &locks).ok()
    }

    fn lock(&self, compartment: CompartmentId) -> Option<&Lock> {
        match &self.body {
            Body::Wired(line) => {
                let (board, channel) = self.places.get(&compartment)?;
                line.lock(*board, *channel)
            }
            Body::Bare(bare) => bare.lock(compartment),
        }
    }

    pub(super) fn is_open(&self, compartment: CompartmentId) -> bool {
        self.lock(compartment).is_some_and(Lock::door_open)
    }

    /// The locks without a bus, where there is none.
    pub(super) fn bare(&mut self) -> Option<&mut Bare> {
        match &mut self.body {
            Body::Wired(_) => None,
            Body::Bare(bare) => Some(bare),
        }
    }

    /// What the bus has seen.
    pub(super) fn line(&self) -> LineView {
        match &self.body {
            Body::Wired(line) => line.view(),
            Body::Bare(bare) => LineView {
                pulses: bare.pulses(),
                ..LineView::default()
            },
        }
    }

    /// When something moves or is said by itself next, in milliseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let at = match &self.body {
            Body::Wired(line) => line.next_deadline(),
            Body::Bare(bare) => bare.next_deadline(),
        };
        at.map(|at| u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }

    /// Something happens to the line, or time passes.
    pub(super) fn line_input(&mut self, input: LineInput<'_>, now: u64, delivered: &mut Vec<u8>) {
        let now = Duration::from_millis(now);
        match &mut self.body {
            Body::Wired(line) => {
                line.handle(input, now, delivered);
            }
            Body::Bare(bare) => bare.advance(now),
        }
    }

    pub(super) fn contents(&self, compartment: CompartmentId) -> &[Thing] {
        self.contents.get(&compartment).map_or(&[], Vec::as_slice)
    }

    /// A hand at a door. What goes in or out is remembered where the door really was open.
    pub(super) fn hand(
        &mut self,
        compartment: CompartmentId,
        hand: Hand,
        thing: Option<Thing>,
        now: u64,
        delivered: &mut Vec<u8>,
    ) -> bool {
        let Some((board, channel)) = self.places.get(&compartment).copied() else {
            return false;
        };
        let at = Duration::from_millis(now);
        let worked = match &mut self.body {
            Body::Wired(line) => line.handle(LineInput::Hand(board, channel, hand), at, delivered),
            Body::Bare(bare) => bare.hand(compartment, hand, at),
        };
        if worked && let Some(inside) = self.contents.get_mut(&compartment) {
            match hand {
                Hand::PutIn => inside.extend(thing),
                Hand::TakeOut => inside.clear(),
                Hand::Open | Hand::Close | Hand::Force => {}
            }
        }
        worked
    }

    pub(super) fn break_lock(
        &mut self,
        compartment: CompartmentId,
        defect: Defect,
        now: u64,
        delivered: &mut Vec<u8>,
    ) {
        if let Some((board, channel)) = self.places.get(&compartment).copied() {
            self.broken.insert(compartment);
            let fault = BoardFault::Lock(channel, defect, true);
            self.fault(board, fault, now, delivered);
        }
    }

    pub(super) fn board_fault(
        &mut self,
        index: u64,
        fault: BoardFault,
        now: u64,
        delivered: &mut Vec<u8>,
    ) -> Board {
        let number = u8::try_from(index % u64::from(self.boards)).unwrap_or(0) + 1;
        self.fault(Board(number), fault, now, delivered);
        Board(number)
    }

    fn fault(&mut self, board: Board, fault: BoardFault, now: u64, delivered: &mut Vec<u8>) {
        self.line_input(LineInput::BoardFault(board, fault), now, delivered);
    }

    /// Everything is whole again; doors stay as they are.
    pub(super) fn repair(&mut self, now: u64, delivered: &mut Vec<u8>) {
        let whole = [
            LineFault::Noisy(0),
            LineFault::Echoing(false),
            LineFault::Meddled(0),
        ];
        for fault in whole {
            self.line_input(LineInput::LineFault(fault), now, delivered);
        }
        for number in 1..=self.boards {
            for fault in [
                BoardFault::Silent(false),
                BoardFault::Late(Duration::ZERO),
                BoardFault::Garbled(0),
            ] {
                self.fault(Board(number), fault, now, delivered);
            }
        }
        for compartment in std::mem::take(&mut self.broken) {
            if let Some((board, channel)) = self.places.get(&compartment).copied() {
                for defect in [Defect::StuckDoor, Defect::WeldedLock, Defect::DeadSensor] {
                    self.fault(board, BoardFault::Lock(channel, defect, false), now, delivered);
                }
            }
        }
    }

    /// Compartments that were pulsed since the last call.
    pub(super) fn new_pulses(&mut self) -> Vec<CompartmentId> {
        let total = self.line().pulses;
        if total == self.seen_pulses {
            return Vec::new();
        }
        self.seen_pulses = total;
        let mut pulsed = Vec::new();
        for id in self.compartments() {
            let count = self.lock(id).map_or(0, Lock::pulses);
            let before = self.pulses.insert(id, count).unwrap_or(0);
            pulsed.extend((before..count).map(|_| id));
        }
        pulsed
    }
}
