//! The journal on a disk that crashes at every single operation, twice, and forgets what it may.
#![allow(clippy::unwrap_used)]

use super::SimulatedDisk;
use lockerd::journal::{Damage, Journal, JournalError, Opening, Options, Record};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::sync::Arc;

const OPTIONS: Options = Options {
    segment_bytes: 8 << 10,
    reserve_bytes: 2 << 10,
};

/// What was promised, and the plan that is carried out.
struct Model {
    dice: ChaCha8Rng,
    /// Every acknowledged event, the first is number 1.
    acknowledged: Vec<Record>,
    /// A group that was being appended when it ended: on disk as a whole, or not at all.
    uncertain: Vec<Record>,
    /// Events of the same number differ from attempt to attempt, so that nothing old can pass for new.
    attempt: u64,
    /// The highest number that was given to `trim`.
    trimmed_to: u64,
}

/// The state that checkpoints carry: the number of events and a CRC over all of them.
fn state_after<'a>(state: &[u8], records: impl IntoIterator<Item = &'a Record>) -> Vec<u8> {
    let mut count = u64::from_le_bytes(state[..8].try_into().unwrap());
    let mut sum = state[8..].to_vec();
    for record in records {
        count += 1;
        sum.extend_from_slice(&record.event);
        sum = checksum(&sum).to_le_bytes().to_vec();
    }
    [&count.to_le_bytes()[..], &sum].concat()
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    })
}

const EMPTY: [u8; 16] = [0; 16];

impl Model {
    fn new(seed: u64) -> Self {
        Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            acknowledged: Vec::new(),
            uncertain: Vec::new(),
            attempt: 0,
            trimmed_to: 0,
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        self.dice.next_u32() % end
    }

    fn state(&self) -> Vec<u8> {
        state_after(&EMPTY, &self.acknowledged)
    }

    /// Opens, checks everything that was promised, and resumes; an error only when the power goes meanwhile.
    fn recover(&mut self, disk: &SimulatedDisk) -> Result<Journal, JournalError> {
        let opening = Journal::open(Arc::new(disk.clone()), OPTIONS)?;
        let with_uncertain = self.check(&opening);
        let mut history = self.acknowledged.clone();
        if with_uncertain {
            history.extend_from_slice(&self.uncertain);
        }
        let start = opening.checkpoint.clone().unwrap_or_else(|| EMPTY.to_vec());
        let state = state_after(&start, &opening.records);
        assert_eq!(state, state_after(&EMPTY, &history), "the replayed state differs");
        let journal = opening.resume(&state, 0)?;
        self.acknowledged = history;
        self.uncertain.clear();
        self.check_reading(&journal)?;
        Ok(journal)
    }

    /// Whether the uncertain group is there.
    fn check(&self, opening: &Opening) -> bool {
        let sure = self.acknowledged.len() as u64;
        let whole = sure + self.uncertain.len() as u64;
        assert!(
            opening.last_seq == sure || opening.last_seq == whole,
            "{} after {sure} or {whole}",
            opening.last_seq
        );
        for damage in &opening.damage {
            match damage {
                Damage::Tail { first_seq, .. } if *first_seq == sure + 1 && opening.last_seq == sure => {}
                Damage::Tail { .. } | Damage::Missing { .. } | Damage::Checkpoint { .. } => {
                    panic!("{damage}")
                }
            }
        }
        opening.last_seq > sure
    }

    /// Everything that is kept is read, in order, each event as it was acknowledged.
    fn check_reading(&self, journal: &Journal) -> Result<(), JournalError> {
        let mut reader = journal.reader();
        let first = reader.first_seq()?;
        assert!(
            first <= self.trimmed_to + 1,
            "events from {first} on are left, {} may go",
            self.trimmed_to
        );
        let mut next = first;
        loop {
            let records = reader.read_from(next, 16, usize::MAX)?;
            if records.is_empty() {
                break;
            }
            for record in records {
                assert_eq!(record, self.acknowledged[next as usize - 1]);
                next += 1;
            }
        }
        assert_eq!(
            next,
            self.acknowledged.len() as u64 + 1,
            "the reader stopped too early"
        );
        Ok(())
    }

    /// Appends, rolls, trims and prepares; an error when the disk fails.
    fn work(&mut self, journal: &mut Journal, steps: u32) -> Result<(), JournalError> {
        for _ in 0..steps {
            match self.below(10) {
                0 => journal.roll(&self.state(), 0)?,
                1 => {
                    self.trimmed_to = self
                        .trimmed_to
                        .max(u64::from(self.below(self.acknowledged.len() as u32 + 1)));
                    journal.trim(self.trimmed_to, 0, 0)?;
                }
                2 => {
                    journal.prepare()?;
                }
                _ => self.append(journal)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, journal: &mut Journal) -> Result<(), JournalError> {
        self.attempt += 1;
        let first = self.acknowledged.len() as u64 + 1;
        for seq in first..=first + u64::from(self.below(4)) {
            let length = 20 + self.below(700) as usize;
            let mut event = format!("event {seq}, attempt {}", self.attempt).into_bytes();
            event.resize(length.max(event.len()), b'.');
            let sealed = (0..self.below(3)).map(|part| vec![part as u8; 30]).collect();
            self.uncertain.push(Record { seq, event, sealed });
        }
        let appended = journal.append(&self.uncertain)?;
        self.acknowledged.append(&mut self.uncertain);
        if appended.wants_checkpoint {
            journal.roll(&self.state(), 0)?;
        }
        Ok(())
    }
}

fn new_life(model: &mut Model, disk: &SimulatedDisk, steps: u32) -> Result<(), JournalError> {
    let mut journal = model.recover(disk)?;
    model.work(&mut journal, steps)
}

/// How many operations the plan of a seed takes when nothing fails.
fn operations(seed: u64) -> u64 {
    let disk = SimulatedDisk::new(seed);
    new_life(&mut Model::new(seed), &disk, 40).unwrap();
    disk.operations()
}

#[test]
fn every_acknowledged_group_survives_a_crash_at_every_operation_and_another_during_recovery() {
    let begun = std::time::Instant::now();
    let mut points = 0;
    for seed in 0..12 {
        let last = operations(seed);
        for crash in 1..=last {
            for subset in 0..4 {
                let disk = SimulatedDisk::new(seed * 1_000 + subset);
                let mut model = Model::new(seed);
                disk.crash_at(crash);
                // Cutting unused zeros may fail unnoticed, so even this may be fine.
                let _ = new_life(&mut model, &disk, 40);
                assert!(disk.has_crashed());
                disk.restart();
                // Again, at any place of the recovery or soon after.
                disk.crash_at(disk.operations() + 1 + crash % 11);
                let _ = new_life(&mut model, &disk, 6);
                disk.crash();
                disk.restart();
                new_life(&mut model, &disk, 6).unwrap();
                disk.crash();
                disk.restart();
                model.recover(&disk).unwrap();
                points += 1;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!(
        "{points} crash points in {seconds:.1} s, {:.0} a second",
        f64::from(points) / seconds
    );
}

#[test]
fn what_a_restarted_process_saw_is_not_lost_by_a_power_cut_right_after() {
    for seed in 0..12 {
        for at in 1..=operations(seed) {
            let disk = SimulatedDisk::new(seed + at);
            let mut model = Model::new(seed);
            disk.fail_sync_at(at);
            // A failed sync is fatal: the process ends, the page cache stays, and shows what may not be on disk.
            let _ = new_life(&mut model, &disk, 40);
            disk.kill();
            let journal = model.recover(&disk);
            disk.crash();
            disk.restart();
            drop(journal);
            model.recover(&disk).unwrap();
        }
    }
}

#[test]
fn a_disk_without_room_for_a_name_loses_nothing_that_was_acknowledged() {
    let mut full = 0;
    for seed in 0..4 {
        for at in 1..=operations(seed) {
            for count in [1, 2, 4, 9] {
                let disk = SimulatedDisk::new(seed + at);
                let mut model = Model::new(seed);
                disk.full_at(at, count);
                let begun = model.recover(&disk);
                if let Ok(mut journal) = begun {
                    // A roll that finds no room changes nothing; anything else is fatal.
                    for _ in 0..40 {
                        match model.work(&mut journal, 1) {
                            Ok(()) => {}
                            Err(JournalError::Full) => full += 1,
                            Err(_) => break,
                        }
                    }
                }
                disk.kill();
                drop(model.recover(&disk).unwrap());
                disk.crash();
                disk.restart();
                model.recover(&disk).unwrap();
            }
        }
    }
    assert!(full > 100, "{full}");
}

#[test]
fn after_a_failed_sync_the_journal_takes_nothing_more() {
    let disk = SimulatedDisk::new(1);
    let mut model = Model::new(1);
    let mut journal = model.recover(&disk).unwrap();
    model.append(&mut journal).unwrap();
    disk.fail_sync_at(0);
    assert!(matches!(model.append(&mut journal), Err(JournalError::Io { .. })));
    let next = [Record {
        seq: journal.last_seq() + 1,
        ..Record::default()
    }];
    assert!(matches!(journal.append(&next), Err(JournalError::Poisoned)));
    assert!(matches!(journal.roll(&EMPTY, 0), Err(JournalError::Poisoned)));
}

#[test]
fn a_full_disk_leaves_the_reserve_and_loses_nothing() {
    use lockerd::journal::Space;
    let disk = SimulatedDisk::new(2);
    let mut model = Model::new(2);
    // A segment's last sixteenth has room for any group of the model.
    let options = Options {
        segment_bytes: 64 << 10,
        reserve_bytes: 100 << 10,
    };
    let opening = Journal::open(Arc::new(disk.clone()), options).unwrap();
    let mut journal = opening.resume(&EMPTY, 0).unwrap();
    journal.prepare().unwrap();
    assert_eq!(journal.space().unwrap(), Space::Plenty);
    disk.set_capacity(0);
    assert!(journal.space().unwrap() >= Space::DropAcknowledged);
    let before = model.acknowledged.len();
    let error = loop {
        if let Err(error) = model.append(&mut journal) {
            break error;
        }
    };
    // The roll found no room; the group before it is acknowledged all the same.
    assert!(matches!(error, JournalError::Full), "{error}");
    let bytes: usize = model.acknowledged[before..]
        .iter()
        .map(Record::stored_bytes)
        .sum();
    assert!(
        bytes as u64 > options.reserve_bytes,
        "{bytes} bytes of events found room"
    );
    assert_eq!(journal.space().unwrap(), Space::QuietDiagnostics);
    disk.set_capacity(1 << 30);
    disk.crash();
    disk.restart();
    model.recover(&disk).unwrap();
}
