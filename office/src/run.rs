//! `office run`: opens everything, joins broker, hub, webhooks and server, and stops in good order.

use std::sync::Arc;
use std::time::Duration;

use office_protocol::Signed;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::database::{Database, DatabaseError};
use crate::hub::{Hub, Incoming, Outgoing};
use crate::keys::{KeyStoreError, Keys, read_secret};
use crate::mqtt::{BrokerError, Connector, Inbound, Outbound};
use crate::secrets::Secrets;
use crate::server::{self, App};
use crate::settings::Settings;
use crate::webhooks;

/// Messages from the broker that wait for the database; above, the broker's connection waits.
const INBOUND_MAX: usize = 256;
/// Messages for the broker that wait; above, they are dropped, and their owners send again.
const OUTBOUND_MAX: usize = 4_096;
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Why the hub does not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Keys or secrets.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The broker's settings.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The address.
    #[error("cannot listen on {address}: {error}; is another hub running?")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The system.
    #[error("the system: {0}")]
    System(#[from] std::io::Error),
}

/// Runs until SIGTERM or SIGINT, or until the database fails.
///
/// # Errors
/// [`RunError`].
pub async fn run(settings: Settings) -> Result<(), RunError> {
    std::fs::create_dir_all(&settings.directory)?;
    let keys = Keys::open_or_create(&settings.keys())?;
    let secrets = Secrets::find(&settings.directory)?;
    let connector = Connector::new(&settings.broker)?;
    let database = Database::open(&settings.database()).await?;
    let names = settings
        .webhooks
        .iter()
        .map(|webhook| webhook.name.clone())
        .collect();
    let hub = Arc::new(Hub::new(database, keys, names));
    let mut secrets_of_webhooks = Vec::new();
    for webhook in &settings.webhooks {
        secrets_of_webhooks.push(read_secret(&webhook.secret_file)?);
    }
    let address = settings.listen;
    let listen = |error| RunError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr()?;

    let (inbound_in, inbound) = mpsc::channel(INBOUND_MAX);
    let (outbound_in, outbound) = mpsc::channel(OUTBOUND_MAX);
    let (online_in, online) = watch::channel(false);
    let (broker_in, broker_out) = mpsc::channel(INBOUND_MAX);
    let app = App::new(
        hub.clone(),
        secrets,
        outbound_in.clone(),
        online,
        address,
        &settings.hosts,
    );
    for (webhook, secret) in settings.webhooks.into_iter().zip(secrets_of_webhooks) {
        tokio::spawn(webhooks::run(hub.clone(), webhook, secret));
    }
    let broker = tokio::spawn(connector.run(inbound_in, broker_out, online_in));
    let forward = tokio::spawn(forward(outbound, broker_in));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::info!(%address, "the office is open");
    let ended = tokio::select! {
        result = serve_cabinets(&hub, inbound, &outbound_in) => result.map_err(RunError::from),
        result = server::serve(listener, Arc::new(app)) => result.map_err(RunError::from),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    tracing::info!("the office closes");
    drop(outbound_in);
    forward.abort();
    if tokio::time::timeout(STOP_LIMIT, broker).await.is_err() {
        tracing::debug!("the broker's task did not end in time");
    }
    if tokio::time::timeout(STOP_LIMIT, hub.database.close())
        .await
        .is_err()
    {
        tracing::warn!("the database is still busy; what was confirmed is on disk");
    }
    ended
}

/// Hub messages as the broker's task takes them.
async fn forward(mut outbound: mpsc::Receiver<Outgoing>, broker: mpsc::Sender<Outbound>) {
    while let Some(message) = outbound.recv().await {
        let message = Outbound {
            cabinet: message.cabinet,
            topic: message.topic,
            signed: message.signed,
            retain: message.retained,
            expires_in: message
                .expiry_s
                .map(|seconds| Duration::from_secs(seconds.into())),
        };
        if broker.send(message).await.is_err() {
            return;
        }
    }
}

/// One message after the other, and deadlines between them. Ends only when the database fails.
async fn serve_cabinets(
    hub: &Hub,
    mut inbound: mpsc::Receiver<Inbound>,
    outbound: &mpsc::Sender<Outgoing>,
) -> Result<(), DatabaseError> {
    loop {
        let wait = hub
            .next_deadline_ms()
            .await
            .map_or(Duration::from_secs(3_600), Duration::from_millis);
        let answers = tokio::select! {
            message = inbound.recv() => match message {
                Some(message) => hub.take(incoming(message)).await?,
                None => return Ok(()),
            },
            () = tokio::time::sleep(wait) => hub.deadlines().await?,
        };
        for answer in answers {
            if outbound.try_send(answer).is_err() {
                tracing::warn!("an answer was dropped: the broker is slow; the cabinet will ask again");
            }
        }
    }
}

fn incoming(message: Inbound) -> Incoming {
    let Inbound {
        cabinet,
        topic,
        payload,
        signature,
    } = message;
    let signed = signature.map(|signature| Signed {
        bytes: payload,
        signature,
    });
    Incoming {
        cabinet,
        topic,
        signed,
    }
}
