//! Events as they came: stored once per cabinet, branch and number, as exact bytes.

use office_protocol::{Branch, CabinetId, Digest, EventHeader, SealedPart, Seq, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Database, DatabaseError, Writing, digest, number, parse, time, unsigned};
use crate::intake::{Head, Knowledge, Origin, Stored};

type HeadRow = (i64, i64, Vec<u8>, String);

/// What the store knows of a cabinet: its histories' ends and the digests of the wanted numbers.
///
/// # Errors
/// [`DatabaseError`].
pub async fn knowledge(
    tx: &mut Writing,
    cabinet: &CabinetId,
    wanted: &[Seq],
) -> Result<Knowledge, DatabaseError> {
    let rows: Vec<HeadRow> = sqlx::query_as(
        "SELECT branch, head_seq, head_digest, head_start FROM branches WHERE cabinet = $1 ORDER BY branch",
    )
    .bind(cabinet.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let heads = rows.into_iter().map(head).collect::<Result<Vec<_>, _>>()?;
    let mut digests = Vec::new();
    for (first, last) in ranges(wanted) {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT branch, seq, digest FROM events WHERE cabinet = $1 AND seq >= $2 AND seq <= $3",
        )
        .bind(cabinet.as_str())
        .bind(number(first.0))
        .bind(number(last.0))
        .fetch_all(&mut **tx)
        .await?;
        for (branch, seq, bytes) in rows {
            digests.push((branch_of(branch), Seq(unsigned(seq)), digest(&bytes)?));
        }
    }
    Ok(Knowledge::new(heads, digests))
}

fn head((branch, seq, hash, start): HeadRow) -> Result<Head, DatabaseError> {
    Ok(Head {
        branch: branch_of(branch),
        seq: Seq(unsigned(seq)),
        hash: digest(&hash)?,
        start: parse("branches.head_start", &start)?,
    })
}

fn branch_of(value: i64) -> Branch {
    Branch(u32::try_from(value).unwrap_or(u32::MAX))
}

/// Sorted numbers as ranges.
fn ranges(wanted: &[Seq]) -> Vec<(Seq, Seq)> {
    let mut ranges: Vec<(Seq, Seq)> = Vec::new();
    for seq in wanted {
        match ranges.last_mut() {
            Some((_, last)) if last.0.checked_add(1) == Some(seq.0) => *last = *seq,
            Some(_) | None => ranges.push((*seq, *seq)),
        }
    }
    ranges
}

/// Makes one event part of the transaction.
///
/// # Errors
/// [`DatabaseError`].
pub async fn store(
    tx: &mut Writing,
    cabinet: &CabinetId,
    stored: &Stored,
    header: &EventHeader,
    received: Timestamp,
) -> Result<(), DatabaseError> {
    let event = &stored.event;
    let branch = stored.origin.branch();
    let (parent, after) = match stored.origin {
        Origin::Append(_) => (None, Seq::ZERO),
        Origin::Fork { parent, after, .. } => (Some(i64::from(parent.0)), after),
    };
    sqlx::query(
        "INSERT INTO branches (cabinet, branch, parent, after_seq, head_seq, head_digest, head_start) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (cabinet, branch) DO UPDATE SET head_seq = $5, head_digest = $6, head_start = $7",
    )
    .bind(cabinet.as_str())
    .bind(i64::from(branch.0))
    .bind(parent)
    .bind(number(after.0))
    .bind(number(event.seq.0))
    .bind(event.digest.0.as_slice())
    .bind(event.start.to_string())
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO events (cabinet, branch, seq, digest, kind, subject, time, received, bytes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(cabinet.as_str())
    .bind(i64::from(branch.0))
    .bind(number(event.seq.0))
    .bind(event.digest.0.as_slice())
    .bind(&header.kind)
    .bind(&header.subject)
    .bind(header.time.as_millis())
    .bind(received.as_millis())
    .bind(event.bytes.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps a sealed part; one that was erased stays erased.
///
/// # Errors
/// [`DatabaseError`].
pub async fn store_sealed(
    tx: &mut Writing,
    cabinet: &CabinetId,
    part: &SealedPart,
    received: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO sealed_parts (cabinet, digest, bytes, received) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (cabinet, digest) DO NOTHING",
    )
    .bind(cabinet.as_str())
    .bind(part.digest().0.as_slice())
    .bind(part.bytes.as_slice())
    .bind(received.as_millis())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one cabinet.
    pub cabinet: Option<String>,
    /// Of one type.
    pub kind: Option<String>,
    /// About one thing, as `consignment/<id>`.
    pub subject: Option<String>,
    /// Only those that arrived after this.
    pub after: Option<i64>,
    /// Only those that arrived before this.
    pub before: Option<i64>,
    /// Oldest first; newest first otherwise.
    pub ascending: bool,
    /// At most so many.
    pub limit: u32,
}

/// One stored event.
#[derive(Debug, Clone, Serialize)]
pub struct ListedEvent {
    /// The order in which the hub stored them; what paging goes by.
    pub arrival: i64,
    /// The cabinet.
    pub cabinet: String,
    /// Which history.
    pub branch: i64,
    /// When the hub stored it.
    pub received: Timestamp,
    /// Its digest.
    pub digest: Digest,
    /// The event itself.
    pub event: Box<RawValue>,
}

type EventRow = (i64, String, i64, i64, Vec<u8>, Vec<u8>);

impl ListedEvent {
    fn from_row((arrival, cabinet, branch, received, hash, bytes): EventRow) -> Result<Self, DatabaseError> {
        let damaged = |_| DatabaseError::Damaged {
            what: "events.bytes",
            value: format!("event {arrival}"),
        };
        Ok(Self {
            arrival,
            cabinet,
            branch,
            received: time(received),
            digest: digest(&hash)?,
            event: serde_json::from_slice(&bytes).map_err(damaged)?,
        })
    }
}

impl Database {
    /// Lists events.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn events(&self, filter: &Filter) -> Result<Vec<ListedEvent>, DatabaseError> {
        const ASCENDING: &str = "SELECT arrival, cabinet, branch, received, digest, bytes FROM events \
            WHERE ($1 IS NULL OR cabinet = $1) AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR subject = $3) \
            AND arrival > $4 AND arrival < $5 ORDER BY arrival ASC LIMIT $6";
        const DESCENDING: &str = "SELECT arrival, cabinet, branch, received, digest, bytes FROM events \
            WHERE ($1 IS NULL OR cabinet = $1) AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR subject = $3) \
            AND arrival > $4 AND arrival < $5 ORDER BY arrival DESC LIMIT $6";
        let sql = if filter.ascending { ASCENDING } else { DESCENDING };
        let rows: Vec<EventRow> = sqlx::query_as(sql)
            .bind(&filter.cabinet)
            .bind(&filter.kind)
            .bind(&filter.subject)
            .bind(filter.after.unwrap_or(0))
            .bind(filter.before.unwrap_or(i64::MAX))
            .bind(i64::from(filter.limit))
            .fetch_all(self.read())
            .await?;
        rows.into_iter().map(ListedEvent::from_row).collect()
    }

    /// How many events of each type are stored, of one cabinet or of all.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn event_counts(
        &self,
        cabinet: Option<&CabinetId>,
    ) -> Result<Vec<(String, u64)>, DatabaseError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT kind, COUNT(*) FROM events WHERE $1 IS NULL OR cabinet = $1 GROUP BY kind ORDER BY kind",
        )
        .bind(cabinet.map(CabinetId::as_str))
        .fetch_all(self.read())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(kind, count)| (kind, unsigned(count)))
            .collect())
    }

    /// One stored event's bytes.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn event_bytes(
        &self,
        cabinet: &str,
        branch: i64,
        seq: i64,
    ) -> Result<Option<Vec<u8>>, DatabaseError> {
        Ok(
            sqlx::query_scalar("SELECT bytes FROM events WHERE cabinet = $1 AND branch = $2 AND seq = $3")
                .bind(cabinet)
                .bind(branch)
                .bind(seq)
                .fetch_optional(self.read())
                .await?,
        )
    }

    /// A sealed part, unless it was erased.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn sealed_part(
        &self,
        cabinet: &CabinetId,
        digest: Digest,
    ) -> Result<Option<SealedPart>, DatabaseError> {
        let bytes: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT bytes FROM sealed_parts WHERE cabinet = $1 AND digest = $2")
                .bind(cabinet.as_str())
                .bind(digest.0.as_slice())
                .fetch_optional(self.read())
                .await?;
        Ok(bytes.flatten().map(|bytes| SealedPart { bytes }))
    }
}
