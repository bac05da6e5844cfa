//! Replacing a key without a gap: prepared (cabinets learn it), used (it signs, the old one still counts), retired (the old one counts no more).
//!
//! Beside `passes.key` there may be `passes.next.key`, and `passes.old` with the public halves that still count. Of the sealing key the old
//! secrets stay, in `sealing.old`: what was sealed to them must be opened. `retired` names the signing keys that count no more, and
//! `generation` counts the steps: a hub whose directory has seen fewer than another's signs no documents. A running hub reads the files when
//! it starts.

use std::path::{Path, PathBuf};

use office_protocol::sealed::OpeningKey;
use office_protocol::{KeyId, Purpose, SigningKey, VerifyingKey};

use super::{
    KeyStoreError, create_opening, create_signing, open_opening, open_signing, read_secret, write_secret,
};

const GENERATION: &str = "generation";
const RETIRED: &str = "retired";

/// A key that can be replaced; the root cannot, because cabinets pin it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Signs passes.
    Passes,
    /// Signs commands.
    Commands,
    /// Signs documents.
    Documents,
    /// Signs positions.
    Positions,
    /// Opens sealed parts.
    Sealing,
}

impl Which {
    /// All that sign.
    pub(super) const SIGNING: [(Self, Purpose); 4] = [
        (Self::Passes, Purpose::Pass),
        (Self::Commands, Purpose::Command),
        (Self::Documents, Purpose::Document),
        (Self::Positions, Purpose::Position),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Commands => "commands",
            Self::Documents => "documents",
            Self::Positions => "positions",
            Self::Sealing => "sealing",
        }
    }

    fn file(self, directory: &Path, ending: &str) -> PathBuf {
        directory.join(format!("{}.{ending}", self.name()))
    }
}

/// The signing keys that count besides those that sign: prepared and old ones.
pub(super) fn others(directory: &Path) -> Result<Vec<(Purpose, VerifyingKey)>, KeyStoreError> {
    let mut found = Vec::new();
    for (which, purpose) in Which::SIGNING {
        let next = which.file(directory, "next.key");
        if next.exists() {
            found.push((purpose, open_signing(&next)?.verifying_key()));
        }
        let old = which.file(directory, "old");
        for line in lines(&old)? {
            let key =
                VerifyingKey::from_text(&line).ok_or_else(|| KeyStoreError::NotAKey { path: old.clone() })?;
            found.push((purpose, key));
        }
    }
    Ok(found)
}

/// The keys that cabinets sealed to before.
pub(super) fn opened_before(directory: &Path) -> Result<Vec<OpeningKey>, KeyStoreError> {
    let mut found = Vec::new();
    let old = Which::Sealing.file(directory, "old");
    for line in lines(&old)? {
        let key = OpeningKey::from_secret_text(&line);
        found.push(key.ok_or_else(|| KeyStoreError::NotAKey { path: old.clone() })?);
    }
    Ok(found)
}

/// The ids of the signing keys that were retired.
pub(super) fn retired(directory: &Path) -> Result<Vec<KeyId>, KeyStoreError> {
    let path = directory.join(RETIRED);
    let mut found = Vec::new();
    for line in lines(&path)? {
        let id = line.parse();
        found.push(id.map_err(|_| KeyStoreError::NotAKey { path: path.clone() })?);
    }
    Ok(found)
}

/// How many steps the directory has seen.
pub(super) fn generation(directory: &Path) -> Result<i64, KeyStoreError> {
    let path = directory.join(GENERATION);
    let Some(line) = lines(&path)?.pop() else {
        return Ok(0);
    };
    line.parse().map_err(|_| KeyStoreError::NotAKey { path })
}

/// Counts a step, before it is made: interrupted in between, it is only counted.
fn count_step(directory: &Path) -> Result<(), KeyStoreError> {
    let next = generation(directory)?.saturating_add(1);
    replace(&directory.join(GENERATION), &next.to_string())
}

/// Writes a file anew, whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), KeyStoreError> {
    let aside = path.with_extension("new");
    if aside.exists() {
        remove(&aside)?;
    }
    write_secret(&aside, text)?;
    std::fs::rename(&aside, path).map_err(|source| KeyStoreError::File {
        path: path.into(),
        source,
    })
}

fn lines(path: &Path) -> Result<Vec<String>, KeyStoreError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(read_secret(path)?.lines().map(str::to_owned).collect())
}

/// Makes the key that will replace this one; it counts from the next key set on, and signs nothing yet.
///
/// # Errors
/// When one is prepared already, or it cannot be written.
pub fn prepare(directory: &Path, which: Which) -> Result<(), KeyStoreError> {
    count_step(directory)?;
    let path = which.file(directory, "next.key");
    match which {
        Which::Sealing => create_opening(&path),
        Which::Passes | Which::Commands | Which::Documents | Which::Positions => create_signing(&path),
    }
}

/// Lets the prepared key sign from now on; the one before still counts.
///
/// # Errors
/// When none is prepared, or the files cannot be written.
pub fn begin_to_use(directory: &Path, which: Which) -> Result<(), KeyStoreError> {
    let (current, next, old) = (
        which.file(directory, "key"),
        which.file(directory, "next.key"),
        which.file(directory, "old"),
    );
    if !next.exists() {
        return Err(KeyStoreError::NotPrepared { path: next });
    }
    count_step(directory)?;
    let before = match which {
        Which::Sealing => open_opening(&current)?.to_secret_text().to_string(),
        Which::Passes | Which::Commands | Which::Documents | Which::Positions => {
            let key: SigningKey = open_signing(&current)?;
            key.verifying_key().text()
        }
    };
    let mut kept = lines(&old)?;
    if !kept.contains(&before) {
        kept.push(before);
    }
    // The old one is kept before it is replaced: interrupted here, it is only named twice.
    replace(&old, &kept.join("\n"))?;
    std::fs::rename(&next, &current).map_err(|source| KeyStoreError::File {
        path: current,
        source,
    })
}

/// Lets the old keys count no more. What they signed is refused from the next key set on; what was sealed to them stays readable.
///
/// # Errors
/// When the file cannot be removed.
pub fn retire(directory: &Path, which: Which) -> Result<(), KeyStoreError> {
    count_step(directory)?;
    let path = which.file(directory, "old");
    match which {
        Which::Passes | Which::Commands | Which::Documents | Which::Positions if path.exists() => {
            let mut retired = lines(&directory.join(RETIRED))?;
            for line in lines(&path)? {
                let key = VerifyingKey::from_text(&line);
                let key = key.ok_or_else(|| KeyStoreError::NotAKey { path: path.clone() })?;
                let id = key.id().to_string();
                if !retired.contains(&id) {
                    retired.push(id);
                }
            }
            replace(&directory.join(RETIRED), &retired.join("\n"))?;
            remove(&path)
        }
        Which::Sealing | Which::Passes | Which::Commands | Which::Documents | Which::Positions => Ok(()),
    }
}

/// When the key that signs took over from the one before, as far as the old one still counts.
pub fn superseded_at(directory: &Path, which: Which) -> Option<std::time::SystemTime> {
    let old = std::fs::metadata(which.file(directory, "old")).ok()?;
    old.modified().ok()
}

fn remove(path: &Path) -> Result<(), KeyStoreError> {
    std::fs::remove_file(path).map_err(|source| KeyStoreError::File {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use office_protocol::{CabinetId, Personal, SealedPart, Signed};

    use super::super::Keys;
    use super::*;

    #[test]
    fn a_signature_of_the_old_key_counts_until_it_is_retired() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys");
        let cabinet: CabinetId = "PORT-7".parse().unwrap();
        let first = Keys::create(&directory).unwrap();
        let old = Signed::new(&first.documents, Purpose::Document, &cabinet, b"old".to_vec());
        let counts =
            |keys: &Keys, signed: &Signed| keys.key_set(1).check(signed, Purpose::Document, &cabinet).is_ok();
        assert!(
            begin_to_use(&directory, Which::Documents).is_err(),
            "none is prepared"
        );
        prepare(&directory, Which::Documents).unwrap();
        assert!(
            prepare(&directory, Which::Documents).is_err(),
            "one is prepared already"
        );
        let prepared = Keys::open(&directory).unwrap();
        assert_eq!(prepared.key_set(1).keys.len(), 5);
        begin_to_use(&directory, Which::Documents).unwrap();
        let used = Keys::open(&directory).unwrap();
        let new = Signed::new(&used.documents, Purpose::Document, &cabinet, b"new".to_vec());
        assert!(
            counts(&prepared, &new),
            "who has the earlier key set knows the new key"
        );
        assert!(counts(&used, &old) && counts(&used, &new));
        assert!(used.key_set(1).check(&new, Purpose::Command, &cabinet).is_err());
        retire(&directory, Which::Documents).unwrap();
        let retired = Keys::open(&directory).unwrap();
        assert!(!counts(&retired, &old) && counts(&retired, &new));
        assert_eq!(retired.key_set(1).keys.len(), 4);
        assert_eq!(retired.retired, [first.documents.id().clone()]);
        assert!(first.generation < prepared.generation);
        assert!(prepared.generation < used.generation && used.generation < retired.generation);
    }

    #[test]
    fn what_was_sealed_to_an_old_key_stays_readable() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("keys");
        let cabinet: CabinetId = "PORT-7".parse().unwrap();
        let first = Keys::create(&directory).unwrap();
        let personal = Personal {
            phone: Some("1".into()),
            code: None,
        };
        let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([4; 32]);
        let part = SealedPart::seal(&personal, first.opening.sealing_key(), &cabinet, &mut rng).unwrap();
        for _ in 0..2 {
            prepare(&directory, Which::Sealing).unwrap();
            begin_to_use(&directory, Which::Sealing).unwrap();
        }
        retire(&directory, Which::Sealing).unwrap();
        let now = Keys::open(&directory).unwrap();
        assert_ne!(now.opening.sealing_key(), first.opening.sealing_key());
        assert!(now.open_sealed(&part, &cabinet).is_some());
    }
}
