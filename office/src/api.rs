//! The REST API under `/api/v1`: what the approval system plugs into. JSON; a bearer token for everything but the health check.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Router};

use crate::clients::Client;
use crate::server::App;

mod authority;
mod cabinets;
mod lists;
mod personal;
mod refusal;

pub use refusal::Refusal;

/// The largest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The API's description, tested against the routes.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// All routes below `/api/v1`.
pub fn routes(app: Arc<App>) -> Router<Arc<App>> {
    let guarded = Router::new()
        .route("/openapi.json", get(openapi))
        .route(
            "/applications/{application}",
            put(authority::register).get(authority::application),
        )
        .route(
            "/staff/{staff}",
            put(authority::name_staff).delete(authority::remove_staff),
        )
        .route("/consignments/{consignment}/passes", post(authority::authorise))
        .route("/passes/{pass}", get(authority::pass).delete(authority::revoke))
        .route("/passes/{pass}/qr.svg", get(authority::qr))
        .route("/cabinets", get(cabinets::list))
        .route("/cabinets/{cabinet}", get(cabinets::one))
        .route("/cabinets/{cabinet}/revoke", post(cabinets::revoke))
        .route("/cabinets/{cabinet}/history", get(cabinets::history))
        .route(
            "/cabinets/{cabinet}/policy",
            get(cabinets::policy).put(cabinets::set_policy),
        )
        .route("/cabinets/{cabinet}/expected", get(cabinets::expected))
        .route(
            "/cabinets/{cabinet}/expected/{consignment}",
            put(cabinets::expect),
        )
        .route("/cabinets/{cabinet}/commands", post(cabinets::command))
        .route("/cabinets/{cabinet}/commands/{number}", get(cabinets::reply))
        .route("/erasures", post(personal::erase))
        .route("/consignments", get(lists::consignments))
        .route("/events", get(lists::events))
        .route("/alarms", get(lists::alarms))
        .route("/alarms/{alarm}/clear", post(lists::clear_alarm))
        .route_layer(middleware::from_fn_with_state(app, guard));
    Router::new()
        .route("/health", get(lists::health))
        .merge(guarded)
        .fallback(async || Refusal::NotFound("resource; /api/v1/openapi.json lists them"))
        .method_not_allowed_fallback(async || Refusal::Method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn guard(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let offered = request.headers().get(header::AUTHORIZATION);
    let offered = offered.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let right = offered.is_some_and(|token| app.secrets.is_token(token));
    // Who has no token takes nothing away from those who have.
    let may = if right {
        app.api_requests.take()
    } else {
        app.strangers.take(client)
    };
    match (may, right) {
        (false, _) => Refusal::TooMany.into_response(),
        (true, true) => next.run(request).await,
        (true, false) => Refusal::Unauthorised.into_response(),
    }
}

/// Answers that take too long are given up; a stream of events has begun by then.
pub async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(ANSWER_LIMIT, next.run(request))
        .await
        .unwrap_or_else(|_| Refusal::Unavailable("it takes too long; try again later").into_response())
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
