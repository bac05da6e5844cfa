//! Verifying and reading what came, before anything is locked: signatures cost more than the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use office_protocol::{CabinetId, VerifyingKey};

use super::Incoming;
use crate::database::{Database, DatabaseError};
use crate::intake::{Input, Rejection, Said};

/// Fewer messages than this are not worth another thread.
const SHARE_MIN: usize = 8;

/// A cabinet's key, as it was when a message was checked, and the one that it is about to sign with.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) text: String,
    key: VerifyingKey,
    next: Option<VerifyingKey>,
}

impl Identity {
    fn of(text: String) -> Option<Self> {
        let mut keys = text.split(' ').map(VerifyingKey::from_text);
        let (key, next) = (keys.next()??, keys.next());
        let next = match next {
            Some(next) => Some(next?),
            None => None,
        };
        Some(Self { text, key, next })
    }

    /// The next key, if it says that it has signed this.
    fn next_of(&self, message: &Incoming) -> Option<&VerifyingKey> {
        let signer = &message.signed.as_ref()?.signature.key;
        self.next.as_ref().filter(|next| next.id() == signer)
    }
}

/// A message that was verified and read.
#[derive(Debug, Clone)]
pub struct Checked {
    pub(super) cabinet: CabinetId,
    /// None when no key was known, or none is needed.
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) said: Said,
    pub(super) kept: bool,
    /// The cabinet's next key has signed it.
    pub(super) renewed: bool,
}

/// The keys of the cabinets that have spoken. A cabinet that is enrolled anew is noticed when its row is locked.
#[derive(Default)]
pub(super) struct Identities(Mutex<HashMap<CabinetId, Arc<Identity>>>);

impl Identities {
    /// Reads the keys that these messages need and that are not known.
    pub(super) async fn learn(
        &self,
        database: &Database,
        messages: &[Incoming],
    ) -> Result<(), DatabaseError> {
        let missing: Vec<&CabinetId> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let cabinets = messages.iter().map(|message| &message.cabinet);
            cabinets.filter(|cabinet| !known.contains_key(*cabinet)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let rows = database.keys_of(&missing).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, text) in rows {
            let damaged = || DatabaseError::Damaged {
                what: "cabinets.public_key",
                value: id.clone(),
            };
            let cabinet = id.parse().map_err(|_| damaged())?;
            let identity = Identity::of(text).ok_or_else(damaged)?;
            known.insert(cabinet, Arc::new(identity));
        }
        Ok(())
    }

    pub(super) fn forget(&self, cabinet: &CabinetId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(cabinet);
    }

    /// Checks messages, shared out among the processors, in their order.
    pub(super) async fn check(&self, messages: Vec<Incoming>) -> Vec<Checked> {
        let mut known = Vec::with_capacity(messages.len());
        {
            let identities = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.extend(messages.into_iter().map(|message| {
                let identity = identities.get(&message.cabinet).cloned();
                (message, identity)
            }));
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let share = known.len().div_ceil(processors).max(SHARE_MIN);
        let mut shares = Vec::new();
        while known.len() > share {
            let rest = known.split_off(share);
            shares.push(std::mem::replace(&mut known, rest));
        }
        let others: Vec<_> = shares
            .into_iter()
            .map(|share| tokio::task::spawn_blocking(move || check_share(share)))
            .collect();
        let last = check_share(known);
        let mut checked = Vec::new();
        for other in others {
            // A share is lost only when the hub is stopping; what was in it comes again.
            checked.extend(other.await.unwrap_or_default());
        }
        checked.extend(last);
        checked
    }
}

fn check_share(messages: Vec<(Incoming, Option<Arc<Identity>>)>) -> Vec<Checked> {
    let check = |(message, identity): (Incoming, Option<Arc<Identity>>)| {
        let next = identity.as_ref().and_then(|identity| identity.next_of(&message));
        let said = match &identity {
            Some(identity) => {
                let key = next.unwrap_or(&identity.key);
                Said::check(message.topic, message.signed.as_ref(), key, &message.cabinet)
            }
            None => Err(Rejection::Noise),
        };
        Checked {
            renewed: next.is_some() && said.is_ok(),
            said: said.unwrap_or_else(|rejection| Said::Judged(Input::Rejected(rejection))),
            cabinet: message.cabinet,
            identity,
            kept: message.kept,
        }
    };
    messages.into_iter().map(check).collect()
}
