//! The report as a file: kept beside the journal, printed, and verified.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use office_protocol::{Signed, VerifyingKey};
use thiserror::Error;

use crate::cabinet::{Cabinet, report};
use crate::command_line::{Configured, Failure};
use crate::daemon::DaemonError;
use crate::journal::RealDisk;
use crate::journal::disk::replace;
use crate::secrets::{self, SecretsError};
use crate::settings::Settings;

/// A report that is not kept.
#[derive(Debug, Error)]
pub(crate) enum NotKept {
    /// The cabinet's key cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// What the disk says.
    #[error("{}: {source}; check the disk", place.display())]
    Disk {
        /// Of which directory.
        place: PathBuf,
        /// It.
        source: io::Error,
    },
}

/// Signs a report with the cabinet's key in force, and keeps it beside the journal, written aside, synced, renamed; says where.
///
/// # Errors
/// [`NotKept`].
pub(crate) fn keep(secrets: &Path, directory: &Path, name: &str, text: String) -> Result<PathBuf, NotKept> {
    let enrolment = secrets::load(secrets)?;
    let signed = report::sign(text, &enrolment.bundle.cabinet, &enrolment.key);
    let place = directory.join("commissioning");
    let kept = RealDisk::open(&place).and_then(|disk| replace(&disk, name, &signed.to_file()));
    match kept {
        Ok(()) => Ok(place.join(name)),
        Err(source) => Err(NotKept::Disk { place, source }),
    }
}

/// Keeps the report of what is proven now; says where, and what it says.
pub(super) fn write(settings: &Settings, cabinet: &Cabinet) -> Result<(PathBuf, String), Failure> {
    let (name, text) = cabinet.commissioning_report();
    let file = match keep(&settings.secrets, &settings.directory, &name, text.clone()) {
        Ok(file) => file,
        Err(NotKept::Secrets(error)) => return Err(DaemonError::from(error).into()),
        Err(error @ NotKept::Disk { .. }) => return Err(Failure::new(74, error)),
    };
    Ok((file, text))
}

/// Whether a report is as the cabinet signed it: with the given key, or else with the one in force or the first, which a renewal leaves.
pub(super) fn verify(
    configured: &Configured,
    file: &Path,
    key: Option<Box<VerifyingKey>>,
) -> Result<ExitCode, Failure> {
    let keys = match key {
        Some(key) => vec![*key],
        None => {
            let settings = configured.load()?;
            let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
            vec![enrolment.key.verifying_key(), enrolment.code_key.verifying_key()]
        }
    };
    let bytes =
        std::fs::read(file).map_err(|error| Failure::new(66, format!("{}: {error}", file.display())))?;
    let signed = Signed::from_file(&bytes).ok();
    match signed.and_then(|signed| keys.iter().find_map(|key| report::read(&signed, key))) {
        Some(text) => {
            print!("{text}");
            println!("the signature is the cabinet's");
            Ok(ExitCode::SUCCESS)
        }
        None => {
            eprintln!(
                "lockerd: {}: not as the cabinet with this key signed it",
                file.display()
            );
            Ok(ExitCode::from(1))
        }
    }
}
