//! The broker's rules in `config/`: a cabinet reaches its own topics only, and the office only its own end of all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use office_protocol::document::DocumentName;
use office_protocol::{CabinetId, Topic, TopicRoot};
use rumqttc::{
    AsyncClient, Event as Mqtt, MqttOptions, Packet, PublishOptions, QoS, SubscribeFilter, Transport,
};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::mosquitto::Mosquitto;
use crate::support::own_key;

const LIMIT: Duration = Duration::from_secs(30);
const CABINETS: [&str; 2] = ["PORT-7", "PORT-8"];

/// One identity at the broker that tries everything.
struct Client {
    name: &'static str,
    client: AsyncClient,
    /// What arrived: topic and payload.
    heard: watch::Receiver<BTreeSet<(String, String)>>,
}

impl Client {
    async fn connect(port: u16, name: &'static str, transport: Transport) -> Self {
        let mut options = MqttOptions::new(name, ("localhost", port));
        options.set_transport(transport);
        let (client, mut events) = AsyncClient::builder(options).capacity(256).build();
        let (sender, heard) = watch::channel(BTreeSet::new());
        let (ready, mut subscribed) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                match event {
                    Mqtt::Incoming(Packet::Publish(publish)) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        let text = String::from_utf8(publish.payload.to_vec()).unwrap();
                        sender.send_modify(|heard| {
                            heard.insert((topic, text));
                        });
                    }
                    Mqtt::Incoming(Packet::SubAck(_)) => drop(ready.send(true)),
                    _ => {}
                }
            }
        });
        let everything = SubscribeFilter::new("#".to_owned(), QoS::AtLeastOnce);
        client.try_subscribe_many([everything]).unwrap();
        let acknowledged = timeout(LIMIT, subscribed.wait_for(|done| *done)).await;
        acknowledged.expect("subscribed in time").unwrap();
        Self { name, client, heard }
    }

    fn says(&self, topic: &str, text: &str) {
        let options = PublishOptions::at_least_once();
        self.client
            .try_publish(topic.to_owned(), text.to_owned(), options)
            .unwrap();
    }

    async fn hears(&mut self, text: &str) {
        let wanted = |heard: &BTreeSet<(String, String)>| heard.iter().any(|(_, said)| said == text);
        let heard = timeout(LIMIT, self.heard.wait_for(wanted)).await;
        heard
            .unwrap_or_else(|_| panic!("{} never heard {text}", self.name))
            .unwrap();
    }
}

fn topics(cabinet: &str) -> Vec<(Topic, String)> {
    let cabinet: CabinetId = cabinet.parse().unwrap();
    let fixed = [
        Topic::Status,
        Topic::State,
        Topic::Event,
        Topic::Position,
        Topic::Command,
        Topic::Reply,
    ];
    let documents = DocumentName::ALL.into_iter();
    let documents = documents.flat_map(|name| [Topic::Desired(name), Topic::Reported(name)]);
    let all = fixed.into_iter().chain(documents);
    all.map(|topic| (topic, topic.of(&TopicRoot::default(), &cabinet)))
        .collect()
}

fn goes_up(topic: Topic) -> bool {
    match topic {
        Topic::Status | Topic::State | Topic::Event | Topic::Reply | Topic::Reported(_) => true,
        Topic::Position | Topic::Command | Topic::Desired(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cabinet_reaches_its_own_topics_only() {
    let (broker, certificates) = Mosquitto::with_tls(&own_key());
    let mut clients = Vec::new();
    for name in ["office", CABINETS[0], CABINETS[1]] {
        clients.push(Client::connect(broker.port, name, certificates.transport(name)).await);
    }
    for client in &clients {
        for (_, topic) in CABINETS.iter().flat_map(|cabinet| topics(cabinet)) {
            client.says(&topic, client.name);
        }
        client.says("locker/v1", client.name);
        client.says("another/root", client.name);
    }
    // What each says last arrives last, and each is heard by somebody.
    for (client, cabinet) in [(1, CABINETS[0]), (2, CABINETS[1])] {
        let topic = |topic: Topic| topic.of(&TopicRoot::default(), &cabinet.parse().unwrap());
        let (up, down) = (format!("end of {cabinet}"), format!("end for {cabinet}"));
        clients[client].says(&topic(Topic::Event), &up);
        clients[0].hears(&up).await;
        clients[0].says(&topic(Topic::Position), &down);
        clients[client].hears(&down).await;
    }
    for client in &clients {
        let heard = client.heard.borrow();
        let heard: BTreeSet<_> = heard
            .iter()
            .filter(|(_, text)| !text.starts_with("end "))
            .cloned()
            .collect();
        let mut expected = BTreeSet::new();
        for cabinet in CABINETS {
            for (topic, text) in topics(cabinet) {
                if client.name == "office" && goes_up(topic) {
                    expected.insert((text, cabinet.to_owned()));
                } else if client.name == cabinet && !goes_up(topic) {
                    expected.insert((text, "office".to_owned()));
                }
            }
        }
        assert_eq!(
            heard, expected,
            "{} hears what it should and nothing else",
            client.name
        );
    }
}
