//! The certificate files, read anew for every connection; those that worked last are kept until newer ones have worked.

use std::path::PathBuf;

use super::{BrokerError, Tls};

/// What the files held.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pem {
    pub(super) ca: Vec<u8>,
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// See the module. No `Debug`: it holds a private key.
pub(super) struct Renewal {
    files: Tls,
    worked: Option<Pem>,
    tried: Pem,
    /// Files that did not work at the last try.
    failed: Option<Pem>,
}

impl Renewal {
    /// Reads the files for the first time.
    pub(super) fn new(files: Tls) -> Result<Self, BrokerError> {
        Ok(Self {
            tried: read(&files)?,
            files,
            worked: None,
            failed: None,
        })
    }

    /// What to connect with now: the files as they are, or, when these have just failed, what worked before.
    pub(super) fn next(&mut self) -> &Pem {
        let offered = read(&self.files).inspect_err(|error| {
            tracing::warn!(%error, "the certificates that worked last are kept");
        });
        let offered = offered.ok().filter(|pem| self.failed.as_ref() != Some(pem));
        // Next time the files get another chance.
        self.failed = None;
        self.tried = match (offered, &self.worked) {
            (Some(pem), _) => pem,
            (None, Some(worked)) => worked.clone(),
            (None, None) => self.tried.clone(),
        };
        &self.tried
    }

    /// Whether the broker took it.
    pub(super) fn outcome(&mut self, worked: bool) {
        if worked {
            self.worked = Some(self.tried.clone());
        } else if self.worked.as_ref() != Some(&self.tried) {
            self.failed = Some(self.tried.clone());
        }
    }
}

fn read(files: &Tls) -> Result<Pem, BrokerError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| BrokerError::File {
            path: path.clone(),
            source,
        })
    };
    Ok(Pem {
        ca: read(&files.ca)?,
        certificate: read(&files.certificate)?,
        key: read(&files.key)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_old_ones_are_kept_until_new_ones_have_worked() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str| place.path().join(name);
        let write = |text: &str| std::fs::write(file("certificate"), text).unwrap();
        write("old");
        std::fs::write(file("ca"), "ca").unwrap();
        std::fs::write(file("key"), "key").unwrap();
        let mut renewal = Renewal::new(Tls {
            ca: file("ca"),
            certificate: file("certificate"),
            key: file("key"),
        })
        .unwrap();
        let mut connects_with = |expected: &str, worked: bool| {
            assert_eq!(renewal.next().certificate, expected.as_bytes());
            renewal.outcome(worked);
        };
        connects_with("old", true);
        connects_with("old", true);
        write("bad");
        connects_with("bad", false);
        connects_with("old", true);
        connects_with("bad", false);
        std::fs::remove_file(file("certificate")).unwrap();
        connects_with("old", true);
        write("new");
        connects_with("new", true);
        connects_with("new", false);
        connects_with("new", true);
    }
}
