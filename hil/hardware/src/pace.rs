//! Bytes on their way over a wire: each takes ten bit times (pure).

use std::collections::VecDeque;
use std::time::Duration;

/// How finely a wire hands over what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Each byte when it has passed: for pseudo-terminals.
    Bytes,
    /// What was said at once when its last byte has passed: for simulations in memory.
    Frames,
}

/// One direction of a wire at 8N1.
#[derive(Clone, Debug)]
pub struct Pace {
    grain: Grain,
    byte: Duration,
    bytes: Vec<u8>,
    /// How many of the bytes were said at once, in their order; of no use where each is handed over by itself.
    frames: VecDeque<usize>,
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
            frames: VecDeque::new(),
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
        if self.grain == Grain::Frames && !bytes.is_empty() {
            self.frames.push_back(bytes.len());
        }
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
                None => {
                    self.bytes.push(*byte);
                    if let Some(last) = self.frames.back_mut() {
                        *last += 1;
                    }
                }
            }
        }
    }

    /// Whoever speaks falls silent: what has not passed by now never does.
    pub fn cut(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.from).as_nanos() / self.byte.as_nanos().max(1);
        self.bytes.truncate(usize::try_from(passed).unwrap_or(usize::MAX));
        let mut left = self.bytes.len();
        self.frames.retain_mut(|frame| {
            *frame = left.min(*frame);
            left -= *frame;
            *frame > 0
        });
    }

    /// Spoils what is under way, and returns whether there was anything.
    pub fn garble(&mut self) -> bool {
        garble(&mut self.bytes);
        !self.bytes.is_empty()
    }

    /// Loses what is under way.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// When the next bytes will have passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let due = match self.grain {
            Grain::Bytes => 1,
            Grain::Frames => *self.frames.front()?,
        };
        (!self.bytes.is_empty()).then(|| self.from + self.took(due))
    }

    /// When what was taken last had passed.
    #[must_use]
    pub fn passed_at(&self) -> Duration {
        self.from
    }

    /// Appends what has passed by now, and returns how many bytes that were.
    pub fn take(&mut self, now: Duration, passed: &mut Vec<u8>) -> usize {
        let mut taken = 0;
        loop {
            let more = self.take_first(now, passed);
            taken += more;
            if more == 0 {
                return taken;
            }
        }
    }

    /// The same, but at most what was said at once.
    pub fn take_first(&mut self, now: Duration, passed: &mut Vec<u8>) -> usize {
        if self.next_deadline().is_none_or(|at| at > now) {
            return 0;
        }
        let due = match self.grain {
            Grain::Frames => self.frames.pop_front().unwrap_or(0),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte a millisecond.
    fn wire() -> Pace {
        Pace::new(10_000, Grain::Frames)
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn each_frame_has_passed_when_its_own_last_byte_has() {
        let mut wire = wire();
        let mut passed = Vec::new();
        wire.put(b"abc", ms(10));
        wire.put(b"de", ms(10));
        assert_eq!(wire.take(ms(12), &mut passed), 0);
        assert_eq!(
            (wire.take_first(ms(20), &mut passed), wire.passed_at()),
            (3, ms(13))
        );
        assert_eq!(
            (wire.take_first(ms(20), &mut passed), wire.passed_at()),
            (2, ms(15))
        );
        assert_eq!((wire.take(ms(20), &mut passed), passed), (0, b"abcde".to_vec()));
    }

    #[test]
    fn who_falls_silent_holds_nobody_up() {
        let mut wire = wire();
        let mut passed = Vec::new();
        wire.put(b"forged", ms(10));
        wire.cut(ms(12));
        wire.put(b"own", ms(12));
        assert_eq!(wire.take_first(ms(15), &mut passed), 2);
        assert_eq!(wire.take_first(ms(15), &mut passed), 3);
        assert_eq!((&*passed, wire.passed_at()), (&b"foown"[..], ms(15)));
    }
}
