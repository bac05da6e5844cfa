//! The keys of secure lock boards: one file for each board, which only the daemon may read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firmware_protocol::secure::{Key, Keys};
use office_protocol::BoardId;
use zeroize::Zeroizing;

use super::{SecretsError, private, read, write};

/// What a key of this kind begins with, so that another kind can be told apart later.
const KIND: &str = "lockerd-bus-1:";

fn path_of(directory: &Path, board: BoardId) -> PathBuf {
    directory.join(format!("board-{board}.key"))
}

/// The keys of those boards that have a file. A board without is asked all the same, and counts as lost until a
/// key is installed.
///
/// # Errors
/// [`SecretsError`].
pub fn board_keys(
    directory: &Path,
    boards: impl IntoIterator<Item = BoardId>,
) -> Result<BTreeMap<BoardId, Keys>, SecretsError> {
    let mut all = BTreeMap::new();
    for board in boards {
        let path = path_of(directory, board);
        if let Err(SecretsError::NoBoardKey(_)) = read(&path, SecretsError::NoBoardKey) {
            continue;
        }
        all.insert(board, load(&path)?);
    }
    Ok(all)
}

/// Keeps a board's keys in place of those that it had.
///
/// # Errors
/// [`SecretsError`].
pub fn keep_board_keys(directory: &Path, board: BoardId, keys: &Keys) -> Result<(), SecretsError> {
    let mut text = Zeroizing::new(String::new());
    for (name, key) in [("current", &keys.current), ("next", &keys.next)] {
        if let Some(key) = key {
            text.push_str(name);
            text.push(' ');
            text.push_str(KIND);
            STANDARD.encode_string(key.bytes(), &mut text);
            text.push('\n');
        }
    }
    write(directory, &path_of(directory, board), text.as_bytes())
}

fn load(path: &Path) -> Result<Keys, SecretsError> {
    let text = read(path, SecretsError::NoBoardKey)?;
    private(path)?;
    parse(&text).ok_or_else(|| SecretsError::Invalid {
        path: path.to_owned(),
        problem:
            "no file with a board's keys: restore it from a backup, or move it away and install a key anew"
                .to_owned(),
    })
}

fn parse(text: &str) -> Option<Keys> {
    let mut keys = Keys::default();
    for line in text.lines() {
        let (name, key) = line.split_once(' ')?;
        let slot = match name {
            "current" => &mut keys.current,
            "next" => &mut keys.next,
            _ => return None,
        };
        *slot = Some(key_of(key)?);
    }
    Some(keys)
}

fn key_of(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix(KIND)?).ok()?);
    Some(Key::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(seed: u8) -> Key {
        Key::new([seed; 32])
    }

    #[test]
    fn keys_are_kept_for_each_board_and_for_nobody_else() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("secrets");
        let two = Keys {
            current: Some(key(1)),
            next: Some(key(2)),
        };
        keep_board_keys(&directory, BoardId(3), &two).unwrap();
        keep_board_keys(&directory, BoardId(4), &Keys::in_force(key(3))).unwrap();
        let all = board_keys(&directory, [BoardId(3), BoardId(4), BoardId(5)]).unwrap();
        let names = |board: u16| {
            let keys = &all[&BoardId(board)];
            [&keys.current, &keys.next].map(|key| key.as_ref().map(Key::id))
        };
        assert_eq!(names(3), [Some(key(1).id()), Some(key(2).id())]);
        assert_eq!(names(4), [Some(key(3).id()), None]);
        assert!(!all.contains_key(&BoardId(5)));
        let file = path_of(&directory, BoardId(3));
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            matches!(board_keys(&directory, [BoardId(3)]), Err(SecretsError::Open(path)) if path == file)
        );
    }

    #[test]
    fn a_file_that_is_none_is_said_to_be_none() {
        for text in [
            "current",
            "current x",
            "current lockerd-bus-1:AAAA",
            "other lockerd-bus-1:",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse("").unwrap().current.is_none());
    }
}
