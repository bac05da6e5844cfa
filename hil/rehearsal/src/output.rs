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
    lines: Arc<Mutex<Lines>>,
    grown: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    /// How many were forgotten.
    forgotten: usize,
}

impl Output {
    /// Starts to follow a child's pipes.
    pub(crate) fn of(child: &mut Child, name: &str, sink: &Sink) -> Self {
        let lines = Arc::new(Mutex::new(Lines::default()));
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

    /// How many lines there were so far.
    pub(crate) fn count(&self) -> usize {
        let lines = held(&self.lines);
        lines.forgotten + lines.kept.len()
    }

    /// The oldest kept line that contains `part` and is not among the first `after`, now or later; `None` when there will be no
    /// more lines.
    pub(crate) async fn line(&mut self, part: &str, after: usize) -> Option<String> {
        loop {
            self.grown.borrow_and_update();
            if let Some(line) = self.find(part, after) {
                return Some(line);
            }
            if self.grown.changed().await.is_err() {
                return self.find(part, after);
            }
        }
    }

    fn find(&self, part: &str, after: usize) -> Option<String> {
        let lines = held(&self.lines);
        let mut rest = lines.kept.iter().skip(after.saturating_sub(lines.forgotten));
        rest.find(|line| line.contains(part)).cloned()
    }

    /// The last few lines.
    pub(crate) fn last(&self) -> String {
        let lines = held(&self.lines);
        let latest: Vec<&str> = lines
            .kept
            .iter()
            .skip(lines.kept.len().saturating_sub(LAST))
            .map(String::as_str)
            .collect();
        latest.join("\n")
    }
}

#[derive(Clone)]
struct Follower {
    name: String,
    sink: Sink,
    lines: Arc<Mutex<Lines>>,
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
            if lines.kept.len() >= LINES_MAX {
                lines.kept.pop_front();
                lines.forgotten += 1;
            }
            lines.kept.push_back(line);
            drop(lines);
            let _unheard = self.growing.send(());
        }
    }
}

/// A push of one line cannot leave the list in a bad state, so that a panic elsewhere does not matter.
fn held(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
