//! What the next connection is made with: the newest enrolment's certificates and key, and those of before until newer ones have worked.
//! Pure.
//!
//! The broker's word is enough for certificates. A key has worked when the office has answered to it.

use std::sync::Arc;

use office_protocol::SigningKey;

use super::mqtt::Security;

/// Certificates, and the key that signs.
#[derive(Clone)]
pub struct Offer {
    /// What protects the connection.
    pub security: Security,
    /// What signs everything that is sent on it.
    pub key: Arc<SigningKey>,
}

impl Offer {
    fn has_key_of(&self, other: &Self) -> bool {
        self.key.verifying_key() == other.key.verifying_key()
    }
}

impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        self.security == other.security && self.has_key_of(other)
    }
}

/// Reads what there is now, newest first.
pub type Offers = Box<dyn FnMut() -> Vec<Offer> + Send>;

/// See the module.
pub(super) struct Renewal {
    offers: Offers,
    /// What the broker, and where its key was new the office, took last.
    worked: Option<Offer>,
    tried: Offer,
    /// There is another key besides the one that is tried, and it has not worked in this run.
    on_trial: bool,
    /// What was not taken since then.
    failed: Vec<Offer>,
}

impl Renewal {
    /// `first` is what the daemon started with.
    pub(super) fn new(first: Offer, offers: Offers) -> Self {
        Self {
            offers,
            worked: None,
            tried: first,
            on_trial: false,
            failed: Vec::new(),
        }
    }

    /// What to connect with now: the newest that has not just failed; when all have, the newest once more.
    pub(super) fn next(&mut self) -> &Offer {
        let mut all = (self.offers)();
        all.extend(self.worked.clone());
        if all.iter().all(|one| self.failed.contains(one)) {
            self.failed.clear();
        }
        let several = all.iter().any(|one| !one.has_key_of(&all[0]));
        let failed = &self.failed;
        if let Some(next) = all.into_iter().find(|one| !failed.contains(one)) {
            self.tried = next;
        }
        let known = self
            .worked
            .as_ref()
            .is_some_and(|worked| worked.has_key_of(&self.tried));
        self.on_trial = several && !known;
        &self.tried
    }

    /// Whether the office has yet to answer to the key that is tried, and there is another.
    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial
    }

    /// Whether the newest key is another than the one in use.
    pub(super) fn has_newer_key(&mut self) -> bool {
        let newest = (self.offers)().into_iter().next();
        newest.is_some_and(|newest| !newest.has_key_of(&self.tried))
    }

    /// The broker took it; a key on trial has still to be answered.
    pub(super) fn connected(&mut self) {
        if !self.on_trial {
            self.worked();
        }
    }

    /// It was taken.
    pub(super) fn worked(&mut self) -> &Offer {
        self.on_trial = false;
        self.failed.clear();
        self.worked.insert(self.tried.clone())
    }

    /// The connection ended before it was taken, or the office does not answer to its key.
    pub(super) fn failed(&mut self) {
        if !self.failed.contains(&self.tried) {
            self.failed.push(self.tried.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn offer(name: &str, key: u8) -> Offer {
        Offer {
            security: Security::Tls {
                ca: "ca".into(),
                certificate: name.into(),
            },
            key: Arc::new(SigningKey::from_secret(&[key; 32])),
        }
    }

    fn tls(name: &str) -> Offer {
        offer(name, 1)
    }

    /// What there is can be changed while it is offered.
    fn changing() -> (Arc<Mutex<Vec<Offer>>>, Renewal) {
        let there = Arc::new(Mutex::new(vec![tls("old")]));
        let read = Arc::clone(&there);
        let offers = Box::new(move || read.lock().expect("nobody panics").clone());
        (there, Renewal::new(tls("old"), offers))
    }

    #[test]
    fn the_old_one_is_kept_until_the_new_one_has_worked() {
        let (there, mut renewal) = changing();
        let mut connects_with = |expected: &str, works: bool| {
            assert!(*renewal.next() == tls(expected), "{expected}");
            if works {
                renewal.connected()
            } else {
                renewal.failed()
            }
        };
        let found = |names: &[&str]| {
            *there.lock().expect("nobody panics") = names.iter().map(|name| tls(name)).collect();
        };
        connects_with("old", true);
        found(&["bad", "old"]);
        connects_with("bad", false);
        connects_with("old", true);
        connects_with("bad", false);
        connects_with("old", false);
        connects_with("bad", false);
        found(&[]);
        connects_with("old", true);
        found(&["new", "old"]);
        connects_with("new", true);
        connects_with("new", false);
        connects_with("old", false);
        connects_with("new", true);
    }

    #[test]
    fn a_new_key_is_tried_until_the_office_answers_and_else_the_old_one_goes_on() {
        let (there, mut renewal) = changing();
        renewal.next();
        assert!(!renewal.is_on_trial() && !renewal.has_newer_key());
        renewal.connected();
        let (old, new) = (tls("old"), offer("new", 2));
        *there.lock().expect("nobody panics") = vec![new.clone(), old.clone()];
        assert!(renewal.has_newer_key());

        assert!(*renewal.next() == new && renewal.is_on_trial());
        renewal.connected();
        renewal.failed(); // connected, but the office did not answer
        assert!(
            *renewal.next() == old && !renewal.is_on_trial(),
            "it has worked before"
        );
        renewal.connected();
        assert!(renewal.has_newer_key());

        assert!(*renewal.next() == new && renewal.is_on_trial());
        renewal.connected();
        assert!(*renewal.worked() == new);
        assert!(!renewal.is_on_trial() && !renewal.has_newer_key());
        assert!(*renewal.next() == new && !renewal.is_on_trial());
    }

    #[test]
    fn after_a_start_in_the_middle_either_key_is_on_trial() {
        let (there, mut renewal) = changing();
        *there.lock().expect("nobody panics") = vec![offer("new", 2), tls("old")];
        for expected in [offer("new", 2), tls("old"), offer("new", 2)] {
            assert!(*renewal.next() == expected && renewal.is_on_trial());
            renewal.connected();
            renewal.failed();
        }
    }
}
