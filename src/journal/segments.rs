//! The files of the journal: their names, the blank ones kept ready, and making a segment durable.

use super::cursor::{Cursor, Found};
use super::disk::{Disk, DiskFile};
use super::format::{self, Header, HeaderFault, Record};
use super::judge::{Findings, Judged, judge};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) const LOCK_NAME: &str = "journal.lock";
const SEGMENT_SUFFIX: &str = ".segment";
const UNFINISHED_SUFFIX: &str = ".new";
const BLANK_SUFFIX: &str = ".blank";
const FILLING_SUFFIX: &str = ".filling";

/// A segment's name says its id and the number of its first record, so that a listing is an overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) id: u32,
    pub(super) first_seq: u64,
}

impl SegmentName {
    pub(super) fn file_name(self) -> String {
        format!("{:010}-{:020}{SEGMENT_SUFFIX}", self.id, self.first_seq)
    }

    fn parse(name: &str) -> Option<Self> {
        let (id, first_seq) = name.strip_suffix(SEGMENT_SUFFIX)?.split_once('-')?;
        let parsed = Self {
            id: id.parse().ok()?,
            first_seq: first_seq.parse().ok()?,
        };
        (parsed.file_name() == name).then_some(parsed)
    }
}

/// What lies in the journal's directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Oldest first.
    pub(super) segments: Vec<SegmentName>,
    pub(super) blanks: Vec<String>,
    /// Left over from a crash in the middle of making them.
    pub(super) unfinished: Vec<String>,
    pub(super) highest_id: u32,
}

pub(super) fn list(disk: &dyn Disk) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for name in disk.list()? {
        if let Some(segment) = SegmentName::parse(&name) {
            listing.segments.push(segment);
        } else if name.ends_with(BLANK_SUFFIX) {
            listing.blanks.push(name);
        } else if name.ends_with(UNFINISHED_SUFFIX) || name.ends_with(FILLING_SUFFIX) {
            listing.unfinished.push(name);
        }
    }
    listing.segments.sort_unstable();
    listing.blanks.sort_unstable();
    listing.highest_id = listing.segments.last().map_or(0, |segment| segment.id);
    Ok(listing)
}

/// Reads and checks a segment's header and checkpoint.
pub(super) fn read_checkpoint(file: &dyn DiskFile) -> io::Result<Result<(Header, Vec<u8>), HeaderFault>> {
    let header = match read_header(file)? {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    if header.checkpoint_length > file.length()?.saturating_sub(format::HEADER_BYTES as u64) {
        return Ok(Err(HeaderFault::Damaged));
    }
    let mut checkpoint = vec![0; usize::try_from(header.checkpoint_length).map_err(io::Error::other)?];
    let read = file.read_at(format::HEADER_BYTES as u64, &mut checkpoint)?;
    if read < checkpoint.len() || crc32c::crc32c(&checkpoint) != header.checkpoint_crc {
        return Ok(Err(HeaderFault::Damaged));
    }
    Ok(Ok((header, checkpoint)))
}

pub(super) fn read_header(file: &dyn DiskFile) -> io::Result<Result<Header, HeaderFault>> {
    let mut bytes = [0; format::HEADER_BYTES];
    let read = file.read_at(0, &mut bytes)?;
    Ok(Header::decode(&bytes[..read]))
}

/// One segment, read and judged.
pub(super) struct ReadSegment {
    pub(super) judged: Judged,
    /// Where its used bytes end.
    pub(super) used_end: u64,
}

/// Reads all records of a segment. `limit` is the first number of the segment after it.
pub(super) fn read_segment(
    file: Arc<dyn DiskFile>,
    name: SegmentName,
    header: Option<&Header>,
    limit: Option<u64>,
) -> io::Result<ReadSegment> {
    let start = header.map_or(format::HEADER_BYTES as u64, Header::records_start);
    let mut findings = Findings {
        segment: name.id,
        first_seq: name.first_seq,
        checkpoint_seq: header.map_or(0, |header| header.checkpoint_seq),
        limit,
        ..Findings::default()
    };
    let mut cursor = Cursor::new(file, name.id, start);
    let mut seq_min = name.first_seq;
    let used_end = loop {
        let before = cursor.offset();
        let placed = match cursor.next()? {
            Found::Record(placed) if placed.record.seq >= seq_min => Ok(placed),
            Found::Record(_) => continue,
            Found::Nothing => cursor.resync(seq_min)?,
        };
        match placed {
            Ok(placed) => {
                seq_min = placed.record.seq.saturating_add(1);
                findings.found.push(placed);
            }
            Err(used_end) => {
                findings.dirty_tail = used_end > before;
                break used_end;
            }
        }
    };
    Ok(ReadSegment {
        judged: judge(findings),
        used_end,
    })
}

/// Zero-filled, synced files, waiting to become segments.
pub(super) struct Blanks {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    target: usize,
    pool: Mutex<Pool>,
    /// Held while filling, so that two threads do not fill the same one.
    filling: Mutex<()>,
}

struct Pool {
    ready: Vec<String>,
    next: u64,
}

impl Blanks {
    pub(super) fn new(disk: Arc<dyn Disk>, segment_bytes: u64, target: usize, found: Vec<String>) -> Self {
        let next = found
            .iter()
            .filter_map(|name| name.strip_suffix(BLANK_SUFFIX)?.parse::<u64>().ok())
            .max()
            .map_or(1, |highest| highest + 1);
        let pool = Mutex::new(Pool { ready: found, next });
        Self {
            disk,
            segment_bytes,
            target,
            pool,
            filling: Mutex::new(()),
        }
    }

    pub(super) fn ready(&self) -> usize {
        held(&self.pool).ready.len()
    }

    /// Fills blanks until there are enough; says how many were made.
    pub(super) fn prepare(&self) -> io::Result<usize> {
        let _filling = held(&self.filling);
        let mut made = 0;
        while self.ready() < self.target {
            let number = {
                let mut pool = held(&self.pool);
                pool.next += 1;
                pool.next - 1
            };
            let filling = format!("{number:010}{FILLING_SUFFIX}");
            let blank = format!("{number:010}{BLANK_SUFFIX}");
            if let Err(error) = self.fill(&filling, &blank) {
                // Nothing depends on it: the next start removes what is left.
                let _ = self.disk.remove(&filling);
                return Err(error);
            }
            held(&self.pool).ready.push(blank);
            made += 1;
        }
        Ok(made)
    }

    fn fill(&self, filling: &str, blank: &str) -> io::Result<()> {
        self.disk.create(filling, self.segment_bytes)?.sync()?;
        self.disk.rename(filling, blank)?;
        self.disk.sync_directory()
    }

    fn take(&self) -> Option<String> {
        let mut pool = held(&self.pool);
        (!pool.ready.is_empty()).then(|| pool.ready.remove(0))
    }
}

/// What a new segment begins with.
pub(super) struct Beginning<'a> {
    pub(super) name: SegmentName,
    pub(super) checkpoint_seq: u64,
    pub(super) created_ms: i64,
    pub(super) checkpoint: &'a [u8],
    /// The group whose durability is not known, written again.
    pub(super) carried: &'a [Record],
}

/// A segment that takes appends.
pub(super) struct Active {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) name: SegmentName,
    /// Where the next group goes.
    pub(super) offset: u64,
    /// Bytes that were filled with zeros ahead.
    pub(super) capacity: u64,
}

/// Writes a new segment aside, syncs it, gives it its name and syncs that.
pub(super) fn begin(disk: &dyn Disk, blanks: &Blanks, beginning: &Beginning<'_>) -> io::Result<Active> {
    let header = Header {
        segment: beginning.name.id,
        first_seq: beginning.name.first_seq,
        checkpoint_seq: beginning.checkpoint_seq,
        created_ms: beginning.created_ms,
        checkpoint_length: beginning.checkpoint.len() as u64,
        checkpoint_crc: crc32c::crc32c(beginning.checkpoint),
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(beginning.checkpoint);
    bytes.resize(
        usize::try_from(header.records_start()).map_err(io::Error::other)?,
        0,
    );
    format::encode_group(beginning.name.id, beginning.carried, &mut bytes);

    let needed = bytes.len() as u64 + blanks.segment_bytes / 4;
    let capacity = needed.next_multiple_of(blanks.segment_bytes);
    let unfinished = format!("{:010}{UNFINISHED_SUFFIX}", beginning.name.id);
    let blank = if capacity == blanks.segment_bytes {
        blanks.take()
    } else {
        None
    };
    // Its name is durable before it is written: no half-written file can pass for a blank, nor an older one for it.
    let file = match blank {
        Some(blank) => {
            disk.rename(&blank, &unfinished)?;
            disk.sync_directory()?;
            disk.open(&unfinished, true)?
        }
        None => match disk.create(&unfinished, capacity) {
            Ok(file) => {
                disk.sync_directory()?;
                file
            }
            Err(error) => {
                let _ = disk.remove(&unfinished);
                return Err(error);
            }
        },
    };
    file.write_at(0, &bytes)?;
    file.sync()?;
    disk.rename(&unfinished, &beginning.name.file_name())?;
    // It has its name, for good or not: from here on no error may be taken for "there is no room, nothing has changed", or the old
    // segment would take events that the next start cuts off.
    disk.sync_directory()
        .map_err(|error| io::Error::other(format!("its name may not be on disk: {error}")))?;
    Ok(Active {
        file,
        name: beginning.name,
        offset: bytes.len() as u64,
        capacity,
    })
}

/// A lock's value; a thread that panicked with it left it whole.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
