//! Cabinets: their keys, what they last said of themselves, and their commands.

use office_protocol::{Action, CabinetId, Command, Reply, StaffId, Start, Status, Timestamp, VerifyingKey};
use serde::Serialize;

use super::{Database, DatabaseError, Writing, code, number, parse, parse_json, unsigned};

/// What intake must know of a cabinet before it judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its key.
    pub key: VerifyingKey,
    /// Start and nonce of its last status.
    pub latest: Option<(Start, u64)>,
}

/// One cabinet. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ListedCabinet {
    /// Its id.
    pub id: String,
    /// When it was enrolled.
    pub enrolled: i64,
    /// When its key was taken back.
    pub revoked: Option<i64>,
    /// `online`, `offline`, `draining`, or `unknown` before its first word.
    pub presence: String,
    /// Its daemon's version.
    pub version: Option<String>,
    /// When anything genuine came from it.
    pub last_seen: Option<i64>,
    /// The events up to this number are all here.
    pub complete_to: i64,
    /// Its histories; more than one is a fork.
    pub branches: i64,
    /// Forged messages in its name.
    pub forged: i64,
    /// Its last snapshot of compartments and boards.
    #[serde(serialize_with = "raw_json")]
    pub state: Option<String>,
}

fn raw_json<S: serde::Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Option<serde_json::Value> = text.as_deref().and_then(|text| serde_json::from_str(text).ok());
    value.serialize(serializer)
}

/// One command with its reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedCommand {
    /// Its number.
    pub number: u64,
    /// Who gave it.
    pub operator: String,
    /// What.
    pub action: Action,
    /// When.
    pub issued: Timestamp,
    /// Until when.
    pub expires: Timestamp,
    /// The cabinet's answer.
    pub reply: Option<Reply>,
}

/// Key, start and nonce of a cabinet that may speak.
///
/// # Errors
/// [`DatabaseError`].
pub async fn enrolled(tx: &mut Writing, cabinet: &CabinetId) -> Result<Option<Enrolled>, DatabaseError> {
    let row: Option<(String, Option<String>, Option<i64>)> =
        sqlx::query_as("SELECT public_key, start, nonce FROM cabinets WHERE id = $1 AND revoked IS NULL")
            .bind(cabinet.as_str())
            .fetch_optional(&mut **tx)
            .await?;
    let Some((key, start, nonce)) = row else {
        return Ok(None);
    };
    let damaged = || DatabaseError::Damaged {
        what: "cabinets.public_key",
        value: cabinet.to_string(),
    };
    let latest = match (start, nonce) {
        (Some(start), Some(nonce)) => Some((parse("cabinets.start", &start)?, unsigned(nonce))),
        _ => None,
    };
    Ok(Some(Enrolled {
        key: VerifyingKey::from_text(&key).ok_or_else(damaged)?,
        latest,
    }))
}

/// Keeps the latest status.
///
/// # Errors
/// [`DatabaseError`].
pub async fn status(
    tx: &mut Writing,
    cabinet: &CabinetId,
    status: &Status,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    sqlx::query(
        "UPDATE cabinets SET start = $2, nonce = $3, presence = $4, version = $5, last_seen = $6 WHERE id = $1",
    )
    .bind(cabinet.as_str())
    .bind(status.start.to_string())
    .bind(number(status.nonce))
    .bind(code(&status.presence))
    .bind(&status.version)
    .bind(now.as_millis())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Something genuine came.
///
/// # Errors
/// [`DatabaseError`].
pub async fn seen(tx: &mut Writing, cabinet: &CabinetId, now: Timestamp) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE cabinets SET last_seen = $2 WHERE id = $1")
        .bind(cabinet.as_str())
        .bind(now.as_millis())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Something forged came in its name.
///
/// # Errors
/// [`DatabaseError`].
pub async fn forged(tx: &mut Writing, cabinet: &CabinetId) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE cabinets SET forged = forged + 1 WHERE id = $1")
        .bind(cabinet.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Keeps a snapshot.
///
/// # Errors
/// [`DatabaseError`].
pub async fn state(tx: &mut Writing, cabinet: &CabinetId, json: &str) -> Result<(), DatabaseError> {
    sqlx::query("UPDATE cabinets SET state = $2 WHERE id = $1")
        .bind(cabinet.as_str())
        .bind(json)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Keeps a reply to a command that was given.
///
/// # Errors
/// [`DatabaseError`].
pub async fn reply(
    tx: &mut Writing,
    cabinet: &CabinetId,
    reply: &Reply,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let text = serde_json::to_string(reply).expect("replies are texts and numbers");
    sqlx::query("UPDATE commands SET reply = $3, replied = $4 WHERE cabinet = $1 AND number = $2")
        .bind(cabinet.as_str())
        .bind(number(reply.number))
        .bind(text)
        .bind(now.as_millis())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Database {
    /// Enrols a cabinet, or gives it a new key.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn enrol(
        &self,
        cabinet: &CabinetId,
        key: &VerifyingKey,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        sqlx::query(
            "INSERT INTO cabinets (id, public_key, enrolled) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET public_key = $2, enrolled = $3, revoked = NULL",
        )
        .bind(cabinet.as_str())
        .bind(key.text())
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lists cabinets.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn cabinets(&self, id: Option<&str>) -> Result<Vec<ListedCabinet>, DatabaseError> {
        Ok(sqlx::query_as(
            "SELECT id, enrolled, revoked, presence, version, last_seen, forged, state, \
             COALESCE((SELECT head_seq FROM branches WHERE cabinet = cabinets.id ORDER BY branch DESC LIMIT 1), 0) \
             AS complete_to, (SELECT COUNT(*) FROM branches WHERE cabinet = cabinets.id) AS branches \
             FROM cabinets WHERE $1 IS NULL OR id = $1 ORDER BY id",
        )
        .bind(id)
        .fetch_all(self.read())
        .await?)
    }

    /// Numbers and records a command for the start that the cabinet last named; `None` before its first word.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn give_command(
        &self,
        cabinet: &CabinetId,
        operator: &StaffId,
        action: Action,
        now: Timestamp,
        lifetime_ms: i64,
    ) -> Result<Option<Command>, DatabaseError> {
        let mut tx = self.writing().await?;
        let row: Option<(Option<String>, i64)> = sqlx::query_as(
            "UPDATE cabinets SET command_number = command_number + 1 WHERE id = $1 AND revoked IS NULL \
             RETURNING start, command_number",
        )
        .bind(cabinet.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some((Some(start), command_number)) = row else {
            return Ok(None);
        };
        let command = Command {
            number: unsigned(command_number),
            start: parse("cabinets.start", &start)?,
            issued: now,
            expires: now.plus_millis(lifetime_ms),
            operator: operator.clone(),
            action,
        };
        sqlx::query(
            "INSERT INTO commands (cabinet, number, operator, action, issued, expires) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(cabinet.as_str())
        .bind(command_number)
        .bind(operator.as_str())
        .bind(serde_json::to_string(&command.action).expect("actions are texts and numbers"))
        .bind(command.issued.as_millis())
        .bind(command.expires.as_millis())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(command))
    }

    /// A command with its reply.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn command(&self, cabinet: &CabinetId, n: u64) -> Result<Option<ListedCommand>, DatabaseError> {
        type Row = (i64, String, String, i64, i64, Option<String>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT number, operator, action, issued, expires, reply FROM commands WHERE cabinet = $1 AND number = $2",
        )
        .bind(cabinet.as_str())
        .bind(number(n))
        .fetch_optional(self.read())
        .await?;
        let Some((n, operator, action, issued, expires, reply)) = row else {
            return Ok(None);
        };
        let reply = reply
            .map(|text| parse_json("commands.reply", &text))
            .transpose()?;
        Ok(Some(ListedCommand {
            number: unsigned(n),
            operator,
            action: parse_json("commands.action", &action)?,
            issued: super::time(issued),
            expires: super::time(expires),
            reply,
        }))
    }
}
