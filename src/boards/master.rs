//! The bus master: what goes over each port next, and what an answer means (pure).
//!
//! On each port one exchange at a time, chosen in this order: an unlock that may be sent now; the packed
//! read of the next board, when one is due; single reads of doors that seem to have changed; single reads of
//! watched doors, board by board. Silent boards are left out and probed now and then; an unlock to one is
//! tried at once.

use std::collections::{BTreeMap, VecDeque};

use firmware_protocol::secure::{KeyId, Keys};
use firmware_protocol::{Channel, Command, Frame, UnlockAnswer};
use office_protocol::{BoardId, CompartmentId, Seq};

use crate::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};

use super::Work;
use super::duty::Duty;
pub use super::health::{BoardStatistics, Life};
pub use super::wire::Echo;
pub use view::{BoardView, BusView, PortView};

use super::health::Health;
use super::layout::{Layout, PortIndex};
use super::wire::{Exchange, Purpose, Wire};
use keys::Installing;

mod hearing;
mod keys;
mod turns;
mod view;

/// How many unlocks may wait; more are answered `NotSent`.
pub const UNLOCKS_MAX: usize = 32;

/// How the bus is run.
#[derive(Clone, Copy, Debug)]
pub struct BusSettings {
    /// How often every door is read while nobody is at the cabinet, in milliseconds.
    pub sweep_ms: u64,
    /// The least time between two such reads on one port, in milliseconds, so that the wire is usually free.
    pub gap_min_ms: u64,
    /// How long a supply rests after the pulse of one solenoid has ended, in milliseconds.
    pub solenoid_rest_ms: u64,
    /// How often one lock may be pulsed.
    pub duty: Duty,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            sweep_ms: 500,
            gap_min_ms: 50,
            solenoid_rest_ms: 100,
            duty: Duty::default(),
        }
    }
}

/// What happens to the bus.
#[derive(Clone, Copy, Debug)]
pub enum BusInput<'a> {
    /// The engine wants something.
    Work(&'a Work),
    /// A port is open, for the first time or again.
    Opened(PortIndex),
    /// A port could not be opened, or is gone.
    Lost(PortIndex),
    /// Bytes came from a port.
    Received(PortIndex, &'a [u8]),
    /// The keys of which this is the newest are on disk, or not.
    KeysKept {
        /// Its public name.
        key: KeyId,
        /// Whether they are.
        kept: bool,
    },
    /// Time has passed and nothing waits to be read. Only this ends waits and judges silences: bytes that we
    /// come to late, because the machine is busy, are neither a silent board nor the end of a frame.
    Tick,
}

/// What the bus wants done.
#[derive(Clone, Debug)]
pub enum BusAction {
    /// Write these bytes now.
    Send(PortIndex, Frame),
    /// Tell the engine.
    Report(Input),
    /// Put these in the place of the keys that are kept of a board, and say whether that is done.
    KeepKeys(BoardId, Keys),
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    unlock: Seq,
    board: usize,
    channel: Channel,
    not_after: Monotonic,
}

#[derive(Clone, Debug)]
struct Port {
    wire: Wire,
    open: bool,
    /// What was reported last: found or lost.
    found: Option<bool>,
    /// Whether it was reported that its echo is not as its setting says, and how many reads in a row have been as it says since.
    echo_wrong: bool,
    echo_right: u8,
    sweep_due: Monotonic,
    boards: Vec<usize>,
    /// Where the turns of packed and of single reads are.
    turn: usize,
    single_turn: usize,
    /// A read whose board wants a handshake first.
    put_off: Option<(usize, Command)>,
}

/// All ports and boards of a cabinet.
#[derive(Clone, Debug)]
pub struct BusMaster {
    layout: Layout,
    settings: BusSettings,
    ports: Vec<Port>,
    boards: Vec<Health>,
    supplies_free_at: Vec<Monotonic>,
    wanted: VecDeque<Wanted>,
    /// What was reported last: on mains, unless some board says that a battery feeds it.
    mains: Option<bool>,
    /// The board that gets a new key.
    installing: Option<Installing>,
}

impl BusMaster {
    /// A master of closed ports.
    #[must_use]
    pub fn new(layout: Layout, settings: BusSettings) -> Self {
        let ports = layout.ports.iter().enumerate().map(|(index, port)| Port {
            wire: Wire::new(port),
            open: false,
            found: None,
            echo_wrong: false,
            echo_right: 0,
            sweep_due: Monotonic::default(),
            boards: (0..layout.boards.len())
                .filter(|board| layout.boards[*board].port.0 == index)
                .collect(),
            turn: 0,
            single_turn: 0,
            put_off: None,
        });
        Self {
            ports: ports.collect(),
            boards: layout.boards.iter().map(Health::new).collect(),
            supplies_free_at: vec![Monotonic::default(); layout.supplies],
            wanted: VecDeque::with_capacity(UNLOCKS_MAX),
            mains: None,
            installing: None,
            layout,
            settings,
        }
    }

    /// Gives the boards of secure lines their keys, and their sessions chance: 32 bytes drawn anew at every start.
    /// A board without a key is asked all the same, and counts as lost.
    pub fn give_keys(&mut self, dice: [u8; 32], keys: &BTreeMap<BoardId, Keys>) {
        for (index, port) in self.ports.iter_mut().enumerate() {
            let Some(ends) = port.wire.secure() else { continue };
            let mut own = dice;
            own[0] ^= u8::try_from(index).unwrap_or(u8::MAX);
            ends.controller.shuffle(own);
            for board in &port.boards {
                let place = &self.layout.boards[*board];
                let keys = keys.get(&place.id).cloned().unwrap_or_default();
                ends.controller.meet(place.address, keys);
            }
        }
    }

    /// Takes one input and says what is to be done now, in order.
    #[must_use]
    pub fn handle(&mut self, input: BusInput<'_>, now: Monotonic) -> Vec<BusAction> {
        let mut actions = Vec::new();
        match input {
            BusInput::Work(Work::Unlock {
                compartment,
                unlock,
                not_after,
            }) => {
                self.want(*compartment, *unlock, *not_after, now, &mut actions);
            }
            BusInput::Work(Work::Watch(compartments)) => self.watch(compartments),
            BusInput::Work(Work::InstallKey { board, label }) => {
                self.install(*board, label, now, &mut actions);
            }
            BusInput::Work(Work::KeepKey { board }) => self.keep_key(*board, &mut actions),
            BusInput::KeysKept { key, kept } => self.keys_kept(key, kept, now, &mut actions),
            BusInput::Opened(port) => self.opened(port, now, &mut actions),
            BusInput::Lost(port) => self.lost(port, &mut actions),
            BusInput::Received(port, bytes) => self.received(port, bytes, now, &mut actions),
            BusInput::Tick => {}
        }
        if matches!(input, BusInput::Tick) {
            for port in 0..self.ports.len() {
                self.pass_time(port, now, &mut actions);
            }
        }
        self.give_up_late(now, &mut actions);
        self.give_up_key(now, &mut actions);
        for port in 0..self.ports.len() {
            self.speak(port, now, &mut actions);
        }
        actions
    }

    /// When something is due by itself.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let wires = self
            .ports
            .iter()
            .filter(|port| port.open)
            .filter_map(|port| port.wire.next_deadline());
        let speech = self.ports.iter().filter_map(|port| self.speaks_at(port));
        let unlocks = self
            .wanted
            .iter()
            .map(|wanted| self.begins_by(wanted).plus_micros(1));
        let key = self.key_ends_at();
        wires.chain(speech).chain(unlocks).chain(key).min()
    }

    fn want(
        &mut self,
        compartment: CompartmentId,
        unlock: Seq,
        not_after: Monotonic,
        now: Monotonic,
        actions: &mut Vec<BusAction>,
    ) {
        let place = self.layout.place(compartment);
        // At a shared address it would open a door on each board.
        let place = place.filter(|(board, _)| {
            self.ports[self.layout.boards[*board].port.0].open && !self.boards[*board].twins.suspected()
        });
        match place.map(|(board, channel)| Wanted {
            unlock,
            board,
            channel,
            not_after,
        }) {
            Some(wanted) if self.wanted.len() < UNLOCKS_MAX && now <= self.begins_by(&wanted) => {
                self.wanted.push_back(wanted);
                self.give_up_late(now, actions);
            }
            Some(_) | None => actions.push(outcome(unlock, UnlockOutcome::NotSent)),
        }
    }

    fn watch(&mut self, compartments: &[CompartmentId]) {
        for board in &mut self.boards {
            board.watched = 0;
        }
        for (board, channel) in compartments
            .iter()
            .filter_map(|compartment| self.layout.place(*compartment))
        {
            self.boards[board].watched |= channel.bit();
        }
    }

    fn opened(&mut self, port: PortIndex, now: Monotonic, actions: &mut Vec<BusAction>) {
        if self.ports[port.0].open {
            self.lost(port, actions);
        }
        let state = &mut self.ports[port.0];
        state.wire.reset();
        state.put_off = None;
        state.open = true;
        state.sweep_due = now;
        if state.found.replace(true) != Some(true) {
            let port = self.layout.ports[port.0].name.clone();
            actions.push(BusAction::Report(Input::PortFound { port }));
        }
        self.forget(port);
    }

    fn lost(&mut self, port: PortIndex, actions: &mut Vec<BusAction>) {
        let state = &mut self.ports[port.0];
        state.open = false;
        if let Some(Exchange {
            purpose: Purpose::Unlock(unlock),
            ..
        }) = state.wire.reset()
        {
            actions.push(outcome(unlock, UnlockOutcome::Uncertain));
        }
        if state.found.replace(false) != Some(false) {
            let port = self.layout.ports[port.0].name.clone();
            actions.push(BusAction::Report(Input::PortLost { port }));
        }
        self.forget(port);
        let boards = &self.layout.boards;
        self.wanted.retain(|wanted| {
            let stays = boards[wanted.board].port != port;
            if !stays {
                actions.push(outcome(wanted.unlock, UnlockOutcome::NotSent));
            }
            stays
        });
    }

    fn forget(&mut self, port: PortIndex) {
        for (place, board) in self.layout.boards.iter().zip(&mut self.boards) {
            if place.port == port {
                board.forget(place.mapped);
            }
        }
    }

    fn pass_time(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        if !self.ports[port].open {
            return;
        }
        self.listen(port, now, actions);
        let wire = &mut self.ports[port].wire;
        wire.settle(now);
        let Some((exchange, garbled)) = wire.give_up(now) else {
            return;
        };
        if exchange.purpose == Purpose::Key {
            self.key_missed(now, actions);
            return;
        }
        let silent_by_nature = wire.profile.unlock_answer != UnlockAnswer::Always;
        let (rubbish, begun) = wire.rubbish(&exchange);
        let place = &self.layout.boards[exchange.board];
        let board = &mut self.boards[exchange.board];
        if let Purpose::Unlock(unlock) = exchange.purpose {
            board.urgent |= place.mapped & command_bit(exchange.request.command);
            let quiet = silent_by_nature && !garbled;
            let how = if quiet {
                UnlockOutcome::Sent
            } else {
                UnlockOutcome::Uncertain
            };
            actions.push(outcome(unlock, how));
            if silent_by_nature {
                return;
            }
        }
        self.missed(exchange.board, garbled, now, actions);
        if !garbled {
            self.boards[exchange.board].twins.missed();
        } else if exchange.purpose == Purpose::Read
            && self.boards[exchange.board].twins.garbled(
                command_door(exchange.request.command),
                rubbish,
                begun,
            )
        {
            self.report_shared(exchange.board, actions);
        }
        if exchange.purpose == Purpose::Handshake && self.boards[exchange.board].life == Life::Quarantined {
            self.refuse_all(exchange.board, actions);
            self.report_refusal(exchange.board, actions);
        }
    }

    fn missed(&mut self, board: usize, garbled: bool, now: Monotonic, actions: &mut Vec<BusAction>) {
        let place = &self.layout.boards[board];
        if self.boards[board].missed(garbled, place.mapped, now) {
            actions.push(BusAction::Report(Input::BoardLost { board: place.id }));
        }
    }

    /// Without a session nothing can be unlocked there: says so at once, so that one dead board does not keep the wire.
    fn refuse_all(&mut self, board: usize, actions: &mut Vec<BusAction>) {
        self.wanted.retain(|wanted| {
            let stays = wanted.board != board;
            if !stays {
                actions.push(outcome(wanted.unlock, UnlockOutcome::NotSent));
            }
            stays
        });
    }

    /// The last moment to begin an unlock, so that the board has heard all of it by its `not_after`.
    fn begins_by(&self, wanted: &Wanted) -> Monotonic {
        let wire = &self.ports[self.layout.boards[wanted.board].port.0].wire;
        let took_us = wire.took_us(usize::from(wire.profile.unlock_bytes));
        Monotonic::from_micros(wanted.not_after.as_micros().saturating_sub(took_us))
    }

    /// Answers the unlocks that can no longer be sent in time.
    fn give_up_late(&mut self, now: Monotonic, actions: &mut Vec<BusAction>) {
        let mut index = 0;
        while let Some(wanted) = self.wanted.get(index).copied() {
            let (until, begins_by) = (self.ready_at(&wanted), self.begins_by(&wanted));
            let late = if until > begins_by {
                UnlockOutcome::Resting { until }
            } else if now > begins_by {
                UnlockOutcome::NotSent
            } else {
                index += 1;
                continue;
            };
            self.wanted.remove(index);
            actions.push(outcome(wanted.unlock, late));
        }
    }
}

fn outcome(unlock: Seq, outcome: UnlockOutcome) -> BusAction {
    BusAction::Report(Input::UnlockAnswered { unlock, outcome })
}

fn command_bit(command: Command) -> u64 {
    command_door(command).map_or(0, Channel::bit)
}

/// The one door that a command is about.
const fn command_door(command: Command) -> Option<Channel> {
    match command {
        Command::Unlock(channel) | Command::ReadDoor(channel) => Some(channel),
        Command::UnlockAll
        | Command::ReadAll { .. }
        | Command::SetReports(_)
        | Command::ReadVersion
        | Command::AllOff
        | Command::Handshake => None,
    }
}
