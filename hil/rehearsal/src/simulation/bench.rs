//! The cabinet's body: lock boards on a line, what truly lies in each compartment, and hands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{BoardFault, BoardSettings, Defect, Grain, Hand, Line, LineFault, LineInput, SimulatedBoard};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, Supply};
use office_protocol::event::{CompartmentLayout, Size};
use office_protocol::{BoardId, CompartmentId};

use super::dice::Dice;

/// Something that can lie in a compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    /// A consignment of that name.
    Consignment(String),
    /// Rubbish.
    Foreign,
}

/// The hardware of one cabinet.
pub(super) struct Bench {
    pub(super) line: Line,
    places: BTreeMap<CompartmentId, (Board, Channel)>,
    contents: BTreeMap<CompartmentId, Vec<Thing>>,
    /// Where somebody did what the cabinet cannot know of: its contents prove nothing any more.
    pub(super) tainted: BTreeSet<CompartmentId>,
    broken: BTreeSet<CompartmentId>,
    family: Family,
    seed: u64,
    inverted: Vec<u64>,
    boards: u8,
    channels: u8,
    pulses: BTreeMap<CompartmentId, u32>,
    seen_pulses: u32,
}

const BAUD: u32 = 9_600;

/// A secret of one seed's world.
fn secret(seed: u64, which: u8) -> Key {
    let mut bytes = [which; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Key::new(bytes)
}

impl Bench {
    pub(super) fn new(dice: &mut Dice, seed: u64) -> Self {
        let family = *dice.pick(Family::ALL).unwrap_or(&Family::Shuoming);
        let boards = u8::try_from(dice.between(1, 2)).unwrap_or(1);
        let channels = u8::try_from(dice.between(4, 8)).unwrap_or(4);
        let inverted: Vec<u64> = (0..boards)
            .map(|_| if dice.percent(30) { dice.number() & 0xFF } else { 0 })
            .collect();
        let board = |index: u8| {
            let mut settings = BoardSettings::new(family, Board(index + 1), channels);
            settings.inverted = inverted[usize::from(index)];
            let (label, keys) = (secret(seed, 0x80 | index), Keys::in_force(secret(seed, index)));
            SimulatedBoard::new(settings, seed ^ u64::from(index)).secured(label, [index; 8], keys)
        };
        let line = Line::new((0..boards).map(board).collect(), BAUD, Grain::Frames, seed);
        let mut places = BTreeMap::new();
        for index in 0..boards {
            for channel in Channel::all(channels) {
                let number = u16::from(index) * u16::from(channels) + u16::from(channel.number());
                places.insert(CompartmentId(number), (Board(index + 1), channel));
            }
        }
        let contents = places.keys().map(|id| (*id, Vec::new())).collect();
        Self {
            line,
            places,
            contents,
            tainted: BTreeSet::new(),
            broken: BTreeSet::new(),
            family,
            seed,
            inverted,
            boards,
            channels,
            pulses: BTreeMap::new(),
            seen_pulses: 0,
        }
    }

    pub(super) fn compartments(&self) -> Vec<CompartmentId> {
        self.places.keys().copied().collect()
    }

    pub(super) fn board_ids(&self) -> BTreeMap<CompartmentId, BoardId> {
        self.places
            .iter()
            .map(|(id, (board, _))| (*id, BoardId(u16::from(board.0))))
            .collect()
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

    /// Half of them small, a quarter each medium and large; every third out of reach.
    pub(super) fn sizes(&self) -> Vec<CompartmentLayout> {
        let size = |id: &CompartmentId| match id.0 % 4 {
            0 => Size::Large,
            1 => Size::Medium,
            _ => Size::Small,
        };
        self.places
            .keys()
            .map(|id| CompartmentLayout {
                id: *id,
                size: size(id),
                reachable: id.0 % 3 != 0,
            })
            .collect()
    }

    /// The same wiring as the daemon's settings say it.
    pub(super) fn layout(&self) -> Option<Layout> {
        let port = BusPort {
            name: "locks".parse().ok()?,
            family: self.family,
            baud: BAUD,
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
                })
            })
            .collect();
        let lock = |(id, (board, channel)): (&CompartmentId, &(Board, Channel))| {
            let inverted = self.inverted[usize::from(board.0) - 1] & channel.bit() != 0;
            BusLock {
                compartment: *id,
                board: BoardId(u16::from(board.0)),
                channel: *channel,
                polarity: if inverted {
                    Polarity::Inverted
                } else {
                    Polarity::AsDocumented
                },
            }
        };
        let locks: Vec<BusLock> = self.places.iter().map(lock).collect();
        Layout::new(vec![port], &boards?, &locks).ok()
    }

    pub(super) fn is_open(&self, compartment: CompartmentId) -> bool {
        let lock = self
            .places
            .get(&compartment)
            .and_then(|(board, channel)| self.line.lock(*board, *channel));
        lock.is_some_and(hardware::Lock::door_open)
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
        let worked = self.line.handle(
            LineInput::Hand(board, channel, hand),
            Duration::from_millis(now),
            delivered,
        );
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
        let input = LineInput::BoardFault(board, fault);
        self.line.handle(input, Duration::from_millis(now), delivered);
    }

    /// Everything is whole again; doors stay as they are.
    pub(super) fn repair(&mut self, now: u64, delivered: &mut Vec<u8>) {
        let at = Duration::from_millis(now);
        for fault in [LineFault::Noisy(0), LineFault::Meddled(0)] {
            self.line.handle(LineInput::LineFault(fault), at, delivered);
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
        let total = self.line.view().pulses;
        if total == self.seen_pulses {
            return Vec::new();
        }
        self.seen_pulses = total;
        let mut pulsed = Vec::new();
        for (id, (board, channel)) in &self.places {
            let count = self.line.lock(*board, *channel).map_or(0, hardware::Lock::pulses);
            let before = self.pulses.insert(*id, count).unwrap_or(0);
            pulsed.extend((before..count).map(|_| *id));
        }
        pulsed
    }
}
