//! The hub's HTTP server: the API and the operators' page, for known hosts only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use office_protocol::CabinetId;
use office_protocol::document::DocumentName;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::clients::{Buckets, Client};
use crate::clock;
use crate::console::Sessions;
use crate::database::DatabaseError;
use crate::database::personal::Whose;
use crate::hub::{Hub, Outgoing};
use crate::limits::{Bucket, from_here};
use crate::secrets::Secrets;
use crate::{api, console};

/// Connections at once.
const CONNECTIONS_MAX: usize = 512;
/// How long a request's head may take, and a connection be idle.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// After an error of the system, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What requests work with.
pub struct App {
    /// The hub.
    pub hub: Arc<Hub>,
    /// What requests are checked against.
    pub secrets: Arc<Secrets>,
    /// How many requests the API takes.
    pub api_requests: Bucket,
    /// How many requests without the token each client may make.
    pub strangers: Buckets,
    /// How many passwords each client may try.
    pub logins: Buckets,
    /// Operators who have logged in.
    pub sessions: Sessions,
    outbound: mpsc::Sender<Outgoing>,
    online: watch::Receiver<bool>,
    hosts: Vec<String>,
    client_header: Option<HeaderName>,
}

/// The other end of a connection.
#[derive(Clone, Copy)]
struct Peer(IpAddr);

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
            strangers: Buckets::new(100, 5.0),
            logins: Buckets::new(5, 0.1),
            sessions: Sessions::default(),
            outbound,
            online,
            hosts: known,
            client_header: None,
        }
    }

    /// Behind a proxy that says in this header who asks.
    #[must_use]
    pub fn behind(mut self, client_header: Option<HeaderName>) -> Self {
        self.client_header = client_header;
        self
    }

    /// Whether the broker is connected.
    pub fn broker_online(&self) -> bool {
        *self.online.borrow()
    }

    /// Hands a message to the broker's task; false when it is full.
    pub fn send(&self, message: Outgoing) -> bool {
        self.outbound.try_send(message).is_ok()
    }

    /// Takes a cabinet's key back; false when it is not enrolled.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn revoke_cabinet(&self, cabinet: &CabinetId) -> Result<bool, DatabaseError> {
        let known = self.hub.database.revoke_cabinet(cabinet, clock::now()).await?;
        if known {
            tracing::warn!(cabinet = %cabinet, "revoked");
            self.hub.changed();
        }
        Ok(known)
    }

    /// Erases somebody's or something's sealed parts; how many there were.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn erase(&self, whose: &Whose) -> Result<u64, DatabaseError> {
        let erased = self.hub.database.erase(whose, clock::now()).await?;
        tracing::info!(erased, "personal data erased on request");
        Ok(erased)
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
        .layer(middleware::from_fn(api::in_time))
        .layer(middleware::from_fn_with_state(app.clone(), at_the_door))
        .with_state(app)
}

/// Serves until the process ends. Who connects and says nothing, or says it slowly, is sent away; above the most connections the others
/// wait.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    let service = TowerToHyperService::new(router(app));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .max_buf_size(HEADER_BYTES_MAX);
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = service.clone();
        let known = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(address.ip()));
            service.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(stream), known);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
}

async fn at_the_door(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if !from_here(request.headers(), &app.hosts) {
        return (StatusCode::MISDIRECTED_REQUEST, "unknown host or origin\n").into_response();
    }
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let client = Client::of(peer, request.headers(), app.client_header.as_ref());
    request.extensions_mut().insert(client);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                  form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
