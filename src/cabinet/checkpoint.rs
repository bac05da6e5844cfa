//! The checkpoint: the whole ledger as bytes, versioned. What a segment of the journal begins with.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ledger::Ledger;

/// 1: of no compartment it is said which lock it has, and nothing is proven. 2: wiring and proofs. 3: more than one command whose
/// outcome is open; without such, 2 is still written. 4: wiring and proofs say where a board is reached.
const VERSION: u32 = 4;
const MANY_COMMANDS: u32 = 3;
const ONE_COMMAND: u32 = 2;
const OLDEST: u32 = 1;

/// Bytes that are not a checkpoint of this version.
#[derive(Debug, Error)]
pub enum InvalidCheckpoint {
    /// Not JSON of the right shape.
    #[error("the checkpoint cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// Written by another version, newer for all that is known.
    #[error("the checkpoint has version {0}, this program knows {VERSION}: install the newer version again")]
    Newer(u32),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    ledger: &'a Ledger,
}

#[derive(Deserialize)]
struct Envelope {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    ledger: Ledger,
}

impl Ledger {
    /// The checkpoint.
    pub fn to_checkpoint(&self) -> Vec<u8> {
        let version = if self.says_where_boards_are() {
            VERSION
        } else if self.commands_open.are_many() {
            MANY_COMMANDS
        } else {
            ONE_COMMAND
        };
        serde_json::to_vec(&Written {
            version,
            ledger: self,
        })
        .expect("a ledger has only text keys")
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`InvalidCheckpoint`].
    pub fn from_checkpoint(bytes: &[u8]) -> Result<Self, InvalidCheckpoint> {
        let Envelope { version } = serde_json::from_slice(bytes)?;
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(InvalidCheckpoint::Newer(version));
        }
        let read: Read = serde_json::from_slice(bytes)?;
        Ok(read.ledger)
    }
}
