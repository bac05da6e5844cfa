//! A secure board's key, from the first installation to a replacement, with the real command and the real daemon.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Ending, Grain, Hand, Line, Port, SimulatedBoard, SimulatedScanner};
use lockerd::cabinet::screen::Action;
use office_protocol::BoardId;
use rehearsal::secrecy::Search;

use crate::page::Page;
use crate::place::{LIMIT, PROGRAM, Place, TECHNICIAN};

const BOARD: Board = Board(1);
const BAUD: u32 = 115_200;
/// Thirty-two bytes of 07, as a label has them.
const SECRET: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn line(place: &Place) -> Port<Line> {
    let settings = BoardSettings::new(Family::LockerdSecure, BOARD, 24);
    let board = SimulatedBoard::new(settings, 1).secured(Key::new([7; 32]), *b"SERIAL01", Keys::default());
    let line = Line::new(vec![board], BAUD, Grain::Bytes, 1);
    Port::spawn(line, &place.path("locks")).unwrap()
}

async fn key_of(port: &Port<Line>) -> Option<String> {
    let kept = port.with(|line, _, _| line.board(BOARD).and_then(|board| board.keys().cloned()));
    kept.await
        .unwrap()
        .and_then(|keys| keys.current)
        .map(|key| key.id().to_string())
}

async fn bus(place: &Arc<Place>, verb: &str, label: &str) -> Output {
    run(place, &["bus", verb, "--board", "1"], label).await
}

async fn run(place: &Arc<Place>, arguments: &[&str], label: &str) -> Output {
    let (place, label) = (Arc::clone(place), format!("{label}\n"));
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let run = move || {
        let mut command = Command::new(&place.program[0]);
        command.args(&place.program[1..]).args(arguments);
        command.arg("--config").arg(place.config());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(label.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_installed_with_the_button_used_by_the_daemon_and_replaced() {
    let place = Arc::new(Place::enrolled());
    place.set("family = \"8a80-shuoming\"", "family = \"lockerd-secure\"");
    place.set("baud = 9600", "baud = 115200");
    let port = line(&place);
    let label = format!("LB1:53455249414c3031:{SECRET}");

    let refused = bus(&place, "replace-key", "").await;
    assert_eq!(refused.status.code(), Some(65), "no key yet: {refused:?}");
    let refused = bus(&place, "install-key", "LB1:nonsense").await;
    assert_eq!(refused.status.code(), Some(65), "no label: {refused:?}");
    assert!(
        !String::from_utf8_lossy(&refused.stderr).contains("nonsense"),
        "never repeated"
    );

    port.button(BOARD, true).await.unwrap();
    let installed = bus(&place, "install-key", &label).await;
    assert!(installed.status.success(), "{installed:?}");
    port.button(BOARD, false).await.unwrap();
    let first = key_of(&port).await.unwrap();
    assert!(
        String::from_utf8_lossy(&installed.stdout).contains(&first),
        "{installed:?}"
    );
    for event in [
        format!("\"locker.board-key-agreed\",\"data\":{{\"board\":1,\"key\":\"{first}\",\"by\":\"label\"}}"),
        format!("\"locker.board-key-installed\",\"data\":{{\"board\":1,\"key\":\"{first}\"}}"),
    ] {
        assert!(place.events().contains(&event), "{}", place.events());
    }

    let door: &[&str] = &["bus", "send", "read", "5"];
    let read = run(&place, door, "").await;
    assert_eq!(
        String::from_utf8_lossy(&read.stdout),
        "compartment 5: closed\n",
        "{read:?}"
    );

    let mut processes = place.processes();
    let daemon = place.run(&mut processes).await;
    let seq = place.last_seq();
    port.hand(BOARD, Channel::new(5).unwrap(), Hand::Force)
        .await
        .unwrap();
    place.journaled_after(seq, "locker.door-", 1).await;
    let refused = bus(&place, "replace-key", "").await;
    assert_eq!(refused.status.code(), Some(75), "the daemon runs: {refused:?}");
    processes.end(daemon, LIMIT).await.unwrap();

    // What an attempt that broke off has left: a newer key that the board never had.
    let secrets = place.path("secrets");
    let kept = lockerd::secrets::board_keys(&secrets, [BoardId(1)]).unwrap();
    let stale = Keys {
        next: Some(Key::new([9; 32])),
        ..kept[&BoardId(1)].clone()
    };
    lockerd::secrets::keep_board_keys(&secrets, BoardId(1), &stale).unwrap();
    let replaced = bus(&place, "replace-key", "").await;
    assert!(replaced.status.success(), "{replaced:?}");
    let second = key_of(&port).await.unwrap();
    assert_ne!(first, second);
    place
        .journaled(&format!("\"key\":\"{second}\",\"by\":\"replacement\""), 1)
        .await;
    assert!(!place.events().contains("board-lost"), "{}", place.events());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_installed_at_the_screen_while_the_daemon_runs_and_the_labels_secret_stays_nowhere() {
    let talkative = ["env", "RUST_LOG=trace", PROGRAM, "lockerd"].map(OsString::from);
    let place = Place::of(tempfile::tempdir().unwrap(), talkative.into());
    place.enrol();
    place.set("family = \"8a80-shuoming\"", "family = \"lockerd-secure\"");
    place.set("baud = 9600", "baud = 115200");
    let port = line(&place);
    let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, 9600, Grain::Frames);
    let scanner = Port::spawn(scanner, &place.path("scanner")).unwrap();
    let said = Arc::new(Mutex::new(String::new()));
    let mut processes = place.processes_into({
        let said = Arc::clone(&said);
        Arc::new(move |_, line: &str| said.lock().unwrap().push_str(line))
    });
    let daemon = place.run(&mut processes).await;
    place.journaled("locker.board-lost", 1).await;

    let mut page = Page::open(place.kiosk);
    scanner.scan(TECHNICIAN).await.unwrap();
    page.admit().await;
    page.tap_to(Action::ShowCommissioning, "安装密钥").await;
    let board = BoardId(1);
    page.tap_to(Action::InstallKey { board }, "请扫描锁控板 1 上的标签")
        .await;
    scanner
        .scan(format!("LB1:53455249414c3031:{SECRET}"))
        .await
        .unwrap();
    let shown = page.shows("请按住锁控板 1 上的按钮").await;
    assert!(!shown.html.contains(SECRET));
    port.button(BOARD, true).await.unwrap();
    let shown = page.shows("锁控板 1 已启用新密钥").await;
    assert!(!shown.html.contains(SECRET));
    port.button(BOARD, false).await.unwrap();
    let key = key_of(&port).await.unwrap();
    let events = place.events();
    let agreed = events.find(&format!("\"key\":\"{key}\",\"by\":\"label\""));
    let installed = events.find(&format!(
        "\"locker.board-key-installed\",\"data\":{{\"board\":1,\"key\":\"{key}\"}}"
    ));
    assert!(agreed.is_some() && agreed < installed, "{events}");
    place.journaled("locker.board-found", 1).await;
    port.hand(BOARD, Channel::new(5).unwrap(), Hand::Force)
        .await
        .unwrap();
    place.journaled("locker.door-forced", 1).await;

    // After a restart the key counts still, and the file has no other.
    processes.end(daemon, LIMIT).await.unwrap();
    let kept = std::fs::read_to_string(place.path("secrets/board-1.key")).unwrap();
    assert!(kept.starts_with("current ") && kept.lines().count() == 1);
    let seq = place.last_seq();
    place.run(&mut processes).await;
    port.hand(BOARD, Channel::new(6).unwrap(), Hand::Force)
        .await
        .unwrap();
    place.journaled_after(seq, "locker.door-", 1).await;
    assert!(!place.events_after(seq).contains("board-lost"));

    let mut search = Search::default();
    search.bytes("the label's secret", &[7; 32], None);
    search
        .keys_kept_in("the board's key", &place.path("secrets/board-1.key"))
        .unwrap();
    search
        .keys_kept_in("the cabinet's key", &place.path("secrets/identity.key"))
        .unwrap();
    assert_eq!(search.count(), 3);
    let (looked, leaks) = search.below(place.directory.path()).unwrap();
    assert!(looked > 10 && leaks.is_empty(), "{leaks:?}");
    let said = said.lock().unwrap().clone();
    assert!(
        said.contains("started") && !said.contains("LB1:") && said.contains("TRACE"),
        "{said}"
    );
    assert_eq!(search.in_bytes(said.as_bytes(), "the log"), []);
}
