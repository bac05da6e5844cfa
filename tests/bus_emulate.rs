//! `lockerd bus emulate`: boards played at one end of a cable, and `lockerd bus` as the controller at its other end.
#![allow(clippy::unwrap_used)]

mod enrolled;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use firmware_protocol::Family;
use firmware_protocol::secure::{Key, Keys};
use hardware::{Terminal, key_file};
use lockerd::secrets;
use office_protocol::BoardId;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const LOCKS: u8 = 4;

/// A cable between two pseudo-terminals, for as long as the test takes.
struct Cable {
    _kept: TempDir,
    directory: PathBuf,
    board: PathBuf,
    controller: PathBuf,
}

impl Cable {
    fn lay(baud: u32) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let directory = kept.path().to_owned();
        let (board, controller) = (directory.join("board"), directory.join("controller"));
        let ends = (
            Terminal::open(&board).unwrap(),
            Terminal::open(&controller).unwrap(),
        );
        tokio::spawn(async move {
            let (mut one, mut other) = ([0; 256], [0; 256]);
            // A byte takes its time on a wire: an answer from before its request is over is no answer.
            let passed = |bytes: usize| {
                let bits = 10 * u32::try_from(bytes).unwrap();
                tokio::time::sleep(Duration::from_secs(1) * bits / baud)
            };
            loop {
                tokio::select! {
                    read = ends.0.read(&mut one) => {
                        let bytes = read.unwrap();
                        passed(bytes).await;
                        ends.1.write(&one[..bytes]);
                    }
                    read = ends.1.read(&mut other) => {
                        let bytes = read.unwrap();
                        passed(bytes).await;
                        ends.0.write(&other[..bytes]);
                    }
                }
            }
        });
        Self {
            _kept: kept,
            directory,
            board,
            controller,
        }
    }

    /// A board at its end, as a person would type it.
    fn play(&self, arguments: &[&str]) -> Player {
        let player = Path::new(env!("CARGO_BIN_EXE_lockerd")).with_file_name("hardware");
        assert!(player.is_file(), "build it first: cargo build --workspace");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockerd"));
        command
            .args(["bus", "emulate", "--locks", "4", "--port"])
            .arg(&self.board);
        let pipes = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let (typed, said) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Player {
            child,
            typed,
            said: BufReader::new(said).lines(),
        }
    }

    /// What a search for boards at the controller's end finds.
    async fn scan(&self, arguments: &[&str]) -> Output {
        let port = self.controller.to_str().unwrap();
        lockerd(&[&["bus", "scan", "--port", port], arguments].concat(), "").await
    }

    /// An enrolled cabinet with one such board of four locks, and a technician.
    fn cabinet(&self, family: Family, address: u8) -> PathBuf {
        let secrets = enrolled::enrol(&self.directory);
        let data = self.directory.join("data");
        enrolled::name_staff(&data);
        let mut settings = format!(
            "[cabinet]\nsecrets = {secrets:?}\n[journal]\ndirectory = {data:?}\n[office]\nhost = \"127.0.0.1\"\nport = 1883\ntls = false\n\
             [clock]\ntrust = \"always\"\n[[lock-port]]\nname = \"locks\"\npath = {:?}\nfamily = \"{}\"\n\
             [[board]]\nid = 1\nport = \"locks\"\naddress = {address}\nchannels = {LOCKS}\n",
            self.controller,
            family.name(),
        );
        for lock in 1..=LOCKS {
            settings +=
                &format!("[[compartment]]\nid = {lock}\nboard = 1\nchannel = {lock}\nsize = \"small\"\n");
        }
        let path = self.directory.join("lockerd.toml");
        std::fs::write(&path, settings).unwrap();
        path
    }
}

struct Player {
    child: Child,
    typed: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Player {
    fn says(&mut self) -> String {
        self.said.next().unwrap().unwrap()
    }

    fn told(&mut self, line: &str) -> String {
        writeln!(self.typed, "{line}").unwrap();
        self.says()
    }
}

impl Drop for Player {
    /// As a power cut would.
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// `lockerd` as somebody would type it who is not the player.
async fn lockerd(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockerd"));
    command.args(arguments).env("RUST_LOG", "off");
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let running = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    tokio::time::timeout(LIMIT, running).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A technician opens compartment 2 and closes it again, by the hand of whoever plays.
async fn opens(player: &mut Player, config: &str, address: u8) {
    let asked = ["bus", "send", "--config", config, "unlock", "2", "--empty"];
    let mut opening = std::pin::pin!(lockerd(&asked, "BADGE-T\n4711\n"));
    // The controller has to see it open before it is closed.
    let seen_open = async {
        while !text(&lockerd(&["journal", "show", "--config", config], "").await.stdout)
            .contains("door-opened")
        {}
    };
    tokio::select! {
        output = &mut opening => panic!("{} {}", text(&output.stdout), text(&output.stderr)),
        () = seen_open => {}
    }
    assert_eq!(player.told(&format!("hand line {address} 2 close")), "done");
    let output = opening.await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        player.told(&format!("look line {address} 2")),
        "closed empty pulses 1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_is_played_is_found_and_opens() {
    let cable = Cable::lay(9_600);
    let mut player = cable.play(&["--family", "wkly", "--address", "3"]);
    let begun = player.says();
    assert!(begun.contains("wkly at 9600 baud"), "{begun}");
    let found = cable.scan(&["--family", "wkly", "--addresses", "0-4"]).await;
    assert_eq!(text(&found.stdout), "wkly, 9600 baud, address 3, up to 4 locks\n");
    let config = cable.cabinet(Family::Wkly, 3);
    opens(&mut player, config.to_str().unwrap(), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secure_board_that_is_played_opens_for_who_has_its_key_and_keeps_a_new_one() {
    let cable = Cable::lay(115_200);
    let config = cable.cabinet(Family::LockerdSecure, 5);
    let config = config.to_str().unwrap();
    let key = Keys::in_force(Key::new([7; 32]));
    secrets::keep_board_keys(&cable.directory.join("secrets"), BoardId(1), &key).unwrap();
    let kept = cable.directory.join("played.key");
    std::fs::copy(cable.directory.join("secrets/board-1.key"), &kept).unwrap();
    let played = ["--family", "lockerd-secure", "--address", "5", "--key-file"];
    let played = [&played[..], &[kept.to_str().unwrap()]].concat();
    let mut player = cable.play(&played);
    let id = key.current.unwrap().id();
    assert!(
        player
            .says()
            .starts_with(&format!("board 5: key {id}, label LB1:"))
    );
    assert!(player.says().contains("lockerd-secure at 115200 baud"));
    let found = text(
        &cable
            .scan(&["--addresses", "4-6", "--patience", "50"])
            .await
            .stdout,
    );
    let told = "lockerd-secure, 115200 baud, address 5, number 454d554c41544505: a secure board";
    assert!(found.starts_with(told) && found.lines().count() == 1, "{found}");
    opens(&mut player, config, 5).await;

    let replaced = lockerd(&["bus", "replace-key", "--config", config, "--board", "1"], "").await;
    assert!(replaced.status.success(), "{}", text(&replaced.stderr));
    let now = key_file::load(&kept).unwrap().current.unwrap().id();
    assert_ne!(now, id);
    assert!(text(&replaced.stdout).contains(&now.to_string()));
    drop(player);

    let mut player = cable.play(&played);
    assert!(player.says().starts_with(&format!("board 5: key {now}")), "kept");
    let read = lockerd(&["bus", "send", "--config", config, "read", "2"], "").await;
    assert_eq!(
        text(&read.stdout),
        "compartment 2: closed\n",
        "{}",
        text(&read.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_fresh_from_its_maker_gets_its_key_by_its_label_and_button() {
    let cable = Cable::lay(115_200);
    let config = cable.cabinet(Family::LockerdSecure, 5);
    let kept = cable.directory.join("played.key");
    let mut player = cable.play(&[
        "--family",
        "lockerd-secure",
        "--address",
        "5",
        "--key-file",
        kept.to_str().unwrap(),
    ]);
    let first = player.says();
    let label = first
        .strip_prefix("board 5: no key yet, label ")
        .unwrap()
        .to_owned();
    player.says();
    assert!(!kept.exists());
    let asked = ["--family", "lockerd-secure", "--addresses", "5", "--json"];
    let found: serde_json::Value = serde_json::from_slice(&cable.scan(&asked).await.stdout).unwrap();
    assert_eq!(
        (&found["address"], &found["serial"]),
        (&5.into(), &"454d554c41544505".into())
    );
    assert_eq!(player.told("button line 5 on"), "done");
    let config = config.to_str().unwrap();
    let asked = ["bus", "install-key", "--config", config, "--board", "1"];
    let installed = lockerd(&asked, &format!("{label}\n")).await;
    assert!(installed.status.success(), "{}", text(&installed.stderr));
    let id = key_file::load(&kept).unwrap().current.unwrap().id();
    assert!(text(&installed.stdout).contains(&id.to_string()));
    opens(&mut player, config, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_program_that_plays_it_is_said_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let alone = place.path().join("lockerd");
    std::fs::copy(env!("CARGO_BIN_EXE_lockerd"), &alone).unwrap();
    let emulate = |path: &Path| {
        let mut command = Command::new(&alone);
        let command = command.args(["bus", "emulate", "--help"]).env("PATH", path);
        command.output().unwrap()
    };
    let output = emulate(place.path());
    assert_eq!(output.status.code(), Some(69));
    let said = text(&output.stderr);
    assert!(
        said.contains("cargo build --release --package hardware"),
        "{said}"
    );
    // From PATH it is taken as well, with all that was typed.
    let beside = Path::new(env!("CARGO_BIN_EXE_lockerd")).parent().unwrap();
    let output = emulate(beside);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("--key-file"));
}
