//! What the office lays down: applications, staff, expected consignments, passes, and the versions of what was signed of them.

use office_protocol::document::{DocumentName, ExpectedConsignment, Policy, Reported, StaffMember};
use office_protocol::event::{Size, StaffRole};
use office_protocol::{ApplicationId, CabinetId, ItemCode, PersonId, StaffId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Database, DatabaseError, Writing, code, number, parse, parse_json, time, unsigned};

/// One application with its drop-off pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Who it is for, as an opaque number.
    pub person: Option<PersonId>,
    /// Its service items.
    pub items: Vec<ItemCode>,
    /// How large a compartment it takes.
    pub size: Size,
    /// How many.
    pub compartments: u8,
    /// The drop-off pass' id.
    pub pass: String,
}

/// Where staff may work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffScope {
    /// At these; everywhere when empty.
    #[serde(default)]
    pub cabinets: Vec<CabinetId>,
}

/// One pass as it was issued. `text` is as good as a key: never log it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
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
    sqlx::query("UPDATE passes SET used_at = $2, used = $3 WHERE id = $1 AND used_at IS NULL")
        .bind(pass)
        .bind(cabinet.as_str())
        .bind(at.as_millis())
        .execute(&mut **tx)
        .await?;
    let used: Option<Option<String>> = sqlx::query_scalar("SELECT used_at FROM passes WHERE id = $1")
        .bind(pass)
        .fetch_optional(&mut **tx)
        .await?;
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
    sqlx::query("UPDATE documents SET reported_version = $3, refused = $4 WHERE cabinet = $1 AND name = $2")
        .bind(cabinet.as_str())
        .bind(name.as_str())
        .bind(number(reported.version))
        .bind(reported.refused.as_ref().map(code))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Database {
    /// Registers an application and its pass, or replaces both.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn register(&self, application: &Application, pass: &IssuedPass) -> Result<(), DatabaseError> {
        let mut tx = self.writing().await?;
        sqlx::query(
            "INSERT INTO applications (id, person, items, size, compartments, pass, registered) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET person = $2, items = $3, size = $4, \
             compartments = $5, pass = $6",
        )
        .bind(application.id.as_str())
        .bind(application.person.as_ref().map(PersonId::as_str))
        .bind(serde_json::to_string(&application.items).expect("items are texts"))
        .bind(code(&application.size))
        .bind(i64::from(application.compartments))
        .bind(&application.pass)
        .bind(pass.issued)
        .execute(&mut *tx)
        .await?;
        insert_pass(&mut tx, pass).await?;
        tx.commit().await?;
        Ok(())
    }

    /// One application.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn application(&self, id: &ApplicationId) -> Result<Option<Application>, DatabaseError> {
        let row: Option<(Option<String>, String, String, i64, String)> =
            sqlx::query_as("SELECT person, items, size, compartments, pass FROM applications WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(self.read())
                .await?;
        let Some((person, items, size, compartments, pass)) = row else {
            return Ok(None);
        };
        let person = person
            .map(|text| parse("applications.person", &text))
            .transpose()?;
        Ok(Some(Application {
            id: id.clone(),
            person,
            items: parse_json("applications.items", &items)?,
            size: parse_json("applications.size", &format!("\"{size}\""))?,
            compartments: u8::try_from(compartments).unwrap_or(1),
            pass,
        }))
    }

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
        sqlx::query(
            "UPDATE passes SET revoked = $2 WHERE subject = $1 AND kind IN ('courier', 'technician') AND revoked IS NULL",
        )
        .bind(member.id.as_str())
        .bind(pass.issued)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO staff (id, roles, pin, badge, scope, expires, pass) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO UPDATE SET roles = $2, pin = $3, badge = $4, scope = $5, expires = $6, pass = $7",
        )
        .bind(member.id.as_str())
        .bind(serde_json::to_string(&member.roles).expect("roles are codes"))
        .bind(&member.pin)
        .bind(member.badge.map(|digest| digest.to_string()))
        .bind(serde_json::to_string(scope).expect("ids are texts"))
        .bind(member.expires.as_millis())
        .bind(&pass.id)
        .execute(&mut *tx)
        .await?;
        insert_pass(&mut tx, pass).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Who may work at a cabinet.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn staff_of(&self, cabinet: &CabinetId) -> Result<Vec<StaffMember>, DatabaseError> {
        type Row = (String, String, String, Option<String>, String, i64);
        let rows: Vec<Row> =
            sqlx::query_as("SELECT id, roles, pin, badge, scope, expires FROM staff ORDER BY id")
                .fetch_all(self.read())
                .await?;
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
        sqlx::query(
            "INSERT INTO expected (cabinet, consignment, application, person, size, named) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (cabinet, consignment) DO UPDATE SET application = $3, person = $4, size = $5, named = $6",
        )
        .bind(cabinet.as_str())
        .bind(expected.consignment.as_str())
        .bind(expected.application.as_str())
        .bind(expected.person.as_str())
        .bind(code(&expected.size))
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What couriers will bring to a cabinet: named and not yet placed there since.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn expected_at(&self, cabinet: &CabinetId) -> Result<Vec<ExpectedConsignment>, DatabaseError> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT consignment, application, person, size FROM expected WHERE cabinet = $1 AND NOT EXISTS \
             (SELECT 1 FROM consignments WHERE consignments.cabinet = $1 AND id = expected.consignment \
             AND direction = 'outbound' AND arrived >= named) ORDER BY consignment",
        )
        .bind(cabinet.as_str())
        .fetch_all(self.read())
        .await?;
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
        Ok(sqlx::query_as(
            "SELECT id, kind, subject, generation, text, issued, expires, revoked, used_at FROM passes WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.read())
        .await?)
    }

    /// Takes a pass back; false when there is none.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = sqlx::query("UPDATE passes SET revoked = COALESCE(revoked, $2) WHERE id = $1")
            .bind(id)
            .bind(now.as_millis())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Passes that were taken back and would still count.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoked_passes(&self, now: Timestamp) -> Result<Vec<String>, DatabaseError> {
        Ok(
            sqlx::query_scalar(
                "SELECT id FROM passes WHERE revoked IS NOT NULL AND expires > $1 ORDER BY id",
            )
            .bind(now.as_millis())
            .fetch_all(self.read())
            .await?,
        )
    }

    /// The newest generation that authorises collecting a consignment: of its code or of a pass.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn generation(&self, consignment: &str) -> Result<u32, DatabaseError> {
        let newest: i64 = sqlx::query_scalar(
            "SELECT MAX(known.generation) FROM (SELECT generation FROM consignments WHERE id = $1 UNION ALL \
             SELECT generation FROM passes WHERE subject = $1 AND kind = 'collection' UNION ALL SELECT 0) AS known",
        )
        .bind(consignment)
        .fetch_one(self.read())
        .await?;
        Ok(u32::try_from(newest).unwrap_or(u32::MAX))
    }

    /// A cabinet's rules.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn policy(&self, cabinet: &CabinetId) -> Result<Policy, DatabaseError> {
        let text: Option<String> = sqlx::query_scalar("SELECT policy FROM cabinets WHERE id = $1")
            .bind(cabinet.as_str())
            .fetch_optional(self.read())
            .await?;
        parse_json("cabinets.policy", text.as_deref().unwrap_or("{}"))
    }

    /// Sets a cabinet's rules; false when it is not enrolled.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn set_policy(&self, cabinet: &CabinetId, policy: &Policy) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let done = sqlx::query("UPDATE cabinets SET policy = $2 WHERE id = $1")
            .bind(cabinet.as_str())
            .bind(serde_json::to_string(policy).expect("rules are texts and numbers"))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The version under which this content goes to a cabinet: one more than before when it has changed.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn document_version(
        &self,
        cabinet: &CabinetId,
        name: DocumentName,
        content: &str,
    ) -> Result<u64, DatabaseError> {
        let mut tx = self.writing().await?;
        let version: i64 = sqlx::query_scalar(
            "INSERT INTO documents (cabinet, name, version, content) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (cabinet, name) DO UPDATE SET \
             version = CASE WHEN documents.content = $3 THEN documents.version ELSE documents.version + 1 END, \
             content = $3 RETURNING version",
        )
        .bind(cabinet.as_str())
        .bind(name.as_str())
        .bind(content)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(unsigned(version))
    }
}

async fn insert_pass(tx: &mut Writing, pass: &IssuedPass) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO passes (id, kind, subject, generation, text, issued, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&pass.id)
    .bind(&pass.kind)
    .bind(&pass.subject)
    .bind(pass.generation)
    .bind(&pass.text)
    .bind(pass.issued)
    .bind(pass.expires)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
