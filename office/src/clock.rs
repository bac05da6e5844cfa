//! The only file that reads a clock or the dice.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use office_protocol::Timestamp;

/// The wall time.
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A time of the file system.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since some moment, never jumping.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic(Instant);

impl Monotonic {
    /// Counts from now.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// How long since.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Random bytes from the system.
pub fn dice<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system's random source works, or nothing here is safe");
    bytes
}

/// A random name of so many bytes, in hexadecimal digits.
pub fn random_name<const N: usize>() -> String {
    dice::<N>().iter().map(|byte| format!("{byte:02x}")).collect()
}
