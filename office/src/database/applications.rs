//! Applications, each with the one drop-off pass that counts.

use office_protocol::event::Size;
use office_protocol::{ApplicationId, ItemCode, PersonId};
use serde::Serialize;

use super::directory::{IssuedPass, insert_pass};
use super::{Database, DatabaseError, code, parse, parse_json};

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

impl Database {
    /// Registers an application and its pass, or replaces both; true when an earlier pass was taken back by that.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn register(
        &self,
        application: &Application,
        pass: &IssuedPass,
    ) -> Result<bool, DatabaseError> {
        let mut tx = self.writing().await?;
        let replaced = execute!(
            tx.on(),
            "UPDATE passes SET revoked = $2 WHERE subject = $1 AND kind = 'drop-off' AND revoked IS NULL",
            application.id.as_str(),
            pass.issued
        )?;
        execute!(
            tx.on(),
            "INSERT INTO applications (id, person, items, size, compartments, pass, registered) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET person = $2, items = $3, size = $4, \
             compartments = $5, pass = $6",
            application.id.as_str(),
            application.person.as_ref().map(PersonId::as_str),
            serde_json::to_string(&application.items).expect("items are texts"),
            code(&application.size),
            i64::from(application.compartments),
            &application.pass,
            pass.issued
        )?;
        insert_pass(&mut tx, pass).await?;
        tx.commit().await?;
        Ok(replaced > 0)
    }

    /// One application.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn application(&self, id: &ApplicationId) -> Result<Option<Application>, DatabaseError> {
        let row: Option<(Option<String>, String, String, i64, String)> = fetch!(
            fetch_optional,
            self.read(),
            "SELECT person, items, size, compartments, pass FROM applications WHERE id = $1",
            id.as_str()
        )?;
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
}
