//! The running daemon: starts a thread for the serial lines, one for the engine and a task per shell, and stops them in order.
//!
//! Whatever fails outside of the engine, the rest goes on: a port is opened again when it is back, a lost broker is called
//! again. Only a journal that cannot be written ends the daemon; the screen's last word is that the cabinet is out of service,
//! and the page goes on saying so by itself until systemd has started the daemon again.

mod deciding;
mod history;
pub mod lines;
mod link;
mod out_of_service;
mod technician;
mod traffic;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firmware_protocol::secure::Keys;
use office_protocol::BoardId;
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::boards;
use crate::boards::master::{BusMaster, BusSettings};
use crate::cabinet::Config;
use crate::cabinet::vocabulary::Input;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::clock::{self, Clock, NoDice};
use crate::engine::{Disks, Engine, EngineError, Run};
use crate::index::{self, IndexQuery};
use crate::journal::{JournalError, Options, Preparer, RealDisk};
use crate::kiosk::{self, Kiosk, KioskError};
use crate::office_link;
use crate::scanner;
use crate::secrets::{self, Enrolment, SecretsError};
use crate::settings::{Scanner, Settings};

use deciding::{Deciding, Ended, Fatal, Outlets};

/// Inputs that may wait for the engine.
const INPUTS_MAX: usize = 256;
/// Orders that may wait for the lock bus, and answers for the office.
const WORK_MAX: usize = 64;
/// Taps that may wait: more are refused at once.
const TAPS_MAX: usize = 16;
/// How long the link may take to say goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(3);
/// Between two looks whether a blank segment is missing.
const PREPARE_EVERY: Duration = Duration::from_secs(30);

/// Why the daemon does not run, or no longer.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Identity or enrolment.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The catalogue of the settings.
    #[error("{0}")]
    Catalogue(String),
    /// The catalogue's contents.
    #[error(transparent)]
    InvalidCatalogue(#[from] CatalogueError),
    /// The journal's directory.
    #[error("{place}: {source}; check the directory and its rights")]
    Directory {
        /// Which.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The kiosk's port.
    #[error(transparent)]
    Kiosk(#[from] KioskError),
    /// No randomness.
    #[error(transparent)]
    NoDice(#[from] NoDice),
    /// The system gives no thread or signal handler.
    #[error("the system refuses a thread or a signal handler: {0}; free memory and processes")]
    System(#[from] std::io::Error),
}

impl DaemonError {
    /// The exit code, as sysexits has it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Secrets(_) | Self::Catalogue(_) | Self::InvalidCatalogue(_) => 78,
            Self::Kiosk(KioskError::NotLoopback(_)) => 78,
            Self::Directory { .. } => 74,
            Self::Engine(EngineError::Journal(JournalError::Locked { .. })) => 75,
            Self::Engine(EngineError::Journal(_)) => 74,
            Self::Engine(EngineError::Checkpoint(_) | EngineError::Unknown { .. }) => 65,
            Self::Engine(EngineError::Foreign { .. }) => 78,
            Self::Kiosk(KioskError::Bind { .. } | KioskError::Stopped(_)) => 69,
            Self::NoDice(_) | Self::System(_) => 71,
        }
    }
}

/// Reads the catalogue of the settings, or takes the one that comes with the program.
///
/// # Errors
/// [`DaemonError::Catalogue`], [`DaemonError::InvalidCatalogue`].
pub fn catalogue(path: Option<&Path>) -> Result<Catalogue, DaemonError> {
    let Some(path) = path else {
        return Ok(Catalogue::built_in());
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| DaemonError::Catalogue(format!("{}: {error}", path.display())))?;
    Ok(Catalogue::parse(&text)?)
}

/// Runs until SIGTERM or SIGINT, a wanted restart, or a fatal error.
///
/// # Errors
/// [`DaemonError`].
pub async fn run(settings: Settings) -> Result<(), DaemonError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let enrolment = secrets::load(&settings.secrets)?;
    let catalogue = Arc::new(catalogue(settings.catalogue.as_deref())?);
    let clock = Clock::new(settings.trust);
    let listener = kiosk::bind(settings.kiosk).await?;
    let start = clock::draw_start()?;
    let (engine, first) = match open(&settings, &enrolment, &catalogue, start, clock).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "out of service");
            let shown = out_of_service::show(listener, &settings, &enrolment, catalogue, clock);
            tokio::select! {
                () = shown => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return Err(error);
        }
    };
    tracing::info!(cabinet = %enrolment.bundle.cabinet, %start, tip = %engine.cabinet().ledger().tip.seq, "started");

    let (inputs, received) = mpsc::channel(INPUTS_MAX);
    let (work, works) = mpsc::channel(WORK_MAX);
    let (replies, replied) = mpsc::channel(WORK_MAX);
    let (views, viewed) = watch::channel(Arc::new(engine.cabinet().view()));
    // The screen outlives the engine, so that the page hears its last word.
    let _screen_stays = views.clone();
    let (tip, tips) = watch::channel(engine.cabinet().ledger().tip.seq);
    let (keys, known_keys) = watch::channel(enrolment.keys.clone());
    let (state, decided) = watch::channel(None);
    let (counted, states) = watch::channel(None);
    let (reported, reports) = watch::channel(BTreeMap::new());
    let (index_allowed, allowed) = watch::channel(false);
    let (stop, stopping) = watch::channel(false);

    prepare_ahead(engine.preparer());
    let mut bus_master = BusMaster::new(settings.layout.clone(), BusSettings::default());
    bus_master.give_keys(*clock::draw_secret()?, &board_keys(&settings)?);
    let (bus_view, bus_views) = watch::channel(bus_master.view());
    tokio::spawn(traffic::run(decided, bus_views, counted, traffic::COUNTS_EVERY));
    let now = move || clock.monotonic();
    let bus = boards::task::run_keeping(
        bus_master,
        settings.lock_ports.clone(),
        now,
        works,
        inputs.clone(),
        bus_view,
        technician::keeper(&settings.secrets),
    );
    let scanner = |scanner: &Scanner| {
        let (name, port) = (scanner.name.clone(), scanner.port.clone());
        scanner::task::run(name, port, scanner.start, scanner.ends, now, inputs.clone())
    };
    lines::attend(bus, settings.scanners.iter().map(scanner).collect())?;
    let history = settings.index.then(|| IndexQuery::absent(engine.reader()));
    let keep = |query| {
        let channels = index::task::Channels {
            tip: tips.clone(),
            allowed,
            stop: stopping.clone(),
        };
        history::keep(settings.directory.join("index"), query, channels)
    };
    let indexing = history.clone().map(keep).transpose()?;
    let shown = Kiosk {
        views: viewed,
        history: history::lookup(history),
        taps: taps(inputs.clone()),
        now: Arc::new(move || clock.monotonic()),
        catalogue,
        utc_offset_minutes: settings.utc_offset_minutes,
    };
    let screen = tokio::spawn(kiosk::serve(listener, shown));
    let (link_view, _unseen) = watch::channel(link::none(&enrolment, start, *tips.borrow()));
    let link = link::start(
        link::settings(&settings, &enrolment, start),
        &enrolment,
        engine.reader(),
        clock,
        office_link::Channels {
            offers: link::offers(&settings, &enrolment),
            renewed: link::renewed(&settings),
            inputs: inputs.clone(),
            tip: tips,
            keys: known_keys,
            state: states,
            reported: reports,
            replies: replied,
            view: link_view,
            stop: stopping,
        },
    );
    drop(inputs);

    let outlets = Outlets {
        work,
        replies,
        views,
        tip,
        keys,
        state,
        reported,
        index_allowed,
    };
    let files = technician::Files {
        settings: settings.file,
        secrets: settings.secrets,
        directory: settings.directory,
    };
    let mut ended = decide(Deciding::new(engine, clock, outlets, files), first, received)?;
    let _unsupervised = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let outcome = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        outcome = &mut ended => outcome.ok(),
    };
    let _unsupervised = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let _no_link_left = stop.send(true);
    if timeout(GOODBYE_MAX, link).await.is_err() {
        tracing::warn!("the link to the office took too long to say goodbye");
    }
    if let Some(indexing) = indexing {
        history::closed(indexing).await;
    }
    if matches!(outcome, Some(Err(_))) {
        out_of_service::say_last_word().await;
    }
    screen.abort();
    match outcome {
        None | Some(Ok(Ended::Told)) => Ok(()),
        Some(Ok(Ended::Restart)) => {
            tracing::info!("restarting as it was asked to");
            Ok(())
        }
        Some(Err(Fatal::Engine(error))) => Err(error.into()),
        Some(Err(Fatal::Dice(error))) => Err(error.into()),
    }
}

/// The keys of the boards that have some; warns of those that should.
pub(crate) fn board_keys(settings: &Settings) -> Result<BTreeMap<BoardId, Keys>, SecretsError> {
    let secure: Vec<BoardId> = settings.layout.secure_boards().collect();
    let keys = secrets::board_keys(&settings.secrets, secure.iter().copied())?;
    for board in secure.iter().filter(|board| !keys.contains_key(board)) {
        tracing::warn!(%board, "this lock board has no key: run `lockerd bus install-key`");
    }
    Ok(keys)
}

/// Opens the journal on a blocking thread: reading and syncing may take long.
pub(crate) async fn open(
    settings: &Settings,
    enrolment: &Enrolment,
    catalogue: &Catalogue,
    start: office_protocol::Start,
    clock: Clock,
) -> Result<(Engine, Vec<crate::cabinet::vocabulary::Effect>), DaemonError> {
    let disk = |name: &str| {
        let directory = settings.directory.join(name);
        RealDisk::open(&directory)
            .map(Arc::new)
            .map_err(|source| DaemonError::Directory {
                place: directory.display().to_string(),
                source,
            })
    };
    let disks = Disks {
        journal: disk("journal")?,
        documents: disk("documents")?,
    };
    let items = catalogue.items().filter(|item| item.cabinet);
    let config = Config {
        id: enrolment.bundle.cabinet.clone(),
        key: office_protocol::SigningKey::from_secret(&enrolment.code_key.secret()),
        root: enrolment.bundle.root.clone(),
        layout: settings.compartments.clone(),
        protected: settings.layout.secure_boards().collect(),
        items: items.map(|item| (item.code().clone(), item.size)).collect(),
    };
    let run = Run {
        start,
        version: env!("CARGO_PKG_VERSION").into(),
        enrolled_keys: Some(enrolment.signed_keys.clone()),
        keep_days: settings.keep_days,
    };
    let moment = clock.moment()?;
    let opened =
        tokio::task::spawn_blocking(move || Engine::open(disks, Options::default(), config, run, &moment));
    Ok(opened.await.map_err(std::io::Error::other)??)
}

/// Starts the engine's thread; the answer is how it ended.
fn decide(
    deciding: Deciding,
    first: Vec<crate::cabinet::vocabulary::Effect>,
    inputs: mpsc::Receiver<Input>,
) -> Result<oneshot::Receiver<Result<Ended, Fatal>>, DaemonError> {
    let (tell, ended) = oneshot::channel();
    // Its own, because the daemon's ends while the engine still waits.
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let run = move || {
        let outcome = deciding.run(first, inputs, &runtime);
        if let Err(error) = &outcome {
            tracing::error!(%error, "out of service");
        }
        let _nobody_waits = tell.send(outcome);
    };
    std::thread::Builder::new().name("engine".into()).spawn(run)?;
    Ok(ended)
}

fn prepare_ahead(preparer: Preparer) {
    tokio::spawn(async move {
        loop {
            let preparer = preparer.clone();
            let prepared = tokio::task::spawn_blocking(move || preparer.prepare()).await;
            if let Ok(Err(error)) = prepared {
                tracing::warn!(%error, "no blank journal segment could be made ahead");
            }
            tokio::time::sleep(PREPARE_EVERY).await;
        }
    });
}

fn taps(inputs: mpsc::Sender<Input>) -> mpsc::Sender<crate::cabinet::screen::Tap> {
    let (taps, mut touched) = mpsc::channel(TAPS_MAX);
    tokio::spawn(async move {
        while let Some(tap) = touched.recv().await {
            if inputs.send(Input::Tapped(tap)).await.is_err() {
                return;
            }
        }
    });
    taps
}
