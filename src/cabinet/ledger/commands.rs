//! Commands whose outcome is open: each is a visit that waits for its door.

use std::collections::BTreeMap;

use office_protocol::Seq;
use serde::{Deserialize, Serialize};

use crate::cabinet::limits::REPLIES_MAX;

/// By number, each with the event that accepted it; the oldest goes when there are too many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct OpenCommands(BTreeMap<u64, Seq>);

/// In a checkpoint none or one is written as versions 1 and 2 have it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Most(Option<(u64, Seq)>),
    More(Vec<(u64, Seq)>),
}

impl OpenCommands {
    /// Whether this one is open.
    pub fn contains(&self, number: u64) -> bool {
        self.0.contains_key(&number)
    }

    /// All of them.
    pub fn numbers(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }

    /// Whether there are more than versions 1 and 2 of the checkpoint can say.
    pub(in crate::cabinet) fn are_many(&self) -> bool {
        self.0.len() > 1
    }

    pub(super) fn accept(&mut self, number: u64, seq: Seq) {
        self.0.insert(number, seq);
        if self.0.len() > REPLIES_MAX {
            self.0.pop_first();
        }
    }

    pub(super) fn done(&mut self, number: u64) {
        self.0.remove(&number);
    }
}

impl From<Kept> for OpenCommands {
    fn from(kept: Kept) -> Self {
        Self(match kept {
            Kept::Most(one) => one.into_iter().collect(),
            Kept::More(all) => all.into_iter().collect(),
        })
    }
}

impl From<OpenCommands> for Kept {
    fn from(open: OpenCommands) -> Self {
        if open.are_many() {
            Self::More(open.0.into_iter().collect())
        } else {
            Self::Most(open.0.into_iter().next())
        }
    }
}
