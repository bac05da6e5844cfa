//! `hardware emulate` as a program, at one end of a cable between two pseudo-terminals.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hardware::Terminal;

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hardware-emulate-{name}-{}", std::process::id()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_at_the_other_end_of_the_cable_meets_a_board() {
    let path = directory("board").join("cable");
    let cable = Arc::new(Terminal::open(&path).unwrap());
    let mut program = Command::new(env!("CARGO_BIN_EXE_hardware"));
    program.args([
        "emulate",
        "--family",
        "winnsen",
        "--address",
        "1",
        "--locks",
        "8",
        "--port",
    ]);
    let mut board = program
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(board.stdout.take().unwrap()).lines();
    let begun = said.next().unwrap().unwrap();
    assert!(begun.contains("winnsen at 9600 baud"), "{begun}");
    let hears = async |count: usize| {
        let mut heard = Vec::new();
        let mut buffer = [0; 64];
        while heard.len() < count {
            let read = tokio::time::timeout(Duration::from_secs(10), cable.read(&mut buffer));
            let read = read.await.unwrap().unwrap();
            heard.extend_from_slice(&buffer[..read]);
        }
        heard
    };
    cable.write(&[0x90, 0x06, 0x12, 0x01, 0x05, 0x03]);
    assert_eq!(
        hears(7).await,
        [0x90, 0x07, 0x92, 0x01, 0x00, 0x05, 0x03],
        "closed"
    );
    cable.write(&[0x90, 0x06, 0x05, 0x01, 0x05, 0x03]);
    assert_eq!(
        hears(7).await,
        [0x90, 0x07, 0x85, 0x01, 0x05, 0x01, 0x03],
        "after the pulse"
    );
    cable.write(&[0x90, 0x06, 0x12, 0x01, 0x05, 0x03]);
    assert_eq!(hears(7).await, [0x90, 0x07, 0x92, 0x01, 0x01, 0x05, 0x03], "open");
    let typed = board.stdin.as_mut().unwrap();
    writeln!(typed, "hand line 1 5 close\nlook line 1 5").unwrap();
    assert_eq!(said.next().unwrap().unwrap(), "done");
    assert_eq!(said.next().unwrap().unwrap(), "closed empty pulses 1");
    board.kill().unwrap();
    board.wait().unwrap();
}

#[test]
fn what_cannot_be_played_is_said() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hardware"))
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let board = |more: &[&str]| run(&[&["emulate", "--port", "/nowhere", "--address", "1"], more].concat());
    let (code, said) = board(&["--family", "wkly"]);
    assert!(code == 66 && said.contains("/nowhere"), "{code} {said}");
    let (code, said) = board(&["--family", "dongcheng"]);
    assert!(code == 64 && said.contains("--baud"), "{code} {said}");
    let (code, said) = board(&["--family", "winnsen", "--locks", "24"]);
    assert!(code == 64 && said.contains("1 to 16 locks"), "{code} {said}");
    assert_eq!(board(&["--family", "9B"]).0, 64);
}
