//! A disk in memory that crashes on demand, and then forgets any part of what was not synced.

use contents::{Contents, NameChange, PAGE_SECTORS};
use file::SimulatedFile;
use lockerd::journal::disk::{Disk, DiskFile, Held};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

mod contents;
#[cfg(test)]
mod crash_matrix;
mod directory;
mod file;

/// The disk; a clone is the same disk.
///
/// Contents become durable by their file's sync, names by the directory's. A crash keeps each sector (or page) and each
/// change of a name that was not synced, or forgets it, as the seed decides.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    dice: ChaCha8Rng,
    files: Vec<Contents>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    locks: BTreeMap<String, Weak<()>>,
    /// Raised by a restart: handles from before it are dead.
    boot: u64,
    operations: u64,
    crash_at: Option<u64>,
    fail_sync_at: Option<u64>,
    read_only_at: Option<u64>,
    full_at: Option<(u64, u64)>,
    slow: Option<SlowSyncs>,
    syncs: u64,
    waited_ms: u64,
    crashed: bool,
    capacity: u64,
}

/// Syncs that take long.
struct SlowSyncs {
    first: u64,
    count: u64,
    each_ms: u64,
}

impl SimulatedDisk {
    /// An empty disk of 1 GiB.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            dice: ChaCha8Rng::seed_from_u64(seed),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            locks: BTreeMap::new(),
            boot: 0,
            operations: 0,
            crash_at: None,
            fail_sync_at: None,
            read_only_at: None,
            full_at: None,
            slow: None,
            syncs: 0,
            waited_ms: 0,
            crashed: false,
            capacity: 1 << 30,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Another disk with the same files, as programs see them.
    #[must_use]
    pub fn copied(&self) -> Self {
        let copy = Self::new(0);
        let (mut to, from) = (copy.state(), self.state());
        to.files.clone_from(&from.files);
        to.names.clone_from(&from.names);
        to.durable_names.clone_from(&from.names);
        drop((to, from));
        copy
    }

    /// How many changing operations (create, write, sync, rename, remove, …) there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power goes in the middle of the operation with this number (as [`Self::operations`] counts).
    pub fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// The first sync from this operation on fails, once, and loses a part of what it was to make durable for good.
    pub fn fail_sync_at(&self, operation: u64) {
        self.state().fail_sync_at = Some(operation);
    }

    /// From the operation with this number on nothing can be changed, until the processes are killed or the power comes back.
    pub fn read_only_at(&self, operation: u64) {
        self.state().read_only_at = Some(operation);
    }

    /// So many operations, the first of which has this number, find no room where they need any: new files, names, and bytes beyond a file's
    /// end. A name that was given may then be there or not.
    pub fn full_at(&self, operation: u64, count: u64) {
        self.state().full_at = Some((operation, operation.saturating_add(count)));
    }

    /// How many syncs, of files and of the directory, there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// So many syncs, the first of which has this number (as [`Self::syncs`] counts), take so long each.
    pub fn slow_syncs(&self, first: u64, count: u64, each_ms: u64) {
        self.state().slow = Some(SlowSyncs {
            first,
            count,
            each_ms,
        });
    }

    /// How long slow syncs have taken since this was asked last: the disk has no clock, whoever has one moves it on.
    #[must_use]
    pub fn take_waited_ms(&self) -> u64 {
        std::mem::take(&mut self.state().waited_ms)
    }

    /// The power goes now.
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Sets the disk's size in bytes; smaller than what is used means full.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Something else takes the disk's room: so many bytes are left, or what a disk of this size has.
    pub fn fill_up(&self, free_bytes: u64, size: u64) {
        let mut state = self.state();
        state.capacity = state.used().saturating_add(free_bytes).min(size);
    }

    /// The power comes back: what was not synced is kept or forgotten, open handles and locks are gone.
    pub fn restart(&self) {
        self.state().power_cycle();
    }

    /// Every process dies but the power stays: nothing is forgotten, open handles and locks are gone.
    pub fn kill(&self) {
        let mut state = self.state();
        state.locks.clear();
        (state.read_only_at, state.full_at) = (None, None);
        state.boot += 1;
    }

    /// A directory on this disk, beside the files that have no such name before theirs.
    #[must_use]
    pub fn directory(&self, name: &str) -> Arc<dyn Disk> {
        Arc::new(directory::Directory::new(self.clone(), name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation that changes something; `Ok(true)` when the power goes in the middle of it.
    fn begin(&mut self, boot: u64) -> io::Result<bool> {
        self.alive(boot)?;
        if self.read_only_at.is_some_and(|at| self.operations + 1 >= at) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.crashed = true;
        }
        Ok(self.crashed)
    }

    fn alive(&self, boot: u64) -> io::Result<()> {
        if self.crashed || self.boot != boot {
            Err(power_is_gone())
        } else {
            Ok(())
        }
    }

    fn count_sync(&mut self) {
        self.syncs += 1;
        let slow = self
            .slow
            .as_ref()
            .filter(|slow| (slow.first..slow.first.saturating_add(slow.count)).contains(&self.syncs));
        self.waited_ms += slow.map_or(0, |slow| slow.each_ms);
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|file| self.files[*file].seen.len() as u64)
            .sum()
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn handle(&self, disk: &SimulatedDisk, file: usize, writable: bool) -> Arc<dyn DiskFile> {
        let open = Arc::clone(&self.files[file].handles);
        Arc::new(SimulatedFile {
            disk: disk.clone(),
            file,
            boot: self.boot,
            writable,
            _open: open,
        })
    }

    fn power_cycle(&mut self) {
        let dice = &mut self.dice;
        // All, nothing, or any part survives; whole pages or single sectors.
        let keep = match dice.next_u32() % 4 {
            0 => 0,
            1 => 256,
            _ => dice.next_u32() % 257,
        };
        let grain = if dice.next_u32().is_multiple_of(2) {
            1
        } else {
            PAGE_SECTORS
        };
        for file in &mut self.files {
            file.survive(|| dice.next_u32() % 256 < keep, grain);
        }
        let mut names = std::mem::take(&mut self.durable_names);
        for change in self.unsynced_names.drain(..) {
            if dice.next_u32() % 256 < keep {
                change.apply(&mut names);
            }
        }
        self.durable_names.clone_from(&names);
        self.names = names;
        self.locks.clear();
        self.crashed = false;
        self.crash_at = None;
        (self.read_only_at, self.full_at) = (None, None);
        self.boot += 1;
    }

    /// For an operation that has begun and needs room.
    fn room(&self) -> io::Result<()> {
        let full = |(from, to)| (from..to).contains(&self.operations);
        if self.full_at.is_some_and(full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive(state.boot)?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let boot = state.boot;
        let gone = state.begin(boot)?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.room()?;
        let fits = state.used() + length <= state.capacity;
        let file = state.files.len();
        let mut contents = Contents::default();
        contents.set_length(if fits { to_usize(length)? } else { 0 });
        state.files.push(contents);
        state.names.insert(name.to_owned(), file);
        state
            .unsynced_names
            .push(NameChange::Created(name.to_owned(), file));
        match (gone, fits) {
            (true, _) => Err(power_is_gone()),
            (false, false) => Err(io::ErrorKind::StorageFull.into()),
            (false, true) => Ok(state.handle(self, file, true)),
        }
    }

    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.alive(state.boot)?;
        let file = state.find(name)?;
        Ok(state.handle(self, file, writable))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        let gone = state.begin(boot)?;
        state.room()?;
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        state
            .unsynced_names
            .push(NameChange::Renamed(from.to_owned(), to.to_owned()));
        if gone { Err(power_is_gone()) } else { Ok(()) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        let gone = state.begin(boot)?;
        state.find(name)?;
        state.names.remove(name);
        state.unsynced_names.push(NameChange::Removed(name.to_owned()));
        if gone { Err(power_is_gone()) } else { Ok(()) }
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        let boot = state.boot;
        if state.begin(boot)? {
            return Err(power_is_gone());
        }
        state.count_sync();
        state.room()?;
        state.durable_names = state.names.clone();
        state.unsynced_names.clear();
        let State { files, names, .. } = &mut *state;
        let named: BTreeSet<usize> = names.values().copied().collect();
        for (index, file) in files.iter_mut().enumerate() {
            if !named.contains(&index) {
                file.unlink();
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive(state.boot)?;
        Ok(state.capacity.saturating_sub(state.used()))
    }

    fn lock(&self, name: &str) -> io::Result<Held> {
        let mut state = self.state();
        state.alive(state.boot)?;
        if state.locks.get(name).is_some_and(|lock| lock.strong_count() > 0) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let held = Arc::new(());
        state.locks.insert(name.to_owned(), Arc::downgrade(&held));
        Ok(Box::new(held))
    }

    fn place(&self) -> String {
        "the simulated disk".to_owned()
    }
}

fn power_is_gone() -> io::Error {
    io::Error::other("the simulated power is gone")
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}
