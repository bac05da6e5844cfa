//! From the last byte of a scanned pickup code to the last byte of the unlock frame, through the daemon as it is shipped:
//! pseudo-terminals paced at 9600 baud, durable in between.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel, Family};
use hardware::{
    BoardSettings, Device, Ending, Grain, Hand, Line, LineInput, Pace, Port, ScannerInput, SimulatedBoard,
    SimulatedScanner,
};
use lockerd::cabinet::screen::Action;
use office_protocol::event::Size;
use office_protocol::{EventHeader, SealedPart};

use crate::daemon;
use crate::page::Page;
use crate::place::{COURIER, LIMIT, Place};

const ROUNDS: u32 = 4;
const DOORS: u8 = 24;
const BAUD: u32 = 9600;
/// The first byte of a command to lock boards of this family to unlock.
const UNLOCK: u8 = 0x8A;
/// Long enough for the solenoid of the unlock before to be free and the bus idle again.
const REST: Duration = Duration::from_millis(800);

/// Tells when its last byte has left.
struct Scanner(SimulatedScanner, Sender<Instant>);

/// Tells when an unlock frame has come, and how long it is.
struct Bus(Line, Sender<(Instant, usize)>);

impl Device for Scanner {
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>) {
        self.0.handle(ScannerInput::Written(bytes), now, delivered);
    }

    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.0.handle(ScannerInput::Tick, now, delivered);
        if !delivered.is_empty() && self.0.next_deadline().is_none() {
            self.1.send(Instant::now()).unwrap();
        }
    }

    fn unplugged(&mut self, now: Duration) {
        self.0.handle(ScannerInput::Unplugged, now, &mut Vec::new());
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.0.next_deadline()
    }
}

impl Device for Bus {
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>) {
        if bytes.first() == Some(&UNLOCK) {
            self.1.send((Instant::now(), bytes.len())).unwrap();
        }
        self.0.handle(LineInput::Written(bytes), now, delivered);
    }

    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.0.handle(LineInput::Tick, now, delivered);
    }

    fn unplugged(&mut self, now: Duration) {
        self.0.handle(LineInput::Unplugged, now, &mut Vec::new());
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.0.next_deadline()
    }
}

pub(crate) fn measure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = daemon::place();
    place.commission();
    let disk = raw_syncs(&place);
    let (mut times, wire) = runtime.block_on(collections(&place));
    let (half, most) = (
        crate::percentile(&mut times, 50),
        crate::percentile(&mut times, 99),
    );
    println!(
        "scan → unlock, {} collections at {BAUD} baud: p50 {:.2?} (budget 7 ms), p99 {:.2?} (budget 20 ms); of it on the wire {wire:.2?}, raw fdatasync p50 {disk:.2?}; p50 ÷ (wire + disk) {:.2}",
        times.len(),
        half + wire,
        most + wire,
        (half + wire).as_secs_f64() / (wire + disk).as_secs_f64()
    );
}

/// What the disk needs for a group of this size.
fn raw_syncs(place: &Place) -> Duration {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(place.path("raw"))
        .unwrap();
    file.write_all(&vec![0; 1 << 20]).unwrap();
    file.sync_all().unwrap();
    let times = (0..200_u64).map(|at| {
        let begun = Instant::now();
        std::os::unix::fs::FileExt::write_all_at(&file, &[b'x'; 1200], at * 1200).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    });
    crate::median(times.collect())
}

struct Rig {
    page: Page,
    scanner: Port<Scanner>,
    bus: Port<Bus>,
    scanned: Receiver<Instant>,
    unlocked: Receiver<(Instant, usize)>,
}

async fn collections(place: &Place) -> (Vec<Duration>, Duration) {
    let ((tell_scan, scanned), (tell_unlock, unlocked)) = (channel(), channel());
    let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, Board(1), DOORS), 1);
    let line = Line::new(vec![board], BAUD, Grain::Bytes, 1);
    let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, BAUD, Grain::Bytes);
    let scanner = Port::spawn(Scanner(scanner, tell_scan), &place.path("scanner")).unwrap();
    let bus = Port::spawn(Bus(line, tell_unlock), &place.path("locks")).unwrap();
    let mut processes = place.processes();
    let process = place.run(&mut processes).await;
    let page = Page::open(place.kiosk);
    let mut rig = Rig {
        page,
        scanner,
        bus,
        scanned,
        unlocked,
    };
    rig.page.no_longer_shows("暂不能交件").await;
    let mut times = Vec::new();
    let mut wire = Duration::ZERO;
    for round in 0..ROUNDS {
        let before = place.last_seq();
        rig.fill(round).await;
        for code in codes(place, before) {
            tokio::time::sleep(REST).await;
            let (took, frame) = rig.collect(&code).await;
            times.push(took);
            wire = Pace::new(BAUD, Grain::Bytes).took(frame);
        }
    }
    processes.end(process, LIMIT).await.unwrap();
    (times, wire)
}

/// The pickup codes that were issued after this event, as the office reads them.
fn codes(place: &Place, after: u64) -> Vec<String> {
    let records = place.records_after(after);
    let placed = records
        .iter()
        .filter(|record| EventHeader::parse(&record.event).unwrap().kind == "locker.placed");
    placed
        .map(|record| {
            let part = SealedPart {
                bytes: record.sealed[0].clone(),
            };
            let personal = part.open(&place.keys.opening, &Place::cabinet()).unwrap();
            personal.code.as_ref().unwrap().qr.clone()
        })
        .collect()
}

impl Rig {
    async fn scan(&self, code: &str) {
        let code = code.as_bytes().to_vec();
        let held = move |scanner: &mut Scanner, now, delivered: &mut Vec<u8>| {
            scanner.0.handle(ScannerInput::Scan(&code), now, delivered);
        };
        self.scanner.with(held).await.unwrap();
    }

    /// Shuts the door that the screen names.
    async fn close(&mut self) {
        let door = self.page.shows("柜门已打开").await.door();
        let channel = Channel::new(u8::try_from(door).unwrap()).unwrap();
        let hand = LineInput::Hand(Board(1), channel, Hand::Close);
        let shut = move |bus: &mut Bus, now, delivered: &mut Vec<u8>| bus.0.handle(hand, now, delivered);
        assert!(self.bus.with(shut).await.unwrap());
    }

    /// A courier places something into every compartment.
    async fn fill(&mut self, round: u32) {
        self.page.shows("start-collection").await;
        self.scan(COURIER).await;
        self.page.admit().await;
        self.page.tap(Action::StartPlacing).await;
        for number in 0..DOORS {
            self.page.shows("请扫标签").await;
            self.scan(&format!("R-{round}-{number}")).await;
            self.page.shows("标签未登记").await;
            self.page.tap(Action::ChooseSize { size: Size::Small }).await;
            self.close().await;
        }
        self.page.shows("请扫标签").await;
        self.page.tap(Action::EndRound).await;
        self.page.shows("start-placing").await;
        self.page.tap(Action::Done).await;
        self.page.shows("start-collection").await;
    }

    /// A citizen collects; how long from the code's last byte to the unlock's first, and how many bytes that has.
    async fn collect(&mut self, code: &str) -> (Duration, usize) {
        while self.scanned.try_recv().is_ok() {}
        while self.unlocked.try_recv().is_ok() {}
        self.scan(code).await;
        self.close().await;
        let scanned = self.scanned.try_recv().unwrap();
        let (unlocked, frame) = self.unlocked.try_recv().unwrap();
        self.page.shows("都取出来了吗").await;
        self.page.tap(Action::Yes).await;
        self.page.shows("取件完成").await;
        self.page.tap(Action::Done).await;
        self.page.shows("start-collection").await;
        (unlocked.duration_since(scanned), frame)
    }
}
