//! How far the office's database had this journal, kept beside the documents: a disk that has forgotten the journal's newest pages as a
//! whole shows nothing wrong by itself, but ends before what the office has.
//!
//! Written some seconds later, so it may be behind the office; never ahead of it.

use std::io;

use office_protocol::{CabinetId, Digest, Tip};
use serde::{Deserialize, Serialize};

use crate::journal::Disk;
use crate::journal::disk::{read_whole, replace};

const FILE: &str = "reported";

#[derive(Serialize, Deserialize)]
struct Reported {
    cabinet: CabinetId,
    tip: Tip,
}

/// Keeps the last event that the office has.
pub(super) fn keep(disk: &dyn Disk, cabinet: &CabinetId, tip: Tip) -> io::Result<()> {
    let reported = Reported {
        cabinet: cabinet.clone(),
        tip,
    };
    let text = serde_json::to_string(&reported).map_err(io::Error::other)?;
    let digest = Digest::of(text.as_bytes());
    replace(disk, FILE, format!("{digest}\n{text}").as_bytes())
}

/// What was kept, if it is of this cabinet and as it was written: numbers that are wrong would be worse than none.
pub(super) fn kept(disk: &dyn Disk, cabinet: &CabinetId) -> Option<Tip> {
    let bytes = read_whole(disk, FILE).ok().flatten()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (digest, text) = text.split_once('\n')?;
    let whole = digest.parse().ok() == Some(Digest::of(text.as_bytes()));
    let reported: Option<Reported> = serde_json::from_str(text).ok().filter(|_| whole);
    if reported.is_none() {
        tracing::warn!("how far the office had the journal cannot be read; it is written again");
    }
    let reported = reported.filter(|reported| reported.cabinet == *cabinet)?;
    Some(reported.tip)
}

/// For a journal that is written anew.
pub(super) fn forget(disk: &dyn Disk) -> io::Result<()> {
    match disk.remove(FILE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => disk.sync_directory(),
    }
}
