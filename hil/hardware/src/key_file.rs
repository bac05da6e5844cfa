//! A secure board's keys in a file, in the form in which the daemon keeps them: one line each for the current and the next one (IO).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firmware_protocol::secure::{Key, Keys};

/// What a key of the daemon's files begins with.
const KIND: &str = "lockerd-bus-1:";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("{path}: {1}; check path and rights", path = .0.display())]
    Unread(PathBuf, io::Error),
    /// It is no such file.
    #[error("{path}: no board's keys; name a file that `lockerd bus install-key` has written", path = .0.display())]
    Form(PathBuf),
}

/// Reads keys; there may be none in it.
///
/// # Errors
/// [`KeyFileError`].
pub fn load(path: &Path) -> Result<Keys, KeyFileError> {
    let text = std::fs::read_to_string(path).map_err(|error| KeyFileError::Unread(path.to_owned(), error))?;
    parse(&text).ok_or_else(|| KeyFileError::Form(path.to_owned()))
}

fn parse(text: &str) -> Option<Keys> {
    let mut keys = Keys::default();
    for line in text.lines() {
        let (name, key) = line.split_once(' ')?;
        let bytes = STANDARD.decode(key.strip_prefix(KIND)?).ok()?;
        let key = Some(Key::new(bytes.try_into().ok()?));
        match name {
            "current" => keys.current = key,
            "next" => keys.next = key,
            _ => return None,
        }
    }
    Some(keys)
}

/// Keeps keys in place of those that were there: written aside for nobody else to read, synced, renamed.
///
/// # Errors
/// It cannot be written; what was there is still there.
pub fn keep(path: &Path, keys: &Keys) -> io::Result<()> {
    let named = [("current", &keys.current), ("next", &keys.next)];
    let line = |(name, key): (&str, &Option<Key>)| {
        let key = STANDARD.encode(key.as_ref()?.bytes());
        Some(format!("{name} {KIND}{key}\n"))
    };
    let text: String = named.into_iter().filter_map(line).collect();
    let aside = path.with_extension("aside");
    let _absent = std::fs::remove_file(&aside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_come_back_as_they_were_kept_and_what_is_no_key_file_is_said_to_be_none() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("board-1.key");
        assert!(matches!(load(&path), Err(KeyFileError::Unread(..))));
        let keys = Keys {
            current: Some(Key::new([1; 32])),
            next: Some(Key::new([2; 32])),
        };
        for keys in [keys, Keys::in_force(Key::new([3; 32])), Keys::default()] {
            keep(&path, &keys).unwrap();
            let kept = load(&path).unwrap();
            let names = |keys: &Keys| [&keys.current, &keys.next].map(|key| key.as_ref().map(Key::id));
            assert_eq!(names(&kept), names(&keys));
        }
        for text in ["current", "current lockerd-bus-1:AAAA", "other lockerd-bus-1:"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(load(&path), Err(KeyFileError::Form(_))), "{text}");
        }
    }
}
