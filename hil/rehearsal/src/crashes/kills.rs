//! A process that hands over through the real engine on a real disk, and is killed (-9) at any moment, thousands of times.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lockerd::journal::{JournalReader, Options, RealDisk};
use office_protocol::{Seq, Tip};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::check;
use super::life::{Ended, Life, disks};
use super::table::Row;
use super::world::World;

const OPTIONS: Options = Options {
    segment_bytes: 256 << 10,
    reserve_bytes: 128 << 10,
};
/// The longest that a process lives.
const LIFE_MAX_US: u64 = 60_000;
/// Every byte is verified after so many kills.
const VERIFY_EVERY: u64 = 25;

/// The process that is killed: says each end of the journal that it was promised, as soon as it was.
pub(super) fn write(directory: &Path, start: u64) -> Result<(), String> {
    let world = World::new();
    let disk = |name: &str| RealDisk::open(&directory.join(name)).map(Arc::new);
    let both = disk("journal").and_then(|journal| Ok((journal, disk("documents")?)));
    let (journal, documents) = both.map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    let mut said = |tip: Tip| {
        // Who does not listen any more is about to kill this process.
        let _gone = writeln!(out, "{} {}", tip.seq, tip.hash).and_then(|()| out.flush());
    };
    let work = || -> Result<(), Ended> {
        let mut life = Life::begin(&world, disks(journal, documents), OPTIONS, start, &mut said)?;
        for number in 1.. {
            life.round(number)?;
            life.reported()?;
            life.keep_house()?;
        }
        Ok(())
    };
    work().map_err(|error| error.to_string())
}

/// Kills so many, and looks at what is left each time.
pub(super) fn many(
    directory: &Path,
    kills: u64,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Row, String> {
    let text = |error: std::io::Error| error.to_string();
    World::new().furnish(&RealDisk::open(&directory.join("documents")).map_err(text)?);
    let journal = directory.join("journal");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut row = Row::new("a process killed (-9) at any moment, on this machine's disk");
    let mut promised = Tip::NONE;
    for start in 1..=kills {
        let wait = Duration::from_micros(dice.next_u64() % LIFE_MAX_US);
        let killed = killed_after(directory, start, wait)?;
        promised = killed.unwrap_or(promised);
        if journal.exists() {
            let disk = Arc::new(RealDisk::open(&journal).map_err(text)?);
            let mut outcome = check::holds(&mut JournalReader::from_outside(disk.clone()), promised);
            if start.is_multiple_of(VERIFY_EVERY) || start == kills {
                outcome = outcome.and_then(|()| check::intact(&*disk, promised));
            }
            row.tried(outcome.map_err(|wrong| format!("kill {start}: {wrong}")));
        } else {
            row.tried(Ok(()));
        }
        if start.is_multiple_of(VERIFY_EVERY) {
            progress(start * 100 / kills);
        }
    }
    Ok(row)
}

/// The last end of the journal that a process was promised before it was killed.
fn killed_after(directory: &Path, start: u64, wait: Duration) -> Result<Option<Tip>, String> {
    let text = |error: std::io::Error| error.to_string();
    let executable = std::env::current_exe().map_err(text)?;
    let mut child = Command::new(executable)
        .args(["crashes", "write", "--start", &start.to_string(), "--directory"])
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let heard = listen(&mut child)?;
    std::thread::sleep(wait);
    let ended = child.try_wait().map_err(text)?;
    child.kill().map_err(text)?;
    child.wait().map_err(text)?;
    match ended {
        Some(status) => Err(format!("start {start} ended by itself: {status}; see above")),
        None => heard.join().map_err(|_| "the listener failed".to_owned()),
    }
}

fn listen(child: &mut Child) -> Result<std::thread::JoinHandle<Option<Tip>>, String> {
    let out = child.stdout.take().ok_or("the process has no output")?;
    Ok(std::thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        lines.filter_map(|line| tip(&line)).last()
    }))
}

/// A line that was cut in the middle says nothing.
fn tip(line: &str) -> Option<Tip> {
    let (seq, hash) = line.split_once(' ')?;
    Some(Tip {
        seq: Seq(seq.parse().ok()?),
        hash: hash.parse().ok()?,
    })
}
