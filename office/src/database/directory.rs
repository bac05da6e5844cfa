//! What the office lays down: staff, expected consignments, passes, and the versions of what was signed of them.

use office_protocol::document::{DocumentName, ExpectedConsignment, Policy, Reported, StaffMember};
use office_protocol::event::StaffRole;
use office_protocol::{CabinetId, StaffId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, SqliteExecutor};

use super::{Database, DatabaseError, Either, Writing, code, number, parse, parse_json, time, unsigned};

/// Where staff may work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffScope {
    /// At these; everywhere when empty.
    #[serde(default)]
    pub cabinets: Vec<CabinetId>,
}

row! {
    /// One pass as it was issued. `text` is as good as a key: never log it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IssuedPass {
        /// Its id.
        pub id: String,
        /// `drop-off`, `collection`, `courier`, `technician`.
        pub kind: String,
        /// The application, consignment or member of staff.
        pub subject: String,
        /// Of a collection pass.
        pub generation: i64,
        /// The QR code's text.
        pub text: String,
        /// When it was issued.
        pub issued: i64,
        /// Until when it counts.
        pub expires: i64,
        /// When it was taken back.
        pub revoked: Option<i64>,
        /// The cabinet where a single-use pass was used.
        pub used_at: Option<String>,
    }
}

/// Records a single-use pass' use; false when it was used at another cabinet before.
///
/// # Errors
/// [`DatabaseError`].
pub async fn pass_used(
    tx: &mut Writing,
    cabinet: &CabinetId,
    pass: &str,
    at: Timestamp,
) -> Result<bool, DatabaseError> {
    execute!(
        tx.on(),
        "UPDATE passes SET used_at = $2, used = $3 WHERE id = $1 AND used_at IS NULL",
        pass,
        cabinet.as_str(),
        at.as_millis()
    )?;
    let used: Option<Option<String>> = scalar!(
        fetch_optional,
        tx.on(),
        "SELECT used_at FROM passes WHERE id = $1",
        pass
    )?;
    Ok(used.flatten().is_none_or(|used_at| used_at == cabinet.as_str()))
}

/// What a cabinet says of a document.
///
/// # Errors
/// [`DatabaseError`].
pub async fn reported(
    tx: &mut Writing,
    cabinet: &CabinetId,
    name: DocumentName,
    reported: &Reported,
) -> Result<(), DatabaseError> {
    execute!(
        tx.on(),
        "UPDATE documents SET reported_version = $3, refused = $4 WHERE cabinet = $1 AND name = $2 \
         AND (reported_version IS NULL OR reported_version <= $3)",
        cabinet.as_str(),
        name.as_str(),
        number(reported.version),
        reported.refused.as_ref().map(code)
    )?;
    Ok(())
}

/// Who may work at a cabinet.
///
/// # Errors
/// [`DatabaseError`].
pub async fn staff_of<'c>(
    on: Either<impl SqliteExecutor<'c>, impl PgExecutor<'c>>,
    cabinet: &CabinetId,
) -> Result<Vec<StaffMember>, DatabaseError> {
    type Row = (String, String, String, Option<String>, String, i64);
    let rows: Vec<Row> = fetch!(
        fetch_all,
        on,
        "SELECT id, roles, pin, badge, scope, expires FROM staff ORDER BY id"
    )?;
    let mut members = Vec::new();
    for (id, roles, pin, badge, scope, expires) in rows {
        let scope: StaffScope = parse_json("staff.scope", &scope)?;
        if !scope.cabinets.is_empty() && !scope.cabinets.contains(cabinet) {
            continue;
        }
        let roles: Vec<StaffRole> = parse_json("staff.roles", &roles)?;
        members.push(StaffMember {
            id: parse::<StaffId>("staff.id", &id)?,
            roles,
            badge: badge.map(|text| parse("staff.badge", &text)).transpose()?,
            pin,
            expires: time(expires),
        });
    }
    Ok(members)
}

/// What couriers will bring to a cabinet: named and not yet placed there since.
///
/// # Errors
/// [`DatabaseError`].
pub async fn expected_at<'c>(
    on: Either<impl SqliteExecutor<'c>, impl PgExecutor<'c>>,
    cabinet: &CabinetId,
) -> Result<Vec<ExpectedConsignment>, DatabaseError> {
    let rows: Vec<(String, String, String, String)> = fetch!(
        fetch_all,
        on,
        "SELECT consignment, application, person, size FROM expected WHERE cabinet = $1 AND NOT EXISTS \
         (SELECT 1 FROM consignments WHERE consignments.cabinet = $1 AND id = expected.consignment \
         AND direction = 'outbound' AND arrived >= named) ORDER BY consignment",
        cabinet.as_str()
    )?;
    let read = |(consignment, application, person, size): (String, String, String, String)| {
        Ok(ExpectedConsignment {
            consignment: parse("expected.consignment", &consignment)?,
            application: parse("expected.application", &application)?,
            person: parse("expected.person", &person)?,
            size: parse_json("expected.size", &format!("\"{size}\""))?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Passes that were taken back and would still count.
///
/// # Errors
/// [`DatabaseError`].
pub async fn revoked_passes<'c>(
    on: Either<impl SqliteExecutor<'c>, impl PgExecutor<'c>>,
    now: Timestamp,
) -> Result<Vec<String>, DatabaseError> {
    Ok(scalar!(
        fetch_all,
        on,
        "SELECT id FROM passes WHERE revoked IS NOT NULL AND expires > $1 ORDER BY id",
        now.as_millis()
    )?)
}

/// A cabinet's rules.
///
/// # Errors
/// [`DatabaseError`].
pub async fn policy<'c>(
    on: Either<impl SqliteExecutor<'c>, impl PgExecutor<'c>>,
    cabinet: &CabinetId,
) -> Result<Policy, DatabaseError> {
    let text: Option<String> = scalar!(
        fetch_optional,
        on,
        "SELECT policy FROM cabinets WHERE id = $1",
        cabinet.as_str()
    )?;
    parse_json("cabinets.policy", text.as_deref().unwrap_or("{}"))
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

/// The version under which this content goes to a cabinet: one more than before when it has changed.
///
/// # Errors
/// [`DatabaseError`].
pub async fn version(
    tx: &mut Writing,
    cabinet: &CabinetId,
    name: DocumentName,
    content: &str,
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
        "INSERT INTO documents (cabinet, name, version, content) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (cabinet, name) DO UPDATE SET version = documents.version + 1, content = $3 RETURNING version",
        cabinet.as_str(),
        name.as_str(),
        content,
    )?;
    Ok(unsigned(version))
}

impl Database {
    /// Names a member of staff with their pass, or replaces both; an earlier pass of theirs no longer counts.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn name_staff(
        &self,
        member: &StaffMember,
        scope: &StaffScope,
        pass: &IssuedPass,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "UPDATE passes SET revoked = $2 WHERE subject = $1 AND kind IN ('courier', 'technician') AND revoked IS NULL",
            member.id.as_str(),
            pass.issued
        )?;
        execute!(
            tx.on(),
            "INSERT INTO staff (id, roles, pin, badge, scope, expires, pass) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO UPDATE SET roles = $2, pin = $3, badge = $4, scope = $5, expires = $6, pass = $7",
            member.id.as_str(),
            serde_json::to_string(&member.roles).expect("roles are codes"),
            &member.pin,
            member.badge.map(|digest| digest.to_string()),
            serde_json::to_string(scope).expect("ids are texts"),
            member.expires.as_millis(),
            &pass.id
        )?;
        insert_pass(&mut tx, pass).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Says that a courier will bring this consignment.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn expect(
        &self,
        cabinet: &CabinetId,
        expected: &ExpectedConsignment,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "INSERT INTO expected (cabinet, consignment, application, person, size, named) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (cabinet, consignment) DO UPDATE SET application = $3, person = $4, size = $5, named = $6",
            cabinet.as_str(),
            expected.consignment.as_str(),
            expected.application.as_str(),
            expected.person.as_str(),
            code(&expected.size),
            now.as_millis()
        )?;
        tx.commit().await?;
        Ok(())
    }

    /// Records a pass.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn issue(&self, pass: &IssuedPass) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        insert_pass(&mut tx, pass).await?;
        tx.commit().await?;
        Ok(())
    }

    /// One pass.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn pass(&self, id: &str) -> Result<Option<IssuedPass>, DatabaseError> {
        Ok(fetch!(
            fetch_optional,
            self.read(),
            "SELECT id, kind, subject, generation, text, issued, expires, revoked, used_at FROM passes WHERE id = $1",
            id
        )?)
    }

    /// Takes a pass back; false when there is none.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE passes SET revoked = COALESCE(revoked, $2) WHERE id = $1",
            id,
            now.as_millis()
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }

    /// The newest generation that authorises collecting a consignment: of its code or of a pass.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn generation(&self, consignment: &str) -> Result<u32, DatabaseError> {
        let newest: i64 = scalar!(
            fetch_one,
            self.read(),
            "SELECT MAX(known.generation) FROM (SELECT generation FROM consignments WHERE id = $1 UNION ALL \
             SELECT generation FROM passes WHERE subject = $1 AND kind = 'collection' UNION ALL SELECT 0) AS known",
            consignment
        )?;
        Ok(u32::try_from(newest).unwrap_or(u32::MAX))
    }

    /// Sets a cabinet's rules; false when it is not enrolled.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn set_policy(&self, cabinet: &CabinetId, policy: &Policy) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = execute!(
            tx.on(),
            "UPDATE cabinets SET policy = $2 WHERE id = $1",
            cabinet.as_str(),
            serde_json::to_string(policy).expect("rules are texts and numbers")
        )?;
        tx.commit().await?;
        Ok(done > 0)
    }
}

pub(super) async fn insert_pass(tx: &mut Writing, pass: &IssuedPass) -> Result<(), DatabaseError> {
    execute!(
        tx.on(),
        "INSERT INTO passes (id, kind, subject, generation, text, issued, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &pass.id,
        &pass.kind,
        &pass.subject,
        pass.generation,
        &pass.text,
        pass.issued,
        pass.expires
    )?;
    Ok(())
}
