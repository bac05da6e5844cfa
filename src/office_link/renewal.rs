//! What protects the next connection: the newest enrolment's certificates, and those of before until newer ones have worked. Pure.

use super::mqtt::Security;

/// Reads what there is now, newest first.
pub type Offers = Box<dyn FnMut() -> Vec<Security> + Send>;

/// See the module.
pub(super) struct Renewal {
    offers: Offers,
    /// What the broker took last.
    worked: Option<Security>,
    tried: Security,
    /// What it has not taken since then.
    failed: Vec<Security>,
}

impl Renewal {
    /// `first` is what the daemon started with.
    pub(super) fn new(first: Security, offers: Offers) -> Self {
        Self {
            offers,
            worked: None,
            tried: first,
            failed: Vec::new(),
        }
    }

    /// What to connect with now: the newest that has not just failed; when all have, the newest once more.
    pub(super) fn next(&mut self) -> &Security {
        let mut all = (self.offers)();
        all.extend(self.worked.clone());
        if all.iter().all(|one| self.failed.contains(one)) {
            self.failed.clear();
        }
        let failed = &self.failed;
        if let Some(next) = all.into_iter().find(|one| !failed.contains(one)) {
            self.tried = next;
        }
        &self.tried
    }

    /// The broker took it.
    pub(super) fn worked(&mut self) {
        self.worked = Some(self.tried.clone());
        self.failed.clear();
    }

    /// The connection ended before the broker took it.
    pub(super) fn failed(&mut self) {
        if !self.failed.contains(&self.tried) {
            self.failed.push(self.tried.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn tls(name: &str) -> Security {
        Security::Tls {
            ca: "ca".into(),
            certificate: name.into(),
        }
    }

    #[test]
    fn the_old_one_is_kept_until_the_new_one_has_worked() {
        let there = Arc::new(Mutex::new(vec![tls("old")]));
        let read = Arc::clone(&there);
        let offers = Box::new(move || read.lock().expect("nobody panics").clone());
        let mut renewal = Renewal::new(tls("old"), offers);
        let mut connects_with = |expected: &str, works: bool| {
            assert_eq!(*renewal.next(), tls(expected));
            if works { renewal.worked() } else { renewal.failed() }
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
}
