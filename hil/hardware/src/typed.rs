//! What a person types, line by line (IO).

use tokio::sync::mpsc;

/// Lines of standard input until it ends, from a thread of their own: reading them blocks.
#[must_use]
pub fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
