//! Power cuts of a real ext4 file system: the kernel mounts an image whose device is this process, so that every write and every flush
//! is on record. A cut keeps what was flushed, and any part of the rest, sector by sector; then the kernel mounts what is left, and
//! recovers it with its own journal before ours does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lockerd::journal::{Disk, Journal, JournalReader, Options, RealDisk};
use office_protocol::Tip;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::check;
use super::hasty::Hasty;
use super::life::{Life, disks};
use super::table::Row;
use super::world::World;

mod fuse;
mod slow;

pub use slow::SlowDisk;

use fuse::{Asked, Device, IMAGE, held};

const IMAGE_BYTES: usize = 24 << 20;
const SECTOR: usize = 512;
const ROUNDS: u64 = 12;
const OPTIONS: Options = Options {
    segment_bytes: 128 << 10,
    reserve_bytes: 64 << 10,
};

/// What the device was asked, and when the journal had promised what.
struct Recorded {
    before: Vec<u8>,
    log: Vec<Asked>,
    /// After so much was asked, this was promised.
    promised: Vec<(usize, Tip)>,
}

/// So many cuts at random moments of some rounds of hand-overs; and, to show that a loss would be seen, a few cuts of the same on a
/// disk that never syncs.
pub(super) fn cuts(
    place: &Path,
    cuts: u64,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Row>, String> {
    let row = |name: &str, syncs: bool, cuts| {
        let place = place.join(name);
        std::fs::create_dir(&place).map_err(text)?;
        cut_at_random(&place, syncs, cuts, seed, progress)
    };
    let mut row = row;
    let real = row("real", true, cuts)?;
    let control = row("control", false, cuts.div_ceil(10))?;
    Ok(vec![real, control.control()])
}

fn cut_at_random(
    place: &Path,
    syncs: bool,
    cuts: u64,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Row, String> {
    let recorded = record(place, syncs)?;
    let flushes = recorded
        .log
        .iter()
        .filter(|asked| matches!(asked, Asked::Flush))
        .count();
    let writes = recorded.log.len() - flushes;
    let mut row = Row::new(if syncs {
        format!("a power cut of a real ext4, among {writes} writes and {flushes} flushes of its device")
    } else {
        "the control: the same without a single sync, so that losses are seen".to_owned()
    });
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let image = place.join("cut.img");
    let mounted = place.join("cut");
    std::fs::create_dir(&mounted).map_err(text)?;
    for cut in 1..=cuts {
        let at = usize::try_from(dice.next_u64()).unwrap_or(0) % (recorded.log.len() + 1);
        std::fs::write(&image, left_of(&recorded, at, &mut dice)).map_err(text)?;
        let promised = recorded.promised.iter().rev().find(|(when, _)| *when <= at);
        let outcome = judge(&image, &mounted, promised.map(|(_, tip)| *tip))?;
        row.tried(outcome.map_err(|wrong| format!("cut at {at} of {}: {wrong}", recorded.log.len())));
        progress(cut * 100 / cuts);
    }
    Ok(row)
}

/// Lives on the file system, with every request of its device on record.
fn record(place: &Path, syncs: bool) -> Result<Recorded, String> {
    let empty = place.join("empty.img");
    std::fs::write(&empty, vec![0; IMAGE_BYTES]).map_err(text)?;
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&empty))?;
    let device = Device::new(std::fs::read(&empty).map_err(text)?);
    let (below, above) = (Mount::at(place.join("device"))?, Mount::at(place.join("ext4"))?);
    let server = fuse::serve(Arc::clone(&device), &below.0).map_err(text)?;
    mount(&below.0.join(IMAGE), &above.0)?;
    let world = World::new();
    let disk = |name: &str| RealDisk::open(&above.0.join(name)).map(Arc::new).map_err(text);
    let (journal, documents) = (disk("journal")?, disk("documents")?);
    world.furnish(&*documents);
    run(Command::new("sync").arg("-f").arg(&above.0))?;
    let before = held(&device).record();
    let mut promised = Vec::new();
    let mut note = |tip: Tip| promised.push((held(&device).asked(), tip));
    let journal: Arc<dyn Disk> = if syncs { journal } else { Arc::new(Hasty(journal)) };
    let mut life = Life::begin(&world, disks(journal, documents), OPTIONS, 1, &mut note).map_err(text)?;
    for round in 1..=ROUNDS {
        life.round(round).map_err(text)?;
        life.keep_house().map_err(text)?;
    }
    drop(life);
    let log = held(&device).take_log();
    above.end()?;
    below.end()?;
    server.join().map_err(|_| "the device failed".to_owned())?;
    Ok(Recorded {
        before,
        log,
        promised,
    })
}

/// The device's bytes after a cut: all that was flushed, and of what came after any part.
fn left_of(recorded: &Recorded, at: usize, dice: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = recorded.before.clone();
    let asked = &recorded.log[..at];
    let flushed = asked
        .iter()
        .rposition(|asked| matches!(asked, Asked::Flush))
        .unwrap_or(0);
    // All, nothing, or any part; whole requests, or single sectors of them.
    let keep = match dice.next_u32() % 4 {
        0 => 0,
        1 => 256,
        _ => dice.next_u32() % 257,
    };
    let torn = dice.next_u32().is_multiple_of(2);
    for (index, asked) in asked.iter().enumerate() {
        let Asked::Write(offset, new) = asked else {
            continue;
        };
        let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
        let grain = if torn { SECTOR } else { new.len() };
        for (part, piece) in new.chunks(grain.max(1)).enumerate() {
            if index < flushed || dice.next_u32() % 256 < keep {
                let from = offset + part * grain;
                if bytes.len() < from + piece.len() {
                    bytes.resize(from + piece.len(), 0);
                }
                bytes[from..from + piece.len()].copy_from_slice(piece);
            }
        }
    }
    bytes
}

/// Mounts what is left, and looks for what was promised. The outer error is of the machine, the inner one of the journal.
fn judge(image: &Path, place: &Path, promised: Option<Tip>) -> Result<Result<(), String>, String> {
    mount(image, place)?;
    let outcome = look(&place.join("journal"), promised);
    run(Command::new("umount").arg(place))?;
    Ok(outcome)
}

fn look(journal: &Path, promised: Option<Tip>) -> Result<(), String> {
    let disk = Arc::new(RealDisk::open(journal).map_err(text)?);
    if let Some(promised) = promised {
        check::holds(&mut JournalReader::from_outside(disk.clone()), promised)?;
        check::intact(&*disk, promised)?;
    }
    // It opens and goes on, whatever there is.
    let opening = Journal::open(disk, OPTIONS).map_err(text)?;
    opening.resume(b"{}", 0).map(drop).map_err(text)
}

/// A place where something is mounted, unmounted when it is dropped.
struct Mount(PathBuf);

impl Mount {
    fn at(path: PathBuf) -> Result<Self, String> {
        std::fs::create_dir(&path).map_err(text)?;
        Ok(Self(path))
    }

    fn end(self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.0))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _not_mounted = Command::new("umount")
            .arg("-q")
            .arg(&self.0)
            .stderr(Stdio::null())
            .status();
    }
}

fn mount(image: &Path, place: &Path) -> Result<(), String> {
    run(Command::new("mount")
        .args(["-t", "ext4", "-o", "loop"])
        .arg(image)
        .arg(place))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}; install e2fsprogs and util-linux"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}; power cuts of ext4 need root and loop devices, leave them out with --only",
        said.trim()
    ))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
