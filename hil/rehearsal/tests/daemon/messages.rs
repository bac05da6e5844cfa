//! Bad messages through a real broker: garbled, huge, unsigned, forged, late and repeated ones open nothing and stop nothing.

use std::time::Duration;

use office_protocol::event::WithdrawReason;
use office_protocol::{
    Action, Command, CompartmentId, Purpose, Signed, SigningKey, Start, Timestamp, Topic, TopicRoot,
};
use rehearsal::broker::{Broker, Limits, Server};
use rumqttc::{AsyncClient, MqttOptions, PublishOptions, PublishProperties};

use crate::page::Page;
use crate::place::Place;

/// Somebody who owns the broker, and the office behind it.
struct Sender(AsyncClient);

impl Sender {
    fn connect(port: u16) -> Self {
        let mut options = MqttOptions::new("somebody", ("localhost", port));
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut events) = AsyncClient::builder(options).capacity(64).build();
        tokio::spawn(async move {
            loop {
                if events.poll().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
        Self(client)
    }

    async fn publish(&self, topic: Topic, bytes: Vec<u8>, properties: &[(&str, String)]) {
        let user_properties = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let properties = PublishProperties {
            user_properties,
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once().properties(properties);
        let topic = topic.of(&TopicRoot::default(), &Place::cabinet());
        self.0.publish(topic, bytes, options).await.unwrap();
    }

    async fn signed(&self, topic: Topic, signed: &Signed) {
        let properties = [
            ("key", signed.signature.key.to_string()),
            ("signature", signed.signature.text()),
        ];
        self.publish(topic, signed.bytes.clone(), &properties).await;
    }
}

fn command(key: &SigningKey, number: u64, start: Start, expires: Timestamp, action: Action) -> Signed {
    let command = Command {
        number,
        start,
        issued: expires.plus_millis(-20_000),
        expires,
        operator: "OP-1".parse().unwrap(),
        action,
    };
    let bytes = serde_json::to_vec(&command).unwrap();
    Signed::new(key, Purpose::Command, &Place::cabinet(), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_change_nothing_and_a_genuine_command_is_carried_out_once() {
    let broker = Broker::new(Limits::default(), 1);
    let server = Server::start("127.0.0.1:0".parse().unwrap(), broker)
        .await
        .unwrap();
    let port = server.address().port();
    let place = Place::enrolled();
    place.set("port = 9\n", &format!("port = {port}\n"));
    let mut processes = place.processes();
    let bench = place.hardware();
    let process = place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    page.no_longer_shows("断网").await;
    place.journaled("locker.door-found", 24).await;
    let start = place.events().split("\"start\":\"").nth(1).unwrap()[..16]
        .parse()
        .unwrap();

    let sender = Sender::connect(port);
    let later = lockerd::clock::wall().plus_millis(20_000);
    let open = Action::Open {
        compartment: CompartmentId(3),
    };
    let stranger = SigningKey::from_secret(&[9; 32]);
    let forged = command(&stranger, 1, start, later, open.clone());
    let borrowed = [
        ("key", place.keys.commands.verifying_key().id().to_string()),
        ("signature", forged.signature.text()),
    ];
    sender.publish(Topic::Command, vec![0xFF; 100], &[]).await;
    sender.publish(Topic::Command, vec![b'{'; 100_000], &[]).await;
    sender.publish(Topic::Position, b"{}".to_vec(), &borrowed).await;
    sender.signed(Topic::Command, &forged).await;
    sender
        .publish(Topic::Command, forged.bytes.clone(), &borrowed)
        .await;
    place.journaled("\"alarm\":\"forgery\"", 1).await;

    let genuine = &place.keys.commands;
    let past = lockerd::clock::wall().plus_millis(-60_000);
    sender
        .signed(Topic::Command, &command(genuine, 2, start, past, open.clone()))
        .await;
    sender
        .signed(Topic::Command, &command(genuine, 3, Start(1), later, open))
        .await;
    let withdraw = Action::Withdraw {
        compartment: CompartmentId(3),
        reason: WithdrawReason::Ordered,
    };
    let withdraw = command(genuine, 4, start, later, withdraw);
    sender.signed(Topic::Command, &withdraw).await;
    sender.signed(Topic::Command, &withdraw).await;
    place.journaled("locker.compartment-withdrawn", 1).await;
    bench.obey("hand locks 1 5 force").await.unwrap();
    place.journaled("locker.door-forced", 1).await;

    let events = place.events();
    assert_eq!(events.matches("locker.command-accepted").count(), 1, "{events}");
    assert_eq!(events.matches("locker.unlock-begun").count(), 0, "{events}");
    assert!(events.contains("locker.command-refused"), "{events}");
    assert!(processes.is_running(process));
    assert!(!page.shows("start-collection").await.html.contains("断网"));
}
