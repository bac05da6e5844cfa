//! What to give up as the disk fills. Pure.

/// How much room there is for the journal; each level includes what the levels before it give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Enough.
    Plenty,
    /// Drop the index: it can be rebuilt.
    DropIndex,
    /// Drop segments that the office has acknowledged, however young.
    DropAcknowledged,
    /// Take no new drop-offs: only the reserve is left, and it is for collections.
    RefuseDropOffs,
    /// Journal no diagnostics either: the reserve is half used.
    QuietDiagnostics,
}

impl Space {
    /// `free` and `ready` (blank segments) in bytes.
    pub(super) fn judge(free: u64, ready: u64, segment_bytes: u64, reserve_segments: usize) -> Self {
        let reserve = reserve_segments as u64 * segment_bytes;
        let room = free.saturating_add(ready);
        if room < reserve.div_ceil(2) {
            Self::QuietDiagnostics
        } else if room < reserve + segment_bytes {
            Self::RefuseDropOffs
        } else if room < reserve + 4 * segment_bytes {
            Self::DropAcknowledged
        } else if room < reserve + 12 * segment_bytes {
            Self::DropIndex
        } else {
            Self::Plenty
        }
    }
}
