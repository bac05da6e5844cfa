//! The program itself with Debian's mosquitto over TLS and client certificates, killed and started again.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use office::mqtt::{Connector, Outbound, Settings, Tls};
use office_protocol::enrolment::{Bundle, Identity};
use office_protocol::{Presence, Signed, Topic};
use serde_json::Value;
use support::TestCabinet;
use tokio::sync::{mpsc, watch};

const LIMIT: Duration = Duration::from_secs(30);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn office(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_office"));
    command
        .arg(arguments[0])
        .arg("--config")
        .arg(place.join("office.toml"));
    command.args(&arguments[1..]);
    command
}

fn printed(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn start_broker(place: &Path, port: u16) -> Running {
    let certificates = place.join("certificates");
    let file = |name: &str| certificates.join(name).display().to_string();
    let config = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\ncafile {}\ncertfile {}\nkeyfile {}\n\
         require_certificate true\nuse_identity_as_username true\n",
        file("ca.pem"),
        file("server.pem"),
        file("server.key"),
    );
    std::fs::write(place.join("mosquitto.conf"), config).unwrap();
    let program = ["/usr/sbin/mosquitto", "mosquitto"].into_iter();
    let program = program
        .map(Path::new)
        .find(|path| path.exists())
        .unwrap_or(Path::new("mosquitto"));
    let child = Command::new(program)
        .arg("-c")
        .arg(place.join("mosquitto.conf"))
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is installed (tests/run does it)");
    Running(child)
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
fn enrol(place: &Path, cabinet: &TestCabinet) -> Bundle {
    let identity = Identity {
        key: cabinet.key.verifying_key(),
    };
    std::fs::write(
        place.join("identity.json"),
        serde_json::to_string(&identity).unwrap(),
    )
    .unwrap();
    let mut command = office(place, &["enrol", "--cabinet", cabinet.id.as_str(), "--identity"]);
    let bundle: Bundle = serde_json::from_str(&printed(command.arg(place.join("identity.json")))).unwrap();
    std::fs::write(place.join("cabinet.pem"), &bundle.certificate).unwrap();
    std::fs::write(place.join("cabinet.key"), private_key_pem(cabinet)).unwrap();
    bundle
}

async fn get(port: u16, path: &'static str) -> Option<Value> {
    let ask = move || {
        let url = format!("http://127.0.0.1:{port}/api/v1{path}");
        let request = ureq::get(&url).header("authorization", "Bearer let-me-in");
        request.call().ok()?.body_mut().read_to_string().ok()
    };
    let text = tokio::task::spawn_blocking(ask).await.unwrap()?;
    serde_json::from_str(&text).ok()
}

async fn start_office(place: &Path, port: u16) -> Running {
    let mut command = office(place, &["run"]);
    let child = command
        .env("OFFICE_TOKEN", "let-me-in")
        .env("RUST_LOG", "warn")
        .spawn()
        .unwrap();
    let running = Running(child);
    until("the hub is connected to the broker", async || {
        get(port, "/health")
            .await
            .filter(|health| health["broker"] == "ok")
    })
    .await;
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_everything_is_stored_once_though_the_hub_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let (broker_port, port) = (free_port(), free_port());
    let settings = format!(
        "directory = \"data\"\nlisten = \"127.0.0.1:{port}\"\n[broker]\nhost = \"localhost\"\nport = {broker_port}\n\
         tls = {{ ca = \"certificates/ca.pem\", certificate = \"certificates/office.pem\", key = \"certificates/office.key\" }}\n"
    );
    std::fs::write(place.join("office.toml"), settings).unwrap();
    printed(office(place, &["certificates", "--out"]).arg(place.join("certificates")));
    let mut cabinet = TestCabinet::new("PORT-7");
    let bundle = enrol(place, &cabinet);
    assert_eq!(
        bundle.ca,
        std::fs::read_to_string(place.join("certificates/ca.pem")).unwrap()
    );
    let _broker = start_broker(place, broker_port);
    let hub = start_office(place, port).await;

    let connector = Connector::new(&Settings {
        host: "localhost".into(),
        port: broker_port,
        root: "locker/v1".into(),
        name: "PORT-7".into(),
        tls: Some(Tls {
            ca: place.join("certificates/ca.pem"),
            certificate: place.join("cabinet.pem"),
            key: place.join("cabinet.key"),
        }),
    })
    .unwrap();
    let (inbound, _inbound_kept) = mpsc::channel(10_000);
    let (sender, outbound) = mpsc::channel(100);
    let online = watch::Sender::new(false);
    let mut connected = online.subscribe();
    tokio::spawn(connector.run(inbound, outbound, online));
    connected.wait_for(|online| *online).await.unwrap();
    let id = cabinet.id.clone();
    let send = async |topic: Topic, signed: Signed| {
        let message = Outbound {
            cabinet: id.clone(),
            topic,
            signed,
            retain: topic == Topic::Status,
            expires_in: None,
        };
        sender.send(message).await.unwrap();
    };
    let complete_to = async |wanted: i64| {
        until("the events are stored", async || {
            let cabinets = get(port, "/cabinets").await?;
            (cabinets[0]["complete_to"].as_i64() == Some(wanted)).then_some(cabinets)
        })
        .await
    };

    cabinet.rate(200);
    let status = cabinet.status(Presence::Online);
    send(Topic::Status, status).await;
    for from in (1..=96).step_by(16) {
        send(Topic::Event, cabinet.events(from, from + 15, vec![])).await;
    }
    let cabinets = complete_to(96).await;
    assert_eq!(cabinets[0]["presence"], "online");

    drop(hub); // kill -9
    let _hub = start_office(place, port).await;
    for from in (65..=185).step_by(8) {
        send(Topic::Event, cabinet.events(from, from + 15, vec![])).await;
    }
    complete_to(200).await;
    let found: Value = serde_json::from_str(&printed(&mut office(place, &["verify", "--json"]))).unwrap();
    assert_eq!(
        (found["events"].as_u64(), found["intact"].as_u64()),
        (Some(200), Some(200))
    );
    let listed = printed(&mut office(place, &["events", "--json"]));
    assert_eq!(listed.lines().count(), 200);
}
