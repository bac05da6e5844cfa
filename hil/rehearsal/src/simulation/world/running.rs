//! The running daemon: inputs, steps, effects, bytes on the bus, falls and starts.

use std::time::Duration;

use hardware::LineInput;
use lockerd::boards::Work;
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::{BusAction, BusInput};
use lockerd::cabinet::screen::Action;
use lockerd::cabinet::vocabulary::{
    Dice as StepDice, Effect, Input, Moment, Monotonic, UnlockOutcome, Unwritten,
};
use lockerd::documents;
use office_protocol::document::DocumentName;
use office_protocol::{CompartmentId, Digest, Seq, Start};

use super::{INBOX_MAX, World, brief};
use crate::simulation::bench::BAUD;
use crate::simulation::daemon::{Daemon, Gone};
use crate::simulation::laws::{Lawful, Shown, hold};
use crate::simulation::network::Heard;

impl World {
    pub(super) fn moment(&mut self) -> Moment {
        Moment {
            now: Monotonic::from_millis(self.now),
            wall: self.wall(),
            trusted: self.trusted,
            dice: StepDice::new(self.chance.bytes()),
        }
    }

    /// Something for the engine; beyond the bound the newest waits outside, here: is lost as a scan or a tap would be.
    pub(super) fn input(&mut self, input: Input) {
        self.take(Heard { input, forged: false });
    }

    pub(super) fn take(&mut self, heard: Heard) {
        if self.daemon.is_some() && self.inbox.len() < INBOX_MAX {
            self.inbox.push_back(heard);
        }
    }

    /// From the network; what the cabinet said there, and what the office stored, is looked at as well.
    pub(super) fn hear(&mut self, heard: Vec<Heard>) -> Lawful {
        for heard in heard {
            if let Input::Acknowledged { tip } = &heard.input {
                self.network.hub.really_has(tip.seq)?;
            }
            self.take(heard);
        }
        for rejection in std::mem::take(&mut self.network.hub.rejected) {
            self.coverage.rejection(rejection);
        }
        for word in std::mem::take(&mut self.network.hub.words) {
            self.coverage.word(word);
        }
        self.network.hub.is_not_fooled()?;
        for said in std::mem::take(&mut self.network.said) {
            self.laws.said(&said)?;
        }
        self.network.hub.agrees_with(&self.laws.events)
    }

    pub(super) fn engine(&mut self) -> Lawful {
        loop {
            let Some(daemon) = &self.daemon else { return Ok(()) };
            if self.busy_until > self.now {
                return Ok(());
            }
            let due = daemon
                .cabinet()
                .next_deadline()
                .filter(|at| at.as_millis() <= self.now);
            let Heard { input, forged } = match self.inbox.pop_front() {
                Some(heard) => heard,
                None if due.is_some() => Heard {
                    input: Input::DeadlineReached,
                    forged: false,
                },
                None => return Ok(()),
            };
            if let Input::Scanned { text } = &input {
                self.laws.shown(Shown::Scanned(text));
            } else if let Input::Tapped(tap) = &input
                && let Action::Digits { digits } = &tap.action
            {
                self.laws.shown(Shown::Typed(digits));
            }
            let before = self.laws.events.len();
            let document = if let Input::DocumentReceived { name, .. } = &input {
                Some(*name)
            } else {
                None
            };
            let reached = matches!(input, Input::DeadlineReached);
            self.decide(input)?;
            if let Some(name) = document {
                self.document_judged(name);
            }
            if forged && due.is_none() {
                self.laws.only_alarms_since(before)?;
            }
            let after = self
                .daemon
                .as_ref()
                .and_then(|daemon| daemon.cabinet().next_deadline());
            hold(
                7,
                !reached || after.is_none_or(|at| at.as_millis() > self.now),
                || format!("a deadline at {after:?} stays due"),
            )?;
        }
    }

    /// What became of a document shows in what the cabinet reports and in what is on the disk.
    fn document_judged(&mut self, name: DocumentName) {
        let Some(daemon) = &self.daemon else { return };
        let reported = daemon.cabinet().authority().reported.get(&name);
        if let Some(refusal) = reported.and_then(|reported| reported.refused) {
            self.coverage.document(refusal);
        }
        let stored = documents::load(&self.disk, name).ok().flatten();
        let digest = stored.map(|signed| Digest::of(&signed.bytes));
        if digest.is_some() && digest != self.stored_documents.insert(name, digest).flatten() {
            self.coverage.document_stored();
        }
    }

    pub(super) fn decide(&mut self, input: Input) -> Lawful {
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let done = daemon.step(&moment, input);
        self.after(done)
    }

    /// A step is over: its events are on disk and its effects may go out, or there is no daemon any more.
    pub(super) fn after(&mut self, done: Result<Vec<Effect>, Gone>) -> Lawful {
        let effects = match done {
            Ok(effects) => effects,
            Err(Gone::Refuses(why)) => return hold(2, false, || why),
            Err(Gone::Stopped(why)) => {
                self.fall(&why, None);
                return Ok(());
            }
        };
        let written = self.take_in_events()?;
        let waited = self.disk.take_waited_ms();
        if written || waited > 0 {
            let latency = if self.slow_ms > 0 {
                self.chance.between(1, self.slow_ms)
            } else {
                2
            };
            self.busy_until = self.now + latency + waited;
        }
        let at = self.busy_until.max(self.now);
        for effect in effects {
            self.coverage.effect(&effect);
            if let Effect::Unlock {
                compartment,
                unlock,
                not_after,
            } = &effect
            {
                self.laws
                    .handed_out(*unlock, *compartment, not_after.as_millis())?;
            }
            self.handed.push_back((at, effect));
        }
        if let Some(daemon) = &self.daemon {
            self.network.tell(self.now, &self.identity, daemon.cabinet());
        }
        self.draw()
    }

    /// Reads what became durable, as anybody beside the writer would, and holds it against the laws.
    pub(super) fn take_in_events(&mut self) -> Lawful<bool> {
        let before = self.laws.events.len();
        while let Some(daemon) = &mut self.daemon {
            let from = self.laws.events.len() as u64 + 1;
            let records = daemon.reader.read_from(from, 64, 1 << 20).unwrap_or_default();
            if records.is_empty() {
                break;
            }
            for record in records {
                let (event, code) = self.laws.durable(&record, &self.bench, &self.office)?;
                self.coverage.event(&event.body);
                let visit = event.visit.unwrap_or(Seq::ZERO);
                let (kind, brief) = (event.body.kind(), brief(&event.body));
                self.trace.note(
                    self.now,
                    format_args!("event {} {kind} visit {visit} {brief}", event.seq),
                );
                self.crowd.happened(&event, code, &mut self.bench);
                self.hung(&event.body);
            }
        }
        let count = self.laws.events.len() - before;
        self.laws.group(count)?;
        if let Some(daemon) = &self.daemon
            && count > 0
        {
            self.laws.replayed(daemon.cabinet().ledger())?;
            let tip = self.laws.ledger().tip.seq;
            let heard = self.network.tip(self.now, tip);
            self.hear(heard)?;
        }
        Ok(count > 0)
    }

    pub(super) fn draw(&mut self) -> Lawful {
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let view = daemon.cabinet().view();
        self.laws.conversation(&view);
        let shown = Some((view.session, view.revision));
        if self.seen_view != shown {
            self.seen_view = shown;
            self.coverage.screen(&view.screen);
            self.laws.drawn(&view)?;
        }
        let watched: Vec<CompartmentId> = daemon.cabinet().watched().collect();
        if watched != daemon.watched {
            daemon.watched.clone_from(&watched);
            self.bus(BusInput::Work(&Work::Watch(watched)))?;
        }
        Ok(())
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> Lawful {
        match effect {
            Effect::Unlock {
                compartment,
                unlock,
                not_after,
            } => self.bus(BusInput::Work(&Work::Unlock {
                compartment,
                unlock,
                not_after,
            })),
            Effect::Reply(reply) => {
                self.trace
                    .note(self.now, format_args!("reply to command {}", reply.number));
                self.network.reply(self.now, &self.identity, &reply);
                Ok(())
            }
            Effect::StoreDocument { .. } => Ok(()),
            Effect::WriteWiring { found } => {
                let outcome = self.may_write();
                if outcome.is_ok() {
                    self.bench.write_settings(&found);
                }
                self.input(Input::WiringWritten(outcome));
                Ok(())
            }
            Effect::KeepReport { name, .. } => {
                let outcome = self.may_write().map(|()| name.into());
                self.input(Input::ReportKept(outcome));
                Ok(())
            }
            // No simulated board has a key.
            Effect::InstallBoardKey { .. } | Effect::KeepBoardKey { .. } => Ok(()),
            Effect::Restart => {
                self.fall("asked to restart", Some(1_000));
                Ok(())
            }
        }
    }

    /// While things break, a file is often not written.
    fn may_write(&mut self) -> Result<(), Unwritten> {
        let breaks = self.next_fault.is_some() && self.fault_dice.percent(50);
        let (path, problem) = ("settings".into(), "for a reason".into());
        match self.fault_dice.below(3) {
            _ if !breaks => Ok(()),
            0 => Err(Unwritten::Protected { path }),
            1 => Err(Unwritten::Unusable { problem }),
            _ => Err(Unwritten::Failed { problem }),
        }
    }

    pub(super) fn bus(&mut self, input: BusInput<'_>) -> Lawful {
        if self.bench.bare().is_some() {
            return self.without_a_bus(input);
        }
        let now = Monotonic::from_millis(self.now);
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        for action in daemon.bus.handle(input, now) {
            match action {
                BusAction::Send(_, frame) => {
                    self.wire_is_free(frame.len())?;
                    if self.plugged_at.is_none() {
                        let written = LineInput::Written(&frame);
                        self.bench.line_input(written, self.now, &mut self.delivered);
                    }
                }
                BusAction::Report(input) => self.input(input),
                BusAction::KeepKeys(..) => {}
            }
        }
        self.listen()
    }

    /// What the bus would do, done at once.
    fn without_a_bus(&mut self, input: BusInput<'_>) -> Lawful {
        let at = Duration::from_millis(self.now);
        let Some(bare) = self.bench.bare() else {
            return Ok(());
        };
        match input {
            BusInput::Opened(_) => bare.forget_readings(),
            BusInput::Work(Work::Unlock {
                compartment, unlock, ..
            }) => {
                bare.pulse(*compartment, at);
                self.input(Input::UnlockAnswered {
                    unlock: *unlock,
                    outcome: UnlockOutcome::Acknowledged,
                });
            }
            BusInput::Work(Work::Watch(_) | Work::InstallKey { .. } | Work::KeepKey { .. })
            | BusInput::Lost(_)
            | BusInput::Received(..)
            | BusInput::KeysKept { .. }
            | BusInput::Tick => {}
        }
        self.listen()
    }

    /// Law 6: the controller says one thing at a time.
    fn wire_is_free(&mut self, bytes: usize) -> Lawful {
        hold(6, self.wire_busy_until <= self.now, || {
            "a request was sent while another was still on the wire".to_owned()
        })?;
        let took_ms = bytes as u64 * 10_000 / BAUD;
        self.wire_busy_until = self.now + took_ms;
        Ok(())
    }

    /// Bytes have come up the line, and perhaps a solenoid was driven.
    pub(super) fn listen(&mut self) -> Lawful {
        for pulsed in self.bench.new_pulses() {
            let unlock = self.laws.pulsed(pulsed, self.now, &self.bench)?;
            let door = pulsed.door;
            self.trace
                .note(self.now, format_args!("pulse at {door} for {unlock}"));
        }
        if let Some(bare) = self.bench.bare() {
            let readings = bare.readings();
            readings.into_iter().for_each(|reading| self.input(reading));
        }
        if self.delivered.is_empty() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.delivered);
        if self.plugged_at.is_none() {
            self.bus(BusInput::Received(PortIndex(0), &bytes))?;
        }
        if self.delivered.is_empty() {
            bytes.clear();
            self.delivered = bytes; // its room is used again
        }
        Ok(())
    }

    /// The daemon is gone; it comes back by itself.
    pub(super) fn fall(&mut self, why: &str, off_ms: Option<u64>) {
        self.trace
            .note(self.now, format_args!("the daemon is gone: {why}"));
        self.daemon = None;
        self.network.fell(self.now);
        self.inbox.clear();
        self.handed.clear();
        self.asked.clear();
        let off_ms = off_ms.unwrap_or_else(|| self.fault_dice.between(1_000, 60_000));
        self.restart_at.get_or_insert(self.now + off_ms);
    }

    pub(super) fn restart(&mut self) -> Lawful {
        self.restart_at = None;
        if self.disk.has_crashed() {
            self.disk.restart();
        } else {
            self.disk.kill();
        }
        self.starts += 1;
        self.bench.start();
        let start = Start(self.chance.number());
        let moment = self.moment();
        let opened = Daemon::open(
            &self.disk,
            &self.identity,
            &self.office,
            (&self.bench, self.swarm.served && self.starts == 1),
            &self.keys,
            start,
            &moment,
        );
        let (starts, durable) = (self.starts, self.laws.events.len());
        self.trace
            .note(self.now, format_args!("start {starts} with {durable} events"));
        self.busy_until = self.now;
        self.seen_view = None;
        let effects = opened.map(|(daemon, effects, sync)| {
            self.network
                .started((sync, start), daemon.engine.reader(), self.now);
            self.daemon = Some(daemon);
            effects
        });
        self.after(effects)?;
        let recovered = self.daemon.is_none() || self.laws.events.len() > durable;
        hold(2, recovered, || {
            format!("{durable} events were durable, but the journal holds fewer after a start")
        })?;
        if self.plugged_at.is_none() {
            self.bus(BusInput::Opened(PortIndex(0)))?;
        }
        Ok(())
    }
}
