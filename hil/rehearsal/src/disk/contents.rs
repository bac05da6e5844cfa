//! What a simulated disk holds: contents and names, as seen by programs and as a crash leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SECTOR: usize = 512;
/// Sectors of a page.
pub(super) const PAGE_SECTORS: usize = 8;

/// A file: what programs see, and what a crash leaves.
#[derive(Default, Clone)]
pub(super) struct Contents {
    pub(super) seen: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that differ, by number.
    unsynced: BTreeSet<usize>,
    /// Shared with every open handle.
    pub(super) handles: Arc<()>,
}

/// A change of the directory.
pub(super) enum NameChange {
    Created(String, usize),
    Renamed(String, String),
    Removed(String),
}

impl Contents {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.seen.len() < end {
            let old = self.seen.len();
            self.seen.resize(end, 0);
            self.touch(old, end);
        }
        self.seen[offset..end].copy_from_slice(bytes);
        self.touch(offset, end);
    }

    pub(super) fn set_length(&mut self, length: usize) {
        let old = self.seen.len();
        self.seen.resize(length, 0);
        self.touch(old.min(length), old.max(length));
    }

    fn touch(&mut self, from: usize, to: usize) {
        self.unsynced.extend(from / SECTOR..to.div_ceil(SECTOR));
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            self.keep(sector);
        }
    }

    /// A sync that fails. As on Linux, the pages count as clean after it, whether they reached the disk or not.
    pub(super) fn sync_in_part(&mut self, mut keeps: impl FnMut() -> bool) {
        for sector in std::mem::take(&mut self.unsynced) {
            if keeps() {
                self.keep(sector);
            }
        }
    }

    /// Its last name is durably gone: only open handles can still see it.
    pub(super) fn unlink(&mut self) {
        self.durable = Vec::new();
        self.unsynced.clear();
        if Arc::strong_count(&self.handles) == 1 {
            self.seen = Vec::new();
        }
    }

    /// One sector reaches the disk, lengthening the file if it must.
    fn keep(&mut self, sector: usize) {
        let from = sector * SECTOR;
        let to = (from + SECTOR).min(self.seen.len());
        if from < to {
            if self.durable.len() < to {
                self.durable.resize(to, 0);
            }
            self.durable[from..to].copy_from_slice(&self.seen[from..to]);
        }
    }

    pub(super) fn survive(&mut self, mut keeps: impl FnMut() -> bool, grain: usize) {
        if self.unsynced.is_empty() && self.seen.len() == self.durable.len() {
            return;
        }
        if self.seen.len() < self.durable.len() && keeps() {
            self.durable.truncate(self.seen.len());
        }
        let mut group = None;
        let mut kept = false;
        for sector in std::mem::take(&mut self.unsynced) {
            if group != Some(sector / grain) {
                group = Some(sector / grain);
                kept = keeps();
            }
            if kept {
                self.keep(sector);
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

impl NameChange {
    pub(super) fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Created(name, file) => {
                names.insert(name, file);
            }
            Self::Renamed(from, to) => {
                if let Some(file) = names.remove(&from) {
                    names.insert(to, file);
                }
            }
            Self::Removed(name) => {
                names.remove(&name);
            }
        }
    }
}
