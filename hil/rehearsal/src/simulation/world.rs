//! One world: a cabinet, its body, its people, its faults, and a clock that jumps from one thing to the next.

use std::collections::{BTreeMap, VecDeque};

use hardware::LineInput;
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::BusInput;
use lockerd::cabinet::screen::{SessionId, View};
use lockerd::cabinet::vocabulary::{Effect, Monotonic};
use office_protocol::document::DocumentName;
use office_protocol::{CabinetId, Digest, EventBody, KeySet, SigningKey, Timestamp};

use super::bench::Bench;
use super::coverage::Coverage;
use super::crowd::Crowd;
use super::daemon::{Daemon, Identity};
use super::dice::Dice;
use super::faults::{self, Fault};
use super::hub::Hub;
use super::laws::{Lawful, Laws, hold};
use super::network::{Heard, Network};
use super::office::Office;
use super::swarm::Swarm;
use super::trace::Trace;
use crate::disk::SimulatedDisk;

mod hanging;
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
/// The scanner's port.
const SCANNER: &str = "scanner";

/// One seed's world.
pub(super) struct World {
    pub(super) now: u64,
    pub(super) trace: Trace,
    pub(super) laws: Laws,
    pub(super) coverage: Coverage,
    swarm: Swarm,
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
    hanging: Dice,
    next_fault: Option<(u64, Fault)>,
    offset_ms: i64,
    trusted: bool,
    seen_view: Option<(SessionId, u64)>,
    /// Since when nobody has touched anything.
    quiet_since: u64,
    tidy_at: u64,
    turns: u32,
    asked: BTreeMap<office_protocol::BoardId, (u64, u64)>,
    /// When the last byte of the last request has passed.
    wire_busy_until: u64,
    stored_documents: BTreeMap<DocumentName, Option<Digest>>,
}

impl World {
    pub(super) fn new(seed: u64, swarm: Swarm, keep: bool) -> Self {
        let mut dice = Dice::new(seed, 1);
        let cabinet: CabinetId = "PORT-7".parse().expect("an id of capitals, a dash and a digit");
        let mut fault_dice = Dice::new(seed, 2);
        let fault = faults::next(&mut fault_dice, &swarm);
        let disk = SimulatedDisk::new(seed);
        disk.set_capacity(swarm.disk_bytes);
        let mut office = Office::new(cabinet.clone(), swarm.sealing, &mut dice);
        let keys = office.sign_documents().expect("documents are texts and numbers");
        let secret = dice.bytes();
        let hub = Hub::new(cabinet.clone(), SigningKey::from_secret(&secret).verifying_key());
        Self {
            now: 1_000,
            trace: Trace::new(keep),
            laws: Laws::default(),
            office,
            keys,
            network: Network::new(seed, cabinet.clone(), hub, &swarm),
            bench: Bench::new(swarm.build, &mut dice, seed),
            crowd: Crowd::new(seed, &swarm),
            coverage: Coverage::default(),
            swarm,
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
            hanging: Dice::new(seed, 12),
            next_fault: fault.map(|(wait, fault)| (60_000 + wait, fault)),
            offset_ms: 0,
            trusted: true,
            seen_view: None,
            quiet_since: 0,
            tidy_at: 30_000,
            turns: 0,
            asked: BTreeMap::new(),
            wire_busy_until: 0,
            stored_documents: BTreeMap::new(),
        }
    }

    /// The first start. A cabinet that has served before begins with the last version that knew of no proofs.
    pub(super) fn begin(&mut self) -> Lawful {
        self.restart()?;
        if self.swarm.served {
            self.fall("a newer version is installed", Some(1_000));
        }
        Ok(())
    }

    pub(super) fn wall(&self) -> Timestamp {
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp::from_millis(EPOCH_MS + now + self.offset_ms)
    }

    /// Lets time pass up to then.
    pub(super) fn run_until(&mut self, end: u64) -> Lawful {
        loop {
            let others = self.next_time();
            self.wire_until(others.min(end))?;
            let wire = self.next_on_the_wire().unwrap_or(u64::MAX);
            let next = self.next_time().min(wire);
            if next > end {
                break;
            }
            self.jump(next)?;
            self.turn()?;
        }
        self.now = end;
        Ok(())
    }

    /// Lets only the lock bus work, for as long as nothing else is due.
    fn wire_until(&mut self, until: u64) -> Lawful {
        while self.inbox.is_empty() {
            let Some(next) = self.next_on_the_wire().filter(|next| *next < until) else {
                break;
            };
            self.jump(next)?;
            self.wire()?;
        }
        Ok(())
    }

    fn jump(&mut self, next: u64) -> Lawful {
        let next = next.max(self.now);
        self.turns = if next == self.now { self.turns + 1 } else { 0 };
        self.now = next;
        hold(7, self.turns < 10_000, || "time stands still".to_owned())
    }

    fn next_on_the_wire(&self) -> Option<u64> {
        let bus = self.daemon.as_ref().and_then(|daemon| daemon.bus.next_deadline());
        let (bus, line) = (bus.map(Monotonic::next_millis), self.bench.next_deadline());
        [bus, line].into_iter().flatten().min()
    }

    /// When something is due beside the wire.
    fn next_time(&self) -> u64 {
        let cabinet = self
            .daemon
            .as_ref()
            .and_then(|daemon| daemon.cabinet().next_deadline());
        let engine = (!self.inbox.is_empty()).then_some(self.busy_until);
        let all = [
            cabinet.map(|at| at.as_millis().max(self.busy_until)),
            engine,
            self.handed.front().map(|(at, _)| *at),
            self.restart_at,
            self.plugged_at,
            self.next_fault.as_ref().map(|(at, _)| *at),
            self.crowd.next_time(),
            self.network.next_time(),
        ];
        all.into_iter().flatten().fold(self.tidy_at, u64::min)
    }

    /// What is due on the wire.
    fn wire(&mut self) -> Lawful {
        if self.bench.next_deadline().is_some_and(|at| at <= self.now) {
            self.bench
                .line_input(LineInput::Tick, self.now, &mut self.delivered);
            self.listen()?;
        }
        let bus = self.daemon.as_ref().and_then(|daemon| daemon.bus.next_deadline());
        if bus.is_some_and(|at| at.next_millis() <= self.now) {
            self.bus(BusInput::Tick)?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Lawful {
        self.wire()?;
        if self.restart_at.is_some_and(|at| at <= self.now) {
            self.restart()?;
        }
        if self.plugged_at.is_some_and(|at| at <= self.now) {
            self.plugged_at = None;
            self.bus(BusInput::Opened(PortIndex(0)))?;
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

fn brief(body: &EventBody) -> String {
    let consignment = body.consignment().map(ToString::to_string).unwrap_or_default();
    let compartment = body
        .compartment()
        .map(|id| format!("at {id}"))
        .unwrap_or_default();
    format!("{compartment} {consignment}")
}
