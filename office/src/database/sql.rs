//! One SQL text for two databases: the same statement, bound and run on whichever is there.

use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use super::DatabaseError;

/// The same thing for either database.
#[derive(Debug, Clone)]
pub enum Either<S, P> {
    /// In the hub's own SQLite file.
    Sqlite(S),
    /// On a PostgreSQL server.
    Postgres(P),
}

/// One transaction that writes; nothing of it stays unless it is committed.
pub type Writing = Either<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>;

impl Writing {
    /// Where its statements run.
    pub fn on(&mut self) -> Either<&mut SqliteConnection, &mut PgConnection> {
        match self {
            Self::Sqlite(transaction) => Either::Sqlite(&mut **transaction),
            Self::Postgres(transaction) => Either::Postgres(&mut **transaction),
        }
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// [`DatabaseError`]; then nothing of it stays.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// `row! { struct … }`: its fields are read from the columns of the same names.
macro_rules! row {
    ($(#[$meta:meta])* $seen:vis struct $name:ident { $($(#[$about:meta])* $shown:vis $field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$meta])*
        $seen struct $name { $($(#[$about])* $shown $field: $kind),+ }

        row!(@from sqlx::sqlite::SqliteRow, $name { $($field),+ });
        row!(@from sqlx::postgres::PgRow, $name { $($field),+ });
    };
    (@from $row:ty, $name:ident { $($field:ident),+ }) => {
        impl sqlx::FromRow<'_, $row> for $name {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                use sqlx::Row;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}

/// `execute!(where, text, values…)`: how many rows were changed.
macro_rules! execute {
    ($on:expr, $text:expr $(, $value:expr)* $(,)?) => {
        match $on {
            $crate::database::Either::Sqlite(on) => {
                sqlx::query($text)$(.bind($value))*.execute(on).await.map(|done| done.rows_affected())
            }
            $crate::database::Either::Postgres(on) => {
                sqlx::query($text)$(.bind($value))*.execute(on).await.map(|done| done.rows_affected())
            }
        }
    };
}

/// `fetch!(fetch_all, where, text, values…)`: rows as tuples or as a `row!`.
macro_rules! fetch {
    ($how:ident, $on:expr, $text:expr $(, $value:expr)* $(,)?) => {
        match $on {
            $crate::database::Either::Sqlite(on) => sqlx::query_as($text)$(.bind($value))*.$how(on).await,
            $crate::database::Either::Postgres(on) => sqlx::query_as($text)$(.bind($value))*.$how(on).await,
        }
    };
}

/// `scalar!(fetch_one, where, text, values…)`: the first column alone.
macro_rules! scalar {
    ($how:ident, $on:expr, $text:expr $(, $value:expr)* $(,)?) => {
        match $on {
            $crate::database::Either::Sqlite(on) => sqlx::query_scalar($text)$(.bind($value))*.$how(on).await,
            $crate::database::Either::Postgres(on) => sqlx::query_scalar($text)$(.bind($value))*.$how(on).await,
        }
    };
}

/// `insert_many!(where, rows, row => "INSERT INTO …", [("$1", "text", row.first), …], "ON CONFLICT …")`: on a server one statement for all
/// rows, in a file one for each.
macro_rules! insert_many {
    ($on:expr, $rows:expr, $row:ident => $into:literal,
     [($first_place:literal, $first_kind:literal, $first:expr) $(, ($place:literal, $kind:literal, $value:expr))* $(,)?], $end:literal) => {
        #[allow(unused_variables, reason = "a value may be the same in all rows")]
        match $on {
            $crate::database::Either::Sqlite(on) => {
                for $row in $rows.iter() {
                    sqlx::query(concat!($into, " VALUES (", $first_place $(, ", ", $place)*, ") ", $end))
                        .bind($first)$(.bind($value))*.execute(&mut *on).await?;
                }
            }
            $crate::database::Either::Postgres(on) => {
                let text = concat!(
                    $into, " SELECT * FROM UNNEST(", $first_place, "::", $first_kind, "[]"
                    $(, ", ", $place, "::", $kind, "[]")*, ") ", $end
                );
                sqlx::query(text)
                    .bind($rows.iter().map(|$row| $first).collect::<Vec<_>>())
                    $(.bind($rows.iter().map(|$row| $value).collect::<Vec<_>>()))*
                    .execute(on).await?;
            }
        }
    };
}

/// `update_many!(where, rows, row => "UPDATE table SET column = given.column", [("$1", "key", "text", row.key), …], "WHERE table.key = given.key")`:
/// on a server one statement for all rows, in a file one for each. No two rows may change the same row of the table.
macro_rules! update_many {
    ($on:expr, $rows:expr, $row:ident => $update:literal,
     [($first_place:literal, $first_name:literal, $first_kind:literal, $first:expr)
      $(, ($place:literal, $name:literal, $kind:literal, $value:expr))* $(,)?], $which:literal) => {
        #[allow(unused_variables, reason = "a value may be the same in all rows")]
        match $on {
            _ if $rows.is_empty() => {}
            $crate::database::Either::Sqlite(on) => {
                let text = concat!(
                    $update, " FROM (SELECT ", $first_place, " AS ", $first_name $(, ", ", $place, " AS ", $name)*, ") AS given ", $which
                );
                for $row in $rows.iter() {
                    sqlx::query(text).bind($first)$(.bind($value))*.execute(&mut *on).await?;
                }
            }
            $crate::database::Either::Postgres(on) => {
                let text = concat!(
                    $update, " FROM UNNEST(", $first_place, "::", $first_kind, "[]" $(, ", ", $place, "::", $kind, "[]")*,
                    ") AS given (", $first_name $(, ", ", $name)*, ") ", $which
                );
                sqlx::query(text)
                    .bind($rows.iter().map(|$row| $first).collect::<Vec<_>>())
                    $(.bind($rows.iter().map(|$row| $value).collect::<Vec<_>>()))*
                    .execute(on).await?;
            }
        }
    };
}
