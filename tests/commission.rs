//! `lockerd commission` as a program, against simulated boards on pseudo-terminals: a hand closes what springs open, and says which
//! door it was.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Grain, Hand, Line, Port, SimulatedBoard};
use lockerd::settings::Settings;
use office_protocol::enrolment::Bundle;
use office_protocol::sealed::OpeningKey;
use office_protocol::{CabinetId, CompartmentId, KeySet, OfficeKey, Purpose, Signed, SigningKey};
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
    let id: CabinetId = "PORT-7".parse().unwrap();
    let (root, office) = (
        SigningKey::from_secret(&[1; 32]),
        SigningKey::from_secret(&[2; 32]),
    );
    let keys = KeySet {
        version: 1,
        keys: vec![OfficeKey {
            key: office.verifying_key(),
            purposes: vec![Purpose::Document, Purpose::Position],
        }],
        sealing: vec![OpeningKey::from_secret(&[9; 32]).unwrap().sealing_key().clone()],
    };
    let keys = Signed::new(&root, Purpose::KeySet, &id, serde_json::to_vec(&keys).unwrap());
    let bundle = Bundle {
        cabinet: id,
        root: root.verifying_key(),
        keys: String::from_utf8(keys.to_file()).unwrap(),
        ca: String::new(),
        certificate: String::new(),
        key: None,
    };
    let secrets = directory.join("secrets");
    lockerd::secrets::identity(&secrets).unwrap();
    let given = directory.join("bundle.json");
    std::fs::write(&given, serde_json::to_vec(&bundle).unwrap()).unwrap();
    lockerd::secrets::enrol(&secrets, &given).unwrap();
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

/// What the walk came to: its last line, and how often it asked.
struct Walked {
    report: Value,
    asked: usize,
    code: Option<i32>,
}

/// A technician at the cabinet: `doors` says which number is on the door of a channel.
async fn walk(config: &Path, port: &Port<Line>, doors: &BTreeMap<u8, u16>, extra: &[&str]) -> Walked {
    let mut child = lockerd(&[&["commission", "--json"], extra].concat(), config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut walked = Walked {
        report: Value::Null,
        asked: 0,
        code: None,
    };
    let mut open = None;
    while let Some(line) = tokio::time::timeout(LIMIT, lines.next_line())
        .await
        .unwrap()
        .unwrap()
    {
        let said: Value = serde_json::from_str(&line).unwrap();
        match said["ask"].as_str() {
            Some("which-door") => {
                let channel = u8::try_from(said["wiring"]["channel"].as_u64().unwrap()).unwrap();
                walked.asked += 1;
                open = Some(channel);
                input
                    .write_all(format!("{}\n", doors[&channel]).as_bytes())
                    .await
                    .unwrap();
            }
            Some("close") => {
                let channel = Channel::new(open.take().unwrap()).unwrap();
                assert!(port.hand(Board(0), channel, Hand::Close).await.unwrap());
            }
            Some(other) => panic!("asked {other}: {line}"),
            None if said.get("report").is_some() => walked.report = said,
            None => {}
        }
    }
    walked.code = child.wait().await.unwrap().code();
    walked
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_wiring_and_polarity_are_found_written_and_signed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    let mut board = BoardSettings::new(Family::Wkly, Board(0), LOCKS);
    board.inverted = 0b1000; // the switch of channel 4 is of the other kind
    let baud = Family::Wkly.profile().baud.unwrap_or(9600);
    let port = Port::spawn(
        Line::new(vec![SimulatedBoard::new(board, 1)], baud, Grain::Bytes, 1),
        &path,
    )
    .unwrap();
    let before = std::fs::read_to_string(&config).unwrap();

    // Channels 1 and 2 are crossed.
    let doors = BTreeMap::from([(1, 2), (2, 1), (3, 3), (4, 4)]);
    let walked = walk(&config, &port, &doors, &[]).await;
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
    assert_eq!(settings.compartments[0].id, CompartmentId(1));
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
    let again = walk(&config, &port, &doors, &[]).await;
    assert_eq!((again.code, again.asked), (Some(0), 0));
    let replaced = run(&["commission", "replace-board", "--board", "1"], &config).await;
    assert!(replaced.status.success(), "{replaced:?}");
    let checked = run(&["check"], &config).await;
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.contains("not proven, nothing is put in there: 1, 2, 3, 4"),
        "{checked}"
    );
    let anew = walk(&config, &port, &doors, &["--no-scan"]).await;
    assert_eq!((anew.code, anew.asked), (Some(0), 4));
    assert_eq!(port.view().await.unwrap().pulses, 8, "one pulse for each proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_of_another_family_than_the_settings_say_are_named_with_what_to_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    let text = std::fs::read_to_string(&config).unwrap();
    let other = text.replace("family = \"wkly\"", "family = \"kerong-cu16\"");
    std::fs::write(&config, &other).unwrap();
    let board = SimulatedBoard::new(BoardSettings::new(Family::Wkly, Board(0), LOCKS), 1);
    let baud = Family::Wkly.profile().baud.unwrap_or(9600);
    let _port = Port::spawn(Line::new(vec![board], baud, Grain::Bytes, 1), &path).unwrap();

    let looked = run(&["commission", "--json", "--patience", "20"], &config).await;
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(
        said.contains("boards answer as family = \\\"wkly\\\""),
        "{said}{}",
        String::from_utf8_lossy(&looked.stderr)
    );
    assert_eq!(std::fs::read_to_string(&config).unwrap(), other);
}
