//! What webhooks still owe: written with the event, sent at least once, in order for each webhook and consignment.

use office_protocol::{CabinetId, Digest, Event, EventBody, Timestamp};

use super::{Database, DatabaseError, Writing, number};
use crate::intake::Stored;

row! {
    /// One delivery that is due.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Delivery {
        /// Its row.
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
        /// When it was due.
        pub due: i64,
        /// Tries so far.
        pub tries: i64,
    }
}

impl Delivery {
    /// What a receiver knows it by: the same in every try, and in a database that was restored from a backup; of no other delivery.
    pub fn name(&self) -> String {
        let parts = format!(
            "{}\n{}\n{}\n{}",
            self.cabinet, self.branch, self.seq, self.webhook
        );
        let digest = Digest::of(parts.as_bytes()).0;
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
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

/// A delivery that an event makes due.
#[derive(Debug)]
pub struct NewDelivery {
    webhook: String,
    kind: &'static str,
    cabinet: CabinetId,
    branch: i64,
    seq: i64,
    consignment: String,
}

/// What every webhook is to be told of a stored event.
pub fn owed<'a>(
    webhooks: &'a [String],
    cabinet: &'a CabinetId,
    stored: &'a Stored,
    event: &'a Event,
) -> impl Iterator<Item = NewDelivery> + 'a {
    let kinds = webhooks.iter().zip(std::iter::repeat(told(&event.body)));
    kinds.filter_map(|(webhook, kind)| {
        Some(NewDelivery {
            webhook: webhook.clone(),
            kind: kind?,
            cabinet: cabinet.clone(),
            branch: i64::from(stored.origin.branch().0),
            seq: number(event.seq.0),
            consignment: event
                .body
                .consignment()
                .map_or_else(String::new, ToString::to_string),
        })
    })
}

/// Owes them, in the events' own transaction.
///
/// # Errors
/// [`DatabaseError`].
pub async fn owe(tx: &mut Writing, deliveries: &[NewDelivery], now: Timestamp) -> Result<(), DatabaseError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    insert_many!(
        tx.on(), deliveries, row =>
        "INSERT INTO webhook_outbox (webhook, kind, cabinet, branch, seq, consignment, created, due)",
        [
            ("$1", "text", row.webhook.as_str()),
            ("$2", "text", row.kind),
            ("$3", "text", row.cabinet.as_str()),
            ("$4", "int8", row.branch),
            ("$5", "int8", row.seq),
            ("$6", "text", row.consignment.as_str()),
            ("$7", "int8", now.as_millis()),
            ("$8", "int8", now.as_millis()),
        ],
        ""
    );
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
        Ok(fetch!(
            fetch_all,
            self.read(),
            "SELECT id, webhook, kind, cabinet, branch, seq, due, tries FROM webhook_outbox AS mine \
             WHERE sent IS NULL AND webhook = $1 AND due <= $2 AND NOT EXISTS (SELECT 1 FROM webhook_outbox AS earlier \
             WHERE earlier.webhook = $1 AND earlier.sent IS NULL AND earlier.id < mine.id \
             AND earlier.cabinet = mine.cabinet AND earlier.consignment = mine.consignment) ORDER BY id LIMIT 32",
            webhook,
            now.as_millis()
        )?)
    }

    /// Takes a delivery until then, so that no other hub sends it too; false when another has taken it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn claim(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE webhook_outbox SET due = $3 WHERE id = $1 AND due = $2 AND sent IS NULL",
            delivery.id,
            delivery.due,
            until.as_millis(),
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// The receiver has taken it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn delivered(&self, id: i64, now: Timestamp) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "UPDATE webhook_outbox SET sent = $2, tries = tries + 1 WHERE id = $1",
            id,
            now.as_millis()
        )?;
        tx.commit().await?;
        Ok(())
    }

    /// It did not get through; the next try is due then.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn postponed(&self, id: i64, due: Timestamp) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "UPDATE webhook_outbox SET due = $2, tries = tries + 1 WHERE id = $1",
            id,
            due.as_millis()
        )?;
        tx.commit().await?;
        Ok(())
    }

    /// How many deliveries wait.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn deliveries_waiting(&self) -> Result<i64, DatabaseError> {
        Ok(scalar!(
            fetch_one,
            self.read(),
            "SELECT COUNT(*) FROM webhook_outbox WHERE sent IS NULL"
        )?)
    }
}
