//! `hardware check` at a serial port: a person closes doors as the terminal asks, a command switches the power.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, Port, SimulatedBoard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const LIMIT: Duration = Duration::from_secs(120);
const BOARD: Board = Board(1);

fn settings(directory: &Path) -> String {
    let port = directory.join("board");
    // A command that waits until what it asks for has been done.
    let switch = |name: &str| {
        let file = directory.join(name);
        format!("touch {0}; while [ -e {0} ]; do sleep 0.01; done", file.display())
    };
    format!(
        "name = \"a person's bench\"\n[port]\npath = {:?}\nfamily = \"8a80-shuoming\"\nrs485 = true\n\
         [board]\naddress = 1\nchannels = 8\nlocks = [1, 2]\ncool-down-ms = 0\n\
         [checks]\ntimed-reads = 5\nendurance-reads = 5\n\
         [commands]\npower-off = {:?}\npower-on = {:?}\n",
        port,
        switch("off"),
        switch("on")
    )
}

/// Does what the commands ask for.
async fn power(directory: &Path, port: &Port<Line>) {
    loop {
        for (name, down) in [
            ("off", Duration::from_secs(600)),
            ("on", Duration::from_millis(100)),
        ] {
            let file = directory.join(name);
            if file.exists() {
                let fault = BoardFault::Rebooting(down);
                assert!(port.board_fault(BOARD, fault).await.unwrap());
                std::fs::remove_file(file).unwrap();
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Does what the terminal asks for, until the command ends; returns all that it said.
async fn person(child: &mut Child, port: &Port<Line>) -> String {
    let (mut asked, mut typed) = (child.stderr.take().unwrap(), child.stdin.take().unwrap());
    let (mut all, mut done) = (String::new(), 0);
    let mut buffer = [0; 1024];
    loop {
        let count = asked.read(&mut buffer).await.unwrap();
        if count == 0 {
            return all;
        }
        all.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let Some(end) = all[done..].find("cannot be done: ") else {
            continue;
        };
        let (_, rest) = all[done..].split_once("close door ").unwrap();
        let lock = rest.split(',').next().unwrap().parse().unwrap();
        assert!(
            port.hand(BOARD, Channel::new(lock).unwrap(), Hand::Close)
                .await
                .unwrap()
        );
        done += end + "cannot be done: ".len();
        typed.write_all(b"\n").await.unwrap();
    }
}

#[tokio::test]
async fn a_person_and_a_command_see_a_board_through_all_checks() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let board = SimulatedBoard::new(BoardSettings::new(Family::Shuoming, BOARD, 8), 1);
    let port = Port::spawn(
        Line::new(vec![board], 9600, Grain::Bytes, 1),
        &place.join("board"),
    )
    .unwrap();
    std::fs::write(place.join("bench.toml"), settings(place)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hardware"))
        .args(["check", "--json", "--report"])
        .args([place.join("report.md"), place.join("bench.toml")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let all = tokio::select! {
        all = timeout(LIMIT, person(&mut child, &port)) => all.unwrap(),
        () = power(place, &port) => unreachable!("it goes on for ever"),
    };
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{all}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(
        checks.len() == 8 && checks.iter().all(|check| check["verdict"] == "passed"),
        "{report}"
    );
    let text = std::fs::read_to_string(place.join("report.md")).unwrap();
    assert!(text.starts_with("# 锁控板检测报告: a person's bench"), "{text}");
}

#[tokio::test]
async fn mistakes_have_their_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bench.toml");
    let run = async |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardware"));
        let output = command
            .arg("check")
            .args(arguments)
            .arg(&file)
            .output()
            .await
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(run(&["--only", "everything"]).await.0, Some(64));
    assert_eq!(run(&[]).await.0, Some(78), "there is no such file");
    std::fs::write(&file, settings(directory.path())).unwrap();
    let (code, said) = run(&["--unattended", "--only", "read"]).await;
    assert_eq!(
        code,
        Some(75),
        "the port is not there, so nothing was done: {said}"
    );
}
