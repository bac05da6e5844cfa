//! The daemon without its threads: the engine and the bus master, on one virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockerd::boards::master::{BusMaster, BusSettings};
use lockerd::cabinet::vocabulary::{Effect, Input, Moment};
use lockerd::cabinet::{Cabinet, Config};
use lockerd::engine::{Disks, Engine, EngineError, Run};
use lockerd::journal::{Disk, JournalError, JournalReader, Options};
use lockerd::office_link::{self, Limits, Sync};
use office_protocol::{CabinetId, CompartmentId, KeySet, SigningKey, Start};
use rand_core::Rng;

use super::bench::Bench;
use super::office::{ITEMS, Office};
use crate::disk::SimulatedDisk;

/// Small segments, so that a short run rolls over many.
const OPTIONS: Options = Options {
    segment_bytes: 128 << 10,
    reserve_bytes: 64 << 10,
};

/// A running daemon.
pub(super) struct Daemon {
    pub(super) engine: Engine,
    pub(super) reader: JournalReader,
    pub(super) bus: BusMaster,
    pub(super) watched: Vec<CompartmentId>,
}

/// Who the cabinet is, over all its starts.
pub(super) struct Identity {
    pub(super) cabinet: CabinetId,
    pub(super) secret: [u8; 32],
}

/// Why there is no daemon any more.
#[derive(Debug)]
pub(super) enum Gone {
    /// The power went, the disk failed, or somebody stopped it: it comes back by itself.
    Stopped(String),
    /// It cannot go on with what is on its disk.
    Refuses(String),
}

impl From<EngineError> for Gone {
    fn from(error: EngineError) -> Self {
        let text = error.to_string();
        match error {
            EngineError::Journal(
                JournalError::Io { .. }
                | JournalError::Full
                | JournalError::Poisoned
                | JournalError::Locked { .. },
            ) => Self::Stopped(text),
            EngineError::Journal(
                JournalError::Version { .. }
                | JournalError::OutOfOrder { .. }
                | JournalError::TooLarge { .. },
            )
            | EngineError::Checkpoint(_)
            | EngineError::Unknown { .. }
            | EngineError::Foreign { .. } => Self::Refuses(text),
        }
    }
}

impl Daemon {
    /// Recovers what is on the disk, and starts; as a version that knows of no proofs, or as this one.
    pub(super) fn open(
        disk: &SimulatedDisk,
        identity: &Identity,
        office: &Office,
        (bench, before_commissioning): (&Bench, bool),
        keys: &KeySet,
        start: Start,
        moment: &Moment,
    ) -> Result<(Self, Vec<Effect>, Sync), Gone> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let disks = Disks {
            journal: Arc::clone(&disk),
            documents: disk,
        };
        let run = Run {
            start,
            version: "simulated".into(),
            enrolled_keys: office.enrolled_keys(),
            keep_days: 0,
        };
        let layout = bench.layout();
        let layout = layout.ok_or_else(|| Gone::Refuses("the layout does not fit".to_owned()))?;
        let config = config(identity, office, bench, before_commissioning);
        let (engine, effects) = Engine::open(disks, OPTIONS, config, run, moment)?;
        let sync = Sync::new(
            office_link::Identity {
                cabinet: identity.cabinet.clone(),
                start,
                version: "simulated".to_owned(),
            },
            Limits::default(),
            SigningKey::from_secret(&identity.secret),
            keys.clone(),
            engine.cabinet().ledger().tip.seq,
        );
        let mut bus = BusMaster::new(layout, BusSettings::default());
        let mut dice = [0; 32];
        moment.dice.generator().fill_bytes(&mut dice);
        bus.give_keys(dice, &bench.keys());
        let daemon = Self {
            reader: engine.reader(),
            engine,
            bus,
            watched: Vec::new(),
        };
        Ok((daemon, effects, sync))
    }

    pub(super) fn cabinet(&self) -> &Cabinet {
        self.engine.cabinet()
    }

    /// Decides, makes durable, and says what is to be done now.
    pub(super) fn step(&mut self, moment: &Moment, input: Input) -> Result<Vec<Effect>, Gone> {
        Ok(self.engine.step(moment, input)?)
    }

    /// What a background thread does once a minute. A disk that has no room for blank segments is no reason to stop.
    pub(super) fn keep_house(&mut self, moment: &Moment) -> Result<Vec<Effect>, Gone> {
        let _full = self.engine.preparer().prepare();
        Ok(self.engine.keep_house(moment)?)
    }
}

fn config(identity: &Identity, office: &Office, bench: &Bench, before_commissioning: bool) -> Config {
    Config {
        id: identity.cabinet.clone(),
        key: SigningKey::from_secret(&identity.secret),
        root: office.root(),
        layout: bench.compartment_layout(before_commissioning),
        protected: bench.protected(),
        items: ITEMS
            .iter()
            .filter_map(|(item, size)| Some((item.parse().ok()?, *size)))
            .collect::<BTreeMap<_, _>>(),
    }
}
