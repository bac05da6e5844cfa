//! The report as a file: kept beside the journal, printed, and verified.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use office_protocol::{Signed, VerifyingKey};

use crate::cabinet::{Cabinet, report};
use crate::command_line::{Configured, Failure};
use crate::daemon::DaemonError;
use crate::journal::RealDisk;
use crate::journal::disk::replace;
use crate::secrets;
use crate::settings::Settings;

/// Keeps a report beside the journal, written aside, synced, renamed; says where.
///
/// # Errors
/// What the disk says.
pub(crate) fn keep(directory: &Path, name: &str, report: &Signed) -> io::Result<PathBuf> {
    let directory = directory.join("commissioning");
    replace(&RealDisk::open(&directory)?, name, &report.to_file())?;
    Ok(directory.join(name))
}

/// Keeps the report of what is proven now; says where, and what it says.
pub(super) fn write(settings: &Settings, cabinet: &Cabinet) -> Result<(PathBuf, String), Failure> {
    let (name, report) = cabinet.commissioning_report();
    let place = settings.directory.display();
    let kept = keep(&settings.directory, &name, &report);
    let file = kept.map_err(|error| Failure::new(74, format!("{place}: {error}; check the disk")))?;
    Ok((file, String::from_utf8_lossy(&report.bytes).into_owned()))
}

/// Whether a report is as the cabinet signed it: with its first key, which a renewal leaves, as receipts are.
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
            vec![enrolment.code_key.verifying_key(), enrolment.key.verifying_key()]
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
