//! The hub's HTTP server: the API and the operators' page, for known hosts only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use office_protocol::CabinetId;
use office_protocol::document::DocumentName;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::console::Sessions;
use crate::database::DatabaseError;
use crate::hub::{Hub, Outgoing};
use crate::limits::{Bucket, from_here};
use crate::secrets::Secrets;
use crate::{api, console};

/// What requests work with.
pub struct App {
    /// The hub.
    pub hub: Arc<Hub>,
    /// What requests are checked against.
    pub secrets: Arc<Secrets>,
    /// How many requests the API takes.
    pub api_requests: Bucket,
    /// How many passwords may be tried.
    pub logins: Bucket,
    /// Operators who have logged in.
    pub sessions: Sessions,
    outbound: mpsc::Sender<Outgoing>,
    online: watch::Receiver<bool>,
    hosts: Vec<String>,
}

impl App {
    /// For a server at `address`, known under `hosts` as well.
    pub fn new(
        hub: Arc<Hub>,
        secrets: Secrets,
        outbound: mpsc::Sender<Outgoing>,
        online: watch::Receiver<bool>,
        address: SocketAddr,
        hosts: &[String],
    ) -> Self {
        let port = address.port();
        let mut known = vec![
            address.to_string(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
        ];
        known.extend_from_slice(hosts);
        Self {
            hub,
            secrets: Arc::new(secrets),
            api_requests: Bucket::new(400, 100.0),
            logins: Bucket::new(5, 0.1),
            sessions: Sessions::default(),
            outbound,
            online,
            hosts: known,
        }
    }

    /// Whether the broker is connected.
    pub fn broker_online(&self) -> bool {
        *self.online.borrow()
    }

    /// Hands a message to the broker's task; false when it is full.
    pub fn send(&self, message: Outgoing) -> bool {
        self.outbound.try_send(message).is_ok()
    }

    /// Publishes some of a cabinet's documents. Those that are lost go out with the cabinet's next status.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn publish(&self, cabinet: &CabinetId, names: &[DocumentName]) -> Result<(), DatabaseError> {
        for message in self.hub.documents(cabinet, names).await? {
            if !self.send(message) {
                tracing::warn!(cabinet = %cabinet, "a document waits for the cabinet's next status");
            }
        }
        Ok(())
    }

    /// Publishes some documents of every cabinet.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn publish_everywhere(&self, names: &[DocumentName]) -> Result<(), DatabaseError> {
        for listed in self.hub.database.cabinets(None).await? {
            if let Ok(cabinet) = listed.id.parse() {
                self.publish(&cabinet, names).await?;
            }
        }
        Ok(())
    }
}

/// Everything that is served.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(console::routes())
        .nest("/api/v1", api::routes(app.clone()))
        .layer(middleware::from_fn_with_state(app.clone(), at_the_door))
        .with_state(app)
}

/// Serves until the process ends.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    axum::serve(listener, router(app)).await
}

async fn at_the_door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !from_here(request.headers(), &app.hosts) {
        return (StatusCode::MISDIRECTED_REQUEST, "unknown host or origin\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                  form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
