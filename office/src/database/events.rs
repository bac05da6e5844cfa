//! Stored events, listed: once per cabinet, branch and number, as the exact bytes that came.

use office_protocol::{CabinetId, Digest, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Database, DatabaseError, Either, digest, time, unsigned};

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
        let text = if filter.ascending { ASCENDING } else { DESCENDING };
        let (after, mut before) = (filter.after.unwrap_or(0), filter.before.unwrap_or(i64::MAX));
        if filter.ascending {
            before = before.min(self.frontier().await?);
        }
        let rows: Vec<EventRow> = fetch!(
            fetch_all,
            self.read(),
            text,
            &filter.cabinet,
            &filter.kind,
            &filter.subject,
            after,
            before,
            i64::from(filter.limit),
        )?;
        rows.into_iter().map(ListedEvent::from_row).collect()
    }

    /// Where a reader who goes on from the newest must stop: events of transactions that are still under way may yet come before it.
    async fn frontier(&self) -> Result<i64, DatabaseError> {
        let Either::Postgres(pool) = self.read() else {
            return Ok(i64::MAX);
        };
        // Every writer shares this lock until it has committed, so whoever has it alone sees an order without holes.
        let mut tx = pool
            .begin_with("BEGIN; SELECT pg_advisory_xact_lock(8090)")
            .await?;
        let newest: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(arrival), 0) FROM events")
            .fetch_one(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(newest.saturating_add(1))
    }

    /// How many events of each type are stored, of one cabinet or of all.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn event_counts(
        &self,
        cabinet: Option<&CabinetId>,
    ) -> Result<Vec<(String, u64)>, DatabaseError> {
        let rows: Vec<(String, i64)> = fetch!(
            fetch_all,
            self.read(),
            "SELECT kind, COUNT(*) FROM events WHERE $1 IS NULL OR cabinet = $1 GROUP BY kind ORDER BY kind",
            cabinet.map(CabinetId::as_str)
        )?;
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
        Ok(scalar!(
            fetch_optional,
            self.read(),
            "SELECT bytes FROM events WHERE cabinet = $1 AND branch = $2 AND seq = $3",
            cabinet,
            branch,
            seq
        )?)
    }
}
