//! The technician of a rehearsal's set-up: proves every lock of a cabinet in its journal, with doors that do as they should.
//!
//! The real cabinet decides, through the real engine and on the real disk, with nothing on the lock bus; so that what is rehearsed
//! afterwards begins with a cabinet that takes drop-offs. `lockerd commission` is what a technician runs.

use std::path::Path;
use std::sync::Arc;

use lockerd::cabinet::Config;
use lockerd::cabinet::screen::{Action, Screen, Tap};
use lockerd::cabinet::vocabulary::{Effect, Input, Moment};
use lockerd::clock::{self, Clock, NoDice};
use lockerd::engine::{Disks, Engine, EngineError, Run};
use lockerd::journal::{Options, RealDisk};
use lockerd::secrets::{self, SecretsError};
use lockerd::settings::{Settings, SettingsError};
use office_protocol::{CompartmentId, SigningKey};

/// Taps that one lock may take, and a few for signing in.
const TAPS_MAX: usize = 5_000;

/// Who the technician is.
#[derive(Debug, Clone, Copy)]
pub enum Technician<'a> {
    /// Somebody at the machine, before the office has named a technician.
    AtMachine,
    /// Somebody with a badge and a PIN.
    Badged(&'a str, &'a str),
}

/// Why the locks are not proven.
#[derive(Debug, thiserror::Error)]
pub enum NotCommissioned {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The enrolment.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The journal's directory.
    #[error("{0}; choose another directory")]
    Directory(#[from] std::io::Error),
    /// The journal.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No randomness.
    #[error(transparent)]
    NoDice(#[from] NoDice),
    /// The cabinet let nobody in, or has a lock that cannot be proven.
    #[error("the cabinet cannot be commissioned: it shows {0}")]
    Shows(String),
}

/// Commissions the cabinet of a settings file, whose daemon does not run.
///
/// # Errors
/// [`NotCommissioned`].
pub fn commission(config: &Path, technician: Technician<'_>) -> Result<(), NotCommissioned> {
    let settings = Settings::load(config)?;
    let enrolment = secrets::load(&settings.secrets)?;
    let disk = |name| RealDisk::open(&settings.directory.join(name)).map(Arc::new);
    let disks = Disks {
        journal: disk("journal")?,
        documents: disk("documents")?,
    };
    let cabinet = Config {
        id: enrolment.bundle.cabinet.clone(),
        key: SigningKey::from_secret(&enrolment.code_key.secret()),
        root: enrolment.bundle.root.clone(),
        layout: settings.compartments,
        protected: settings.layout.secure_boards().collect(),
        items: [].into(),
    };
    let run = Run {
        start: clock::draw_start()?,
        version: env!("CARGO_PKG_VERSION").into(),
        enrolled_keys: Some(enrolment.signed_keys),
        keep_days: settings.keep_days,
    };
    let clock = Clock::new(settings.trust);
    let (mut engine, _) = Engine::open(disks, Options::default(), cabinet, run, &clock.moment()?)?;
    prove_all(&mut engine, || clock.moment(), technician)
}

/// Proves every lock that is not proven yet.
///
/// # Errors
/// [`NotCommissioned`].
pub fn prove_all(
    engine: &mut Engine,
    mut moment: impl FnMut() -> Result<Moment, NoDice>,
    technician: Technician<'_>,
) -> Result<(), NotCommissioned> {
    let read = |compartment, open, first| Input::DoorRead {
        compartment,
        open,
        first,
    };
    let doors: Vec<CompartmentId> = engine.cabinet().ledger().compartments.keys().copied().collect();
    for door in doors {
        engine.step(&moment()?, read(door, false, true))?;
    }
    let arrival = match technician {
        Technician::AtMachine => Input::TechnicianAtMachine {
            staff: "set-up".parse().expect("letters and a dash"),
        },
        Technician::Badged(badge, _) => Input::Scanned { text: badge.into() },
    };
    engine.step(&moment()?, arrival)?;
    for _ in 0..TAPS_MAX {
        let view = engine.cabinet().view();
        let input = match (&view.screen, technician) {
            (Screen::EnterPin { wrong: false, .. }, Technician::Badged(_, pin)) => Action::Digits {
                digits: pin.to_owned(),
            },
            (Screen::StaffHome { to_prove: 0, .. }, _) => Action::Done,
            (Screen::StaffHome { .. }, _) => Action::StartProving,
            (Screen::Round { rows, .. }, _) if rows.is_empty() => Action::EndRound,
            (Screen::Round { .. }, _) => Action::OpenNext,
            (Screen::WhichDoor { work, .. }, _) => Action::OpenedDoor {
                compartment: work.compartment,
            },
            (Screen::DoorOpen { work, .. }, _) => {
                engine.step(&moment()?, read(work.compartment, false, false))?;
                continue;
            }
            (Screen::Home { .. }, _) if engine.cabinet().ledger().unproven().next().is_none() => {
                return Ok(());
            }
            (other, _) => return Err(NotCommissioned::Shows(format!("{other:?}"))),
        };
        let tap = Tap {
            session: view.session,
            revision: view.revision,
            action: input,
        };
        for effect in engine.step(&moment()?, Input::Tapped(tap))? {
            if let Effect::Unlock { compartment, .. } = effect {
                engine.step(&moment()?, read(compartment, true, false))?;
            }
        }
    }
    Err(NotCommissioned::Shows("no end".to_owned()))
}
