//! A real disk that nobody waits for: it never syncs.

use std::any::Any;
use std::io;
use std::sync::Arc;

use lockerd::journal::{Disk, DiskFile};

/// What is on it by itself is all that a power cut leaves.
pub struct Hasty(pub Arc<dyn Disk>);

struct HastyFile(Arc<dyn DiskFile>);

impl Disk for Hasty {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(HastyFile(self.0.create(name, length)?)))
    }
    fn open(&self, name: &str, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(HastyFile(self.0.open(name, writable)?)))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.0.lock(name)
    }
    fn place(&self) -> String {
        self.0.place()
    }
}

impl DiskFile for HastyFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }
    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
