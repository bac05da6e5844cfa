//! The whole link against a real broker: everything arrives in order although the broker dies in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockerd::cabinet::vocabulary::{Input, Monotonic, Recorded};
use lockerd::office_link::{
    self, Broker, Channels, Identity, JournalView, Limits, Offer, Offers, Security, Settings, View,
};
use office_protocol::document::{DocumentName, Reported};
use office_protocol::*;
use rumqttc::{
    AsyncClient, Event as Mqtt, MqttOptions, Packet, Publish, PublishOptions, PublishProperties, QoS,
    SubscribeFilter, Transport,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::mosquitto::Mosquitto;
use crate::support::{Memory, cabinet, keys, office_key, own_key, position_by};

fn own(security: Security) -> Offer {
    Offer {
        security,
        key: Arc::new(own_key()),
    }
}

fn next_key() -> SigningKey {
    SigningKey::from_secret(&[11; 32])
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Memory>>);

impl JournalView for Shared {
    fn oldest(&mut self) -> Seq {
        self.0.lock().unwrap().oldest()
    }

    fn hash_at(&mut self, seq: Seq) -> Option<Digest> {
        self.0.lock().unwrap().hash_at(seq)
    }

    fn read(&mut self, from: Seq, events_max: usize, bytes_max: usize) -> Vec<Recorded> {
        self.0.lock().unwrap().read(from, events_max, bytes_max)
    }
}

/// A cabinet's link, and all that it is joined to.
struct Cabinet {
    journal: Shared,
    task: JoinHandle<()>,
    inputs: mpsc::Receiver<Input>,
    tip: watch::Sender<Seq>,
    state: watch::Sender<Option<CabinetState>>,
    reported: watch::Sender<BTreeMap<DocumentName, Reported>>,
    replies: mpsc::Sender<Reply>,
    view: watch::Receiver<View>,
    stop: watch::Sender<bool>,
    renewed: mpsc::UnboundedReceiver<VerifyingKey>,
    _keys: watch::Sender<KeySet>,
}

impl Cabinet {
    fn begin(port: u16, security: Security, events: u64) -> Self {
        let offered = vec![own(security.clone())];
        Self::offered(port, security, Box::new(move || offered.clone()), events)
    }

    /// Its certificates are read anew for each connection.
    fn offered(port: u16, security: Security, offers: Offers, events: u64) -> Self {
        let journal = Shared(Arc::new(Mutex::new(Memory::with(events))));
        let (inputs_in, inputs) = mpsc::channel(64);
        let (tip, tip_out) = watch::channel(Seq(events));
        let (keys_in, keys_out) = watch::channel(keys());
        let (state, state_out) = watch::channel(None);
        let (reported, reported_out) = watch::channel(BTreeMap::new());
        let (replies, replies_out) = mpsc::channel(8);
        let (view_in, view) = watch::channel(View::default());
        let (stop, stop_out) = watch::channel(false);
        let (renewed_in, renewed) = mpsc::unbounded_channel();
        let channels = Channels {
            offers,
            renewed: Box::new(move |key| {
                let _nobody_asks = renewed_in.send(key.clone());
            }),
            inputs: inputs_in,
            tip: tip_out,
            keys: keys_out,
            state: state_out,
            reported: reported_out,
            replies: replies_out,
            view: view_in,
            stop: stop_out,
        };
        let settings = Settings {
            broker: Broker {
                host: "localhost".into(),
                port,
                security,
            },
            root: TopicRoot::default(),
            identity: Identity {
                cabinet: cabinet(),
                start: Start(7),
                version: "0.1.0".into(),
            },
            limits: Limits {
                status_gap_ms: 200,
                answer_wait_ms: 500,
                ..Limits::default()
            },
        };
        let began = Instant::now();
        let clock = move || Monotonic::from_millis(began.elapsed().as_millis() as u64);
        let own_journal = journal.clone();
        let task = tokio::spawn(async move {
            let key = own_key();
            office_link::run(settings, &key, own_journal, clock, channels)
                .await
                .unwrap();
        });
        Self {
            journal,
            task,
            inputs,
            tip,
            state,
            reported,
            replies,
            view,
            stop,
            renewed,
            _keys: keys_in,
        }
    }

    fn append(&self, count: u64) {
        let mut journal = self.journal.0.lock().unwrap();
        (0..count).for_each(|_| journal.append());
        self.tip.send_replace(journal.tip());
    }

    async fn confirmed(&mut self, seq: u64) {
        let reached = |view: &View| view.confirmed == Some(Seq(seq));
        soon(self.view.wait_for(reached)).await.unwrap();
    }

    async fn input(&mut self, wanted: impl Fn(&Input) -> bool) -> Input {
        soon(async {
            loop {
                let input = self.inputs.recv().await.unwrap();
                if wanted(&input) {
                    return input;
                }
            }
        })
        .await
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(40), future).await.expect("in time")
}

/// What the office has seen.
#[derive(Default, Clone)]
struct Seen {
    committed: Vec<Vec<u8>>,
    status: Option<Status>,
    messages: Vec<(Topic, Vec<u8>)>,
    /// Messages that no key signed which is known here.
    turned_away: usize,
}

/// A small office: takes what is next, and says its position.
struct Office {
    client: AsyncClient,
    seen: watch::Receiver<Seen>,
    keys: Arc<Mutex<Vec<VerifyingKey>>>,
    task: JoinHandle<()>,
}

impl Drop for Office {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn purpose(topic: Topic) -> Purpose {
    match topic {
        Topic::Status => Purpose::Status,
        Topic::State => Purpose::State,
        Topic::Event => Purpose::Events,
        Topic::Reply => Purpose::Reply,
        Topic::Reported(_) => Purpose::Reported,
        other => panic!("{other:?} goes down"),
    }
}

fn genuine(publish: &Publish, keys: &[VerifyingKey]) -> Option<(Topic, Vec<u8>)> {
    let text = std::str::from_utf8(&publish.topic).unwrap();
    let (from, topic) = Topic::parse(&TopicRoot::default(), text).unwrap();
    let properties = &publish.properties.as_ref().unwrap().user_properties;
    let property = |name: &str| &properties.iter().find(|(key, _)| key == name).unwrap().1;
    let signed = Signed {
        bytes: publish.payload.to_vec(),
        signature: Signature::from_text(property("key"), property("signature")).unwrap(),
    };
    let key = keys.iter().find(|key| *key.id() == signed.signature.key)?;
    let bytes = signed.verify(key, purpose(topic), &from);
    Some((topic, bytes.unwrap().to_vec()))
}

impl Office {
    fn begin(port: u16, transport: Transport) -> Self {
        let mut options = MqttOptions::new("office", ("localhost", port));
        options.set_transport(transport);
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut events) = AsyncClient::builder(options).capacity(256).build();
        let (sender, seen) = watch::channel(Seen::default());
        let own = client.clone();
        let keys = Arc::new(Mutex::new(vec![own_key().verifying_key()]));
        let accepted = Arc::clone(&keys);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Mqtt::Incoming(Packet::ConnAck(_))) => {
                        let filters = Topic::office_filters(&TopicRoot::default())
                            .map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
                        own.try_subscribe_many(filters).unwrap();
                    }
                    Ok(Mqtt::Incoming(Packet::Publish(publish))) => {
                        let Some((topic, bytes)) = genuine(&publish, &accepted.lock().unwrap()) else {
                            sender.send_modify(|seen| seen.turned_away += 1);
                            continue;
                        };
                        let mut position = None;
                        sender.send_modify(|seen| position = seen.take(topic, bytes));
                        if let Some(position) = position {
                            send(&own, Topic::Position, &position);
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Self {
            client,
            seen,
            keys,
            task,
        }
    }

    /// What this key signs counts from now on as well.
    fn accept(&self, key: &SigningKey) {
        self.keys.lock().unwrap().push(key.verifying_key());
    }

    async fn sees(&mut self, wanted: impl FnMut(&Seen) -> bool) -> Seen {
        soon(self.seen.wait_for(wanted)).await.unwrap().clone()
    }
}

impl Seen {
    fn take(&mut self, topic: Topic, bytes: Vec<u8>) -> Option<Signed> {
        match topic {
            Topic::Status => {
                let status: Status = serde_json::from_slice(&bytes).unwrap();
                let answers = (status.presence == Presence::Online).then_some(status.nonce);
                self.status = Some(status);
                answers.map(|nonce| self.position(Some(nonce)))
            }
            Topic::Event => {
                for event in EventMessage::parse(&bytes).unwrap().events {
                    let seq = EventHeader::parse(&event).unwrap().seq.0;
                    if seq == self.committed.len() as u64 + 1 {
                        self.committed.push(event);
                    }
                }
                Some(self.position(self.status.as_ref().map(|status| status.nonce)))
            }
            _ => {
                self.messages.push((topic, bytes));
                None
            }
        }
    }

    fn position(&self, answers: Option<u64>) -> Signed {
        let hash = self
            .committed
            .last()
            .map_or(Digest::ZERO, |event| Digest::of(event));
        position_by(
            &office_key(),
            self.committed.len() as u64,
            hash,
            Start(7),
            answers,
        )
    }
}

fn send(client: &AsyncClient, topic: Topic, signed: &Signed) {
    let properties = PublishProperties {
        user_properties: vec![
            ("key".into(), signed.signature.key.to_string()),
            ("signature".into(), signed.signature.text()),
        ],
        ..PublishProperties::default()
    };
    let options = PublishOptions::at_least_once().properties(properties);
    let topic = topic.of(&TopicRoot::default(), &cabinet());
    client.try_publish(topic, signed.bytes.clone(), options).unwrap();
}

async fn survives_a_broker_killed_in_the_middle(
    mut broker: Mosquitto,
    security: Security,
    transport: Transport,
) {
    let mut office = Office::begin(broker.port, transport);
    let mut cabinet = Cabinet::begin(broker.port, security, 3_000);
    office.sees(|seen| seen.committed.len() > 500).await;
    broker.kill();
    cabinet
        .input(|input| matches!(input, Input::LinkChanged { online: false }))
        .await;
    cabinet.append(2_000);
    broker.start();
    cabinet.confirmed(5_000).await;
    let seen = office.sees(|seen| seen.committed.len() == 5_000).await;
    assert!(
        seen.committed == cabinet.journal.0.lock().unwrap().events,
        "the same bytes in the same order"
    );
    cabinet
        .input(|input| matches!(input, Input::Acknowledged { tip } if tip.seq == Seq(5_000)))
        .await;
    cabinet.stop.send_replace(true);
    soon(&mut cabinet.task).await.unwrap();
    let draining = |seen: &Seen| {
        seen.status
            .as_ref()
            .is_some_and(|status| status.presence == Presence::Draining)
    };
    office.sees(draining).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_although_the_broker_is_killed() {
    let broker = Mosquitto::plain();
    survives_a_broker_killed_in_the_middle(broker, Security::Plain, Transport::tcp()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_over_tls_with_the_cabinets_own_key() {
    let (broker, certificates) = Mosquitto::with_tls(&own_key());
    let (security, transport) = (certificates.security(), certificates.transport("office"));
    survives_a_broker_killed_in_the_middle(broker, security, transport).await;
}

/// Another cabinet, with a certificate of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_the_cabinets_name_takes_nothing_over() {
    let (broker, certificates) = Mosquitto::with_tls(&own_key());
    let _office = Office::begin(broker.port, certificates.transport("office"));
    let mut cabinet = Cabinet::begin(broker.port, certificates.security(), 10);
    cabinet.confirmed(10).await;
    let mut options = MqttOptions::new("PORT-7", ("localhost", broker.port));
    options.set_transport(certificates.transport("PORT-8"));
    let (_client, mut events) = AsyncClient::builder(options).capacity(8).build();
    let admitted =
        async { while !matches!(events.poll().await.unwrap(), Mqtt::Incoming(Packet::ConnAck(_))) {} };
    soon(admitted).await;
    cabinet.append(10);
    cabinet.confirmed(20).await;
    while let Ok(input) = cabinet.inputs.try_recv() {
        assert!(!matches!(input, Input::LinkChanged { online: false }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_certificates_count_without_a_restart_and_the_old_ones_until_they_have_worked() {
    let (mut broker, certificates) = Mosquitto::with_tls(&own_key());
    let mut office = Office::begin(broker.port, certificates.transport("office"));
    let (old, useless) = (certificates.security(), certificates.useless(&own_key()));
    let there = Arc::new(Mutex::new(vec![own(old.clone())]));
    let read = Arc::clone(&there);
    let offers = Box::new(move || read.lock().unwrap().clone());
    let mut cabinet = Cabinet::offered(broker.port, old.clone(), offers, 10);
    cabinet.confirmed(10).await;
    let renewed = certificates.renewed(&own_key());
    assert!(renewed != old);
    // What no broker takes comes first, then the one before; then a good one, and nothing else any more.
    for (offered, events) in [(vec![useless, old], 20), (vec![renewed], 30)] {
        *there.lock().unwrap() = offered.into_iter().map(own).collect();
        broker.kill();
        cabinet
            .input(|input| matches!(input, Input::LinkChanged { online: false }))
            .await;
        cabinet.append(10);
        broker.start();
        cabinet.confirmed(events).await;
    }
    office.sees(|seen| seen.committed.len() == 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_signs_once_the_office_answers_to_it_and_until_then_the_old_one() {
    let (mut broker, certificates) = Mosquitto::with_tls(&own_key());
    let mut office = Office::begin(broker.port, certificates.transport("office"));
    let old = own(certificates.security());
    let there = Arc::new(Mutex::new(vec![old.clone()]));
    let read = Arc::clone(&there);
    let offers = Box::new(move || read.lock().unwrap().clone());
    let mut cabinet = Cabinet::offered(broker.port, certificates.security(), offers, 10);
    cabinet.confirmed(10).await;

    // The broker knows the certificate of the new key, but the office does not know the key.
    let new = Offer {
        security: certificates.renewed(&next_key()),
        key: Arc::new(next_key()),
    };
    *there.lock().unwrap() = vec![new.clone(), old.clone()];
    let turned_away = |seen: &Seen| seen.turned_away > 0;
    office.sees(turned_away).await;
    cabinet.append(10);
    cabinet.confirmed(20).await;
    assert!(
        cabinet.renewed.try_recv().is_err(),
        "the office has not answered to it"
    );

    // Now it does, and the daemon is asked to look again by a broken line.
    office.accept(&next_key());
    broker.kill();
    cabinet
        .input(|input| matches!(input, Input::LinkChanged { online: false }))
        .await;
    cabinet.append(10);
    broker.start();
    let renewed = soon(cabinet.renewed.recv()).await;
    assert!(renewed == Some(next_key().verifying_key()));
    cabinet.confirmed(30).await;
    office.sees(|seen| seen.committed.len() == 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_come_in_and_answers_go_out_signed() {
    let broker = Mosquitto::plain();
    let mut office = Office::begin(broker.port, Transport::tcp());
    let mut cabinet = Cabinet::begin(broker.port, Security::Plain, 3);
    cabinet.confirmed(3).await;

    let command = Signed::new(
        &office_key(),
        Purpose::Command,
        &crate::support::cabinet(),
        b"{}".to_vec(),
    );
    send(&office.client, Topic::Command, &command);
    let document = Topic::Desired(DocumentName::Staff);
    send(&office.client, document, &command);
    let unsigned = Topic::Command.of(&TopicRoot::default(), &crate::support::cabinet());
    office
        .client
        .try_publish(unsigned, "{}", PublishOptions::at_least_once())
        .unwrap();
    let input = cabinet
        .input(|input| matches!(input, Input::CommandReceived(_)))
        .await;
    assert!(matches!(input, Input::CommandReceived(signed) if signed == command));
    let mut missing = ["document", "forgery"].to_vec();
    while !missing.is_empty() {
        match cabinet.input(|_| true).await {
            Input::DocumentReceived { name, signed } => {
                assert_eq!((name, &signed), (DocumentName::Staff, &command));
                missing.retain(|left| *left != "document");
            }
            Input::ForgerySeen => missing.retain(|left| *left != "forgery"),
            _ => {}
        }
    }

    let reply = Reply {
        number: 1,
        seq: Seq(3),
        outcome: CommandOutcome::Done,
    };
    cabinet.replies.send(reply.clone()).await.unwrap();
    let state = CabinetState {
        start: Start(7),
        seq: Seq(3),
        time: Timestamp::from_millis(0),
        compartments: Vec::new(),
        boards: Vec::new(),
        ports_lost: Vec::new(),
        wires: Vec::new(),
        mains: None,
        alarms: Vec::new(),
    };
    cabinet.state.send_replace(Some(state.clone()));
    let reported = Reported {
        version: 4,
        digest: Digest::of(b"staff"),
        refused: None,
    };
    cabinet
        .reported
        .send_replace(BTreeMap::from([(DocumentName::Staff, reported.clone())]));
    let wanted = [
        (Topic::Reply, serde_json::to_vec(&reply).unwrap()),
        (Topic::State, serde_json::to_vec(&state).unwrap()),
        (
            Topic::Reported(DocumentName::Staff),
            serde_json::to_vec(&reported).unwrap(),
        ),
    ];
    office
        .sees(|seen| wanted.iter().all(|message| seen.messages.contains(message)))
        .await;

    cabinet.task.abort();
    let offline = |seen: &Seen| {
        seen.status
            .as_ref()
            .is_some_and(|status| status.presence == Presence::Offline)
    };
    office.sees(offline).await;
}

#[test]
fn a_plain_connection_does_not_leave_the_machine() {
    let broker = |host: &str, security| Broker {
        host: host.into(),
        port: 1883,
        security,
    };
    assert!(broker("127.0.0.1", Security::Plain).check().is_ok());
    assert!(broker("broker.example", Security::Plain).check().is_err());
    let tls = Security::Tls {
        ca: String::new(),
        certificate: String::new(),
    };
    assert!(broker("broker.example", tls).check().is_ok());
}
