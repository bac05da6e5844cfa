//! Whether two boards have one address: they answer twice, or over each other in the same way each time (pure).
//!
//! An unlock to such an address opens a door on each of them, so none is sent while it stands. Noise does neither:
//! it repeats nothing. Where doors are read one after the other, what comes for the same door is compared; a read that rubbish came to is
//! repeated under its number. What stays unseen: two answers that begin with the same bit and merge into one that is valid:
//! with a family that has no checksum all do.

use std::collections::BTreeMap;

use firmware_protocol::{Channel, Frame};

/// Second answers among the last eight reads from which on two boards are suspected.
const DOUBLES: u32 = 3;
/// The same rubbish so many times in a row is no noise.
const SAME: u8 = 5;
/// Reads answered once each, in a row, after which one board is alone.
const ALONE: u8 = 16;

/// What speaks for a second board at an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Twins {
    /// Which of the last eight reads were answered twice, the newest in the lowest bit.
    doubled: u8,
    /// What came last to the request for each door, and to the one for all of them; and how often in a row.
    rubbish: BTreeMap<Option<Channel>, (Frame, u8)>,
    alone: u8,
    suspected: bool,
}

impl Twins {
    pub(super) const fn suspected(&self) -> bool {
        self.suspected
    }

    /// A read of this door, or of all, was answered; says whether it is news that one board is alone.
    pub(super) fn answered(&mut self, door: Option<Channel>) -> bool {
        self.doubled <<= 1;
        self.rubbish.remove(&door);
        self.alone = self.alone.saturating_add(1);
        let cleared = self.suspected && self.alone >= ALONE;
        self.suspected &= !cleared;
        cleared
    }

    /// The read that has just been answered was answered again; says whether two boards are news.
    pub(super) fn doubled(&mut self) -> bool {
        self.doubled |= 1;
        self.alone = 0;
        self.doubled.count_ones() >= DOUBLES && self.suspect()
    }

    /// Only rubbish came to a read of this door, or of all, `begun` like an answer; says whether two boards are news.
    pub(super) fn garbled(&mut self, door: Option<Channel>, rubbish: Frame, begun: bool) -> bool {
        if !begun {
            self.rubbish.remove(&door);
            return false;
        }
        let same = match self.rubbish.get(&door) {
            Some((before, same)) if *before == rubbish => same.saturating_add(1),
            Some(_) | None => 1,
        };
        self.rubbish.insert(door, (rubbish, same));
        same >= SAME && self.suspect()
    }

    /// Nothing came: what comes later may be late, which is no second answer.
    pub(super) fn missed(&mut self) {
        self.doubled = 0;
        self.rubbish.clear();
    }

    fn suspect(&mut self) -> bool {
        self.alone = 0;
        !std::mem::replace(&mut self.suspected, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_answers_now_and_then_prove_nothing_and_often_they_do() {
        let mut twins = Twins::default();
        for _ in 0..100 {
            assert!(!twins.doubled());
            for _ in 0..4 {
                twins.answered(None);
            }
        }
        assert!(!twins.suspected());
        let news = (0..8).filter(|_| {
            twins.answered(None);
            twins.doubled()
        });
        assert_eq!(news.count(), 1, "said once");
        assert!(twins.suspected());
        let cleared = (0..40).filter(|_| twins.answered(None)).count();
        assert_eq!((cleared, twins.suspected()), (1, false));
    }

    #[test]
    fn the_same_rubbish_again_and_again_is_two_who_speak_at_once() {
        let mut twins = Twins::default();
        let rubbish = |byte: u8| Frame::from(&[0x80, 0x01, byte][..]);
        assert!((0..100).all(|count| !twins.garbled(None, rubbish(count), true)));
        assert!(
            (0..100).all(|_| !twins.garbled(None, rubbish(7), false)),
            "a wrong speed looks like this"
        );
        let news = (0..10).filter(|_| twins.garbled(None, rubbish(9), true)).count();
        assert_eq!(news, 1);
    }
}
