//! One connection to the broker, from the first byte to the first error; the only file of the daemon that names rumqttc.
//!
//! After any error the connection is over and a new one, with nothing remembered, takes its place: what was under way is sent again
//! from the office's position.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use office_protocol::{Signature, Signed, SigningKey};
use rumqttc::{
    AsyncClient, ConnAck, ConnectionError, Event, EventLoop, IncomingPacketSizeLimit, LastWill,
    LastWillProperties, MqttOptions, Packet, Publish, PublishOptions, PublishProperties, QoS, SubAck,
    SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport,
};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use zeroize::Zeroizing;

/// Where the broker is.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Not at all: for a broker on this machine, in demo and tests.
    Plain,
    /// TLS with a client certificate for the cabinet's own key.
    Tls {
        /// The broker's certificate authority, PEM.
        ca: String,
        /// The cabinet's certificate, PEM.
        certificate: String,
    },
}

/// Settings that no connection may be made with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BrokerError {
    /// Plain to another machine.
    #[error("the broker {0} is not on this machine: give the certificates for TLS, or use localhost")]
    PlainBeyondLoopback(String),
}

impl Broker {
    /// Refuses a plain connection that leaves the machine.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn check(&self) -> Result<(), BrokerError> {
        let local = self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        match &self.security {
            Security::Plain if !local => Err(BrokerError::PlainBeyondLoopback(self.host.clone())),
            Security::Plain | Security::Tls { .. } => Ok(()),
        }
    }
}

/// Messages that the broker has not answered: the window of events, every document's report, kept replies, state and status. The
/// client has room for all of them from the start, and by its own choice for 65,535, which is 16 MB.
const UNANSWERED_MAX: u16 = 128;
/// The largest packet that the broker may send; larger ones it must drop.
const INCOMING_BYTES_MAX: u32 = 1024 * 1024;
/// The largest payload that is looked at.
const PAYLOAD_BYTES_MAX: usize = 512 * 1024;
/// What a broker takes that names no limit: MQTT's own.
const PACKET_BYTES_MAX: usize = 268_435_455;
const REQUESTS_MAX: usize = 256;
const KEEP_ALIVE_S: u16 = 20;
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// What a connection reports.
#[derive(Debug)]
pub(super) enum Happened {
    /// Connected, and subscribed to everything.
    Up { packet_bytes: usize },
    /// A message came in.
    Received {
        topic: String,
        /// None when the properties `key` and `signature` are missing or malformed.
        signed: Option<Signed>,
    },
    /// The broker answered for a message: taken, or refused.
    Answered { message: u64, taken: bool },
    /// Over.
    Down { reason: String },
}

/// How a message is published.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manner {
    pub(super) retain: bool,
    pub(super) expiry_s: Option<u32>,
    /// The number to report the broker's answer with.
    pub(super) message: Option<u64>,
}

/// The channel to the broker is full or gone: begin anew.
pub(super) struct Stuck;

/// One connection.
pub(super) struct Connection {
    client: AsyncClient,
    happened: mpsc::Receiver<Happened>,
    answers: JoinSet<(u64, bool)>,
    poller: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

impl Connection {
    /// Begins to connect; [`Connection::next`] tells how it went.
    pub(super) fn begin(
        broker: &Broker,
        name: &str,
        key: &SigningKey,
        filters: Vec<String>,
        will: (String, Signed),
    ) -> Self {
        let options = options(broker, name, key, will);
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
        let (sender, happened) = mpsc::channel(64);
        let poller = tokio::spawn(poll(events, client.clone(), filters, sender)).abort_handle();
        Self {
            client,
            happened,
            answers: JoinSet::new(),
            poller,
        }
    }

    /// What happens next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Happened {
        let gone = || Happened::Down {
            reason: "the connection's task ended".into(),
        };
        tokio::select! {
            Some(Ok((message, taken))) = self.answers.join_next() => Happened::Answered { message, taken },
            happened = self.happened.recv() => happened.unwrap_or_else(gone),
        }
    }

    /// Hands a message over without waiting.
    pub(super) fn publish(&mut self, topic: String, signed: Signed, manner: Manner) -> Result<(), Stuck> {
        let properties = PublishProperties {
            message_expiry_interval: manner.expiry_s,
            user_properties: signature_properties(&signed.signature),
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once()
            .retain(manner.retain)
            .properties(properties);
        let Some(message) = manner.message else {
            return self
                .client
                .try_publish(topic, signed.bytes, options)
                .map_err(|_| Stuck);
        };
        let answer = self
            .client
            .try_publish_tracked(topic, signed.bytes, options)
            .map_err(|_| Stuck)?;
        self.answers
            .spawn(async move { (message, answer.wait_completion_async().await.is_ok()) });
        Ok(())
    }

    /// Says goodbye once everything handed over is sent; then [`Happened::Down`] comes.
    pub(super) fn disconnect(&mut self, wait: Duration) -> Result<(), Stuck> {
        self.client.try_disconnect_with_timeout(wait).map_err(|_| Stuck)
    }
}

async fn poll(
    mut events: EventLoop,
    client: AsyncClient,
    filters: Vec<String>,
    sender: mpsc::Sender<Happened>,
) {
    let mut packet_bytes = PACKET_BYTES_MAX;
    loop {
        let happened = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                packet_bytes = packet_limit(&connack);
                let wanted = filters
                    .iter()
                    .map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
                match client.try_subscribe_many(wanted) {
                    Ok(()) => continue,
                    Err(error) => down(&error),
                }
            }
            Ok(Event::Incoming(Packet::SubAck(suback))) => subscribed(&suback, packet_bytes),
            Ok(Event::Incoming(Packet::Publish(publish))) => match received(&publish) {
                Some(happened) => happened,
                None => continue,
            },
            Ok(Event::Incoming(_) | Event::Outgoing(_) | Event::Auth(_)) => continue,
            Err(ConnectionError::RequestsDone) => down(&"the daemon said goodbye"),
            Err(error) => down(&error),
        };
        let over = matches!(happened, Happened::Down { .. });
        if sender.send(happened).await.is_err() || over {
            return;
        }
    }
}

fn down(reason: &dyn std::fmt::Display) -> Happened {
    Happened::Down {
        reason: reason.to_string(),
    }
}

fn packet_limit(connack: &ConnAck) -> usize {
    let properties = connack.properties.as_ref();
    let limit = properties.and_then(|properties| properties.max_packet_size);
    limit.map_or(PACKET_BYTES_MAX, |limit| limit as usize)
}

fn subscribed(suback: &SubAck, packet_bytes: usize) -> Happened {
    let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
    if suback.return_codes.iter().all(granted) {
        Happened::Up { packet_bytes }
    } else {
        down(&"the broker refused a subscription: look at its access rules for this cabinet")
    }
}

fn received(publish: &Publish) -> Option<Happened> {
    let topic = std::str::from_utf8(&publish.topic).ok()?.to_owned();
    if publish.payload.len() > PAYLOAD_BYTES_MAX {
        tracing::warn!(%topic, bytes = publish.payload.len(), "a message that is too large was ignored");
        return None;
    }
    let properties = publish.properties.as_ref();
    let text = |name: &str| {
        let mut all = properties?.user_properties.iter();
        all.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let signature = text("key")
        .zip(text("signature"))
        .and_then(|(key, signature)| Signature::from_text(key, signature));
    let signed = signature.map(|signature| Signed {
        bytes: publish.payload.to_vec(),
        signature,
    });
    Some(Happened::Received { topic, signed })
}

fn signature_properties(signature: &Signature) -> Vec<(String, String)> {
    vec![
        ("key".into(), signature.key.to_string()),
        ("signature".into(), signature.text()),
    ]
}

fn options(broker: &Broker, name: &str, key: &SigningKey, (topic, will): (String, Signed)) -> MqttOptions {
    let mut options = MqttOptions::new(name, (broker.host.clone(), broker.port));
    let properties = LastWillProperties {
        delay_interval: None,
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: signature_properties(&will.signature),
    };
    options
        .set_keep_alive(KEEP_ALIVE_S)
        .set_clean_start(true)
        .set_connect_timeout(CONNECT_WAIT)
        .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(INCOMING_BYTES_MAX))
        .set_outgoing_inflight_upper_limit(UNANSWERED_MAX)
        .set_last_will(LastWill::new(
            topic,
            will.bytes,
            QoS::AtLeastOnce,
            true,
            Some(properties),
        ));
    if let Security::Tls { ca, certificate } = &broker.security {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: ca.clone().into_bytes(),
            alpn: None,
            client_auth: Some((certificate.clone().into_bytes(), private_key_pem(key))),
        }));
    }
    options
}

/// The cabinet's key as PKCS#8 (RFC 8410), in PEM.
fn private_key_pem(key: &SigningKey) -> Vec<u8> {
    const HEAD: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ];
    let mut der = Zeroizing::new(HEAD.to_vec());
    der.extend_from_slice(&*key.secret());
    let text = Zeroizing::new(STANDARD.encode(&*der));
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        *text
    )
    .into_bytes()
}
