//! What a child process says: passed on line by line, the latest kept to be searched.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use crate::processes::Sink;

/// Lines kept of one child; older ones are passed on and forgotten.
const LINES_MAX: usize = 1000;
/// Lines shown when something went wrong.
const LAST: usize = 8;

/// The latest lines of a child's standard output and error, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Output {
    lines: Arc<Mutex<VecDeque<String>>>,
    grown: watch::Receiver<()>,
}

impl Output {
    /// Starts to follow a child's pipes.
    pub(crate) fn of(child: &mut Child, name: &str, sink: &Sink) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let (growing, grown) = watch::channel(());
        let follower = Follower {
            name: name.to_owned(),
            sink: Arc::clone(sink),
            lines: Arc::clone(&lines),
            growing,
        };
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(follower.clone().follow(pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(follower.follow(pipe));
        }
        Self { lines, grown }
    }

    /// The oldest kept line that contains `part`, now or later; `None` when there will be no more lines.
    pub(crate) async fn line(&mut self, part: &str) -> Option<String> {
        loop {
            self.grown.borrow_and_update();
            if let Some(line) = self.find(part) {
                return Some(line);
            }
            if self.grown.changed().await.is_err() {
                return self.find(part);
            }
        }
    }

    fn find(&self, part: &str) -> Option<String> {
        held(&self.lines).iter().find(|line| line.contains(part)).cloned()
    }

    /// The last few lines.
    pub(crate) fn last(&self) -> String {
        let lines = held(&self.lines);
        let latest: Vec<&str> = lines
            .iter()
            .skip(lines.len().saturating_sub(LAST))
            .map(String::as_str)
            .collect();
        latest.join("\n")
    }
}

#[derive(Clone)]
struct Follower {
    name: String,
    sink: Sink,
    lines: Arc<Mutex<VecDeque<String>>>,
    growing: watch::Sender<()>,
}

impl Follower {
    async fn follow(self, pipe: impl AsyncRead + Unpin) {
        let mut source = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(source.read_until(b'\n', &mut bytes).await, Ok(count) if count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            (self.sink)(&self.name, &line);
            let mut lines = held(&self.lines);
            if lines.len() >= LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line);
            drop(lines);
            let _unheard = self.growing.send(());
        }
    }
}

/// A push of one line cannot leave the list in a bad state, so that a panic elsewhere does not matter.
fn held(lines: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
