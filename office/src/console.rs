//! The operators' page: login, the page, and its changes as server-sent events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::WatchStream;

use crate::clients::Client;
use crate::clock::{self, Monotonic};
use crate::database::DatabaseError;
use crate::database::personal::Whose;
use crate::page::{self, Done, Language, LoginProblem};
use crate::server::App;

mod overview;
pub use overview::overview;

const COOKIE: &str = "office";
/// A shift.
const SESSION_MS: u64 = 10 * 3_600_000;
/// The largest form that is read.
const FORM_BYTES_MAX: usize = 4 * 1024;
const SESSIONS_MAX: usize = 256;
/// Passwords that are checked at once, whoever offers them: each takes 19 MiB.
const CHECKS_MAX: usize = 4;
/// Pages that are open at once.
const PAGES_MAX: usize = 64;
/// The page changes at most so often.
const PAUSE: Duration = Duration::from_millis(300);

/// Who has logged in, by the digest of their cookie.
pub struct Sessions {
    clock: Monotonic,
    ends: Mutex<HashMap<office_protocol::Digest, u64>>,
    pages: Arc<Semaphore>,
    checks: Semaphore,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            clock: Monotonic::begin(),
            ends: Mutex::default(),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
            checks: Semaphore::new(CHECKS_MAX),
        }
    }
}

impl Sessions {
    fn begin(&self) -> String {
        let cookie = clock::random_name::<32>();
        let now = self.clock.millis();
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|_, end| *end > now);
        if ends.len() >= SESSIONS_MAX {
            let oldest = ends.iter().min_by_key(|(_, end)| **end).map(|(id, _)| *id);
            oldest.and_then(|id| ends.remove(&id));
        }
        ends.insert(office_protocol::Digest::of(cookie.as_bytes()), now + SESSION_MS);
        cookie
    }

    fn holds(&self, headers: &HeaderMap) -> bool {
        let now = self.clock.millis();
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        cookie(headers).is_some_and(|id| ends.get(&id).is_some_and(|end| *end > now))
    }

    fn end(&self, headers: &HeaderMap) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        cookie(headers).and_then(|id| ends.remove(&id));
    }
}

fn cookie(headers: &HeaderMap) -> Option<office_protocol::Digest> {
    let all = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE)?;
    Some(office_protocol::Digest::of(value.as_bytes()))
}

/// All routes of the page.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(front))
        .route("/events", get(changes))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/revoke", post(revoke))
        .route("/erase", post(erase))
        .route("/alarms/clear", post(clear_alarm))
        .route("/script.js", get(script))
        // The login page needs it.
        .route(
            "/style.css",
            get(async || ([(header::CONTENT_TYPE, "text/css")], page::STYLE)),
        )
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    language: String,
    #[serde(default)]
    done: String,
}

impl Asked {
    fn language(&self, headers: &HeaderMap) -> Language {
        let preferred = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        match self.language.as_str() {
            "en" => Language::En,
            "zh" => Language::Zh,
            _ if preferred.is_some_and(|text| text.starts_with("en")) => Language::En,
            _ => Language::Zh,
        }
    }
}

/// What became of a request, as `?done=…` says after it.
fn done(text: &str) -> Option<Done> {
    match text {
        "revoked" => Some(Done::Revoked),
        "no-cabinet" => Some(Done::NoCabinet),
        "no-id" => Some(Done::NoId),
        _ => text.strip_prefix("erased-")?.parse().ok().map(Done::Erased),
    }
}

async fn front(State(app): State<Arc<App>>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = asked.language(&headers);
    if !app.sessions.holds(&headers) {
        return Html(page::login(language, None)).into_response();
    }
    match overview(&app.hub.database, language).await {
        Ok(overview) => Html(page::render(&overview, done(&asked.done))).into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
struct Login {
    password: String,
    #[serde(default)]
    language: String,
}

/// Back to the page, in the language that the form was in.
fn back(language: &str, done: &str) -> Redirect {
    let language = if language == "en" { "en" } else { "zh" };
    let done = if done.is_empty() {
        String::new()
    } else {
        format!("&done={done}")
    };
    Redirect::to(&format!("/?language={language}{done}"))
}

async fn login(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    let asked = Asked {
        language: login.language,
        ..Asked::default()
    };
    let again = |status, problem| {
        let page = page::login(asked.language(&headers), Some(problem));
        (status, Html(page)).into_response()
    };
    if !app.logins.take(client) {
        return again(StatusCode::TOO_MANY_REQUESTS, LoginProblem::TooMany);
    }
    let secrets = app.secrets.clone();
    let _turn = app.sessions.checks.acquire().await;
    let right = tokio::task::spawn_blocking(move || secrets.is_password(&login.password)).await;
    if !right.unwrap_or(false) {
        tracing::warn!(?client, "wrong operators' password");
        return again(StatusCode::UNAUTHORIZED, LoginProblem::Wrong);
    }
    let cookie = app.sessions.begin();
    let set = format!(
        "{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
        SESSION_MS / 1000
    );
    ([(header::SET_COOKIE, set)], back(&asked.language, "")).into_response()
}

#[derive(Deserialize)]
struct Leaving {
    #[serde(default)]
    language: String,
}

async fn logout(State(app): State<Arc<App>>, headers: HeaderMap, Form(leaving): Form<Leaving>) -> Response {
    app.sessions.end(&headers);
    let set = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, set)], back(&leaving.language, "")).into_response()
}

async fn script(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if !app.sessions.holds(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    ([(header::CONTENT_TYPE, "text/javascript")], page::SCRIPT).into_response()
}

#[derive(Deserialize)]
struct Revocation {
    #[serde(default)]
    language: String,
    cabinet: String,
}

async fn revoke(State(app): State<Arc<App>>, headers: HeaderMap, Form(form): Form<Revocation>) -> Response {
    if !app.sessions.holds(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(cabinet) = form.cabinet.trim().parse() else {
        return back(&form.language, "no-cabinet").into_response();
    };
    match app.revoke_cabinet(&cabinet).await {
        Ok(true) => back(&form.language, "revoked").into_response(),
        Ok(false) => back(&form.language, "no-cabinet").into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
struct Clearing {
    #[serde(default)]
    language: String,
    alarm: i64,
}

/// Somebody has seen to it. One that was cleared meanwhile is as well cleared.
async fn clear_alarm(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(form): Form<Clearing>,
) -> Response {
    if !app.sessions.holds(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match app.hub.database.clear_alarm(form.alarm, clock::now()).await {
        Ok(_stood) => {
            app.hub.changed();
            back(&form.language, "").into_response()
        }
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
struct Erasure {
    #[serde(default)]
    language: String,
    of: String,
    id: String,
}

impl Erasure {
    fn whose(&self) -> Option<Whose> {
        let id = self.id.trim();
        match self.of.as_str() {
            "person" => id.parse().ok().map(Whose::Person),
            "application" => id.parse().ok().map(Whose::Application),
            "consignment" => id.parse().ok().map(Whose::Consignment),
            _ => None,
        }
    }
}

async fn erase(State(app): State<Arc<App>>, headers: HeaderMap, Form(form): Form<Erasure>) -> Response {
    if !app.sessions.holds(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Some(whose) = form.whose() else {
        return back(&form.language, "no-id").into_response();
    };
    match app.erase(&whose).await {
        Ok(count) => back(&form.language, &format!("erased-{count}")).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &DatabaseError) -> Response {
    tracing::error!(%error, "the operators' page failed");
    let text = "the database failed; see the hub's log\n";
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

async fn changes(State(app): State<Arc<App>>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    if !app.sessions.holds(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(permit) = app.sessions.pages.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many open pages\n").into_response();
    };
    let language = asked.language(&headers);
    let open = Arc::new((app.clone(), headers, permit));
    let stream = WatchStream::new(app.hub.changes())
        .take_while({
            let open = open.clone();
            move |_| std::future::ready(open.0.sessions.holds(&open.1))
        })
        .then(move |_| {
            let open = open.clone();
            async move {
                tokio::time::sleep(PAUSE).await;
                match overview(&open.0.hub.database, language).await {
                    Ok(overview) => Event::default().data(page::fragment(&overview).into_string()),
                    Err(_) => Event::default().comment("the database failed"),
                }
            }
        })
        .map(Ok::<Event, Infallible>);
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}
