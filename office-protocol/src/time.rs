//! A point in time: UTC, milliseconds, `Z`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::InvalidId;

/// Milliseconds since 1970-01-01T00:00:00Z; `2026-01-31T09:05:07.042Z` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-12-30T22:00:00.000Z: beyond it there is no text form in every time zone, and so none here.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// From milliseconds since 1970; times before 1970 or after [`Self::MAX`] become the nearest inside.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This much later.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// So many days of 24 hours later.
    pub const fn plus_days(self, days: u32) -> Self {
        self.plus_millis(days as i64 * 86_400_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{time:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId {
            kind: "time",
            rule: "UTC with milliseconds and Z, as 2026-01-31T09:05:07.042Z",
        };
        let time: jiff::Timestamp = text.parse().map_err(|_| invalid.clone())?;
        let time = Self::from_millis(time.as_millisecond());
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(invalid)
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_last_moment_has_a_text_form() {
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(last, Timestamp::MAX);
        assert_eq!(last.to_string().parse(), Ok(last));
    }
}
