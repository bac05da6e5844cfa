//! Changes which lock each compartment has, and adds boards and compartments, in the text of a settings file: everything else in it
//! stays as it is, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use office_protocol::event::Wiring;
use office_protocol::{BoardId, CompartmentId, PortName};
use serde::Deserialize;
use toml::Spanned;

/// A board that is to be added.
#[derive(Debug, Clone)]
pub struct NewBoard {
    /// Its number.
    pub id: BoardId,
    /// Its port.
    pub port: PortName,
    /// Its address there.
    pub address: u8,
    /// How many locks it has.
    pub channels: u8,
}

#[derive(Deserialize)]
struct Tables {
    #[serde(rename = "board", default)]
    boards: Vec<Board>,
    #[serde(rename = "compartment", default)]
    compartments: Vec<Compartment>,
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

/// The text with these boards at its end, and a small compartment for each of their locks, numbered from `first` on.
pub fn with_boards(text: &str, boards: &[NewBoard], first: u16) -> String {
    let mut text = text.trim_end().to_owned();
    let mut number = first;
    for board in boards {
        let NewBoard {
            id,
            port,
            address,
            channels,
        } = board;
        let _infallible = write!(
            text,
            "\n\n[[board]]\nid = {id}\nport = \"{port}\"\naddress = {address}\nchannels = {channels}\n"
        );
        for channel in 1..=*channels {
            let _infallible = write!(
                text,
                "\n[[compartment]]\nid = {number}\nboard = {id}\nchannel = {channel}\nsize = \"small\"\nreachable = false\n"
            );
            number = number.saturating_add(1);
        }
    }
    text
}

/// The text with another wiring of these compartments; none where it is not written in a way that can be changed here.
pub fn rewired(text: &str, found: &BTreeMap<CompartmentId, Wiring>) -> Option<String> {
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
                let at = place.channel.span().start;
                let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                edits.push((line..line, format!("inverted = {}\n", wiring.inverted)));
            }
            None => {}
        }
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut text = text.to_owned();
    for (span, value) in edits.into_iter().rev() {
        text.replace_range(span, &value);
    }
    toml::from_str::<Tables>(&text).ok()?;
    Some(text)
}

/// Puts a settings file in the place of another, with its rights: whole or not at all.
///
/// # Errors
/// What the disk says.
pub fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let aside = path.with_extension("toml.new");
    let mut file = std::fs::File::create(&aside)?;
    file.set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, &path)
}
