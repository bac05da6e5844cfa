//! How long things took: least, median, 99th percentile, most (pure).

use std::time::Duration;

use serde::Serialize;

/// Times of one kind, each in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<u64>);

/// What times come to, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many there were.
    pub count: usize,
    /// The least.
    pub min_us: u64,
    /// Half of them are below.
    pub median_us: u64,
    /// All but one in a hundred are below.
    pub p99_us: u64,
    /// The most.
    pub max_us: u64,
}

impl Times {
    pub(super) fn note(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// None where nothing was timed.
    pub(super) fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            sorted
                .get((sorted.len() * percent).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(Summary {
            count: sorted.len(),
            min_us: *sorted.first()?,
            median_us: at(50)?,
            p99_us: at(99)?,
            max_us: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_from_below() {
        let mut times = Times::default();
        assert_eq!(times.summary(), None);
        (1..=200)
            .rev()
            .for_each(|ms| times.note(Duration::from_millis(ms)));
        let summary = Summary {
            count: 200,
            min_us: 1_000,
            median_us: 100_000,
            p99_us: 198_000,
            max_us: 200_000,
        };
        assert_eq!(times.summary(), Some(summary));
    }
}
