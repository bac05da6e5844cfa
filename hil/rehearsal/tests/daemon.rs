//! The daemon as a process, over pseudo-terminals: enrolled, running, opened by nobody's code, killed, and whole again.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use office::keys::Keys;
use office_protocol::enrolment::Identity;
use rehearsal::processes::{Launch, ProcessId, Processes, Ready};

const LIMIT: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_rehearsal");

struct Place {
    directory: tempfile::TempDir,
    kiosk: std::net::SocketAddr,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Self {
            kiosk: free.local_addr().unwrap(),
            directory,
        };
        std::fs::write(place.path("lockerd.toml"), place.settings()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The example of `config/`, here.
    fn settings(&self) -> String {
        let here = |name| self.path(name).display().to_string();
        let mut text = include_str!("../../../config/lockerd.toml").to_owned();
        for port in ["locks", "scanner"] {
            let start = text.find("\"/dev/serial").unwrap() + 1;
            let end = start + text[start..].find('"').unwrap();
            text.replace_range(start..end, &here(port));
        }
        text.replace("/var/lib/lockerd/secrets", &here("secrets"))
            .replace(
                "directory = \"/var/lib/lockerd\"",
                &format!("directory = {:?}", here("data")),
            )
            .replace("broker.example", "127.0.0.1")
            .replace("port = 8883", "port = 9")
            .replace("tls = true", "tls = false")
            .replace("127.0.0.1:8080", &self.kiosk.to_string())
    }

    fn lockerd(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("lockerd").args(arguments);
        command.arg("--config").arg(self.path("lockerd.toml"));
        command.output().unwrap()
    }

    fn enrol(&self) {
        let printed = self.lockerd(&["identity"]);
        let identity: Identity = serde_json::from_slice(&printed.stdout).unwrap();
        let keys = Keys::open_or_create(&self.path("office")).unwrap();
        let bundle = keys.bundle(&"DEMO-1".parse().unwrap(), &identity, 1).unwrap();
        let file = self.path("bundle.json");
        std::fs::write(&file, serde_json::to_vec(&bundle).unwrap()).unwrap();
        let enrolled = self.lockerd(&["enrol", &file.display().to_string()]);
        assert!(enrolled.status.success(), "{enrolled:?}");
    }

    async fn run(&self, processes: &mut Processes) -> ProcessId {
        let config = self.path("lockerd.toml");
        let arguments = ["lockerd", "run", "--config"].map(OsString::from);
        let launch = Launch {
            name: "lockerd".into(),
            arguments: arguments.into_iter().chain([config.into()]).collect(),
            ready: Ready::Port(self.kiosk),
            within: LIMIT,
        };
        processes.start(launch).await.unwrap().process
    }

    /// Waits until the journal of the running daemon says so.
    async fn journaled(&self, part: &str, times: usize) {
        let waiting = async {
            loop {
                let shown = self.lockerd(&["journal", "export"]);
                if String::from_utf8_lossy(&shown.stdout).matches(part).count() >= times {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(LIMIT, waiting).await;
        waited.unwrap_or_else(|_| panic!("the journal never said {part} {times} times"));
    }
}

async fn hardware(processes: &mut Processes, directory: &Path) -> ProcessId {
    let arguments = ["hardware", "--directory"].map(OsString::from);
    let launch = Launch {
        name: "hardware".into(),
        arguments: arguments.into_iter().chain([directory.into()]).collect(),
        ready: Ready::Line("hardware ready".into()),
        within: LIMIT,
    };
    processes.start(launch).await.unwrap().process
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_comes_back_with_its_journal_whole() {
    let place = Place::new();
    let refused = place.lockerd(&["run"]);
    assert_eq!(refused.status.code(), Some(78), "not enrolled: {refused:?}");
    place.enrol();
    let mut processes = Processes::new(PathBuf::from(PROGRAM), std::sync::Arc::new(|_, _| {}));
    let bench = hardware(&mut processes, place.directory.path()).await;
    let first = place.run(&mut processes).await;
    place.journaled("locker.started", 1).await;
    processes.tell(bench, "hand locks 1 5 force").await.unwrap();
    place.journaled("locker.door-", 1).await;
    processes.kill(first).await.unwrap();
    let second = place.run(&mut processes).await;
    place.journaled("locker.started", 2).await;
    let status = processes.end(second, LIMIT).await.unwrap();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let verified = place.lockerd(&["journal", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("chain intact"));
}
