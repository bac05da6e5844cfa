//! What goes into the broker and what comes out, at the level of messages: no packets, no sockets.

use std::time::Duration;

use bytes::Bytes;

/// One network connection, named by whoever drives the broker and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// The number that ties a request to its acknowledgement on one connection; 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PacketId(pub u16);

/// How hard a message is delivered. Quality 2 is not offered, and CONNACK says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Quality {
    /// Once at most, never acknowledged.
    AtMostOnce,
    /// Until acknowledged.
    #[default]
    AtLeastOnce,
}

/// An application message. Everything but the remaining expiry reaches subscribers as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Without wildcards.
    pub topic: String,
    /// Any bytes.
    pub payload: Bytes,
    /// As published; a delivery has the lower of this and the subscription's.
    pub quality: Quality,
    /// Keep as the topic's last value; in a delivery: this is a kept value.
    pub retain: bool,
    /// How long it is worth delivering, in whole seconds on the wire.
    pub expires_in: Option<Duration>,
    /// Where an answer should go.
    pub response_topic: Option<String>,
    /// What ties an answer to its question.
    pub correlation: Option<Bytes>,
    /// What the payload is.
    pub content_type: Option<String>,
    /// Whether the payload is said to be text.
    pub payload_format: Option<u8>,
    /// User properties in order, duplicates kept: signatures travel here.
    pub user: Vec<(String, String)>,
}

impl Message {
    /// A message of quality 1 with nothing but topic and payload.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// The same message, kept as its topic's last value.
    #[must_use]
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// Bytes of the encoded PUBLISH packet.
    pub fn size(&self) -> usize {
        let text = |value: &Option<String>| value.as_ref().map_or(0, |text| 3 + text.len());
        let properties = self.expires_in.map_or(0, |_| 5)
            + self.payload_format.map_or(0, |_| 2)
            + self.correlation.as_ref().map_or(0, |bytes| 3 + bytes.len())
            + text(&self.response_topic)
            + text(&self.content_type)
            + self
                .user
                .iter()
                .map(|(key, value)| 5 + key.len() + value.len())
                .sum::<usize>();
        let packet = if self.quality == Quality::AtLeastOnce {
            2
        } else {
            0
        };
        let rest = 2 + self.topic.len() + packet + length_size(properties) + properties + self.payload.len();
        1 + length_size(rest) + rest
    }
}

/// Bytes that MQTT's variable length needs for `length`.
fn length_size(length: usize) -> usize {
    match length {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// What a client says when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Empty: the broker names the client.
    pub client: String,
    /// Forget what the broker remembers of this client.
    pub clean_start: bool,
    /// How long to remember the client after its connection ends; zero: not at all, `None`: for ever.
    pub session_expiry: Option<Duration>,
    /// Silence of one and a half times this ends the connection; zero: never.
    pub keep_alive: Duration,
    /// How many unacknowledged messages it takes at a time.
    pub receive_maximum: u16,
    /// The largest packet it takes, in bytes.
    pub packet_max: usize,
    /// Published when the connection ends in any way but an orderly one. A will delay is not kept: it goes at once.
    pub will: Option<Message>,
    /// User name and password.
    pub credentials: Option<(String, Bytes)>,
}

impl Connect {
    /// A clean start without session, keep-alive, will or credentials.
    pub fn clean(client: impl Into<String>) -> Self {
        Self {
            client: client.into(),
            clean_start: true,
            session_expiry: Some(Duration::ZERO),
            keep_alive: Duration::ZERO,
            receive_maximum: u16::MAX,
            packet_max: usize::MAX,
            will: None,
            credentials: None,
        }
    }
}

/// Whether kept values are sent when somebody subscribes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetainedOnSubscribe {
    /// Each time.
    #[default]
    Always,
    /// When the subscription did not exist before.
    WhenNew,
    /// Never.
    Never,
}

/// One filter that a client wants messages for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// With `+` and `#`, or `$share/group/filter`.
    pub filter: String,
    /// The highest quality of its deliveries.
    pub quality: Quality,
    /// Not what this client itself publishes.
    pub no_local: bool,
    /// Leave the retain flag as it was published.
    pub retain_as_published: bool,
    /// When kept values are sent.
    pub retained: RetainedOnSubscribe,
}

impl Subscription {
    /// Quality 1, kept values each time.
    pub fn new(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            quality: Quality::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retained: RetainedOnSubscribe::Always,
        }
    }
}

/// What happened on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The first thing on every connection.
    Connect(Connect),
    /// Filters, answered one by one.
    Subscribe(PacketId, Vec<Subscription>),
    /// A message; the number matters for quality 1.
    Publish(PacketId, Message),
    /// A delivery of quality 1 was taken.
    Acknowledge(PacketId),
    /// A sign of life.
    Ping,
    /// Filters no longer wanted.
    Unsubscribe(PacketId, Vec<String>),
    /// An orderly end; `with_will` asks for the will all the same.
    Leave {
        /// Publish the will although the end is orderly.
        with_will: bool,
    },
    /// The connection is gone without a word.
    Lose,
}

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The fault knob says so.
    Unavailable,
    /// User name or password.
    BadCredentials,
    /// As many sessions as the limits allow.
    QuotaExceeded,
}

/// What became of a published message of quality 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// At least one session took it.
    Taken,
    /// Reason 0x10: nobody subscribes.
    NoSubscribers,
    /// Reason 0x97: every queue that wanted it was full.
    QueuesFull,
}

/// Why the broker ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// After `Leave` or `Lose`, or a fault: the connection just ends, without a word.
    Silent,
    /// The same client connected again.
    TakenOver,
    /// Silent for too long.
    KeepAliveTimeout,
    /// Something that may not be said at this point.
    ProtocolError,
    /// More bytes than CONNACK allows.
    PacketTooLarge,
    /// An empty topic or one with wildcards.
    TopicInvalid,
}

/// What the broker wants done on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// CONNACK with success.
    Accept {
        /// The broker still knew this client.
        session_present: bool,
        /// The name given to a client that had none.
        assigned: Option<String>,
    },
    /// CONNACK with a reason; the connection is over.
    Refuse(Refusal),
    /// Each filter's granted quality, or `None` for a filter that is not valid or one too many.
    Subscribed(PacketId, Vec<Option<Quality>>),
    /// A message; `again` where it was sent before under the same number.
    Deliver {
        /// To acknowledge under; 0 for quality 0.
        packet: PacketId,
        /// Sent before, not acknowledged.
        again: bool,
        /// With the delivery's quality, retain flag and remaining expiry.
        message: Message,
    },
    /// What became of a published message of quality 1.
    Published(PacketId, Published),
    /// Whether each filter had been there.
    Unsubscribed(PacketId, Vec<bool>),
    /// The answer to a ping.
    Pong,
    /// The connection is over; nothing follows on it.
    Close(Ending),
}
