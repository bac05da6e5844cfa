//! Whose turn it is on a free wire: unlocks, packed reads, single reads (pure).

use firmware_protocol::{Command, Request};

use crate::boards::health::{Health, Life, lowest};
use crate::boards::layout::PortIndex;
use crate::boards::wire::Purpose;
use crate::cabinet::vocabulary::{Monotonic, UnlockOutcome};

use super::{BusAction, BusMaster, Port, Wanted, outcome};

impl BusMaster {
    pub(super) fn ready_at(&self, wanted: &Wanted) -> Monotonic {
        let supply = self.supplies_free_at[self.layout.boards[wanted.board].supply];
        let rest = self.boards[wanted.board].rests[usize::from(wanted.channel.number()) - 1];
        supply.max(rest.ready_at(self.settings.duty))
    }

    /// When this port wants to say something; none while it may not.
    pub(super) fn speaks_at(&self, port: &Port) -> Option<Monotonic> {
        let free_at = if port.open {
            port.wire.free_at()?
        } else {
            return None;
        };
        let here = |wanted: &&Wanted| port.boards.contains(&wanted.board) && !self.gets_key(wanted.board);
        let unlock = self
            .wanted
            .iter()
            .filter(here)
            .map(|wanted| self.ready_at(wanted))
            .min();
        let asked = port.boards.iter().filter(|board| !self.gets_key(**board));
        let boards = asked.map(|board| &self.boards[*board]);
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
        let single = (singles || port.put_off.is_some()).then_some(free_at);
        [unlock, sweep, single, self.key_due_at(&port.boards)]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(free_at))
    }

    /// Begins the port's next exchange, if its wire is free and there is something to say.
    pub(super) fn speak(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        if !self.ports[port].open || self.ports[port].wire.free_at().is_none_or(|at| at > now) {
            return;
        }
        if let Some(index) = self.next_unlock(port, now) {
            let board = self.wanted[index].board;
            if let Some(step) = self.owed(port, board, now)
                && self.send(port, board, step, Purpose::Handshake, now, actions)
            {
                return;
            }
            self.pulse(port, index, now, actions);
            return;
        }
        if self.ask_for_key(port, now, actions) {
            return;
        }
        let Some((board, command)) = self.next_read(port, now) else {
            return;
        };
        if let Some(step) = self.owed(port, board, now) {
            if self.send(port, board, step, Purpose::Handshake, now, actions) {
                self.ports[port].put_off = Some((board, command));
            } else {
                self.missed(board, false, now, actions);
            }
        } else {
            self.send(port, board, command, Purpose::Read, now, actions);
        }
    }

    /// What the board wants to have exchanged before it is asked anything.
    fn owed(&self, port: usize, board: usize, now: Monotonic) -> Option<Command> {
        let silent = self.boards[board].answered_at.until(now).as_millis();
        let silent_ms = u64::try_from(silent).unwrap_or(u64::MAX);
        self.ports[port]
            .wire
            .owes(self.layout.boards[board].address, silent_ms)
    }

    fn pulse(&mut self, port: usize, index: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        let Some(wanted) = self.wanted.remove(index) else {
            return;
        };
        let (command, purpose) = (Command::Unlock(wanted.channel), Purpose::Unlock(wanted.unlock));
        if !self.send(port, wanted.board, command, purpose, now, actions) {
            actions.push(outcome(wanted.unlock, UnlockOutcome::NotSent));
        }
    }

    fn next_read(&mut self, port: usize, now: Monotonic) -> Option<(usize, Command)> {
        let put_off = self.ports[port].put_off.take();
        put_off
            .filter(|(board, _)| self.is_askable(*board, now))
            .or_else(|| self.next_sweep(port, now))
            .or_else(|| self.next_single(port, true))
            .or_else(|| self.next_single(port, false))
    }

    fn next_unlock(&self, port: usize, now: Monotonic) -> Option<usize> {
        let boards = &self.ports[port].boards;
        let may = |wanted: &Wanted| {
            boards.contains(&wanted.board) && !self.gets_key(wanted.board) && self.ready_at(wanted) <= now
        };
        self.wanted.iter().position(may)
    }

    fn is_askable(&self, board: usize, now: Monotonic) -> bool {
        !self.gets_key(board) && self.boards[board].askable(now)
    }

    fn next_sweep(&mut self, port: usize, now: Monotonic) -> Option<(usize, Command)> {
        let state = &self.ports[port];
        let count = state.boards.len();
        if state.sweep_due > now {
            return None;
        }
        let at = |step: usize| state.boards[(state.turn + step) % count];
        let step = (0..count).find(|step| self.is_askable(at(*step), now))?;
        let board = at(step);
        let state = &mut self.ports[port];
        state.turn = (state.turn + step + 1) % count;
        let learning = state
            .boards
            .iter()
            .any(|board| self.boards[*board].life != Life::Quarantined && self.boards[*board].untold != 0);
        let profile = state.wire.profile;
        let mut turns = count as u64;
        if !profile.reads_all {
            let mapped = |board: &usize| u64::from(self.layout.boards[*board].mapped.count_ones());
            turns = state.boards.iter().map(mapped).sum();
        }
        let gap = (self.settings.sweep_ms / turns.max(1)).max(self.settings.gap_min_ms);
        state.sweep_due = if learning { now } else { now.plus_millis(gap) };
        let supply_free = self.supplies_free_at[self.layout.boards[board].supply] <= now;
        if profile.left_on && supply_free && self.boards[board].takes_rest() {
            return Some((board, Command::AllOff));
        }
        if profile.reads_all {
            return Some((board, self.whole(port, board)));
        }
        let channel = self.boards[board].next_swept(self.layout.boards[board].mapped)?;
        Some((board, Command::ReadDoor(channel)))
    }

    fn next_single(&mut self, port: usize, urgent: bool) -> Option<(usize, Command)> {
        let state = &mut self.ports[port];
        let count = state.boards.len();
        for step in 0..count {
            let turn = (state.single_turn + step) % count;
            let index = state.boards[turn];
            let rests = self.installing.as_ref().is_some_and(|one| one.is(index));
            let board = &mut self.boards[index];
            if rests || board.life == Life::Quarantined {
                continue;
            }
            if let Some(channel) = board.next_single(urgent) {
                state.single_turn = (turn + 1) % count;
                let reads_one = state.wire.profile.reads_one || !state.wire.profile.reads_all;
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

    /// The packed read; as long as it could be an echo, a door that tells first.
    fn whole(&mut self, port: usize, board: usize) -> Command {
        let place = &self.layout.boards[board];
        let (command, address) = (self.packed(board), place.address);
        let first = lowest(place.mapped).filter(|_| self.ports[port].wire.profile.reads_one);
        let request = Request {
            board: address,
            sequence: 0,
            command,
        };
        match first {
            Some(channel) if self.ports[port].wire.could_be_an_echo(&request) => Command::ReadDoor(channel),
            Some(_) | None => command,
        }
    }

    fn packed(&self, board: usize) -> Command {
        Command::ReadAll {
            channels: self.layout.boards[board].channels,
        }
    }

    pub(super) fn send(
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
            Purpose::Key => u64::from(wire.profile.reply_limit_ms),
            Purpose::Read | Purpose::Handshake => health.patience_ms(&wire.profile),
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
            let passed = now.plus_millis(wire.took_us(frame.len()).div_ceil(1000));
            let driven = u64::from(place.pulse_ms) + self.settings.solenoid_rest_ms;
            self.supplies_free_at[place.supply] = passed.plus_millis(driven);
        }
        actions.push(BusAction::Send(PortIndex(port), frame));
        true
    }
}
