//! The numbers that bound what the cabinet does: times, counts, tries.

/// An unlock is not sent later than this after its decision.
pub const UNLOCK_LIFETIME_MS: u64 = 2_000;
/// How long the door may take to show that it opened before the person is asked.
pub const DOOR_ANSWER_MS: u64 = 4_000;
/// Pulses of one lock in one visit.
pub const PULSES_MAX: u8 = 3;
/// First reminder that a door is open.
pub const REMINDER_MS: u64 = 20_000;
/// Second reminder, louder.
pub const REMINDER_LOUD_MS: u64 = 40_000;
/// A door open this long leaves the session.
pub const LEFT_OPEN_MS: u64 = 120_000;
/// A door open this long is an alarm.
pub const OPEN_ALARM_MS: u64 = 600_000;
/// Idle this long: "do you need more time?"
pub const IDLE_MS: u64 = 60_000;
/// No answer to that: the session is wiped.
pub const MORE_TIME_MS: u64 = 30_000;
/// How long a collection can be reopened after its door closed.
pub const REOPEN_MS: u64 = 120_000;
/// How long a final screen stays.
pub const FINAL_SCREEN_MS: u64 = 30_000;

/// From so many wrong tries on, one try a minute.
pub const TRIES_BEFORE_WAIT: u32 = 5;
/// From so many on, the spare digits are asked for as well.
pub const TRIES_BEFORE_SPARE: u32 = 10;
/// So many guesses (tries times codes inside) are taken with eight digits before the spare ones are asked for: each hits with
/// odds of 10⁻⁸, and at most as many come again after midnight.
pub const SHORT_GUESSES_MAX: u64 = 40;
/// The wait between tries.
pub const TRY_WAIT_MS: u64 = 60_000;
/// Digits of a pickup code.
pub const CODE_DIGITS: usize = 8;
/// Spare digits.
pub const SPARE_DIGITS: usize = 4;

/// Codes of collected consignments that are remembered, to say so.
pub const RETIRED_MAX: usize = 256;
/// Replies that are remembered, to say them again.
pub const REPLIES_MAX: usize = 32;
/// Proofs that are remembered at most: more than any cabinet has doors.
pub const PROOFS_MAX: usize = 4_096;
/// Used passes that are remembered at most; the soonest to expire go first.
pub const USED_PASSES_MAX: usize = 4_096;
/// So far may the office's clock be ahead of the cabinet's where it gives a command.
pub const OFFICE_AHEAD_MAX_MS: i64 = 30_000;
/// One hour.
pub const HOUR_MS: i64 = 3_600_000;
/// One day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
