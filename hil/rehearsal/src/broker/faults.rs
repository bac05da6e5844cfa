//! What the broker may do wrong: chances for each message, and single misdeeds on demand.

use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::message::Message;

/// How often out of a thousand; 0 never, 1000 always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerMille(pub u16);

/// Chances, drawn for each delivery to each client (`cut`: for each publish and acknowledgement).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Never delivered, though acknowledged to its publisher.
    pub drop: PerMille,
    /// Delivered, and once more up to `lateness` later.
    pub repeat: PerMille,
    /// Delivered up to `lateness` later, so that others overtake it.
    pub reorder: PerMille,
    /// It and everything behind it to this client waits up to `lateness`; order is kept.
    pub delay: PerMille,
    /// One bit of the payload, or of the first user property's value, is another.
    pub alter: PerMille,
    /// The client's connection ends before an answer; the message may have gone on or not.
    pub cut: PerMille,
    /// The longest that a message is held back.
    pub lateness: Duration,
    /// Nobody gets a connection.
    pub refuse: bool,
}

/// What a broker can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Sessions with their subscriptions and queues; every connection ends, no will is published.
    Sessions,
    /// All retained messages.
    Retained,
    /// Messages waiting or under way, though their publishers have acknowledgements.
    Queued,
}

/// One misdeed on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misdeed {
    /// From now on these chances; `Faults::default()` heals.
    Set(Faults),
    /// A message that nobody published.
    Forge(Message),
    /// This client's connection ends; its will is published.
    Cut(String),
    /// Every connection ends, no will is published; sessions and retained messages stay.
    Crash,
    /// Something is lost.
    Forget(Memory),
    /// Every retained topic that the filter takes has its value before the last again.
    RollBack(String),
}

/// The broker's own dice.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Draws nothing where the chance is 0.
    pub(super) fn hit(&mut self, chance: PerMille) -> bool {
        chance.0 > 0 && self.below(1000) < u64::from(chance.0)
    }

    /// More than zero, at most `longest`.
    pub(super) fn wait(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(1 + self.below(micros))
    }

    /// Turns one bit of the payload; of the first user property's value where the payload is empty or on heads.
    pub(super) fn alter(&mut self, message: &mut Message) {
        let property = message
            .user
            .first_mut()
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty());
        match property {
            Some(value) if message.payload.is_empty() || self.0.next_u32() & 1 == 0 => {
                let last = value.pop();
                value.push(if last == Some('A') { 'B' } else { 'A' });
            }
            Some(_) | None => {
                let mut bytes = message.payload.to_vec();
                let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let at = usize::try_from(self.below(count.max(1))).unwrap_or(0);
                let bit = 1 << self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bit;
                }
                message.payload = Bytes::from(bytes);
            }
        }
    }

    pub(super) fn heads(&mut self) -> bool {
        self.0.next_u32() & 1 == 0
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }
}
