//! What webhooks still owe: written with the event, sent at least once, in order for each webhook and consignment.

use office_protocol::{CabinetId, Event, EventBody, Timestamp};

use super::{Database, DatabaseError, Writing, number};
use crate::intake::Stored;

/// One delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Its number, the same in every try.
    pub id: i64,
    /// Which webhook.
    pub webhook: String,
    /// What happened, without `locker.`.
    pub kind: String,
    /// The cabinet.
    pub cabinet: String,
    /// Its history.
    pub branch: i64,
    /// The event.
    pub seq: i64,
    /// Tries so far.
    pub tries: i64,
}

/// What webhooks tell of.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the approval system is told of hand-overs only"
)]
fn told(body: &EventBody) -> Option<&'static str> {
    match body {
        EventBody::DroppedOff { .. } => Some("dropped-off"),
        EventBody::TakenBack { .. } => Some("taken-back"),
        EventBody::Cleared { .. } => Some("cleared"),
        EventBody::Placed { .. } => Some("placed"),
        EventBody::CodeReissued { .. } => Some("code-reissued"),
        EventBody::Collected { .. } => Some("collected"),
        EventBody::Recalled { .. } => Some("recalled"),
        EventBody::Disputed { .. } => Some("disputed"),
        _ => None,
    }
}

/// Owes an event to every webhook, in the event's own transaction.
///
/// # Errors
/// [`DatabaseError`].
pub async fn owe(
    tx: &mut Writing,
    webhooks: &[String],
    cabinet: &CabinetId,
    stored: &Stored,
    event: &Event,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let Some(kind) = told(&event.body) else {
        return Ok(());
    };
    let consignment = event.body.consignment().map_or("", |id| id.as_str());
    for webhook in webhooks {
        sqlx::query(
            "INSERT INTO webhook_outbox (webhook, kind, cabinet, branch, seq, consignment, created, due) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        )
        .bind(webhook)
        .bind(kind)
        .bind(cabinet.as_str())
        .bind(i64::from(stored.origin.branch().0))
        .bind(number(event.seq.0))
        .bind(consignment)
        .bind(now.as_millis())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

impl Database {
    /// What is due: never one while an earlier one of the same webhook and consignment waits.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn due_deliveries(
        &self,
        webhook: &str,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT id, webhook, kind, cabinet, branch, seq, tries FROM webhook_outbox AS mine \
             WHERE sent IS NULL AND webhook = $1 AND due <= $2 AND NOT EXISTS (SELECT 1 FROM webhook_outbox AS earlier \
             WHERE earlier.webhook = $1 AND earlier.sent IS NULL AND earlier.id < mine.id \
             AND earlier.cabinet = mine.cabinet AND earlier.consignment = mine.consignment) ORDER BY id LIMIT 32",
        )
        .bind(webhook)
        .bind(now.as_millis())
        .fetch_all(self.read())
        .await?)
    }

    /// The receiver has taken it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn delivered(&self, id: i64, now: Timestamp) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        sqlx::query("UPDATE webhook_outbox SET sent = $2, tries = tries + 1 WHERE id = $1")
            .bind(id)
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// It did not get through; the next try is due then.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn postponed(&self, id: i64, due: Timestamp) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        sqlx::query("UPDATE webhook_outbox SET due = $2, tries = tries + 1 WHERE id = $1")
            .bind(id)
            .bind(due.as_millis())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// How many deliveries wait.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn deliveries_waiting(&self) -> Result<i64, DatabaseError> {
        Ok(
            sqlx::query_scalar("SELECT COUNT(*) FROM webhook_outbox WHERE sent IS NULL")
                .fetch_one(self.read())
                .await?,
        )
    }
}
