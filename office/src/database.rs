//! The hub's database: one SQLite file, one writer, durable before anything is said.

use std::path::Path;
use std::time::Duration;

use office_protocol::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use thiserror::Error;

pub mod alarms;
pub mod cabinets;
pub mod consignments;
pub mod directory;
pub mod events;
pub mod outbox;
pub mod verify;

/// The oldest SQLite whose write-ahead log is sound (its WAL-reset fault was mended in 3.51.3).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// A database that does not do what was asked.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The database itself.
    #[error("database: {0}; check the disk's space and the file's owner")]
    Sql(#[from] sqlx::Error),
    /// The tables are not ours, or of a newer version.
    #[error("database: {0}; was it written by a newer version of the hub?")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Built with an old SQLite.
    #[error("SQLite {0} may lose its write-ahead log; build with 3.51.3 or newer")]
    OldSqlite(String),
    /// A row that this program did not write.
    #[error("database: {what} holds {value:?}, which is no such thing; restore the backup")]
    Damaged {
        /// Which column.
        what: &'static str,
        /// What stands there.
        value: String,
    },
}

/// One transaction that writes; nothing of it stays unless it is committed.
pub type Writing = Transaction<'static, Sqlite>;

/// See the module.
#[derive(Debug, Clone)]
pub struct Database {
    write: SqlitePool,
    read: SqlitePool,
}

impl Database {
    /// Opens or makes the file, and brings its tables up to date.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let (version,): (String,) = sqlx::query_as("SELECT sqlite_version()")
            .fetch_one(&write)
            .await?;
        if !new_enough(&version) {
            return Err(DatabaseError::OldSqlite(version));
        }
        sqlx::migrate!("./migrations").run(&write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { write, read })
    }

    /// Begins to write, alone.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn writing(&self) -> Result<Writing, DatabaseError> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// What is committed.
    pub fn read(&self) -> &SqlitePool {
        &self.read
    }

    /// Closes the file in good order.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    (part(), part(), part()) >= SQLITE_MIN
}

/// A sequence number or count as the database keeps it; above 2^63 it saturates, which no journal reaches.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn time(value: i64) -> Timestamp {
    Timestamp::from_millis(value)
}

/// Reads a text column back into its type.
fn parse<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, DatabaseError> {
    text.parse().map_err(|_| DatabaseError::Damaged {
        what,
        value: text.to_owned(),
    })
}

fn parse_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DatabaseError> {
    serde_json::from_str(text).map_err(|_| DatabaseError::Damaged {
        what,
        value: text.to_owned(),
    })
}

fn digest(bytes: &[u8]) -> Result<office_protocol::Digest, DatabaseError> {
    let damaged = |_| DatabaseError::Damaged {
        what: "digest",
        value: format!("{} bytes", bytes.len()),
    };
    bytes.try_into().map(office_protocol::Digest).map_err(damaged)
}

/// A serde code (`kebab-case`) as plain text.
pub(crate) fn code<T: serde::Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("codes are texts");
    text.trim_matches('"').to_owned()
}
