//! The broker on a loopback socket: one task for its state, one for each connection.
//!
//! A client that does not read is cut: after 1,024 packets waiting for it, or when one write takes 10 seconds. A
//! socket that says nothing for 10 seconds after it opened is closed. At most 20,000 sockets are open.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::{Error as CodecError, v5::DisconnectReasonCode, v5::Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::core::{Broker, Input};
use super::faults::Misdeed;
use super::message::{Answer, ConnectionId, Request};
use super::view::View;
use super::wire;

const PATIENCE: Duration = Duration::from_secs(10);
const WAITING_MAX: usize = 1024;
const SOCKETS_MAX: usize = 20_000;

/// Why a broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Anybody could publish anything: only for this machine.
    #[error(
        "the rehearsal broker has no encryption and listens on loopback only, not on {0}: use 127.0.0.1:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, or not allowed.
    #[error("cannot listen on {address}: {cause}; choose another port, or 0 for any")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// A running broker. Dropped, it stops.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    control: Control,
    acceptor: JoinHandle<()>,
    keeper: JoinHandle<Broker>,
}

/// Reaches into a running broker. Requests to one that has stopped do nothing.
#[derive(Debug, Clone)]
pub struct Control(mpsc::Sender<Order>);

#[derive(Debug)]
enum Order {
    Misdeed(Misdeed, oneshot::Sender<()>),
    Pause(bool, oneshot::Sender<()>),
    View(oneshot::Sender<View>),
    Stop,
}

// A request is moved twice and never stored: boxing it would cost more than it saves.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
enum Happening {
    Opened(ConnectionId, mpsc::Sender<Packet>),
    Said(ConnectionId, Request),
    Failed(ConnectionId, DisconnectReasonCode),
}

impl Server {
    /// Listens with a broker that may have a past; port 0 is any free one.
    pub async fn start(address: SocketAddr, broker: Broker) -> Result<Self, ServerError> {
        if !address.ip().is_loopback() {
            return Err(ServerError::NotLoopback(address));
        }
        let listen = |cause| ServerError::Listen { address, cause };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (orders, orders_in) = mpsc::channel(16);
        let (happenings, happenings_in) = mpsc::channel(WAITING_MAX);
        let packet_max = u32::try_from(broker.limits().packet_max).unwrap_or(u32::MAX);
        Ok(Self {
            address,
            control: Control(orders),
            acceptor: tokio::spawn(accept(listener, happenings, packet_max)),
            keeper: tokio::spawn(keep(broker, orders_in, happenings_in)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way to reach into it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops as if killed: connections end without a word and no will is published. What it knew is handed back
    /// for a new start with its memory; `None` if it had failed.
    pub async fn stop(mut self) -> Option<Broker> {
        self.acceptor.abort();
        let _closed = (&mut self.acceptor).await;
        let _gone = self.control.0.send(Order::Stop).await;
        (&mut self.keeper).await.ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.keeper.abort();
    }
}

impl Control {
    /// Does one misdeed; done when this returns.
    pub async fn misdeed(&self, misdeed: Misdeed) {
        self.ask(|done| Order::Misdeed(misdeed, done)).await;
    }

    /// Stops reading and answering, with all connections open.
    pub async fn pause(&self) {
        self.ask(|done| Order::Pause(true, done)).await;
    }

    /// Goes on after a pause.
    pub async fn resume(&self) {
        self.ask(|done| Order::Pause(false, done)).await;
    }

    /// What can be seen of it; `None` after it has stopped.
    pub async fn view(&self) -> Option<View> {
        self.ask(Order::View).await
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.0.send(order(sender)).await.ok()?;
        answer.await.ok()
    }
}

/// Owns the broker's state and tells each connection what to send.
async fn keep(
    mut broker: Broker,
    mut orders: mpsc::Receiver<Order>,
    mut happenings: mpsc::Receiver<Happening>,
) -> Broker {
    let begin = Instant::now();
    let past = broker.now();
    let mut open: BTreeMap<ConnectionId, mpsc::Sender<Packet>> = BTreeMap::new();
    let mut paused = false;
    loop {
        let deadline = broker.next_deadline().map(|due| begin + due.saturating_sub(past));
        let input = tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Misdeed(misdeed, done)) => {
                    let outputs = broker.handle(past + begin.elapsed(), Input::Misdeed(misdeed));
                    send(&mut broker, &mut open, outputs);
                    let _unheard = done.send(());
                    continue;
                }
                Some(Order::Pause(wanted, done)) => {
                    paused = wanted;
                    let _unheard = done.send(());
                    continue;
                }
                Some(Order::View(answer)) => {
                    let _unheard = answer.send(broker.view());
                    continue;
                }
                Some(Order::Stop) | None => break,
            },
            happening = happenings.recv(), if !paused => match happening {
                Some(Happening::Opened(connection, answers)) => {
                    open.insert(connection, answers);
                    continue;
                }
                Some(Happening::Said(connection, request)) => {
                    if request == Request::Lose {
                        open.remove(&connection);
                    }
                    Input::Request(connection, request)
                }
                Some(Happening::Failed(connection, reason)) => {
                    if let Some(answers) = open.remove(&connection) {
                        let _full = answers.try_send(wire::disconnect(reason));
                    }
                    Input::Request(connection, Request::Lose)
                }
                None => break,
            },
            () = sleep_until(deadline.unwrap_or(begin)), if deadline.is_some() && !paused => Input::Elapsed,
        };
        let outputs = broker.handle(past + begin.elapsed(), input);
        send(&mut broker, &mut open, outputs);
    }
    let _closed = broker.handle(past + begin.elapsed(), Input::Misdeed(Misdeed::Crash));
    broker
}

/// Hands answers to their connections; one that has too many waiting is lost.
fn send(
    broker: &mut Broker,
    open: &mut BTreeMap<ConnectionId, mpsc::Sender<Packet>>,
    mut outputs: Vec<super::core::Output>,
) {
    while !outputs.is_empty() {
        let mut lost = Vec::new();
        for output in outputs {
            let last = matches!(output.answer, Answer::Close(_) | Answer::Refuse(_));
            let Some(answers) = open.get(&output.connection) else {
                continue;
            };
            let packet = wire::packet(output.answer, broker.limits());
            let full = packet.is_some_and(|packet| answers.try_send(packet).is_err());
            if full || last {
                open.remove(&output.connection);
            }
            if full && !last {
                tracing::warn!(
                    connection = output.connection.0,
                    "a client that does not read is cut"
                );
                lost.push(output.connection);
            }
        }
        let now = broker.now();
        let lose = |connection| broker.handle(now, Input::Request(connection, Request::Lose));
        outputs = lost.into_iter().flat_map(lose).collect();
    }
}

async fn accept(listener: TcpListener, happenings: mpsc::Sender<Happening>, packet_max: u32) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let sockets = Arc::new(Semaphore::new(SOCKETS_MAX));
    while let Ok(permit) = Arc::clone(&sockets).acquire_owned().await {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed));
        let happenings = happenings.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let (sender, answers) = mpsc::channel(WAITING_MAX);
            if happenings
                .send(Happening::Opened(connection, sender))
                .await
                .is_ok()
            {
                talk(socket, connection, &happenings, answers, packet_max).await;
                let _stopped = happenings.send(Happening::Said(connection, Request::Lose)).await;
            }
        });
    }
}

/// Reads and writes one connection until either side ends it.
async fn talk(
    mut socket: TcpStream,
    connection: ConnectionId,
    happenings: &mpsc::Sender<Happening>,
    mut answers: mpsc::Receiver<Packet>,
    packet_max: u32,
) {
    let _slower = socket.set_nodelay(true);
    let opened = Instant::now();
    let (mut greeted, mut failed) = (false, false);
    let (mut received, mut sending) = (BytesMut::new(), BytesMut::new());
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            count = answers.recv_many(&mut waiting, 64) => {
                for packet in waiting.drain(..) {
                    if let Err(error) = packet.write(&mut sending, None) {
                        tracing::warn!(connection = connection.0, %error, "a packet could not be encoded");
                    }
                }
                let written = timeout(PATIENCE, socket.write_all(&sending)).await;
                sending.clear();
                if !matches!(written, Ok(Ok(()))) {
                    return;
                }
                if count == 0 {
                    return close(&mut socket).await;
                }
            }
            read = socket.read_buf(&mut received), if !failed => {
                if !matches!(read, Ok(count) if count > 0) {
                    return;
                }
                while let Some(request) = next_request(&mut received, packet_max) {
                    let happening = match request {
                        Ok(request) => Happening::Said(connection, request),
                        Err(_) if !greeted => return,
                        Err(reason) => Happening::Failed(connection, reason),
                    };
                    greeted = true;
                    failed = matches!(happening, Happening::Failed(..));
                    if happenings.send(happening).await.is_err() {
                        return;
                    }
                    if failed {
                        break;
                    }
                }
            }
            () = sleep_until(opened + PATIENCE), if !greeted => return,
        }
    }
}

/// The next whole request; `None` until there are more bytes.
fn next_request(received: &mut BytesMut, packet_max: u32) -> Option<Result<Request, DisconnectReasonCode>> {
    match Packet::read(received, Some(packet_max)) {
        Ok(packet) => Some(wire::request(packet)),
        Err(CodecError::InsufficientBytes(_)) => None,
        Err(CodecError::PayloadSizeLimitExceeded { .. }) => Some(Err(DisconnectReasonCode::PacketTooLarge)),
        Err(_) => Some(Err(DisconnectReasonCode::MalformedPacket)),
    }
}

/// Takes what is still coming for a second, so that the last packet arrives before the connection is gone.
async fn close(socket: &mut TcpStream) {
    let drain = async {
        let mut unread = [0; 4096];
        let _ended = socket.shutdown().await;
        while matches!(socket.read(&mut unread).await, Ok(count) if count > 0) {}
    };
    let _gone = timeout(Duration::from_secs(1), drain).await;
}
