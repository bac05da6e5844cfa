//! The bytes of a segment: its header with the checkpoint, and its records. Pure.
//!
//! All numbers are little-endian. A segment is
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic `LOCKERJ\n` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | segment id |
//! | 16 | 8 | sequence number of the first record in this segment |
//! | 24 | 8 | sequence number of the last event that the checkpoint includes |
//! | 32 | 8 | created, wall clock in milliseconds |
//! | 40 | 8 | length of the checkpoint |
//! | 48 | 4 | CRC32C of the checkpoint |
//! | 52 | 8 | zero |
//! | 60 | 4 | CRC32C of the 60 bytes before |
//! | 64 | … | the checkpoint, zeros up to the next multiple of 4096 |
//! | … | … | records, each a multiple of 8 long, then zeros |
//!
//! and a record is
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | length of the record with padding |
//! | 4 | 4 | CRC32C of all its other bytes |
//! | 8 | 4 | segment id |
//! | 12 | 2 | place in its group, 0 = group start |
//! | 14 | 2 | records in its group: a group is complete when all are there |
//! | 16 | 8 | sequence number |
//! | 24 | 4 | length of the event |
//! | 28 | 2 | number of sealed parts |
//! | 30 | 2 | zero |
//! | 32 | 4 each | lengths of the sealed parts |
//! | … | … | the event, the sealed parts, zeros up to a multiple of 8 |

/// The only format version there is.
pub const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub const HEADER_BYTES: usize = 64;
/// Bytes of a record before its sealed lengths.
pub const RECORD_HEAD_BYTES: usize = 32;
/// The longest record.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Records start at a multiple of this.
const PAGE: u64 = 4096;
const MAGIC: &[u8; 8] = b"LOCKERJ\n";

/// One event as it lies in the journal: its number, its exact bytes, and its sealed parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Sequence number, from 1, without gaps.
    pub seq: u64,
    /// The event's bytes, as the office receives them.
    pub event: Vec<u8>,
    /// Parts encrypted to the office.
    pub sealed: Vec<Vec<u8>>,
}

impl Record {
    /// How many bytes it carries: the event and its sealed parts.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.event.len() + self.sealed.iter().map(Vec::len).sum::<usize>()
    }

    /// How many bytes it takes in a segment.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        (RECORD_HEAD_BYTES + 4 * self.sealed.len() + self.payload_bytes()).next_multiple_of(8)
    }
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Segment id, from 1.
    pub segment: u32,
    /// Sequence number of its first record.
    pub first_seq: u64,
    /// The checkpoint includes every event up to this one.
    pub checkpoint_seq: u64,
    /// When it was made, wall clock in milliseconds.
    pub created_ms: i64,
    /// Bytes of the checkpoint.
    pub checkpoint_length: u64,
    /// CRC32C of the checkpoint.
    pub checkpoint_crc: u32,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// Not a header, or damaged.
    Damaged,
    /// Whole, but of a version that this program does not know.
    Version(u32),
}

impl Header {
    /// Where the first record of this segment starts.
    #[must_use]
    pub fn records_start(&self) -> u64 {
        records_start(self.checkpoint_length)
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.checkpoint_seq.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.checkpoint_length.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.checkpoint_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes.get(..HEADER_BYTES).ok_or(HeaderFault::Damaged)?;
        if &bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(HeaderFault::Damaged);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Self {
                segment: u32_at(bytes, 12),
                first_seq: u64_at(bytes, 16),
                checkpoint_seq: u64_at(bytes, 24),
                created_ms: i64::from_le_bytes(u64_at(bytes, 32).to_le_bytes()),
                checkpoint_length: u64_at(bytes, 40),
                checkpoint_crc: u32_at(bytes, 48),
            }),
            other => Err(HeaderFault::Version(other)),
        }
    }
}

/// Where records start after a checkpoint of this length.
#[must_use]
pub fn records_start(checkpoint_length: u64) -> u64 {
    (HEADER_BYTES as u64)
        .saturating_add(checkpoint_length)
        .min(u64::MAX / 2)
        .next_multiple_of(PAGE)
}

/// A record with its place in its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The record.
    pub record: Record,
    /// Place in its group, from 0.
    pub index: u16,
    /// Records in its group.
    pub count: u16,
    /// Bytes that it takes in the segment.
    pub stored_bytes: usize,
}

impl Placed {
    /// Sequence number of the first record of its group.
    #[must_use]
    pub fn group_start(&self) -> u64 {
        self.record.seq.saturating_sub(u64::from(self.index))
    }

    /// Whether it is the last of its group.
    #[must_use]
    pub fn closes_group(&self) -> bool {
        self.index + 1 == self.count
    }
}

/// Appends the bytes of a whole group to `out`.
///
/// The caller has checked that no record is longer than [`RECORD_BYTES_MAX`] and the group no longer than 65,535.
pub fn encode_group(segment: u32, group: &[Record], out: &mut Vec<u8>) {
    let count = group.len() as u16;
    for (index, record) in group.iter().enumerate() {
        let start = out.len();
        let length = record.stored_bytes();
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&segment.to_le_bytes());
        out.extend_from_slice(&(index as u16).to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&record.seq.to_le_bytes());
        out.extend_from_slice(&(record.event.len() as u32).to_le_bytes());
        out.extend_from_slice(&(record.sealed.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        for part in &record.sealed {
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        }
        out.extend_from_slice(&record.event);
        for part in &record.sealed {
            out.extend_from_slice(part);
        }
        out.resize(start + length, 0);
        let crc = record_crc(&out[start..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// What stands at one place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole record.
    Record(Placed),
    /// Perhaps a record, but these many bytes are needed to tell.
    Needs(usize),
    /// No record of this segment.
    Nothing,
}

/// Whether a record may start here: cheap, for searching.
#[must_use]
pub fn plausible(bytes: &[u8], segment: u32) -> bool {
    if bytes.len() < RECORD_HEAD_BYTES {
        return false;
    }
    let length = u32_at(bytes, 0) as usize;
    u32_at(bytes, 8) == segment
        && (RECORD_HEAD_BYTES..=RECORD_BYTES_MAX).contains(&length)
        && length.is_multiple_of(8)
        && u16_at(bytes, 12) < u16_at(bytes, 14)
}

/// Reads the record that starts with `bytes`.
#[must_use]
pub fn decode(bytes: &[u8], segment: u32) -> Decoded {
    if bytes.len() < RECORD_HEAD_BYTES {
        return Decoded::Needs(RECORD_HEAD_BYTES);
    }
    if !plausible(bytes, segment) {
        return Decoded::Nothing;
    }
    let length = u32_at(bytes, 0) as usize;
    let Some(bytes) = bytes.get(..length) else {
        return Decoded::Needs(length);
    };
    if record_crc(bytes) != u32_at(bytes, 4) {
        return Decoded::Nothing;
    }
    match split(bytes) {
        Some(record) => Decoded::Record(Placed {
            record,
            index: u16_at(bytes, 12),
            count: u16_at(bytes, 14),
            stored_bytes: length,
        }),
        None => Decoded::Nothing,
    }
}

fn split(bytes: &[u8]) -> Option<Record> {
    let event_length = u32_at(bytes, 24) as usize;
    let sealed_count = usize::from(u16_at(bytes, 28));
    let lengths = bytes.get(RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + 4 * sealed_count)?;
    let mut rest = &bytes[RECORD_HEAD_BYTES + 4 * sealed_count..];
    let event = rest.split_off(..event_length)?.to_vec();
    let mut sealed = Vec::with_capacity(sealed_count);
    for length in lengths.chunks_exact(4) {
        sealed.push(rest.split_off(..u32_at(length, 0) as usize)?.to_vec());
    }
    Some(Record {
        seq: u64_at(bytes, 16),
        event,
        sealed,
    })
}

fn record_crc(record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&record[..4]), &record[8..])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
