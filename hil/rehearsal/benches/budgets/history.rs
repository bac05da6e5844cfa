//! A million events of a cabinet's life, made by its own engine: people hand in, a courier clears, and the year goes by.

use std::sync::Arc;

use lockerd::cabinet::Config;
use lockerd::cabinet::screen::{Action, Screen, Tap, View};
use lockerd::cabinet::vocabulary::{Dice, Effect, Input, Moment, Monotonic, UnlockOutcome};
use lockerd::catalogue::Catalogue;
use lockerd::engine::{Disks, Engine, Run};
use lockerd::journal::{Options, RealDisk};
use lockerd::secrets;
use lockerd::settings::Settings;
use office_protocol::{CompartmentId, SigningKey, Start, Timestamp};

use rehearsal::commissioning::{Technician, prove_all};
use rehearsal::crashes::Hasty;

use crate::place::{COURIER, PIN, Place, TECHNICIAN};

/// Events of history.
pub(crate) const EVENTS: u64 = 1_000_000;
const BEGINNING_MS: i64 = 1_700_000_000_000;
const DAY_MS: u64 = 86_400_000;

/// The engine's disks and what it is told, as the daemon makes them of the place's settings.
pub(crate) fn told(place: &Place, start: u64) -> (Disks, Config, Run) {
    let settings = Settings::load(&place.config()).unwrap();
    let enrolment = secrets::load(&settings.secrets).unwrap();
    let disk = |name| Arc::new(RealDisk::open(&settings.directory.join(name)).unwrap());
    let disks = Disks {
        journal: disk("journal"),
        documents: disk("documents"),
    };
    let catalogue = Catalogue::built_in();
    let items = catalogue.items().filter(|item| item.cabinet);
    let config = Config {
        id: enrolment.bundle.cabinet.clone(),
        key: SigningKey::from_secret(&enrolment.code_key.secret()),
        root: enrolment.bundle.root.clone(),
        layout: settings.compartments,
        protected: settings.layout.secure_boards().collect(),
        items: items.map(|item| (item.code().clone(), item.size)).collect(),
    };
    let run = Run {
        start: Start(start),
        version: "history".into(),
        enrolled_keys: Some(enrolment.signed_keys),
        keep_days: 190,
    };
    (disks, config, run)
}

/// A moment of the history, or after it.
pub(crate) fn moment(now: u64) -> Moment {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&now.to_le_bytes());
    Moment {
        now: Monotonic::from_millis(now),
        wall: Timestamp::from_millis(BEGINNING_MS + i64::try_from(now).unwrap()),
        trusted: true,
        dice: Dice::new(seed),
    }
}

/// Lives through it; says when it ends.
pub(crate) fn live(place: &Place) -> u64 {
    let (mut disks, config, run) = told(place, 1);
    disks.journal = Arc::new(Hasty(disks.journal));
    let (mut engine, _) = Engine::open(disks, Options::default(), config, run, &moment(0)).unwrap();
    prove_all(&mut engine, || Ok(moment(0)), Technician::Badged(TECHNICIAN, PIN)).unwrap();
    let mut life = Life {
        engine,
        now: 0,
        last: None,
    };
    for number in 1..=24 {
        life.door(CompartmentId(number), false, true);
    }
    let mut passes = 0;
    while life.engine.cabinet().ledger().tip.seq.0 < EVENTS {
        for _ in 0..20 {
            passes += 1;
            life.drop_off(place, passes);
        }
        life.clear();
        life.now += DAY_MS / 6;
        let effects = life.engine.keep_house(&moment(life.now)).unwrap();
        assert!(effects.is_empty());
    }
    life.now
}

struct Life {
    engine: Engine,
    now: u64,
    /// The compartment that was pulsed last.
    last: Option<CompartmentId>,
}

impl Life {
    fn input(&mut self, input: Input) {
        self.now += 100;
        for effect in self.engine.step(&moment(self.now), input).unwrap() {
            if let Effect::Unlock {
                compartment, unlock, ..
            } = effect
            {
                self.last = Some(compartment);
                self.input(Input::UnlockAnswered {
                    unlock,
                    outcome: UnlockOutcome::Opened,
                });
            }
        }
    }

    fn door(&mut self, compartment: CompartmentId, open: bool, first: bool) {
        self.input(Input::DoorRead {
            compartment,
            open,
            first,
        });
    }

    fn open_and_close(&mut self) {
        let compartment = self.last.take().unwrap();
        self.door(compartment, true, false);
        self.door(compartment, false, false);
    }

    fn scan(&mut self, text: &str) {
        self.input(Input::Scanned { text: text.into() });
    }

    fn tap(&mut self, action: Action) {
        let View {
            session, revision, ..
        } = self.engine.cabinet().view();
        self.input(Input::Tapped(Tap {
            session,
            revision,
            action,
        }));
    }

    fn drop_off(&mut self, place: &Place, number: u64) {
        let expires = moment(self.now + 30 * DAY_MS).wall;
        self.scan(&place.pass(&format!("pass-{number}"), None, expires));
        for _ in 0..2 {
            self.tap(Action::Accept { reachable: false });
        }
        self.open_and_close();
        self.tap(Action::Yes);
        self.tap(Action::Done);
    }

    fn clear(&mut self) {
        self.scan(COURIER);
        self.tap(Action::Digits { digits: PIN.into() });
        self.tap(Action::StartClearing);
        while matches!(self.engine.cabinet().view().screen, Screen::Round { rows, .. } if !rows.is_empty()) {
            self.tap(Action::OpenNext);
            self.open_and_close();
            self.tap(Action::Yes);
        }
        self.tap(Action::EndRound);
        self.tap(Action::Done);
    }
}
