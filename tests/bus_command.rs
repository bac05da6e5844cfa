//! `lockerd bus` and `hardware emulate` as programs, against simulated boards on pseudo-terminals.
#![allow(clippy::unwrap_used)]

mod enrolled;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Grain, Hand, Line, Port, SimulatedBoard, Terminal};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("bus-command-{name}-{}", std::process::id()));
    let _absent = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Runs `lockerd bus …` while the simulated devices go on.
async fn bus(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockerd"));
    command.arg("bus").args(arguments).env("RUST_LOG", "off");
    let input = input.to_owned();
    let running = tokio::task::spawn_blocking(move || {
        let pipes = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    tokio::time::timeout(LIMIT, running).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn line(family: Family, addresses: &[u8], locks: u8, path: &Path) -> Port<Line> {
    let board = |address: &u8| SimulatedBoard::new(BoardSettings::new(family, Board(*address), locks), 1);
    let boards = addresses.iter().map(board).collect();
    let baud = family.profile().baud.unwrap_or(9600);
    Port::spawn(Line::new(boards, baud, Grain::Bytes, 1), path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_finds_boards_their_family_and_their_size() {
    let directory = directory("scan");
    for (family, addresses, locks, told) in [
        (Family::Shuoming, &[1, 3][..], 24, Some(24)),
        (Family::Wkly, &[0], 12, Some(12)),
        (Family::Winnsen, &[2], 16, None),
        (Family::ModbusRelay, &[1], 8, Some(64)),
    ] {
        let path = directory.join(family.name());
        let place = path.to_str().unwrap();
        let port = line(family, addresses, locks, &path);
        let asked = [
            "scan",
            "--port",
            place,
            "--family",
            family.name(),
            "--addresses",
            "0-4",
            "--json",
        ];
        let output = bus(&asked, "").await;
        assert!(
            output.status.success(),
            "{}: {}",
            family.name(),
            text(&output.stderr)
        );
        let found: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let seen: Vec<u64> = found
            .iter()
            .map(|found| found["address"].as_u64().unwrap())
            .collect();
        assert_eq!(
            seen,
            addresses
                .iter()
                .map(|address| u64::from(*address))
                .collect::<Vec<_>>()
        );
        assert!(
            found.iter().all(|found| found["channels"].as_u64() == told),
            "{found:?}"
        );
        assert_eq!(port.view().await.unwrap().pulses, 0, "reads only");
    }
    let path = directory.join("others");
    let place = path.to_str().unwrap();
    let _port = line(Family::Shuoming, &[9], 8, &path);
    let none = bus(
        &[
            "scan",
            "--port",
            place,
            "--family",
            "8a80-shuoming",
            "--addresses",
            "1-2",
        ],
        "",
    )
    .await;
    assert_eq!(none.status.code(), Some(1));
    assert!(
        text(&none.stderr).contains("no board answers"),
        "{}",
        text(&none.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_and_ports_have_their_exit_codes() {
    let help = bus(&["--help"], "").await;
    assert!(help.status.success() && text(&help.stdout).contains("emulate"));
    assert_eq!(
        bus(&["scan", "--port", "/nowhere"], "").await.status.code(),
        Some(66)
    );
    let family = bus(&["scan", "--port", "/nowhere", "--family", "9B"], "").await;
    assert_eq!(family.status.code(), Some(64));
    assert!(
        text(&family.stderr).contains("kerong-cu16"),
        "{}",
        text(&family.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sniff_writes_down_what_others_say() {
    let path = directory("sniff").join("locks");
    let wire = Terminal::open(&path).unwrap();
    let place = path.to_str().unwrap();
    let asked = [
        "sniff",
        "--port",
        place,
        "--count",
        "2",
        "--seconds",
        "50",
        "--json",
    ];
    let sniffing = bus(&asked, "");
    let talking = async {
        loop {
            // KERONG CU16: the state is asked for and told.
            wire.write(&[0x02, 0x00, 0x30, 0x03, 0x35]);
            wire.write(&[0x02, 0x00, 0x35, 0xFE, 0x7F, 0x03, 0x01, 0x03, 0xBB]);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let output = tokio::select! {
        output = sniffing => output,
        () = talking => unreachable!("never ends"),
    };
    assert!(output.status.success(), "{}", text(&output.stderr));
    let heard: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(heard.len(), 2, "{heard:?}");
    let answer = heard.iter().find(|heard| heard["kind"] == "answer").unwrap();
    assert_eq!(answer["family"], "kerong-cu16");
    assert_eq!(answer["says"], "board 0: 16 doors, open: 1,16, items in: 1,2,9");
    assert_eq!(answer["bytes"], "02 00 35 FE 7F 03 01 03 BB");
}

/// An enrolled cabinet with one WKLY board of four locks, a technician and a courier.
fn cabinet(directory: &Path, port: &Path) -> PathBuf {
    let (secrets, data) = (enrolled::enrol(directory), directory.join("data"));
    enrolled::name_staff(&data);
    let mut settings = format!(
        "[cabinet]\nsecrets = {secrets:?}\n[journal]\ndirectory = {:?}\n[office]\nhost = \"127.0.0.1\"\nport = 1883\ntls = false\n\
         [clock]\ntrust = \"always\"\n[[lock-port]]\nname = \"locks\"\npath = {port:?}\nfamily = \"wkly\"\n\
         [[board]]\nid = 1\nport = \"locks\"\naddress = 0\nchannels = 4\n",
        data,
    );
    for lock in 1..=4 {
        settings += &format!("[[compartment]]\nid = {lock}\nboard = 1\nchannel = {lock}\nsize = \"small\"\n");
    }
    let path = directory.join("lockerd.toml");
    std::fs::write(&path, settings).unwrap();
    path
}

fn journal(config: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockerd"));
    let output = command
        .args(["journal", "show", "--config"])
        .arg(config)
        .env("RUST_LOG", "off")
        .output();
    text(&output.unwrap().stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn send_opens_for_a_technician_and_the_journal_knows_before_the_lock() {
    let directory = directory("send");
    let path = directory.join("locks");
    let port = line(Family::Wkly, &[0], 4, &path);
    let config = cabinet(&directory, &path);
    let config_text = config.to_str().unwrap();
    let read = bus(&["send", "--config", config_text, "read", "2"], "").await;
    assert_eq!(
        text(&read.stdout),
        "compartment 2: closed\n",
        "{}",
        text(&read.stderr)
    );

    for (credentials, why) in [
        ("BADGE-C\n4711\n", "only a technician"),
        ("BADGE-T\n000000\n", "PIN is wrong"),
        ("nobody\n4711\n", "no staff's badge"),
        ("", "no badge or pass"),
    ] {
        let refused = bus(&["send", "--config", config_text, "unlock", "2"], credentials).await;
        assert!(
            matches!(refused.status.code(), Some(64 | 77)),
            "{}",
            text(&refused.stderr)
        );
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
    assert_eq!(port.view().await.unwrap().pulses, 0);
    assert!(
        !journal(&config).contains("unlock-begun"),
        "nothing that was refused began"
    );

    let asked = [
        "send",
        "--config",
        config_text,
        "--json",
        "unlock",
        "2",
        "--empty",
    ];
    let opening = bus(&asked, "BADGE-T\n4711\n");
    let closing = async {
        let end = Instant::now() + LIMIT;
        let channel = Channel::new(2).unwrap();
        while !journal(&config).contains("door-opened") {
            assert!(Instant::now() < end, "the door never opens");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(port.hand(Board(0), channel, Hand::Close).await.unwrap());
    };
    let (output, ()) = tokio::join!(opening, closing);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["opened"], &said["closed"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert_eq!(port.view().await.unwrap().pulses, 1);
    let told = journal(&config);
    let place = |word: &str| told.find(word).unwrap_or_else(|| panic!("{word} in\n{told}"));
    assert!(
        place("staff-admitted") < place("visit-granted") && place("visit-granted") < place("unlock-begun")
    );
    assert!(place("unlock-begun") < place("door-opened") && place("door-opened") < place("visit-settled"));
}
