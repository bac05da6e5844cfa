//! Alarms that stand or stood: the cabinets' own and the hub's about them.

use office_protocol::Timestamp;
use serde::Serialize;

use super::{Database, DatabaseError, Writing, instant};

/// Who raised an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The cabinet, by an event.
    Cabinet,
    /// The hub.
    Hub,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cabinet => "cabinet",
            Self::Hub => "hub",
        }
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy)]
pub struct AlarmKey<'a> {
    /// The cabinet.
    pub cabinet: &'a str,
    /// The alarm's code.
    pub alarm: &'a str,
    /// Who says so.
    pub source: Source,
    /// Where.
    pub compartment: Option<i64>,
}

/// A cabinet's certificate ends soon: it must be given another.
pub fn certificate_ends(cabinet: &str) -> AlarmKey<'_> {
    AlarmKey {
        cabinet,
        alarm: "certificate-ends",
        source: Source::Hub,
        compartment: None,
    }
}

row! {
    /// One alarm. Times are milliseconds since 1970, in JSON as RFC 3339.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct ListedAlarm {
        /// Its number.
        pub id: i64,
        /// The cabinet.
        pub cabinet: String,
        /// What.
        pub alarm: String,
        /// `cabinet` or `hub`.
        pub source: String,
        /// Where.
        pub compartment: Option<i64>,
        /// When first.
        #[serde(serialize_with = "instant::shown")]
        pub raised: i64,
        /// When last.
        #[serde(serialize_with = "instant::shown")]
        pub last: i64,
        /// How often since then.
        pub times: i64,
        /// When it ended.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub cleared: Option<i64>,
    }
}

/// Raises alarms so many times; one that stands already is counted. Each key once.
///
/// # Errors
/// [`DatabaseError`].
pub async fn raise(
    tx: &mut Writing,
    alarms: &[(AlarmKey<'_>, u32)],
    now: Timestamp,
) -> Result<(), DatabaseError> {
    if alarms.is_empty() {
        return Ok(());
    }
    insert_many!(
        tx.on(), alarms, row =>
        "INSERT INTO alarms (cabinet, alarm, source, compartment, raised, last, times)",
        [
            ("$1", "text", row.0.cabinet),
            ("$2", "text", row.0.alarm),
            ("$3", "text", row.0.source.as_str()),
            ("$4", "int8", row.0.compartment),
            ("$5", "int8", now.as_millis()),
            ("$6", "int8", now.as_millis()),
            ("$7", "int8", i64::from(row.1)),
        ],
        "ON CONFLICT (cabinet, alarm, source, COALESCE(compartment, -1)) WHERE cleared IS NULL \
         DO UPDATE SET times = alarms.times + excluded.times, last = excluded.last"
    );
    Ok(())
}

/// Ends alarms that stand. Each key once.
///
/// # Errors
/// [`DatabaseError`].
pub async fn clear(tx: &mut Writing, alarms: &[AlarmKey<'_>], now: Timestamp) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), alarms, row =>
        "UPDATE alarms SET cleared = given.at",
        [
            ("$1", "cabinet", "text", row.cabinet),
            ("$2", "alarm", "text", row.alarm),
            ("$3", "source", "text", row.source.as_str()),
            ("$4", "compartment", "int8", row.compartment),
            ("$5", "at", "int8", now.as_millis()),
        ],
        "WHERE alarms.cabinet = given.cabinet AND alarms.alarm = given.alarm AND alarms.source = given.source \
         AND COALESCE(alarms.compartment, -1) = COALESCE(given.compartment, -1) AND cleared IS NULL"
    );
    Ok(())
}

impl Database {
    /// Lists alarms, newest first; only those that stand unless `all`.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn alarms(&self, all: bool, limit: u32) -> Result<Vec<ListedAlarm>, DatabaseError> {
        Ok(fetch!(
            fetch_all,
            self.read(),
            "SELECT id, cabinet, alarm, source, compartment, raised, last, times, cleared FROM alarms \
             WHERE $1 OR cleared IS NULL ORDER BY last DESC, id DESC LIMIT $2",
            all,
            i64::from(limit)
        )?)
    }

    /// An operator has seen to it.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn clear_alarm(&self, id: i64, now: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE alarms SET cleared = $2 WHERE id = $1 AND cleared IS NULL",
            id,
            now.as_millis()
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }
}
