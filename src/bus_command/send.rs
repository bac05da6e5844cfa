//! Opens a compartment from the command line as a technician at the screen would: badge, PIN, journal, and only then the pulse.
//!
//! The same cabinet decides that the screen speaks to, so nothing can be opened here that could not be opened there, and the journal
//! tells of it in the same words. Its lock is what keeps a running daemon and this command apart.

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use firmware_protocol::secure::Refusal;
use firmware_protocol::{AnyCodec, Codec, Command, Content, Request};
use office_protocol::CompartmentId;
use office_protocol::event::StaffRole;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::boards::Work;
use crate::boards::layout::Spot;
use crate::boards::master::{BusMaster, BusSettings};
use crate::boards::probe::{Heard, Probe};
use crate::boards::task;
use crate::cabinet::screen::{Action, Screen, Tap};
use crate::cabinet::vocabulary::{Effect, Input, UnlockOutcome};
use crate::clock::{self, Clock, NoDice};
use crate::command_line::{Failure, unseen};
use crate::daemon::{self, DaemonError};
use crate::engine::{Engine, EngineError};
use crate::secrets;
use crate::settings::Settings;

use super::say;

/// How long the board may take to show the door for the first time.
const FOUND_MAX_MS: u64 = 10_000;
/// How long the door may take to open and be answered for.
const OPENED_MAX_MS: u64 = 15_000;
/// How long the technician may take to close it again.
const CLOSED_MAX_MS: u64 = 120_000;
/// Steps towards a session, with two keys to try and one that is lost.
const HANDSHAKES_MAX: u32 = 6;
/// Inputs and orders that may wait.
const QUEUE: usize = 64;

fn no_compartment(compartment: u16) -> Failure {
    Failure::new(
        64,
        format!("no compartment {compartment} in the settings; give the number on its door"),
    )
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        DaemonError::from(error).into()
    }
}

impl From<NoDice> for Failure {
    fn from(error: NoDice) -> Self {
        DaemonError::from(error).into()
    }
}

/// Reads one door. Nothing moves, so nothing is journaled; the port itself refuses whoever comes second.
pub(super) async fn read(settings: &Settings, compartment: u16, as_json: bool) -> Result<ExitCode, Failure> {
    let id = CompartmentId(compartment);
    let place = settings
        .layout
        .spot(id)
        .ok_or_else(|| no_compartment(compartment))?;
    let port = settings.lock_ports[place.port.0].clone();
    let mut probe = Probe::open(port).await.map_err(|error| Failure::new(66, error))?;
    let mut codec = place.family.codec();
    let patience = Duration::from_millis(place.family.profile().reply_limit_ms.into());
    begin_session(settings, place, &mut codec, &mut probe, patience).await?;
    let reads_one = place.family.profile().reads_one;
    let request = Request {
        board: place.address,
        sequence: 1,
        command: if reads_one {
            Command::ReadDoor(place.channel)
        } else {
            Command::ReadAll {
                channels: place.channels,
            }
        },
    };
    let heard = probe
        .ask(&mut codec, &request, patience)
        .await
        .map_err(|error| Failure::new(66, error))?;
    let Heard::Answer(answer) = heard else {
        return Err(Failure::new(
            69,
            format!(
                "board {} does not answer ({heard:?}); `lockerd bus scan` shows who does",
                place.board
            ),
        ));
    };
    let door = match answer.content {
        Content::State(state) => state.doors.door(place.channel),
        Content::Door { door, .. } => door,
        Content::Unlocked { .. }
        | Content::AllUnlocked
        | Content::ReportsSet(_)
        | Content::Version(_)
        | Content::AllOff
        | Content::Handshake
        | Content::Unasked { .. } => firmware_protocol::DoorReading::Unknown,
    }
    .with(place.polarity);
    let door = format!("{door:?}").to_lowercase();
    say(&if as_json {
        json!({ "compartment": compartment, "door": door }).to_string()
    } else {
        format!("compartment {compartment}: {door}")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What the family wants before anything else: nothing, or a session under the board's key.
async fn begin_session(
    settings: &Settings,
    place: Spot,
    codec: &mut AnyCodec,
    probe: &mut Probe,
    patience: Duration,
) -> Result<(), Failure> {
    if let Some(ends) = codec.secure() {
        let keys = secrets::board_keys(&settings.secrets, [place.board]).map_err(DaemonError::from)?;
        let keys = keys.get(&place.board).cloned().unwrap_or_default();
        ends.controller.shuffle(*clock::draw_secret()?);
        ends.controller.meet(place.address, keys);
    }
    for _ in 0..HANDSHAKES_MAX {
        let Some(command) = codec.owes(place.address, 0) else {
            break;
        };
        let request = Request {
            board: place.address,
            sequence: 0,
            command,
        };
        let asked = probe.ask(codec, &request, patience).await;
        asked.map_err(|error| Failure::new(66, error))?;
    }
    let refusal = codec
        .secure()
        .and_then(|ends| ends.controller.refusal(place.address));
    let why = match refusal {
        Some(Refusal::UnknownKey(_)) => "says that it does not know this key: run `lockerd bus install-key`",
        Some(Refusal::NoCommonVersion(_)) => {
            "speaks another version: its firmware or lockerd needs an update"
        }
        Some(Refusal::ButtonNotHeld(_)) | None => return Ok(()),
    };
    Err(Failure::new(69, format!("board {} {why}", place.board)))
}

pub(super) async fn unlock(
    settings: Settings,
    compartment: u16,
    empty: bool,
    as_json: bool,
) -> Result<ExitCode, Failure> {
    let id = CompartmentId(compartment);
    settings
        .layout
        .spot(id)
        .ok_or_else(|| no_compartment(compartment))?;
    let (badge, pin) = credentials()?;
    let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
    let catalogue = daemon::catalogue(settings.catalogue.as_deref())?;
    let clock = Clock::new(settings.trust);
    let start = clock::draw_start()?;
    let (engine, first) = daemon::open(&settings, &enrolment, &catalogue, start, clock).await?;
    let (sender, inputs) = mpsc::channel(QUEUE);
    let (work, works) = mpsc::channel(QUEUE);
    let mut master = BusMaster::new(settings.layout.clone(), BusSettings::default());
    let keys = daemon::board_keys(&settings).map_err(DaemonError::from)?;
    master.give_keys(*clock::draw_secret()?, &keys);
    let (view, _unwatched) = watch::channel(master.view());
    tokio::spawn(task::run(
        master,
        settings.lock_ports,
        move || clock.monotonic(),
        works,
        sender,
        view,
    ));
    let mut technician = Technician {
        engine,
        clock,
        inputs,
        work,
        opened: false,
        closed: false,
        refused: false,
        id,
    };
    technician.act(first).await;
    technician.until(FOUND_MAX_MS, |here| here.found()).await?;
    technician.sign_in(badge, pin).await?;
    technician.tap(Action::StartInspection).await?;
    technician.tap(Action::OpenThis { compartment: id }).await?;
    if !technician.at_door() {
        return Err(Failure::new(
            77,
            format!("compartment {compartment} is not empty or is in use; a courier opens it at the screen"),
        ));
    }
    technician
        .until(OPENED_MAX_MS, |here| here.opened || here.refused || here.asks())
        .await?;
    let opened = technician.opened;
    if opened {
        technician.until(CLOSED_MAX_MS, |here| here.closed).await?;
        if technician.closed && empty {
            technician.tap(Action::Empty).await?;
        }
    }
    technician.tap(Action::Done).await?;
    say(&if as_json {
        json!({ "compartment": compartment, "opened": opened, "closed": technician.closed }).to_string()
    } else {
        let how = match (opened, technician.closed) {
            (true, true) => "opened and closed again",
            (true, false) => "opened, and still open",
            (false, _) => "did not open",
        };
        format!("compartment {compartment}: {how}")
    })?;
    Ok(if opened {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// The badge or pass and the PIN, from standard input: arguments can be read by everybody on the machine.
fn credentials() -> Result<(String, String), Failure> {
    unseen::ask_for_badge();
    let mut lines = std::io::stdin().lock().lines();
    let mut next = |what: &str| match lines.next() {
        Some(Ok(line)) if !line.trim().is_empty() => Ok(line.trim().to_owned()),
        Some(Ok(_) | Err(_)) | None => Err(Failure::new(
            64,
            format!("standard input has no {what}: give the badge or pass and the PIN, one line each"),
        )),
    };
    let badge = next("badge or pass")?;
    let _unseen = unseen::ask_for_pin();
    Ok((badge, next("PIN")?))
}

/// A technician in front of the cabinet, without a screen.
struct Technician {
    engine: Engine,
    clock: Clock,
    inputs: mpsc::Receiver<Input>,
    work: mpsc::Sender<Work>,
    opened: bool,
    closed: bool,
    refused: bool,
    id: CompartmentId,
}

impl Technician {
    async fn sign_in(&mut self, badge: String, pin: String) -> Result<(), Failure> {
        self.step(Input::Scanned { text: badge.into() }).await?;
        if !matches!(self.engine.cabinet().view().screen, Screen::EnterPin { .. }) {
            return Err(Failure::new(
                77,
                "no staff's badge or pass that counts here and now; nothing was opened",
            ));
        }
        self.tap(Action::Digits { digits: pin }).await?;
        let Screen::StaffHome { role, .. } = self.engine.cabinet().view().screen else {
            return Err(Failure::new(
                77,
                "the PIN is wrong, or too many were tried; nothing was opened",
            ));
        };
        if role != StaffRole::Technician {
            return Err(Failure::new(
                77,
                "only a technician may do this; nothing was opened",
            ));
        }
        Ok(())
    }

    /// Whether the board has shown this door.
    fn found(&self) -> bool {
        let state = self.engine.cabinet().state();
        state
            .compartments
            .iter()
            .any(|place| place.id == self.id && place.open.is_some())
    }

    fn at_door(&self) -> bool {
        self.engine
            .cabinet()
            .ledger()
            .compartments
            .get(&self.id)
            .is_some_and(|place| place.visit.is_some())
    }

    /// Whether the cabinet wants to know if the door is open, because no sensor shows it.
    fn asks(&self) -> bool {
        matches!(self.engine.cabinet().view().screen, Screen::IsDoorOpen(_))
    }

    async fn tap(&mut self, action: Action) -> Result<(), Failure> {
        let view = self.engine.cabinet().view();
        self.step(Input::Tapped(Tap {
            session: view.session,
            revision: view.revision,
            action,
        }))
        .await
    }

    async fn step(&mut self, input: Input) -> Result<(), Failure> {
        if let Input::DoorRead {
            compartment, open, ..
        } = input
            && compartment == self.id
        {
            self.opened |= open && self.at_door();
            self.closed = self.opened && !open;
        }
        if let Input::UnlockAnswered { outcome, .. } = input {
            self.refused |= matches!(outcome, UnlockOutcome::Refused | UnlockOutcome::NotSent);
        }
        let effects = self.engine.step(&self.clock.moment()?, input)?;
        self.act(effects).await;
        Ok(())
    }

    async fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Unlock {
                compartment,
                unlock,
                not_after,
            } = effect
            {
                let order = [
                    Work::Watch(vec![compartment]),
                    Work::Unlock {
                        compartment,
                        unlock,
                        not_after,
                    },
                ];
                for order in order {
                    if self.work.send(order).await.is_err() {
                        tracing::warn!("the lock bus has ended");
                    }
                }
            }
        }
    }

    /// Lets inputs and deadlines come until something holds, or for so long.
    async fn until(&mut self, limit_ms: u64, holds: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let end = self.clock.monotonic().plus_millis(limit_ms);
        while !holds(self) {
            let now = self.clock.monotonic();
            if end <= now {
                break;
            }
            let due = self.engine.next_deadline().map_or(end, |at| at.min(end));
            let input = match timeout(now.until(due), self.inputs.recv()).await {
                Ok(Some(input)) => input,
                Ok(None) => return Err(Failure::new(69, "the lock bus has ended; see above")),
                Err(_) => Input::DeadlineReached,
            };
            self.step(input).await?;
        }
        Ok(())
    }
}
