//! `hardware emulate` as a program, at one end of a cable between two pseudo-terminals.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use hardware::Terminal;

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hardware-emulate-{name}-{}", std::process::id()))
}

/// A program that plays a board at one end of a cable; ends with it.
struct Player {
    cable: Terminal,
    program: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Player {
    fn new(name: &str, arguments: &[&str]) -> Self {
        let path = directory(name).join("cable");
        let cable = Terminal::open(&path).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_hardware"));
        program.args(["emulate", "--address", "1", "--locks", "8", "--port"]);
        let mut program = program
            .arg(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let begun = said.next().unwrap().unwrap();
        assert!(
            begun.contains(arguments[1]) && begun.contains("9600 baud"),
            "{begun}"
        );
        Self { cable, program, said }
    }

    async fn hears(&self, count: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        let mut buffer = [0; 64];
        while heard.len() < count {
            let read = tokio::time::timeout(Duration::from_secs(10), self.cable.read(&mut buffer));
            let read = read.await.unwrap().unwrap();
            heard.extend_from_slice(&buffer[..read]);
        }
        heard
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _gone = self.program.kill().and_then(|()| self.program.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_at_the_other_end_of_the_cable_meets_a_board() {
    let mut board = Player::new("board", &["--family", "winnsen"]);
    board.cable.write(&[0x90, 0x06, 0x12, 0x01, 0x05, 0x03]);
    assert_eq!(
        board.hears(7).await,
        [0x90, 0x07, 0x92, 0x01, 0x00, 0x05, 0x03],
        "closed"
    );
    board.cable.write(&[0x90, 0x06, 0x05, 0x01, 0x05, 0x03]);
    assert_eq!(
        board.hears(7).await,
        [0x90, 0x07, 0x85, 0x01, 0x05, 0x01, 0x03],
        "after the pulse"
    );
    board.cable.write(&[0x90, 0x06, 0x12, 0x01, 0x05, 0x03]);
    assert_eq!(
        board.hears(7).await,
        [0x90, 0x07, 0x92, 0x01, 0x01, 0x05, 0x03],
        "open"
    );
    let typed = board.program.stdin.as_mut().unwrap();
    writeln!(typed, "hand line 1 5 close\nlook line 1 5").unwrap();
    assert_eq!(board.said.next().unwrap().unwrap(), "done");
    assert_eq!(board.said.next().unwrap().unwrap(), "closed empty pulses 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_may_differ_from_most_of_its_family() {
    let board = Player::new("quirk", &["--family", "modbus-relay", "--quirk", "exceptional"]);
    board
        .cable
        .write(&[0x01, 0x02, 0x00, 0x00, 0x00, 0x10, 0x79, 0xC6]);
    assert_eq!(
        board.hears(5).await,
        [0x01, 0x82, 0x02, 0xC1, 0x61],
        "it has eight inputs"
    );
    board
        .cable
        .write(&[0x01, 0x02, 0x00, 0x00, 0x00, 0x08, 0x79, 0xCC]);
    assert_eq!(board.hears(6).await, [0x01, 0x02, 0x01, 0xFF, 0xE1, 0xC8]);
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
    let (code, said) = board(&["--family", "wkly", "--quirk", "short"]);
    assert!(code == 64 && said.contains("kerong-cu48"), "{code} {said}");
    let (code, said) = board(&["--family", "lockerd-secure"]);
    assert!(code == 64 && said.contains("one --key-file"), "{code} {said}");
    let (code, said) = board(&["--family", "wkly", "--key-file", "board-1.key"]);
    assert!(code == 64 && said.contains("no --key-file"), "{code} {said}");
    let (code, said) = board(&[
        "--family",
        "lockerd-secure",
        "--key-file",
        "/dev/zero/board-1.key",
    ]);
    assert!(code == 66, "{code} {said}");
    let (code, said) = board(&[
        "--family",
        "lockerd-secure",
        "--key-file",
        env!("CARGO_MANIFEST_PATH"),
    ]);
    assert!(
        code == 66 && said.contains("lockerd bus install-key"),
        "{code} {said}"
    );
}
