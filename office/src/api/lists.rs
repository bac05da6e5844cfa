//! Lists: consignments, events, alarms; and the health check.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Refusal;
use crate::clock;
use crate::database::alarms::ListedAlarm;
use crate::database::consignments::{self, ListedConsignment};
use crate::database::events::{self, ListedEvent};
use crate::server::App;

const LIMIT_MAX: u32 = 1_000;

fn hundred() -> u32 {
    100
}

/// Whether the database answers and the broker is there; says nothing else.
pub(super) async fn health(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    app.hub.database.deliveries_waiting().await?;
    Ok(Json(
        json!({"database": "ok", "broker": if app.broker_online() { "ok" } else { "offline" }}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsignmentQuery {
    cabinet: Option<String>,
    state: Option<String>,
    application: Option<String>,
    id: Option<String>,
    #[serde(default = "hundred")]
    limit: u32,
}

pub(super) async fn consignments(
    State(app): State<Arc<App>>,
    query: Result<Query<ConsignmentQuery>, QueryRejection>,
) -> Result<Json<Vec<ListedConsignment>>, Refusal> {
    let Query(query) = query?;
    if let Some(state) = &query.state
        && !consignments::STATES.contains(&state.as_str())
    {
        let states = consignments::STATES.join(", ");
        return Err(Refusal::Invalid(format!("state: one of {states}")));
    }
    let filter = consignments::Filter {
        cabinet: query.cabinet,
        state: query.state,
        application: query.application,
        id: query.id,
        limit: query.limit.min(LIMIT_MAX),
    };
    Ok(Json(app.hub.database.consignments(&filter).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    cabinet: Option<String>,
    r#type: Option<String>,
    subject: Option<String>,
    after: Option<i64>,
    before: Option<i64>,
    #[serde(default = "hundred")]
    limit: u32,
}

#[derive(Serialize)]
pub(super) struct EventPage {
    events: Vec<ListedEvent>,
    /// What to give as `after` (or `before`) for the next page; none at the end.
    next: Option<i64>,
}

/// Newest first and paged by `before`; oldest first and paged by `after` when that is given.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<EventPage>, Refusal> {
    let Query(query) = query?;
    let filter = events::Filter {
        cabinet: query.cabinet,
        kind: query.r#type,
        subject: query.subject,
        ascending: query.after.is_some(),
        after: query.after,
        before: query.before,
        limit: query.limit.clamp(1, LIMIT_MAX),
    };
    let events = app.hub.database.events(&filter).await?;
    let full = events.len() == filter.limit as usize;
    let next = events.last().map(|event| event.arrival).filter(|_| full);
    Ok(Json(EventPage { events, next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlarmQuery {
    #[serde(default)]
    all: bool,
    #[serde(default = "hundred")]
    limit: u32,
}

pub(super) async fn alarms(
    State(app): State<Arc<App>>,
    query: Result<Query<AlarmQuery>, QueryRejection>,
) -> Result<Json<Vec<ListedAlarm>>, Refusal> {
    let Query(query) = query?;
    Ok(Json(
        app.hub
            .database
            .alarms(query.all, query.limit.min(LIMIT_MAX))
            .await?,
    ))
}

pub(super) async fn clear_alarm(
    State(app): State<Arc<App>>,
    Path(alarm): Path<i64>,
) -> Result<StatusCode, Refusal> {
    if app.hub.database.clear_alarm(alarm, clock::now()).await? {
        app.hub.changed();
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::NotFound("alarm that stands"))
    }
}
