//! The hub's database: its own SQLite file, or a PostgreSQL that several hubs share. Durable before anything is said.

use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use office_protocol::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use thiserror::Error;

#[macro_use]
mod sql;

pub mod alarms;
pub mod applications;
pub mod batch;
pub mod cabinets;
pub mod consignments;
pub mod directory;
pub mod events;
pub mod histories;
mod instant;
mod migrations;
pub mod outbox;
pub mod personal;
mod rotation;
pub mod said;
pub mod verify;
pub mod versions;

pub use sql::{Either, Writing};

/// The oldest SQLite whose write-ahead log is sound (its WAL-reset fault was mended in 3.51.3).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);
/// How many statements one hub runs at once on a PostgreSQL.
const SERVER_CONNECTIONS: u32 = 8;
/// What is committed is on disk, however the server is set. A hub that hangs in a transaction holds others up no longer than this, and
/// waits no longer for others.
const SERVER_SESSION: [(&str, &str); 3] = [
    ("synchronous_commit", "on"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "10s"),
];

/// PostgreSQL's codes have so many characters, SQLite's are shorter.
const SQLSTATE_LENGTH: usize = 5;

/// A database that does not do what was asked.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The database itself.
    #[error("database: {0}; check that it runs, its disk's space and its owner")]
    Sql(#[from] sqlx::Error),
    /// The tables are not ours, or of a newer version.
    #[error("database: {0}; was it written by a newer version of the hub?")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Built with an old SQLite.
    #[error("SQLite {0} may lose its write-ahead log; build with 3.51.3 or newer")]
    OldSqlite(String),
    /// The key directory was left behind by a rotation.
    #[error(
        "the keys here are of generation {here}, the office's of {newest}: copy the newest key directory to this machine and restart the hub"
    )]
    OldKeys {
        /// Of the key directory.
        here: i64,
        /// Of the office's documents.
        newest: i64,
    },
    /// A row that this program did not write.
    #[error("database: {what} holds {value:?}, which is no such thing; restore the backup")]
    Damaged {
        /// Which column.
        what: &'static str,
        /// What stands there.
        value: String,
    },
}

impl DatabaseError {
    /// Whether what was to be written is what it does not take, as a text that is too long for an index: trying again never helps, and
    /// writing the rest without it does.
    pub fn is_of_data(&self) -> bool {
        let Self::Sql(error) = self else {
            return false;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| {
            if code.len() == SQLSTATE_LENGTH {
                // Data exception, integrity constraint violation, program limit exceeded.
                ["22", "23", "54"].iter().any(|class| code.starts_with(class))
            } else {
                // SQLite's primary codes: too big, constraint, mismatch. The upper bits say more of them.
                code.parse()
                    .is_ok_and(|code: u32| [18, 19, 20].contains(&(code & 0xff)))
            }
        })
    }

    /// Whether trying again may help: the server is away or busy, or two hubs stood in each other's way.
    pub fn may_pass(&self) -> bool {
        let Self::Sql(error) = self else {
            return false;
        };
        match error.as_database_error() {
            // Connection, transaction rollback, resources, operator intervention, lock not available, idle transaction ended.
            Some(error) => error.code().is_some_and(|code| {
                let classes = ["08", "40", "53", "57"];
                classes.iter().any(|class| code.starts_with(class)) || code == "55P03" || code == "25P03"
            }),
            None => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_)
            ),
        }
    }
}

/// Where a database is. Its text may hold a password: never shown.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file, made when it is not there.
    File(PathBuf),
    /// A database on a PostgreSQL server.
    Server(Box<PgConnectOptions>),
}

impl Location {
    /// From the setting `database`: `postgres://user@host/name`, or `postgres:///name?host=/run/postgresql` for a socket. A server on
    /// another machine must prove who it is: `sslmode=verify-full`.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead; never the text itself, which may hold a password.
    pub fn server(text: &str) -> Result<Self, String> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(
                "database: write postgres://user@host/name, or leave it out for a file in `directory`".into(),
            );
        }
        let options =
            PgConnectOptions::from_str(text).map_err(|_| "this is no address of a database".to_owned())?;
        let local = options.get_socket().is_some()
            || options.get_host().starts_with('/')
            || crate::mqtt::is_local(options.get_host());
        let proven = matches!(options.get_ssl_mode(), sqlx::postgres::PgSslMode::VerifyFull);
        if local || proven {
            Ok(Self::Server(Box::new(options)))
        } else {
            Err("the server is not on this machine: add ?sslmode=verify-full (and sslrootcert=…) to its address".into())
        }
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(_) => f.write_str("a PostgreSQL server"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Location {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::server(&text).map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, Clone)]
struct File {
    write: SqlitePool,
    read: SqlitePool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Database(Either<File, PgPool>);

impl Database {
    /// Opens the database, and brings its tables up to date.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(location: &Location) -> Result<Self, DatabaseError> {
        match location {
            Location::File(path) => Self::open_file(path).await,
            Location::Server(options) => Self::open_server(options).await,
        }
    }

    async fn open_file(path: &PathBuf) -> Result<Self, DatabaseError> {
        // Nobody else on this machine reads it; SQLite gives the files beside it the same mode.
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is erased is overwritten.
            .pragma("secure_delete", "ON")
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
        migrations::sqlite().run(&write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self(Either::Sqlite(File { write, read })))
    }

    async fn open_server(options: &PgConnectOptions) -> Result<Self, DatabaseError> {
        let options = options.clone().application_name("office").options(SERVER_SESSION);
        let pool = PgPoolOptions::new()
            .max_connections(SERVER_CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        migrations::postgres().run(&pool).await?;
        Ok(Self(Either::Postgres(pool)))
    }

    /// Begins to write: alone on a file, beside others on a server.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn writing(&self) -> Result<Writing, DatabaseError> {
        Ok(match &self.0 {
            Either::Sqlite(file) => Either::Sqlite(file.write.begin_with("BEGIN IMMEDIATE").await?),
            // Shared by all who write, so that a reader can wait for those under way: see `events`.
            Either::Postgres(pool) => Either::Postgres(
                pool.begin_with("BEGIN; SELECT pg_advisory_xact_lock_shared(8090)")
                    .await?,
            ),
        })
    }

    /// What is committed.
    pub fn read(&self) -> Either<&SqlitePool, &PgPool> {
        match &self.0 {
            Either::Sqlite(file) => Either::Sqlite(&file.read),
            Either::Postgres(pool) => Either::Postgres(pool),
        }
    }

    /// Closes it in good order.
    pub async fn close(&self) {
        match &self.0 {
            Either::Sqlite(file) => {
                file.read.close().await;
                file.write.close().await;
            }
            Either::Postgres(pool) => pool.close().await,
        }
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
