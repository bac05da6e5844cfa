//! A cabinet's daily work through the real engine, on any disk, until something stops it: hand in, clear, place, collect, and look
//! into what the last stop left in doubt. The first in a new cabinet is a technician who proves its locks.

use std::sync::Arc;

use lockerd::cabinet::screen::{Action, ScanProblem, Screen, Tap, View};
use lockerd::cabinet::vocabulary::{Dice, Effect, Input, Moment, Monotonic, UnlockOutcome};
use lockerd::cabinet::{Direction, Ledger};
use lockerd::engine::{Disks, Engine, EngineError, Run};
use lockerd::journal::{Disk, Options};
use office_protocol::document::DocumentName;
use office_protocol::event::Size;
use office_protocol::{CommandOutcome, CompartmentId, PickupCode, Refusal, Seq, Start, Timestamp, Tip};

use super::world::{COMPARTMENTS, COURIER, PIN, TECHNICIAN, World, revoked};

const BEGINNING: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Between two things that happen.
const PACE_MS: u64 = 1_000;
/// So long may an order be followed that comes while the disk is slow.
const ORDER_LIVES_MS: i64 = 1_000;

/// Why a life ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The engine says that it cannot go on: the disk failed.
    #[error(transparent)]
    Stopped(#[from] EngineError),
    /// A law is broken, or a screen is not as it should be.
    #[error("{0}")]
    Wrong(String),
}

/// One run of the engine.
pub(super) struct Life<'a> {
    world: &'a World,
    engine: Engine,
    start: u64,
    began: Timestamp,
    now: u64,
    pulsed: Option<CompartmentId>,
    /// Told of each end of the journal that was acknowledged.
    acknowledged: &'a mut dyn FnMut(Tip),
    /// How long the disk has kept everybody waiting since this was asked last.
    waited: &'a dyn Fn() -> u64,
}

/// A disk that keeps nobody waiting.
const PROMPT: &dyn Fn() -> u64 = &|| 0;

impl<'a> Life<'a> {
    /// Recovers what is on the disk. A start that wants to open a door breaks a law.
    pub(super) fn begin(
        world: &'a World,
        disks: Disks,
        options: Options,
        start: u64,
        acknowledged: &'a mut dyn FnMut(Tip),
    ) -> Result<Self, Ended> {
        let run = Run {
            start: Start(start),
            version: "crashes".into(),
            enrolled_keys: Some(world.keys.clone()),
            keep_days: 0,
        };
        let first = moment(start, BEGINNING, 0);
        let (engine, effects) = Engine::open(disks, options, world.config(), run, &first)?;
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Unlock { .. }))
        {
            return Err(Ended::Wrong("a restart opened a door".into()));
        }
        let began = engine.cabinet().ledger().floor.max(BEGINNING);
        let mut life = Self {
            world,
            engine,
            start,
            began,
            now: 0,
            pulsed: None,
            acknowledged,
            waited: PROMPT,
        };
        life.tell();
        for number in 1..=COMPARTMENTS {
            life.door(CompartmentId(number), false, true)?;
        }
        Ok(life)
    }

    /// The same life on a disk that may take its time.
    pub(super) fn waiting(mut self, waited: &'a dyn Fn() -> u64) -> Self {
        self.now += waited();
        self.waited = waited;
        self
    }

    pub(super) fn ledger(&self) -> &Ledger {
        self.engine.cabinet().ledger()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What earlier runs left behind, then one of everything; `number` tells its things from those of other rounds.
    pub(super) fn round(&mut self, number: u64) -> Result<(), Ended> {
        self.inspect()?;
        self.prove()?;
        self.collect_all()?;
        self.clear()?;
        self.drop_off(number)?;
        self.place(number)?;
        self.collect_all()?;
        self.clear()
    }

    fn revoked_up_to(&self) -> u64 {
        let applied = self.ledger().documents.get(&DocumentName::Revocations);
        applied.map_or(0, |(version, _)| *version)
    }

    /// The office takes one more pass back.
    pub(super) fn revoke(&mut self) -> Result<(), Ended> {
        let signed = self.world.revocations(self.revoked_up_to() + 1);
        self.input(Input::DocumentReceived {
            name: DocumentName::Revocations,
            signed,
        })
    }

    /// What the journal says was taken back opens nothing, whatever became of the file that says so.
    pub(super) fn refuses_what_was_revoked(&mut self) -> Result<(), Ended> {
        let version = self.revoked_up_to();
        if version == 0 {
            return Ok(());
        }
        let pass = self.world.pass(&revoked(version));
        self.scan(&pass)?;
        if matches!(self.screen(), Screen::ScanProblem(ScanProblem::Pass(_))) {
            Ok(())
        } else {
            Err(self.lost("a pass that was taken back is refused"))
        }
    }

    /// The office has everything so far: old segments may go.
    pub(super) fn reported(&mut self) -> Result<(), Ended> {
        let tip = self.ledger().tip;
        self.input(Input::Acknowledged { tip })
    }

    /// What the daemon does in the background once a minute.
    pub(super) fn keep_house(&mut self) -> Result<(), Ended> {
        let moment = self.moment();
        self.engine.keep_house(&moment)?;
        self.engine.preparer().prepare().map_err(EngineError::from)?;
        self.tell();
        Ok(())
    }

    fn tell(&mut self) {
        let tip = self.engine.cabinet().ledger().tip;
        (self.acknowledged)(tip);
    }

    fn moment(&mut self) -> Moment {
        self.now += PACE_MS;
        moment(self.start, self.began, self.now)
    }

    fn input(&mut self, input: Input) -> Result<(), Ended> {
        let moment = self.moment();
        let effects = self.engine.step(&moment, input)?;
        self.tell();
        let waited = (self.waited)();
        self.now += waited;
        for effect in effects {
            if let Effect::Unlock {
                compartment,
                unlock,
                not_after,
            } = effect
            {
                if unlock > self.ledger().tip.seq {
                    return Err(Ended::Wrong(format!("pulse {unlock} without a cause on disk")));
                }
                let in_time = Monotonic::from_millis(self.now) <= not_after; // as the lock bus judges
                let outcome = if in_time {
                    self.pulsed = Some(compartment);
                    UnlockOutcome::Opened
                } else {
                    UnlockOutcome::NotSent
                };
                self.input(Input::UnlockAnswered { unlock, outcome })?;
            }
        }
        if waited > 0 {
            self.outlived(&moment)?;
        }
        Ok(())
    }

    /// An order that came while the disk kept everybody waiting, and whose time has passed meanwhile, is refused.
    fn outlived(&mut self, came: &Moment) -> Result<(), Ended> {
        let number = self.ledger().command_number + 1;
        let lifetime = (came.wall, came.wall.plus_millis(ORDER_LIVES_MS));
        let order = self
            .world
            .order(number, Start(self.start), lifetime, CompartmentId(COMPARTMENTS));
        let moment = self.moment();
        let effects = self.engine.step(&moment, Input::CommandReceived(order))?;
        self.tell();
        self.now += (self.waited)();
        let refusal = Refusal::Expired;
        let refused = matches!(&effects[..], [Effect::Reply(reply)] if reply.outcome == CommandOutcome::Refused { refusal });
        if refused {
            Ok(())
        } else {
            Err(Ended::Wrong(format!(
                "an order that had expired led to {effects:?}"
            )))
        }
    }

    fn door(&mut self, compartment: CompartmentId, open: bool, first: bool) -> Result<(), Ended> {
        self.input(Input::DoorRead {
            compartment,
            open,
            first,
        })
    }

    /// The door that springs open. One whose pulse came too late is asked about, and pulsed again.
    fn opened(&mut self) -> Result<CompartmentId, Ended> {
        while self.pulsed.is_none() && matches!(self.screen(), Screen::IsDoorOpen(_)) {
            self.tap(Action::DoorIsOpen { open: false })?;
        }
        let Some(compartment) = self.pulsed.take() else {
            return Err(self.lost("a door opens"));
        };
        self.door(compartment, true, false)?;
        Ok(compartment)
    }

    fn open_and_close(&mut self) -> Result<(), Ended> {
        let compartment = self.opened()?;
        self.door(compartment, false, false)
    }

    fn lost(&self, wanted: &str) -> Ended {
        Ended::Wrong(format!("{wanted}, but there is {:?}", self.screen()))
    }

    fn screen(&self) -> Screen {
        self.engine.cabinet().view().screen
    }

    fn scan(&mut self, text: &str) -> Result<(), Ended> {
        self.input(Input::Scanned { text: text.into() })
    }

    fn tap(&mut self, action: Action) -> Result<(), Ended> {
        let View {
            session, revision, ..
        } = self.engine.cabinet().view();
        self.input(Input::Tapped(Tap {
            session,
            revision,
            action,
        }))
    }

    fn drop_off(&mut self, number: u64) -> Result<(), Ended> {
        let pass = self.world.pass(&format!("pass-{}-{number}", self.start));
        self.scan(&pass)?;
        for _ in 0..2 {
            self.tap(Action::Accept { reachable: false })?;
        }
        self.open_and_close()?;
        self.tap(Action::Yes)?;
        self.tap(Action::Done)
    }

    fn admit(&mut self, badge: &str) -> Result<(), Ended> {
        self.scan(badge)?;
        self.tap(Action::Digits { digits: PIN.into() })
    }

    fn leave(&mut self) -> Result<(), Ended> {
        self.tap(Action::EndRound)?;
        self.tap(Action::Done)
    }

    fn rows_left(&self) -> bool {
        matches!(self.screen(), Screen::Round { rows, .. } if !rows.is_empty())
    }

    fn clear(&mut self) -> Result<(), Ended> {
        let mut inside = self.ledger().consignments.values();
        if inside.all(|inside| inside.direction == Direction::Outbound) {
            return Ok(());
        }
        self.admit(COURIER)?;
        self.tap(Action::StartClearing)?;
        while self.rows_left() {
            self.tap(Action::OpenNext)?;
            self.open_and_close()?;
            self.tap(Action::Yes)?;
        }
        self.leave()
    }

    /// Looks into what is in doubt: a placing whose code was never issued was taken away again.
    fn inspect(&mut self) -> Result<(), Ended> {
        if self
            .ledger()
            .compartments
            .values()
            .all(|place| place.doubt.is_none())
        {
            return Ok(());
        }
        self.admit(COURIER)?;
        self.tap(Action::StartInspection)?;
        while self.rows_left() {
            self.tap(Action::OpenNext)?;
            self.open_and_close()?;
            let Screen::WhatIsInside { work } = self.screen() else {
                return Err(self.lost("what is inside is asked"));
            };
            let inside = work
                .consignment
                .and_then(|id| self.ledger().consignments.get(&id));
            let there =
                inside.is_some_and(|inside| inside.direction == Direction::Inbound || inside.code.is_some());
            self.tap(if there { Action::Inside } else { Action::Empty })?;
        }
        self.leave()
    }

    /// Commissioning: which door each lock opens, and that its sensor tells open from closed.
    fn prove(&mut self) -> Result<(), Ended> {
        if self.ledger().unproven().next().is_none() {
            return Ok(());
        }
        self.admit(TECHNICIAN)?;
        self.tap(Action::StartProving)?;
        while self.rows_left() {
            self.tap(Action::OpenNext)?;
            let compartment = self.opened()?;
            self.tap(Action::OpenedDoor { compartment })?;
            self.door(compartment, false, false)?;
        }
        self.leave()
    }

    fn place(&mut self, number: u64) -> Result<(), Ended> {
        self.admit(COURIER)?;
        self.tap(Action::StartPlacing)?;
        self.scan(&format!("PERMIT-{}-{number}", self.start))?;
        self.tap(Action::ChooseSize { size: Size::Small })?;
        self.open_and_close()?;
        self.leave()
    }

    /// Everybody comes with the code that their sealed part holds.
    fn collect_all(&mut self) -> Result<(), Ended> {
        let placed = self.ledger().consignments.values();
        let placed = placed.filter(|inside| inside.direction == Direction::Outbound && inside.code.is_some());
        let placed: Vec<Seq> = placed.map(|inside| inside.placed).collect();
        for seq in placed {
            let code = self.code(seq)?;
            self.scan(&code.qr)?;
            self.open_and_close()?;
            self.tap(Action::Yes)?;
            self.tap(Action::Done)?;
        }
        Ok(())
    }

    fn code(&self, placed: Seq) -> Result<PickupCode, Ended> {
        let record = self
            .engine
            .reader()
            .record_at(placed.0)
            .map_err(EngineError::from)?;
        let sealed = record.and_then(|record| record.sealed.into_iter().next());
        sealed
            .and_then(|letter| self.world.code(letter))
            .ok_or_else(|| Ended::Wrong(format!("event {placed} holds no code that the office can read")))
    }
}

fn moment(start: u64, began: Timestamp, now: u64) -> Moment {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&start.to_le_bytes());
    seed[8..16].copy_from_slice(&now.to_le_bytes());
    Moment {
        now: Monotonic::from_millis(now),
        wall: began.plus_millis(i64::try_from(now).unwrap_or(0)),
        trusted: true,
        dice: Dice::new(seed),
    }
}

/// Both disks of an engine.
pub(super) fn disks(journal: Arc<dyn Disk>, documents: Arc<dyn Disk>) -> Disks {
    Disks { journal, documents }
}
