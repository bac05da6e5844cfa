//! The versions of the documents that were signed for cabinets, what cabinets say of them, and the generation of the keys that sign.

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::document::{DocumentName, Reported};
use office_protocol::{CabinetId, Timestamp};

use super::{DatabaseError, Either, Writing, code, number, parse, unsigned};

/// What cabinets say of their documents.
///
/// # Errors
/// [`DatabaseError`].
pub async fn reported(
    tx: &mut Writing,
    reported: &BTreeMap<(CabinetId, DocumentName), Reported>,
) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), reported, row =>
        "UPDATE documents SET reported_version = given.version, refused = given.refused",
        [
            ("$1", "cabinet", "text", row.0.0.as_str()),
            ("$2", "name", "text", row.0.1.as_str()),
            ("$3", "version", "int8", number(row.1.version)),
            ("$4", "refused", "text", row.1.refused.as_ref().map(code)),
        ],
        "WHERE documents.cabinet = given.cabinet AND documents.name = given.name \
         AND (reported_version IS NULL OR reported_version <= given.version)"
    );
    Ok(())
}

/// These cabinets have documents of these versions. Where that is more than was ever signed here, the database was restored from a
/// backup: what is signed next has a higher version. Says whose documents those are.
///
/// # Errors
/// [`DatabaseError`].
pub async fn applied(
    tx: &mut Writing,
    versions: &BTreeMap<(CabinetId, DocumentName), u64>,
) -> Result<BTreeSet<CabinetId>, DatabaseError> {
    let mut behind = BTreeSet::new();
    if versions.is_empty() {
        return Ok(behind);
    }
    macro_rules! overtaken {
        ($rows:literal) => {
            concat!(
                "INSERT INTO documents (cabinet, name, version, content) ",
                $rows,
                " ON CONFLICT (cabinet, name) DO UPDATE SET version = excluded.version, content = '' \
                 WHERE documents.version < excluded.version RETURNING cabinet"
            )
        };
    }
    let found: Vec<String> = match tx.on() {
        Either::Sqlite(on) => {
            let mut found = Vec::new();
            for ((cabinet, name), version) in versions {
                let text = overtaken!("VALUES ($1, $2, $3, '')");
                let one = sqlx::query_scalar(text)
                    .bind(cabinet.as_str())
                    .bind(name.as_str());
                found.extend(one.bind(number(*version)).fetch_optional(&mut *on).await?);
            }
            found
        }
        Either::Postgres(on) => {
            let text = overtaken!(
                "SELECT cabinet, name, version, '' FROM UNNEST($1::text[], $2::text[], $3::int8[]) AS given (cabinet, name, version)"
            );
            sqlx::query_scalar(text)
                .bind(versions.keys().map(|key| key.0.as_str()).collect::<Vec<_>>())
                .bind(versions.keys().map(|key| key.1.as_str()).collect::<Vec<_>>())
                .bind(
                    versions
                        .values()
                        .map(|version| number(*version))
                        .collect::<Vec<_>>(),
                )
                .fetch_all(on)
                .await?
        }
    };
    for id in found {
        behind.insert(parse("documents.cabinet", &id)?);
    }
    Ok(behind)
}

/// Keeps other hubs from composing this cabinet's documents until the transaction ends.
///
/// # Errors
/// [`DatabaseError`].
pub async fn hold(tx: &mut Writing, cabinet: &CabinetId) -> Result<(), DatabaseError> {
    if let Either::Postgres(on) = tx.on() {
        sqlx::query("SELECT 1 FROM cabinets WHERE id = $1 FOR NO KEY UPDATE")
            .bind(cabinet.as_str())
            .execute(on)
            .await?;
    }
    Ok(())
}

/// The version under which this content goes to a cabinet: the same as before, or, when it has changed, milliseconds since 1970, but one
/// more than before at least. So a database restored from a backup gives no version again that went to a cabinet already.
///
/// # Errors
/// [`DatabaseError`].
pub async fn version(
    tx: &mut Writing,
    cabinet: &CabinetId,
    name: DocumentName,
    content: &str,
    now: Timestamp,
) -> Result<u64, DatabaseError> {
    let known: Option<(i64, String)> = fetch!(
        fetch_optional,
        tx.on(),
        "SELECT version, content FROM documents WHERE cabinet = $1 AND name = $2",
        cabinet.as_str(),
        name.as_str(),
    )?;
    if let Some((version, _)) = known.as_ref().filter(|(_, known)| known == content) {
        return Ok(unsigned(*version));
    }
    let version: i64 = scalar!(
        fetch_one,
        tx.on(),
        "INSERT INTO documents (cabinet, name, version, content) VALUES ($1, $2, $4, $3) \
         ON CONFLICT (cabinet, name) DO UPDATE SET content = $3, \
         version = CASE WHEN documents.version < $4 THEN $4 ELSE documents.version + 1 END RETURNING version",
        cabinet.as_str(),
        name.as_str(),
        content,
        now.as_millis(),
    )?;
    Ok(unsigned(version))
}

/// Says with keys of which generation a document is about to be signed. Once newer ones have signed, older ones sign nothing more: two
/// hubs with different keys would overtake each other's documents for ever.
///
/// # Errors
/// [`DatabaseError::OldKeys`], and others.
pub async fn sign_with(tx: &mut Writing, here: i64) -> Result<(), DatabaseError> {
    let newest: Option<i64> = scalar!(fetch_optional, tx.on(), "SELECT generation FROM key_generation")?;
    match newest {
        Some(newest) if here < newest => Err(DatabaseError::OldKeys { here, newest }),
        Some(newest) if here == newest => Ok(()),
        Some(_) | None => {
            execute!(
                tx.on(),
                "INSERT INTO key_generation (one, generation) VALUES (1, $1) \
                 ON CONFLICT (one) DO UPDATE SET generation = excluded.generation \
                 WHERE key_generation.generation < excluded.generation",
                here
            )?;
            Ok(())
        }
    }
}
