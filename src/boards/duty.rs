//! When a solenoid may be driven: one at a time per supply, and rest between pulses of one lock (pure).

use crate::cabinet::vocabulary::Monotonic;

/// How often one lock may be pulsed.
///
/// A lock of the AS.500X kind allows less than 1 s at 5 % duty: one pulse in 15 s for ever. A citizen's second
/// try cannot wait that long, and a cold coil stands two pulses in a row; so some may follow each other after
/// `spacing_ms`, and each pulse is earned back in `recovery_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// The least time between two pulses of one lock, in milliseconds.
    pub spacing_ms: u64,
    /// How many pulses a rested lock may have before it must wait for recovery.
    pub burst: u8,
    /// How long one pulse takes to be earned back, in milliseconds.
    pub recovery_ms: u64,
}

impl Default for Duty {
    fn default() -> Self {
        Self {
            spacing_ms: 3_000,
            burst: 2,
            recovery_ms: 15_000,
        }
    }
}

/// One lock's pulses so far, as far as they still count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    spaced_at: Monotonic,
    /// When everything will be earned back.
    rested_at: Monotonic,
}

impl Rest {
    /// When the next pulse is allowed.
    pub(super) fn ready_at(self, duty: Duty) -> Monotonic {
        let credit = duty.recovery_ms * u64::from(duty.burst.saturating_sub(1));
        let earned = Monotonic::from_millis(self.rested_at.as_millis().saturating_sub(credit));
        self.spaced_at.max(earned)
    }

    /// Notes a pulse.
    pub(super) fn pulsed(&mut self, duty: Duty, now: Monotonic) {
        self.spaced_at = now.plus_millis(duty.spacing_ms);
        self.rested_at = self.rested_at.max(now).plus_millis(duty.recovery_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_try_is_soon_and_the_third_waits_for_recovery() {
        let duty = Duty::default();
        let mut rest = Rest::default();
        let at = Monotonic::from_millis;
        rest.pulsed(duty, at(100_000));
        assert_eq!(rest.ready_at(duty), at(103_000));
        rest.pulsed(duty, at(103_000));
        assert_eq!(rest.ready_at(duty), at(115_000));
        rest.pulsed(duty, at(115_000));
        assert_eq!(
            rest.ready_at(duty),
            at(130_000),
            "from then on one in fifteen seconds"
        );
    }
}
