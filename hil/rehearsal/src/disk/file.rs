//! An open file of a simulated disk.

use std::io;
use std::sync::{Arc, MutexGuard};

use lockerd::journal::disk::DiskFile;
use rand_core::Rng;

use super::{SimulatedDisk, State, power_is_gone, to_usize};

/// See the module.
pub(super) struct SimulatedFile {
    pub(super) disk: SimulatedDisk,
    pub(super) file: usize,
    pub(super) boot: u64,
    pub(super) writable: bool,
    pub(super) _open: Arc<()>,
}

impl SimulatedFile {
    /// Begins a change; true when the power goes in the middle.
    fn change(&self) -> io::Result<(MutexGuard<'_, State>, bool)> {
        let mut state = self.disk.state();
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let gone = state.begin(self.boot)?;
        Ok((state, gone))
    }

    fn lengthen(&self, state: &State, end: u64) -> io::Result<()> {
        let longer = end.saturating_sub(state.files[self.file].seen.len() as u64);
        if longer == 0 {
            return Ok(());
        }
        if state.used() + longer > state.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.room()
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive(self.boot)?;
        Ok(state.files[self.file].seen.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        state.alive(self.boot)?;
        let bytes = state.files[self.file]
            .seen
            .get(to_usize(offset)?..)
            .unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut state, gone) = self.change()?;
        self.lengthen(&state, offset + bytes.len() as u64)?;
        state.files[self.file].write(to_usize(offset)?, bytes);
        if gone { Err(power_is_gone()) } else { Ok(()) }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let (mut state, gone) = self.change()?;
        self.lengthen(&state, length)?;
        state.files[self.file].set_length(to_usize(length)?);
        if gone { Err(power_is_gone()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, gone) = self.change()?;
        if gone {
            return Err(power_is_gone());
        }
        state.count_sync();
        if state.fail_sync_at.is_some_and(|at| state.operations >= at) {
            state.fail_sync_at = None;
            let State { files, dice, .. } = &mut *state;
            files[self.file].sync_in_part(|| dice.next_u32().is_multiple_of(2));
            return Err(io::Error::other("the simulated disk could not write a sector"));
        }
        state.files[self.file].sync();
        Ok(())
    }
}
