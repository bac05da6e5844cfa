//! `office run`: opens everything, joins broker, hub, webhooks and server, and stops in good order.

use std::sync::Arc;
use std::time::Duration;

use office_protocol::Signed;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::database::{Database, DatabaseError};
use crate::hub::{Checked, Hub, Incoming, Outgoing, Patience};
use crate::keys::{KeyStoreError, Keys, read_secret};
use crate::mqtt::{BrokerError, Connector, Inbound, Outbound};
use crate::revoked::RevokedFile;
use crate::secrets::Secrets;
use crate::server::{self, App};
use crate::settings::Settings;
use crate::webhooks;

/// Messages from the broker that wait for the database; above, the broker's connection waits.
const INBOUND_MAX: usize = 256;
/// Messages for the broker that wait; above, they are dropped, and their owners send again.
const OUTBOUND_MAX: usize = 4_096;
/// The most messages that are one transaction.
const BATCH_MAX: usize = 256;
const UPKEEP_EVERY: Duration = Duration::from_secs(10);
/// How long a database that failed is left alone.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);
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
    let connector = Connector::new(&settings.broker)?;
    let keys = Keys::open_or_create(&settings.keys())?;
    let secrets = Secrets::find(&settings.directory)?;
    let database = Database::open(&settings.database()).await?;
    let patience = settings.patience();
    let revoked = settings.revoked.clone().map(RevokedFile::at);
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
    let becomes_online = online.clone();
    let (broker_in, broker_out) = mpsc::channel(INBOUND_MAX);
    let app = App::new(
        hub.clone(),
        secrets,
        outbound_in.clone(),
        online,
        address,
        &settings.hosts,
    )
    .behind(settings.client_header());
    for (webhook, secret) in settings.webhooks.into_iter().zip(secrets_of_webhooks) {
        tokio::spawn(webhooks::run(hub.clone(), webhook, secret));
    }
    let broker = tokio::spawn(connector.run(inbound_in, broker_out, online_in));
    tokio::spawn(catch_up(hub.clone(), becomes_online, outbound_in.clone()));
    let forward = tokio::spawn(forward(outbound, broker_in));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::info!(%address, "the office is open");
    let ended = tokio::select! {
        result = serve_cabinets(hub.clone(), inbound, &outbound_in, patience, revoked) => result.map_err(RunError::from),
        () = server::serve(listener, Arc::new(app)) => Ok(()),
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

/// Batches of messages, verified while the batch before is being committed; deadlines and upkeep between them. Ends only when the
/// database fails in a way that does not pass.
async fn serve_cabinets(
    hub: Arc<Hub>,
    inbound: mpsc::Receiver<Inbound>,
    outbound: &mpsc::Sender<Outgoing>,
    patience: Patience,
    revoked: Option<RevokedFile>,
) -> Result<(), DatabaseError> {
    let (checked_in, checked) = mpsc::channel(1);
    let mut checking = tokio::spawn(check_messages(hub.clone(), inbound, checked_in));
    tokio::select! {
        done = judge_messages(&hub, checked, outbound) => done,
        done = upkeep(&hub, patience, revoked) => done,
        done = &mut checking => done.unwrap_or(Ok(())),
    }
}

async fn check_messages(
    hub: Arc<Hub>,
    mut inbound: mpsc::Receiver<Inbound>,
    checked: mpsc::Sender<Vec<Checked>>,
) -> Result<(), DatabaseError> {
    let mut messages = Vec::new();
    while inbound.recv_many(&mut messages, BATCH_MAX).await > 0 {
        let messages = messages.drain(..).map(incoming).collect();
        let Some(batch) = or_pause(hub.check(messages).await).await? else {
            continue;
        };
        if checked.send(batch).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn judge_messages(
    hub: &Hub,
    mut checked: mpsc::Receiver<Vec<Checked>>,
    outbound: &mpsc::Sender<Outgoing>,
) -> Result<(), DatabaseError> {
    loop {
        let wait = hub
            .next_deadline_ms()
            .await
            .map_or(Duration::from_secs(3_600), Duration::from_millis);
        let answers = tokio::select! {
            batch = checked.recv() => match batch {
                Some(batch) => hub.judge(batch).await,
                None => return Ok(()),
            },
            () = tokio::time::sleep(wait) => hub.deadlines().await,
        };
        for answer in or_pause(answers).await?.unwrap_or_default() {
            if outbound.try_send(answer).is_err() {
                tracing::warn!("an answer was dropped: the broker is slow; the cabinet will ask again");
            }
        }
    }
}

/// Publishes what cabinets lack, once there is a broker: keys may have been replaced since the last start.
async fn catch_up(hub: Arc<Hub>, mut online: watch::Receiver<bool>, outbound: mpsc::Sender<Outgoing>) {
    if online.wait_for(|online| *online).await.is_err() {
        return;
    }
    match hub.catch_up().await {
        Ok(documents) => {
            for document in documents {
                if outbound.send(document).await.is_err() {
                    return;
                }
            }
        }
        Err(error) => tracing::warn!(%error, "documents wait for the cabinets' next statuses"),
    }
}

async fn upkeep(
    hub: &Hub,
    patience: Patience,
    mut revoked: Option<RevokedFile>,
) -> Result<(), DatabaseError> {
    loop {
        or_pause(hub.upkeep(patience, clock::now()).await).await?;
        if let Some(file) = &mut revoked {
            or_pause(file.keep(&hub.database, &hub.keys).await).await?;
        }
        // Other hubs on the same database change it too.
        hub.changed();
        tokio::time::sleep(UPKEEP_EVERY).await;
    }
}

/// After an error that may pass: none, a moment later. What was not committed comes again.
async fn or_pause<T>(result: Result<T, DatabaseError>) -> Result<Option<T>, DatabaseError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.may_pass() => {
            tracing::warn!(%error, "the database did not take it, trying again");
            tokio::time::sleep(DATABASE_PAUSE).await;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn incoming(message: Inbound) -> Incoming {
    let Inbound {
        cabinet,
        topic,
        payload,
        signature,
        kept,
    } = message;
    let signed = signature.map(|signature| Signed {
        bytes: payload,
        signature,
    });
    Incoming {
        cabinet,
        topic,
        signed,
        kept,
    }
}
