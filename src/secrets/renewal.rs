//! The cabinet's next key: made while the one in force goes on signing, tried once the office's bundle for it is here, in force once it
//! has worked. Every step is one file that is renamed, so that whoever is killed in between goes on where it was.

use std::fs::File;
use std::path::{Path, PathBuf};

use office_protocol::enrolment::Bundle;
use office_protocol::{CabinetId, SigningKey, VerifyingKey};

use super::{SecretsError, bundles, io_at, key_path, load_key, load_key_at, write};
use crate::clock;

/// A bundle of the office, and the cabinet's key that it is for.
pub struct Credential {
    /// The key.
    pub key: SigningKey,
    /// The bundle.
    pub bundle: Bundle,
}

fn next_key_path(directory: &Path) -> PathBuf {
    directory.join("identity.next.key")
}

fn code_key_path(directory: &Path) -> PathBuf {
    directory.join("codes.key")
}

/// The key that is to be the cabinet's: made beside the one in force, or the one that was made before and has not worked yet.
///
/// # Errors
/// [`SecretsError`].
pub fn next_identity(directory: &Path) -> Result<SigningKey, SecretsError> {
    load_key(directory)?;
    if let Some(key) = next_key(directory)? {
        return Ok(key);
    }
    let key = SigningKey::from_secret(&*clock::draw_secret()?);
    write(
        directory,
        &next_key_path(directory),
        key.to_secret_text().as_bytes(),
    )?;
    Ok(key)
}

/// What the cabinet can show the office, newest bundle first. A bundle whose key is not there any more is none.
pub fn credentials(directory: &Path, cabinet: &CabinetId) -> Vec<Credential> {
    let credential = |bundle: Bundle| {
        Some(Credential {
            key: key_for(directory, &bundle).ok()??,
            bundle,
        })
    };
    bundles(directory, cabinet)
        .into_iter()
        .filter_map(credential)
        .collect()
}

/// The office has taken something that this key signed: if it is the next one, it is the cabinet's from now on.
///
/// Pickup codes stay those of the first key, which is kept for them.
///
/// # Errors
/// [`SecretsError`]; the key before is in force then, and this can be tried again.
pub fn take_over(directory: &Path, key: &VerifyingKey) -> Result<(), SecretsError> {
    let next = next_key(directory)?;
    if next.is_none_or(|next| next.verifying_key() != *key) {
        return Ok(());
    }
    let codes = code_key_path(directory);
    if !codes.exists() {
        write(
            directory,
            &codes,
            load_key(directory)?.to_secret_text().as_bytes(),
        )?;
    }
    let path = key_path(directory);
    std::fs::rename(next_key_path(directory), &path).map_err(io_at(&path))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_at(directory))
}

/// What pickup codes are made with and receipts signed: the first key that the cabinet had here.
pub(super) fn code_key(directory: &Path) -> Result<SigningKey, SecretsError> {
    match load_key_at(&code_key_path(directory)) {
        Err(SecretsError::NoIdentity(_)) => load_key(directory),
        other => other,
    }
}

/// The key that a bundle is for, if it is here: the next, or the one in force, of which an older office does not say it.
pub(super) fn key_for(directory: &Path, bundle: &Bundle) -> Result<Option<SigningKey>, SecretsError> {
    let identity = load_key(directory)?;
    let Some(wanted) = &bundle.key else {
        return Ok(Some(identity));
    };
    let all = [Some(identity), next_key(directory)?];
    Ok(all
        .into_iter()
        .flatten()
        .find(|key| key.verifying_key() == *wanted))
}

/// Whether a bundle for the next key replaces another one for it: then the one before both, of the key in force, is what is kept.
pub(super) fn supersedes(directory: &Path, bundle: &Bundle, before: &str) -> Result<bool, SecretsError> {
    let next = next_key(directory)?.map(|next| next.verifying_key());
    let before = serde_json::from_str::<Bundle>(before)
        .ok()
        .and_then(|before| before.key);
    Ok(next.is_some() && bundle.key == next && before == next)
}

fn next_key(directory: &Path) -> Result<Option<SigningKey>, SecretsError> {
    match load_key_at(&next_key_path(directory)) {
        Err(SecretsError::NoIdentity(_)) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{enrol, identity, load};
    use super::*;
    use office_protocol::{KeySet, Purpose, Signed};

    fn cabinet() -> CabinetId {
        "PORT-7".parse().unwrap()
    }

    /// What the office answers to a key.
    fn bundle(directory: &Path, key: Option<&SigningKey>) -> PathBuf {
        let root = SigningKey::from_secret(&[1; 32]);
        let keys = KeySet {
            version: 1,
            keys: Vec::new(),
            sealing: Vec::new(),
        };
        let bytes = serde_json::to_vec(&keys).unwrap();
        let bundle = Bundle {
            cabinet: cabinet(),
            root: root.verifying_key(),
            keys: String::from_utf8(Signed::new(&root, Purpose::KeySet, &cabinet(), bytes).to_file())
                .unwrap(),
            ca: String::new(),
            certificate: String::new(),
            certificate_ends: None,
            key: key.map(SigningKey::verifying_key),
        };
        let path = directory.join("from-office.json");
        std::fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
        path
    }

    fn offered(directory: &Path) -> Vec<VerifyingKey> {
        let all = credentials(directory, &cabinet()).into_iter();
        all.map(|one| one.key.verifying_key()).collect()
    }

    #[test]
    fn the_next_key_is_tried_once_it_is_enrolled_and_in_force_once_it_has_worked() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path();
        assert!(next_identity(directory).is_err(), "there is nothing to renew");
        let first = identity(directory).unwrap();
        enrol(directory, &bundle(directory, Some(&first))).unwrap();
        let next = next_identity(directory).unwrap();
        let again = next_identity(directory).unwrap();
        assert!(
            next.verifying_key() == again.verifying_key(),
            "asked twice, made once"
        );
        assert!(offered(directory) == [first.verifying_key()]);

        enrol(directory, &bundle(directory, Some(&next))).unwrap();
        assert!(offered(directory) == [next.verifying_key(), first.verifying_key()]);
        assert!(
            load(directory).unwrap().key.id() == first.id(),
            "it has not worked yet"
        );
        let later = std::fs::read_to_string(bundle(directory, Some(&next))).unwrap() + "\n";
        std::fs::write(directory.join("later.json"), later).unwrap();
        enrol(directory, &directory.join("later.json")).unwrap();
        assert!(
            offered(directory) == [next.verifying_key(), first.verifying_key()],
            "also with newer certificates"
        );
        take_over(directory, &first.verifying_key()).unwrap();
        assert!(load(directory).unwrap().key.id() == first.id());

        take_over(directory, &next.verifying_key()).unwrap();
        take_over(directory, &next.verifying_key()).unwrap();
        let loaded = load(directory).unwrap();
        assert!(loaded.key.id() == next.id() && loaded.code_key.id() == first.id());
        assert!(offered(directory) == [next.verifying_key()]);
        let third = next_identity(directory).unwrap();
        assert!(third.id() != next.id());
        enrol(directory, &bundle(directory, Some(&third))).unwrap();
        take_over(directory, &third.verifying_key()).unwrap();
        assert!(
            load(directory).unwrap().code_key.id() == first.id(),
            "codes live on"
        );
    }

    #[test]
    fn a_bundle_for_another_key_is_refused_and_one_of_an_older_office_is_for_the_key_in_force() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path();
        let first = identity(directory).unwrap();
        let stranger = SigningKey::from_secret(&[9; 32]);
        let error = enrol(directory, &bundle(directory, Some(&stranger)))
            .err()
            .unwrap();
        assert!(error.to_string().contains("another key"), "{error}");
        enrol(directory, &bundle(directory, None)).unwrap();
        assert!(offered(directory) == [first.verifying_key()]);
    }
}
