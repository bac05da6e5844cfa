//! Bytes on their way over a wire: each takes ten bit times (pure).

use std::time::Duration;

/// How finely a wire hands over what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Each byte when it has passed: for pseudo-terminals.
    Bytes,
    /// All that was said at once, when its last byte has passed: for simulations in memory.
    Frames,
}

/// One direction of a wire at 8N1.
#[derive(Clone, Debug)]
pub struct Pace {
    grain: Grain,
    byte: Duration,
    bytes: Vec<u8>,
    from: Duration,
}

impl Pace {
    /// An empty wire.
    #[must_use]
    pub fn new(baud: u32, grain: Grain) -> Self {
        let byte = Duration::from_nanos(10_000_000_000 / u64::from(baud.max(1)));
        Self {
            grain,
            byte,
            bytes: Vec::new(),
            from: Duration::ZERO,
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How long so many bytes take.
    #[must_use]
    pub fn took(&self, bytes: usize) -> Duration {
        self.byte * u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Puts bytes behind what is under way.
    pub fn put(&mut self, bytes: &[u8], now: Duration) {
        if self.bytes.is_empty() {
            self.from = now;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Somebody else speaks as well. Who begins with the same bit leaves what both say (a 0 wins); otherwise what
    /// overlaps is spoilt. What comes after the other has ended is whole.
    pub fn collide(&mut self, bytes: &[u8], now: Duration) {
        let passed = (now.saturating_sub(self.from)).as_nanos() / self.byte.as_nanos().max(1);
        let offset = usize::try_from(passed).unwrap_or(usize::MAX);
        let together = now == self.from;
        for (index, byte) in bytes.iter().enumerate() {
            match self.bytes.get_mut(offset.saturating_add(index)) {
                Some(under_way) if together => *under_way &= byte,
                Some(under_way) => garble(std::slice::from_mut(under_way)),
                None => self.bytes.push(*byte),
            }
        }
    }

    /// Spoils what is under way, and returns whether there was anything.
    pub fn garble(&mut self) -> bool {
        garble(&mut self.bytes);
        !self.bytes.is_empty()
    }

    /// Loses what is under way.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// When the next bytes will have passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let due = match self.grain {
            Grain::Bytes => 1,
            Grain::Frames => self.bytes.len(),
        };
        (!self.bytes.is_empty()).then(|| self.from + self.took(due))
    }

    /// Appends what has passed by now, and returns how many bytes that were.
    pub fn take(&mut self, now: Duration, passed: &mut Vec<u8>) -> usize {
        if self.next_deadline().is_none_or(|at| at > now) {
            return 0;
        }
        let due = match self.grain {
            Grain::Frames => self.bytes.len(),
            Grain::Bytes => {
                let nanos = (now - self.from).as_nanos() / self.byte.as_nanos().max(1);
                usize::try_from(nanos).unwrap_or(usize::MAX).min(self.bytes.len())
            }
        };
        passed.extend(self.bytes.drain(..due));
        self.from += self.took(due);
        due
    }
}

/// What two speakers at once leave of some bytes.
fn garble(bytes: &mut [u8]) {
    for byte in bytes {
        *byte ^= 0x5A;
    }
}
