//! A journal in memory, and the keys of a cabinet and its office.

use lockerd::cabinet::vocabulary::Recorded;
use lockerd::office_link::JournalView;
use office_protocol::event::Clock;
use office_protocol::*;

/// A journal in memory.
pub(crate) struct Memory {
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) oldest: u64,
    /// The first and the last that cannot be read any more.
    pub(crate) hole: Option<(u64, u64)>,
}

impl Memory {
    pub(crate) fn with(count: u64) -> Self {
        let mut memory = Self {
            events: Vec::new(),
            oldest: 1,
            hole: None,
        };
        (0..count).for_each(|_| memory.append());
        memory
    }

    pub(crate) fn append(&mut self) {
        let event = Event {
            start: Start(7),
            source: cabinet(),
            time: Timestamp::from_millis(0),
            clock: Clock::Trusted,
            seq: Seq(self.events.len() as u64 + 1),
            previous: self.events.last().map_or(Digest::ZERO, |event| Digest::of(event)),
            visit: None,
            body: EventBody::PowerChanged { mains: true },
        };
        self.events.push(event.to_bytes());
    }

    pub(crate) fn tip(&self) -> Seq {
        Seq(self.events.len() as u64)
    }

    pub(crate) fn hash(&self, seq: u64) -> Digest {
        seq.checked_sub(1)
            .map_or(Digest::ZERO, |index| Digest::of(&self.events[index as usize]))
    }

    fn is_gone(&self, seq: u64) -> bool {
        self.hole
            .is_some_and(|(first, last)| (first..=last).contains(&seq))
    }
}

impl JournalView for Memory {
    fn oldest(&mut self) -> Seq {
        Seq(self.oldest)
    }

    fn hash_at(&mut self, seq: Seq) -> Option<Digest> {
        let kept = seq.0 >= self.oldest.max(1) && seq <= self.tip();
        let told = !self.is_gone(seq.0) || !self.is_gone(seq.0 + 1);
        (kept && told).then(|| self.hash(seq.0))
    }

    fn read(&mut self, from: Seq, events_max: usize, bytes_max: usize) -> Vec<Recorded> {
        let mut bytes = 0;
        let mut from = from.0.max(self.oldest);
        if self.is_gone(from) {
            from = self.hole.map_or(from, |(_, last)| last + 1);
        }
        let whole = (from..=self.tip().0).take_while(|seq| !self.is_gone(*seq));
        let records = whole.take(events_max).map(|seq| Recorded {
            seq: Seq(seq),
            event: self.events[seq as usize - 1].clone(),
            sealed: Vec::new(),
        });
        records
            .take_while(|record| {
                let first = bytes == 0;
                bytes += record.event.len();
                first || bytes <= bytes_max
            })
            .collect()
    }
}

pub(crate) fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

pub(crate) fn office_key() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

pub(crate) fn own_key() -> SigningKey {
    SigningKey::from_secret(&[1; 32])
}

pub(crate) fn keys() -> KeySet {
    KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: office_key().verifying_key(),
            purposes: vec![Purpose::Position],
        }],
        sealing: Vec::new(),
    }
}

pub(crate) fn position_by(
    key: &SigningKey,
    seq: u64,
    hash: Digest,
    start: Start,
    answers: Option<u64>,
) -> Signed {
    let position = Position {
        start,
        branch: Branch(0),
        seq: Seq(seq),
        hash,
        answers,
    };
    let bytes = serde_json::to_vec(&position).unwrap();
    Signed::new(key, Purpose::Position, &cabinet(), bytes)
}
