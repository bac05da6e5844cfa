//! The hub's connection to the broker; the only file of the hub that names rumqttc.
//!
//! After any error the connection is thrown away, with all that it remembers, and a new one made: cabinets send again from the
//! positions that they are told.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use office_protocol::{CabinetId, Signature, Signed, Topic, TopicRoot};
use rumqttc::{
    AsyncClient, ConnectionError, Event, IncomingPacketSizeLimit, MqttOptions, Outgoing, Packet, Publish,
    PublishOptions, PublishProperties, QoS, SubscribeFilter, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::clock;

mod renewal;

use renewal::Renewal;

/// Where the broker is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The first levels of every topic.
    #[serde(default = "default_root")]
    pub root: String,
    /// How the client's name at the broker begins. What follows is random: who knows a client's name can end its connection.
    #[serde(default)]
    pub name: Option<String>,
    /// Several hubs share what comes in: the same word in each one's settings.
    #[serde(default)]
    pub share: Option<String>,
    /// Certificates; without them only a broker on this machine is allowed.
    pub tls: Option<Tls>,
}

fn default_root() -> String {
    TopicRoot::default().to_string()
}

/// PEM files for TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The broker's certificate authority.
    pub ca: PathBuf,
    /// The hub's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Settings that no connection may be made with.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Plain to another machine.
    #[error("the broker {0} is not on this machine: give certificates under [broker.tls], or use localhost")]
    PlainBeyondLoopback(String),
    /// A certificate file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The topic root.
    #[error("broker.root: {0}")]
    Root(#[from] office_protocol::ids::InvalidId),
    /// The group of hubs.
    #[error("broker.share: 1 to 32 of A-Z, a-z, 0-9 and -")]
    Share,
}

/// A message of a cabinet; not verified yet.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Whose topic it came on.
    pub cabinet: CabinetId,
    /// Which topic.
    pub topic: Topic,
    /// The payload.
    pub payload: Vec<u8>,
    /// From the properties `key` and `signature`; none when they are missing or malformed.
    pub signature: Option<Signature>,
    /// From before this connection, where several hubs share what comes in: another may have taken it.
    pub kept: bool,
}

/// A message to a cabinet.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// To whom.
    pub cabinet: CabinetId,
    /// On which topic.
    pub topic: Topic,
    /// Payload and signature.
    pub signed: Signed,
    /// Kept by the broker for who comes later.
    pub retain: bool,
    /// Dropped by the broker after this.
    pub expires_in: Option<Duration>,
}

/// The largest packet that is taken from the broker.
const INCOMING_BYTES_MAX: u32 = 4 * 1024 * 1024;
const REQUESTS_MAX: usize = 1_024;
const WAITING_MAX: usize = REQUESTS_MAX / 2;
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// Checked settings, ready to connect.
pub struct Connector {
    root: TopicRoot,
    share: Option<String>,
    options: MqttOptions,
    certificates: Option<Renewal>,
}

impl Connector {
    /// Checks the settings and reads the certificates.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn new(settings: &Settings) -> Result<Self, BrokerError> {
        let fits = |share: &String| {
            (1..=32).contains(&share.len()) && share.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !settings.share.iter().all(fits) {
            return Err(BrokerError::Share);
        }
        let name = settings.name.as_deref().or(settings.share.as_deref());
        let name = format!("{}-{}", name.unwrap_or("office"), clock::random_name::<8>());
        let mut options = MqttOptions::new(name, (settings.host.clone(), settings.port));
        options
            .set_keep_alive(20)
            .set_clean_start(true)
            .set_connect_timeout(Duration::from_secs(10))
            .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(INCOMING_BYTES_MAX));
        let certificates = match &settings.tls {
            Some(tls) => Some(Renewal::new(tls.clone())?),
            None if is_local(&settings.host) => None,
            None => return Err(BrokerError::PlainBeyondLoopback(settings.host.clone())),
        };
        Ok(Self {
            certificates,
            root: settings.root.parse()?,
            share: settings.share.clone(),
            options,
        })
    }

    /// Connects, and again after every error, until `outbound` is closed. `online` tells whether it is connected and subscribed.
    pub async fn run(
        mut self,
        inbound: mpsc::Sender<Inbound>,
        mut outbound: mpsc::Receiver<Outbound>,
        online: watch::Sender<bool>,
    ) {
        loop {
            let options = self.options();
            let over = self.connection(options, &inbound, &mut outbound, &online).await;
            let worked = online.send_replace(false);
            if let Some(certificates) = &mut self.certificates {
                certificates.outcome(worked);
            }
            match over {
                Over::Closed => return,
                Over::Lost(reason) => tracing::warn!(%reason, "the broker is gone, trying again"),
            }
            tokio::time::sleep(RECONNECT_WAIT).await;
        }
    }

    fn options(&mut self) -> MqttOptions {
        let mut options = self.options.clone();
        if let Some(certificates) = &mut self.certificates {
            let pem = certificates.next();
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
                ca: pem.ca.clone(),
                alpn: None,
                client_auth: Some((pem.certificate.clone(), pem.key.clone())),
            }));
        }
        options
    }

    async fn connection(
        &self,
        options: MqttOptions,
        inbound: &mpsc::Sender<Inbound>,
        outbound: &mut mpsc::Receiver<Outbound>,
        online: &watch::Sender<bool>,
    ) -> Over {
        let (client, mut events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
        // Requests that the connection has not sent yet: above a bound, what is outbound waits where it is.
        let mut waiting = 0_usize;
        loop {
            tokio::select! {
                event = events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filters = self.filters().into_iter().chain(self.kept());
                        let filters = filters.map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
                        if let Err(error) = client.try_subscribe_many(filters) {
                            return Over::Lost(error.to_string());
                        }
                    }
                    Ok(Event::Incoming(Packet::SubAck(answer))) => {
                        let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                        if !answer.return_codes.iter().all(granted) {
                            return Over::Lost("it refuses the subscriptions; check its access list".into());
                        }
                        // What the broker had kept is on its way already.
                        let kept = self.kept();
                        if !kept.is_empty() && let Err(error) = client.try_unsubscribe_many(kept) {
                            return Over::Lost(error.to_string());
                        }
                        tracing::info!("connected to the broker");
                        online.send_replace(true);
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        if let Some(message) = self.received(&publish)
                            && inbound.send(message).await.is_err()
                        {
                            return Over::Closed;
                        }
                    }
                    Ok(Event::Outgoing(Outgoing::Publish(_))) => waiting = waiting.saturating_sub(1),
                    Ok(Event::Incoming(_) | Event::Outgoing(_) | Event::Auth(_)) => {}
                    Err(ConnectionError::RequestsDone) => return Over::Closed,
                    Err(error) => return Over::Lost(error.to_string()),
                },
                message = outbound.recv(), if waiting < WAITING_MAX => match message {
                    None => return Over::Closed,
                    Some(message) => match self.publish(&client, message) {
                        Ok(()) => waiting += 1,
                        Err(error) => return Over::Lost(error),
                    },
                },
            }
        }
    }

    /// What this hub subscribes to: everything, or its share of it.
    fn filters(&self) -> Vec<String> {
        let all = Topic::office_filters(&self.root);
        match &self.share {
            Some(share) => all.map(|filter| format!("$share/{share}/{filter}")).into(),
            None => all.into(),
        }
    }

    /// A shared subscription gets nothing that the broker has kept: for that each hub subscribes by itself, for a moment.
    fn kept(&self) -> Vec<String> {
        let retained = |filter: &String| !filter.ends_with("/event") && !filter.ends_with("/reply");
        match &self.share {
            Some(_) => Topic::office_filters(&self.root)
                .into_iter()
                .filter(retained)
                .collect(),
            None => Vec::new(),
        }
    }

    fn publish(&self, client: &AsyncClient, message: Outbound) -> Result<(), String> {
        let signature = &message.signed.signature;
        let properties = PublishProperties {
            message_expiry_interval: message
                .expires_in
                .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            user_properties: vec![
                ("key".into(), signature.key.to_string()),
                ("signature".into(), signature.text()),
            ],
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once()
            .retain(message.retain)
            .properties(properties);
        let topic = message.topic.of(&self.root, &message.cabinet);
        client
            .try_publish(topic, message.signed.bytes, options)
            .map_err(|error| error.to_string())
    }

    fn received(&self, publish: &Publish) -> Option<Inbound> {
        let (cabinet, topic) = Topic::parse(&self.root, std::str::from_utf8(&publish.topic).ok()?)?;
        let properties = publish.properties.as_ref();
        let text = |name: &str| {
            let mut all = properties?.user_properties.iter();
            all.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let signature = text("key")
            .zip(text("signature"))
            .and_then(|(key, signature)| Signature::from_text(key, signature));
        Some(Inbound {
            cabinet,
            topic,
            payload: publish.payload.to_vec(),
            signature,
            kept: self.share.is_some() && publish.retain,
        })
    }
}

enum Over {
    /// The hub is stopping.
    Closed,
    Lost(String),
}

/// Whether this names the machine itself.
pub fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_certificates_only_a_broker_on_this_machine_is_allowed() {
        let settings = |host: &str| Settings {
            host: host.into(),
            port: 1883,
            root: default_root(),
            name: None,
            share: None,
            tls: None,
        };
        assert!(Connector::new(&settings("127.0.0.1")).is_ok());
        assert!(matches!(
            Connector::new(&settings("broker.example")),
            Err(BrokerError::PlainBeyondLoopback(_))
        ));
    }
}
