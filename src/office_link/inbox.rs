//! What waits for the engine: bounded, because the engine may be held up by a slow disk while the office goes on talking.

use std::collections::{BTreeMap, VecDeque};

use office_protocol::document::DocumentName;
use office_protocol::{Signed, Tip};

use crate::cabinet::vocabulary::Input;

const COMMANDS_MAX: usize = 16;
const FORGERIES_MAX: u32 = 16;

/// Of the link's state, the position and each document, the last word counts; commands beyond 16 are dropped, as the office
/// repeats them; forgeries beyond 16 are not counted apart.
#[derive(Default)]
pub(super) struct Inbox {
    online: Option<bool>,
    acknowledged: Option<Tip>,
    documents: BTreeMap<DocumentName, Signed>,
    commands: VecDeque<Signed>,
    forgeries: u32,
}

impl Inbox {
    pub(super) fn link(&mut self, online: bool) {
        self.online = Some(online);
    }

    pub(super) fn acknowledged(&mut self, tip: Tip) {
        self.acknowledged = Some(tip);
    }

    pub(super) fn document(&mut self, name: DocumentName, signed: Signed) {
        self.documents.insert(name, signed);
    }

    pub(super) fn command(&mut self, signed: Signed) {
        if self.commands.len() < COMMANDS_MAX {
            self.commands.push_back(signed);
        } else {
            tracing::warn!("a command was dropped: too many wait already");
        }
    }

    pub(super) fn forgery(&mut self) {
        self.forgeries = (self.forgeries + 1).min(FORGERIES_MAX);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.online.is_none()
            && self.acknowledged.is_none()
            && self.documents.is_empty()
            && self.commands.is_empty()
            && self.forgeries == 0
    }

    /// What is to be handed over next; keys before the documents that need them, documents before commands.
    pub(super) fn pop(&mut self) -> Option<Input> {
        if let Some(online) = self.online.take() {
            return Some(Input::LinkChanged { online });
        }
        if let Some(tip) = self.acknowledged.take() {
            return Some(Input::Acknowledged { tip });
        }
        if let Some((name, signed)) = self.documents.pop_first() {
            return Some(Input::DocumentReceived { name, signed });
        }
        if let Some(signed) = self.commands.pop_front() {
            return Some(Input::CommandReceived(signed));
        }
        self.forgeries = self.forgeries.checked_sub(1)?;
        Some(Input::ForgerySeen)
    }
}
