//! What an event is about: the names by which it is looked for.

use super::{EventHeader, InvalidEvent};
use crate::ids::{ApplicationId, CompartmentId, ConsignmentId, PersonId, StaffId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that events can be about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A consignment.
    Consignment(ConsignmentId),
    /// An application.
    Application(ApplicationId),
    /// A compartment.
    Compartment(CompartmentId),
    /// A recipient, by the office's opaque number.
    Person(PersonId),
    /// A member of staff.
    Staff(StaffId),
}

/// Everything that an event is about; also of types that this program does not know.
///
/// # Errors
/// When the bytes are not an event.
pub fn subjects(event: &[u8]) -> Result<Vec<Subject>, InvalidEvent> {
    let header = EventHeader::parse(event)?;
    let data: Value = serde_json::from_str(header.data.get())?;
    let mut found = Vec::new();
    let mut note = |subject: Option<Subject>| {
        if let Some(subject) = subject
            && !found.contains(&subject)
        {
            found.push(subject);
        }
    };
    note(field(&data, "consignment").map(Subject::Consignment));
    note(field(&data, "application").map(Subject::Application));
    for name in ["compartment", "from", "to"] {
        note(field(&data, name).map(Subject::Compartment));
    }
    note(field(&data, "person").map(Subject::Person));
    note(field(&data, "staff").map(Subject::Staff));
    note(
        data.get("authority")
            .and_then(|authority| field(authority, "staff"))
            .map(Subject::Staff),
    );
    Ok(found)
}

fn field<T: DeserializeOwned>(data: &Value, name: &str) -> Option<T> {
    serde_json::from_value(data.get(name)?.clone()).ok()
}
