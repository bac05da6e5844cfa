//! `lockerd commission` as a program, against simulated boards on pseudo-terminals: a hand closes what springs open, and says which
//! door it was.
#![allow(clippy::unwrap_used)]

#[path = "../enrolled/mod.rs"]
mod enrolled;
mod renewed;
mod search;
mod typed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Grain, Hand, Line, Port, SimulatedBoard};
use lockerd::settings::Settings;
use office_protocol::event::Size;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(120);
const LOCKS: u8 = 4;

fn lockerd(arguments: &[&str], config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockerd"));
    command
        .args(arguments)
        .arg("--config")
        .arg(config)
        .env("RUST_LOG", "off");
    command
}

async fn run(arguments: &[&str], config: &Path) -> Output {
    let running = lockerd(arguments, config).output();
    tokio::time::timeout(LIMIT, running).await.unwrap().unwrap()
}

/// An enrolled cabinet whose settings know a port and nothing else.
fn cabinet(directory: &Path, port: &Path) -> PathBuf {
    let secrets = enrolled::enrol(directory);
    let settings = format!(
        "# The cabinet at the gate\n[cabinet]\nsecrets = {secrets:?}\n[journal]\ndirectory = {:?}\n[office]\nhost = \"127.0.0.1\"\n\
         port = 1883\ntls = false\n[clock]\ntrust = \"always\" # a GPS receiver\n[[lock-port]]\nname = \"locks\"\npath = {port:?}\n\
         family = \"wkly\"\n",
        directory.join("data"),
    );
    let path = directory.join("lockerd.toml");
    std::fs::write(&path, settings).unwrap();
    path
}

/// What the walk came to.
#[derive(Default)]
struct Walked {
    /// All that was said.
    said: Vec<Value>,
    /// Its last line.
    report: Value,
    /// How often it asked which door has opened.
    asked: usize,
    /// How often it asked how large the doors are.
    sizes: usize,
    /// How often it asked which are out of reach.
    unreachable: usize,
    /// How often it asked what a port is to speak.
    ports: usize,
    code: Option<i32>,
    stderr: String,
}

/// A technician at a cabinet with one board.
struct Technician<'a> {
    config: &'a Path,
    line: &'a Port<Line>,
    board: Board,
    /// Which number is on the door of a channel.
    doors: BTreeMap<u8, u16>,
    /// What is answered when it asks whether what a port was found to speak is to be written.
    port: &'a [&'a str],
    /// How many locks are wired, where that is fewer than the board speaks of.
    locks: Option<u8>,
}

impl<'a> Technician<'a> {
    /// At a board whose channels are wired to doors of the same numbers.
    fn new(config: &'a Path, line: &'a Port<Line>, board: Board) -> Self {
        Self {
            config,
            line,
            board,
            doors: (1..=LOCKS).map(|door| (door, door.into())).collect(),
            port: &["y"],
            locks: None,
        }
    }

    async fn walk(&self, extra: &[&str]) -> Walked {
        let mut child = lockerd(&[&["commission", "--json"], extra].concat(), self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut walked = Walked::default();
        let mut open = None;
        while let Some(line) = tokio::time::timeout(LIMIT, lines.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            let said: Value = serde_json::from_str(&line).unwrap();
            let answer = match said["ask"].as_str() {
                Some("which-door") => {
                    let channel = u8::try_from(said["wiring"]["channel"].as_u64().unwrap()).unwrap();
                    walked.asked += 1;
                    open = Some(channel);
                    self.doors[&channel].to_string()
                }
                Some("locks") => self
                    .locks
                    .map_or(said["most"].to_string(), |locks| locks.to_string()),
                Some("sizes") => {
                    assert_eq!((&said["first"], &said["last"]), (&1.into(), &4.into()));
                    walked.sizes += 1;
                    let all = ["1-2 small, 4 large", "1-2 small, 3 medium, 4 large"]; // the first forgets a door
                    all[walked.sizes - 1].to_owned()
                }
                Some("unreachable") => {
                    walked.unreachable += 1;
                    let all = ["4-5", "1、3-3"]; // there is no door 5
                    all[walked.unreachable - 1].to_owned()
                }
                Some("port") => {
                    walked.ports += 1;
                    self.port[walked.ports - 1].to_owned()
                }
                Some("close") => {
                    let channel = Channel::new(open.take().unwrap()).unwrap();
                    assert!(self.line.hand(self.board, channel, Hand::Close).await.unwrap());
                    String::new()
                }
                Some(other) => panic!("asked {other}: {line}"),
                None => String::new(),
            };
            if !answer.is_empty() {
                let _with_yes_nobody_reads = input.write_all(format!("{answer}\n").as_bytes()).await;
            }
            if said.get("report").is_some() {
                walked.report = said.clone();
            }
            walked.said.push(said);
        }
        let ended = child.wait_with_output().await.unwrap();
        walked.code = ended.status.code();
        walked.stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        walked
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_wiring_and_polarity_are_found_written_and_signed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    let mut board = BoardSettings::new(Family::Wkly, Board(0), 2 * LOCKS); // half of them are not wired
    board.inverted = 0b1000; // the switch of channel 4 is of the other kind
    let baud = Family::Wkly.profile().baud.unwrap_or(9600);
    let port = Port::spawn(
        Line::new(vec![SimulatedBoard::new(board, 1)], baud, Grain::Bytes, 1),
        &path,
    )
    .unwrap();
    let before = std::fs::read_to_string(&config).unwrap();

    // Channels 1 and 2 are crossed.
    let mut technician = Technician::new(&config, &port, Board(0));
    technician.doors.extend([(1, 2), (2, 1)]);
    technician.locks = Some(LOCKS);
    let walked = technician.walk(&[]).await;
    assert_eq!((walked.code, walked.asked), (Some(0), 4), "{}", walked.report);
    assert_eq!(walked.report["unproven"], serde_json::json!([]));

    let after = std::fs::read_to_string(&config).unwrap();
    assert!(
        after.starts_with(before.trim_end()),
        "the rest stays as it was:\n{after}"
    );
    let settings = Settings::load(&config).unwrap();
    let wired: Vec<(u16, u8, bool)> = settings
        .compartments
        .iter()
        .map(|place| {
            (
                place.id.0,
                place.wiring.unwrap().channel,
                place.wiring.unwrap().inverted,
            )
        })
        .collect();
    assert_eq!(wired, [(1, 2, false), (2, 1, false), (3, 3, false), (4, 4, true)]);
    let sizes: Vec<Size> = settings.compartments.iter().map(|place| place.size).collect();
    assert_eq!(sizes, [Size::Small, Size::Small, Size::Medium, Size::Large]);
    let reachable: Vec<bool> = settings
        .compartments
        .iter()
        .map(|place| place.reachable)
        .collect();
    assert_eq!(
        (walked.unreachable, &reachable[..]),
        (2, &[false, true, false, true][..])
    );
    let checked = run(&["check"], &config).await;
    assert!(!String::from_utf8_lossy(&checked.stdout).contains("not proven"));

    let report = walked.report["report"].as_str().unwrap();
    let verified = run(&["commission", "verify", report], &config).await;
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(
        verified.status.success() && text.contains("door 4: board 1 channel 4, inverted: proven"),
        "{text}"
    );
    let forged = std::fs::read_to_string(report)
        .unwrap()
        .replace("door 4", "door 5");
    let file = directory.path().join("forged.txt");
    std::fs::write(&file, forged).unwrap();
    let verified = run(&["commission", "verify", file.to_str().unwrap()], &config).await;
    assert_eq!(verified.status.code(), Some(1));

    // Nothing is left to prove, until a board is replaced.
    let again = technician.walk(&[]).await;
    assert_eq!((again.code, again.asked), (Some(0), 0));
    let replaced = run(&["commission", "replace-board", "--board", "1"], &config).await;
    assert!(replaced.status.success(), "{replaced:?}");
    let checked = run(&["check"], &config).await;
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.contains("not proven, nothing is put in there: 1, 2, 3, 4"),
        "{checked}"
    );
    let anew = technician.walk(&["--no-scan"]).await;
    assert_eq!((anew.code, anew.asked), (Some(0), 4));
    assert_eq!(port.view().await.unwrap().pulses, 8, "one pulse for each proof");
}

/// Types all of this at once.
async fn typed(arguments: &[&str], config: &Path, lines: &str) -> Output {
    let mut command = lockerd(arguments, config);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let ended = async move {
        let _may_end_before = input.write_all(lines.as_bytes()).await;
        drop(input); // nothing more is typed
        child.wait_with_output().await.unwrap()
    };
    tokio::time::timeout(LIMIT, ended).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_badge_and_a_pin_let_a_technician_in_who_answers_plain_questions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    enrolled::name_staff(&directory.path().join("data"));
    let board = SimulatedBoard::new(BoardSettings::new(Family::Wkly, Board(0), LOCKS), 1);
    let baud = Family::Wkly.profile().baud.unwrap_or(9600);
    let port = Port::spawn(Line::new(vec![board], baud, Grain::Bytes, 1), &path).unwrap();

    let unsaid = run(&["commission", "--yes", "--patience", "20"], &config).await;
    let said = String::from_utf8_lossy(&unsaid.stderr).into_owned();
    assert_eq!(unsaid.status.code(), Some(64), "{said}");
    assert!(said.contains("--size \"1-4 small\""), "{said}");

    for wrong in ["BADGE-T\n4712\n", "BADGE-C\n4711\n", "BADGE-X\n4711\n"] {
        let refused = typed(
            &[
                "commission",
                "--locks",
                "4",
                "--size",
                "medium",
                "--unreachable",
                "2",
                "--patience",
                "20",
            ],
            &config,
            wrong,
        )
        .await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(77), "{wrong}: {said}");
        assert!(
            said.contains("维护员工作证") && said.contains("nothing was opened"),
            "{said}"
        );
    }
    let ended = typed(&["commission", "--no-scan"], &config, "BADGE-T\n").await;
    assert_eq!(ended.status.code(), Some(64), "no PIN comes any more");
    assert_eq!(port.view().await.unwrap().pulses, 0);

    let mut command = lockerd(&["commission", "--no-scan"], &config);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"BADGE-T\n4711\n").await.unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut said, mut wrong) = (String::new(), vec!["", "99"]);
    while let Some(line) = tokio::time::timeout(LIMIT, lines.next_line())
        .await
        .unwrap()
        .unwrap()
    {
        if line.contains("which door has opened?") {
            // The settings' own number is to be typed as well: nothing is no number.
            let theirs = line
                .rsplit_once("settings say ")
                .unwrap()
                .1
                .trim_end_matches(']')
                .to_owned();
            let answer = wrong.pop().map_or(theirs, str::to_owned) + "\n";
            input.write_all(answer.as_bytes()).await.unwrap();
        } else if let Some(door) = line.strip_prefix("close door ") {
            // Somebody presses Enter, or a number, too early.
            input.write_all(b"\n3\n").await.unwrap();
            let channel = Channel::new(door.parse().unwrap()).unwrap();
            assert!(port.hand(Board(0), channel, Hand::Close).await.unwrap());
        }
        said += &line;
        said.push('\n');
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(0), "{said}");
    for part in [
        "关好所有柜门",
        "\"99\" is no door",
        "\"\" is no door",
        "what was typed before this question does not count",
        "4 of 4 proven",
        "signed, and kept as",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let settings = Settings::load(&config).unwrap();
    assert!(
        settings
            .compartments
            .iter()
            .all(|place| place.size == Size::Medium && place.reachable == (place.id.0 != 2))
    );
    let journal = run(&["journal", "export"], &config).await;
    let journal = String::from_utf8_lossy(&journal.stdout).into_owned();
    assert_eq!(journal.matches("locker.channel-proven").count(), 4);
    assert!(
        journal.contains("\"staff\":\"T-1\"") && !journal.contains("on-site"),
        "{journal}"
    );
}
