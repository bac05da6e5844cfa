//! Applications, staff and passes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use office_protocol::document::{DocumentName, StaffMember};
use office_protocol::event::{Size, StaffRole};
use office_protocol::{
    ApplicationId, CabinetId, ConsignmentId, Digest, ItemCode, Pass, PassKind, PersonId, Scope, StaffId,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Refusal;
use super::refusal::id;
use crate::database::applications::Application;
use crate::database::consignments::Filter;
use crate::database::directory::{IssuedPass, StaffScope};
use crate::keys::Keys;
use crate::server::App;
use crate::{clock, issuing, qr, secrets};

const DAYS_MAX: u32 = 1_830;

fn days(days: u32) -> Result<u32, Refusal> {
    let fits = (1..=DAYS_MAX).contains(&days);
    fits.then_some(days)
        .ok_or_else(|| Refusal::Invalid(format!("days: 1 to {DAYS_MAX}")))
}

/// A pass as the API shows it.
#[derive(Serialize)]
pub(super) struct ShownPass {
    id: String,
    kind: String,
    subject: String,
    generation: i64,
    /// What the QR code holds.
    text: String,
    /// Where the QR code is, as SVG.
    qr: String,
    expires: Timestamp,
    revoked: Option<Timestamp>,
    used_at: Option<String>,
}

impl ShownPass {
    fn of(keys: &Keys, pass: IssuedPass) -> Result<Self, Refusal> {
        Ok(Self {
            text: signed(keys, &pass)?,
            qr: format!("/api/v1/passes/{}/qr.svg", pass.id),
            id: pass.id,
            kind: pass.kind,
            subject: pass.subject,
            generation: pass.generation,
            expires: Timestamp::from_millis(pass.expires),
            revoked: pass.revoked.map(Timestamp::from_millis),
            used_at: pass.used_at,
        })
    }
}

fn signed(keys: &Keys, pass: &IssuedPass) -> Result<String, Refusal> {
    issuing::signed(keys, pass).ok_or(Refusal::Conflict("the database does not hold this pass any more"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    #[serde(default)]
    person: Option<PersonId>,
    items: Vec<ItemCode>,
    #[serde(default = "small")]
    size: Size,
    #[serde(default = "one")]
    compartments: u8,
    #[serde(default = "thirty")]
    days: u32,
    /// Empty: at any cabinet.
    #[serde(default)]
    cabinets: Vec<CabinetId>,
}

fn small() -> Size {
    Size::Small
}

fn one() -> u8 {
    1
}

fn thirty() -> u32 {
    30
}

/// Where a pass is good. A cabinet that is not enrolled is a mistake, which nobody should find out at a closed door.
async fn scope(app: &App, cabinets: Vec<CabinetId>) -> Result<Scope, Refusal> {
    for cabinet in &cabinets {
        if app
            .hub
            .database
            .cabinets(Some(cabinet.as_str()))
            .await?
            .is_empty()
        {
            let problem =
                format!("cabinets: {cabinet} is not enrolled; GET /api/v1/cabinets lists those that are");
            return Err(Refusal::Invalid(problem));
        }
    }
    Ok(if cabinets.is_empty() {
        Scope::Anywhere
    } else {
        Scope::Cabinets(cabinets)
    })
}

#[derive(Serialize)]
pub(super) struct Registered {
    application: Application,
    pass: Option<ShownPass>,
}

pub(super) async fn register(
    State(app): State<Arc<App>>,
    Path(application): Path<String>,
    body: Result<Json<Registration>, JsonRejection>,
) -> Result<Json<Registered>, Refusal> {
    let Json(wanted) = body?;
    let application: ApplicationId = id(&application)?;
    if wanted.items.is_empty() || wanted.items.len() > 16 || wanted.cabinets.len() > 16 {
        return Err(Refusal::Invalid("items: 1 to 16; cabinets: at most 16".into()));
    }
    if !(1..=Pass::COMPARTMENTS_MAX).contains(&wanted.compartments) {
        return Err(Refusal::Invalid(format!(
            "compartments: 1 to {}",
            Pass::COMPARTMENTS_MAX
        )));
    }
    let kind = PassKind::DropOff {
        application: application.clone(),
        items: wanted.items.clone(),
        size: wanted.size,
        compartments: wanted.compartments,
    };
    let scope = scope(&app, wanted.cabinets).await?;
    let pass = issuing::issue(kind, scope, days(wanted.days)?);
    let application = Application {
        id: application,
        person: wanted.person,
        items: wanted.items,
        size: wanted.size,
        compartments: wanted.compartments,
        pass: pass.id.clone(),
    };
    if app.hub.database.register(&application, &pass).await? {
        app.publish_everywhere(&[DocumentName::Revocations]).await?;
    }
    Ok(Json(Registered {
        application,
        pass: Some(ShownPass::of(&app.hub.keys, pass)?),
    }))
}

pub(super) async fn application(
    State(app): State<Arc<App>>,
    Path(application): Path<String>,
) -> Result<Json<Registered>, Refusal> {
    let found = app.hub.database.application(&id(&application)?).await?;
    let application = found.ok_or(Refusal::NotFound("application"))?;
    let pass = app.hub.database.pass(&application.pass).await?;
    Ok(Json(Registered {
        application,
        pass: pass.map(|pass| ShownPass::of(&app.hub.keys, pass)).transpose()?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Naming {
    roles: Vec<StaffRole>,
    /// Four to twelve digits.
    pin: String,
    /// The text on a plastic badge, where there is one.
    #[serde(default)]
    badge: Option<String>,
    #[serde(default = "year")]
    days: u32,
    /// Empty: everywhere.
    #[serde(default)]
    cabinets: Vec<CabinetId>,
}

fn year() -> u32 {
    365
}

pub(super) async fn name_staff(
    State(app): State<Arc<App>>,
    Path(staff): Path<String>,
    body: Result<Json<Naming>, JsonRejection>,
) -> Result<Json<ShownPass>, Refusal> {
    let Json(wanted) = body?;
    let staff: StaffId = id(&staff)?;
    if wanted.roles.is_empty() || wanted.cabinets.len() > 16 {
        return Err(Refusal::Invalid(
            "roles: courier, technician or both; cabinets: at most 16".into(),
        ));
    }
    if !(4..=12).contains(&wanted.pin.len()) || !wanted.pin.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Refusal::Invalid("pin: 4 to 12 digits".into()));
    }
    let scope = scope(&app, wanted.cabinets.clone()).await?;
    let kind = issuing::staff_kind(staff.clone(), &wanted.roles);
    let pass = issuing::issue(kind, scope, days(wanted.days)?);
    let pin = wanted.pin;
    let pin = tokio::task::spawn_blocking(move || secrets::hash(&pin)).await;
    let member = StaffMember {
        id: staff,
        roles: wanted.roles,
        badge: wanted.badge.map(|text| Digest::of(text.as_bytes())),
        pin: pin.map_err(|_| Refusal::Unavailable("the hub is stopping"))?,
        expires: Timestamp::from_millis(pass.expires),
    };
    let scope = StaffScope {
        cabinets: wanted.cabinets,
    };
    app.hub.database.name_staff(&member, &scope, &pass).await?;
    app.publish_everywhere(&[DocumentName::Staff, DocumentName::Revocations])
        .await?;
    Ok(Json(ShownPass::of(&app.hub.keys, pass)?))
}

/// Neither pass nor badge nor PIN of theirs counts any more.
pub(super) async fn remove_staff(
    State(app): State<Arc<App>>,
    Path(staff): Path<String>,
) -> Result<StatusCode, Refusal> {
    let staff: StaffId = id(&staff)?;
    if !app.hub.database.remove_staff(&staff, clock::now()).await? {
        return Err(Refusal::NotFound("member of staff"));
    }
    app.publish_everywhere(&[DocumentName::Staff, DocumentName::Revocations])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorisation {
    #[serde(default = "week")]
    days: u32,
}

fn week() -> u32 {
    7
}

/// Somebody else may collect, or a lost code is replaced: the next generation kills older passes and the code.
pub(super) async fn authorise(
    State(app): State<Arc<App>>,
    Path(consignment): Path<String>,
    body: Result<Json<Authorisation>, JsonRejection>,
) -> Result<Json<ShownPass>, Refusal> {
    let Json(wanted) = body?;
    let consignment: ConsignmentId = id(&consignment)?;
    let filter = Filter {
        id: Some(consignment.to_string()),
        limit: 1,
        ..Filter::default()
    };
    let found = app.hub.database.consignments(&filter).await?;
    let found = found.first().ok_or(Refusal::NotFound("consignment"))?;
    if found.direction != "outbound" || found.left_at.is_some() {
        return Err(Refusal::Conflict("it is not waiting for collection"));
    }
    let generation = app
        .hub
        .database
        .generation(consignment.as_str())
        .await?
        .saturating_add(1);
    let kind = PassKind::Collection {
        consignment,
        generation,
    };
    let scope = Scope::Cabinets(vec![id(&found.cabinet)?]);
    let pass = issuing::issue(kind, scope, days(wanted.days)?);
    app.hub.database.issue(&pass).await?;
    Ok(Json(ShownPass::of(&app.hub.keys, pass)?))
}

pub(super) async fn pass(
    State(app): State<Arc<App>>,
    Path(pass): Path<String>,
) -> Result<Json<ShownPass>, Refusal> {
    let found = app.hub.database.pass(&pass).await?;
    let found = found.ok_or(Refusal::NotFound("pass"))?;
    Ok(Json(ShownPass::of(&app.hub.keys, found)?))
}

pub(super) async fn qr(
    State(app): State<Arc<App>>,
    Path(pass): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    let found = app
        .hub
        .database
        .pass(&pass)
        .await?
        .ok_or(Refusal::NotFound("pass"))?;
    let picture = qr::svg(&signed(&app.hub.keys, &found)?)
        .ok_or(Refusal::Conflict("the pass is too long for a QR code"))?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, picture))
}

pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path(pass): Path<String>,
) -> Result<StatusCode, Refusal> {
    if !app.hub.database.revoke(&pass, clock::now()).await? {
        return Err(Refusal::NotFound("pass"));
    }
    app.publish_everywhere(&[DocumentName::Revocations, DocumentName::Staff])
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
