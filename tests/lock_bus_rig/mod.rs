//! The bus master and simulated boards of any family, in memory with virtual time.
#![allow(dead_code, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod reports;

use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, LineFault, LineInput, SimulatedBoard};
use lockerd::boards::Work;
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, PortIndex, Supply};
use lockerd::boards::master::{BusAction, BusInput, BusMaster, BusSettings};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use office_protocol::{BoardId, CompartmentId, Seq};

/// Families whose boards need no key.
pub(crate) fn families() -> impl Iterator<Item = Family> {
    Family::ALL
        .iter()
        .copied()
        .filter(|family| !family.profile().protected)
}

pub(crate) fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

/// A board as most of its family are, with eight locks, at the first address or so many further.
pub(crate) fn board(family: Family, further: u8) -> BoardSettings {
    let first = family.profile().boards.0;
    BoardSettings::new(family, Board(first + further), 8)
}

/// The boards' keys, where they have some.
pub(crate) fn key() -> Key {
    Key::new([1; 32])
}

pub(crate) fn baud(family: Family) -> u32 {
    family.profile().baud.unwrap_or(9600)
}

/// One line for each group of boards, all on one supply. Board ids count from 1; compartment = board × 100 + lock.
pub(crate) struct Rig {
    pub(crate) master: BusMaster,
    pub(crate) lines: Vec<Line>,
    pub(crate) boards: Vec<(usize, BoardSettings)>,
    pub(crate) now: Duration,
    pub(crate) reports: Vec<Input>,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) delivered: Vec<u8>,
}

impl Rig {
    /// Ports that have just opened.
    pub(crate) fn new(groups: &[Vec<BoardSettings>]) -> Self {
        let mut boards = Vec::new();
        let mut lines = Vec::new();
        let mut ports = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let family = group[0].family;
            boards.extend(group.iter().map(|settings| (index, *settings)));
            lines.push(line(family, group));
            ports.push(BusPort {
                name: format!("locks-{index}").parse().unwrap(),
                family,
                baud: baud(family),
                echo: false,
            });
        }
        let placed: Vec<BusBoard> = (1..)
            .zip(&boards)
            .map(|(id, (port, settings))| BusBoard {
                id: BoardId(id),
                port: ports[*port].name.clone(),
                address: settings.address,
                channels: settings.channels,
                supply: Supply(0),
                pulse_ms: u16::try_from(settings.pulse.as_millis()).ok(),
            })
            .collect();
        let locks: Vec<BusLock> = placed
            .iter()
            .flat_map(|board| {
                Channel::all(board.channels).map(|channel| BusLock {
                    compartment: CompartmentId(board.id.0 * 100 + u16::from(channel.number())),
                    board: board.id,
                    channel,
                    polarity: Polarity::AsDocumented,
                })
            })
            .collect();
        let layout = Layout::new(ports, &placed, &locks).unwrap();
        let mut master = BusMaster::new(layout, BusSettings::default());
        let keys = placed.iter().map(|board| (board.id, Keys::in_force(key())));
        master.give_keys([7; 32], &keys.collect());
        let mut rig = Self {
            master,
            lines,
            boards,
            now: Duration::from_secs(1),
            reports: vec![],
            sent: vec![],
            delivered: vec![],
        };
        for port in 0..groups.len() {
            rig.give(BusInput::Opened(PortIndex(port)));
        }
        rig
    }

    /// One port with two boards, all doors read once and that forgotten.
    pub(crate) fn settled(family: Family) -> Self {
        let mut rig = Self::new(&[vec![board(family, 0), board(family, 1)]]);
        rig.run(3000);
        rig.reports.clear();
        rig
    }

    pub(crate) fn ms(&self) -> Monotonic {
        Monotonic::from_micros(u64::try_from(self.now.as_micros()).unwrap())
    }

    pub(crate) fn give(&mut self, input: BusInput<'_>) {
        for action in self.master.handle(input, self.ms()) {
            match action {
                BusAction::Send(PortIndex(port), frame) => {
                    self.sent.push(frame.to_vec());
                    let mut delivered = Vec::new();
                    self.lines[port].handle(LineInput::Written(&frame), self.now, &mut delivered);
                    assert!(delivered.is_empty());
                }
                BusAction::Report(report) => self.reports.push(report),
                BusAction::KeepKeys(..) => {}
            }
        }
    }

    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let bus = self.master.next_deadline();
            let bus = bus.map(|at| Duration::from_micros(at.as_micros()));
            let lines = self.lines.iter().filter_map(Line::next_deadline);
            let at = lines.chain(bus).min().map_or(end, |at| at.max(self.now));
            if at >= end {
                self.now = end;
                return;
            }
            self.now = at;
            let mut quiet = true;
            for port in 0..self.lines.len() {
                let mut bytes = std::mem::take(&mut self.delivered);
                bytes.clear();
                self.lines[port].handle(LineInput::Tick, at, &mut bytes);
                if !bytes.is_empty() {
                    quiet = false;
                    self.give(BusInput::Received(PortIndex(port), &bytes));
                }
                self.delivered = bytes;
            }
            if quiet {
                self.give(BusInput::Tick);
            }
        }
    }

    pub(crate) fn unlock(&mut self, compartment: u16, seq: u64) {
        self.unlock_within(compartment, seq, 2000);
    }

    pub(crate) fn unlock_within(&mut self, compartment: u16, seq: u64, millis: u64) {
        let not_after = self.ms().plus_millis(millis);
        let work = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(seq),
            not_after,
        };
        self.give(BusInput::Work(&work));
    }

    /// A board by its id: something happens to it from outside.
    pub(crate) fn happen(&mut self, id: u16, input: impl FnOnce(Board) -> LineInput<'static>) -> bool {
        let (port, settings) = self.boards[usize::from(id) - 1];
        let mut delivered = Vec::new();
        let worked = self.lines[port].handle(input(settings.address), self.now, &mut delivered);
        if !delivered.is_empty() {
            self.give(BusInput::Received(PortIndex(port), &delivered));
        }
        worked
    }

    pub(crate) fn hand(&mut self, id: u16, lock: u8, hand: Hand) -> bool {
        self.happen(id, |board| LineInput::Hand(board, channel(lock), hand))
    }

    pub(crate) fn set(&mut self, id: u16, fault: BoardFault) {
        self.happen(id, |board| LineInput::BoardFault(board, fault));
    }

    pub(crate) fn outcomes(&self) -> Vec<(u64, UnlockOutcome)> {
        reports::outcomes(&self.reports)
    }

    pub(crate) fn doors(&self) -> Vec<(u16, bool, bool)> {
        reports::doors(&self.reports)
    }

    pub(crate) fn shared(&self) -> Vec<(u16, String, u8)> {
        let shared = |report: &Input| match report {
            Input::AddressShared { board, port, address } => Some((board.0, port.to_string(), *address)),
            _ => None,
        };
        self.reports.iter().filter_map(shared).collect()
    }

    pub(crate) fn echo(&mut self, on: bool) {
        let fault = LineInput::LineFault(LineFault::Echoing(on));
        self.lines[0].handle(fault, self.now, &mut Vec::new());
    }

    pub(crate) fn driven(&self) -> usize {
        self.lines.iter().map(|line| line.driven(self.now)).sum()
    }

    pub(crate) fn pulses(&self) -> u32 {
        self.lines.iter().map(|line| line.view().pulses).sum()
    }
}

pub(crate) fn line(family: Family, group: &[BoardSettings]) -> Line {
    let boards = (0..).zip(group).map(|(seed, settings)| {
        let board = SimulatedBoard::new(*settings, seed);
        if family.profile().protected {
            board.secured(key(), [settings.address.0; 8], Keys::in_force(key()))
        } else {
            board
        }
    });
    Line::new(boards.collect(), baud(family), Grain::Frames, 7)
}
