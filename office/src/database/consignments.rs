//! The read model: consignments as the stored events tell of them, changed in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::{CabinetId, ConsignmentId, Event, EventBody};
use serde::Serialize;

use super::{Database, DatabaseError, Either, Writing, instant, number};
use crate::intake::Stored;

macro_rules! columns {
    ($which:literal) => {
        concat!(
            "SELECT cabinet, branch, id, direction, state, compartment, application, item, person, unverified, \
             generation, arrived, left_at, hold_until, changed, changed_seq FROM consignments",
            $which
        )
    };
}

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

/// What a consignment can be: towards the office, towards a citizen, in doubt.
pub const STATES: [&str; 9] = [
    "dropped-off",
    "taken-back",
    "cleared",
    "placed",
    "collected",
    "recalled",
    "unconfirmed",
    "disputed",
    "missing",
];

row! {
    /// One consignment. Times are milliseconds since 1970, in JSON as RFC 3339.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct ListedConsignment {
        /// Its cabinet.
        pub cabinet: String,
        /// The cabinet's history that tells of it.
        pub branch: i64,
        /// Its id.
        pub id: String,
        /// `inbound` (towards the office) or `outbound`.
        pub direction: String,
        /// One of [`STATES`].
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
        #[serde(serialize_with = "instant::shown")]
        pub arrived: i64,
        /// When it was taken out.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub left_at: Option<i64>,
        /// Until when it is held.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub hold_until: Option<i64>,
        /// Time of the last event about it.
        #[serde(serialize_with = "instant::shown")]
        pub changed: i64,
        /// Number of that event.
        pub changed_seq: i64,
    }
}

/// Which consignment: cabinet, history, id.
pub type Key = (String, i64, String);

/// The consignments that a batch of events changes.
#[derive(Debug, Default)]
pub struct Changing {
    rows: BTreeMap<Key, ListedConsignment>,
    changed: BTreeSet<Key>,
}

/// The consignment whose place or state an event changes.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "says nothing of a consignment's place"
)]
fn changes(body: &EventBody) -> Option<&ConsignmentId> {
    use EventBody as E;
    match body {
        E::DroppedOff { .. }
        | E::TakenBack { .. }
        | E::Cleared { .. }
        | E::Placed { .. }
        | E::CodeReissued { .. }
        | E::HoldStarted { .. }
        | E::Collected { .. }
        | E::Recalled { .. }
        | E::Unconfirmed { .. }
        | E::Confirmed { .. }
        | E::Disputed { .. } => body.consignment(),
        _ => None,
    }
}

/// Which consignment a stored event changes.
pub fn key(cabinet: &CabinetId, stored: &Stored, event: &Event) -> Option<Key> {
    let id = changes(&event.body)?;
    Some((
        cabinet.to_string(),
        i64::from(stored.origin.branch().0),
        id.to_string(),
    ))
}

impl Changing {
    /// Reads those that are known of these. Of a history that has parted from another one, what that one knew by then.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn read(tx: &mut Writing, keys: &BTreeSet<Key>) -> Result<Self, DatabaseError> {
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<ListedConsignment> = match tx.on() {
            Either::Sqlite(on) => {
                let text = columns!(" WHERE cabinet = $1 AND branch = $2 AND id = $3");
                let mut rows = Vec::new();
                for (cabinet, branch, id) in keys {
                    let row = sqlx::query_as(text).bind(cabinet).bind(branch).bind(id);
                    rows.extend(row.fetch_optional(&mut *on).await?);
                }
                rows
            }
            Either::Postgres(on) => {
                let text = columns!(
                    " JOIN UNNEST($1::text[], $2::int8[], $3::text[]) AS wanted (cabinet, branch, id) \
                     USING (cabinet, branch, id)"
                );
                sqlx::query_as(text)
                    .bind(keys.iter().map(|key| key.0.as_str()).collect::<Vec<_>>())
                    .bind(keys.iter().map(|key| key.1).collect::<Vec<_>>())
                    .bind(keys.iter().map(|key| key.2.as_str()).collect::<Vec<_>>())
                    .fetch_all(on)
                    .await?
            }
        };
        let key = |row: &ListedConsignment| (row.cabinet.clone(), row.branch, row.id.clone());
        let mut rows: BTreeMap<Key, ListedConsignment> =
            rows.into_iter().map(|row| (key(&row), row)).collect();
        let mut changing = Self::default();
        // Where histories have parted, which is rare.
        for key in keys.iter().filter(|key| key.1 > 0 && !rows.contains_key(*key)) {
            for bytes in before_the_parting(tx, key).await? {
                if let Ok(event) = Event::parse(&bytes) {
                    changing.apply(key.clone(), &event);
                }
            }
        }
        rows.append(&mut changing.rows);
        Ok(Self {
            rows,
            changed: BTreeSet::new(),
        })
    }

    /// Brings the read model up to one event. Of a consignment that was never put in, nothing is known.
    pub fn apply(&mut self, key: Key, event: &Event) {
        let row = match put_in(&key, event) {
            Some(row) => self.rows.entry(key.clone()).insert_entry(row).into_mut(),
            None => match self.rows.get_mut(&key) {
                Some(row) => row,
                None => return,
            },
        };
        row.go_on(event);
        self.changed.insert(key);
    }

    /// Makes the changes part of the transaction.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn write(self, tx: &mut Writing) -> Result<(), DatabaseError> {
        let rows: Vec<&ListedConsignment> =
            self.changed.iter().filter_map(|key| self.rows.get(key)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        insert_many!(
            tx.on(), rows, row =>
            "INSERT INTO consignments (cabinet, branch, id, direction, state, compartment, application, item, person, \
             unverified, generation, arrived, left_at, hold_until, changed, changed_seq)",
            [
                ("$1", "text", row.cabinet.as_str()),
                ("$2", "int8", row.branch),
                ("$3", "text", row.id.as_str()),
                ("$4", "text", row.direction.as_str()),
                ("$5", "text", row.state.as_str()),
                ("$6", "int8", row.compartment),
                ("$7", "text", row.application.as_deref()),
                ("$8", "text", row.item.as_deref()),
                ("$9", "text", row.person.as_deref()),
                ("$10", "bool", row.unverified),
                ("$11", "int8", row.generation),
                ("$12", "int8", row.arrived),
                ("$13", "int8", row.left_at),
                ("$14", "int8", row.hold_until),
                ("$15", "int8", row.changed),
                ("$16", "int8", row.changed_seq),
            ],
            "ON CONFLICT (cabinet, branch, id) DO UPDATE SET direction = excluded.direction, state = excluded.state, \
             compartment = excluded.compartment, application = excluded.application, item = excluded.item, \
             person = excluded.person, unverified = excluded.unverified, generation = excluded.generation, \
             arrived = excluded.arrived, left_at = excluded.left_at, hold_until = excluded.hold_until, \
             changed = excluded.changed, changed_seq = excluded.changed_seq"
        );
        Ok(())
    }
}

/// What earlier histories tell of a consignment of this one, up to where it parted from them: the events in order.
async fn before_the_parting(
    tx: &mut Writing,
    (cabinet, branch, id): &Key,
) -> Result<Vec<Vec<u8>>, DatabaseError> {
    Ok(scalar!(
        fetch_all,
        tx.on(),
        "WITH RECURSIVE lineage (branch, until) AS ( \
         SELECT parent, after_seq FROM branches WHERE cabinet = $1 AND branch = $2 \
         UNION ALL \
         SELECT parent, CASE WHEN after_seq < until THEN after_seq ELSE until END \
         FROM branches JOIN lineage ON branches.branch = lineage.branch WHERE cabinet = $1) \
         SELECT bytes FROM events JOIN lineage ON events.branch = lineage.branch AND seq <= until \
         WHERE cabinet = $1 AND subject = $3 ORDER BY seq",
        cabinet,
        branch,
        format!("consignment/{id}")
    )?)
}

/// The consignment that an event puts in.
#[allow(clippy::wildcard_enum_match_arm, reason = "nothing else puts one in")]
fn put_in((cabinet, branch, id): &Key, event: &Event) -> Option<ListedConsignment> {
    let row = |direction: &str, state: &str, compartment: office_protocol::CompartmentId| ListedConsignment {
        cabinet: cabinet.clone(),
        branch: *branch,
        id: id.clone(),
        direction: direction.into(),
        state: state.into(),
        compartment: compartment.0.into(),
        application: None,
        item: None,
        person: None,
        unverified: false,
        generation: 0,
        arrived: event.time.as_millis(),
        left_at: None,
        hold_until: None,
        changed: 0,
        changed_seq: 0,
    };
    match &event.body {
        EventBody::DroppedOff {
            compartment,
            application,
            item,
            unverified,
            ..
        } => Some(ListedConsignment {
            application: application.as_ref().map(ToString::to_string),
            item: item.as_ref().map(ToString::to_string),
            unverified: *unverified,
            ..row("inbound", "dropped-off", *compartment)
        }),
        EventBody::Placed {
            compartment,
            application,
            person,
            generation,
            ..
        } => Some(ListedConsignment {
            application: application.as_ref().map(ToString::to_string),
            person: person.as_ref().map(ToString::to_string),
            generation: i64::from(*generation),
            ..row("outbound", "placed", *compartment)
        }),
        _ => None,
    }
}

impl ListedConsignment {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "says nothing of a consignment's place"
    )]
    fn go_on(&mut self, event: &Event) {
        let time = event.time.as_millis();
        match &event.body {
            EventBody::TakenBack { .. } => self.taken_out("taken-back", time),
            EventBody::Cleared { .. } => self.taken_out("cleared", time),
            EventBody::Collected { .. } => self.taken_out("collected", time),
            EventBody::Recalled { .. } => self.taken_out("recalled", time),
            EventBody::CodeReissued { generation, .. } => self.generation = i64::from(*generation),
            EventBody::HoldStarted { until, .. } => self.hold_until = Some(until.as_millis()),
            EventBody::Unconfirmed { .. } => "unconfirmed".clone_into(&mut self.state),
            EventBody::Disputed { .. } => "disputed".clone_into(&mut self.state),
            // A person looked: it stands as it was put in, or it is gone.
            EventBody::Confirmed { inside: false, .. } => self.taken_out("missing", time),
            EventBody::Confirmed { inside: true, .. } => self.inside(),
            _ => {}
        }
        self.changed = time;
        self.changed_seq = number(event.seq.0);
    }

    fn inside(&mut self) {
        let state = if self.direction == "inbound" {
            "dropped-off"
        } else {
            "placed"
        };
        state.clone_into(&mut self.state);
        self.left_at = None;
    }

    fn taken_out(&mut self, state: &str, time: i64) {
        state.clone_into(&mut self.state);
        self.left_at = Some(time);
    }
}

impl Database {
    /// Lists consignments, changed last first.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn consignments(&self, filter: &Filter) -> Result<Vec<ListedConsignment>, DatabaseError> {
        Ok(fetch!(
            fetch_all,
            self.read(),
            columns!(
                " WHERE ($1 IS NULL OR cabinet = $1) AND ($2 IS NULL OR state = $2) \
                 AND ($3 IS NULL OR application = $3) AND ($4 IS NULL OR id = $4) \
                 ORDER BY changed DESC, changed_seq DESC LIMIT $5"
            ),
            &filter.cabinet,
            &filter.state,
            &filter.application,
            &filter.id,
            i64::from(filter.limit),
        )?)
    }
}
