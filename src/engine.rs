//! The only writer: an input is decided, its events made durable as one group, and only then its effects are handed out.
//!
//! No clock, no dice, no thread of its own: every call gets a [`Moment`] and may take as long as the disk takes. The daemon
//! runs it on a thread, the simulation calls it directly with a disk that crashes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use office_protocol::event::{Damage as ReportedDamage, InvalidEvent};
use office_protocol::{CabinetId, CompartmentId, Digest, Event, Seq, Signed, Start, Tip};
use thiserror::Error;

use crate::cabinet::vocabulary::{Effect, Input, Moment, Monotonic, Recorded, Space, Startup};
use crate::cabinet::{Cabinet, Config, InvalidCheckpoint, Ledger};
use crate::documents;
use crate::journal::{
    self, Damage, Disk, Journal, JournalError, JournalReader, Opening, Options, Preparer, Record,
};

mod reported;
#[cfg(test)]
mod tests;

/// Between two times that it is kept how far the office has the journal.
const KEEP_EVERY_MS: u64 = 10_000;

/// Why the engine cannot start or go on. All are fatal: say so on the screen, exit, restart, recover.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state at the beginning of a segment.
    #[error(transparent)]
    Checkpoint(#[from] InvalidCheckpoint),
    /// An event of its own that this program does not know.
    #[error(
        "event {seq} of this cabinet's own journal: {source}; install the newer lockerd again, nothing was changed"
    )]
    Unknown {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        source: InvalidEvent,
    },
    /// The journal is another cabinet's.
    #[error("the journal is of cabinet {found}, but this is {expected}; choose an empty journal directory")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Who this is.
        expected: String,
    },
}

/// Where things are kept.
#[derive(Clone)]
pub struct Disks {
    /// The journal's directory.
    pub journal: Arc<dyn Disk>,
    /// The authority documents' directory.
    pub documents: Arc<dyn Disk>,
}

/// What distinguishes one run.
pub struct Run {
    /// Random, new at every start.
    pub start: Start,
    /// The daemon's version.
    pub version: Box<str>,
    /// The key set of the enrolment, for as long as no newer one is kept.
    pub enrolled_keys: Option<Signed>,
    /// How long acknowledged segments are kept.
    pub keep_days: u32,
}

/// Cabinet, journal and documents.
pub struct Engine {
    cabinet: Cabinet,
    journal: Journal,
    documents: Arc<dyn Disk>,
    id: CabinetId,
    keep_days: u32,
    /// The last event that the office has.
    acknowledged: Tip,
    /// The last of which it is kept that the office has it.
    kept: Tip,
    /// When that may be written again.
    keep_at: Monotonic,
    room: journal::Space,
    space: Space,
}

impl Engine {
    /// Restores what the journal holds, makes it durable in a new segment, and starts the cabinet.
    ///
    /// The effects are those of [`Input::Started`].
    ///
    /// # Errors
    /// [`EngineError`]; nothing has been decided then.
    pub fn open(
        disks: Disks,
        options: Options,
        config: Config,
        run: Run,
        moment: &Moment,
    ) -> Result<(Self, Vec<Effect>), EngineError> {
        let mut opening = Journal::open(disks.journal, options)?;
        let reported = reported::kept(&*disks.documents, &config.id);
        let forgotten = reported.filter(|tip| tip.seq.0 > opening.last_seq);
        if let Some(tip) = forgotten {
            opening.was_as_long_as(tip.seq.0);
        }
        for damage in &opening.damage {
            tracing::error!(%damage, "the journal is damaged");
        }
        let mut recovered = Recovered::of(&opening, &config)?;
        if let Some(tip) = forgotten {
            // What is written now follows what the office has.
            recovered.ledger.tip = tip;
        }
        let checkpoint = recovered.ledger.to_checkpoint();
        let journal = opening.resume(&checkpoint, moment.wall.as_millis())?;
        let mut documents = documents::load_all(&*disks.documents);
        if let Some(keys) = run.enrolled_keys
            && !documents
                .iter()
                .any(|(name, _)| *name == office_protocol::document::DocumentName::Keys)
        {
            documents.insert(0, (office_protocol::document::DocumentName::Keys, keys));
        }
        let startup = Startup {
            start: run.start,
            version: run.version,
            damage: recovered.damage,
            touched: recovered.touched.into_iter().collect(),
            documents,
        };
        let mut engine = Self {
            id: config.id.clone(),
            cabinet: Cabinet::new(config, recovered.ledger),
            journal,
            documents: disks.documents,
            keep_days: run.keep_days,
            acknowledged: Tip::NONE,
            kept: reported.unwrap_or(Tip::NONE),
            keep_at: Monotonic::default(),
            room: journal::Space::Plenty,
            space: Space::Plenty,
        };
        let effects = engine.step(moment, Input::Started(Box::new(startup)))?;
        Ok((engine, effects))
    }

    /// Decides, makes durable, and says what is to be done now.
    ///
    /// # Errors
    /// [`EngineError`]: nothing of this input may be acted on, and nothing more may be decided.
    pub fn step(&mut self, moment: &Moment, input: Input) -> Result<Vec<Effect>, EngineError> {
        if let Input::Acknowledged { tip } = &input {
            self.acknowledged = *tip;
        }
        let step = self.cabinet.handle(moment, input);
        // A document is whole on the disk before the event that says so: a start that asks for this version finds it.
        let effects = self.keep_documents(step.effects);
        if !step.events.is_empty() {
            let group: Vec<Record> = step.events.into_iter().map(record).collect();
            let appended = self.journal.append(&group)?;
            if appended.wants_checkpoint {
                self.roll(moment)?;
            }
        }
        // What is about to be acted on does not wait for it.
        if effects.is_empty() {
            self.keep_reported(moment.now);
        }
        Ok(effects)
    }

    /// Lets acknowledged segments go and tells the cabinet how much room is left. For once a minute.
    ///
    /// # Errors
    /// [`EngineError`] as for [`Engine::step`]; a failed trim is only a warning.
    pub fn keep_house(&mut self, moment: &Moment) -> Result<Vec<Effect>, EngineError> {
        self.room = self.journal.space()?;
        if self.room >= journal::Space::DropAcknowledged {
            self.trim(moment, 0);
            self.room = self.journal.space()?;
        } else if moment.trusted {
            self.trim(moment, self.keep_days);
        }
        let space = match self.room {
            journal::Space::Plenty | journal::Space::DropIndex | journal::Space::DropAcknowledged => {
                Space::Plenty
            }
            journal::Space::RefuseDropOffs => Space::Low,
            journal::Space::QuietDiagnostics => Space::Reserve,
        };
        let input = if space == self.space {
            Input::DeadlineReached // also when nobody is here, somebody may have set the clock
        } else {
            self.space = space;
            Input::SpaceChanged(space)
        };
        self.step(moment, input)
    }

    fn has_to_keep(&self) -> bool {
        self.acknowledged != Tip::NONE && self.acknowledged != self.kept
    }

    /// Keeps how far the office has the journal, if that has changed, and not too often: flash wears out.
    fn keep_reported(&mut self, now: Monotonic) {
        if !self.has_to_keep() || now < self.keep_at {
            return;
        }
        let tip = self.acknowledged;
        self.keep_at = now.plus_millis(KEEP_EVERY_MS);
        match reported::keep(&*self.documents, &self.id, tip) {
            Ok(()) => self.kept = tip,
            Err(error) => tracing::warn!(%error, "how far the office has the journal could not be kept"),
        }
    }

    /// The cabinet: its view, its state, its deadline.
    #[must_use]
    pub fn cabinet(&self) -> &Cabinet {
        &self.cabinet
    }

    /// When [`Input::DeadlineReached`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let keeping = self.has_to_keep().then_some(self.keep_at);
        [self.cabinet.next_deadline(), keeping]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the disk has room for an index.
    #[must_use]
    pub fn index_allowed(&self) -> bool {
        self.room < journal::Space::DropIndex
    }

    /// A reader of what is durable.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        self.journal.reader()
    }

    /// Makes blank segments ahead of use; for a background thread.
    #[must_use]
    pub fn preparer(&self) -> Preparer {
        self.journal.preparer()
    }

    fn roll(&mut self, moment: &Moment) -> Result<(), EngineError> {
        let checkpoint = self.cabinet.ledger().to_checkpoint();
        match self.journal.roll(&checkpoint, moment.wall.as_millis()) {
            Ok(()) => Ok(()),
            Err(error @ JournalError::Full) => {
                tracing::warn!(%error, "no new journal segment");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn trim(&mut self, moment: &Moment, keep_days: u32) {
        match self
            .journal
            .trim(self.acknowledged.seq.0, moment.wall.as_millis(), keep_days)
        {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "journal segments acknowledged and let go"),
            Err(error) => tracing::warn!(%error, "journal segments could not be let go"),
        }
    }

    /// Writes documents, hands the other effects on. A document that cannot be written counts all the same until the next start; a
    /// cabinet that then misses its list of revocations takes no pass until the office has sent it again.
    fn keep_documents(&self, effects: Vec<Effect>) -> Vec<Effect> {
        let keep = |effect: &Effect| match effect {
            Effect::StoreDocument { name, signed } => {
                if let Err(error) = documents::store(&*self.documents, *name, signed) {
                    tracing::warn!(%error, "authority document");
                }
                false
            }
            Effect::Unlock { .. }
            | Effect::Reply(_)
            | Effect::WriteWiring { .. }
            | Effect::KeepReport { .. }
            | Effect::InstallBoardKey { .. }
            | Effect::KeepBoardKey { .. }
            | Effect::Restart => true,
        };
        effects.into_iter().filter(keep).collect()
    }
}

/// For a journal that is made anew: how far the office had the one before says nothing about it.
///
/// # Errors
/// The disk's.
pub fn forget_reported(documents: &dyn Disk) -> std::io::Result<()> {
    reported::forget(documents)
}

/// What the journal in a directory says, for looking at; empty where there is none.
///
/// # Errors
/// [`EngineError`]; [`JournalError::Locked`] while a daemon runs.
pub fn ledger_on(directory: &Path) -> Result<Ledger, EngineError> {
    let Ok(disk) = journal::RealDisk::open_existing(directory) else {
        return Ok(Ledger::default());
    };
    let opening = Journal::open(Arc::new(disk), Options::default())?;
    let mut ledger = match &opening.checkpoint {
        Some(bytes) => Ledger::from_checkpoint(bytes)?,
        None => Ledger::default(),
    };
    for record in &opening.records {
        let event = Event::parse(&record.event).map_err(|source| EngineError::Unknown {
            seq: record.seq,
            source,
        })?;
        ledger.apply(&event, Digest::of(&record.event));
    }
    Ok(ledger)
}

fn record(recorded: Recorded) -> Record {
    Record {
        seq: recorded.seq.0,
        event: recorded.event,
        sealed: recorded.sealed.into_iter().map(|part| part.bytes).collect(),
    }
}

/// What an opening means.
struct Recovered {
    ledger: Ledger,
    damage: Option<ReportedDamage>,
    touched: BTreeSet<CompartmentId>,
}

impl Recovered {
    fn of(opening: &Opening, config: &Config) -> Result<Self, EngineError> {
        let ledger = match &opening.checkpoint {
            Some(bytes) => Ledger::from_checkpoint(bytes)?,
            None => Ledger::default(),
        };
        let mut recovered = Self {
            ledger,
            damage: None,
            touched: BTreeSet::new(),
        };
        let from = recovered.ledger.tip.seq;
        recovered.replay(&opening.records, config)?;
        recovered.judge(&opening.damage, from, config);
        // Numbers that were given once, to events that cannot be read now, are not given again.
        recovered.ledger.tip.seq = recovered.ledger.tip.seq.max(Seq(opening.last_seq));
        Ok(recovered)
    }

    fn replay(&mut self, records: &[Record], config: &Config) -> Result<(), EngineError> {
        for record in records {
            let event = Event::parse(&record.event).map_err(|source| EngineError::Unknown {
                seq: record.seq,
                source,
            })?;
            if event.source != config.id {
                return Err(EngineError::Foreign {
                    found: event.source.to_string(),
                    expected: config.id.to_string(),
                });
            }
            self.ledger.apply(&event, Digest::of(&record.event));
        }
        Ok(())
    }

    /// Events that cannot be read may have touched anything: then every compartment is in doubt, because a guess could give
    /// one person's documents to another.
    fn judge(&mut self, damages: &[Damage], from: Seq, config: &Config) {
        let mut reported = ReportedDamage {
            cut: 0,
            unreadable: Vec::new(),
        };
        for damage in damages {
            match damage {
                Damage::Tail { readable, .. } => {
                    let cut = u32::try_from(readable.len()).unwrap_or(u32::MAX).max(1);
                    reported.cut = reported.cut.saturating_add(cut);
                    let events = readable
                        .iter()
                        .filter_map(|record| Event::parse(&record.event).ok());
                    self.touched
                        .extend(events.filter_map(|event| event.body.compartment()));
                }
                Damage::Missing {
                    first_seq, last_seq, ..
                } => {
                    reported.unreadable.push((Seq(*first_seq), Seq(*last_seq)));
                    if Seq(*last_seq) > from {
                        self.touched.extend(config.layout.iter().map(|place| place.id));
                    }
                }
                Damage::Checkpoint { .. } => {}
            }
        }
        self.damage = (!damages.is_empty()).then_some(reported);
    }
}
