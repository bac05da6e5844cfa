//! A real ext4 file system whose device takes its time with every flush, as a worn-out card does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fuse::{self, Device, IMAGE, held};
use super::{Mount, mount, run, text};

/// Room for a daemon's journal and its reserve.
const IMAGE_BYTES: u64 = 128 << 20;

/// The file system, for as long as it lives. Whoever writes on it must be gone before.
pub struct SlowDisk {
    above: Mount,
    _below: Mount,
    device: Arc<Mutex<Device>>,
}

impl SlowDisk {
    /// Makes one, whose flushes take no time yet, and mounts it at `place`, which must not be there. `aside` is for its image. This
    /// needs root, FUSE and loop devices.
    ///
    /// # Errors
    /// What the machine refused.
    pub fn mount(aside: &Path, place: &Path) -> Result<Self, String> {
        std::fs::create_dir(aside).map_err(text)?;
        let image = aside.join("empty.img");
        let file = std::fs::File::create_new(&image).map_err(text)?;
        file.set_len(IMAGE_BYTES).map_err(text)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let device = Device::new(std::fs::read(&image).map_err(text)?);
        let below = Mount::at(aside.join("device"))?;
        let above = Mount::at(PathBuf::from(place))?;
        let _ends_with_the_mount = fuse::serve(Arc::clone(&device), &below.0).map_err(text)?;
        mount(&below.0.join(IMAGE), &above.0)?;
        Ok(Self {
            above,
            _below: below,
            device,
        })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.above.0
    }

    /// From now on each flush takes so long.
    pub fn flushes_take(&self, each: Duration) {
        held(&self.device).flushes_take(each);
    }

    /// Whether somebody waits for a flush right now.
    #[must_use]
    pub fn is_flushing(&self) -> bool {
        held(&self.device).is_flushing()
    }
}
