//! What a technician at the screen has written: the wiring that was found into the settings, a report beside the journal.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use office_protocol::CompartmentId;
use office_protocol::event::Wiring;

use crate::boards::task::KeepKeys;
use crate::cabinet::vocabulary::{Input, Unwritten};
use crate::commission::report::{self, NotKept};
use crate::secrets;
use crate::settings::wiring::{self, NotWritten};

/// Where that goes.
pub(super) struct Files {
    /// The settings.
    pub(super) settings: PathBuf,
    /// Where the cabinet's key is.
    pub(super) secrets: PathBuf,
    /// Where the journal's directory is.
    pub(super) directory: PathBuf,
}

/// The new wiring counts from the next start on.
pub(super) fn write_wiring(settings: &Path, found: &BTreeMap<CompartmentId, Wiring>) -> Input {
    let written = wiring::write_found(settings, found);
    if let Err(error) = &written {
        tracing::warn!(%error, "the wiring is not in the settings");
    } else {
        tracing::info!(settings = %settings.display(), doors = found.len(), "the wiring is in the settings");
    }
    Input::WiringWritten(written.map_err(|error| match error {
        NotWritten::Disk { file, source } => unwritten(&file, &source),
        NotWritten::Unusable(_) | NotWritten::Inline(_) => Unwritten::Unusable {
            problem: error.to_string().into(),
        },
    }))
}

pub(super) fn keep_report(files: &Files, name: &str, text: String) -> Input {
    let kept = report::keep(&files.secrets, &files.directory, name, text);
    if let Err(error) = &kept {
        tracing::warn!(%error, "the report is not kept");
    }
    Input::ReportKept(match kept {
        Ok(file) => Ok(file.display().to_string().into()),
        Err(NotKept::Disk { place, source }) => Err(unwritten(&place.display().to_string(), &source)),
        Err(NotKept::Secrets(error)) => Err(Unwritten::Failed {
            problem: error.to_string().into(),
        }),
    })
}

/// Keeps boards' keys beside the cabinet's own.
pub(super) fn keeper(secrets: &Path) -> KeepKeys {
    let secrets = secrets.to_owned();
    Arc::new(move |board, keys| {
        let kept = secrets::keep_board_keys(&secrets, board, keys);
        if let Err(error) = &kept {
            tracing::warn!(%error, %board, "the lock board's key is not kept");
        }
        kept.is_ok()
    })
}

fn unwritten(path: &str, source: &io::Error) -> Unwritten {
    if wiring::is_forbidden(source) {
        Unwritten::Protected { path: path.into() }
    } else {
        let problem = format!("{path}: {source}").into();
        Unwritten::Failed { problem }
    }
}
