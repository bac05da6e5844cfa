//! The commissioning report: which lock opens which door, as text that people read; signed with the cabinet's identity.

use std::fmt::Write as _;

use office_protocol::{CabinetId, Purpose, Signed, SigningKey, VerifyingKey};

use super::screen::BoardRow;
use super::{Cabinet, Ledger};

/// How a report begins; the cabinet's name follows.
const TITLE: &str = "lockerd commissioning report 1, cabinet ";

impl Cabinet {
    /// What is proven now. The report's file is named after the last event.
    pub fn commissioning_report(&self) -> (String, String) {
        let text = text(&self.config.id, &self.ledger, &self.board_rows());
        (format!("report-{}.txt", self.ledger.tip.seq), text)
    }
}

/// Signs a report of this cabinet, with its key that is in force.
pub fn sign(text: String, cabinet: &CabinetId, key: &SigningKey) -> Signed {
    Signed::new(key, Purpose::Commissioning, cabinet, text.into_bytes())
}

/// The text of a report that the cabinet with this key has signed.
pub fn read(signed: &Signed, key: &VerifyingKey) -> Option<String> {
    let text = String::from_utf8(signed.bytes.clone()).ok()?;
    let cabinet: CabinetId = text.lines().next()?.strip_prefix(TITLE)?.parse().ok()?;
    signed.verify(key, Purpose::Commissioning, &cabinet).ok()?;
    Some(text)
}

/// Whole lines, so that what is signed can be read aloud.
fn text(cabinet: &CabinetId, ledger: &Ledger, boards: &[BoardRow]) -> String {
    let mut text = format!(
        "{TITLE}{cabinet}\nas of event {} ({}), {}\n",
        ledger.tip.seq, ledger.tip.hash, ledger.floor
    );
    let mut doors: usize = 0;
    for (id, place) in ledger.compartments.iter().filter(|(_, place)| place.built) {
        doors += 1;
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
    for BoardRow { board, protected, .. } in boards {
        let wire = if *protected {
            "authenticated"
        } else {
            "NOT AUTHENTICATED"
        };
        let _infallible = writeln!(text, "board {board}: its wire is {wire}");
    }
    let proven = doors.saturating_sub(ledger.unproven().count());
    let _infallible = writeln!(text, "{proven} of {doors} proven");
    text
}
