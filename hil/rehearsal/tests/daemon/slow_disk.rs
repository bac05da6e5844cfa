//! A disk whose every sync takes five seconds: the hand-over waits for it, and nothing else does.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockerd::cabinet::screen::Action;
use rehearsal::crashes::SlowDisk;
use rehearsal::processes::{Launch, ProcessId, Processes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::page::Page;
use crate::place::{LIMIT, PROGRAM, Place};

const SLOW: Duration = Duration::from_secs(5);
/// What a person would call at once.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What a service manager is told, and when.
struct Manager(Arc<Mutex<Vec<(Instant, String)>>>);

impl Manager {
    fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(length) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]).into_owned();
                told.lock().unwrap().push((Instant::now(), text));
            }
        });
        Self(heard)
    }

    async fn start(place: &Place, socket: &Path) -> (Processes, ProcessId) {
        let launch = place.launch();
        let variable = OsString::from(format!("NOTIFY_SOCKET={}", socket.display()));
        let program = [variable, PROGRAM.into()].into_iter();
        let arguments = program.chain(launch.arguments).collect();
        let mut processes = Processes::new(PathBuf::from("/usr/bin/env"), Arc::new(|_: &str, _: &str| {}));
        let started = processes.start(Launch { arguments, ..launch }).await.unwrap();
        (processes, started.process)
    }

    /// The longest time without a sign of life, once the daemon was ready.
    fn longest_silence(&self) -> Duration {
        let heard = self.0.lock().unwrap();
        let signs: Vec<Instant> = heard
            .iter()
            .filter(|(_, text)| text.contains("READY=1") || text.contains("WATCHDOG=1"))
            .map(|(at, _)| *at)
            .collect();
        assert!(signs.len() > 10, "{heard:?}");
        let gaps = signs.windows(2).map(|two| two[1] - two[0]);
        gaps.max().unwrap()
    }
}

/// What the unit file allows between two signs of life.
fn watchdog() -> Duration {
    let unit = include_str!("../../../../config/lockerd.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec="));
    Duration::from_secs(line.unwrap().parse().unwrap())
}

/// The page as a browser gets it.
async fn get_page(place: &Place) -> String {
    let mut stream = TcpStream::connect(place.kiosk).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        place.kiosk
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn is_flushing(disk: &SlowDisk) {
    let waiting = async {
        while !disk.is_flushing() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, waiting).await.expect("nobody syncs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_of_five_seconds_holds_up_the_hand_over_and_nothing_else() {
    let may_mount = rustix::process::geteuid().is_root()
        && ["/dev/fuse", "/dev/loop-control"]
            .iter()
            .all(|path| Path::new(path).exists());
    if !may_mount {
        eprintln!("left out: only root may mount, and only where there are FUSE and loop devices");
        return;
    }
    let place = Place::new();
    let disk = SlowDisk::mount(&place.path("disk"), &place.path("data")).unwrap();
    place.enrol();
    place.commission();
    let bench = place.hardware();
    let socket = place.path("notify");
    let manager = Manager::listen(&socket);
    let (mut processes, daemon) = Manager::start(&place, &socket).await;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    page.no_longer_shows("暂不能交件").await;
    let unpulsed = async || {
        let seen = bench.obey("look locks 1").await.unwrap();
        seen.split(", ").all(|lock| lock.ends_with("pulses 0"))
    };

    let pass = place.good_pass("slow");
    bench.obey(&format!("scan scanner {pass}")).await.unwrap();
    page.shows("请核对材料").await;
    page.tap(Action::Accept { reachable: false }).await;
    page.shows("请拍照保存").await;
    let before = place.last_seq();
    disk.flushes_take(SLOW);
    page.tap(Action::Accept { reachable: false }).await;
    is_flushing(&disk).await;
    let asked = Instant::now();
    let answer = get_page(&place).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    assert!(disk.is_flushing(), "the page was to be asked for meanwhile");
    assert!(unpulsed().await, "the reason is not on disk yet");

    // When it is, it is too late to open a door by itself: the person is asked, and says no.
    page.shows("柜门打开了吗").await;
    place.journaled_after(before, "\"reason\":\"not-sent\"", 1).await;
    assert!(unpulsed().await, "an unlock that is late is not sent");
    disk.flushes_take(Duration::ZERO);
    let door = page
        .tap_to(Action::DoorIsOpen { open: false }, "柜门已打开")
        .await
        .door();
    disk.flushes_take(SLOW);
    for deed in ["put", "close"] {
        let done = bench.obey(&format!("hand locks 1 {door} {deed}")).await.unwrap();
        assert_eq!(done, "done");
    }
    page.shows("文件放进去了吗").await;
    disk.flushes_take(Duration::ZERO);
    page.tap_to(Action::Yes, "已收件").await;
    place.journaled_after(before, "locker.dropped-off", 1).await;

    let events = place.events_after(before);
    for wrong in ["locker.board-lost", "locker.port-lost", "locker.peripheral-lost"] {
        assert!(!events.contains(wrong), "{events}");
    }
    let silence = manager.longest_silence();
    assert!(
        silence >= SLOW - AT_ONCE && silence < watchdog() / 2,
        "{silence:?}"
    );
    processes.kill(daemon).await.unwrap();
    drop(page);
}
