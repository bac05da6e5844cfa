//! What the cabinet gives up as its disk fills, in order, and that it gets everything back.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use lockerd::cabinet::Config;
use lockerd::cabinet::screen::{DropOffs, Notice, Screen};
use lockerd::cabinet::vocabulary::{Dice, Input, Moment, Monotonic};
use lockerd::engine::{Disks, Engine, Run};
use lockerd::journal::{Disk, Options};
use office_protocol::event::{CompartmentLayout, Size};
use office_protocol::{CompartmentId, Seq, SigningKey, Start, Timestamp};
use rehearsal::disk::SimulatedDisk;

/// A reserve of three segments.
const OPTIONS: Options = Options {
    segment_bytes: 64 << 10,
    reserve_bytes: 128 << 10,
};
const SEGMENT: u64 = 64 << 10;
const RESERVE: u64 = 3 * SEGMENT;
const CAPACITY: u64 = 1 << 30;

struct Cabinet {
    disk: SimulatedDisk,
    engine: Engine,
    now: u64,
}

fn moment(now: u64) -> Moment {
    Moment {
        now: Monotonic::from_millis(now),
        wall: Timestamp::from_millis(1_790_000_000_000 + i64::try_from(now).unwrap()),
        trusted: true,
        dice: Dice::new([7; 32]),
    }
}

impl Cabinet {
    fn open(disk: &SimulatedDisk, start: u64) -> Self {
        let place = |id| CompartmentLayout {
            id: CompartmentId(id),
            size: Size::Small,
            reachable: true,
            wiring: None,
        };
        let config = Config {
            id: "TEST-1".parse().unwrap(),
            key: SigningKey::from_secret(&[7; 32]),
            root: SigningKey::from_secret(&[8; 32]).verifying_key(),
            layout: (1..=4).map(place).collect(),
            protected: std::collections::BTreeSet::new(),
            items: [("birth".parse().unwrap(), Size::Small)].into(),
        };
        let run = Run {
            start: Start(start),
            version: "test".into(),
            enrolled_keys: None,
            keep_days: 190,
        };
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let disks = Disks {
            journal: Arc::clone(&shared),
            documents: shared,
        };
        let (engine, _) = Engine::open(disks, OPTIONS, config, run, &moment(0)).unwrap();
        let mut cabinet = Self {
            disk: disk.clone(),
            engine,
            now: 0,
        };
        for number in 1..=4 {
            cabinet.door(number, false, true);
        }
        cabinet
    }

    fn input(&mut self, input: Input) {
        self.now += 100;
        self.engine.step(&moment(self.now), input).unwrap();
    }

    fn door(&mut self, number: u16, open: bool, first: bool) {
        let compartment = CompartmentId(number);
        self.input(Input::DoorRead {
            compartment,
            open,
            first,
        });
    }

    /// So many bytes can still be had, those of blank segments included; then a minute passes.
    fn left(&mut self, room: u64) {
        let _full = self.engine.preparer().prepare();
        let blank = self.disk.list().unwrap();
        let blank = blank.iter().filter(|name| name.ends_with(".blank")).count() as u64 * SEGMENT;
        self.disk.set_capacity(CAPACITY);
        let used = CAPACITY - self.disk.free_bytes().unwrap();
        self.disk.set_capacity(used + room.saturating_sub(blank));
        self.now += 60_000;
        self.engine.keep_house(&moment(self.now)).unwrap();
    }

    /// Nothing can be had but the blank segments; life goes on until this holds.
    fn fills_until(&mut self, holds: impl Fn(&mut Self) -> bool) {
        for round in 0..2_000 {
            self.door(1 + round % 2, round % 4 < 2, false);
            if round % 20 == 0 {
                self.now += 60_000;
                self.engine.keep_house(&moment(self.now)).unwrap();
                if holds(self) {
                    return;
                }
            }
        }
        panic!("never, in {} segments", self.segments());
    }

    fn segments(&self) -> usize {
        let names = self.disk.list().unwrap();
        names.iter().filter(|name| name.ends_with(".segment")).count()
    }

    fn takes_drop_offs(&self) -> bool {
        matches!(
            self.engine.cabinet().view().screen,
            Screen::Home {
                drop_offs: DropOffs::Open
            }
        )
    }

    fn journaled(&self, kind: &str) -> usize {
        let records = self.engine.reader().read_from(1, 100_000, usize::MAX).unwrap();
        let kind = format!("\"locker.{kind}\"");
        let texts = records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.event));
        texts.filter(|text| text.contains(&kind)).count()
    }
}

#[test]
fn as_the_disk_fills_index_acknowledged_segments_drop_offs_and_diagnostics_go_in_this_order() {
    let disk = SimulatedDisk::new(1);
    let mut cabinet = Cabinet::open(&disk, 1);
    // Some history, all of it in the office's database.
    for round in 0..600 {
        cabinet.door(1 + round % 2, round % 4 < 2, false);
    }
    let tip = cabinet.engine.cabinet().ledger().tip;
    cabinet.input(Input::Acknowledged { tip });
    let history = cabinet.segments();
    assert!(history > 3, "{history} segments");

    cabinet.left(CAPACITY / 2);
    assert!(cabinet.engine.index_allowed() && cabinet.takes_drop_offs());

    cabinet.left(RESERVE + 11 * SEGMENT);
    assert!(!cabinet.engine.index_allowed(), "the index goes first");
    assert_eq!(cabinet.segments(), history, "they are younger than they are kept");

    cabinet.left(RESERVE + 3 * SEGMENT);
    assert!(cabinet.segments() < history, "then what the office has");
    assert!(cabinet.takes_drop_offs());

    cabinet.left(0);
    cabinet.fills_until(|cabinet| !cabinet.takes_drop_offs()); // then drop-offs
    let view = cabinet.engine.cabinet().view();
    assert!(view.notices.contains(&Notice::DropOffsRefused));
    assert!(
        cabinet
            .engine
            .cabinet()
            .state()
            .alarms
            .iter()
            .any(|standing| standing.alarm == office_protocol::event::Alarm::StorageLow)
    );

    let port = || "scanner".parse().unwrap();
    cabinet.input(Input::PeripheralLost { port: port() });
    cabinet.input(Input::PeripheralFound { port: port() });
    assert_eq!(cabinet.journaled("peripheral-lost"), 1);
    // Then diagnostics.
    cabinet.fills_until(|cabinet| {
        let before = cabinet.journaled("peripheral-lost");
        cabinet.input(Input::PeripheralLost { port: port() });
        cabinet.input(Input::PeripheralFound { port: port() });
        cabinet.journaled("peripheral-lost") == before
    });
    let before = cabinet.engine.cabinet().ledger().tip.seq;
    cabinet.door(3, true, false);
    assert!(
        cabinet.engine.cabinet().ledger().tip.seq > before,
        "what doors do is written"
    );

    // The reserve holds: nothing is lost by a crash in this state, and with room everything comes back.
    let tip = cabinet.engine.cabinet().ledger().tip;
    drop(cabinet);
    disk.set_capacity(CAPACITY);
    disk.kill();
    let mut cabinet = Cabinet::open(&disk, 2);
    assert!(cabinet.engine.cabinet().ledger().tip.seq > tip.seq);
    cabinet.left(CAPACITY / 2);
    assert!(cabinet.engine.index_allowed() && cabinet.takes_drop_offs());
    assert!(
        cabinet
            .engine
            .cabinet()
            .view()
            .notices
            .iter()
            .all(|notice| *notice != Notice::DropOffsRefused)
    );
    let mut reader = cabinet.engine.reader();
    let records = reader.read_from(tip.seq.0, 1, usize::MAX).unwrap();
    assert_eq!(Seq(records[0].seq), tip.seq, "the last event before the crash");
}
