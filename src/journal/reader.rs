//! Reads the journal beside its writer: in the same process what is durable, in another what is whole.

use super::cursor::{Cursor, Found};
use super::disk::Disk;
use super::error::JournalError;
use super::format::{HEADER_BYTES, Placed, Record};
use super::segments::{self, SegmentName, held};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A mark is kept at every record whose number is a multiple of this.
const MARK_EVERY: u64 = 32;
const MARKS_MAX: usize = 2048;

/// What the writer tells the readers in its process.
pub(super) struct Shared {
    tip: AtomicU64,
    segments: Mutex<Vec<SegmentName>>,
}

impl Shared {
    pub(super) fn new(tip: u64, segments: Vec<SegmentName>) -> Self {
        Self {
            tip: AtomicU64::new(tip),
            segments: Mutex::new(segments),
        }
    }

    pub(super) fn advance(&self, tip: u64) {
        self.tip.store(tip, Ordering::Release);
    }

    pub(super) fn segments(&self) -> Vec<SegmentName> {
        held(&self.segments).clone()
    }

    pub(super) fn add(&self, name: SegmentName) {
        held(&self.segments).push(name);
    }

    pub(super) fn remove(&self, name: SegmentName) {
        held(&self.segments).retain(|kept| *kept != name);
    }
}

/// A reader of the journal. It keeps its place, so that reading on is cheap; a clone has a place of its own.
pub struct JournalReader {
    disk: Arc<dyn Disk>,
    /// None when the writer, if there is one, is another process.
    shared: Option<Arc<Shared>>,
    place: Option<Place>,
    /// Where records stand that were passed by: number → segment id and offset.
    marks: BTreeMap<u64, (u32, u64)>,
}

/// Where a reader is.
struct Place {
    name: SegmentName,
    /// The segment after it, once that is known.
    next: Option<SegmentName>,
    cursor: Cursor,
    /// The number of the next record that is wanted.
    expected: u64,
    /// A group that is not complete yet.
    pending: Vec<Record>,
    /// Read and whole, not handed out yet.
    ready: VecDeque<Record>,
}

impl Place {
    fn next_out(&self) -> u64 {
        self.ready.front().map_or_else(
            || self.pending.first().map_or(self.expected, |record| record.seq),
            |record| record.seq,
        )
    }

    /// Takes a record that was read; a new group proves that the one before was acknowledged, whatever of it is left.
    fn take(&mut self, placed: Placed) {
        self.expected = placed.record.seq + 1;
        if self
            .pending
            .first()
            .is_some_and(|first| first.seq < placed.group_start())
        {
            self.ready.extend(self.pending.drain(..));
        }
        let closes = placed.closes_group();
        self.pending.push(placed.record);
        if closes {
            self.ready.extend(self.pending.drain(..));
        }
    }
}

impl Clone for JournalReader {
    fn clone(&self) -> Self {
        Self {
            disk: Arc::clone(&self.disk),
            shared: self.shared.clone(),
            place: None,
            marks: self.marks.clone(),
        }
    }
}

impl std::fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalReader")
    }
}

impl JournalReader {
    pub(super) fn beside(disk: Arc<dyn Disk>, shared: Arc<Shared>) -> Self {
        Self {
            disk,
            shared: Some(shared),
            place: None,
            marks: BTreeMap::new(),
        }
    }

    /// Reads a journal whose writer, if it runs, is another process.
    #[must_use]
    pub fn from_outside(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            shared: None,
            place: None,
            marks: BTreeMap::new(),
        }
    }

    /// The number of the first record that is kept; one above the last when there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn first_seq(&self) -> Result<u64, JournalError> {
        Ok(self.segments()?.first().map_or(1, |segment| segment.first_seq))
    }

    /// The number of the last durable record (from outside: the last whole one); 0 when there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn last_seq(&self) -> Result<u64, JournalError> {
        if let Some(shared) = &self.shared {
            return Ok(shared.tip.load(Ordering::Acquire));
        }
        let Some(newest) = self.segments()?.last().copied() else {
            return Ok(0);
        };
        let reading = || JournalError::io(|| format!("reading {}", newest.file_name()));
        let file = self.disk.open(&newest.file_name(), false).map_err(reading())?;
        let header = segments::read_header(&*file).map_err(reading())?.ok();
        let read = segments::read_segment(file, newest, header.as_ref(), None).map_err(reading())?;
        let start = header.map_or(newest.first_seq.saturating_sub(1), |header| header.checkpoint_seq);
        Ok(read
            .judged
            .records
            .last()
            .map_or(start, |record| record.seq.max(start)))
    }

    /// Up to `count_max` records from `seq` on, together at most `bytes_max` of payload but at least one if there is any.
    ///
    /// Records that are damaged or no longer kept are left out: look at the numbers. Reading on from where the last call
    /// ended costs only what is read.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn read_from(
        &mut self,
        seq: u64,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let mut place = match self.place.take() {
            Some(place) if place.next_out() == seq => place,
            _ => match self.find(seq)? {
                Some(place) => place,
                None => return Ok(Vec::new()),
            },
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < count_max {
            if place.ready.is_empty() && !self.advance(&mut place)? {
                break;
            }
            let Some(next) = place.ready.front() else { continue };
            if next.seq < seq {
                place.ready.pop_front();
                continue;
            }
            bytes += next.payload_bytes();
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.extend(place.ready.pop_front());
        }
        self.place = Some(place);
        Ok(records)
    }

    /// One record, if it is kept and can be read. Does not move the reader's place.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn record_at(&mut self, seq: u64) -> Result<Option<Record>, JournalError> {
        let place = self.place.take();
        let found = self.read_from(seq, 1, 0);
        self.place = place;
        Ok(found?.pop().filter(|record| record.seq == seq))
    }

    fn tip(&self) -> u64 {
        self.shared
            .as_ref()
            .map_or(u64::MAX, |shared| shared.tip.load(Ordering::Acquire))
    }

    fn segments(&self) -> Result<Vec<SegmentName>, JournalError> {
        match &self.shared {
            Some(shared) => Ok(shared.segments()),
            None => Ok(segments::list(&*self.disk)
                .map_err(JournalError::io(|| {
                    format!("listing the journal's files in {}", self.disk.place())
                }))?
                .segments),
        }
    }

    /// The place from which `seq` will be met.
    fn find(&self, seq: u64) -> Result<Option<Place>, JournalError> {
        if seq > self.tip() {
            return Ok(None);
        }
        let segments = self.segments()?;
        let index = segments
            .partition_point(|segment| segment.first_seq <= seq)
            .saturating_sub(1);
        match segments.get(index) {
            Some(name) => self.enter(*name, segments.get(index + 1).copied(), seq),
            None => Ok(None),
        }
    }

    /// The beginning of a segment, or the last mark in it before `seq`. None when it was removed meanwhile.
    fn enter(
        &self,
        name: SegmentName,
        next: Option<SegmentName>,
        seq: u64,
    ) -> Result<Option<Place>, JournalError> {
        let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
        let file = match self.disk.open(&name.file_name(), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(reading()(error)),
        };
        let mark = self
            .marks
            .range(..=seq)
            .next_back()
            .filter(|(_, mark)| mark.0 == name.id);
        let (expected, offset) = match mark {
            Some((marked, (_, offset))) => (*marked, *offset),
            None => {
                let header = segments::read_header(&*file).map_err(reading())?.ok();
                (
                    name.first_seq,
                    header.map_or(HEADER_BYTES as u64, |header| header.records_start()),
                )
            }
        };
        let cursor = Cursor::new(file, name.id, offset);
        Ok(Some(Place {
            name,
            next,
            cursor,
            expected,
            pending: Vec::new(),
            ready: VecDeque::new(),
        }))
    }

    /// Reads one more record into the place, or goes on to the next segment. False at the end of what there is.
    fn advance(&mut self, place: &mut Place) -> Result<bool, JournalError> {
        if place.expected > self.tip() {
            return Ok(false);
        }
        if place.next.is_some_and(|next| place.expected >= next.first_seq) {
            return self.go_on(place);
        }
        let name = place.name;
        let reading = || JournalError::io(|| format!("reading {}", name.file_name()));
        let before = place.cursor.offset();
        if let Found::Record(placed) = place.cursor.next().map_err(reading())? {
            return self.accept(place, placed, before);
        }
        // Only after it is known whether the segment has ended can what is missing be called missing.
        if place.next.is_none() {
            place.next = self
                .segments()?
                .into_iter()
                .find(|segment| segment.id > place.name.id);
        }
        place.cursor.refresh();
        if let Found::Record(placed) = place.cursor.next().map_err(reading())? {
            return self.accept(place, placed, before);
        }
        match place.cursor.resync(place.expected).map_err(reading())? {
            Ok(placed) => {
                let same_group = placed.group_start() <= place.expected;
                if same_group && place.next.is_none() && self.shared.is_none() {
                    // The rest of a group that is being written.
                    place.cursor.seek(before);
                    return Ok(false);
                }
                let at = place.cursor.offset() - placed.stored_bytes as u64;
                if self.accept(place, placed, at)? {
                    return Ok(true);
                }
                place.cursor.seek(before);
                Ok(false)
            }
            Err(_) if place.next.is_some() => self.go_on(place),
            Err(_) => Ok(false),
        }
    }

    fn accept(&mut self, place: &mut Place, placed: Placed, at: u64) -> Result<bool, JournalError> {
        let seq = placed.record.seq;
        if seq > self.tip() {
            place.cursor.seek(at);
            return Ok(false);
        }
        if place.next.is_some_and(|next| seq >= next.first_seq) {
            return self.go_on(place);
        }
        if seq.is_multiple_of(MARK_EVERY) {
            if self.marks.len() >= MARKS_MAX {
                self.marks.pop_first();
            }
            self.marks.insert(seq, (place.name.id, at));
        }
        // A group that a restart wrote again may have been read already.
        if seq >= place.expected {
            place.take(placed);
        }
        Ok(true)
    }

    /// Moves on to the next segment. Where both hold the same number, the newer one counts.
    fn go_on(&mut self, place: &mut Place) -> Result<bool, JournalError> {
        while let Some(next) = place.next {
            if place
                .pending
                .first()
                .is_some_and(|first| first.seq >= next.first_seq)
            {
                place.pending.clear();
                place.expected = next.first_seq;
            }
            place.pending.retain(|record| record.seq < next.first_seq);
            place.ready.extend(place.pending.drain(..));
            let after = self.segments()?.into_iter().find(|segment| segment.id > next.id);
            let expected = place.expected.max(next.first_seq);
            match self.enter(next, after, next.first_seq)? {
                Some(entered) => {
                    *place = Place {
                        ready: std::mem::take(&mut place.ready),
                        expected,
                        ..entered
                    };
                    return Ok(true);
                }
                None => place.next = after,
            }
        }
        Ok(false)
    }
}
