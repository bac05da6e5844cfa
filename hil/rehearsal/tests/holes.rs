//! Both ends of the link over a network that loses, repeats and reorders, with a journal that loses events and lets old ones go, and an
//! office that goes back to a backup: what is still there arrives once, and what is not is named.
#![allow(clippy::unwrap_used)]

use lockerd::cabinet::vocabulary::{Monotonic, Recorded};
use lockerd::office_link::{self, Identity, JournalView, Limits, Output, Sync};
use office::intake::{self, Arrival, Intake, Knowledge, Stored, check_status};
use office_protocol::event::Clock;
use office_protocol::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn own_key() -> SigningKey {
    SigningKey::from_secret(&[1; 32])
}

fn office_key() -> SigningKey {
    SigningKey::from_secret(&[2; 32])
}

/// Everything that was ever written, and what of it can still be read.
#[derive(Default)]
struct Journal {
    written: Vec<Vec<u8>>,
    lost: Vec<bool>,
    oldest: u64,
}

impl Journal {
    fn append(&mut self, start: Start) {
        let event = Event {
            start,
            source: cabinet(),
            time: Timestamp::from_millis(0),
            clock: Clock::Trusted,
            seq: Seq(self.tip() + 1),
            previous: self.hash(self.tip()),
            visit: None,
            body: EventBody::PowerChanged { mains: true },
        };
        self.written.push(event.to_bytes());
        self.lost.push(false);
    }

    fn tip(&self) -> u64 {
        self.written.len() as u64
    }

    fn hash(&self, seq: u64) -> Digest {
        let event = seq.checked_sub(1).map(|index| &self.written[index as usize]);
        event.map_or(Digest::ZERO, |event| Digest::of(event))
    }

    fn is_there(&self, seq: u64) -> bool {
        (self.oldest..=self.tip()).contains(&seq) && !self.lost[seq as usize - 1]
    }
}

impl JournalView for Journal {
    fn oldest(&mut self) -> Seq {
        Seq(self.oldest)
    }

    fn hash_at(&mut self, seq: Seq) -> Option<Digest> {
        (self.is_there(seq.0) || self.is_there(seq.0 + 1)).then(|| self.hash(seq.0))
    }

    fn read(&mut self, from: Seq, events_max: usize, _bytes_max: usize) -> Vec<Recorded> {
        let all = from.0.max(self.oldest)..=self.tip();
        all.skip_while(|seq| !self.is_there(*seq))
            .take_while(|seq| self.is_there(*seq))
            .take(events_max.min(5))
            .map(|seq| Recorded {
                seq: Seq(seq),
                event: self.written[seq as usize - 1].clone(),
                sealed: Vec::new(),
            })
            .collect()
    }
}

/// The office: its verdicts and its database.
#[derive(Clone)]
struct Database {
    knowledge: Knowledge,
    stored: Vec<Stored>,
}

struct World {
    dice: ChaCha8Rng,
    now: u64,
    start: Start,
    sync: Sync,
    journal: Journal,
    acknowledged: u64,
    intake: Intake,
    database: Database,
    backup: Database,
    up: Vec<(bool, Signed)>,
    down: Vec<Signed>,
    /// Everything that was ever sent, for who repeats it.
    heard: (Vec<(bool, Signed)>, Vec<Signed>),
    /// What the broker does to messages.
    lies: bool,
    holes: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let database = Database {
            knowledge: Knowledge::default(),
            stored: Vec::new(),
        };
        let mut world = Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            now: 1_000_000,
            start: Start(1),
            sync: sync(Start(1), 0),
            journal: Journal {
                oldest: 1,
                ..Journal::default()
            },
            acknowledged: 0,
            intake: Intake::new(cabinet()),
            backup: database.clone(),
            database,
            up: Vec::new(),
            down: Vec::new(),
            heard: (Vec::new(), Vec::new()),
            lies: true,
            holes: 0,
        };
        world.connect();
        world
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice.next_u64() % end.max(1)
    }

    fn give(&mut self, input: office_link::Input) {
        let now = Monotonic::from_millis(self.now);
        for output in self.sync.handle(now, input, &mut self.journal) {
            match output {
                Output::PublishStatus(signed) => self.up.push((true, signed)),
                Output::PublishEvents { message, signed } => {
                    self.up.push((false, signed));
                    // The broker takes everything, whatever it does with it.
                    self.give(office_link::Input::MessageAcknowledged { message });
                }
                Output::Acknowledged {
                    tip: Tip { seq, hash },
                } => {
                    let there = self.database.knowledge.find(seq, hash);
                    assert!(
                        seq == Seq::ZERO || there.is_some(),
                        "{seq} was acknowledged and is not here"
                    );
                    self.acknowledged = seq.0;
                }
                Output::ForgerySeen => panic!("nothing is forged"),
                Output::Reconnect => {}
            }
        }
    }

    fn append(&mut self) {
        self.journal.append(self.start);
        self.give(office_link::Input::TipAdvanced(Seq(self.journal.tip())));
    }

    fn connect(&mut self) {
        self.give(office_link::Input::LinkDown);
        self.sync.begin_connection();
        self.give(office_link::Input::LinkUp {
            packet_bytes: 1 << 20,
        });
    }

    fn restart(&mut self) {
        self.start = Start(self.start.0 + 1);
        self.sync = sync(self.start, self.journal.tip());
        self.append();
        self.connect();
    }

    /// Some events can never be read again; the newest always can, because something is written after every start.
    fn lose(&mut self) {
        let tip = self.journal.tip();
        let first = 1 + self.below(tip);
        let last = (first + self.below(6)).min(tip.saturating_sub(1));
        for seq in first..=last {
            self.journal.lost[seq as usize - 1] = true;
            self.holes += 1;
        }
    }

    fn office_takes(&mut self, is_status: bool, signed: &Signed) {
        let key = own_key().verifying_key();
        let input = if is_status {
            intake::Input::Status(check_status(signed, &key, &cabinet()).unwrap())
        } else {
            intake::Input::Arrived(Arrival::check(signed, &key, &cabinet()).unwrap())
        };
        self.office(input);
    }

    fn office(&mut self, input: intake::Input) {
        let verdict = self.intake.handle(self.now, input, &mut self.database.knowledge);
        self.database.stored.extend(verdict.stored);
        if let Some(position) = verdict.position {
            let bytes = serde_json::to_vec(&position).unwrap();
            self.down
                .push(Signed::new(&office_key(), Purpose::Position, &cabinet(), bytes));
        }
    }

    fn deliver_up(&mut self) {
        if self.up.is_empty() {
            return;
        }
        let index = if self.lies {
            self.below(self.up.len().min(3) as u64)
        } else {
            0
        };
        let (is_status, signed) = self.up.remove(index as usize);
        self.heard.0.push((is_status, signed.clone()));
        if !self.lies || self.below(8) > 0 {
            self.office_takes(is_status, &signed);
        }
    }

    fn deliver_down(&mut self) {
        if self.down.is_empty() {
            return;
        }
        let index = if self.lies {
            self.below(self.down.len().min(3) as u64)
        } else {
            0
        };
        let signed = self.down.remove(index as usize);
        self.heard.1.push(signed.clone());
        if !self.lies || self.below(8) > 0 {
            self.give(office_link::Input::PositionReceived(signed));
        }
    }

    fn time_passes(&mut self) {
        let due = self.sync.next_deadline().map(Monotonic::as_millis);
        let next = due.into_iter().chain(self.intake.next_deadline()).min();
        self.now = self.now.max(next.unwrap_or(self.now));
        if due.is_some_and(|due| due <= self.now) {
            self.give(office_link::Input::DeadlineReached);
        }
        if self.intake.next_deadline().is_some_and(|due| due <= self.now) {
            self.office(intake::Input::DeadlineReached);
        }
    }

    fn step(&mut self) {
        match self.below(40) {
            0..=7 => self.append(),
            8..=19 => self.deliver_up(),
            20..=29 => self.deliver_down(),
            30 | 31 => self.time_passes(),
            32 => self.connect(),
            33 => self.restart(),
            34 => self.lose(),
            35 => self.journal.oldest = self.journal.oldest.max(self.acknowledged.saturating_sub(3)),
            36 => self.backup = self.database.clone(),
            37 => {
                self.database = self.backup.clone();
                self.intake = Intake::new(cabinet());
                self.connect();
            }
            38 if !self.heard.0.is_empty() => {
                let which = self.below(self.heard.0.len() as u64) as usize;
                let (is_status, signed) = self.heard.0[which].clone();
                self.office_takes(is_status, &signed);
            }
            39 if !self.heard.1.is_empty() => {
                let which = self.below(self.heard.1.len() as u64) as usize;
                let signed = self.heard.1[which].clone();
                self.give(office_link::Input::PositionReceived(signed));
            }
            _ => {}
        }
    }

    fn heal(&mut self, restarts: bool) {
        self.lies = false;
        if restarts {
            self.restart();
        } else {
            self.append();
            self.connect();
        }
        for _ in 0..2_000 {
            while !self.up.is_empty() || !self.down.is_empty() {
                self.deliver_up();
                self.deliver_down();
            }
            if self.sync.view().confirmed == Some(Seq(self.journal.tip())) {
                return;
            }
            self.time_passes();
        }
        panic!("stuck: {:?}, {:?}", self.sync.view(), self.intake.view());
    }

    /// What is still there is at the office, once; what is not there is named where it is missing.
    fn is_whole(&self) {
        for seq in (self.journal.oldest..=self.journal.tip()).filter(|seq| self.journal.is_there(*seq)) {
            let same = |stored: &&Stored| stored.event.digest == self.journal.hash(seq);
            let times = self.database.stored.iter().filter(same).count();
            assert_eq!(times, 1, "event {seq}");
        }
        for head in self.database.knowledge.heads() {
            let of_branch = self.database.stored.iter();
            let mut before: Option<&Stored> = None;
            for next in of_branch.filter(|stored| stored.origin.branch() == head.branch) {
                let expected = before.map(|before| (before.event.seq, before.event.digest));
                match (next.lost, expected) {
                    (Some(lost), _) => {
                        assert_eq!(lost.last.next(), next.event.seq);
                        assert!(lost.first <= lost.last);
                        let still = (lost.first.0..=lost.last.0).find(|seq| self.journal.is_there(*seq));
                        assert_eq!(still, None, "is said to be lost");
                    }
                    (None, Some(expected)) => {
                        assert_eq!(
                            (expected.0.next(), expected.1),
                            (next.event.seq, next.event.previous)
                        );
                    }
                    (None, None) => {}
                }
                before = Some(next);
            }
        }
    }
}

fn sync(start: Start, tip: u64) -> Sync {
    let identity = Identity {
        cabinet: cabinet(),
        start,
        version: "test".into(),
    };
    let limits = Limits {
        ahead_events: 40,
        ..Limits::default()
    };
    let keys = KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: office_key().verifying_key(),
            purposes: vec![Purpose::Position],
        }],
        sealing: Vec::new(),
    };
    Sync::new(identity, limits, own_key(), keys, Seq(tip))
}

#[test]
fn what_is_still_there_arrives_once_and_what_is_lost_is_named() {
    let (mut holes, mut named) = (0, 0);
    for seed in 0..150 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
        }
        world.heal(seed % 2 == 0);
        world.is_whole();
        holes += world.holes;
        named += world
            .database
            .stored
            .iter()
            .filter(|stored| stored.lost.is_some())
            .count();
    }
    assert!(
        holes > 1_000 && named > 100,
        "{holes} events lost, {named} holes named"
    );
}
