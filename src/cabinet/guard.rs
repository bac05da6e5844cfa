//! The guard against guessing: slower with every wrong try, never off. Tries survive restarts; waits begin anew after one.

use office_protocol::EventBody;
use office_protocol::event::Alarm;

use super::Cabinet;
use super::ledger::{Direction, Tries};
use super::limits::{
    CODE_DIGITS, DAY_MS, SHORT_GUESSES_MAX, SPARE_DIGITS, TRIES_BEFORE_SPARE, TRIES_BEFORE_WAIT, TRY_WAIT_MS,
};
use super::vocabulary::Monotonic;

/// The rules as numbers; the cabinet journals what they come to, and a rehearsal measures what they are worth.
impl Tries {
    /// How many digits the next typed code must have, where so many codes would open a door by their digits alone.
    ///
    /// The spare ones are asked for as well after many wrong tries; with many codes inside, sooner, so that the odds of a day of
    /// guessing stay below one in a million however full the cabinet is.
    #[must_use]
    pub fn digits_wanted(&self, codes: usize) -> usize {
        let short_guesses = (u64::from(self.count) + 1).saturating_mul(codes as u64);
        if self.count >= TRIES_BEFORE_SPARE || short_guesses > SHORT_GUESSES_MAX {
            CODE_DIGITS + SPARE_DIGITS
        } else {
            CODE_DIGITS
        }
    }

    /// For how long after a wrong try, or after a start, no typed secret is looked at, in milliseconds.
    #[must_use]
    pub fn wait_ms(&self) -> u64 {
        if self.count >= TRIES_BEFORE_WAIT {
            TRY_WAIT_MS
        } else {
            0
        }
    }

    /// After one more wrong try; `today` is none while the clock cannot be believed.
    #[must_use]
    pub fn one_more(&self, today: Option<i64>) -> Self {
        Self {
            count: self.count.saturating_add(1),
            day: today.unwrap_or(self.day),
        }
    }

    /// Halved once for each day since the last time; none when nothing changes.
    #[must_use]
    pub fn halved(&self, today: i64) -> Option<Self> {
        if self.count == 0 || today <= self.day {
            return None;
        }
        // The first wrong try under an untrusted clock has no day yet: it gets today's.
        let days = if self.day == 0 {
            0
        } else {
            u32::try_from(today - self.day).unwrap_or(u32::MAX).min(31)
        };
        Some(Self {
            count: self.count >> days,
            day: today,
        })
    }
}

impl Cabinet {
    /// Until when no typed secret is looked at.
    pub(super) fn wait_until(&self) -> Option<Monotonic> {
        self.no_try_before.filter(|until| *until > self.moment.now)
    }

    /// How many digits a typed code must have just now.
    pub(super) fn digits_wanted(&self) -> usize {
        let inside = self.ledger.consignments.values();
        let open_by_digits =
            inside.filter(|inside| inside.direction == Direction::Outbound && inside.code.is_some());
        self.ledger.tries.digits_wanted(open_by_digits.count())
    }

    /// One more wrong try: journaled, and from the fifth on a wait.
    pub(super) fn count_try(&mut self) {
        let today = self.moment.trusted.then(|| self.day());
        let Tries { count, day } = self.ledger.tries.one_more(today);
        self.record(EventBody::TriesCounted { tries: count, day });
        if count >= TRIES_BEFORE_SPARE {
            self.raise(Alarm::Guessing, None);
        }
        self.wait_if_many();
    }

    /// After a wrong try, and after a start: the wait begins anew.
    pub(super) fn wait_if_many(&mut self) {
        let wait_ms = self.ledger.tries.wait_ms();
        if wait_ms > 0 {
            self.no_try_before = Some(self.moment.now.plus_millis(wait_ms));
        }
    }

    fn day(&self) -> i64 {
        self.today().time.as_millis() / DAY_MS
    }

    /// Tries halve with every new day of a trusted clock. A right code does not reset them.
    pub(super) fn halve_tries(&mut self) {
        if !self.moment.trusted {
            return;
        }
        if let Some(Tries { count, day }) = self.ledger.tries.halved(self.day()) {
            self.record(EventBody::TriesCounted { tries: count, day });
            self.clear_if(count < TRIES_BEFORE_WAIT, Alarm::Guessing, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(count: u32) -> Tries {
        Tries { count, day: 20_000 }
    }

    #[test]
    fn the_spare_digits_are_asked_for_after_ten_wrong_tries_or_sooner_where_codes_are_many() {
        let wanted = |count, codes| after(count).digits_wanted(codes);
        assert_eq!([wanted(9, 1), wanted(10, 1), wanted(10, 0)], [8, 12, 12]);
        assert_eq!([wanted(0, 24), wanted(1, 24)], [8, 12]);
        assert_eq!(wanted(0, 200), 12);
    }

    #[test]
    fn a_day_of_guessing_opens_anything_with_odds_below_one_in_a_million() {
        for codes in [1, 4, 10, 24, 40, 41, 100, 200, 400] {
            let (mut tries, mut odds) = (after(0), 0.0);
            // From noon to noon: all at once at first, later one a minute; at midnight they halve.
            for minute in 0..24 * 60 {
                tries = tries
                    .halved(20_000 + i64::from(minute >= 12 * 60))
                    .unwrap_or(tries);
                loop {
                    let digits = i32::try_from(tries.digits_wanted(codes)).expect("a few");
                    odds += codes as f64 / 10_f64.powi(digits);
                    tries = tries.one_more(Some(tries.day));
                    if tries.wait_ms() > 0 {
                        break;
                    }
                }
            }
            assert!(odds < 1e-6, "{codes} codes: {odds:e}");
        }
    }

    #[test]
    fn tries_halve_once_for_each_day() {
        assert_eq!(after(9).halved(20_000), None);
        assert_eq!(after(9).halved(20_002).map(|tries| tries.count), Some(2));
        let dayless = Tries { count: 9, day: 0 };
        assert_eq!(dayless.halved(20_000), Some(after(9)));
    }
}
