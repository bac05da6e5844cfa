//! The office's keys: a root that signs key sets only, one key for each purpose, and the key that opens sealed parts. 0600 files.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use office_protocol::enrolment::{Bundle, Identity};
use office_protocol::sealed::OpeningKey;
use office_protocol::{
    CabinetId, KeyId, KeySet, OfficeKey, Personal, Purpose, SealedPart, Signed, SigningKey, VerifyingKey,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificates::{self, CertificateAuthority};
use crate::clock;

mod rotation;

pub use rotation::{Which as RotatedKey, begin_to_use, prepare, retire, superseded_at};

/// What goes wrong with the keys.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// A file.
    #[error("key file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that holds no key.
    #[error("{path} does not hold the key that belongs there; restore the key directory from its backup")]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
    /// Nothing to use.
    #[error("{path} is not there: prepare a key first")]
    NotPrepared {
        /// Where it would be.
        path: PathBuf,
    },
    /// A certificate.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// All keys of one office. No `Debug`.
pub struct Keys {
    root: SigningKey,
    /// Signs passes.
    pub passes: SigningKey,
    /// Signs commands.
    pub commands: SigningKey,
    /// Signs documents.
    pub documents: SigningKey,
    /// Signs positions.
    pub positions: SigningKey,
    /// Opens sealed parts; cabinets seal to it.
    pub opening: OpeningKey,
    /// Opens what was sealed to earlier keys.
    opening_before: Vec<OpeningKey>,
    /// Signing keys that count besides: prepared ones, and those that signed before.
    others: Vec<(Purpose, VerifyingKey)>,
    /// Signing keys that were retired, by their ids.
    pub retired: Vec<KeyId>,
    /// Which step of all rotations the directory has seen: rises with each.
    pub generation: i64,
    /// Issues certificates for the broker.
    pub authority: CertificateAuthority,
}

pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), KeyStoreError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| KeyStoreError::File {
        path: path.into(),
        source,
    })
}

pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyStoreError> {
    let text = std::fs::read_to_string(path).map_err(|source| KeyStoreError::File {
        path: path.into(),
        source,
    })?;
    Ok(Zeroizing::new(text))
}

fn random_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
    let mut secret = Zeroizing::new([0; 32]);
    let source = |error: getrandom::Error| KeyStoreError::File {
        path: path.into(),
        source: io::Error::other(error),
    };
    getrandom::fill(&mut *secret).map_err(source)?;
    Ok(secret)
}

fn create_signing(path: &Path) -> Result<(), KeyStoreError> {
    write_secret(
        path,
        &SigningKey::from_secret(&*random_secret(path)?).to_secret_text(),
    )
}

fn open_signing(path: &Path) -> Result<SigningKey, KeyStoreError> {
    SigningKey::from_secret_text(&read_secret(path)?)
        .ok_or_else(|| KeyStoreError::NotAKey { path: path.into() })
}

fn create_opening(path: &Path) -> Result<(), KeyStoreError> {
    let opening = OpeningKey::from_secret(&*random_secret(path)?);
    let opening = opening.ok_or_else(|| KeyStoreError::NotAKey { path: path.into() })?;
    write_secret(path, &opening.to_secret_text())
}

fn open_opening(path: &Path) -> Result<OpeningKey, KeyStoreError> {
    OpeningKey::from_secret_text(&read_secret(path)?)
        .ok_or_else(|| KeyStoreError::NotAKey { path: path.into() })
}

const SIGNING: [&str; 5] = [
    "root.key",
    "passes.key",
    "commands.key",
    "documents.key",
    "positions.key",
];
const SEALING: &str = "sealing.key";

impl Keys {
    /// Makes all keys in `directory` (0700), which must not hold any yet.
    ///
    /// # Errors
    /// When a file is there already or cannot be written.
    pub fn create(directory: &Path) -> Result<Self, KeyStoreError> {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory);
        made.map_err(|source| KeyStoreError::File {
            path: directory.into(),
            source,
        })?;
        SIGNING
            .iter()
            .try_for_each(|name| create_signing(&directory.join(name)))?;
        create_opening(&directory.join(SEALING))?;
        CertificateAuthority::create(directory)?;
        Self::open(directory)
    }

    /// Opens the keys that are kept there.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn open(directory: &Path) -> Result<Self, KeyStoreError> {
        let [root, passes, commands, documents, positions] =
            SIGNING.map(|name| open_signing(&directory.join(name)));
        Ok(Self {
            root: root?,
            passes: passes?,
            commands: commands?,
            documents: documents?,
            positions: positions?,
            opening: open_opening(&directory.join(SEALING))?,
            opening_before: rotation::opened_before(directory)?,
            others: rotation::others(directory)?,
            retired: rotation::retired(directory)?,
            generation: rotation::generation(directory)?,
            authority: CertificateAuthority::open(directory)?,
        })
    }

    /// Opens the keys, making them the first time.
    ///
    /// # Errors
    /// As [`Keys::create`] and [`Keys::open`].
    pub fn open_or_create(directory: &Path) -> Result<Self, KeyStoreError> {
        if directory.join(SIGNING[0]).exists() {
            Self::open(directory)
        } else {
            Self::create(directory)
        }
    }

    /// The key set that is in force.
    pub fn key_set(&self, version: u64) -> KeySet {
        let signing = [
            (Purpose::Pass, &self.passes),
            (Purpose::Command, &self.commands),
            (Purpose::Document, &self.documents),
            (Purpose::Position, &self.positions),
        ];
        let signing = signing.map(|(purpose, key)| (purpose, key.verifying_key()));
        let keys = signing.into_iter().chain(self.others.iter().cloned());
        KeySet {
            version,
            keys: keys
                .map(|(purpose, key)| OfficeKey {
                    key,
                    purposes: purposes(purpose),
                })
                .collect(),
            sealing: vec![self.opening.sealing_key().clone()],
        }
    }

    /// Opens a sealed part, whichever key it was sealed to; none when that is no key of this office, or the part was altered.
    pub fn open_sealed(&self, part: &SealedPart, cabinet: &CabinetId) -> Option<Personal> {
        let mut keys = std::iter::once(&self.opening).chain(&self.opening_before);
        keys.find_map(|key| part.open(key, cabinet).ok())
    }

    /// The key set, signed by the root for one cabinet.
    pub fn signed_key_set(&self, cabinet: &CabinetId, version: u64) -> Signed {
        let bytes = serde_json::to_vec(&self.key_set(version)).expect("a key set is texts and numbers");
        Signed::new(&self.root, Purpose::KeySet, cabinet, bytes)
    }

    /// What a new cabinet gets: nothing secret.
    ///
    /// # Errors
    /// When its certificate cannot be made.
    pub fn bundle(
        &self,
        cabinet: &CabinetId,
        identity: &Identity,
        version: u64,
    ) -> Result<Bundle, KeyStoreError> {
        let keys = self.signed_key_set(cabinet, version).to_file();
        Ok(Bundle {
            cabinet: cabinet.clone(),
            root: self.root.verifying_key(),
            keys: String::from_utf8_lossy(&keys).into_owned(),
            ca: self.authority.pem().to_owned(),
            certificate: self.authority.for_cabinet(cabinet, &identity.key)?,
            certificate_ends: Some(certificates::ends(clock::now())),
            key: Some(identity.key.clone()),
        })
    }
}

/// What a key of this purpose signs: who says up to where the office has a history says where it ends, too.
fn purposes(main: Purpose) -> Vec<Purpose> {
    if main == Purpose::Position {
        vec![Purpose::Position, Purpose::History]
    } else {
        vec![main]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn keys_are_made_once_kept_secret_and_enrol_a_cabinet() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys");
        let first = Keys::open_or_create(&directory).unwrap();
        let again = Keys::open_or_create(&directory).unwrap();
        assert_eq!(first.key_set(1), again.key_set(1));
        for entry in std::fs::read_dir(&directory).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let cabinet: CabinetId = "PORT-7".parse().unwrap();
        let identity = Identity {
            key: SigningKey::from_secret(&[7; 32]).verifying_key(),
        };
        let bundle = again.bundle(&cabinet, &identity, 3).unwrap();
        let signed = Signed::from_file(bundle.keys.as_bytes()).unwrap();
        assert_eq!(
            KeySet::verify(&signed, &bundle.root, &cabinet).unwrap(),
            again.key_set(3)
        );
        assert!(bundle.certificate.contains("BEGIN CERTIFICATE"));
        let (now, last) = (
            clock::now(),
            clock::now().plus_days(certificates::VALID_DAYS as u32 - 29),
        );
        assert!(bundle.ends_soon(now).is_none() && bundle.ends_soon(last).is_some());
        assert!(
            again
                .authority
                .server(&["localhost".into(), "127.0.0.1".into()])
                .is_ok()
        );
        assert!(
            Keys::create(&directory).is_err(),
            "existing keys are never overwritten"
        );
    }
}
