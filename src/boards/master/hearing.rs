//! What the bytes of a port mean: answers, readings, and what is said unasked (pure).

use firmware_protocol::secure::Refusal;
use firmware_protocol::{Answer, BoardState, Channel, Content, DoorMap, DoorReading, UnlockResult};
use office_protocol::event::TamperSource;
use office_protocol::state::BoardRefusal;

use crate::boards::health::{Noticed, lowest};
use crate::boards::layout::PortIndex;
use crate::boards::wire::{Echo, Purpose};
use crate::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};

use super::{BusAction, BusMaster, command_door, outcome};

/// Reads in a row after which an echo that was wrong counts as right again.
const ECHO_RIGHT: u8 = 16;

impl BusMaster {
    pub(super) fn received(
        &mut self,
        port: PortIndex,
        bytes: &[u8],
        now: Monotonic,
        actions: &mut Vec<BusAction>,
    ) {
        if !self.ports[port.0].open {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.ports[port.0].wire.push(rest, now);
            self.listen(port.0, now, actions);
        }
    }

    pub(super) fn listen(&mut self, port: usize, now: Monotonic, actions: &mut Vec<BusAction>) {
        while let Some(answer) = self.ports[port].wire.next(now) {
            self.heard(port, answer, now, actions);
        }
    }

    fn heard(&mut self, port: usize, answer: Answer, now: Monotonic, actions: &mut Vec<BusAction>) {
        let wire = &self.ports[port].wire;
        // What comes before our request has passed is a late answer to an earlier one.
        let open = wire.exchange().filter(|_| wire.has_passed(now));
        let expected = open.is_some_and(|open| answer.answers(&open.request));
        if expected {
            self.answered(port, answer.content, now, actions);
            return;
        }
        if let Some(index) = self.ports[port].wire.second_answer(&answer, now) {
            self.boards[index].statistics.stray += 1;
            if self.boards[index].twins.doubled() {
                self.report_shared(index, actions);
            }
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
        self.report_echo(port, actions);
        let place = &self.layout.boards[exchange.board];
        let board = &mut self.boards[exchange.board];
        board.answered_at = now;
        // Who only shakes hands is not there yet: a reading has to follow.
        if exchange.purpose == Purpose::Handshake {
            board.statistics.answered += 1;
            return;
        }
        if exchange.purpose == Purpose::Key {
            board.statistics.answered += 1;
            self.key_answered(now, actions);
            return;
        }
        let read = (exchange.purpose == Purpose::Read).then_some(took_ms);
        if board.answered(read) {
            actions.push(BusAction::Report(Input::BoardFound { board: place.id }));
        }
        if read.is_some() && board.twins.answered(command_door(exchange.request.command)) {
            actions.push(BusAction::Report(Input::AddressAlone { board: place.id }));
        }
        let inverted = place.inverted;
        match content {
            Content::Unlocked {
                channel,
                result,
                door,
                item: _, // the read that follows tells it as well
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
                let noticed = board.read(channel.bit(), doors, place.mapped);
                self.report_doors(exchange.board, noticed, actions);
            }
            Content::State(state) => self.state(exchange.board, state, actions),
            Content::AllUnlocked
            | Content::ReportsSet(_)
            | Content::Version(_)
            | Content::Handshake
            | Content::Unasked { .. } => {}
            Content::AllOff => board.rested(),
        }
    }

    fn state(&mut self, index: usize, state: BoardState, actions: &mut Vec<BusAction>) {
        let place = &self.layout.boards[index];
        let board = &mut self.boards[index];
        let doors = DoorMap {
            known: state.doors.known,
            open: state.doors.open ^ place.inverted,
        };
        let noticed = board.read(Channel::bits(state.channels), doors, place.mapped);
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
        let contact = (state.tampered, &mut board.tampered, TamperSource::Contact);
        let shock = (state.shaken, &mut board.shaken, TamperSource::Shock);
        for (told, before, source) in [contact, shock] {
            let now = told.unwrap_or(false);
            if now && !std::mem::replace(before, now) {
                actions.push(BusAction::Report(Input::Tampered { source }));
            }
            *before = now;
        }
        if let Some(mains) = state.mains {
            board.mains = Some(mains);
            self.report_power(actions);
        }
        self.report_doors(index, noticed, actions);
    }

    /// Anybody on the line can say that a board refuses: it is for people to read.
    pub(super) fn report_refusal(&mut self, index: usize, actions: &mut Vec<BusAction>) {
        let place = &self.layout.boards[index];
        let wire = &mut self.ports[place.port.0].wire;
        let refusal = wire
            .secure()
            .and_then(|ends| ends.controller.refusal(place.address));
        let why = match refusal {
            Some(Refusal::UnknownKey(_)) => BoardRefusal::UnknownKey,
            Some(Refusal::NoCommonVersion(_)) => BoardRefusal::NoCommonVersion,
            Some(Refusal::ButtonNotHeld(_)) | None => return,
        };
        let board = place.id;
        if self.boards[index].refused.replace(why) != Some(why) {
            actions.push(BusAction::Report(Input::BoardRefused { board, why }));
        }
    }

    /// A wrong setting is said at once, and that it is over when it has stayed so: noise hides an echo now and then.
    fn report_echo(&mut self, index: usize, actions: &mut Vec<BusAction>) {
        let (place, port) = (&self.layout.ports[index], &mut self.ports[index]);
        let name = place.name.clone();
        match port.wire.echo {
            Echo::Contradicted => {
                port.echo_right = 0;
                if !std::mem::replace(&mut port.echo_wrong, true) {
                    let echoes = !place.echo;
                    actions.push(BusAction::Report(Input::EchoWrong { port: name, echoes }));
                }
            }
            Echo::Proven if port.echo_wrong => {
                port.echo_right += 1;
                if port.echo_right >= ECHO_RIGHT {
                    (port.echo_wrong, port.echo_right) = (false, 0);
                    actions.push(BusAction::Report(Input::EchoRight { port: name }));
                }
            }
            Echo::Proven | Echo::Unproven => {}
        }
    }

    /// The cabinet is on mains while no board says otherwise.
    fn report_power(&mut self, actions: &mut Vec<BusAction>) {
        let mains = self.boards.iter().all(|board| board.mains != Some(false));
        if self.mains.replace(mains) != Some(mains) {
            actions.push(BusAction::Report(Input::PowerChanged { mains }));
        }
    }

    pub(super) fn report_shared(&self, index: usize, actions: &mut Vec<BusAction>) {
        let place = &self.layout.boards[index];
        actions.push(BusAction::Report(Input::AddressShared {
            board: place.id,
            port: self.layout.ports[place.port.0].name.clone(),
            address: place.address.0,
        }));
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
