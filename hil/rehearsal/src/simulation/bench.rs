//! The cabinet's body: lock boards on a line, what truly lies in each compartment, and hands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family};
use hardware::{
    BoardFault, BoardSettings, Defect, Grain, Hand, Line, LineFault, LineInput, LineView, Lock,
    SimulatedBoard,
};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, Supply};
use office_protocol::event::{CompartmentLayout, Size, Wiring};
use office_protocol::{BoardId, CompartmentId};

use super::dice::Dice;
use bare::Bare;
use wires::{Place, Wires, polarity};

mod bare;
mod wires;

/// Something that can lie in a compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// A consignment of that name.
    Consignment(String),
    /// Rubbish.
    Foreign,
}

/// A lock that was pulsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulsed {
    /// The door that it is behind.
    pub(super) door: CompartmentId,
    /// The compartment that the daemon takes it for.
    pub(super) meant: CompartmentId,
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
    wires: Wires,
    contents: BTreeMap<CompartmentId, Vec<Thing>>,
    /// Where somebody did what the cabinet cannot know of: its contents prove nothing any more.
    pub(super) tainted: BTreeSet<CompartmentId>,
    broken: Vec<Place>,
    family: Family,
    seed: u64,
    boards: u8,
    channels: u8,
    /// Of each lock, by its board and channel.
    pulses: BTreeMap<(u8, u8), u32>,
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
    /// In how many of a hundred times whoever hangs boards mistakes one door's wires for another's.
    pub(super) crosses: u64,
}

/// Bits a second on the lock bus.
pub(super) const BAUD: u64 = 9_600;
const LINE_BAUD: u32 = 9_600;
/// The port that it hangs on.
const PORT: &str = "locks";

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
            crosses,
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
        let mut wires = Wires::new(boards, channels, family, if told { &inverted } else { &[] });
        let doors: Vec<CompartmentId> = wires.doors().collect();
        if !told && dice.percent(crosses) {
            wires.cross(&doors, dice);
        }
        let body = if wired {
            let boards = (0..boards).map(board).collect();
            Body::Wired(Box::new(Line::new(boards, LINE_BAUD, Grain::Frames, seed)))
        } else {
            Body::Bare(Bare::new(doors.iter().copied()))
        };
        Self {
            body,
            wires,
            contents: doors.into_iter().map(|id| (id, Vec::new())).collect(),
            tainted: BTreeSet::new(),
            broken: Vec::new(),
            family,
            seed,
            boards,
            channels,
            pulses: BTreeMap::new(),
            seen_pulses: 0,
        }
    }

    pub(super) fn compartments(&self) -> Vec<CompartmentId> {
        self.wires.doors().collect()
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
        let built = |(id, lock): (&CompartmentId, &Wiring)| CompartmentLayout {
            id: *id,
            size: size(id),
            reachable: id.0 % 3 != 0,
            wiring: (!before_commissioning).then_some(*lock),
        };
        self.wires.read().iter().map(built).collect()
    }

    /// A daemon starts, and reads the settings.
    pub(super) fn start(&mut self) {
        self.wires.start();
    }

    /// What a technician has found goes into the settings, for the next start.
    pub(super) fn write_settings(&mut self, found: &BTreeMap<CompartmentId, Wiring>) {
        self.wires.write(found);
    }

    /// The door that opens when the daemon has this compartment's lock pulsed.
    pub(super) fn opens(&self, compartment: CompartmentId) -> CompartmentId {
        self.wires.opens(compartment)
    }

    /// Another board is hung in this one's place, and the wires of some of these doors mistaken for one another's; says of which.
    pub(super) fn cross(
        &mut self,
        board: BoardId,
        mut doors: Vec<CompartmentId>,
        dice: &mut Dice,
    ) -> Vec<CompartmentId> {
        let on_board = |door: &CompartmentId| {
            let place = self.wires.place(*door);
            place.is_some_and(|(hung, _)| u16::from(hung.0) == board.0)
        };
        doors.retain(|door| on_board(door) && !self.is_open(*door) && self.contents(*door).is_empty());
        self.wires.cross(&doors, dice)
    }

    /// The same wiring as the daemon's settings say it.
    pub(super) fn layout(&self) -> Option<Layout> {
        let port = BusPort {
            name: PORT.parse().ok()?,
            family: self.family,
            baud: LINE_BAUD,
            echo: false,
        };
        let boards: Option<Vec<BusBoard>> = (1..=self.boards)
            .map(|number| {
                Some(BusBoard {
                    id: BoardId(u16::from(number)),
                    port: PORT.parse().ok()?,
                    address: Board(number),
                    channels: self.channels,
                    supply: Supply(0),
                    pulse_ms: None,
                })
            })
            .collect();
        let lock = |(id, lock): (&CompartmentId, &Wiring)| {
            Some(BusLock {
                compartment: *id,
                board: lock.board,
                channel: Channel::new(lock.channel)?,
                polarity: polarity(lock),
            })
        };
        let locks: Option<Vec<BusLock>> = self.wires.read().iter().map(lock).collect();
        Layout::new(vec![port], &boards?, &locks?).ok()
    }

    fn lock(&self, compartment: CompartmentId) -> Option<&Lock> {
        match &self.body {
            Body::Wired(line) => {
                let (board, channel) = self.wires.place(compartment)?;
                line.lock(board, channel)
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
        let Some((board, channel)) = self.wires.place(compartment) else {
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
        if let Some((board, channel)) = self.wires.place(compartment) {
            if !self.broken.contains(&(board, channel)) {
                self.broken.push((board, channel));
            }
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
        for (board, channel) in std::mem::take(&mut self.broken) {
            for defect in [Defect::StuckDoor, Defect::WeldedLock, Defect::DeadSensor] {
                self.fault(board, BoardFault::Lock(channel, defect, false), now, delivered);
            }
        }
    }

    /// The locks that were pulsed since the last call: behind which door, and whose the daemon takes them for.
    pub(super) fn new_pulses(&mut self) -> Vec<Pulsed> {
        let total = self.line().pulses;
        if total == self.seen_pulses {
            return Vec::new();
        }
        self.seen_pulses = total;
        let mut pulsed = Vec::new();
        for door in self.compartments() {
            let count = self.lock(door).map_or(0, Lock::pulses);
            let Some((board, channel)) = self.wires.place(door) else {
                continue;
            };
            let before = self.pulses.insert((board.0, channel.number()), count);
            let meant = self.wires.meant(door);
            pulsed.extend((before.unwrap_or(0)..count).map(|_| Pulsed { door, meant }));
        }
        pulsed
    }
}
