//! One frame's bytes in a fixed buffer.

use core::ops::Deref;

/// The longest frame any family sends or receives.
pub const FRAME_MAX: usize = 128;

/// The bytes of one frame, at most [`FRAME_MAX`] of them.
#[derive(Clone, Copy)]
pub struct Frame {
    bytes: [u8; FRAME_MAX],
    length: u8,
}

impl Frame {
    /// An empty frame.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; FRAME_MAX],
            length: 0,
        }
    }

    /// Appends one byte. Beyond [`FRAME_MAX`] nothing is appended: no family's frame is that long.
    pub const fn push(&mut self, byte: u8) {
        if (self.length as usize) < FRAME_MAX {
            self.bytes[self.length as usize] = byte;
            self.length += 1;
        }
    }

    /// Appends several bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// Appends the XOR of everything before it.
    pub fn push_xor(&mut self) {
        self.push(xor(self));
    }

    /// Appends `bytes` bytes of a bit map, the lowest eight bits first.
    pub fn push_low_first(&mut self, bits: u64, bytes: usize) {
        self.extend(&bits.to_le_bytes()[..bytes.min(8)]);
    }
}

/// The XOR of some bytes.
#[must_use]
pub fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// The low byte of the sum of some bytes.
#[must_use]
pub fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The bit map in at most eight bytes, of which the first holds the lowest bits.
#[must_use]
pub fn low_first(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        let mut frame = Self::new();
        frame.extend(bytes);
        frame
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}

impl core::fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (position, byte) in self.iter().enumerate() {
            if position > 0 {
                formatter.write_str(" ")?;
            }
            write!(formatter, "{byte:02X}")?;
        }
        Ok(())
    }
}
