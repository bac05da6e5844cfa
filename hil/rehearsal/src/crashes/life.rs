//! A cabinet's daily work through the real engine, on any disk, until something stops it: hand in, clear, place, collect, and look
//! into what the last stop left in doubt.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use lockerd::cabinet::screen::{Action, Screen, Tap, View};
use lockerd::cabinet::vocabulary::{Dice, Effect, Input, Moment, Monotonic, UnlockOutcome};
use lockerd::cabinet::{Config, Direction, Ledger};
use lockerd::documents;
use lockerd::engine::{Disks, Engine, EngineError, Run};
use lockerd::journal::{Disk, Options};
use office_protocol::document::{DocumentName, Policy, Staff, StaffMember};
use office_protocol::event::{CompartmentLayout, Size, StaffRole};
use office_protocol::sealed::OpeningKey;
use office_protocol::{
    CabinetId, CompartmentId, Digest, KeySet, OfficeKey, Pass, PassKind, PickupCode, Purpose, Scope,
    SealedPart, Seq, Signed, SigningKey, Start, Timestamp, Tip,
};

const COMPARTMENTS: u16 = 6;
const PIN: &str = "4711";
const BADGE: &str = "BADGE-C";
const BEGINNING: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const FAR_AHEAD: Timestamp = Timestamp::from_millis(4_000_000_000_000);
/// Between two things that happen.
const PACE_MS: u64 = 1_000;

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

/// The office's keys and documents, and the cabinet's key: always the same.
pub(super) struct World {
    root: SigningKey,
    office: SigningKey,
    opening: OpeningKey,
    keys: Signed,
    documents: [(DocumentName, Signed); 2],
}

impl World {
    pub(super) fn new() -> Self {
        let (root, office) = (
            SigningKey::from_secret(&[1; 32]),
            SigningKey::from_secret(&[2; 32]),
        );
        let opening = OpeningKey::from_secret(&[3; 32]).expect("any 32 bytes are an X25519 key");
        let keys = KeySet {
            version: 1,
            keys: vec![OfficeKey {
                key: office.verifying_key(),
                purposes: vec![Purpose::Pass, Purpose::Document],
            }],
            sealing: vec![opening.sealing_key().clone()],
        };
        let staff = Staff {
            version: 1,
            members: vec![StaffMember {
                id: "wang".parse().expect("letters"),
                roles: vec![StaffRole::Courier],
                badge: Some(Digest::of(BADGE.as_bytes())),
                pin: pin_verifier(),
                expires: FAR_AHEAD,
            }],
        };
        let policy = Policy {
            version: 1,
            ..Policy::default()
        };
        let signed = |key, purpose, bytes| Signed::new(key, purpose, &cabinet(), bytes);
        let json = |value: serde_json::Value| value.to_string().into_bytes();
        let text = "documents are texts and numbers";
        Self {
            keys: signed(
                &root,
                Purpose::KeySet,
                json(serde_json::to_value(&keys).expect(text)),
            ),
            documents: [
                (
                    DocumentName::Staff,
                    signed(
                        &office,
                        Purpose::Document,
                        json(serde_json::to_value(&staff).expect(text)),
                    ),
                ),
                (
                    DocumentName::Policy,
                    signed(
                        &office,
                        Purpose::Document,
                        json(serde_json::to_value(&policy).expect(text)),
                    ),
                ),
            ],
            root,
            office,
            opening,
        }
    }

    /// Puts the office's documents where the engine looks for them.
    pub(super) fn furnish(&self, disk: &dyn Disk) {
        for (name, signed) in &self.documents {
            documents::store(disk, *name, signed).expect("this disk works");
        }
    }

    fn config(&self) -> Config {
        let ids = || (1..=COMPARTMENTS).map(CompartmentId);
        Config {
            id: cabinet(),
            key: SigningKey::from_secret(&[4; 32]),
            root: self.root.verifying_key(),
            layout: ids()
                .map(|id| CompartmentLayout {
                    id,
                    size: Size::Small,
                    reachable: true,
                    wiring: None,
                })
                .collect(),
            items: std::collections::BTreeMap::new(),
        }
    }

    fn pass(&self, name: &str) -> String {
        let pass = Pass {
            id: name.parse().expect("letters and digits"),
            not_before: Timestamp::from_millis(0),
            expires: FAR_AHEAD,
            scope: Scope::Anywhere,
            kind: PassKind::DropOff {
                application: "A-1".parse().expect("letters and digits"),
                items: Vec::new(),
                size: Size::Small,
                compartments: 1,
            },
        };
        pass.sign(&self.office)
    }
}

fn cabinet() -> CabinetId {
    "PORT-7".parse().expect("capitals, a dash, a digit")
}

fn pin_verifier() -> String {
    let cheap = Params::new(8, 1, 1, None).expect("the smallest that there is");
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
    let hash = argon.hash_password_with_salt(PIN.as_bytes(), b"salt-for-tests");
    hash.expect("a salt of 14 bytes").to_string()
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
}

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
        };
        life.tell();
        for number in 1..=COMPARTMENTS {
            life.door(CompartmentId(number), false, true)?;
        }
        Ok(life)
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
        self.collect_all()?;
        self.clear()?;
        self.drop_off(number)?;
        self.place(number)?;
        self.collect_all()?;
        self.clear()
    }

    /// The office has everything so far: old segments may go.
    pub(super) fn reported(&mut self) -> Result<(), Ended> {
        let seq = self.ledger().tip.seq;
        self.input(Input::Acknowledged { seq })
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
        for effect in effects {
            if let Effect::Unlock {
                compartment, unlock, ..
            } = effect
            {
                if unlock > self.ledger().tip.seq {
                    return Err(Ended::Wrong(format!("pulse {unlock} without a cause on disk")));
                }
                self.pulsed = Some(compartment);
                self.input(Input::UnlockAnswered {
                    unlock,
                    outcome: UnlockOutcome::Opened,
                })?;
            }
        }
        Ok(())
    }

    fn door(&mut self, compartment: CompartmentId, open: bool, first: bool) -> Result<(), Ended> {
        self.input(Input::DoorRead {
            compartment,
            open,
            first,
        })
    }

    fn open_and_close(&mut self) -> Result<(), Ended> {
        let Some(compartment) = self.pulsed.take() else {
            return Err(self.lost("a door opens"));
        };
        self.door(compartment, true, false)?;
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

    fn admit(&mut self) -> Result<(), Ended> {
        self.scan(BADGE)?;
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
        self.admit()?;
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
        self.admit()?;
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

    fn place(&mut self, number: u64) -> Result<(), Ended> {
        self.admit()?;
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
        let opened = sealed.and_then(|bytes| SealedPart { bytes }.open(&self.world.opening, &cabinet()).ok());
        opened
            .and_then(|personal| personal.code.clone())
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
