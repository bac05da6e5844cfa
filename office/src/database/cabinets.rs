//! Cabinets: their keys, what they last said of themselves, and their commands.

use std::collections::BTreeSet;

use office_protocol::{Action, CabinetId, Command, Reply, StaffId, Timestamp, VerifyingKey};
use serde::Serialize;

use super::{Database, DatabaseError, Either, alarms, instant, number, parse, parse_json, unsigned};

row! {
    /// One cabinet. Times are milliseconds since 1970, in JSON as RFC 3339.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
    pub struct ListedCabinet {
        /// Its id.
        pub id: String,
        /// When it was enrolled.
        #[serde(serialize_with = "instant::shown")]
        pub enrolled: i64,
        /// When its key was taken back.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub revoked: Option<i64>,
        /// `online`, `offline`, `draining`, or `unknown` before its first word.
        pub presence: String,
        /// Its daemon's version.
        pub version: Option<String>,
        /// When it last said anything new, to ten seconds.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub last_seen: Option<i64>,
        /// The same, when that is too long ago.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub silent_since: Option<i64>,
        /// The events up to this number are all here.
        pub complete_to: i64,
        /// The last event that is here.
        pub stored_to: i64,
        /// Events after that one are missing.
        pub gap: bool,
        /// The first events that the cabinet has lost for ever: from this one
        pub lost_from: Option<i64>,
        /// to this one.
        pub lost_to: Option<i64>,
        /// Its histories; more than one is a fork.
        pub branches: i64,
        /// Forged messages in its name.
        pub forged: i64,
        /// Until when its newest certificate counts.
        #[serde(serialize_with = "instant::shown_if_any")]
        pub certificate_ends: Option<i64>,
        /// Its last snapshot of compartments and boards.
        #[serde(serialize_with = "raw_json")]
        pub state: Option<String>,
    }
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

impl Database {
    /// Enrols a cabinet, or gives it a new key at once: what the one before signs counts no more.
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
        execute!(
            tx.on(),
            "INSERT INTO cabinets (id, public_key, enrolled) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET \
             past_keys = CASE WHEN cabinets.public_key = $2 THEN cabinets.past_keys \
             ELSE LTRIM(cabinets.past_keys || ' ' || cabinets.public_key) END, \
             public_key = $2, next_key = NULL, enrolled = $3, revoked = NULL",
            cabinet.as_str(),
            key.text(),
            now.as_millis()
        )?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a cabinet sign with another key from now on: both count, until a message of the new one is stored. False when the cabinet
    /// is not enrolled, or revoked.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn renew(&self, cabinet: &CabinetId, key: &VerifyingKey) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE cabinets SET next_key = CASE WHEN public_key = $2 THEN NULL ELSE $2 END \
             WHERE id = $1 AND revoked IS NULL",
            cabinet.as_str(),
            key.text()
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// A cabinet was given a certificate that counts until then; nobody need be told of the one before any more.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn certified(
        &self,
        cabinet: &CabinetId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "UPDATE cabinets SET certificate_ends = $2 WHERE id = $1",
            cabinet.as_str(),
            until.as_millis()
        )?;
        alarms::clear(&mut tx, &[alarms::certificate_ends(cabinet.as_str())], now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Cabinets whose certificates end before then, and of which no alarm says so yet.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn certificates_ending(&self, before: Timestamp) -> Result<Vec<String>, DatabaseError> {
        Ok(scalar!(
            fetch_all,
            self.read(),
            "SELECT id FROM cabinets WHERE revoked IS NULL AND certificate_ends < $1 AND NOT EXISTS (SELECT 1 FROM alarms \
             WHERE cabinet = cabinets.id AND alarm = 'certificate-ends' AND cleared IS NULL) ORDER BY id",
            before.as_millis()
        )?)
    }

    /// The keys whose certificates the broker must refuse: of revoked cabinets, and those that a newer one has replaced.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoked_keys(&self) -> Result<Vec<VerifyingKey>, DatabaseError> {
        type Row = (String, String, Option<String>, bool);
        let rows: Vec<Row> = fetch!(
            fetch_all,
            self.read(),
            "SELECT public_key, past_keys, next_key, revoked IS NOT NULL FROM cabinets"
        )?;
        let (mut gone, mut counts) = (BTreeSet::new(), BTreeSet::new());
        for (key, past, next, revoked) in rows {
            gone.extend(past.split_whitespace().map(str::to_owned));
            let current = if revoked { &mut gone } else { &mut counts };
            current.insert(key);
            counts.extend(next);
        }
        let read = |text: &String| {
            VerifyingKey::from_text(text).ok_or_else(|| DatabaseError::Damaged {
                what: "cabinets.public_key",
                value: text.clone(),
            })
        };
        gone.difference(&counts).map(read).collect()
    }

    /// Lists cabinets.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn cabinets(&self, id: Option<&str>) -> Result<Vec<ListedCabinet>, DatabaseError> {
        Ok(fetch!(
            fetch_all,
            self.read(),
            "SELECT id, enrolled, revoked, presence, version, last_seen, forged, certificate_ends, state, \
             CASE WHEN EXISTS (SELECT 1 FROM alarms WHERE cabinet = cabinets.id AND alarm = 'silent' AND cleared IS NULL) \
             THEN last_seen END AS silent_since, \
             EXISTS (SELECT 1 FROM alarms WHERE cabinet = cabinets.id AND alarm = 'gap' AND cleared IS NULL) AS gap, \
             COALESCE((SELECT MIN(first_seq) - 1 FROM lost WHERE cabinet = cabinets.id), \
             (SELECT head_seq FROM branches WHERE cabinet = cabinets.id ORDER BY branch DESC LIMIT 1), 0) AS complete_to, \
             COALESCE((SELECT head_seq FROM branches WHERE cabinet = cabinets.id ORDER BY branch DESC LIMIT 1), 0) AS stored_to, \
             (SELECT MIN(first_seq) FROM lost WHERE cabinet = cabinets.id) AS lost_from, \
             (SELECT last_seq FROM lost WHERE cabinet = cabinets.id ORDER BY first_seq LIMIT 1) AS lost_to, \
             (SELECT COUNT(*) FROM branches WHERE cabinet = cabinets.id) AS branches \
             FROM cabinets WHERE $1 IS NULL OR id = $1 ORDER BY id",
            id,
        )?)
    }

    /// The keys of those of these cabinets that may speak, as text: the one in force, and after a space the next.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn keys_of(&self, ids: &[&CabinetId]) -> Result<Vec<(String, String)>, DatabaseError> {
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        Ok(match self.read() {
            Either::Sqlite(on) => {
                let ids = serde_json::to_string(&ids).expect("ids are texts");
                let text = "SELECT id, public_key || COALESCE(' ' || next_key, '') FROM cabinets \
                            WHERE id IN (SELECT value FROM json_each($1))";
                sqlx::query_as(text).bind(ids).fetch_all(on).await?
            }
            Either::Postgres(on) => {
                let text = "SELECT id, public_key || COALESCE(' ' || next_key, '') FROM cabinets \
                            WHERE id = ANY($1)";
                sqlx::query_as(text).bind(ids).fetch_all(on).await?
            }
        })
    }

    /// Takes a cabinet's key back; false when it is not enrolled. Nothing that it signs counts until it is enrolled anew.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoke_cabinet(&self, cabinet: &CabinetId, now: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE cabinets SET revoked = COALESCE(revoked, $2), next_key = NULL, presence = 'unknown' WHERE id = $1",
            cabinet.as_str(),
            now.as_millis(),
        )?;
        execute!(
            tx.on(),
            "UPDATE alarms SET cleared = $2 WHERE cabinet = $1 AND alarm IN ('silent', 'gap') AND cleared IS NULL",
            cabinet.as_str(),
            now.as_millis(),
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// Cabinets that may speak, have spoken, have said nothing new since then, and of which no alarm says so yet.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn newly_silent(&self, since: Timestamp) -> Result<Vec<String>, DatabaseError> {
        Ok(scalar!(
            fetch_all,
            self.read(),
            "SELECT id FROM cabinets WHERE revoked IS NULL AND last_seen < $1 AND NOT EXISTS \
             (SELECT 1 FROM alarms WHERE cabinet = cabinets.id AND alarm = 'silent' AND source = 'hub' AND cleared IS NULL) \
             ORDER BY id",
            since.as_millis(),
        )?)
    }

    /// Numbers and records a command for the start that the cabinet last named; `None` before its first word. Numbers are milliseconds
    /// since 1970, or one more than the last: a database restored from a backup gives none for a second time.
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
        let row: Option<(Option<String>, i64)> = fetch!(
            fetch_optional,
            tx.on(),
            "UPDATE cabinets SET command_number = CASE WHEN command_number < $2 THEN $2 ELSE command_number + 1 END \
             WHERE id = $1 AND revoked IS NULL RETURNING start, command_number",
            cabinet.as_str(),
            now.as_millis(),
        )?;
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
        execute!(
            tx.on(),
            "INSERT INTO commands (cabinet, number, operator, action, issued, expires) VALUES ($1, $2, $3, $4, $5, $6)",
            cabinet.as_str(),
            command_number,
            operator.as_str(),
            serde_json::to_string(&command.action).expect("actions are texts and numbers"),
            command.issued.as_millis(),
            command.expires.as_millis()
        )?;
        tx.commit().await?;
        Ok(Some(command))
    }

    /// A command with its reply.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn command(&self, cabinet: &CabinetId, n: u64) -> Result<Option<ListedCommand>, DatabaseError> {
        type Row = (i64, String, String, i64, i64, Option<String>);
        let row: Option<Row> = fetch!(
            fetch_optional,
            self.read(),
            "SELECT number, operator, action, issued, expires, reply FROM commands WHERE cabinet = $1 AND number = $2",
            cabinet.as_str(),
            number(n)
        )?;
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
