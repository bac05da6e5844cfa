//! One board's life: whether it answers, how fast, and what its doors were last known to be (pure).

use firmware_protocol::{Channel, DoorMap, Profile};

use office_protocol::state::BoardRefusal;

use crate::cabinet::vocabulary::Monotonic;

use super::duty::Rest;
use super::layout::PlacedBoard;
use super::twins::Twins;

/// Unanswered reads in a row after which a board is left alone.
const MISSES_MAX: u8 = 2;
/// Garbled answers in a row after which it counts as lost.
const GARBLES_MAX: u8 = 8;
/// How soon a board is asked again whose answers were rubbish, in milliseconds: it is there, and noise may end
/// at any time.
const GARBLED_PAUSE_MS: u64 = 400;
/// The first pause before a silent board is asked again, and the longest, in milliseconds.
const BACK_OFF_MS: (u64, u64) = (4_000, 30_000);
/// How often outputs are told to rest if nothing answers: a board that does not know the command is none the worse.
const RESTS_MAX: u8 = 3;
/// Each so-manieth probe waits as long as the family allows: a board that was never heard, or has become slower, is found as well, and
/// one that is dead costs the others little.
const PATIENT_PROBE: u8 = 4;
/// The least patience that is ever learnt, in milliseconds.
const PATIENCE_MIN_MS: u64 = 50;

/// Where a board is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Its port has just come and it has not been heard yet.
    Unheard,
    /// It answers.
    Healthy,
    /// It does not, and is asked only now and then.
    Quarantined,
}

/// How a board has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardStatistics {
    /// Requests sent to it.
    pub asked: u64,
    /// Answers that fitted.
    pub answered: u64,
    /// Requests that nothing came to.
    pub unanswered: u64,
    /// Requests that only rubbish came to.
    pub garbled: u64,
    /// Frames from it that answered nothing that was open: late or unwanted.
    pub stray: u64,
    /// What it said unasked.
    pub unasked: u64,
    /// Pulses sent to it.
    pub pulses: u64,
}

/// What a reading led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    /// Channels to report (bit 0 is channel 1).
    pub(super) report: u64,
    /// Which of these for the first time.
    pub(super) first: u64,
}

/// A board as the master knows it.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) life: Life,
    /// Whether its loss was reported and its return not yet.
    pub(super) lost: Option<bool>,
    pub(super) probe_at: Monotonic,
    back_off_ms: u64,
    misses: u8,
    garbles: u8,
    /// Unanswered probes since it was left alone.
    probes: u8,
    slowest_ms: Option<u64>,
    /// When it answered last, in whatever matter.
    pub(super) answered_at: Monotonic,
    /// Doors as reported, in true polarity.
    open: u64,
    /// Channels whose next reading is the first.
    pub(super) fresh: u64,
    /// Channels of which no answer has told yet, not even that it does not know.
    pub(super) untold: u64,
    /// How often outputs that may have been left on may still be told to rest: until that is answered.
    rests_left: u8,
    /// Channels seen different once.
    doubted: u64,
    /// Channels to be read by themselves soon.
    pub(super) urgent: u64,
    pub(super) watched: u64,
    last_watched: u8,
    /// The channel that was read last where doors are read one by one.
    last_swept: u8,
    /// Items as reported, and which were ever.
    pub(super) items: Option<u64>,
    pub(super) tampered: bool,
    pub(super) shaken: bool,
    /// The power supply as reported.
    pub(super) mains: Option<bool>,
    pub(super) twins: Twins,
    /// Why it will not talk, as it was reported.
    pub(super) refused: Option<BoardRefusal>,
    pub(super) rests: Vec<Rest>,
    pub(super) statistics: BoardStatistics,
}

impl Health {
    pub(super) fn new(board: &PlacedBoard) -> Self {
        Self {
            life: Life::Unheard,
            lost: None,
            probe_at: Monotonic::default(),
            back_off_ms: BACK_OFF_MS.0,
            misses: 0,
            garbles: 0,
            probes: 0,
            slowest_ms: None,
            answered_at: Monotonic::default(),
            open: 0,
            fresh: board.mapped,
            untold: board.mapped,
            rests_left: RESTS_MAX,
            doubted: 0,
            urgent: 0,
            watched: 0,
            last_watched: 0,
            last_swept: 0,
            items: None,
            tampered: false,
            shaken: false,
            mains: None,
            twins: Twins::default(),
            refused: None,
            rests: vec![Rest::default(); usize::from(board.channels)],
            statistics: BoardStatistics::default(),
        }
    }

    /// Its port is back or gone: nothing that was known of its doors counts any more.
    pub(super) fn forget(&mut self, mapped: u64) {
        self.life = Life::Unheard;
        self.misses = 0;
        self.garbles = 0;
        self.renew(mapped);
    }

    fn renew(&mut self, mapped: u64) {
        self.fresh = mapped;
        self.untold = mapped;
        self.rests_left = RESTS_MAX;
        self.doubted = 0;
        self.urgent = 0;
        self.items = None;
    }

    /// Whether it may be asked now.
    pub(super) fn askable(&self, now: Monotonic) -> bool {
        self.life != Life::Quarantined || self.probe_at <= now
    }

    /// How long to wait for the first byte of a read's answer, in milliseconds.
    pub(super) fn patience_ms(&self, profile: &Profile) -> u64 {
        let typical = u64::from(profile.reply_typical_ms);
        let limit = u64::from(profile.reply_limit_ms);
        let learnt = self
            .slowest_ms
            .map(|slowest| (slowest * 3 + 20).clamp(PATIENCE_MIN_MS.min(limit), limit));
        match self.life {
            Life::Quarantined if self.probes % PATIENT_PROBE == PATIENT_PROBE - 1 => limit,
            Life::Quarantined => learnt.unwrap_or(typical).max(typical),
            Life::Unheard | Life::Healthy if self.misses > 0 => limit,
            Life::Unheard | Life::Healthy => learnt.unwrap_or(typical),
        }
    }

    /// It answered, a read in so many milliseconds; says whether its return is news.
    pub(super) fn answered(&mut self, took_ms: Option<u64>) -> bool {
        self.statistics.answered += 1;
        self.misses = 0;
        self.garbles = 0;
        self.back_off_ms = BACK_OFF_MS.0;
        self.life = Life::Healthy;
        self.refused = None;
        if let Some(took) = took_ms {
            let slowest = self.slowest_ms.unwrap_or(took);
            self.slowest_ms = Some(took.max((slowest * 7 + took) / 8));
        }
        self.lost.replace(false) != Some(false)
    }

    /// It did not answer, or with rubbish; says whether its loss is news.
    pub(super) fn missed(&mut self, garbled: bool, mapped: u64, now: Monotonic) -> bool {
        if garbled {
            self.statistics.garbled += 1;
            self.garbles = self.garbles.saturating_add(1);
        } else {
            self.statistics.unanswered += 1;
            self.misses = self.misses.saturating_add(1);
            if self.life == Life::Quarantined {
                self.probes = self.probes.wrapping_add(1);
            }
        }
        if garbled && self.life == Life::Quarantined {
            self.back_off_ms = GARBLED_PAUSE_MS;
        } else if self.life == Life::Quarantined {
            self.back_off_ms = (self.back_off_ms * 2).clamp(BACK_OFF_MS.0, BACK_OFF_MS.1);
        } else if self.misses >= MISSES_MAX || self.garbles >= GARBLES_MAX {
            self.life = Life::Quarantined;
            self.probes = 0;
            self.back_off_ms = if garbled { GARBLED_PAUSE_MS } else { BACK_OFF_MS.0 };
            self.renew(mapped);
        } else {
            return false;
        }
        self.probe_at = now.plus_millis(self.back_off_ms);
        self.lost.replace(true) != Some(true)
    }

    /// Whether its outputs are to be told to rest now: tried again only after it has answered something else.
    pub(super) fn takes_rest(&mut self) -> bool {
        let due = self.rests_left > 0 && self.misses == 0 && self.garbles == 0;
        self.rests_left -= u8::from(due);
        due
    }

    /// Its outputs are at rest.
    pub(super) const fn rested(&mut self) {
        self.rests_left = 0;
    }

    /// The channel to read by itself next among those wanted urgently, or among the watched ones in turn.
    pub(super) fn next_single(&mut self, urgent: bool) -> Option<Channel> {
        if urgent {
            let channel = lowest(self.urgent)?;
            self.urgent &= !channel.bit();
            return Some(channel);
        }
        let after = self.watched & u64::MAX.checked_shl(u32::from(self.last_watched)).unwrap_or(0);
        let channel = lowest(if after == 0 { self.watched } else { after })?;
        self.last_watched = channel.number();
        Some(channel)
    }

    /// The channel to read where doors are read one by one: those not told of first, then all in turn.
    pub(super) fn next_swept(&mut self, mapped: u64) -> Option<Channel> {
        let of = if self.untold & mapped == 0 {
            mapped
        } else {
            self.untold & mapped
        };
        let after = of & u64::MAX.checked_shl(u32::from(self.last_swept)).unwrap_or(0);
        let channel = lowest(if after == 0 { of } else { after })?;
        self.last_swept = channel.number();
        Some(channel)
    }

    /// Takes a reading of some doors, in true polarity: what it tells of, and of these what is known. A first reading counts at once; a change counts when
    /// two readings in a row agree, and the second one is asked for.
    pub(super) fn read(&mut self, told: u64, doors: DoorMap, mapped: u64) -> Noticed {
        self.untold &= !told;
        let known = doors.known & mapped;
        let first = known & self.fresh;
        let changed = known & !first & (doors.open ^ self.open);
        let sure = changed & self.doubted;
        self.doubted = (self.doubted & !known) | (changed & !sure);
        self.urgent |= changed & !sure;
        self.fresh &= !first;
        let report = first | sure;
        self.open = (self.open & !report) | (doors.open & report);
        Noticed { report, first }
    }

    /// Whether this door was last reported open.
    pub(super) const fn is_open(&self, channel: Channel) -> bool {
        self.open & channel.bit() != 0
    }

    /// How many milliseconds it takes to answer a read, at its slowest of late.
    pub(super) const fn slowest_ms(&self) -> Option<u64> {
        self.slowest_ms
    }
}

/// The lowest channel of a map.
pub(super) fn lowest(bits: u64) -> Option<Channel> {
    u8::try_from(bits.trailing_zeros() + 1)
        .ok()
        .and_then(Channel::new)
}
