//! One cabinet with three families at three speeds, from a settings file to real pseudo-terminals; a port that takes no more bytes.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Grain, Hand, Line, Port, SimulatedBoard, Terminal};
use lockerd::boards::master::{BusMaster, BusSettings};
use lockerd::boards::{Work, task};
use lockerd::cabinet::vocabulary::{Input, Monotonic, UnlockOutcome};
use lockerd::serial::{self, PortEvent, PortSettings};
use lockerd::settings::Settings;
use office_protocol::{CompartmentId, Seq};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);
const LINES: [(Family, u32, u8); 3] = [
    (Family::Shuoming, 9_600, 1),
    (Family::Cu16, 19_200, 0),
    (Family::ModbusRelay, 115_200, 7),
];

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lock-bus-mixed-{name}-{}", std::process::id()))
}

fn path(line: usize) -> PathBuf {
    directory("lines").join(format!("locks-{line}"))
}

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

/// The settings of a cabinet with one board of four locks on each line; compartment = line × 10 + lock.
fn settings() -> Settings {
    let mut text =
        "[cabinet]\nsecrets = \"secrets\"\n[office]\nhost = \"127.0.0.1\"\nport = 1883\ntls = false\n"
            .to_owned();
    for (line, (family, baud, address)) in (1..).zip(LINES) {
        // A pseudo-terminal knows no RS-485; it has to be used as it is.
        text += &format!(
            "[[lock-port]]\nname = \"locks-{line}\"\npath = {:?}\nfamily = {:?}\nbaud = {baud}\nrs485 = {}\n",
            path(line),
            family.name(),
            line == 3,
        );
        text +=
            &format!("[[board]]\nid = {line}\nport = \"locks-{line}\"\naddress = {address}\nchannels = 4\n");
        for lock in 1..=4 {
            text += &format!(
                "[[compartment]]\nid = {}\nboard = {line}\nchannel = {lock}\nsize = \"small\"\n",
                line * 10 + lock
            );
        }
    }
    Settings::parse("mixed.toml", &text).unwrap()
}

struct Bus {
    ports: Vec<Port<Line>>,
    work: mpsc::Sender<Work>,
    reports: mpsc::Receiver<Input>,
    start: Instant,
}

impl Bus {
    fn start() -> Self {
        let line = |(line, (family, baud, address)): (usize, (Family, u32, u8))| {
            let board = SimulatedBoard::new(BoardSettings::new(family, Board(address), 4), 1);
            Port::spawn(Line::new(vec![board], baud, Grain::Bytes, 1), &path(line)).unwrap()
        };
        let ports = (1..).zip(LINES).map(line).collect();
        let settings = settings();
        let master = BusMaster::new(settings.layout, BusSettings::default());
        let (work, wanted) = mpsc::channel(16);
        let (sender, reports) = mpsc::channel(64);
        let (view, _unwatched) = watch::channel(master.view());
        let start = Instant::now();
        let clock = move || Monotonic::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap());
        tokio::spawn(task::run(
            master,
            settings.lock_ports,
            clock,
            wanted,
            sender,
            view,
        ));
        Self {
            ports,
            work,
            reports,
            start,
        }
    }

    async fn until(&mut self, mut fits: impl FnMut(&Input) -> bool) -> Vec<Input> {
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

    async fn door(&mut self, number: u16, is: bool) -> Vec<Input> {
        self.until(
            |report| matches!(report, Input::DoorRead { compartment, open, .. } if compartment.0 == number && *open == is),
        )
        .await
    }

    async fn unlock(&self, compartment: u16) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        let order = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(compartment.into()),
            not_after: Monotonic::from_millis(now + 2000),
        };
        self.work.send(order).await.unwrap();
    }
}

#[tokio::test]
async fn three_families_at_three_speeds_open_and_close_their_doors() {
    let mut bus = Bus::start();
    let mut first = 0;
    bus.until(|report| {
        first += usize::from(matches!(report, Input::DoorRead { first: true, .. }));
        first == 12
    })
    .await;
    for (line, (.., address)) in (1..).zip(LINES) {
        let compartment = line * 10 + 2;
        bus.work
            .send(Work::Watch(vec![CompartmentId(compartment)]))
            .await
            .unwrap();
        bus.unlock(compartment).await;
        let seen = bus.door(compartment, true).await;
        let sent = seen.iter().any(|report| {
            matches!(
                report,
                Input::UnlockAnswered {
                    outcome: UnlockOutcome::Opened | UnlockOutcome::Acknowledged,
                    ..
                }
            )
        });
        assert!(sent, "{seen:?}");
        let port = &bus.ports[usize::from(line) - 1];
        assert!(port.hand(Board(address), channel(2), Hand::Close).await.unwrap());
        bus.door(compartment, false).await;
    }
    for port in &bus.ports {
        let seen = port.view().await.unwrap();
        assert_eq!((seen.pulses, seen.collisions, seen.overlaps), (1, 0, 0));
    }
}

#[tokio::test]
async fn a_port_that_takes_no_more_bytes_is_lost_and_opened_again() {
    let path = directory("stuck").join("locks");
    let _nobody_reads = Terminal::open(&path).unwrap();
    let (sender, mut events) = mpsc::channel(8);
    let settings = PortSettings {
        path,
        baud: 9600,
        rs485: false,
    };
    let outlet = serial::spawn(settings, sender, |event| event);
    let next =
        async |events: &mut mpsc::Receiver<PortEvent>| timeout(LIMIT, events.recv()).await.unwrap().unwrap();
    assert_eq!(next(&mut events).await, PortEvent::Opened);
    let began = Instant::now();
    // More than the kernel keeps for a reader who never comes.
    let filling = async {
        loop {
            let _full = outlet.send(&[0x80; 4096]);
            tokio::task::yield_now().await;
        }
    };
    let event = tokio::select! {
        event = next(&mut events) => event,
        () = filling => unreachable!("never ends"),
    };
    assert_eq!(event, PortEvent::Lost);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(next(&mut events).await, PortEvent::Opened, "tried again");
}
