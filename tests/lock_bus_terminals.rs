//! The bus's and the scanner's tasks against simulated devices on real pseudo-terminals.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel, Family, Polarity};
use hardware::{
    BoardFault, BoardSettings, Ending, Grain, Hand, Line, LineFault, Port, SimulatedBoard, SimulatedScanner,
    Terminal,
};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, Supply};
use lockerd::boards::master::{BusMaster, BusSettings, BusView};
use lockerd::boards::{Work, task};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use lockerd::scanner::{self, framing, start::StartCommand};
use lockerd::serial::{self, Outlet, PortEvent, PortSettings};
use office_protocol::{BoardId, CompartmentId, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const BOARD: Board = Board(1);
const LIMIT: Duration = Duration::from_secs(20);

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lock-bus-{name}-{}", std::process::id()))
}

fn layout() -> Layout {
    let port = BusPort {
        name: "locks".parse().unwrap(),
        family: Family::Shuoming,
        baud: 9600,
        echo: false,
    };
    let board = BusBoard {
        id: BoardId(1),
        port: port.name.clone(),
        address: BOARD,
        channels: 24,
        supply: Supply(1),
        pulse_ms: None,
    };
    let lock = |channel: Channel| BusLock {
        compartment: CompartmentId(channel.number().into()),
        board: BoardId(1),
        channel,
        polarity: Polarity::AsDocumented,
    };
    let locks: Vec<BusLock> = Channel::all(24).map(lock).collect();
    Layout::new(vec![port], &[board], &locks).unwrap()
}

struct Bus {
    port: Port<Line>,
    work: mpsc::Sender<Work>,
    reports: mpsc::Receiver<Input>,
    view: watch::Receiver<BusView>,
    start: Instant,
}

impl Bus {
    fn start(name: &str) -> Self {
        let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, BOARD, 24), 1);
        let line = Line::new(vec![board], 9600, Grain::Bytes, 1);
        let path = directory(name).join("locks");
        let port = Port::spawn(line, &path).unwrap();
        let master = BusMaster::new(layout(), BusSettings::default());
        let (work, wanted) = mpsc::channel(16);
        let (sender, reports) = mpsc::channel(64);
        let (views, view) = watch::channel(master.view());
        let start = Instant::now();
        let clock = move || Monotonic::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap());
        tokio::spawn(task::run(
            master,
            vec![PortSettings {
                path,
                baud: 9600,
                rs485: false,
            }],
            clock,
            wanted,
            sender,
            views,
        ));
        Self {
            port,
            work,
            reports,
            view,
            start,
        }
    }

    /// Waits for a report that fits, and returns those before it as well.
    async fn until(&mut self, fits: impl Fn(&Input) -> bool) -> Vec<Input> {
        let mut seen = Vec::new();
        let waiting = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                let found = fits(&report);
                seen.push(report);
                if found {
                    return;
                }
            }
        };
        assert!(
            timeout(LIMIT, waiting).await.is_ok(),
            "only {seen:?} was reported"
        );
        seen
    }

    /// Waits until all doors were read for the first time.
    async fn until_swept(&mut self) -> Vec<Input> {
        self.until(|report| {
            matches!(
                report,
                Input::DoorRead {
                    compartment: CompartmentId(24),
                    first: true,
                    ..
                }
            )
        })
        .await
    }

    async fn unlock(&self, compartment: u16, seq: u64) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        let not_after = Monotonic::from_millis(now + 2000);
        let work = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(seq),
            not_after,
        };
        self.work.send(work).await.unwrap();
    }
}

fn outcome(report: &Input) -> Option<(u64, UnlockOutcome)> {
    match report {
        Input::UnlockAnswered { unlock, outcome } => Some((unlock.0, *outcome)),
        _ => None,
    }
}

fn door(number: u16, is: bool) -> impl Fn(&Input) -> bool {
    move |report| matches!(report, Input::DoorRead { compartment, open, .. } if compartment.0 == number && *open == is)
}

#[tokio::test]
async fn a_door_is_opened_and_closed_over_a_real_port() {
    let mut bus = Bus::start("door");
    let seen = bus.until_swept().await;
    assert!(
        matches!(&seen[..2], [Input::PortFound { .. }, Input::BoardFound { .. }]),
        "{seen:?}"
    );
    bus.work.send(Work::Watch(vec![CompartmentId(7)])).await.unwrap();
    bus.unlock(7, 1).await;
    let seen = bus.until(door(7, true)).await;
    assert_eq!(seen.iter().find_map(outcome), Some((1, UnlockOutcome::Opened)));
    assert!(bus.port.hand(BOARD, channel(7), Hand::Close).await.unwrap());
    bus.until(door(7, false)).await;
    let line = bus.port.view().await.unwrap();
    assert_eq!((line.pulses, line.collisions), (1, 0));
}

#[tokio::test]
async fn an_unplugged_port_is_said_and_its_return_reads_anew() {
    let mut bus = Bus::start("cable");
    bus.until_swept().await;
    bus.port.unplug().await.unwrap();
    bus.until(|report| matches!(report, Input::PortLost { .. })).await;
    bus.unlock(1, 9).await;
    let seen = bus.until(|report| outcome(report).is_some()).await;
    assert_eq!(seen.iter().find_map(outcome), Some((9, UnlockOutcome::NotSent)));
    assert!(bus.port.hand(BOARD, channel(3), Hand::Force).await.unwrap());
    bus.port.replug().await.unwrap();
    let seen = bus.until_swept().await;
    assert!(
        seen.iter()
            .any(|report| matches!(report, Input::PortFound { .. }))
    );
    let found_open = |report: &Input| {
        matches!(
            report,
            Input::DoorRead {
                compartment: CompartmentId(3),
                open: true,
                first: true
            }
        )
    };
    assert!(seen.iter().any(found_open), "{seen:?}");
    bus.unlock(1, 10).await;
    bus.until(door(1, true)).await;
    assert_eq!(
        bus.port.view().await.unwrap().pulses,
        1,
        "the one that was not sent never comes"
    );
}

#[tokio::test]
async fn noise_and_silence_are_survived() {
    let mut bus = Bus::start("noise");
    bus.until_swept().await;
    bus.port.line_fault(LineFault::Noisy(40)).await.unwrap();
    bus.port.noise(vec![0x80, 0x01, 0xFF, 0x8A]).await.unwrap();
    bus.unlock(2, 1).await;
    let seen = bus.until(door(2, true)).await;
    let opened = |report: &Input| matches!(report, Input::DoorRead { compartment, .. } if compartment.0 != 2);
    assert!(!seen.iter().any(opened), "{seen:?}");
    bus.port.line_fault(LineFault::Noisy(0)).await.unwrap();
    bus.port
        .board_fault(BOARD, BoardFault::Silent(true))
        .await
        .unwrap();
    bus.until(|report| matches!(report, Input::BoardLost { .. }))
        .await;
    bus.unlock(4, 2).await;
    let seen = bus.until(|report| outcome(report).is_some()).await;
    assert_eq!(seen.iter().find_map(outcome), Some((2, UnlockOutcome::Uncertain)));
    bus.port
        .board_fault(BOARD, BoardFault::Silent(false))
        .await
        .unwrap();
    bus.unlock(5, 3).await;
    let seen = bus.until(|report| outcome(report).is_some()).await;
    assert!(
        seen.iter()
            .any(|report| matches!(report, Input::BoardFound { .. })),
        "an unlock is tried at once"
    );
    bus.until(door(4, true)).await;
    let busy = bus.view.wait_for(|view| view.boards[0].statistics.pulses == 3);
    timeout(LIMIT, busy).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_scanner_is_read_lost_and_found() {
    let path = directory("scanner").join("scanner");
    let device = SimulatedScanner::new(Ending::CarriageReturn, true, 115_200, Grain::Bytes);
    let port = Port::spawn(device, &path).unwrap();
    let (sender, mut reports) = mpsc::channel(16);
    let start = Instant::now();
    let clock = move || Monotonic::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap());
    let settings = PortSettings {
        path,
        baud: 115_200,
        rs485: false,
    };
    let name = "scanner".parse().unwrap();
    tokio::spawn(scanner::task::run(
        name,
        settings,
        StartCommand::Gm65,
        framing::Ending::Silence,
        clock,
        sender,
    ));
    let mut next = async || timeout(LIMIT, reports.recv()).await.unwrap().unwrap();
    assert!(matches!(next().await, Input::PeripheralFound { .. }));
    port.scan("LP1:CAB-1:ABCDEF").await.unwrap();
    assert!(matches!(next().await, Input::Scanned { text } if &*text == "LP1:CAB-1:ABCDEF"));
    port.scan([0xFF]).await.unwrap();
    assert!(matches!(next().await, Input::ScanUnreadable));
    // Told to scan when it was there, when it was back, and after each code.
    let told = async |times| {
        let told = async { while port.with(|device, _, _| device.triggered()).await.unwrap() < times {} };
        timeout(LIMIT, told).await.unwrap();
    };
    told(3).await;
    port.unplug().await.unwrap();
    assert!(matches!(next().await, Input::PeripheralLost { .. }));
    port.replug().await.unwrap();
    assert!(matches!(next().await, Input::PeripheralFound { .. }));
    port.scan("12345678").await.unwrap();
    assert!(matches!(next().await, Input::Scanned { text } if &*text == "12345678"));
    told(5).await;
}

/// Eight bytes that stand for an unlock.
const UNLOCK: &[u8] = b"<unlock>";

/// A port whose other side reads only when it is told to, open.
async fn unread(name: &str) -> (Terminal, Outlet, mpsc::Receiver<PortEvent>) {
    let path = directory(name).join("locks");
    let terminal = Terminal::open(&path).unwrap();
    let (sender, mut events) = mpsc::channel(16);
    let settings = PortSettings {
        path,
        baud: 9600,
        rs485: false,
    };
    let outlet = serial::spawn(settings, sender, |event| event);
    assert_eq!(events.recv().await, Some(PortEvent::Opened));
    (terminal, outlet, events)
}

#[tokio::test]
async fn what_a_stuck_port_still_holds_never_leaves_it() {
    let (terminal, outlet, mut events) = unread("stuck").await;
    // The first 4 kB count as read: they are in the other end's hands.
    assert!(outlet.send(&[0x55; 6 * 1024]) && outlet.send(UNLOCK) && outlet.send(&[0x55; 64 * 1024]));
    assert_eq!(
        timeout(LIMIT, events.recv()).await.unwrap(),
        Some(PortEvent::Lost)
    );
    let mut late = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            biased;
            read = terminal.read(&mut buffer) => late.extend_from_slice(&buffer[..read.unwrap()]),
            event = events.recv() => {
                assert_eq!(event, Some(PortEvent::Opened));
                break;
            }
        }
    }
    let came = late.windows(UNLOCK.len()).any(|bytes| bytes == UNLOCK);
    assert!(!came, "among {} bytes after the port was given up", late.len());
}

#[tokio::test]
async fn an_unlock_behind_a_write_that_waits_is_not_written_late() {
    let (terminal, outlet, _events) = unread("waits").await;
    let began = Instant::now();
    assert!(outlet.send(&[0x55; 64 * 1024]) && outlet.send(UNLOCK));
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    while began.elapsed() < Duration::from_millis(200) {
        pause.tick().await;
    }
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    let hearing = async {
        while !heard.ends_with(b"<end>") {
            tokio::select! {
                read = terminal.read(&mut buffer) => heard.extend_from_slice(&buffer[..read.unwrap()]),
                // Until the port takes it: it may be busy, or have given up meanwhile.
                _ = pause.tick() => {
                    let _taken = outlet.send(b"<end>");
                }
            }
        }
    };
    timeout(LIMIT, hearing).await.unwrap();
    let came = heard.windows(UNLOCK.len()).any(|bytes| bytes == UNLOCK);
    assert!(!came, "it is for nobody any more");
}
