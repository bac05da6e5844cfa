//! The cabinet's identity and enrolment, and its boards' keys: files that only the daemon may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use office_protocol::enrolment::Bundle;
use office_protocol::{CabinetId, KeySet, Signed, SigningKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock::{self, NoDice};

mod board_keys;
mod renewal;

pub use board_keys::{board_keys, keep_board_keys};
pub use renewal::{Credential, credentials, next_identity, take_over};

/// Why the cabinet does not know who it is.
#[derive(Debug, Error)]
pub enum SecretsError {
    /// There is no identity yet.
    #[error("there is no identity in {0}: run `lockerd identity` first")]
    NoIdentity(PathBuf),
    /// It was not enrolled yet.
    #[error(
        "the cabinet is not enrolled ({0} is missing): give what `lockerd identity` prints to `office enrol`, and its answer to `lockerd enrol`"
    )]
    NotEnrolled(PathBuf),
    /// A board has no key.
    #[error("there is no key in {0}: run `lockerd bus install-key` for this board")]
    NoBoardKey(PathBuf),
    /// Others can read a secret.
    #[error("{0} can be read by others: run `chmod 600` on it")]
    Open(PathBuf),
    /// A file is not what it should be.
    #[error("{path} is {problem}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The disk failed.
    #[error("{path}: {source}; check the directory and its rights")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    NoDice(#[from] NoDice),
}

/// Who this cabinet is, as the office knows it.
pub struct Enrolment {
    /// The cabinet's key: it signs what is sent to the office.
    pub key: SigningKey,
    /// What pickup codes are made with and receipts signed: the first key, which a renewal leaves.
    pub code_key: SigningKey,
    /// What the office answered.
    pub bundle: Bundle,
    /// The first key set, signed.
    pub signed_keys: Signed,
    /// The first key set, verified.
    pub keys: KeySet,
}

fn key_path(directory: &Path) -> PathBuf {
    directory.join("identity.key")
}

fn bundle_path(directory: &Path) -> PathBuf {
    directory.join("bundle.json")
}

/// The enrolment before the newest.
fn bundle_before_path(directory: &Path) -> PathBuf {
    directory.join("bundle.before.json")
}

/// The cabinet's key; made and kept if there is none.
///
/// # Errors
/// [`SecretsError`].
pub fn identity(directory: &Path) -> Result<SigningKey, SecretsError> {
    match load_key(directory) {
        Err(SecretsError::NoIdentity(_)) => {}
        other => return other,
    }
    let key = SigningKey::from_secret(&*clock::draw_secret()?);
    write(directory, &key_path(directory), key.to_secret_text().as_bytes())?;
    Ok(key)
}

/// Keeps what the office answered, if it is for this cabinet's key and its key set is genuine.
///
/// # Errors
/// [`SecretsError`].
pub fn enrol(directory: &Path, bundle: &Path) -> Result<Bundle, SecretsError> {
    load_key(directory)?;
    let text = read(bundle, |path| SecretsError::Io {
        path,
        source: io::ErrorKind::NotFound.into(),
    })?;
    let (parsed, ..) = parse(bundle, &text)?;
    if renewal::key_for(directory, &parsed)?.is_none() {
        return Err(SecretsError::Invalid {
            path: bundle.to_owned(),
            problem:
                "for another key than this cabinet has: give the office what `lockerd identity` prints here"
                    .to_owned(),
        });
    }
    let path = bundle_path(directory);
    if let Ok(before) = read(&path, SecretsError::NotEnrolled)
        && *before != *text
        && !renewal::supersedes(directory, &parsed, &before)?
    {
        write(directory, &bundle_before_path(directory), before.as_bytes())?;
    }
    write(directory, &path, text.as_bytes())?;
    Ok(parsed)
}

/// The bundles of this cabinet that can be read: the newest, then the one before it.
pub fn bundles(directory: &Path, cabinet: &CabinetId) -> Vec<Bundle> {
    let all = [bundle_path(directory), bundle_before_path(directory)];
    let bundle = |path: &PathBuf| {
        let text = read(path, SecretsError::NotEnrolled).ok()?;
        let (bundle, ..) = parse(path, &text).ok()?;
        (bundle.cabinet == *cabinet).then_some(bundle)
    };
    all.iter().filter_map(bundle).collect()
}

/// Reads identity and enrolment.
///
/// # Errors
/// [`SecretsError`].
pub fn load(directory: &Path) -> Result<Enrolment, SecretsError> {
    let key = load_key(directory)?;
    let path = bundle_path(directory);
    let text = read(&path, SecretsError::NotEnrolled)?;
    let (bundle, signed_keys, keys) = parse(&path, &text)?;
    Ok(Enrolment {
        key,
        code_key: renewal::code_key(directory)?,
        bundle,
        signed_keys,
        keys,
    })
}

fn parse(path: &Path, text: &str) -> Result<(Bundle, Signed, KeySet), SecretsError> {
    let invalid = |problem: String| SecretsError::Invalid {
        path: path.to_owned(),
        problem,
    };
    let bundle: Bundle = serde_json::from_str(text).map_err(|error| {
        invalid(format!(
            "no enrolment bundle ({error}): take the file that `office enrol` wrote"
        ))
    })?;
    let forged = |error| {
        invalid(format!(
            "not genuine: its key set is {error}; ask the office for a new bundle"
        ))
    };
    let signed = Signed::from_file(bundle.keys.as_bytes()).map_err(forged)?;
    let keys = KeySet::verify(&signed, &bundle.root, &bundle.cabinet).map_err(forged)?;
    Ok((bundle, signed, keys))
}

fn load_key(directory: &Path) -> Result<SigningKey, SecretsError> {
    load_key_at(&key_path(directory))
}

fn load_key_at(path: &Path) -> Result<SigningKey, SecretsError> {
    let text = read(path, SecretsError::NoIdentity)?;
    private(path)?;
    SigningKey::from_secret_text(&text).ok_or_else(|| SecretsError::Invalid {
        path: path.to_owned(),
        problem: "no key of this program: restore it from a backup, or move it away and enrol anew"
            .to_owned(),
    })
}

/// A secret that others can read is none.
fn private(path: &Path) -> Result<(), SecretsError> {
    let mode = std::fs::metadata(path).map_err(io_at(path))?.permissions().mode();
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(SecretsError::Open(path.to_owned()))
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> SecretsError {
    let path = path.to_owned();
    move |source| SecretsError::Io { path, source }
}

fn read(
    path: &Path,
    missing: impl FnOnce(PathBuf) -> SecretsError,
) -> Result<Zeroizing<String>, SecretsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(path.to_owned())),
        Err(error) => Err(io_at(path)(error)),
    }
}

/// Written aside with mode 0600, synced, renamed.
fn write(directory: &Path, path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let all = || -> io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let aside = path.with_extension("aside");
        let _absent = std::fs::remove_file(&aside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        File::open(directory)?.sync_all()
    };
    all().map_err(io_at(path))
}
