//! `lockerd restore --from-office FILE`: a new journal beside the place of the old one, which gets its name only when all is whole.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use office_protocol::SigningKey;
use office_protocol::document::DocumentName;
use serde::Serialize;

use super::{History, RestoreError, Restored};
use crate::cabinet::Config;
use crate::clock::{self, Clock};
use crate::command_line::{Configured, Failure};
use crate::documents;
use crate::engine;
use crate::journal::RealDisk;
use crate::secrets;
use crate::settings::Settings;

/// What may lie in a journal's directory that has never been written to.
const UNUSED: [&str; 2] = ["journal.lock", ".blank"];

#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    configured: Configured,
    /// What `office export-cabinet` wrote; - for standard input
    #[arg(long, value_name = "FILE")]
    from_office: PathBuf,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` says.
#[derive(Serialize)]
struct Answer {
    cabinet: String,
    events: u64,
    exported: String,
    consignments: usize,
    codes_to_reissue: usize,
    compartments_to_inspect: usize,
}

pub(crate) fn run(arguments: &Restore) -> Result<(), Failure> {
    let settings = arguments.configured.load()?;
    let enrolment = secrets::load(&settings.secrets).map_err(|error| Failure::new(78, error))?;
    let journal = Place::of(&settings)?;
    let clock = Clock::new(settings.trust);
    let identity = SigningKey::from_secret(&enrolment.key.secret());
    let bundle = &enrolment.bundle;
    let lines = open(&arguments.from_office)?;
    let history = History::open(
        lines,
        &bundle.cabinet,
        &bundle.root,
        &identity.verifying_key(),
        clock::wall(),
    )
    .map_err(failure)?;
    let keys = history.keys().clone();
    let config = Config {
        id: bundle.cabinet.clone(),
        key: SigningKey::from_secret(&enrolment.code_key.secret()),
        root: bundle.root.clone(),
        layout: settings.compartments.clone(),
        protected: settings.layout.secure_boards().collect(),
        items: std::collections::BTreeMap::new(),
    };
    let moment = clock.moment().map_err(|error| Failure::new(71, error))?;
    let documents =
        RealDisk::open(&settings.directory.join("documents")).map_err(|error| Failure::new(74, error))?;
    let restored = journal.fill(|disk| history.rebuild(disk, config, &moment))?;
    // Only now: where nothing was restored, it is still right.
    engine::forget_reported(&documents).map_err(|error| Failure::new(74, error))?;
    // So that the first start knows whom to seal to; else it would wait for the office to send them.
    documents::store(&documents, DocumentName::Keys, &keys).map_err(|error| Failure::new(74, error))?;
    say(bundle.cabinet.as_str(), &restored, arguments.json);
    Ok(())
}

fn say(cabinet: &str, restored: &Restored, json: bool) {
    let Restored {
        end,
        consignments,
        codes,
        compartments,
    } = restored;
    if json {
        let answer = Answer {
            cabinet: cabinet.to_owned(),
            events: end.seq.0,
            exported: end.issued.to_string(),
            consignments: *consignments,
            codes_to_reissue: *codes,
            compartments_to_inspect: *compartments,
        };
        println!("{}", serde_json::to_string(&answer).expect("texts and numbers"));
        return;
    }
    println!(
        "{cabinet} restored: {} events as of {}, {consignments} consignments inside",
        end.seq, end.issued
    );
    println!("{codes} pickup codes will be issued anew at the next start");
    println!("{compartments} compartments are in doubt: look into each of them, with a badge at the screen");
}

fn open(path: &Path) -> Result<Box<dyn io::BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(|error| Failure::new(66, format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

fn failure(error: RestoreError) -> Failure {
    let code = match &error {
        RestoreError::Read { .. } | RestoreError::Journal(_) => 74,
        RestoreError::Head { .. }
        | RestoreError::Identity(_)
        | RestoreError::Old(_)
        | RestoreError::Line { .. }
        | RestoreError::Event { .. }
        | RestoreError::Chain { .. }
        | RestoreError::End { .. } => 65,
    };
    Failure::new(code, format!("nothing was restored: {error}"))
}

/// The journal's place, found empty, and where the new one is made.
struct Place {
    directory: PathBuf,
    journal: PathBuf,
    aside: PathBuf,
}

impl Place {
    fn of(settings: &Settings) -> Result<Self, Failure> {
        let place = Self {
            journal: settings.directory.join("journal"),
            aside: settings.directory.join("journal.restoring"),
            directory: settings.directory.clone(),
        };
        for name in names(&place.journal)? {
            if !UNUSED.iter().any(|unused| name.ends_with(unused)) {
                let journal = place.journal.display();
                return Err(Failure::new(
                    73,
                    format!(
                        "there is a journal in {journal}: stop the daemon, and move it away if it really cannot be used any more; \
                         nothing was restored"
                    ),
                ));
            }
        }
        Ok(place)
    }

    /// Makes the journal aside; it gets its name when it is whole, and is gone otherwise.
    fn fill(
        &self,
        rebuild: impl FnOnce(Arc<RealDisk>) -> Result<Restored, RestoreError>,
    ) -> Result<Restored, Failure> {
        let failed = |error: io::Error| {
            Failure::new(
                74,
                format!("{}: {error}; nothing was restored", self.directory.display()),
            )
        };
        self.clear().map_err(failed)?;
        let disk = RealDisk::open(&self.aside).map_err(failed)?;
        let restored = rebuild(Arc::new(disk)).map_err(|error| {
            let _nothing_to_remove = self.clear();
            failure(error)
        })?;
        let named = || {
            if self.journal.exists() {
                std::fs::remove_dir_all(&self.journal)?; // nothing but blanks, as was seen
            }
            std::fs::rename(&self.aside, &self.journal)?;
            File::open(&self.directory)?.sync_all()
        };
        named().map_err(failed)?;
        Ok(restored)
    }

    fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn names(directory: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::new(74, format!("{}: {error}", directory.display()));
    match std::fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}
