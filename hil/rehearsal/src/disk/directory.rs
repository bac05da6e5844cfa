//! A directory on a simulated disk: the same operations, syncs and power, other names.

use std::io;
use std::sync::Arc;

use lockerd::journal::disk::{Disk, DiskFile, Held};

use super::SimulatedDisk;

/// See the module.
pub(super) struct Directory {
    disk: SimulatedDisk,
    prefix: String,
}

impl Directory {
    pub(super) fn new(disk: SimulatedDisk, name: &str) -> Self {
        Self {
            disk,
            prefix: format!("{name}/"),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let all = self.disk.list()?;
        let here = all.iter().filter_map(|name| name.strip_prefix(&self.prefix));
        Ok(here.map(str::to_owned).collect())
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(&self.path(name), length)
    }

    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(&self.path(name), writable)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn lock(&self, name: &str) -> io::Result<Held> {
        self.disk.lock(&self.path(name))
    }

    fn place(&self) -> String {
        format!("{}{}", self.disk.place(), self.prefix)
    }
}
