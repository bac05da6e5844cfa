//! Between rumqttc's packets and the broker's messages.
//!
//! A session expiry in DISCONNECT is not taken: the one in CONNECT stands.

use std::time::Duration;

use rumqttc::mqttbytes::{QoS, v5};
use v5::{ConnectReturnCode, DisconnectReasonCode, Packet, PubAckReason, SubscribeReasonCode};

use super::limits::Limits;
use super::message::{
    Answer, Connect, Ending, Message, PacketId, Published, Quality, Refusal, Request, RetainedOnSubscribe,
    Subscription,
};

/// What a client's packet means, or why its connection has to end.
pub(super) fn request(packet: Packet) -> Result<Request, DisconnectReasonCode> {
    Ok(match packet {
        Packet::Connect(said, will, auth) => Request::Connect(connect(said, will, auth)?),
        Packet::Publish(publish) => {
            let packet = PacketId(publish.pkid);
            let quality = offered(publish.qos)?;
            let properties = publish.properties.unwrap_or_default();
            if properties.topic_alias.is_some() {
                return Err(DisconnectReasonCode::TopicAliasInvalid);
            }
            let message = Message {
                topic: text(&publish.topic)?,
                payload: publish.payload,
                quality,
                retain: publish.retain,
                expires_in: seconds(properties.message_expiry_interval),
                response_topic: properties.response_topic,
                correlation: properties.correlation_data,
                content_type: properties.content_type,
                payload_format: properties.payload_format_indicator,
                user: properties.user_properties,
            };
            Request::Publish(packet, message)
        }
        Packet::PubAck(ack) => Request::Acknowledge(PacketId(ack.pkid)),
        Packet::Subscribe(subscribe) => {
            if subscribe
                .properties
                .is_some_and(|properties| properties.id.is_some())
            {
                return Err(DisconnectReasonCode::SubscriptionIdentifiersNotSupported);
            }
            let filters = subscribe.filters.into_iter().map(subscription).collect();
            Request::Subscribe(PacketId(subscribe.pkid), filters)
        }
        Packet::Unsubscribe(unsubscribe) => {
            Request::Unsubscribe(PacketId(unsubscribe.pkid), unsubscribe.filters)
        }
        Packet::PingReq => Request::Ping,
        Packet::Disconnect(disconnect) => Request::Leave {
            with_will: disconnect.reason_code != DisconnectReasonCode::NormalDisconnection,
        },
        Packet::Auth(_)
        | Packet::ConnAck(_)
        | Packet::PingResp
        | Packet::SubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::UnsubAck(_) => return Err(DisconnectReasonCode::ProtocolError),
    })
}

fn connect(
    said: v5::Connect,
    will: Option<v5::LastWill>,
    auth: v5::ConnectAuth,
) -> Result<Connect, DisconnectReasonCode> {
    let properties = said.properties.unwrap_or_default();
    let will = will.map(|will| {
        let properties = will.properties;
        let of = properties.as_ref();
        Ok(Message {
            topic: text(&will.topic)?,
            payload: will.message,
            quality: offered(will.qos)?,
            retain: will.retain,
            expires_in: seconds(of.and_then(|of| of.message_expiry_interval)),
            response_topic: of.and_then(|of| of.response_topic.clone()),
            correlation: of.and_then(|of| of.correlation_data.clone()),
            content_type: of.and_then(|of| of.content_type.clone()),
            payload_format: of.and_then(|of| of.payload_format_indicator),
            user: properties.map(|of| of.user_properties).unwrap_or_default(),
        })
    });
    Ok(Connect {
        client: said.client_id,
        clean_start: said.clean_start,
        session_expiry: match properties.session_expiry_interval {
            Some(u32::MAX) => None,
            other => Some(seconds(other).unwrap_or_default()),
        },
        keep_alive: Duration::from_secs(said.keep_alive.into()),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_max: properties
            .max_packet_size
            .map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX)),
        will: will.transpose()?,
        credentials: match auth {
            v5::ConnectAuth::UsernamePassword { username, password } => Some((username, password)),
            v5::ConnectAuth::None | v5::ConnectAuth::Username { .. } | v5::ConnectAuth::Password { .. } => {
                None
            }
        },
    })
}

fn subscription(filter: v5::SubscribeFilter) -> Subscription {
    Subscription {
        filter: filter.path,
        quality: offered(filter.qos).unwrap_or(Quality::AtLeastOnce),
        no_local: filter.nolocal,
        retain_as_published: filter.preserve_retain,
        retained: match filter.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => RetainedOnSubscribe::Always,
            v5::RetainForwardRule::OnNewSubscribe => RetainedOnSubscribe::WhenNew,
            v5::RetainForwardRule::Never => RetainedOnSubscribe::Never,
        },
    }
}

fn text(bytes: &[u8]) -> Result<String, DisconnectReasonCode> {
    String::from_utf8(bytes.to_vec()).map_err(|_| DisconnectReasonCode::TopicNameInvalid)
}

fn offered(quality: QoS) -> Result<Quality, DisconnectReasonCode> {
    match quality {
        QoS::AtMostOnce => Ok(Quality::AtMostOnce),
        QoS::AtLeastOnce => Ok(Quality::AtLeastOnce),
        QoS::ExactlyOnce => Err(DisconnectReasonCode::QoSNotSupported),
    }
}

fn seconds(seconds: Option<u32>) -> Option<Duration> {
    seconds.map(|seconds| Duration::from_secs(seconds.into()))
}

/// The packet for an answer; `None` where the connection just ends.
pub(super) fn packet(answer: Answer, limits: &Limits) -> Option<Packet> {
    Some(match answer {
        Answer::Accept {
            session_present,
            assigned,
        } => {
            let properties = Some(accepted(limits, assigned));
            Packet::ConnAck(v5::ConnAck {
                session_present,
                code: ConnectReturnCode::Success,
                properties,
            })
        }
        Answer::Refuse(refusal) => {
            let code = match refusal {
                Refusal::Unavailable => ConnectReturnCode::ServerUnavailable,
                Refusal::BadCredentials => ConnectReturnCode::BadUserNamePassword,
                Refusal::QuotaExceeded => ConnectReturnCode::QuotaExceeded,
            };
            Packet::ConnAck(v5::ConnAck {
                session_present: false,
                code,
                properties: None,
            })
        }
        Answer::Subscribed(packet, granted) => Packet::SubAck(v5::SubAck {
            pkid: packet.0,
            return_codes: granted
                .into_iter()
                .map(|quality| match quality {
                    Some(quality) => SubscribeReasonCode::Success(qos(quality)),
                    None => SubscribeReasonCode::TopicFilterInvalid,
                })
                .collect(),
            properties: None,
        }),
        Answer::Deliver {
            packet,
            again,
            message,
        } => Packet::Publish(publish(packet, again, message)),
        Answer::Published(packet, outcome) => {
            let mut ack = v5::PubAck::new(packet.0, None);
            ack.reason = match outcome {
                Published::Taken => PubAckReason::Success,
                Published::NoSubscribers => PubAckReason::NoMatchingSubscribers,
                Published::QueuesFull => PubAckReason::QuotaExceeded,
            };
            Packet::PubAck(ack)
        }
        Answer::Unsubscribed(packet, known) => Packet::UnsubAck(v5::UnsubAck {
            pkid: packet.0,
            reasons: known
                .into_iter()
                .map(|known| match known {
                    true => v5::UnsubAckReason::Success,
                    false => v5::UnsubAckReason::NoSubscriptionExisted,
                })
                .collect(),
            properties: None,
        }),
        Answer::Pong => Packet::PingResp,
        Answer::Close(ending) => disconnect(match ending {
            Ending::Silent => return None,
            Ending::TakenOver => DisconnectReasonCode::SessionTakenOver,
            Ending::KeepAliveTimeout => DisconnectReasonCode::KeepAliveTimeout,
            Ending::ProtocolError => DisconnectReasonCode::ProtocolError,
            Ending::PacketTooLarge => DisconnectReasonCode::PacketTooLarge,
            Ending::TopicInvalid => DisconnectReasonCode::TopicNameInvalid,
        }),
    })
}

/// The packet that ends a connection with a reason.
pub(super) fn disconnect(reason: DisconnectReasonCode) -> Packet {
    Packet::Disconnect(v5::Disconnect::new(reason))
}

/// A message as a PUBLISH packet; what is left of its time is rounded up to whole seconds.
fn publish(packet: PacketId, again: bool, message: Message) -> v5::Publish {
    let rounded_up = |left: Duration| left.as_secs() + u64::from(left.subsec_nanos() > 0);
    let properties = v5::PublishProperties {
        payload_format_indicator: message.payload_format,
        message_expiry_interval: message
            .expires_in
            .map(|left| u32::try_from(rounded_up(left)).unwrap_or(u32::MAX)),
        topic_alias: None,
        response_topic: message.response_topic,
        correlation_data: message.correlation,
        user_properties: message.user,
        subscription_identifiers: Vec::new(),
        content_type: message.content_type,
    };
    v5::Publish {
        dup: again,
        qos: qos(message.quality),
        retain: message.retain,
        topic: message.topic.into_bytes().into(),
        pkid: packet.0,
        payload: message.payload,
        properties: Some(properties),
    }
}

fn qos(quality: Quality) -> QoS {
    match quality {
        Quality::AtMostOnce => QoS::AtMostOnce,
        Quality::AtLeastOnce => QoS::AtLeastOnce,
    }
}

fn accepted(limits: &Limits, assigned: Option<String>) -> v5::ConnAckProperties {
    v5::ConnAckProperties {
        session_expiry_interval: None,
        receive_max: Some(limits.window_max),
        max_qos: Some(1),
        retain_available: None,
        max_packet_size: Some(u32::try_from(limits.packet_max).unwrap_or(u32::MAX)),
        assigned_client_identifier: assigned,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: Some(0),
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = Message> {
        let parts = (
            "[a-z/]{1,200}",
            proptest::collection::vec(any::<u8>(), 0..20_000),
            any::<bool>(),
            proptest::option::of(0_u64..100_000),
            proptest::option::of("[a-z]{0,20}"),
            proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
            proptest::collection::vec(("[a-z]{0,9}", "[a-zA-Z0-9+/=]{0,99}"), 0..4),
        );
        parts.prop_map(
            |(topic, payload, once, expires, response_topic, correlation, user)| Message {
                topic,
                payload: Bytes::from(payload),
                quality: if once {
                    Quality::AtMostOnce
                } else {
                    Quality::AtLeastOnce
                },
                retain: once,
                expires_in: expires.map(Duration::from_secs),
                content_type: response_topic.clone(),
                response_topic,
                correlation: correlation.map(Bytes::from),
                payload_format: None,
                user,
            },
        )
    }

    proptest! {
        #[test]
        fn a_message_passes_the_codec_unchanged_and_its_size_is_exact(message in message()) {
            let packet = PacketId(if message.quality == Quality::AtMostOnce { 0 } else { 7 });
            let mut bytes = BytesMut::new();
            Packet::Publish(publish(packet, false, message.clone())).write(&mut bytes, None).unwrap();
            prop_assert_eq!(bytes.len(), message.size());
            let read = Packet::read(&mut bytes, None).unwrap();
            prop_assert_eq!(request(read), Ok(Request::Publish(packet, message)));
        }

        #[test]
        fn noise_is_never_more_than_an_error(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = BytesMut::from(noise.as_slice());
            while let Ok(packet) = Packet::read(&mut bytes, Some(1000)) {
                let _meaning = request(packet);
            }
        }

        #[test]
        fn noise_behind_any_header_is_never_more_than_an_error(
            kind in 0_u8..16, noise in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let flags = if matches!(kind, 6 | 8 | 10) { 2 } else { 0 };
            let mut bytes = BytesMut::from([kind << 4 | flags, noise.len() as u8].as_slice());
            bytes.extend_from_slice(&noise);
            if let Ok(packet) = Packet::read(&mut bytes, Some(1000)) {
                let _meaning = request(packet);
            }
        }
    }
}
