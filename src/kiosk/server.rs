//! The kiosk's web server: one page, its changes as server-sent events, and taps; on loopback only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Json, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve as serve_http};
use futures_util::StreamExt;
use office_protocol::event::Subject;
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::WatchStream;
use tracing::{debug, info, warn};

use super::{page, past::Past};
use crate::cabinet::screen::{Screen, Tap, View};
use crate::cabinet::vocabulary::Monotonic;
use crate::catalogue::Catalogue;

const CSS: &str = include_str!("assets/kiosk.css");
const JAVASCRIPT: &str = include_str!("assets/kiosk.js");
/// Names what is embedded, so that a page of an older daemon loads itself anew.
const ASSETS: u64 = fingerprint(CSS, fingerprint(JAVASCRIPT, 0xcbf2_9ce4_8422_2325));

/// Between two signs of life; the page gives up after three.
const BEAT: Duration = Duration::from_secs(5);
/// A tap is some 200 bytes.
const BODY_MAX: usize = 2048;
/// Pages that follow the screen at the same time; more are refused until one closes.
const FOLLOWERS_MAX: usize = 8;

const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Why there is no kiosk.
#[derive(Debug, Error)]
pub enum KioskError {
    /// The settings ask for an address that others can reach.
    #[error("the kiosk may only listen on loopback, not on {0}: write 127.0.0.1 and a port")]
    NotLoopback(SocketAddr),
    /// The port cannot be had.
    #[error("the kiosk cannot listen on {address}: {source}; choose a free port")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server stopped.
    #[error("the kiosk's server stopped: {0}; it is started again with the daemon")]
    Stopped(std::io::Error),
}

/// Finds what happened to a thing, newest first; none when it cannot be found out now. May take as long as the disk takes.
pub type Lookup = Arc<dyn Fn(&Subject) -> Option<Vec<Past>> + Send + Sync>;

/// All that the kiosk is handed.
#[derive(Clone)]
pub struct Kiosk {
    /// What may be shown. When its sender is dropped, [`serve`] returns.
    pub views: watch::Receiver<Arc<View>>,
    /// Where fingers go. When it is full, the tap is refused (503) and the person touches again.
    pub taps: mpsc::Sender<Tap>,
    /// What staff look things up with.
    pub history: Lookup,
    /// The clock that [`View::until`] counts on.
    pub now: Arc<dyn Fn() -> Monotonic + Send + Sync>,
    /// For names and documents.
    pub catalogue: Arc<Catalogue>,
    /// The wall clock's distance from UTC, for the times that are shown; 480 in China.
    pub utc_offset_minutes: i16,
}

#[derive(Clone)]
struct Server {
    kiosk: Kiosk,
    address: SocketAddr,
    followers: Arc<Semaphore>,
}

/// Takes the port.
///
/// # Errors
/// The address is not loopback, or cannot be had.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, KioskError> {
    if !address.ip().is_loopback() {
        return Err(KioskError::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| KioskError::Bind { address, source })
}

/// Serves until the sender of `views` is dropped.
///
/// # Errors
/// The listener is not on loopback, or broke.
pub async fn serve(listener: TcpListener, kiosk: Kiosk) -> Result<(), KioskError> {
    let address = listener.local_addr().map_err(KioskError::Stopped)?;
    if !address.ip().is_loopback() {
        return Err(KioskError::NotLoopback(address));
    }
    let mut views = kiosk.views.clone();
    let followers = Arc::new(Semaphore::new(FOLLOWERS_MAX));
    let server = Server {
        kiosk,
        address,
        followers,
    };
    let router = Router::new()
        .route("/", get(shell))
        .route("/events", get(events))
        .route("/tap", post(tap))
        .route("/kiosk.css", get(async || asset("text/css; charset=utf-8", CSS)))
        .route(
            "/kiosk.js",
            get(async || asset("text/javascript; charset=utf-8", JAVASCRIPT)),
        )
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(server.clone(), guard))
        .with_state(server);
    info!(%address, "kiosk listens");
    tokio::select! {
        served = async { serve_http(listener, router).await } => served.map_err(KioskError::Stopped),
        () = async { while views.changed().await.is_ok() {} } => Ok(()),
    }
}

/// Refuses what another site or another name leads here, and marks every answer.
async fn guard(State(server): State<Server>, request: Request, next: Next) -> Response {
    let mut response = if ours(request.headers(), server.address) {
        next.run(request).await
    } else {
        warn!("request with a foreign Host or Origin refused");
        StatusCode::FORBIDDEN.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn ours(headers: &HeaderMap, address: SocketAddr) -> bool {
    let names = [address.to_string(), format!("localhost:{}", address.port())];
    let is_ours = |value: &HeaderValue, scheme: &str| {
        let name = value.to_str().ok().and_then(|value| value.strip_prefix(scheme));
        name.is_some_and(|name| names.iter().any(|ours| ours == name))
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().is_some_and(|host| is_ours(host, "")) && hosts.next().is_none();
    host && headers
        .get_all(header::ORIGIN)
        .iter()
        .all(|origin| is_ours(origin, "http://"))
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

async fn shell(State(server): State<Server>) -> Response {
    let view = server.kiosk.views.borrow().clone();
    let html = page::shell(&view, &format!("{ASSETS:016x}")).into_string();
    (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        Body::from(html),
    )
        .into_response()
}

/// The screen at each change, newest only: a slow page misses screens, never the last one.
async fn events(State(server): State<Server>) -> Response {
    let Ok(permit) = server.followers.clone().try_acquire_owned() else {
        warn!(
            max = FOLLOWERS_MAX,
            "too many pages follow the screen: one more refused"
        );
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let kiosk = server.kiosk.clone();
    let screens = WatchStream::new(server.kiosk.views.clone());
    let screens = screens.then(move |view| {
        let _held_while_following = &permit;
        let kiosk = kiosk.clone();
        async move { Ok::<_, Infallible>(frame(&kiosk, &view).await) }
    });
    let beat = Event::default().event("beat").data("1"); // browsers tell nobody of an event without data
    Sse::new(screens)
        .keep_alive(KeepAlive::new().interval(BEAT).event(beat))
        .into_response()
}

/// Session and revision as texts: JavaScript loses digits above 2^53.
async fn frame(kiosk: &Kiosk, view: &View) -> Event {
    let found = if let Screen::History { about } = &view.screen {
        look_up(kiosk, about.clone()).await
    } else {
        None
    };
    let found = found.as_deref();
    let html = page::render(
        view,
        &kiosk.catalogue,
        (kiosk.now)(),
        kiosk.utc_offset_minutes,
        found,
    );
    let frame = json!({
        "assets": format!("{ASSETS:016x}"),
        "session": view.session.0.to_string(),
        "revision": view.revision.to_string(),
        "html": html.into_string(),
    });
    Event::default().event("screen").data(frame.to_string())
}

/// On a thread that may wait for the disk.
async fn look_up(kiosk: &Kiosk, about: Subject) -> Option<Vec<Past>> {
    let history = Arc::clone(&kiosk.history);
    tokio::task::spawn_blocking(move || history(&about)).await.ok()?
}

async fn tap(State(server): State<Server>, Json(tap): Json<Tap>) -> StatusCode {
    debug!(?tap, "tapped");
    match server.kiosk.taps.try_send(tap) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(TrySendError::Full(_) | TrySendError::Closed(_)) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// FNV-1a.
const fn fingerprint(text: &str, mut hash: u64) -> u64 {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}
