//! The program itself with Debian's mosquitto over TLS and client certificates, killed and started again.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use office::certificates::CertificateAuthority;
use office::keys::Keys;
use office::mqtt::{Connector, Outbound, Settings, Tls};
use office_protocol::enrolment::{Bundle, Identity};
use office_protocol::{Presence, Purpose, Signed, SigningKey, Topic};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, TlsConfiguration, Transport};
use serde_json::Value;
use support::programs::{free_port, get, office, printed, settings, start_broker, start_office, until};
use support::{Place, TestCabinet};
use tokio::sync::{mpsc, watch};

const TLS: &str = "tls = { ca = \"certificates/ca.pem\", certificate = \"certificates/office.pem\", \
    key = \"certificates/office.key\" }\n";

fn tls_listener(certificates: &Path) -> String {
    let file = |name: &str| certificates.join(name).display().to_string();
    format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n",
        file("ca.pem"),
        file("server.pem"),
        file("server.key"),
    )
}

/// RFC 8410's form of an Ed25519 key, as a cabinet makes it for its TLS client.
fn private_key_pem(cabinet: &TestCabinet) -> String {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&*cabinet.key.secret());
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// Enrols the cabinet and leaves its certificate and key in `place`.
fn enrol(place: &Place, port: u16, cabinet: &TestCabinet) -> Bundle {
    let identity = Identity {
        key: cabinet.key.verifying_key(),
    };
    let path = place.path().join("identity.json");
    std::fs::write(&path, serde_json::to_string(&identity).unwrap()).unwrap();
    let mut command = office(
        place,
        port,
        &["enrol", "--cabinet", cabinet.id.as_str(), "--identity"],
    );
    let bundle: Bundle = serde_json::from_str(&printed(command.arg(path))).unwrap();
    std::fs::write(place.path().join("cabinet.pem"), &bundle.certificate).unwrap();
    std::fs::write(place.path().join("cabinet.key"), private_key_pem(cabinet)).unwrap();
    bundle
}

/// The cabinet's connection to the broker.
async fn connect(place: &Path, cabinet: &TestCabinet, port: u16) -> mpsc::Sender<Outbound> {
    let connector = Connector::new(&Settings {
        host: "localhost".into(),
        port,
        root: "locker/v1".into(),
        name: Some(cabinet.id.to_string()),
        share: None,
        tls: Some(Tls {
            ca: place.join("certificates/ca.pem"),
            certificate: place.join("cabinet.pem"),
            key: place.join("cabinet.key"),
        }),
    })
    .unwrap();
    let (inbound, mut heard) = mpsc::channel(10_000);
    let (sender, outbound) = mpsc::channel(100);
    let online = watch::Sender::new(false);
    let mut connected = online.subscribe();
    tokio::spawn(connector.run(inbound, outbound, online));
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    connected.wait_for(|online| *online).await.unwrap();
    sender
}

async fn over_tls_everything_is_stored_once_though_the_hub_is_killed(place: &Place) {
    let (broker_port, port) = (free_port(), free_port());
    settings(place, port, broker_port, TLS);
    let certificates = place.path().join("certificates");
    printed(office(place, port, &["certificates", "--out"]).arg(&certificates));
    let mut cabinet = TestCabinet::new("PORT-7");
    let bundle = enrol(place, port, &cabinet);
    assert_eq!(
        bundle.ca,
        std::fs::read_to_string(certificates.join("ca.pem")).unwrap()
    );
    let _broker = start_broker(place, broker_port, &tls_listener(&certificates)).await;
    let hub = start_office(place, port).await;
    let sender = connect(place.path(), &cabinet, broker_port).await;
    let id = cabinet.id.clone();
    let send = async |topic: Topic, signed: Signed| {
        let message = Outbound {
            cabinet: id.clone(),
            topic,
            signed,
            retain: matches!(topic, Topic::Status | Topic::State),
            expires_in: None,
        };
        sender.send(message).await.unwrap();
    };
    cabinet.rate(200);
    let status = cabinet.status(Presence::Online);
    // As a cabinet does: again, until they are stored.
    let deliver = async |from: usize, to: usize| {
        let mut sent = Instant::now();
        for first in (from..=to).step_by(8) {
            send(Topic::Event, cabinet.events(first, (first + 15).min(to), vec![])).await;
        }
        until("the events are stored", async || {
            if sent.elapsed() > Duration::from_secs(3) {
                sent = Instant::now();
                for first in (from..=to).step_by(16) {
                    send(Topic::Event, cabinet.events(first, (first + 15).min(to), vec![])).await;
                }
            }
            let cabinets = get(port, "/cabinets").await?;
            (cabinets[0]["complete_to"].as_u64() == Some(to as u64)).then_some(cabinets)
        })
        .await
    };
    send(Topic::Status, status).await;
    // Larger than the hub takes: the broker keeps it to itself, and everything else goes on.
    let huge = Signed::new(
        &cabinet.key,
        Purpose::State,
        &cabinet.id,
        vec![b'x'; 5 * 1024 * 1024],
    );
    send(Topic::State, huge).await;
    let cabinets = deliver(1, 96).await;
    assert_eq!(cabinets[0]["presence"], "online");

    drop(hub); // kill -9
    let _hub = start_office(place, port).await;
    deliver(65, 200).await;
    let found: Value =
        serde_json::from_str(&printed(&mut office(place, port, &["verify", "--json"]))).unwrap();
    assert_eq!(
        (found["events"].as_u64(), found["intact"].as_u64()),
        (Some(200), Some(200))
    );
    let listed = printed(&mut office(place, port, &["events", "--json"]));
    assert_eq!(listed.lines().count(), 200);
}

/// The certificate is renewed while the hub runs, at first with one of a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_taken_once_it_works() {
    let place = &Place::sqlite();
    let (broker_port, port) = (free_port(), free_port());
    settings(place, port, broker_port, TLS);
    let certificates = place.path().join("certificates");
    printed(office(place, port, &["certificates", "--out"]).arg(&certificates));
    let stranger = CertificateAuthority::create(place.path())
        .unwrap()
        .client("office")
        .unwrap();
    let renewed = Keys::open(&place.path().join("data/keys"))
        .unwrap()
        .authority
        .client("office")
        .unwrap();
    let broker = start_broker(place, broker_port, &tls_listener(&certificates)).await;
    let _hub = start_office(place, port).await;
    let put = |issued: &office::certificates::Issued| {
        std::fs::write(certificates.join("office.pem"), &issued.certificate).unwrap();
        std::fs::write(certificates.join("office.key"), &issued.key).unwrap();
    };
    let is_connected = async |wanted: &str| {
        until("the hub sees it", async || {
            get(port, "/health")
                .await
                .filter(|health| health["broker"] == wanted)
        })
        .await
    };
    put(&stranger);
    drop(broker);
    is_connected("offline").await;
    let broker = start_broker(place, broker_port, &tls_listener(&certificates)).await;
    is_connected("ok").await;
    put(&renewed);
    drop(broker);
    is_connected("offline").await;
    let _broker = start_broker(place, broker_port, &tls_listener(&certificates)).await;
    is_connected("ok").await;
}

/// Whether the broker lets somebody in with this name, certificate and key.
async fn is_admitted(place: &Place, port: u16, name: &str, files: &(String, String)) -> bool {
    let mut options = MqttOptions::new(name, ("localhost", port));
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
        ca: std::fs::read(place.path().join("certificates/ca.pem")).unwrap(),
        alpn: None,
        client_auth: Some((files.0.clone().into_bytes(), files.1.clone().into_bytes())),
    }));
    let (_client, mut events) = AsyncClient::builder(options).capacity(8).build();
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_refuses_a_revoked_cabinet() {
    let place = &Place::sqlite();
    let (broker_port, port) = (free_port(), free_port());
    settings(place, port, broker_port, TLS);
    let path = place.path().join(format!("office-{port}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[broker]", "revoked = \"certificates/revoked.pem\"\n[broker]");
    std::fs::write(path, text).unwrap();
    let certificates = place.path().join("certificates");
    printed(office(place, port, &["certificates", "--out"]).arg(&certificates));
    let mut cabinets = [TestCabinet::new("PORT-7"), TestCabinet::new("PORT-8")];
    cabinets[1].key = SigningKey::from_secret(&[9; 32]);
    let files = cabinets.each_ref().map(|cabinet| {
        let bundle = enrol(place, port, cabinet);
        (bundle.certificate, private_key_pem(cabinet))
    });
    let listener = format!(
        "{}crlfile {}\n",
        tls_listener(&certificates),
        certificates.join("revoked.pem").display()
    );
    let broker = start_broker(place, broker_port, &listener).await;
    assert!(is_admitted(place, broker_port, "PORT-7", &files[0]).await);
    // Of two lists of the same second the broker's library takes the first: again, until it has the second.
    until("the broker has read the list again", async || {
        printed(&mut office(place, port, &["revoke", "--cabinet", "PORT-7"]));
        let mut reload = std::process::Command::new("kill");
        let reload = reload.args(["-HUP", &broker.id().to_string()]).status();
        assert!(reload.unwrap().success());
        let refused = !is_admitted(place, broker_port, "PORT-7", &files[0]).await;
        refused.then_some(())
    })
    .await;
    assert!(is_admitted(place, broker_port, "PORT-8", &files[1]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_the_hubs_name_takes_nothing_over() {
    let place = &Place::sqlite();
    let port = free_port();
    let _broker = start_broker(place, port, "").await;
    let connector = Connector::new(&Settings {
        host: "localhost".into(),
        port,
        root: "locker/v1".into(),
        name: Some("office".into()),
        share: None,
        tls: None,
    })
    .unwrap();
    let (inbound, mut heard) = mpsc::channel(100);
    let (_sender, outbound) = mpsc::channel(100);
    let online = watch::Sender::new(false);
    let mut connected = online.subscribe();
    tokio::spawn(connector.run(inbound, outbound, online));
    connected.wait_for(|online| *online).await.unwrap();
    let (client, mut events) = AsyncClient::builder(MqttOptions::new("office", ("localhost", port)))
        .capacity(8)
        .build();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::ConnAck(_))) {}
    let options = PublishOptions::at_least_once();
    let topic = "locker/v1/PORT-7/event".to_owned();
    client.try_publish(topic, "hello".to_owned(), options).unwrap();
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    let message = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await;
    assert_eq!(message.unwrap().unwrap().payload, b"hello");
    assert!(!connected.has_changed().unwrap(), "the hub was never away");
}

on_both_databases! {
    over_tls_everything_is_stored_once_though_the_hub_is_killed,
}
