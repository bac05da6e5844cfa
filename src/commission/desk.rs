//! The technician's desk: the cabinet's own engine and lock bus, without a screen.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::boards::Work;
use crate::boards::master::{BusMaster, BusSettings};
use crate::boards::task;
use crate::cabinet::Cabinet;
use crate::cabinet::screen::{Action, Screen, Tap};
use crate::cabinet::vocabulary::{Effect, Input, UnlockOutcome};
use crate::clock::{self, Clock};
use crate::command_line::Failure;
use crate::daemon::{self, DaemonError};
use crate::engine::Engine;
use crate::secrets;
use crate::settings::Settings;

use super::terminal::Terminal;

/// Inputs and orders that may wait.
const QUEUE: usize = 64;
/// How often the engine is looked after while nothing happens.
const TURN_MAX: Duration = Duration::from_secs(1);

/// Engine and lock bus.
pub(super) struct Desk {
    engine: Engine,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    work: mpsc::Sender<Work>,
}

impl Desk {
    /// Opens the journal, which a running daemon has locked, and the ports.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
        let catalogue = daemon::catalogue(settings.catalogue.as_deref())?;
        let clock = Clock::new(settings.trust);
        let start = clock::draw_start()?;
        let (engine, first) = daemon::open(settings, &enrolment, &catalogue, start, clock).await?;
        let (sender, inputs) = mpsc::channel(QUEUE);
        let (work, works) = mpsc::channel(QUEUE);
        let mut master = BusMaster::new(settings.layout.clone(), BusSettings::default());
        let keys = daemon::board_keys(settings).map_err(DaemonError::from)?;
        master.give_keys(*clock::draw_secret()?, &keys);
        let (view, _unwatched) = watch::channel(master.view());
        let ports = settings.lock_ports.clone();
        let now = move || clock.monotonic();
        tokio::spawn(task::run(master, ports, now, works, sender, view));
        let mut desk = Self {
            engine,
            clock,
            inputs,
            work,
        };
        desk.act(first).await;
        Ok(desk)
    }

    pub(super) fn cabinet(&self) -> &Cabinet {
        self.engine.cabinet()
    }

    pub(super) fn screen(&self) -> Screen {
        self.cabinet().view().screen
    }

    pub(super) async fn tap(&mut self, action: Action) -> Result<(), Failure> {
        let view = self.cabinet().view();
        self.step(Input::Tapped(Tap {
            session: view.session,
            revision: view.revision,
            action,
        }))
        .await
    }

    pub(super) async fn step(&mut self, input: Input) -> Result<(), Failure> {
        let effects = self.engine.step(&self.clock.moment()?, input)?;
        self.act(effects).await;
        Ok(())
    }

    async fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Unlock {
                compartment,
                unlock,
                not_after,
            } = effect
            else {
                continue; // there is no link, and documents the engine keeps
            };
            let order = Work::Unlock {
                compartment,
                unlock,
                not_after,
            };
            let watch = self.work.send(Work::Watch(vec![compartment])).await;
            if watch.is_err() || self.work.send(order).await.is_err() {
                let outcome = UnlockOutcome::NotSent;
                tracing::warn!(%compartment, ?outcome, "the lock bus has ended");
            }
        }
    }

    /// Lets one input or deadline come.
    pub(super) async fn turn(&mut self) -> Result<(), Failure> {
        let now = self.clock.monotonic();
        let wait = self
            .engine
            .next_deadline()
            .map_or(TURN_MAX, |at| now.until(at).min(TURN_MAX));
        match timeout(wait, self.inputs.recv()).await {
            Ok(Some(input)) => self.step(input).await,
            Ok(None) => Err(Failure::new(69, "the lock bus has ended; see above")),
            Err(_) => self.step(Input::DeadlineReached).await,
        }
    }

    /// Lets inputs and deadlines come until this holds; false when it never did.
    pub(super) async fn until(
        &mut self,
        limit: Duration,
        holds: impl Fn(&Cabinet) -> bool,
    ) -> Result<bool, Failure> {
        let end = self
            .clock
            .monotonic()
            .plus_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        while !holds(self.cabinet()) {
            if end <= self.clock.monotonic() {
                return Ok(false);
            }
            self.turn().await?;
        }
        Ok(true)
    }

    /// The next line that somebody types, while doors and deadlines go on; none once the screen shows something else.
    pub(super) async fn answer(&mut self, terminal: &mut Terminal) -> Result<Option<String>, Failure> {
        let asked = self.screen();
        while std::mem::discriminant(&self.screen()) == std::mem::discriminant(&asked) {
            let now = self.clock.monotonic();
            let wait = self
                .engine
                .next_deadline()
                .map_or(TURN_MAX, |at| now.until(at).min(TURN_MAX));
            tokio::select! {
                line = terminal.line() => return line.map(Some),
                input = self.inputs.recv() => match input {
                    Some(input) => self.step(input).await?,
                    None => return Err(Failure::new(69, "the lock bus has ended; see above")),
                },
                () = tokio::time::sleep(wait) => self.step(Input::DeadlineReached).await?,
            }
        }
        Ok(None)
    }
}
