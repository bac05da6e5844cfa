//! A disk that gives back other bytes than it was given: flipped bits, lost and misdirected pages, cut and missing segments.
//!
//! Read are only records as they were written; those that are not read are named. That a disk has forgotten its newest pages as a whole
//! shows nothing in the journal: the next start names them, because it is kept beside it how far the office had the events. That the
//! oldest segment went without having been let go, only the office's database can tell.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use lockerd::engine::EngineError;
use lockerd::journal::{Damage, Disk, Journal, JournalReader, Options, Problem, Record, verify};
use office_protocol::{Digest, Event, EventBody};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::life::{Life, disks};
use super::table::{Outcome, Row};
use super::world::World;
use crate::disk::SimulatedDisk;

const OPTIONS: Options = Options {
    segment_bytes: 16 << 10,
    reserve_bytes: 8 << 10,
};
const PAGE: usize = 4096;

/// A journal of some rounds of hand-overs, on a disk whose bytes can be changed.
struct Sample {
    disk: SimulatedDisk,
    documents: SimulatedDisk,
    /// The office has the events up to here.
    reported: u64,
    records: Vec<Record>,
    segments: Vec<(String, Vec<u8>)>,
}

impl Sample {
    fn new(rounds: u64) -> Result<Self, String> {
        let world = World::new();
        let (disk, documents) = (SimulatedDisk::new(1), SimulatedDisk::new(2));
        world.furnish(&documents);
        let mut note = |_| {};
        let both = disks(Arc::new(disk.clone()), Arc::new(documents.clone()));
        let mut life = Life::begin(&world, both, OPTIONS, 1, &mut note).map_err(|error| error.to_string())?;
        (1..=rounds)
            .try_for_each(|round| life.round(round))
            .map_err(|error| error.to_string())?;
        let reported = life.ledger().tip.seq.0;
        life.reported().map_err(|error| error.to_string())?;
        drop(life);
        let mut names = disk.list().map_err(|error| error.to_string())?;
        names.retain(|name| name.ends_with(".segment"));
        names.sort();
        let segments = names
            .into_iter()
            .map(|name| (name.clone(), read(&disk, &name)))
            .collect();
        let records = all(&disk)?;
        Ok(Self {
            disk,
            documents,
            reported,
            records,
            segments,
        })
    }

    fn write(&self, segment: usize, at: usize, bytes: &[u8]) {
        let file = self
            .disk
            .open(&self.segments[segment].0, true)
            .expect("it is there");
        file.write_at(at as u64, bytes).expect("this disk works");
    }

    /// These bytes are there instead, while the journal is judged.
    fn with(&self, segment: usize, at: usize, bytes: &[u8]) -> Result<Outcome, String> {
        self.write(segment, at, bytes);
        let outcome = self.judge();
        let right = &self.segments[segment].1[at..];
        self.write(segment, at, &right[..right.len().min(bytes.len())]);
        outcome.map_err(|wrong| format!("{} at byte {at}: {wrong}", self.segments[segment].0))
    }

    /// Whether what is read is right, and what is not read is named.
    fn judge(&self) -> Result<Outcome, String> {
        let found = self.found()?;
        let mut left = found.iter().peekable();
        let named = self.named()?;
        let mut missing = 0;
        let mut silent = Vec::new();
        for record in &self.records {
            if left.peek().is_some_and(|next| next.seq == record.seq) {
                if left.next() != Some(record) {
                    return Err(format!("event {} is read with other bytes", record.seq));
                }
            } else {
                missing += 1;
                if !named.iter().any(|range| range.contains(&record.seq)) {
                    silent.push(record.seq);
                }
            }
        }
        if let Some(stranger) = left.next() {
            return Err(format!("event {} was never written", stranger.seq));
        }
        let ends = found.first().zip(found.last());
        let between = |seq: &u64| ends.is_some_and(|(first, last)| first.seq < *seq && *seq < last.seq);
        if silent.iter().any(between) {
            return Err(format!("events {silent:?} are missing in silence"));
        }
        let last = found.last().map_or(0, |record| record.seq);
        let forgotten = |seq: &u64| last < *seq && *seq <= self.reported;
        if silent.iter().any(forgotten) {
            let named = self.named_by_a_start()?;
            silent.retain(|seq| !named.iter().any(|range| range.contains(seq)));
            if silent.iter().any(forgotten) {
                return Err(format!(
                    "a start names {named:?}, but events {silent:?} are missing"
                ));
            }
        }
        Ok(match (silent.is_empty(), missing) {
            (false, _) => Outcome::Shortened,
            (true, 0) if named.is_empty() => Outcome::Whole,
            (true, _) => Outcome::Named,
        })
    }

    /// The numbers of events that are reported as damaged. An event that does not follow the one before names both.
    fn named(&self) -> Result<Vec<Range<u64>>, String> {
        let found = verify(&self.disk).map_err(|error| error.to_string())?;
        let named = |problem: &Problem| match problem {
            Problem::Damage(Damage::Tail { first_seq, .. }) => Some(*first_seq..u64::MAX),
            Problem::Damage(Damage::Missing {
                first_seq, last_seq, ..
            }) => Some(*first_seq..last_seq + 1),
            Problem::Damage(Damage::Checkpoint { .. }) => Some(0..1),
            Problem::NotAnEvent { seq, .. } | Problem::Number { seq, .. } | Problem::Chain { seq } => {
                Some(seq - 1..seq + 1)
            }
        };
        Ok(found.problems.iter().filter_map(named).collect())
    }

    /// What a start misses, because the office had it; then every compartment is in doubt.
    fn named_by_a_start(&self) -> Result<Vec<RangeInclusive<u64>>, String> {
        let world = World::new();
        let disks = disks(Arc::new(self.disk.copied()), Arc::new(self.documents.copied()));
        let mut note = |_| {};
        let life = Life::begin(&world, disks, OPTIONS, 2, &mut note).map_err(|error| error.to_string())?;
        let mut places = life.ledger().compartments.values();
        if !places.all(|place| place.doubt.is_some()) {
            return Err("a start with a forgotten end does not doubt every compartment".into());
        }
        let begun = life.engine().reader().record_at(self.reported + 1);
        let begun = begun
            .map_err(|error| error.to_string())?
            .map(|record| record.event);
        let begun = begun.and_then(|bytes| Event::parse(&bytes).ok());
        let Some(Event {
            previous,
            body: EventBody::Started {
                damage: Some(damage), ..
            },
            ..
        }) = begun
        else {
            return Err(format!("no start after event {} tells of damage", self.reported));
        };
        let end = self.records.iter().find(|record| record.seq == self.reported);
        if end.is_none_or(|record| Digest::of(&record.event) != previous) {
            return Err("what is written now does not follow what the office has".into());
        }
        let ranges = damage.unreadable.into_iter();
        Ok(ranges.map(|(first, last)| first.0..=last.0).collect())
    }

    /// What a reader beside the daemon finds, and a start: in the newest segment a reader stops at what may be half written, a start
    /// does not. The checkpoint that it takes is one that was written.
    fn found(&self) -> Result<Vec<Record>, String> {
        let mut found = all(&self.disk)?;
        let opening =
            Journal::open(Arc::new(self.disk.clone()), OPTIONS).map_err(|error| error.to_string())?;
        if let Some(bytes) = &opening.checkpoint
            && !self.segments.iter().any(|(_, segment)| contains(segment, bytes))
        {
            return Err("the recovery takes a checkpoint that was not written".into());
        }
        let last = found.last().map_or(0, |record| record.seq);
        let newer = |record: &&Record| record.seq > last;
        found.extend(opening.records.iter().filter(newer).cloned());
        Ok(found)
    }
}

fn contains(segment: &[u8], checkpoint: &[u8]) -> bool {
    segment.get(64..).is_some_and(|rest| rest.starts_with(checkpoint))
}

fn read(disk: &SimulatedDisk, name: &str) -> Vec<u8> {
    let whole = lockerd::journal::disk::read_whole(disk, name).expect("this disk works");
    whole.unwrap_or_default()
}

fn all(disk: &SimulatedDisk) -> Result<Vec<Record>, String> {
    let mut reader = JournalReader::from_outside(Arc::new(disk.clone()));
    reader
        .read_from(1, usize::MAX, usize::MAX)
        .map_err(|error| EngineError::from(error).to_string())
}

/// Every kind of damage; `step` leaves out all but every so manyth byte or page.
pub(super) fn every(rounds: u64, step: usize, progress: &mut dyn FnMut(u64)) -> Result<Vec<Row>, String> {
    let sample = Sample::new(rounds)?;
    Ok(vec![
        flipped(&sample, step, progress),
        lost(&sample),
        misdirected(&sample, step),
        cut(&sample, step),
        gone(&sample),
    ])
}

fn flipped(sample: &Sample, step: usize, progress: &mut dyn FnMut(u64)) -> Row {
    let mut row = Row::new("a flipped bit in every byte of every segment");
    let count = sample.segments.len();
    for (segment, (_, bytes)) in sample.segments.iter().enumerate() {
        for at in (0..bytes.len()).step_by(step) {
            row.judged(sample.with(segment, at, &[bytes[at] ^ 1 << (at % 8)]));
            if at.is_multiple_of(PAGE) {
                progress(((segment * bytes.len() + at) * 100 / (count * bytes.len())) as u64);
            }
        }
    }
    row
}

fn pages(sample: &Sample) -> Vec<(usize, usize)> {
    let segments = sample.segments.iter().enumerate();
    segments
        .flat_map(|(segment, (_, bytes))| (0..bytes.len()).step_by(PAGE).map(move |at| (segment, at)))
        .collect()
}

fn page(sample: &Sample, (segment, at): (usize, usize)) -> &[u8] {
    let bytes = &sample.segments[segment].1;
    &bytes[at..bytes.len().min(at + PAGE)]
}

fn lost(sample: &Sample) -> Row {
    let mut row = Row::new("every 4 KiB page lost: as before it was written");
    for place in pages(sample) {
        let zeros = vec![0; page(sample, place).len()];
        row.judged(sample.with(place.0, place.1, &zeros));
    }
    row
}

fn misdirected(sample: &Sample, step: usize) -> Row {
    let mut row = Row::new("a page written over another page");
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let pages = pages(sample);
    for place in pages.iter().copied() {
        for _ in 0..(16 / step).max(1) {
            let other = pages[dice.next_u32() as usize % pages.len()];
            let length = page(sample, place).len().min(page(sample, other).len());
            row.judged(sample.with(place.0, place.1, &page(sample, other)[..length]));
        }
    }
    row
}

fn cut(sample: &Sample, step: usize) -> Row {
    let mut row = Row::new("a segment cut off at every 64 bytes");
    for (segment, (name, bytes)) in sample.segments.iter().enumerate() {
        let file = sample.disk.open(name, true).expect("it is there");
        for at in (0..bytes.len()).step_by(64 * step) {
            file.set_length(at as u64).expect("this disk works");
            row.judged(
                sample
                    .judge()
                    .map_err(|wrong| format!("{name} cut at {at}: {wrong}")),
            );
            sample.write(segment, at, &bytes[at..]);
        }
    }
    row
}

fn gone(sample: &Sample) -> Row {
    let mut row = Row::new("a segment gone");
    for (name, _) in &sample.segments {
        sample.disk.rename(name, "elsewhere").expect("it is there");
        row.judged(sample.judge().map_err(|wrong| format!("without {name}: {wrong}")));
        sample.disk.rename("elsewhere", name).expect("it is there");
    }
    row
}
