//! Many cabinets on one connection: each sends what the hub's positions ask for, and asks anew when nothing moves.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use office_protocol::{CabinetId, Position, Presence, Seq, Signed, Topic, TopicRoot};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, PublishProperties, QoS};
use tokio::sync::mpsc;

use super::TestCabinet;

/// How long a cabinet waits before it asks where the office stands.
const PATIENCE: Duration = Duration::from_secs(2);

struct Member {
    cabinet: TestCabinet,
    /// Signed beforehand, so that sending costs nothing.
    messages: Vec<Signed>,
    confirmed: Seq,
    next: usize,
    nonce: Option<u64>,
    heard: Instant,
}

/// See the module.
pub struct Fleet {
    members: Vec<Member>,
    /// Events in a message.
    size: usize,
    /// Messages of one cabinet that may be unconfirmed.
    window: usize,
    root: TopicRoot,
    client: AsyncClient,
    positions: mpsc::Receiver<(CabinetId, Position)>,
}

impl Fleet {
    /// Connects the cabinets with all that they have written; `size` events go in a message.
    pub async fn connect(cabinets: Vec<TestCabinet>, port: u16, size: usize, window: usize) -> Self {
        let mut options = MqttOptions::new(format!("fleet-{port}"), ("127.0.0.1".to_owned(), port));
        options.set_clean_start(true);
        let (client, mut events) = AsyncClient::builder(options).capacity(1_000).build();
        let root = TopicRoot::default();
        client
            .subscribe(format!("{root}/+/position"), QoS::AtLeastOnce)
            .await
            .unwrap();
        let (heard, positions) = mpsc::channel(10_000);
        tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                let Event::Incoming(Packet::Publish(publish)) = event else {
                    continue;
                };
                let topic = Topic::parse(
                    &TopicRoot::default(),
                    std::str::from_utf8(&publish.topic).unwrap(),
                );
                let position = serde_json::from_slice(&publish.payload).unwrap();
                if heard.send((topic.unwrap().0, position)).await.is_err() {
                    return;
                }
            }
        });
        let member = |cabinet: TestCabinet| Member {
            messages: (1..=cabinet.journal.len())
                .step_by(size)
                .map(|from| cabinet.events(from, (from + size - 1).min(cabinet.journal.len()), vec![]))
                .collect(),
            cabinet,
            confirmed: Seq::ZERO,
            next: 0,
            nonce: None,
            heard: Instant::now(),
        };
        Self {
            members: cabinets.into_iter().map(member).collect(),
            size,
            window,
            root,
            client,
            positions,
        }
    }

    /// Sends until everything is confirmed.
    pub async fn send_all(&mut self, limit: Duration) {
        let begun = Instant::now();
        let index: HashMap<CabinetId, usize> = self
            .members
            .iter()
            .enumerate()
            .map(|(index, member)| (member.cabinet.id.clone(), index))
            .collect();
        for member in 0..self.members.len() {
            self.ask(member).await;
        }
        while self.members.iter().any(|member| !member.is_done()) {
            assert!(begun.elapsed() < limit, "{}", self.stuck());
            match tokio::time::timeout(PATIENCE / 4, self.positions.recv()).await {
                Ok(heard) => {
                    let (cabinet, position) = heard.expect("the broker is there");
                    self.position(index[&cabinet], &position).await;
                }
                Err(_) => {
                    for member in 0..self.members.len() {
                        let waits = &self.members[member];
                        if !waits.is_done() && waits.heard.elapsed() > PATIENCE {
                            self.ask(member).await;
                        }
                    }
                }
            }
        }
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.members.iter().map(|member| member.messages.len()).sum()
    }

    /// Sends everything once, whatever becomes of it.
    pub async fn send_blindly(&self) {
        let most = self.members.iter().map(|member| member.messages.len()).max();
        for message in 0..most.unwrap_or(0) {
            for (index, member) in self.members.iter().enumerate() {
                if let Some(signed) = member.messages.get(message) {
                    self.publish(index, Topic::Event, signed.clone()).await;
                }
            }
        }
    }

    fn stuck(&self) -> String {
        let open = self.members.iter().filter(|member| !member.is_done());
        let open = open.map(|member| format!("{} confirmed {}", member.cabinet.id, member.confirmed));
        format!(
            "not everything is confirmed: {}",
            open.collect::<Vec<_>>().join(", ")
        )
    }

    async fn ask(&mut self, index: usize) {
        let member = &mut self.members[index];
        let (nonce, signed) = member.cabinet.numbered_status(Presence::Online);
        member.nonce = Some(nonce);
        member.heard = Instant::now();
        self.publish(index, Topic::Status, signed).await;
    }

    async fn position(&mut self, index: usize, position: &Position) {
        let (size, window) = (self.size, self.window);
        let member = &mut self.members[index];
        let answer = member.nonce.is_some() && position.answers == member.nonce;
        if answer {
            member.nonce = None;
            member.next = usize::try_from(position.seq.0).unwrap() / size;
        } else if position.seq <= member.confirmed {
            return;
        }
        member.confirmed = position.seq;
        member.heard = Instant::now();
        let confirmed = usize::try_from(position.seq.0).unwrap().div_ceil(size);
        let end = (confirmed + window).min(member.messages.len());
        if member.nonce.is_some() {
            return;
        }
        let from = member.next;
        member.next = end.max(from);
        for message in from..end {
            let signed = self.members[index].messages[message].clone();
            self.publish(index, Topic::Event, signed).await;
        }
    }

    async fn publish(&self, index: usize, topic: Topic, signed: Signed) {
        let properties = PublishProperties {
            user_properties: vec![
                ("key".into(), signed.signature.key.to_string()),
                ("signature".into(), signed.signature.text()),
            ],
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once()
            .retain(topic == Topic::Status)
            .properties(properties);
        let topic = topic.of(&self.root, &self.members[index].cabinet.id);
        self.client.publish(topic, signed.bytes, options).await.unwrap();
    }
}

impl Member {
    fn is_done(&self) -> bool {
        self.confirmed.0 == self.cabinet.journal.len() as u64
    }
}
