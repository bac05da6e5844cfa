//! What is typed at a terminal: a PIN or a label's secret is not shown there, and afterwards everything is shown again.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use firmware_protocol::Family;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::search::{line, with_board};
use crate::{LIMIT, cabinet, enrolled};

/// A program at a terminal of its own, as a person sees it.
struct Seen {
    child: Child,
    terminal: std::fs::File,
    /// The program's end, so that it is there still when the program has ended.
    theirs: OwnedFd,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl Seen {
    fn start(arguments: &[&str], config: &Path) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = || rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let end = || Stdio::from(open());
        let child = Command::new(env!("CARGO_BIN_EXE_lockerd"))
            .args(arguments)
            .arg("--config")
            .arg(config)
            .env("RUST_LOG", "off")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let terminal = std::fs::File::from(terminal);
        let mut reader = terminal.try_clone().unwrap();
        let (sender, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            terminal,
            theirs: open(),
            shown,
            text: String::new(),
        }
    }

    fn until(&mut self, words: &str) {
        let end = Instant::now() + LIMIT;
        while !self.text.contains(words) {
            let left = end.saturating_duration_since(Instant::now());
            let more = self.shown.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("{words:?} never came: {}", self.text));
            self.text += &String::from_utf8_lossy(&more);
        }
    }

    fn type_line(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// What it came to; all that was shown is in `text` then.
    fn end(&mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        // What it has shown comes before this.
        rustix::io::write(&self.theirs, b"\nended\n").unwrap();
        self.until("\nended");
        code
    }

    /// Whether what is typed is shown.
    fn echoes(&self) -> bool {
        tcgetattr(&self.theirs)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let _ended_by_itself = self.child.kill();
        let _that_was_it = self.child.wait();
    }
}

/// What was typed before the secret is shown, so that the terminal is one that shows; the secret is not.
fn assert_unseen(seen: &Seen, open: &str, secret: &str) {
    assert!(seen.text.contains(open), "{}", seen.text);
    assert!(!seen.text.contains(secret), "{}", seen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_not_shown_and_afterwards_everything_is_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 0);
    enrolled::name_staff(&directory.path().join("data"));
    let _port = line(&[(Family::Wkly, 0)], 9_600, &path);
    for arguments in [&["commission", "--no-scan"][..], &["bus", "send", "unlock", "1"]] {
        let mut seen = Seen::start(arguments, &config);
        seen.until("badge or pass");
        seen.type_line("BADGE-T");
        seen.until("The PIN, which is not shown:");
        assert!(!seen.echoes());
        seen.type_line("90817263");
        seen.until("nothing was opened");
        assert_eq!(seen.end(), Some(77), "{}", seen.text);
        assert_unseen(&seen, "BADGE-T", "90817263");
        assert!(seen.text.contains("密码(不显示)") && seen.echoes());
    }

    // Ended in the middle: the terminal is as it was.
    let mut seen = Seen::start(&["commission", "--no-scan"], &config);
    seen.until("badge or pass");
    seen.type_line("BADGE-T");
    seen.until("The PIN, which is not shown:");
    let program = Pid::from_child(&seen.child);
    kill_process(program, Signal::INT).unwrap();
    assert_eq!(seen.end(), Some(130));
    assert!(seen.echoes());
}

#[test]
fn a_labels_secret_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 0);
    let mut seen = Seen::start(&["bus", "install-key", "--board", "1"], &config);
    seen.until("it is not shown");
    seen.type_line("LB1:53455249414c3031:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
    seen.until("which has no keys");
    assert_eq!(seen.end(), Some(64), "{}", seen.text);
    assert_unseen(&seen, "标签", "LB1:");
    assert!(seen.echoes());
}
