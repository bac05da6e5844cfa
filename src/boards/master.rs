//! The bus master: what goes over each port next, and what an answer means (pure).
//!
//! On each port one exchange at a time, chosen in this order: an unlock that may be sent now; the packed
//! read of the next board, when one is due; single reads of doors that seem to have changed; single reads of
//! watched doors, board by board. Silent boards are left out and probed now and then; an unlock to one is
//! tried at once.

use std::collections::VecDeque;

use firmware_protocol::{
    Answer, BoardState, Channel, Command, Content, DoorMap, DoorReading, Frame, Request, UnlockResult,
};
use office_protocol::event::TamperSource;
use office_protocol::{BoardId, CompartmentId, PortName, Seq};

use crate::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};

use super::Work;
use super::duty::Duty;
pub use super::health::{BoardStatistics, Life};
pub use super::wire::Echo;

use super::health::{Health, Noticed, lowest};
use super::layout::{Layout, PortIndex};
use super::wire::{Exchange, Purpose, Wire};

/// How many unlocks may wait; more are answered `NotSent`.
pub const UNLOCKS_MAX: usize = 32;

/// How the bus is run.
#[derive(Clone, Copy, Debug)]
pub struct BusSettings {
    /// How often every door is read while nobody is at the cabinet, in milliseconds.
    pub sweep_ms: u64,
    /// The least time between two such reads on one port, in milliseconds, so that the wire is usually free.
    pub gap_min_ms: u64,
    /// How long a supply is kept for one solenoid after its command has passed, in milliseconds.
    pub solenoid_ms: u64,
    /// How often one lock may be pulsed.
    pub duty: Duty,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            sweep_ms: 500,
            gap_min_ms: 50,
            solenoid_ms: 600,
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
    /// Only time has passed.
    Tick,
}

/// What the bus wants done.
#[derive(Clone, Debug)]
pub enum BusAction {
    /// Write these bytes now.
    Send(PortIndex, Frame),
    /// Tell the engine.
    Report(Input),
}

/// A port at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortView {
    /// Its name.
    pub name: PortName,
    /// Whether it is open.
    pub open: bool,
    /// Whether its echo is as its setting says.
    pub echo: Echo,
    /// Bytes of noise dropped since the start.
    pub noise: u32,
}

/// A board at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardView {
    /// Its number.
    pub id: BoardId,
    /// Where it is in its life.
    pub life: Life,
    /// How long it takes to answer a read, at its slowest of late, in milliseconds.
    pub slowest_ms: Option<u64>,
    /// Whether its commands are authenticated on the wire.
    pub protected: bool,
    /// How it has done since the start.
    pub statistics: BoardStatistics,
}

/// The bus at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusView {
    /// Its ports, in the layout's order.
    pub ports: Vec<PortView>,
    /// Its boards, in the layout's order.
    pub boards: Vec<BoardView>,
    /// Unlocks that wait for their turn.
    pub waiting: usize,
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
    sweep_due: Monotonic,
    boards: Vec<usize>,
    /// Where the turns of packed and of single reads are.
    turn: usize,
    single_turn: usize,
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
}

impl BusMaster {
    /// A master of closed ports.
    #[must_use]
    pub fn new(layout: Layout, settings: BusSettings) -> Self {
        let ports = layout.ports.iter().enumerate().map(|(index, port)| Port {
            wire: Wire::new(port),
            open: false,
            found: None,
            sweep_due: Monotonic::default(),
            boards: (0..layout.boards.len())
                .filter(|board| layout.boards[*board].port.0 == index)
                .collect(),
            turn: 0,
            single_turn: 0,
        });
        Self {
            ports: ports.collect(),
            boards: layout.boards.iter().map(Health::new).collect(),
            supplies_free_at: vec![Monotonic::default(); layout.supplies],
            wanted: VecDeque::with_capacity(UNLOCKS_MAX),
            layout,
            settings,
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
            BusInput::Opened(port) => self.opened(port, now, &mut actions),
            BusInput::Lost(port) => self.lost(port, &mut actions),
            BusInput::Received(port, bytes) => self.received(port, bytes, now, &mut actions),
            BusInput::Tick => {}
        }
        for port in 0..self.ports.len() {
            self.pass_time(port, now, &mut actions);
        }
        self.give_up_late(now, &mut actions);
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
        let unlocks = self.wanted.iter().map(|wanted| wanted.not_after.plus_millis(1));
        wires.chain(speech).chain(unlocks).min()
    }

    /// How it is.
    #[must_use]
    pub fn view(&self) -> BusView {
        let ports = self
            .layout
            .ports
            .iter()
            .zip(&self.ports)
            .map(|(place, port)| PortView {
                name: place.name.clone(),
                open: port.open,
                echo: port.wire.echo,
                noise: port.wire.dropped(),
            });
        let boards = self
            .layout
            .boards
            .iter()
            .zip(&self.boards)
            .map(|(place, board)| BoardView {
                id: place.id,
                life: board.life,
                slowest_ms: board.slowest_ms(),
                protected: self.ports[place.port.0].wire.profile.protected,
                statistics: board.statistics,
            });
        BusView {
            ports: ports.collect(),
            boards: boards.collect(),
            waiting: self.wanted.len(),
        }
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
        let place = place.filter(|(board, _)| self.ports[self.layout.boards[*board].port.0].open);
        match place.map(|(board, channel)| Wanted {
            unlock,
            board,
            channel,
            not_after,
        }) {
            Some(wanted)
                if self.wanted.len() < UNLOCKS_MAX && self.ready_at(&wanted).max(now) <= not_after =>
            {
                self.wanted.push_back(wanted);
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

    fn received(&mut self, port: PortIndex, bytes: &[u8], now: Monotonic, actions: &mut Vec<BusAction>) {
        if !self.ports[port.0].open {
            return;
        }
        // What was incomplete before a silence is over, whatever comes now.
        self.listen(port.0, now, actions);
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.ports[port.0].wire.push(rest, now);
            self.listen(port.0, now, actions);
        }
    }

    fn listen(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        while let Some(answer) = self.ports[port].wire.next(now) {
            self.heard(port, answer, now, actions);
        }
    }

    fn heard(&mut self, port: usize, answer: Answer, now: Monotonic, actions: &mut Vec<BusAction>) {
        let expected = self.ports[port]
            .wire
            .exchange()
            .is_some_and(|open| answer.answers(&open.request));
        if expected {
            self.answered(port, answer.content, now, actions);
            return;
        }
        let places = self.layout.boards.iter();
        let from = places
            .zip(&mut self.boards)
            .find(|(place, _)| place.port.0 == port && place.address == answer.board);
        let Some((place, board)) = from else { return };
        if let Content::Unasked { channel, .. } = answer.content {
            board.statistics.unasked += 1;
            board.urgent |= channel.bit() & place.mapped;
        } else {
            board.statistics.stray += 1;
        }
    }

    fn answered(&mut self, port: usize, content: Content, now: Monotonic, actions: &mut Vec<BusAction>) {
        let Some((exchange, took_ms)) = self.ports[port].wire.finish(now) else {
            return;
        };
        let place = &self.layout.boards[exchange.board];
        let board = &mut self.boards[exchange.board];
        let read = (exchange.purpose == Purpose::Read).then_some(took_ms);
        if board.answered(read) {
            actions.push(BusAction::Report(Input::BoardFound { board: place.id }));
        }
        let inverted = place.inverted;
        match content {
            Content::Unlocked {
                channel,
                result,
                door,
            } => {
                board.urgent |= channel.bit() & place.mapped;
                if let Purpose::Unlock(unlock) = exchange.purpose {
                    let trusted = self.ports[port].wire.echo != Echo::Contradicted;
                    let opened = with(door, channel, inverted) == DoorReading::Open;
                    actions.push(outcome(unlock, meaning(result, opened, trusted)));
                }
            }
            Content::Door { channel, door } => {
                let mut doors = DoorMap::default();
                doors.set(channel, with(door, channel, inverted));
                let noticed = board.read(doors, place.mapped);
                self.report_doors(exchange.board, noticed, actions);
            }
            Content::State(state) => self.state(exchange.board, state, actions),
            Content::AllUnlocked | Content::ReportsSet(_) | Content::Version(_) | Content::Unasked { .. } => {
            }
        }
    }

    fn state(&mut self, index: usize, state: BoardState, actions: &mut Vec<BusAction>) {
        let place = &self.layout.boards[index];
        let board = &mut self.boards[index];
        let doors = DoorMap {
            known: state.doors.known,
            open: state.doors.open ^ place.inverted,
        };
        let noticed = board.read(doors, place.mapped);
        if let Some(items) = state.items.map(|items| items & place.mapped) {
            let mut changed = board.items.map_or(place.mapped, |before| before ^ items);
            board.items = Some(items);
            while let Some(channel) = lowest(changed) {
                changed &= !channel.bit();
                if let Some(compartment) = place.compartment(channel) {
                    let present = items & channel.bit() != 0;
                    actions.push(BusAction::Report(Input::ItemRead { compartment, present }));
                }
            }
        }
        let tampered = state.tampered.unwrap_or(false);
        if tampered && !board.tampered {
            actions.push(BusAction::Report(Input::Tampered {
                source: TamperSource::Contact,
            }));
        }
        board.tampered = tampered;
        self.report_doors(index, noticed, actions);
    }

    fn report_doors(&self, index: usize, noticed: Noticed, actions: &mut Vec<BusAction>) {
        let mut report = noticed.report;
        while let Some(channel) = lowest(report) {
            report &= !channel.bit();
            if let Some(compartment) = self.layout.boards[index].compartment(channel) {
                let open = self.boards[index].is_open(channel);
                let first = noticed.first & channel.bit() != 0;
                actions.push(BusAction::Report(Input::DoorRead {
                    compartment,
                    open,
                    first,
                }));
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
        let place = &self.layout.boards[exchange.board];
        let board = &mut self.boards[exchange.board];
        let silent_by_nature = !wire.profile.unlock_answered;
        match exchange.purpose {
            Purpose::Unlock(unlock) => {
                board.urgent |= place.mapped & command_bit(exchange.request.command);
                actions.push(outcome(unlock, UnlockOutcome::Uncertain));
                if silent_by_nature {
                    return;
                }
            }
            Purpose::Read => {}
        }
        if board.missed(garbled, place.mapped, now) {
            actions.push(BusAction::Report(Input::BoardLost { board: place.id }));
        }
    }

    /// Answers the unlocks that can no longer be sent in time.
    fn give_up_late(&mut self, now: Monotonic, actions: &mut Vec<BusAction>) {
        let mut index = 0;
        while let Some(wanted) = self.wanted.get(index).copied() {
            if self.ready_at(&wanted).max(now) > wanted.not_after {
                self.wanted.remove(index);
                actions.push(outcome(wanted.unlock, UnlockOutcome::NotSent));
            } else {
                index += 1;
            }
        }
    }

    fn ready_at(&self, wanted: &Wanted) -> Monotonic {
        let supply = self.supplies_free_at[self.layout.boards[wanted.board].supply];
        let rest = self.boards[wanted.board].rests[usize::from(wanted.channel.number()) - 1];
        supply.max(rest.ready_at(self.settings.duty))
    }

    /// When this port wants to say something; none while it may not.
    fn speaks_at(&self, port: &Port) -> Option<Monotonic> {
        let free_at = if port.open {
            port.wire.free_at()?
        } else {
            return None;
        };
        let here = |wanted: &&Wanted| port.boards.contains(&wanted.board);
        let unlock = self
            .wanted
            .iter()
            .filter(here)
            .map(|wanted| self.ready_at(wanted))
            .min();
        let boards = port.boards.iter().map(|board| &self.boards[*board]);
        let singles = boards
            .clone()
            .any(|board| board.life != Life::Quarantined && board.urgent | board.watched != 0);
        let next = |board: &Health| {
            if board.life == Life::Quarantined {
                board.probe_at
            } else {
                Monotonic::default()
            }
        };
        let sweep = boards.map(next).min().map(|at| at.max(port.sweep_due));
        let single = singles.then_some(free_at);
        [unlock, sweep, single]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(free_at))
    }

    /// Begins the port's next exchange, if its wire is free and there is something to say.
    fn speak(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        if !self.ports[port].open || self.ports[port].wire.free_at().is_none_or(|at| at > now) {
            return;
        }
        if let Some(wanted) = self.next_unlock(port, now) {
            let command = Command::Unlock(wanted.channel);
            if !self.send(
                port,
                wanted.board,
                command,
                Purpose::Unlock(wanted.unlock),
                now,
                actions,
            ) {
                actions.push(outcome(wanted.unlock, UnlockOutcome::NotSent));
            }
            return;
        }
        let next = self.next_sweep(port, now);
        let next = next
            .or_else(|| self.next_single(port, true))
            .or_else(|| self.next_single(port, false));
        if let Some((board, command)) = next {
            self.send(port, board, command, Purpose::Read, now, actions);
        }
    }

    fn next_unlock(&mut self, port: usize, now: Monotonic) -> Option<Wanted> {
        let boards = &self.ports[port].boards;
        let may = |wanted: &Wanted| boards.contains(&wanted.board) && self.ready_at(wanted) <= now;
        let index = self.wanted.iter().position(may)?;
        self.wanted.remove(index)
    }

    fn next_sweep(&mut self, port: usize, now: Monotonic) -> Option<(usize, Command)> {
        let state = &mut self.ports[port];
        let count = state.boards.len();
        if state.sweep_due > now {
            return None;
        }
        let step =
            (0..count).find(|step| self.boards[state.boards[(state.turn + step) % count]].askable(now))?;
        let board = state.boards[(state.turn + step) % count];
        state.turn = (state.turn + step + 1) % count;
        let learning = state
            .boards
            .iter()
            .any(|board| self.boards[*board].life != Life::Quarantined && self.boards[*board].fresh != 0);
        let gap = (self.settings.sweep_ms / count.max(1) as u64).max(self.settings.gap_min_ms);
        state.sweep_due = if learning { now } else { now.plus_millis(gap) };
        Some((board, self.packed(board)))
    }

    fn next_single(&mut self, port: usize, urgent: bool) -> Option<(usize, Command)> {
        let state = &mut self.ports[port];
        let count = state.boards.len();
        for step in 0..count {
            let turn = (state.single_turn + step) % count;
            let index = state.boards[turn];
            let board = &mut self.boards[index];
            if board.life == Life::Quarantined {
                continue;
            }
            if let Some(channel) = board.next_single(urgent) {
                state.single_turn = (turn + 1) % count;
                let reads_one = state.wire.profile.reads_one;
                return Some((
                    index,
                    if reads_one {
                        Command::ReadDoor(channel)
                    } else {
                        self.packed(index)
                    },
                ));
            }
        }
        None
    }

    fn packed(&self, board: usize) -> Command {
        Command::ReadAll {
            channels: self.layout.boards[board].channels,
        }
    }

    fn send(
        &mut self,
        port: usize,
        board: usize,
        command: Command,
        purpose: Purpose,
        now: Monotonic,
        actions: &mut Vec<BusAction>,
    ) -> bool {
        let wire = &mut self.ports[port].wire;
        let place = &self.layout.boards[board];
        let health = &mut self.boards[board];
        let patience = match purpose {
            Purpose::Unlock(_) => u64::from(wire.profile.unlock_limit_ms),
            Purpose::Read => health.patience_ms(&wire.profile),
        };
        let request = Request {
            board: place.address,
            sequence: 0,
            command,
        };
        let Some(frame) = wire.begin(board, request, purpose, patience, now) else {
            return false;
        };
        health.statistics.asked += 1;
        if let (Purpose::Unlock(_), Command::Unlock(channel)) = (purpose, command) {
            health.statistics.pulses += 1;
            health.rests[usize::from(channel.number()) - 1].pulsed(self.settings.duty, now);
            let passed = now.plus_millis(wire.took_ms(frame.len()));
            self.supplies_free_at[place.supply] = passed.plus_millis(self.settings.solenoid_ms);
        }
        actions.push(BusAction::Send(PortIndex(port), frame));
        true
    }
}

fn outcome(unlock: Seq, outcome: UnlockOutcome) -> BusAction {
    BusAction::Report(Input::UnlockAnswered { unlock, outcome })
}

/// What a board's answer to an unlock is worth. "Not opened" may only mean that the door has not moved yet or
/// that its sensor is dead, so the readings that follow decide. On a port whose echo contradicts its setting
/// an answer may be our own words.
const fn meaning(result: UnlockResult, opened: bool, trusted: bool) -> UnlockOutcome {
    match result {
        _ if !trusted => UnlockOutcome::Uncertain,
        UnlockResult::Taken if opened => UnlockOutcome::Opened,
        UnlockResult::Taken => UnlockOutcome::Acknowledged,
        UnlockResult::Failed | UnlockResult::Refused => UnlockOutcome::Refused,
    }
}

fn with(door: DoorReading, channel: Channel, inverted: u64) -> DoorReading {
    use firmware_protocol::Polarity::{AsDocumented, Inverted};
    door.with(if inverted & channel.bit() != 0 {
        Inverted
    } else {
        AsDocumented
    })
}

const fn command_bit(command: Command) -> u64 {
    match command {
        Command::Unlock(channel) | Command::ReadDoor(channel) => channel.bit(),
        Command::UnlockAll | Command::ReadAll { .. } | Command::SetReports(_) | Command::ReadVersion => 0,
    }
}
