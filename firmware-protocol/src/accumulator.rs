//! Collects bytes as they come and cuts them into frames; finds its feet again after noise.

use crate::frame::FRAME_MAX;

/// What a family sees at the start of the bytes collected so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan<T> {
    /// May become a frame when more bytes come.
    Incomplete,
    /// No frame begins here: the first byte is to be dropped.
    Noise,
    /// None begins in these bytes, so all of them are to be dropped: for families whose frames are marked off.
    Rubbish {
        /// How many, at least one.
        length: usize,
    },
    /// A whole frame, but of another conversation: it means nothing without a request that is not open.
    Foreign {
        /// How many bytes it took.
        length: usize,
    },
    /// A whole frame.
    Frame {
        /// How many bytes it took.
        length: usize,
        /// What it says.
        content: T,
    },
}

/// One frame cut out of what was collected.
pub(crate) enum Cut<'a> {
    Incomplete,
    Noise,
    Whole(&'a [u8]),
}

impl<'a> Cut<'a> {
    /// The frame that begins with `header` and has so many bytes, as far as these are known, if `good` says
    /// that it is one. A length of which no frame is (0) makes it noise.
    pub(crate) fn new(
        bytes: &'a [u8],
        header: &[u8],
        length: Option<usize>,
        good: impl FnOnce(&[u8]) -> bool,
    ) -> Self {
        let begun = bytes.len().min(header.len());
        match length {
            _ if bytes[..begun] != header[..begun] => Self::Noise,
            Some(length) if length == 0 || length > FRAME_MAX => Self::Noise,
            Some(length) => match bytes.get(..length) {
                Some(frame) if good(frame) => Self::Whole(frame),
                Some(_) => Self::Noise,
                None => Self::Incomplete,
            },
            None => Self::Incomplete,
        }
    }

    /// What the frame says; one that says nothing is noise.
    pub(crate) fn read<T>(self, says: impl FnOnce(&[u8]) -> Option<T>) -> Scan<T> {
        match self {
            Self::Incomplete => Scan::Incomplete,
            Self::Noise => Scan::Noise,
            Self::Whole(frame) => says(frame).map_or(Scan::Noise, |content| Scan::Frame {
                length: frame.len(),
                content,
            }),
        }
    }

    /// What the frame says to who expects it; to others it is foreign.
    pub(crate) fn read_expected<T>(self, says: impl FnOnce(&[u8]) -> Option<T>) -> Scan<T> {
        match self {
            Self::Incomplete => Scan::Incomplete,
            Self::Noise => Scan::Noise,
            Self::Whole(frame) => {
                let length = frame.len();
                says(frame).map_or(Scan::Foreign { length }, |content| Scan::Frame {
                    length,
                    content,
                })
            }
        }
    }
}

const CAPACITY: usize = 2 * FRAME_MAX;

/// A bounded buffer that drops what cannot begin a frame, byte by byte.
#[derive(Clone, Debug)]
pub struct Accumulator {
    bytes: [u8; CAPACITY],
    start: usize,
    end: usize,
    dropped: u32,
}

impl Accumulator {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            start: 0,
            end: 0,
            dropped: 0,
        }
    }

    /// Takes as many of `bytes` as fit and returns the rest; [`Accumulator::next`] makes room.
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let taken = bytes.len().min(CAPACITY - self.end);
        self.bytes[self.end..self.end + taken].copy_from_slice(&bytes[..taken]);
        self.end += taken;
        &bytes[taken..]
    }

    /// The next frame that `scan` finds, dropping noise before it; none when more bytes are needed.
    ///
    /// `ended` says that the line has been silent for longer than a frame may pause: what is incomplete
    /// then will never be a frame, and what may hide behind it is looked for. A frame never needs more
    /// than [`FRAME_MAX`] bytes, so an incomplete one of that length is noise as well.
    pub fn next<T>(&mut self, ended: bool, mut scan: impl FnMut(&[u8]) -> Scan<T>) -> Option<T> {
        while self.start < self.end {
            let pending = &self.bytes[self.start..self.end];
            match scan(pending) {
                Scan::Frame { length, content } => {
                    self.start += length.clamp(1, pending.len());
                    return Some(content);
                }
                Scan::Foreign { length } => self.start += length.clamp(1, pending.len()),
                Scan::Incomplete if !ended && pending.len() < FRAME_MAX => return None,
                Scan::Incomplete | Scan::Noise => self.drop_noise(1),
                Scan::Rubbish { length } => self.drop_noise(length.clamp(1, pending.len())),
            }
        }
        None
    }

    fn drop_noise(&mut self, count: usize) {
        self.start += count;
        self.dropped = self
            .dropped
            .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// The bytes that wait for more.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Removes the first `count` pending bytes, for example an adapter's echo.
    pub fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Forgets everything pending.
    pub const fn clear(&mut self) {
        self.start = self.end;
    }

    /// How many bytes of noise were dropped, ever.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl Default for Accumulator {
    fn default() -> Self {
        Self::new()
    }
}
