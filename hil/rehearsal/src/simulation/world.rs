//! One world: a cabinet, its body, its people, its faults, and a clock that jumps from one thing to the next.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hardware::LineInput;
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::BusInput;
use lockerd::cabinet::screen::{SessionId, View};
use lockerd::cabinet::vocabulary::{Effect, Monotonic};
use office_protocol::{CabinetId, EventBody, KeySet, SigningKey, Timestamp};

use super::bench::Bench;
use super::crowd::Crowd;
use super::daemon::{Daemon, Identity};
use super::dice::Dice;
use super::faults::{self, Fault};
use super::hub::Hub;
use super::laws::{Lawful, Laws, hold};
use super::network::{Heard, Network};
use super::office::Office;
use super::trace::Trace;
use crate::disk::SimulatedDisk;

mod minute;
mod running;
mod striking;
mod visiting;

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
    pub(super) network: Network,
    keys: KeySet,
    disk: SimulatedDisk,
    identity: Identity,
    pub(super) daemon: Option<Daemon>,
    restart_at: Option<u64>,
    starts: u64,
    inbox: VecDeque<Heard>,
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
        let mut office = Office::new(cabinet.clone(), &mut dice);
        let keys = office.sign_documents().expect("documents are texts and numbers");
        let secret = dice.bytes();
        let hub = Hub::new(cabinet.clone(), SigningKey::from_secret(&secret).verifying_key());
        Self {
            now: 1_000,
            trace: Trace::new(keep),
            laws: Laws::default(),
            office,
            keys,
            network: Network::new(seed, cabinet.clone(), hub),
            bench: Bench::new(&mut dice, seed),
            crowd: Crowd::new(seed),
            disk,
            identity: Identity { cabinet, secret },
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

    /// The first start.
    pub(super) fn begin(&mut self) -> Lawful {
        self.restart()
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
            self.network.next_time(),
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
        if self.network.next_time().is_some_and(|at| at <= self.now) {
            let wall = self.wall();
            let heard = self.network.turn(self.now, wall, &mut self.office);
            self.hear(heard)?;
        }
        if self.tidy_at <= self.now {
            self.tidy()?;
        }
        Ok(())
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
