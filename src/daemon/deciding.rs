//! The engine on its own thread: takes inputs and deadlines in, gives work, answers and views out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{BoardId, CabinetState, CompartmentId, KeySet, Reply, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::technician::Files;
use super::{out_of_service, technician};
use crate::boards::Work;
use crate::cabinet::screen::View;
use crate::cabinet::vocabulary::{Effect, Input, KeyProblem, Monotonic, UnlockOutcome};
use crate::clock::{Clock, NoDice};
use crate::engine::{Engine, EngineError};

/// Between two looks at the disk's room.
const HOUSE_KEEPING_MS: u64 = 60_000;
/// The longest wait, so that the watchdog hears of this thread.
const TURN_MAX: Duration = Duration::from_secs(5);

/// Where everything goes that the engine says.
pub(super) struct Outlets {
    pub(super) work: mpsc::Sender<Work>,
    pub(super) replies: mpsc::Sender<Reply>,
    pub(super) views: watch::Sender<Arc<View>>,
    pub(super) tip: watch::Sender<Seq>,
    pub(super) keys: watch::Sender<KeySet>,
    pub(super) state: watch::Sender<Option<CabinetState>>,
    pub(super) reported: watch::Sender<BTreeMap<DocumentName, Reported>>,
    pub(super) index_allowed: watch::Sender<bool>,
}

/// Why the engine stopped.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody gives inputs any more: the daemon stops.
    Told,
    /// A restart is wanted, and nobody is at the cabinet.
    Restart,
}

/// What ends the engine badly.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fatal {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Dice(#[from] NoDice),
}

/// The engine with its outlets.
pub(super) struct Deciding {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) outlets: Outlets,
    watched: Vec<CompartmentId>,
    files: Files,
    /// Answers for pulses that the bus did not even take, and for files.
    own: VecDeque<Input>,
    restart: bool,
}

impl Deciding {
    pub(super) fn new(engine: Engine, clock: Clock, outlets: Outlets, files: Files) -> Self {
        Self {
            engine,
            clock,
            outlets,
            watched: Vec::new(),
            files,
            own: VecDeque::new(),
            restart: false,
        }
    }

    /// Runs until there are no more inputs; `first` are the effects of the start. When it cannot go on, the screen says so.
    pub(super) fn run(
        mut self,
        first: Vec<Effect>,
        inputs: mpsc::Receiver<Input>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Ended, Fatal> {
        let outcome = self.decide(first, inputs, runtime);
        if outcome.is_err() {
            let views = &self.outlets.views;
            views.send_modify(|shown| *shown = Arc::new(out_of_service::instead_of(shown)));
        }
        outcome
    }

    fn decide(
        &mut self,
        first: Vec<Effect>,
        mut inputs: mpsc::Receiver<Input>,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Ended, Fatal> {
        self.act(first);
        self.publish();
        let mut house_keeping = self.clock.monotonic();
        while !self.restart {
            let now = self.clock.monotonic();
            if house_keeping <= now {
                house_keeping = now.plus_millis(HOUSE_KEEPING_MS);
                let effects = self.engine.keep_house(&self.clock.moment()?)?;
                self.act(effects);
                self.publish();
                let allowed = self.engine.index_allowed();
                self.outlets
                    .index_allowed
                    .send_if_modified(|known| replaced(known, allowed));
            }
            let _unsupervised = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            let input = match self.own.pop_front() {
                Some(input) => input,
                None => {
                    let wait = self.wait(now);
                    match runtime.block_on(async { timeout(wait, inputs.recv()).await }) {
                        Ok(Some(input)) => input,
                        Ok(None) => return Ok(Ended::Told),
                        Err(_) if self.is_due() => Input::DeadlineReached,
                        Err(_) => continue,
                    }
                }
            };
            let effects = self.engine.step(&self.clock.moment()?, input)?;
            self.act(effects);
            self.publish();
        }
        Ok(Ended::Restart)
    }

    fn wait(&self, now: Monotonic) -> Duration {
        let deadline = self.engine.next_deadline().map(|at| now.until(at));
        deadline.map_or(TURN_MAX, |wait| wait.min(TURN_MAX))
    }

    fn is_due(&self) -> bool {
        self.engine
            .next_deadline()
            .is_some_and(|at| at <= self.clock.monotonic())
    }

    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Unlock {
                    compartment,
                    unlock,
                    not_after,
                } => {
                    let work = Work::Unlock {
                        compartment,
                        unlock,
                        not_after,
                    };
                    if self.outlets.work.try_send(work).is_err() {
                        tracing::warn!(%compartment, "the lock bus takes no more work");
                        self.own.push_back(Input::UnlockAnswered {
                            unlock,
                            outcome: UnlockOutcome::NotSent,
                        });
                    }
                }
                Effect::Reply(reply) => {
                    if self.outlets.replies.try_send(reply).is_err() {
                        tracing::warn!("an answer to a command was dropped; the office asks again");
                    }
                }
                // The engine has kept it.
                Effect::StoreDocument { .. } => {}
                Effect::WriteWiring { found } => {
                    let answer = technician::write_wiring(&self.files.settings, &found);
                    self.own.push_back(answer);
                }
                Effect::KeepReport { name, text } => {
                    let answer = technician::keep_report(&self.files, &name, text);
                    self.own.push_back(answer);
                }
                Effect::InstallBoardKey { board, label } => {
                    self.work_on_key(board, Work::InstallKey { board, label }, KeyProblem::Silent);
                }
                Effect::KeepBoardKey { board } => {
                    self.work_on_key(board, Work::KeepKey { board }, KeyProblem::NotKept);
                }
                Effect::Restart => self.restart = true,
            }
        }
    }

    fn work_on_key(&mut self, board: BoardId, work: Work, problem: KeyProblem) {
        if self.outlets.work.try_send(work).is_err() {
            self.own.push_back(Input::BoardKeyRefused { board, problem });
        }
    }

    fn publish(&mut self) {
        let cabinet = self.engine.cabinet();
        let outlets = &self.outlets;
        let mut watched: Vec<CompartmentId> = cabinet.watched().collect();
        watched.sort();
        watched.dedup();
        if watched != self.watched && outlets.work.try_send(Work::Watch(watched.clone())).is_ok() {
            self.watched = watched;
        }
        let view = cabinet.view();
        outlets
            .views
            .send_if_modified(|shown| replaced(shown, Arc::new(view)));
        outlets
            .tip
            .send_if_modified(|tip| replaced(tip, cabinet.ledger().tip.seq));
        if let Some(keys) = &cabinet.authority().keys {
            outlets
                .keys
                .send_if_modified(|known| replaced(known, KeySet::clone(keys)));
        }
        outlets.reported.send_if_modified(|known| {
            *known != cabinet.authority().reported && {
                known.clone_from(&cabinet.authority().reported);
                true
            }
        });
        outlets.state.send_if_modified(|known| {
            let now = cabinet.state();
            let same = known.as_ref().is_some_and(|known| {
                known.compartments == now.compartments
                    && known.boards == now.boards
                    && known.ports_lost == now.ports_lost
                    && known.mains == now.mains
                    && known.alarms == now.alarms
            });
            if !same {
                *known = Some(now);
            }
            !same
        });
    }
}

fn replaced<T: PartialEq>(known: &mut T, now: T) -> bool {
    let changed = *known != now;
    if changed {
        *known = now;
    }
    changed
}
