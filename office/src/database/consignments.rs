//! The read model: consignments as the stored events tell of them, changed in the same transaction.

use office_protocol::{CabinetId, Event, EventBody, Timestamp};
use serde::Serialize;

use super::{Database, DatabaseError, Writing, number};
use crate::intake::Stored;

/// Which consignments to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one cabinet.
    pub cabinet: Option<String>,
    /// In one state.
    pub state: Option<String>,
    /// Of one application.
    pub application: Option<String>,
    /// One of this id.
    pub id: Option<String>,
    /// At most so many, changed last first.
    pub limit: u32,
}

/// One consignment. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ListedConsignment {
    /// Its cabinet.
    pub cabinet: String,
    /// The cabinet's history that tells of it.
    pub branch: i64,
    /// Its id.
    pub id: String,
    /// `inbound` (towards the office) or `outbound`.
    pub direction: String,
    /// `dropped-off`, `taken-back`, `cleared`; `placed`, `collected`, `recalled`; `unconfirmed`, `disputed`.
    pub state: String,
    /// Where it is or was.
    pub compartment: i64,
    /// Its application.
    pub application: Option<String>,
    /// Its service item.
    pub item: Option<String>,
    /// Who it is for, as an opaque number.
    pub person: Option<String>,
    /// No pass of the office stood behind the drop-off.
    pub unverified: bool,
    /// Which issue of the pickup code counts.
    pub generation: i64,
    /// When it was put in.
    pub arrived: i64,
    /// When it was taken out.
    pub left_at: Option<i64>,
    /// Until when it is held.
    pub hold_until: Option<i64>,
    /// Time of the last event about it.
    pub changed: i64,
}

/// A consignment that an event puts in.
struct Arrival<'a> {
    direction: &'static str,
    state: &'static str,
    id: &'a str,
    compartment: i64,
    application: Option<&'a str>,
    item: Option<&'a str>,
    person: Option<&'a str>,
    unverified: bool,
    generation: i64,
}

/// Brings the read model up to one stored event. Types that say nothing of a consignment change nothing.
///
/// # Errors
/// [`DatabaseError`].
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "says nothing of a consignment's place"
)]
pub async fn apply(
    tx: &mut Writing,
    cabinet: &CabinetId,
    stored: &Stored,
    event: &Event,
) -> Result<(), DatabaseError> {
    let place = Place {
        cabinet,
        branch: i64::from(stored.origin.branch().0),
        seq: number(event.seq.0),
        time: event.time,
    };
    match &event.body {
        EventBody::DroppedOff {
            consignment,
            compartment,
            application,
            item,
            unverified,
            ..
        } => {
            let arrival = Arrival {
                direction: "inbound",
                state: "dropped-off",
                id: consignment.as_str(),
                compartment: compartment.0.into(),
                application: application.as_ref().map(|id| id.as_str()),
                item: item.as_ref().map(|id| id.as_str()),
                person: None,
                unverified: *unverified,
                generation: 0,
            };
            place.put_in(tx, &arrival).await
        }
        EventBody::Placed {
            consignment,
            compartment,
            application,
            person,
            generation,
            ..
        } => {
            let arrival = Arrival {
                direction: "outbound",
                state: "placed",
                id: consignment.as_str(),
                compartment: compartment.0.into(),
                application: application.as_ref().map(|id| id.as_str()),
                item: None,
                person: person.as_ref().map(|id| id.as_str()),
                unverified: false,
                generation: i64::from(*generation),
            };
            place.put_in(tx, &arrival).await
        }
        EventBody::TakenBack { consignment, .. } => {
            place.taken_out(tx, consignment.as_str(), "taken-back").await
        }
        EventBody::Cleared { consignment, .. } => place.taken_out(tx, consignment.as_str(), "cleared").await,
        EventBody::Collected { consignment, .. } => {
            place.taken_out(tx, consignment.as_str(), "collected").await
        }
        EventBody::Recalled { consignment, .. } => {
            place.taken_out(tx, consignment.as_str(), "recalled").await
        }
        EventBody::CodeReissued {
            consignment,
            generation,
            ..
        } => {
            sqlx::query(
                "UPDATE consignments SET generation = $4, changed = $5, changed_seq = $6 \
                 WHERE cabinet = $1 AND branch = $2 AND id = $3",
            )
            .bind(cabinet.as_str())
            .bind(place.branch)
            .bind(consignment.as_str())
            .bind(i64::from(*generation))
            .bind(place.time.as_millis())
            .bind(place.seq)
            .execute(&mut **tx)
            .await?;
            Ok(())
        }
        EventBody::HoldStarted { consignment, until } => {
            sqlx::query(
                "UPDATE consignments SET hold_until = $4 WHERE cabinet = $1 AND branch = $2 AND id = $3",
            )
            .bind(cabinet.as_str())
            .bind(place.branch)
            .bind(consignment.as_str())
            .bind(until.as_millis())
            .execute(&mut **tx)
            .await?;
            Ok(())
        }
        EventBody::Unconfirmed {
            consignment: Some(id),
            ..
        } => place.became(tx, id.as_str(), "unconfirmed").await,
        EventBody::Disputed {
            consignment: Some(id),
            ..
        } => place.became(tx, id.as_str(), "disputed").await,
        EventBody::Confirmed {
            consignment: Some(id),
            inside,
            ..
        } => place.confirmed(tx, id.as_str(), *inside).await,
        _ => Ok(()),
    }
}

struct Place<'a> {
    cabinet: &'a CabinetId,
    branch: i64,
    seq: i64,
    time: Timestamp,
}

impl Place<'_> {
    async fn put_in(&self, tx: &mut Writing, arrival: &Arrival<'_>) -> Result<(), DatabaseError> {
        sqlx::query(
            "INSERT INTO consignments (cabinet, branch, id, direction, state, compartment, application, item, \
             person, unverified, generation, arrived, changed, changed_seq) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13) \
             ON CONFLICT (cabinet, branch, id) DO UPDATE SET direction = $4, state = $5, compartment = $6, \
             application = $7, item = $8, person = $9, unverified = $10, generation = $11, arrived = $12, \
             left_at = NULL, hold_until = NULL, changed = $12, changed_seq = $13",
        )
        .bind(self.cabinet.as_str())
        .bind(self.branch)
        .bind(arrival.id)
        .bind(arrival.direction)
        .bind(arrival.state)
        .bind(arrival.compartment)
        .bind(arrival.application)
        .bind(arrival.item)
        .bind(arrival.person)
        .bind(arrival.unverified)
        .bind(arrival.generation)
        .bind(self.time.as_millis())
        .bind(self.seq)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn taken_out(&self, tx: &mut Writing, id: &str, state: &str) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE consignments SET state = $4, left_at = $5, changed = $5, changed_seq = $6 \
             WHERE cabinet = $1 AND branch = $2 AND id = $3",
        )
        .bind(self.cabinet.as_str())
        .bind(self.branch)
        .bind(id)
        .bind(state)
        .bind(self.time.as_millis())
        .bind(self.seq)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn became(&self, tx: &mut Writing, id: &str, state: &str) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE consignments SET state = $4, changed = $5, changed_seq = $6 \
             WHERE cabinet = $1 AND branch = $2 AND id = $3",
        )
        .bind(self.cabinet.as_str())
        .bind(self.branch)
        .bind(id)
        .bind(state)
        .bind(self.time.as_millis())
        .bind(self.seq)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// A person looked: it stands as it was put in, or it is gone.
    async fn confirmed(&self, tx: &mut Writing, id: &str, inside: bool) -> Result<(), DatabaseError> {
        if !inside {
            return self.taken_out(tx, id, "missing").await;
        }
        sqlx::query(
            "UPDATE consignments SET state = CASE direction WHEN 'inbound' THEN 'dropped-off' ELSE 'placed' END, \
             changed = $4, changed_seq = $5 WHERE cabinet = $1 AND branch = $2 AND id = $3",
        )
        .bind(self.cabinet.as_str())
        .bind(self.branch)
        .bind(id)
        .bind(self.time.as_millis())
        .bind(self.seq)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

impl Database {
    /// Lists consignments, changed last first.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn consignments(&self, filter: &Filter) -> Result<Vec<ListedConsignment>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT cabinet, branch, id, direction, state, compartment, application, item, person, unverified, \
             generation, arrived, left_at, hold_until, changed FROM consignments \
             WHERE ($1 IS NULL OR cabinet = $1) AND ($2 IS NULL OR state = $2) \
             AND ($3 IS NULL OR application = $3) AND ($4 IS NULL OR id = $4) \
             ORDER BY changed DESC, changed_seq DESC LIMIT $5",
        )
        .bind(&filter.cabinet)
        .bind(&filter.state)
        .bind(&filter.application)
        .bind(&filter.id)
        .bind(i64::from(filter.limit))
        .fetch_all(self.read())
        .await?)
    }
}
