//! Changes which lock each compartment has and what a port speaks, and adds boards and compartments, in the text of a settings file:
//! everything else in it stays as it is, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use firmware_protocol::Family;
use office_protocol::event::{Size, Wiring};
use office_protocol::{BoardId, CompartmentId, PortName};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::{Settings, SettingsError};

/// A board that is to be added.
#[derive(Debug, Clone)]
pub struct NewBoard {
    /// Its number.
    pub id: BoardId,
    /// Its port.
    pub port: PortName,
    /// Its address there.
    pub address: u8,
    /// How many locks it speaks of.
    pub channels: u8,
    /// To how many of them, from the first on, a lock is wired.
    pub locks: u8,
}

/// How large compartments are, by the numbers on their doors.
pub type Sizes = BTreeMap<CompartmentId, Size>;

#[derive(Deserialize)]
struct Tables {
    #[serde(rename = "lock-port", default)]
    ports: Vec<Port>,
    #[serde(rename = "board", default)]
    boards: Vec<Board>,
    #[serde(rename = "compartment", default)]
    compartments: Vec<Compartment>,
}

#[derive(Deserialize)]
struct Port {
    name: PortName,
    family: Spanned<String>,
    baud: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
struct Board {
    id: BoardId,
    #[serde(default)]
    inverted: bool,
}

#[derive(Deserialize)]
struct Compartment {
    id: CompartmentId,
    board: Spanned<BoardId>,
    channel: Spanned<u8>,
    inverted: Option<Spanned<bool>>,
}

/// The text with these boards at its end, and a compartment for each of their locks, numbered from `first` on. One whose size nobody
/// has said is small; those that can be reached from a wheelchair are `reachable`.
pub fn with_boards(
    text: &str,
    boards: &[NewBoard],
    first: u16,
    sizes: &Sizes,
    reachable: &BTreeSet<CompartmentId>,
) -> String {
    let mut text = text.trim_end().to_owned();
    let mut number = first;
    for board in boards {
        let NewBoard {
            id,
            port,
            address,
            channels,
            locks,
        } = board;
        let _infallible = write!(
            text,
            "\n\n[[board]]\nid = {id}\nport = \"{port}\"\naddress = {address}\nchannels = {channels}\n"
        );
        for channel in 1..=*locks {
            let reachable = reachable.contains(&CompartmentId(number));
            let size = match sizes.get(&CompartmentId(number)) {
                None | Some(Size::Small) => "small",
                Some(Size::Medium) => "medium",
                Some(Size::Large) => "large",
            };
            let _infallible = write!(
                text,
                "\n[[compartment]]\nid = {number}\nboard = {id}\nchannel = {channel}\nsize = \"{size}\"\nreachable = {reachable}\n"
            );
            number = number.saturating_add(1);
        }
    }
    text
}

/// The text with another family and speed of this port; none where it is not written in a way that can be changed here.
pub fn with_port(text: &str, name: &PortName, family: Family, baud: u32) -> Option<String> {
    let tables: Tables = toml::from_str(text).ok()?;
    let port = tables.ports.iter().find(|port| port.name == *name)?;
    let at = port.family.span();
    let mut edits = vec![(at.clone(), format!("\"{}\"", family.name()))];
    match &port.baud {
        Some(written) => edits.push((written.span(), baud.to_string())),
        None if family.profile().baud != Some(baud) => {
            edits.push((line_before(text, at.start), format!("baud = {baud}\n")));
        }
        None => {}
    }
    edited(text, edits)
}

/// The text with another wiring of these compartments; none where it is not written in a way that can be changed here.
pub(super) fn rewired(text: &str, found: &BTreeMap<CompartmentId, Wiring>) -> Option<String> {
    let tables: Tables = toml::from_str(text).ok()?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for place in &tables.compartments {
        let Some(wiring) = found.get(&place.id) else {
            continue;
        };
        edits.push((place.board.span(), wiring.board.to_string()));
        edits.push((place.channel.span(), wiring.channel.to_string()));
        let mut boards = tables.boards.iter();
        let of_board = boards.any(|board| board.id == wiring.board && board.inverted);
        match &place.inverted {
            Some(written) => edits.push((written.span(), wiring.inverted.to_string())),
            None if wiring.inverted != of_board => {
                let line = line_before(text, place.channel.span().start);
                edits.push((line, format!("inverted = {}\n", wiring.inverted)));
            }
            None => {}
        }
    }
    edited(text, edits)
}

/// Where a line can be put in before the one with this place.
fn line_before(text: &str, place: usize) -> Range<usize> {
    let line = text[..place].rfind('\n').map_or(0, |newline| newline + 1);
    line..line
}

/// None where what comes out cannot be read.
fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> Option<String> {
    edits.sort_by_key(|(span, _)| span.start);
    let mut text = text.to_owned();
    for (span, value) in edits.into_iter().rev() {
        text.replace_range(span, &value);
    }
    toml::from_str::<Tables>(&text).ok()?;
    Some(text)
}

/// All wiring with what was found in it: who had a lock before gets the one that is free now.
pub fn exchanged(
    mut all: BTreeMap<CompartmentId, Wiring>,
    found: &BTreeMap<CompartmentId, Wiring>,
) -> BTreeMap<CompartmentId, Wiring> {
    for (door, wiring) in found {
        let lock = |of: &Wiring| (of.board, of.channel);
        let before = all.insert(*door, *wiring);
        let other = all
            .iter_mut()
            .find(|(id, has)| *id != door && lock(has) == lock(wiring));
        if let (Some((_, has)), Some(before)) = (other, before) {
            *has = before;
        }
    }
    all
}

/// A settings file that stays as it is.
#[derive(Debug, Error)]
pub enum NotWritten {
    /// The file or its directory cannot be read or written.
    #[error("{file}: {source}; {}", advice(source))]
    Disk {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// What would be written cannot be used.
    #[error(transparent)]
    Unusable(#[from] SettingsError),
    /// Its tables are written in another way than line by line.
    #[error("{0}: write the [[lock-port]] and [[compartment]] tables line by line")]
    Inline(String),
}

fn advice(source: &io::Error) -> &'static str {
    if is_forbidden(source) {
        "let lockerd write this file and its directory"
    } else {
        "check the disk"
    }
}

/// Whether it is the right to write that is missing, and not the disk that fails.
pub fn is_forbidden(source: &io::Error) -> bool {
    matches!(
        source.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Reads a settings file as it is now.
///
/// # Errors
/// [`NotWritten::Disk`].
pub fn read(path: &Path) -> Result<String, NotWritten> {
    std::fs::read_to_string(path).map_err(|source| not_on_disk(path, source))
}

/// Writes into a settings file which lock was found behind which door, as it counts from the next start on.
///
/// # Errors
/// [`NotWritten`]; the file is as it was.
pub fn write_found(path: &Path, found: &BTreeMap<CompartmentId, Wiring>) -> Result<(), NotWritten> {
    let text = read(path)?;
    let file = path.display().to_string();
    let settings = Settings::parse(&file, &text)?;
    let built = settings.compartments.iter();
    let now = built
        .filter_map(|place| Some((place.id, place.wiring?)))
        .collect();
    let text = rewired(&text, &exchanged(now, found)).ok_or(NotWritten::Inline(file))?;
    keep(path, &text)
}

/// Puts another text in a settings file's place, with its rights: only what can be used, whole or not at all. The one before is kept
/// beside it, as `.old`.
///
/// # Errors
/// [`NotWritten`]; the file is as it was.
pub fn keep(path: &Path, text: &str) -> Result<(), NotWritten> {
    Settings::parse(&path.display().to_string(), text)?;
    exchange(path, text).map_err(|source| not_on_disk(path, source))
}

fn exchange(path: &Path, text: &str) -> io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let rights = std::fs::metadata(&path)?;
    write(&beside(&path, ".old"), &std::fs::read(&path)?, &rights)?;
    write(&path, text.as_bytes(), &rights)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Written aside, synced, renamed, the name synced.
fn write(path: &Path, bytes: &[u8], rights: &Metadata) -> io::Result<()> {
    let aside = beside(path, ".new");
    let mut file = File::create(&aside)?;
    file.set_permissions(rights.permissions())?;
    let _only_root_may = chown(&aside, Some(rights.uid()), Some(rights.gid()));
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn not_on_disk(path: &Path, source: io::Error) -> NotWritten {
    NotWritten::Disk {
        file: path.display().to_string(),
        source,
    }
}
