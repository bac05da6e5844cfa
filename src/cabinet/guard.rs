//! The guard against guessing: slower with every wrong try, never off. Tries survive restarts; waits begin anew after one.

use office_protocol::EventBody;
use office_protocol::event::Alarm;

use super::Cabinet;
use super::limits::{CODE_DIGITS, DAY_MS, SPARE_DIGITS, TRIES_BEFORE_SPARE, TRIES_BEFORE_WAIT, TRY_WAIT_MS};
use super::vocabulary::Monotonic;

impl Cabinet {
    /// Until when no typed secret is looked at.
    pub(super) fn wait_until(&self) -> Option<Monotonic> {
        self.no_try_before.filter(|until| *until > self.moment.now)
    }

    /// How many digits a typed code must have just now.
    pub(super) fn digits_wanted(&self) -> usize {
        if self.ledger.tries.count >= TRIES_BEFORE_SPARE {
            CODE_DIGITS + SPARE_DIGITS
        } else {
            CODE_DIGITS
        }
    }

    /// One more wrong try: journaled, and from the fifth on a wait.
    pub(super) fn count_try(&mut self) {
        let tries = self.ledger.tries.count.saturating_add(1);
        let day = if self.moment.trusted {
            self.day()
        } else {
            self.ledger.tries.day
        };
        self.record(EventBody::TriesCounted { tries, day });
        if tries >= TRIES_BEFORE_SPARE {
            self.raise(Alarm::Guessing, None);
        }
        self.wait_if_many();
    }

    /// After a wrong try, and after a start: the wait begins anew.
    pub(super) fn wait_if_many(&mut self) {
        if self.ledger.tries.count >= TRIES_BEFORE_WAIT {
            self.no_try_before = Some(self.moment.now.plus_millis(TRY_WAIT_MS));
        }
    }

    fn day(&self) -> i64 {
        self.today().time.as_millis() / DAY_MS
    }

    /// Tries halve with every new day of a trusted clock. A right code does not reset them.
    pub(super) fn halve_tries(&mut self) {
        let tries = self.ledger.tries;
        let day = self.day();
        if tries.count == 0 || !self.moment.trusted || day <= tries.day {
            return;
        }
        // The first wrong try under an untrusted clock has no day yet: it gets today's.
        let days = if tries.day == 0 {
            0
        } else {
            u32::try_from(day - tries.day).unwrap_or(u32::MAX).min(31)
        };
        let halved = tries.count >> days;
        self.record(EventBody::TriesCounted { tries: halved, day });
        self.clear_if(halved < TRIES_BEFORE_WAIT, Alarm::Guessing, None);
    }
}
