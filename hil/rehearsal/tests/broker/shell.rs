//! The broker on a socket, spoken to by the client that the product uses, and by noise.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use rehearsal::broker::{Broker, Faults, Limits, Memory, Message, Misdeed, Server};
use rumqttc::{
    AsyncClient, Event, LastWill, MqttOptions, Packet, PubAckReason, Publish, PublishNoticeError,
    PublishOptions, PublishProperties, PublishResult, QoS,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);
const LOOPBACK: &str = "127.0.0.1:0";

async fn start(limits: Limits) -> Server {
    Server::start(LOOPBACK.parse().unwrap(), Broker::new(limits, 1))
        .await
        .unwrap()
}

/// The real client; aborting its task kills its socket.
struct Client {
    asks: AsyncClient,
    hears: mpsc::UnboundedReceiver<Packet>,
    task: JoinHandle<String>,
}

impl Client {
    async fn connect(address: SocketAddr, name: &str, adjust: impl FnOnce(&mut MqttOptions)) -> Self {
        let mut options = MqttOptions::new(name, (address.ip().to_string(), address.port()));
        adjust(&mut options);
        let (asks, mut events) = AsyncClient::builder(options).capacity(100).build();
        let (sender, hears) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(packet)) => drop(sender.send(packet)),
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                }
            }
        });
        let mut client = Self { asks, hears, task };
        client
            .hear(|packet| matches!(packet, Packet::ConnAck(_)).then_some(()))
            .await;
        client
    }

    async fn hear<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = wanted(&self.hears.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        timeout(LIMIT, found).await.unwrap()
    }

    async fn message(&mut self) -> Publish {
        let publish = |packet: &Packet| {
            let Packet::Publish(publish) = packet else {
                return None;
            };
            Some(publish.clone())
        };
        self.hear(publish).await
    }

    async fn subscribe(&self, filter: &str) {
        let notice = self
            .asks
            .subscribe_tracked(filter, QoS::AtLeastOnce)
            .await
            .unwrap();
        timeout(LIMIT, notice.wait_async()).await.unwrap().unwrap();
    }

    /// The reason in the acknowledgement.
    async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
        options: PublishOptions,
    ) -> PubAckReason {
        let notice = self
            .asks
            .publish_tracked(topic, payload.into(), options)
            .await
            .unwrap();
        match timeout(LIMIT, notice.wait_async()).await.unwrap() {
            Ok(PublishResult::Qos1(ack)) => ack.reason,
            Err(PublishNoticeError::V5PubAck(reason)) => reason,
            other => panic!("no acknowledgement: {other:?}"),
        }
    }

    /// What the connection ended with.
    async fn end(self) -> String {
        timeout(LIMIT, self.task).await.unwrap().unwrap()
    }
}

fn once() -> PublishOptions {
    PublishOptions::at_least_once()
}

#[tokio::test]
async fn messages_retained_messages_and_their_properties_pass() {
    let server = start(Limits::default()).await;
    let publisher = Client::connect(server.address(), "publisher", |_| {}).await;
    assert_eq!(
        publisher.publish("c/event", "x", once()).await,
        PubAckReason::NoMatchingSubscribers
    );
    let properties = PublishProperties {
        user_properties: vec![("signature".into(), "=abc".into()), ("key".into(), "k1".into())],
        response_topic: Some("c/reply".into()),
        correlation_data: Some("7".into()),
        message_expiry_interval: Some(600),
        ..PublishProperties::default()
    };
    publisher
        .publish(
            "c/status",
            "online",
            once().retained().properties(properties.clone()),
        )
        .await;
    let mut hub = Client::connect(server.address(), "hub", |_| {}).await;
    hub.subscribe("+/#").await;
    let status = hub.message().await;
    assert_eq!(
        (&status.topic[..], &status.payload[..], status.retain),
        (&b"c/status"[..], &b"online"[..], true)
    );
    let received = status.properties.unwrap();
    assert!((599..=600).contains(&received.message_expiry_interval.unwrap()));
    assert_eq!(
        PublishProperties {
            message_expiry_interval: Some(600),
            ..received
        },
        properties
    );
    assert_eq!(
        publisher.publish("c/event", "y", once()).await,
        PubAckReason::Success
    );
    assert_eq!(&hub.message().await.payload[..], b"y");
    publisher
        .asks
        .publish("c/event", "z", PublishOptions::at_most_once())
        .await
        .unwrap();
    assert_eq!(hub.message().await.qos, QoS::AtMostOnce);
}

#[tokio::test]
async fn a_killed_socket_publishes_the_will() {
    let server = start(Limits::default()).await;
    let mut hub = Client::connect(server.address(), "hub", |_| {}).await;
    hub.subscribe("c/status").await;
    let will = LastWill::new("c/status", "offline", QoS::AtLeastOnce, true, None);
    let cabinet = Client::connect(server.address(), "c", |options| {
        options.set_last_will(will);
    })
    .await;
    cabinet.task.abort();
    assert_eq!(&hub.message().await.payload[..], b"offline");
}

#[tokio::test]
async fn a_shared_subscription_splits_the_work() {
    let server = start(Limits::default()).await;
    let publisher = Client::connect(server.address(), "publisher", |_| {}).await;
    let mut hubs = Vec::new();
    for name in ["hub-a", "hub-b"] {
        let hub = Client::connect(server.address(), name, |_| {}).await;
        hub.subscribe("$share/hubs/+/event").await;
        hubs.push(hub);
    }
    for number in 0..10_u8 {
        publisher.publish("c/event", [number], once()).await;
    }
    for (at, hub) in hubs.iter_mut().enumerate() {
        for turn in 0..5_u8 {
            assert_eq!(hub.message().await.payload[0], turn * 2 + at as u8);
        }
    }
}

#[tokio::test]
async fn ten_thousand_messages_arrive_in_order() {
    let server = start(Limits::default()).await;
    let mut hub = Client::connect(server.address(), "hub", |_| {}).await;
    hub.subscribe("c/event").await;
    let publisher = Client::connect(server.address(), "publisher", |_| {}).await;
    let asks = publisher.asks.clone();
    tokio::spawn(async move {
        for number in 0..10_000_u32 {
            asks.publish("c/event", number.to_be_bytes().to_vec(), once())
                .await
                .unwrap();
        }
    });
    for number in 0..10_000_u32 {
        assert_eq!(hub.message().await.payload[..], number.to_be_bytes());
    }
}

#[tokio::test]
async fn a_packet_above_the_limit_ends_the_connection_and_the_limit_is_said_before() {
    let limits = Limits {
        packet_max: 2000,
        ..Limits::default()
    };
    let server = start(limits).await;
    let client = Client::connect(server.address(), "c", |_| {}).await;
    client.asks.publish("t", vec![0; 3000], once()).await.unwrap();
    assert!(client.end().await.contains("2000"), "the client knows the limit");

    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let connect = [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, 0, 1, b'x'];
    socket.write_all(&connect).await.unwrap();
    socket.write_all(&[0x30, 0xFF, 0xFF, 0x7F]).await.unwrap();
    let mut answers = Vec::new();
    timeout(LIMIT, socket.read_to_end(&mut answers))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answers[0], 0x20, "CONNACK comes first");
    assert!(
        answers
            .windows(3)
            .any(|bytes| bytes[0] == 0xE0 && bytes[2] == 0x95),
        "{answers:x?}"
    );
}

#[tokio::test]
async fn a_broker_that_comes_back_knows_what_it_is_left_to_know() {
    let server = start(Limits::default()).await;
    let address = server.address();
    let publisher = Client::connect(address, "publisher", |_| {}).await;
    publisher
        .publish("c/desired/policy", "v1", once().retained())
        .await;
    let broker = server.stop().await.unwrap();
    assert!(!publisher.end().await.is_empty(), "its connection ended");
    let server = Server::start(address, broker).await.unwrap();
    let mut client = Client::connect(address, "c", |_| {}).await;
    client.subscribe("c/desired/+").await;
    assert_eq!(&client.message().await.payload[..], b"v1");
    let control = server.control();
    control
        .misdeed(Misdeed::Forge(Message::new("c/desired/policy", "forged")))
        .await;
    assert_eq!(&client.message().await.payload[..], b"forged");
    control.misdeed(Misdeed::Forget(Memory::Sessions)).await;
    control.misdeed(Misdeed::Forget(Memory::Retained)).await;
    assert!(!client.end().await.is_empty());
    let view = control.view().await.unwrap();
    assert_eq!((view.clients.len(), view.retained.len()), (0, 0));
    control
        .misdeed(Misdeed::Set(Faults {
            refuse: true,
            ..Faults::default()
        }))
        .await;
    let options = MqttOptions::new("late", (address.ip().to_string(), address.port()));
    let (_asks, mut events) = AsyncClient::builder(options).capacity(1).build();
    assert!(
        events
            .poll()
            .await
            .unwrap_err()
            .to_string()
            .contains("ServerUnavailable")
    );
}

#[tokio::test]
async fn a_paused_broker_answers_when_it_goes_on() {
    let server = start(Limits::default()).await;
    let client = Client::connect(server.address(), "c", |_| {}).await;
    server.control().pause().await;
    let notice = client.asks.publish_tracked("t", "x", once()).await.unwrap();
    let mut answer = Box::pin(notice.wait_async());
    assert!(timeout(Duration::from_millis(100), &mut answer).await.is_err());
    server.control().resume().await;
    assert!(timeout(LIMIT, answer).await.is_ok());
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let broker = Broker::new(Limits::default(), 1);
    let error = Server::start("0.0.0.0:0".parse().unwrap(), broker)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("loopback"));
}

#[test]
fn noise_on_the_socket_harms_nobody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(start(Limits::default()));
    let address = server.address();
    let witness = runtime.block_on(Client::connect(address, "witness", |_| {}));
    let connect = [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, 0, 1, b'x'];
    let noise = (
        any::<bool>(),
        proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..6),
    );
    proptest!(|((greeted, packets) in noise)| {
        let mut bytes = if greeted { connect.to_vec() } else { Vec::new() };
        for (kind, body) in packets {
            bytes.extend([kind, body.len() as u8]);
            bytes.extend(body);
        }
        runtime.block_on(async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let _refused = socket.write_all(&bytes).await;
            let _ended = socket.shutdown().await;
            let mut answers = Vec::new();
            let _reset = timeout(LIMIT, socket.read_to_end(&mut answers)).await.unwrap();
        });
    });
    let reason = runtime.block_on(witness.publish("t", "still here", once()));
    assert_eq!(reason, PubAckReason::NoMatchingSubscribers);
    assert!(!witness.task.is_finished());
}

#[tokio::test]
async fn the_process_says_where_it_listens_and_obeys_lines() {
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args([
            "broker",
            "--listen",
            LOOPBACK,
            "--user",
            "hub",
            "--password",
            "secret",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = first.strip_prefix("listening on ").unwrap().parse().unwrap();
    let client = Client::connect(address, "hub", |options| {
        options.set_credentials("hub", "secret");
    })
    .await;
    input.write_all(b"nonsense\nwipe\n").await.unwrap();
    let answer = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(answer.starts_with("not understood: nonsense"));
    assert_eq!(
        timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap(),
        "done: wipe"
    );
    assert!(!client.end().await.is_empty());
    input.write_all(b"stop\n").await.unwrap();
    assert!(timeout(LIMIT, process.wait()).await.unwrap().unwrap().success());
}
