//! Cabinets: what they said of themselves, their rules, what they expect, and commands to them.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use office_protocol::document::{DocumentName, ExpectedConsignment, Policy};
use office_protocol::event::Size;
use office_protocol::{Action, ApplicationId, CabinetId, Command, PersonId, Purpose, Signed, StaffId, Topic};
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::refusal::id;
use crate::clock;
use crate::database::cabinets::{ListedCabinet, ListedCommand};
use crate::database::directory;
use crate::history::{History, HistoryError};
use crate::hub::Outgoing;
use crate::server::App;

/// How long a command may live that opens no door.
const LIFETIME_MS: i64 = 300_000;

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Vec<ListedCabinet>>, Refusal> {
    Ok(Json(app.hub.database.cabinets(None).await?))
}

async fn enrolled(app: &App, cabinet: &str) -> Result<(CabinetId, ListedCabinet), Refusal> {
    let cabinet: CabinetId = id(cabinet)?;
    let mut found = app.hub.database.cabinets(Some(cabinet.as_str())).await?;
    let listed = found.pop().ok_or(Refusal::NotFound("cabinet"))?;
    Ok((cabinet, listed))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
) -> Result<Json<ListedCabinet>, Refusal> {
    Ok(Json(enrolled(&app, &cabinet).await?.1))
}

/// Its whole history, for `lockerd restore`; not while it is online.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
) -> Result<Response, Refusal> {
    let cabinet: CabinetId = id(&cabinet)?;
    let begun = History::begin(&app.hub.database, &app.hub.keys, &cabinet, None, false).await;
    let history = begun.map_err(|error| match error {
        HistoryError::Database(error) => Refusal::Database(error),
        HistoryError::Unknown | HistoryError::NoBranch(_) => Refusal::NotFound("cabinet"),
        HistoryError::Revoked => Refusal::Conflict("the cabinet's key was taken back"),
        HistoryError::Online => Refusal::Conflict("the cabinet is online"),
    })?;
    let pages = stream::try_unfold((app, history), async |(app, mut history)| {
        let lines = history.next(&app.hub.database).await?;
        Ok::<_, HistoryError>(lines.map(|lines| (lines, (app, history))))
    });
    let lines = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((lines, Body::from_stream(pages)).into_response())
}

/// Nothing that the cabinet signs counts any more, until it is enrolled anew.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
) -> Result<StatusCode, Refusal> {
    if app.revoke_cabinet(&id(&cabinet)?).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::NotFound("cabinet"))
    }
}

pub(super) async fn policy(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
) -> Result<Json<Policy>, Refusal> {
    let (cabinet, _) = enrolled(&app, &cabinet).await?;
    Ok(Json(directory::policy(app.hub.database.read(), &cabinet).await?))
}

pub(super) async fn set_policy(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
    body: Result<Json<Policy>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(policy) = body?;
    let (cabinet, _) = enrolled(&app, &cabinet).await?;
    app.hub.database.set_policy(&cabinet, &policy).await?;
    app.publish(&cabinet, &[DocumentName::Policy]).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn expected(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
) -> Result<Json<Vec<ExpectedConsignment>>, Refusal> {
    let (cabinet, _) = enrolled(&app, &cabinet).await?;
    Ok(Json(
        directory::expected_at(app.hub.database.read(), &cabinet).await?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expecting {
    application: ApplicationId,
    person: PersonId,
    #[serde(default = "small")]
    size: Size,
}

fn small() -> Size {
    Size::Small
}

pub(super) async fn expect(
    State(app): State<Arc<App>>,
    Path((cabinet, consignment)): Path<(String, String)>,
    body: Result<Json<Expecting>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(wanted) = body?;
    let (cabinet, _) = enrolled(&app, &cabinet).await?;
    let expected = ExpectedConsignment {
        consignment: id(&consignment)?,
        application: wanted.application,
        person: wanted.person,
        size: wanted.size,
    };
    app.hub.database.expect(&cabinet, &expected, clock::now()).await?;
    app.publish(&cabinet, &[DocumentName::Expected]).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    operator: StaffId,
    action: Action,
}

#[derive(Serialize)]
pub(super) struct Ordered {
    number: u64,
    /// Where its reply will be.
    reply: String,
}

/// Signs a command and sends it at once; a cabinet that is not online is never left one for later.
pub(super) async fn command(
    State(app): State<Arc<App>>,
    Path(cabinet): Path<String>,
    body: Result<Json<Order>, JsonRejection>,
) -> Result<(StatusCode, Json<Ordered>), Refusal> {
    let Json(order) = body?;
    let (cabinet, listed) = enrolled(&app, &cabinet).await?;
    if listed.presence != "online" || !app.broker_online() {
        return Err(Refusal::Conflict("the cabinet is not online"));
    }
    let lifetime = if order.action.opens_door() {
        Command::DOOR_LIFETIME_MS
    } else {
        LIFETIME_MS
    };
    let given = app
        .hub
        .database
        .give_command(&cabinet, &order.operator, order.action, clock::now(), lifetime)
        .await?;
    let command = given.ok_or(Refusal::Conflict("the cabinet has not been heard of"))?;
    let bytes = serde_json::to_vec(&command).expect("commands are texts and numbers");
    let message = Outgoing {
        topic: Topic::Command,
        signed: Signed::new(&app.hub.keys.commands, Purpose::Command, &cabinet, bytes),
        retained: false,
        expiry_s: u32::try_from(lifetime / 1000).ok(),
        cabinet,
    };
    let reply = format!("/api/v1/cabinets/{}/commands/{}", message.cabinet, command.number);
    tracing::info!(cabinet = %message.cabinet, number = command.number, operator = %command.operator, "command given");
    if !app.send(message) {
        return Err(Refusal::Unavailable("the broker is busy; try again"));
    }
    let number = command.number;
    Ok((StatusCode::ACCEPTED, Json(Ordered { number, reply })))
}

pub(super) async fn reply(
    State(app): State<Arc<App>>,
    Path((cabinet, number)): Path<(String, u64)>,
) -> Result<Json<ListedCommand>, Refusal> {
    let found = app.hub.database.command(&id(&cabinet)?, number).await?;
    Ok(Json(found.ok_or(Refusal::NotFound("command"))?))
}
