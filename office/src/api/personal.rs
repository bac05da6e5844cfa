//! Erasing what is personal, on request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use office_protocol::{ApplicationId, ConsignmentId, PersonId};
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::database::personal::Whose;
use crate::server::App;

/// Exactly one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    person: Option<PersonId>,
    application: Option<ApplicationId>,
    consignment: Option<ConsignmentId>,
}

#[derive(Serialize)]
pub(super) struct Erased {
    erased: u64,
}

impl Erasure {
    fn whose(self) -> Option<Whose> {
        match (self.person, self.application, self.consignment) {
            (Some(id), None, None) => Some(Whose::Person(id)),
            (None, Some(id), None) => Some(Whose::Application(id)),
            (None, None, Some(id)) => Some(Whose::Consignment(id)),
            _ => None,
        }
    }
}

/// The sealed parts lose their bytes; the events stay, and every chain still verifies.
pub(super) async fn erase(
    State(app): State<Arc<App>>,
    body: Result<Json<Erasure>, JsonRejection>,
) -> Result<Json<Erased>, Refusal> {
    let Json(wanted) = body?;
    let one = "exactly one of person, application and consignment";
    let whose = wanted.whose().ok_or(Refusal::Invalid(one.into()))?;
    let erased = app.erase(&whose).await?;
    Ok(Json(Erased { erased }))
}
