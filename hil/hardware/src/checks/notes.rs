//! What one check found: failures with their bytes, remarks, times (pure).

use firmware_protocol::Command;
use serde::Serialize;

use super::cable::Exchange;
use super::statement::Statement;
use super::times::{Summary, Times};

/// How many failures keep their bytes.
const EVIDENCE_MAX: usize = 20;

/// The exact bytes of a request and of what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What was asked.
    pub asked: String,
    /// In hexadecimal.
    pub sent: String,
    /// In hexadecimal; empty if nothing came.
    pub heard: String,
}

/// A failure and its bytes, if it is one of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What is wrong.
    #[serde(flatten)]
    pub statement: Statement,
    /// With which bytes.
    pub bytes: Option<Evidence>,
}

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timed {
    /// From the end of a read on the wire to the first byte of its answer.
    Reply,
    /// The same for unlocks.
    UnlockReply,
    /// The longest pause within an answer.
    Pause,
}

/// What one check found.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) failures: Vec<Failure>,
    pub(super) remarks: Vec<Statement>,
    pub(super) times: Vec<(Timed, Summary)>,
    /// Failures beyond those that are kept.
    pub(super) more: usize,
}

impl Notes {
    pub(super) fn fail(&mut self, statement: Statement, exchange: Option<&Exchange>) {
        if self.failures.len() >= EVIDENCE_MAX {
            self.more += 1;
            return;
        }
        let bytes = exchange.map(|exchange| Evidence {
            asked: asked(exchange.request.command),
            sent: hex(&exchange.sent),
            heard: hex(&exchange.heard),
        });
        self.failures.push(Failure { statement, bytes });
    }

    pub(super) fn remark(&mut self, statement: Statement) {
        if !self.remarks.contains(&statement) {
            self.remarks.push(statement);
        }
    }

    pub(super) fn timed(&mut self, what: Timed, times: &Times) -> Option<Summary> {
        let summary = times.summary()?;
        self.times.push((what, summary));
        Some(summary)
    }
}

fn asked(command: Command) -> String {
    match command {
        Command::Unlock(lock) => format!("unlock {}", lock.number()),
        Command::UnlockAll => "unlock all".to_owned(),
        Command::ReadDoor(lock) => format!("read {}", lock.number()),
        Command::ReadAll { channels } => format!("read 1-{channels}"),
        Command::SetReports(on) => format!("reports {}", if on { "on" } else { "off" }),
        Command::ReadVersion => "version".to_owned(),
        Command::AllOff => "all off".to_owned(),
        Command::Handshake => "session".to_owned(),
    }
}

/// Bytes as a vendor's document writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(" ")
}
