//! One world: a cabinet, its body, its people, its faults, and a clock that jumps from one thing to the next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hardware::{Hand, LineInput};
use lockerd::boards::Work;
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::{BusAction, BusInput};
use lockerd::cabinet::screen::{Action, SessionId, Tap, View};
use lockerd::cabinet::vocabulary::{Dice as StepDice, Effect, Input, Moment, Monotonic};
use office_protocol::event::TamperSource;
use office_protocol::{CabinetId, CompartmentId, EventBody, Seq, Start, Timestamp};

use super::bench::Bench;
use super::crowd::Crowd;
use super::daemon::{Daemon, Gone, Identity};
use super::dice::Dice;
use super::faults::{self, Fault};
use super::laws::{Lawful, Laws, hold};
use super::office::Office;
use super::people::{Move, Person, Sight};
use super::trace::Trace;
use crate::disk::SimulatedDisk;

/// The wall clock at the beginning: a morning in 2026.
const EPOCH_MS: i64 = 1_790_000_000_000;
/// Inputs that may wait for a slow engine; the daemon's channel holds as many.
const INBOX_MAX: usize = 256;
/// With nobody there, the screen must be home after this long.
const HOME_AGAIN_MS: u64 = 300_000;
/// Small enough to fill up now and then.
const DISK_BYTES: u64 = 8 << 20;
/// The scanner's port.
const SCANNER: &str = "scanner";

/// One seed's world.
pub(super) struct World {
    pub(super) now: u64,
    pub(super) trace: Trace,
    pub(super) laws: Laws,
    pub(super) office: Office,
    pub(super) bench: Bench,
    pub(super) crowd: Crowd,
    disk: SimulatedDisk,
    identity: Identity,
    pub(super) daemon: Option<Daemon>,
    restart_at: Option<u64>,
    starts: u64,
    inbox: VecDeque<Input>,
    busy_until: u64,
    slow_ms: u64,
    handed: VecDeque<(u64, Effect)>,
    plugged_at: Option<u64>,
    delivered: Vec<u8>,
    chance: Dice,
    fault_dice: Dice,
    next_fault: Option<(u64, Fault)>,
    offset_ms: i64,
    trusted: bool,
    seen_view: Option<(SessionId, u64)>,
    /// Since when nobody has touched anything.
    quiet_since: u64,
    tidy_at: u64,
    turns: u32,
    asked: BTreeMap<office_protocol::BoardId, (u64, u64)>,
}

impl World {
    pub(super) fn new(seed: u64, keep: bool) -> Self {
        let mut dice = Dice::new(seed, 1);
        let cabinet: CabinetId = "PORT-7".parse().expect("an id of capitals, a dash and a digit");
        let mut fault_dice = Dice::new(seed, 2);
        let (wait, fault) = faults::next(&mut fault_dice);
        let disk = SimulatedDisk::new(seed);
        disk.set_capacity(DISK_BYTES);
        Self {
            now: 1_000,
            trace: Trace::new(keep),
            laws: Laws::default(),
            office: Office::new(cabinet.clone(), &mut dice),
            bench: Bench::new(&mut dice, seed),
            crowd: Crowd::new(seed),
            disk,
            identity: Identity {
                cabinet,
                secret: dice.bytes(),
            },
            daemon: None,
            restart_at: None,
            starts: 0,
            inbox: VecDeque::new(),
            busy_until: 0,
            slow_ms: 0,
            handed: VecDeque::new(),
            plugged_at: None,
            delivered: Vec::new(),
            chance: Dice::new(seed, 3),
            fault_dice,
            next_fault: Some((60_000 + wait, fault)),
            offset_ms: 0,
            trusted: true,
            seen_view: None,
            quiet_since: 0,
            tidy_at: 30_000,
            turns: 0,
            asked: BTreeMap::new(),
        }
    }

    /// The first start, and the office's documents.
    pub(super) fn begin(&mut self) -> Lawful {
        self.restart()?;
        for (name, signed) in self.office.documents() {
            self.input(Input::DocumentReceived { name, signed });
        }
        Ok(())
    }

    pub(super) fn wall(&self) -> Timestamp {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp::from_millis(EPOCH_MS + now + self.offset_ms)
    }

    /// Lets time pass up to then.
    pub(super) fn run_until(&mut self, end: u64) -> Lawful {
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            let next = next.max(self.now);
            self.turns = if next == self.now { self.turns + 1 } else { 0 };
            hold(7, self.turns < 10_000, || "time stands still".to_owned())?;
            self.now = next;
            self.turn()?;
        }
        self.now = end;
        Ok(())
    }

    fn next_time(&self) -> Option<u64> {
        let line = self.bench.line.next_deadline().map(ceil_ms);
        let bus = self.daemon.as_ref().and_then(|daemon| daemon.bus.next_deadline());
        let cabinet = self
            .daemon
            .as_ref()
            .and_then(|daemon| daemon.cabinet().next_deadline());
        let engine = (!self.inbox.is_empty()).then_some(self.busy_until);
        [
            line,
            bus.map(Monotonic::as_millis),
            cabinet.map(|at| at.as_millis().max(self.busy_until)),
            engine,
            self.handed.front().map(|(at, _)| *at),
            self.restart_at,
            self.plugged_at,
            self.next_fault.as_ref().map(|(at, _)| *at),
            self.crowd.next_time(),
            Some(self.tidy_at),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn turn(&mut self) -> Lawful {
        if self
            .bench
            .line
            .next_deadline()
            .is_some_and(|at| ceil_ms(at) <= self.now)
        {
            let at = Duration::from_millis(self.now);
            self.bench.line.handle(LineInput::Tick, at, &mut self.delivered);
            self.listen()?;
        }
        if self.restart_at.is_some_and(|at| at <= self.now) {
            self.restart()?;
        }
        if self.plugged_at.is_some_and(|at| at <= self.now) {
            self.plugged_at = None;
            self.bus(BusInput::Opened(PortIndex(0)))?;
        }
        let bus = self.daemon.as_ref().and_then(|daemon| daemon.bus.next_deadline());
        if bus.is_some_and(|at| at.as_millis() <= self.now) {
            self.bus(BusInput::Tick)?;
        }
        while self.handed.front().is_some_and(|(at, _)| *at <= self.now) {
            if let Some((_, effect)) = self.handed.pop_front() {
                self.carry_out(effect)?;
            }
        }
        self.engine()?;
        if self.next_fault.as_ref().is_some_and(|(at, _)| *at <= self.now) {
            self.strike()?;
        }
        if self.crowd.next_time().is_some_and(|at| at <= self.now) {
            self.people()?;
        }
        if self.tidy_at <= self.now {
            self.tidy()?;
        }
        Ok(())
    }

    // --- the daemon -------------------------------------------------------------------------------------------------

    fn moment(&mut self) -> Moment {
        Moment {
            now: Monotonic::from_millis(self.now),
            wall: self.wall(),
            trusted: self.trusted,
            dice: StepDice::new(self.chance.bytes()),
        }
    }

    /// Something for the engine; beyond the bound the newest waits outside, here: is lost as a scan or a tap would be.
    pub(super) fn input(&mut self, input: Input) {
        if self.daemon.is_some() && self.inbox.len() < INBOX_MAX {
            self.inbox.push_back(input);
        }
    }

    fn engine(&mut self) -> Lawful {
        loop {
            let Some(daemon) = &self.daemon else { return Ok(()) };
            if self.busy_until > self.now {
                return Ok(());
            }
            let due = daemon
                .cabinet()
                .next_deadline()
                .filter(|at| at.as_millis() <= self.now);
            let input = match self.inbox.pop_front() {
                Some(input) => input,
                None if due.is_some() => Input::DeadlineReached,
                None => return Ok(()),
            };
            let reached = matches!(input, Input::DeadlineReached);
            self.decide(input)?;
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

    fn decide(&mut self, input: Input) -> Lawful {
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let done = daemon.step(&moment, input);
        self.after(done)
    }

    /// A step is over: its events are on disk and its effects may go out, or there is no daemon any more.
    fn after(&mut self, done: Result<Vec<Effect>, Gone>) -> Lawful {
        let effects = match done {
            Ok(effects) => effects,
            Err(Gone::Refuses(why)) => return hold(2, false, || why),
            Err(Gone::Stopped(why)) => {
                self.fall(&why, None);
                return Ok(());
            }
        };
        if self.take_in_events()? {
            let latency = if self.slow_ms > 0 {
                self.chance.between(1, self.slow_ms)
            } else {
                2
            };
            self.busy_until = self.now + latency;
        }
        let at = self.busy_until.max(self.now);
        for effect in effects {
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
        self.draw()
    }

    /// Reads what became durable, as anybody beside the writer would, and holds it against the laws.
    fn take_in_events(&mut self) -> Lawful<bool> {
        let before = self.laws.events.len();
        while let Some(daemon) = &mut self.daemon {
            let from = self.laws.events.len() as u64 + 1;
            let records = daemon.reader.read_from(from, 64, 1 << 20).unwrap_or_default();
            if records.is_empty() {
                break;
            }
            for record in records {
                let event = self.laws.durable(&record, &self.bench, &self.office)?;
                let visit = event.visit.unwrap_or(Seq::ZERO);
                let (kind, brief) = (event.body.kind(), brief(&event.body));
                self.trace.note(
                    self.now,
                    format_args!("event {} {kind} visit {visit} {brief}", event.seq),
                );
                self.crowd
                    .happened(&event, &record, &self.office, &mut self.bench);
            }
        }
        let count = self.laws.events.len() - before;
        self.laws.group(count)?;
        if let Some(daemon) = &self.daemon
            && count > 0
        {
            self.laws.replayed(daemon.cabinet().ledger())?;
        }
        Ok(count > 0)
    }

    fn draw(&mut self) -> Lawful {
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let view = daemon.cabinet().view();
        let shown = Some((view.session, view.revision));
        if self.seen_view != shown {
            self.seen_view = shown;
            self.laws.drawn(&view)?;
        }
        let watched: Vec<CompartmentId> = daemon.cabinet().watched().collect();
        if watched != daemon.watched {
            daemon.watched.clone_from(&watched);
            self.bus(BusInput::Work(&Work::Watch(watched)))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> Lawful {
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
                Ok(())
            }
            Effect::StoreDocument { .. } => Ok(()),
            Effect::Restart => {
                self.fall("asked to restart", Some(1_000));
                Ok(())
            }
        }
    }

    fn bus(&mut self, input: BusInput<'_>) -> Lawful {
        let now = Monotonic::from_millis(self.now);
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        for action in daemon.bus.handle(input, now) {
            match action {
                BusAction::Send(_, frame) => {
                    if self.plugged_at.is_none() {
                        let at = Duration::from_millis(self.now);
                        let written = LineInput::Written(&frame);
                        self.bench.line.handle(written, at, &mut self.delivered);
                    }
                }
                BusAction::Report(input) => self.input(input),
            }
        }
        self.listen()
    }

    /// Bytes have come up the line, and perhaps a solenoid was driven.
    fn listen(&mut self) -> Lawful {
        for compartment in self.bench.new_pulses() {
            let unlock = self.laws.pulsed(compartment, self.now)?;
            self.trace
                .note(self.now, format_args!("pulse at {compartment} for {unlock}"));
        }
        if self.delivered.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.delivered);
        if self.plugged_at.is_none() {
            self.bus(BusInput::Received(PortIndex(0), &bytes))?;
        }
        Ok(())
    }

    /// The daemon is gone; it comes back by itself.
    fn fall(&mut self, why: &str, off_ms: Option<u64>) {
        self.trace
            .note(self.now, format_args!("the daemon is gone: {why}"));
        self.daemon = None;
        self.inbox.clear();
        self.handed.clear();
        self.asked.clear();
        let off_ms = off_ms.unwrap_or_else(|| self.fault_dice.between(1_000, 60_000));
        self.restart_at.get_or_insert(self.now + off_ms);
    }

    fn restart(&mut self) -> Lawful {
        self.restart_at = None;
        if self.disk.has_crashed() {
            self.disk.restart();
        } else {
            self.disk.kill();
        }
        self.starts += 1;
        let start = Start(self.chance.number());
        let moment = self.moment();
        let opened = Daemon::open(
            &self.disk,
            &self.identity,
            &self.office,
            &self.bench,
            start,
            &moment,
        );
        let (starts, durable) = (self.starts, self.laws.events.len());
        self.trace
            .note(self.now, format_args!("start {starts} with {durable} events"));
        self.laws.restarted();
        self.busy_until = self.now;
        self.seen_view = None;
        let effects = opened.map(|(daemon, effects)| {
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

    fn tidy(&mut self) -> Lawful {
        self.tidy_at = self.now + 60_000;
        let moment = self.moment();
        let Some(daemon) = &mut self.daemon else {
            return Ok(());
        };
        let done = daemon.keep_house(&moment);
        self.after(done)?;
        self.every_board_is_asked()?;
        self.screen_comes_home()
    }

    /// Law 6: no board waits for its turn for ever, and no two solenoids of a supply are driven at once.
    fn every_board_is_asked(&mut self) -> Lawful {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let view = daemon.bus.view();
        let open = view.ports.iter().all(|port| port.open);
        for board in &view.boards {
            let asked = board.statistics.asked;
            let (before, since) = self.asked.get(&board.id).copied().unwrap_or((u64::MAX, self.now));
            if asked != before || !open {
                self.asked.insert(board.id, (asked, self.now));
            } else {
                hold(6, self.now < since + 120_000, || {
                    format!("board {} has not been asked for two minutes", board.id)
                })?;
            }
        }
        hold(7, view.waiting <= lockerd::boards::master::UNLOCKS_MAX, || {
            format!("{} unlocks wait", view.waiting)
        })?;
        let overlaps = self.bench.line.view().overlaps;
        hold(6, overlaps == 0, || {
            "two solenoids were driven at once".to_owned()
        })
    }

    /// Law 10: whoever left, the screen comes home.
    fn screen_comes_home(&self) -> Lawful {
        let Some(daemon) = &self.daemon else { return Ok(()) };
        let quiet = self.now.saturating_sub(self.quiet_since) > HOME_AGAIN_MS && self.inbox.is_empty();
        hold(10, !quiet || is_home(&daemon.cabinet().view()), || {
            format!(
                "with nobody there the screen still shows {:?}",
                daemon.cabinet().view().screen
            )
        })
    }

    // --- faults -----------------------------------------------------------------------------------------------------

    fn strike(&mut self) -> Lawful {
        let Some((_, fault)) = self.next_fault.take() else {
            return Ok(());
        };
        let (wait, next) = faults::next(&mut self.fault_dice);
        self.next_fault = Some((self.now + wait, next));
        self.trace.note(self.now, format_args!("fault {fault:?}"));
        let (now, delivered) = (self.now, &mut self.delivered);
        match fault {
            Fault::Board(board, fault) => {
                self.bench.board_fault(board, fault, now, delivered);
            }
            Fault::Lock(which, defect) => {
                let all = self.bench.compartments();
                let index = usize::try_from(which % all.len().max(1) as u64).unwrap_or(0);
                if let Some(compartment) = all.get(index) {
                    self.bench.break_lock(*compartment, defect, now, delivered);
                }
            }
            Fault::Line(fault) => {
                let at = Duration::from_millis(now);
                self.bench.line.handle(LineInput::LineFault(fault), at, delivered);
            }
            Fault::Unplugged(off_ms) => {
                let at = Duration::from_millis(now);
                self.bench.line.handle(LineInput::Unplugged, at, delivered);
                self.plugged_at = Some(now + off_ms);
                self.bus(BusInput::Lost(PortIndex(0)))?;
            }
            Fault::PowerCut { operations } => self.disk.crash_at(self.disk.operations() + operations),
            Fault::Killed { off_ms } => {
                if self.daemon.is_some() {
                    self.fall("killed", Some(off_ms));
                }
            }
            Fault::SyncFails => self.disk.fail_sync_at(self.disk.operations() + 1),
            Fault::SlowDisk(ms) => self.slow_ms = ms,
            Fault::Repaired => {
                self.slow_ms = 0;
                self.bench.repair(now, delivered);
            }
            Fault::Clock { offset_ms, trusted } => (self.offset_ms, self.trusted) = (offset_ms, trusted),
            Fault::Tidied => self.shut_doors(),
            Fault::Scanner { there: true } => self.scanner_is_back(),
            Fault::Scanner { there: false } => {
                if let Ok(port) = SCANNER.parse() {
                    self.input(Input::PeripheralLost { port });
                }
            }
            Fault::Shaken => self.input(Input::Tampered {
                source: TamperSource::Shock,
            }),
            Fault::Mains { there } => self.input(Input::PowerChanged { mains: there }),
        }
        self.listen()
    }

    fn scanner_is_back(&mut self) {
        if let Ok(port) = SCANNER.parse() {
            self.input(Input::PeripheralFound { port });
        }
    }

    /// Somebody walks past and shuts every door that nobody stands at.
    fn shut_doors(&mut self) {
        for compartment in self.bench.compartments() {
            if self.bench.is_open(compartment) {
                self.bench
                    .hand(compartment, Hand::Close, None, self.now, &mut self.delivered);
            }
        }
    }

    /// From now on nothing breaks any more, and what is broken is repaired.
    pub(super) fn heal(&mut self) -> Lawful {
        self.trace.note(self.now, format_args!("everything heals"));
        self.next_fault = None;
        self.slow_ms = 0;
        (self.offset_ms, self.trusted) = (0, true);
        self.disk.crash_at(u64::MAX);
        self.disk.fail_sync_at(u64::MAX);
        self.bench.repair(self.now, &mut self.delivered);
        self.scanner_is_back();
        self.shut_doors();
        self.listen()
    }

    // --- people -----------------------------------------------------------------------------------------------------

    fn people(&mut self) -> Lawful {
        let wall = self.wall();
        if let Some(person) = self.crowd.arrive(self.now, wall, &mut self.office) {
            self.trace.note(self.now, format_args!("{} comes", person.name));
            for (name, signed) in self.crowd.announced() {
                self.input(Input::DocumentReceived { name, signed });
            }
            self.crowd.at_screen = Some(person);
        }
        let Some(mut person) = self.crowd.at_screen.take() else {
            return Ok(());
        };
        let Some(daemon) = &self.daemon else {
            // A dark screen: wait, or come back another day.
            if self.crowd.gives_up() {
                self.left(&person);
            } else {
                self.crowd.stay(person, self.now + 5_000);
            }
            return Ok(());
        };
        let view = daemon.cabinet().view();
        let sight = Sight {
            view: &view,
            bench: &self.bench,
            now: self.now,
        };
        let (next, pause) = person.act(&sight, &mut self.crowd.dice);
        self.quiet_since = self.now;
        if matches!(next, Move::Leave) {
            self.left(&person);
        } else {
            self.make(&next, &view, &person)?;
            self.crowd.stay(person, self.now + pause.max(1));
        }
        Ok(())
    }

    fn left(&mut self, person: &Person) {
        self.trace.note(self.now, format_args!("{} leaves", person.name));
        self.crowd.left(person, self.now);
    }

    fn make(&mut self, next: &Move, view: &View, person: &Person) -> Lawful {
        match next {
            Move::Tap(action) => self.tap(action, view.session, view.revision),
            Move::StaleTap(action) => self.tap(action, view.session, view.revision.wrapping_sub(1)),
            Move::Scan(text) => {
                self.trace.note(
                    self.now,
                    format_args!("{} scans {}", person.name, text.get(..12).unwrap_or(text)),
                );
                self.laws.present(text);
                self.input(Input::Scanned {
                    text: text.as_str().into(),
                });
            }
            Move::ScanNoise => self.input(Input::ScanUnreadable),
            Move::Hand(compartment, hand, thing) => {
                if !person.careful {
                    self.bench.tainted.insert(*compartment);
                }
                let (now, delivered) = (self.now, &mut self.delivered);
                let worked = self
                    .bench
                    .hand(*compartment, *hand, thing.clone(), now, delivered);
                self.trace.note(
                    now,
                    format_args!("{} at {compartment}: {hand:?} {worked}", person.name),
                );
                self.listen()?;
            }
            Move::Wait | Move::Leave => {}
        }
        Ok(())
    }

    fn tap(&mut self, action: &Action, session: SessionId, revision: u64) {
        if let Action::Digits { digits } = action {
            self.laws.present(digits);
        }
        let text = serde_json::to_string(action).unwrap_or_default();
        self.trace.note(self.now, format_args!("tap {text}"));
        self.input(Input::Tapped(Tap {
            session,
            revision,
            action: action.clone(),
        }));
    }

    /// How many starts there were.
    pub(super) fn starts(&self) -> u64 {
        self.starts
    }
}

/// Whether nobody is being served.
pub(super) fn is_home(view: &View) -> bool {
    matches!(view.screen, lockerd::cabinet::screen::Screen::Home { .. })
}

fn ceil_ms(at: Duration) -> u64 {
    u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn brief(body: &EventBody) -> String {
    let consignment = body.consignment().map(ToString::to_string).unwrap_or_default();
    let compartment = body
        .compartment()
        .map(|id| format!("at {id}"))
        .unwrap_or_default();
    format!("{compartment} {consignment}")
}
