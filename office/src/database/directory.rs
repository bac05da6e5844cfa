//! What the office lays down: staff, expected consignments, passes.

use std::collections::BTreeMap;

use office_protocol::document::{ExpectedConsignment, Policy, StaffMember};
use office_protocol::event::StaffRole;
use office_protocol::{CabinetId, Pass, PassId, StaffId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, SqliteExecutor};

use super::{Database, DatabaseError, Either, Writing, code, parse, parse_json, time};

/// Where staff may work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffScope {
    /// At these; everywhere when empty.
    #[serde(default)]
    pub cabinets: Vec<CabinetId>,
}

row! {
    /// One pass as it was issued.
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
        /// What it says, unsigned: [`crate::issuing::signed`] makes the QR code's text of it.
        pub claims: String,
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

/// Records single-use passes' uses; those that were used at another cabinet before.
///
/// # Errors
/// [`DatabaseError`].
pub async fn passes_used(
    tx: &mut Writing,
    used: &BTreeMap<(PassId, CabinetId), Timestamp>,
) -> Result<Vec<(PassId, CabinetId)>, DatabaseError> {
    if used.is_empty() {
        return Ok(Vec::new());
    }
    let mut once: BTreeMap<&PassId, (&CabinetId, Timestamp)> = BTreeMap::new();
    for ((pass, cabinet), at) in used {
        once.entry(pass).or_insert((cabinet, *at));
    }
    update_many!(
        tx.on(), once, row =>
        "UPDATE passes SET used_at = given.cabinet, used = given.at",
        [
            ("$1", "id", "text", row.0.as_str()),
            ("$2", "cabinet", "text", row.1.0.as_str()),
            ("$3", "at", "int8", row.1.1.as_millis()),
        ],
        "WHERE passes.id = given.id AND used_at IS NULL"
    );
    let ids: Vec<&str> = once.keys().map(|id| id.as_str()).collect();
    let rows: Vec<(String, Option<String>)> = match tx.on() {
        Either::Sqlite(on) => {
            let ids = serde_json::to_string(&ids).expect("ids are texts");
            let text = "SELECT id, used_at FROM passes WHERE id IN (SELECT value FROM json_each($1))";
            sqlx::query_as(text).bind(ids).fetch_all(on).await?
        }
        Either::Postgres(on) => {
            let text = "SELECT id, used_at FROM passes WHERE id = ANY($1)";
            sqlx::query_as(text).bind(ids).fetch_all(on).await?
        }
    };
    let places: BTreeMap<String, Option<String>> = rows.into_iter().collect();
    let elsewhere = |(pass, cabinet): &&(PassId, CabinetId)| {
        let place = places.get(pass.as_str()).and_then(Option::as_deref);
        place.is_some_and(|place| place != cabinet.as_str())
    };
    Ok(used.keys().filter(elsewhere).cloned().collect())
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

    /// Lets somebody be no member of staff any more, wherever they were; false when they are none.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn remove_staff(&self, member: &StaffId, now: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        execute!(
            tx.on(),
            "UPDATE passes SET revoked = $2 WHERE subject = $1 AND kind IN ('courier', 'technician') AND revoked IS NULL",
            member.as_str(),
            now.as_millis()
        )?;
        let done = execute!(tx.on(), "DELETE FROM staff WHERE id = $1", member.as_str())?;
        tx.commit().await?;
        Ok(done > 0)
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
            "SELECT id, kind, subject, generation, claims, issued, expires, revoked, used_at FROM passes WHERE id = $1",
            id
        )?)
    }

    /// Takes the signatures off passes that a hub of before has kept with them; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn unsign_passes(&self) -> Result<usize, DatabaseError> {
        let signed: Vec<(String, String)> = fetch!(
            fetch_all,
            self.read(),
            "SELECT id, claims FROM passes WHERE claims LIKE 'LK1:%'"
        )?;
        let mut tx = self.writing().await?;
        for (id, text) in &signed {
            let claims = Pass::from_unsigned(text).map(|pass| pass.unsigned());
            let claims = claims.unwrap_or_default();
            execute!(tx.on(), "UPDATE passes SET claims = $2 WHERE id = $1", id, claims)?;
        }
        tx.commit().await?;
        Ok(signed.len())
    }

    /// Takes a pass back, and the plastic badge of the member of staff whose pass it is; false when there is none.
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
        execute!(tx.on(), "UPDATE staff SET badge = NULL WHERE pass = $1", id)?;
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
        "INSERT INTO passes (id, kind, subject, generation, claims, issued, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &pass.id,
        &pass.kind,
        &pass.subject,
        pass.generation,
        &pass.claims,
        pass.issued,
        pass.expires
    )?;
    Ok(())
}
