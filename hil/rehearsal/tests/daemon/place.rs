//! A place where a real daemon runs: its settings, its enrolment, its office's keys and documents, its hardware.
#![allow(dead_code)] // each test and benchmark uses its part

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use firmware_protocol::{Board, Family};
use hardware::{Bench, BoardSettings, Ending, Grain, Line, Port, SimulatedBoard, SimulatedScanner};
use lockerd::journal::{JournalReader, RealDisk, Record};
use office::keys::Keys;
use office_protocol::document::{DocumentName, Policy, Staff, StaffMember};
use office_protocol::enrolment::Identity;
use office_protocol::event::StaffRole;
use office_protocol::{CabinetId, Digest, Pass, PassKind, Purpose, Scope, Signed, SigningKey, Timestamp};
use rehearsal::commissioning::{Technician, commission};
use rehearsal::processes::{Launch, ProcessId, Processes, Ready, Sink};
use serde::Serialize;

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// This program, whose first argument `lockerd` makes it the daemon.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rehearsal");
pub(crate) const HELP_PHONE: &str = "0571-12345";
pub(crate) const PIN: &str = "4711";
/// What the courier's and the technician's plastic badges read like.
pub(crate) const COURIER: &str = "BADGE-C";
pub(crate) const TECHNICIAN: &str = "BADGE-T";
const BAUD: u32 = 9600;
const LONG_AGO: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const FAR_AHEAD: Timestamp = Timestamp::from_millis(4_000_000_000_000);

pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) kiosk: SocketAddr,
    pub(crate) keys: Keys,
    /// What starts `lockerd`, with its first arguments.
    pub(crate) program: Vec<OsString>,
}

impl Place {
    /// Settings and office, nothing enrolled yet.
    pub(crate) fn new() -> Self {
        Self::of(
            tempfile::tempdir().unwrap(),
            vec![PROGRAM.into(), "lockerd".into()],
        )
    }

    pub(crate) fn of(directory: tempfile::TempDir, program: Vec<OsString>) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Self {
            kiosk: free.local_addr().unwrap(),
            keys: Keys::open_or_create(&directory.path().join("office")).unwrap(),
            directory,
            program,
        };
        std::fs::write(place.config(), place.settings()).unwrap();
        place
    }

    /// An enrolled place whose cabinet takes drop-offs: every lock is proven.
    pub(crate) fn commissioned() -> Self {
        let place = Self::enrolled();
        place.commission();
        place
    }

    /// Proves every lock.
    pub(crate) fn commission(&self) {
        commission(&self.config(), Technician::Badged(TECHNICIAN, PIN)).unwrap();
    }

    /// A new place whose cabinet is enrolled and knows its staff and rules; no lock is proven.
    pub(crate) fn enrolled() -> Self {
        let place = Self::new();
        place.enrol();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("lockerd.toml")
    }

    pub(crate) fn cabinet() -> CabinetId {
        "DEMO-1".parse().unwrap()
    }

    /// The example of `config/`, here.
    fn settings(&self) -> String {
        let here = |name| self.path(name).display().to_string();
        let mut text = include_str!("../../../../config/lockerd.toml").to_owned();
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
            .replace("trust = \"synchronized\"", "trust = \"always\"")
    }

    /// Changes the settings file.
    pub(crate) fn set(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(self.config(), text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn lockerd(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).args(arguments);
        command.arg("--config").arg(self.config());
        command.output().unwrap()
    }

    pub(crate) fn enrol(&self) {
        let printed = self.lockerd(&["identity"]);
        let identity: Identity = serde_json::from_slice(&printed.stdout).unwrap();
        let bundle = self.keys.bundle(&Self::cabinet(), &identity, 1).unwrap();
        let file = self.path("bundle.json");
        std::fs::write(&file, serde_json::to_vec(&bundle).unwrap()).unwrap();
        let enrolled = self.lockerd(&["enrol", &file.display().to_string()]);
        assert!(enrolled.status.success(), "{enrolled:?}");
        self.document(
            DocumentName::Staff,
            &Staff {
                version: 1,
                members: vec![
                    member("C-1", StaffRole::Courier, COURIER),
                    member("T-1", StaffRole::Technician, TECHNICIAN),
                ],
            },
        );
        self.document(
            DocumentName::Policy,
            &Policy {
                version: 1,
                help_phone: Some(HELP_PHONE.to_owned()),
                ..Policy::default()
            },
        );
    }

    /// Puts a document where the daemon keeps those that it has received.
    fn document(&self, name: DocumentName, content: &impl Serialize) {
        let bytes = serde_json::to_vec(content).unwrap();
        let signed = Signed::new(&self.keys.documents, Purpose::Document, &Self::cabinet(), bytes);
        let disk = RealDisk::open(&self.path("data/documents")).unwrap();
        lockerd::documents::store(&disk, name, &signed).unwrap();
    }

    /// A drop-off pass of the office, or of somebody else's key.
    pub(crate) fn pass(&self, name: &str, key: Option<&SigningKey>, expires: Timestamp) -> String {
        let pass = Pass {
            id: name.parse().unwrap(),
            not_before: LONG_AGO,
            expires,
            scope: Scope::Anywhere,
            kind: PassKind::DropOff {
                application: "A-1".parse().unwrap(),
                items: Vec::new(),
                size: office_protocol::event::Size::Small,
                compartments: 1,
            },
        };
        pass.sign(key.unwrap_or(&self.keys.passes))
    }

    /// A drop-off pass that is good.
    pub(crate) fn good_pass(&self, name: &str) -> String {
        self.pass(name, None, FAR_AHEAD)
    }

    /// How the daemon is started.
    pub(crate) fn launch(&self) -> Launch {
        let arguments = ["run", "--config"].map(OsString::from);
        Launch {
            name: "lockerd".into(),
            arguments: self.program[1..]
                .iter()
                .cloned()
                .chain(arguments)
                .chain([self.config().into()])
                .collect(),
            ready: Ready::Port(self.kiosk),
            within: LIMIT,
        }
    }

    pub(crate) fn processes(&self) -> Processes {
        let loud = std::env::var_os("LOUD").is_some();
        self.processes_into(Arc::new(move |name: &str, line: &str| {
            if loud {
                eprintln!("{name}: {line}");
            }
        }))
    }

    /// Whose words go there.
    pub(crate) fn processes_into(&self, sink: Sink) -> Processes {
        Processes::new(PathBuf::from(&self.program[0]), sink)
    }

    pub(crate) async fn run(&self, processes: &mut Processes) -> ProcessId {
        processes.start(self.launch()).await.unwrap().process
    }

    fn reader(&self) -> Option<JournalReader> {
        let disk = RealDisk::open_existing(&self.path("data/journal")).ok()?;
        Some(JournalReader::from_outside(Arc::new(disk)))
    }

    /// The last event, read beside the daemon.
    pub(crate) fn last_seq(&self) -> u64 {
        self.reader().map_or(0, |reader| reader.last_seq().unwrap())
    }

    pub(crate) fn records_after(&self, seq: u64) -> Vec<Record> {
        let read = |mut reader: JournalReader| reader.read_from(seq + 1, usize::MAX, usize::MAX).unwrap();
        self.reader().map(read).unwrap_or_default()
    }

    /// The events after one of them, a line each.
    pub(crate) fn events_after(&self, seq: u64) -> String {
        let records = self.records_after(seq);
        let lines = records
            .iter()
            .map(|record| String::from_utf8_lossy(&record.event));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn events(&self) -> String {
        self.events_after(0)
    }

    /// Waits until the journal of the running daemon says so.
    pub(crate) async fn journaled(&self, part: &str, times: usize) {
        self.journaled_after(0, part, times).await;
    }

    /// [`Place::journaled`], in the events after one of them.
    pub(crate) async fn journaled_after(&self, seq: u64, part: &str, times: usize) {
        let waiting = async {
            while self.events_after(seq).matches(part).count() < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(LIMIT, waiting).await;
        waited.unwrap_or_else(|_| panic!("never {part} {times} times:\n{}", self.events_after(seq)));
    }

    /// A board of 24 locks and a scanner, in this process.
    pub(crate) fn hardware(&self) -> Bench {
        let mut bench = Bench::default();
        bench.lines.insert("locks".to_owned(), line(&self.path("locks")));
        // A whole code at once: on a busy machine, a pause between two bytes would be the end of a code.
        let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, BAUD, Grain::Frames);
        let scanner = Port::spawn(scanner, &self.path("scanner")).unwrap();
        bench.scanners.insert("scanner".to_owned(), scanner);
        bench
    }
}

fn line(path: &Path) -> Port<Line> {
    let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, Board(1), 24), 1);
    Port::spawn(Line::new(vec![board], BAUD, Grain::Bytes, 1), path).unwrap()
}

fn member(id: &str, role: StaffRole, badge: &str) -> StaffMember {
    let cheap = Params::new(8, 1, 1, None).unwrap();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
    let pin = argon.hash_password_with_salt(PIN.as_bytes(), b"salt-for-tests");
    StaffMember {
        id: id.parse().unwrap(),
        roles: vec![role],
        badge: Some(Digest::of(badge.as_bytes())),
        pin: pin.unwrap().to_string(),
        expires: FAR_AHEAD,
    }
}
