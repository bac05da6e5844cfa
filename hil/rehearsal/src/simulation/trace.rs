//! The trace: one line for everything that happened, hashed always, kept on request.

use std::fmt::Arguments;

use sha2::{Digest, Sha256};

/// What happened, in order.
pub(super) struct Trace {
    hash: Sha256,
    lines: Option<Vec<String>>,
    count: u64,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Self {
        Self {
            hash: Sha256::new(),
            lines: keep.then(Vec::new),
            count: 0,
        }
    }

    /// One line at a virtual time in milliseconds.
    pub(super) fn note(&mut self, now: u64, line: Arguments<'_>) {
        let (seconds, millis) = (now / 1000, now % 1000);
        let text = format!("{seconds:>7}.{millis:03} {line}");
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(text);
        }
    }

    /// The hash of all lines, and the lines where they were kept.
    pub(super) fn finish(self) -> (String, Vec<String>) {
        let hash: [u8; 32] = self.hash.finalize().into();
        let text = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        (text, self.lines.unwrap_or_default())
    }
}
