//! The report: which lock opens which door, signed with the cabinet's identity, as text that people read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use office_protocol::{CabinetId, Purpose, Signed, SigningKey, VerifyingKey};

use crate::cabinet::{Cabinet, Ledger};
use crate::command_line::{Configured, Failure};
use crate::daemon::DaemonError;
use crate::secrets;
use crate::settings::Settings;

/// How a report begins; the cabinet's name follows.
const TITLE: &str = "lockerd commissioning report 1, cabinet ";

/// Whole lines, so that what is signed can be read aloud.
fn text(cabinet: &CabinetId, ledger: &Ledger) -> String {
    let mut text = format!(
        "{TITLE}{cabinet}\nas of event {} ({}), {}\n",
        ledger.tip.seq, ledger.tip.hash, ledger.floor
    );
    let built = ledger.compartments.iter().filter(|(_, place)| place.built);
    for (id, place) in built {
        let state = if ledger.is_proven(*id) {
            "proven"
        } else {
            "NOT PROVEN"
        };
        let lock = place.wiring.map_or("lock not known".to_owned(), |wiring| {
            let inverted = if wiring.inverted { ", inverted" } else { "" };
            format!("board {} channel {}{inverted}", wiring.board, wiring.channel)
        });
        let _infallible = writeln!(text, "door {id}: {lock}: {state}");
    }
    let (all, unproven) = (ledger.compartments.len(), ledger.unproven().count());
    let _infallible = writeln!(text, "{} of {all} proven", all.saturating_sub(unproven));
    text
}

/// Signs the report and keeps it beside the journal; says where, and what it says.
pub(super) fn write(settings: &Settings, cabinet: &Cabinet) -> Result<(PathBuf, String), Failure> {
    let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
    let key = SigningKey::from_secret(&enrolment.key.secret());
    let (id, ledger) = (enrolment.bundle.cabinet, cabinet.ledger());
    let text = text(&id, ledger);
    let signed = Signed::new(&key, Purpose::Commissioning, &id, text.clone().into_bytes());
    let directory = settings.directory.join("commissioning");
    let file = directory.join(format!("report-{}.txt", ledger.tip.seq));
    let kept = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&file, signed.to_file()));
    kept.map_err(|error| Failure::new(74, format!("{}: {error}", file.display())))?;
    Ok((file, text))
}

/// Whether a report is as the cabinet signed it.
pub(super) fn verify(
    configured: &Configured,
    file: &Path,
    key: Option<Box<VerifyingKey>>,
) -> Result<ExitCode, Failure> {
    let key = match key {
        Some(key) => *key,
        None => {
            let settings = configured.load()?;
            let enrolment = secrets::load(&settings.secrets).map_err(DaemonError::from)?;
            enrolment.key.verifying_key()
        }
    };
    let bytes =
        std::fs::read(file).map_err(|error| Failure::new(66, format!("{}: {error}", file.display())))?;
    let genuine = || {
        let signed = Signed::from_file(&bytes).ok()?;
        let first = String::from_utf8(signed.bytes.clone()).ok()?;
        let cabinet: CabinetId = first.lines().next()?.strip_prefix(TITLE)?.parse().ok()?;
        let bytes = signed.verify(&key, Purpose::Commissioning, &cabinet).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    match genuine() {
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
