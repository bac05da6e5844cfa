//! What is typed without being shown: PINs, and the secrets on labels.

use std::io::stdin;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

/// While it lives, the terminal at standard input shows nothing of what is typed but the end of the line. Where there is no terminal,
/// nothing changes.
pub(crate) struct Unseen(Option<Termios>);

impl Unseen {
    /// Within a runtime: a signal that ends the program gives the terminal back first.
    pub(crate) fn begin() -> Self {
        let Ok(before) = tcgetattr(stdin()) else {
            return Self(None);
        };
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let before = before.clone();
            if let Ok(mut asked) = signal(kind) {
                tokio::spawn(async move {
                    asked.recv().await;
                    restore(&before);
                    std::process::exit(128 + kind.as_raw_value()); // as a shell says of who was ended by it
                });
            }
        }
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ECHONL);
        let _the_terminal_is_gone = tcsetattr(stdin(), OptionalActions::Now, &modes);
        Self(Some(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            restore(before);
        }
    }
}

fn restore(before: &Termios) {
    let _the_terminal_is_gone = tcsetattr(stdin(), OptionalActions::Now, before);
}

/// Asks who is there. The badge is shown as it is typed, or scanned; the PIN has a word of its own.
pub(crate) fn ask_for_badge() {
    eprintln!(
        "维护员工作证或凭证码,再输密码。\nThe technician's badge or pass, then the PIN, one line each."
    );
}

/// Asks for the PIN; what comes next is not shown.
pub(crate) fn ask_for_pin() -> Unseen {
    let unseen = Unseen::begin();
    eprintln!("密码(不显示): The PIN, which is not shown:");
    unseen
}
