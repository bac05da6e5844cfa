//! How many events a second the hub takes in: verified, de-duplicated, committed to PostgreSQL and confirmed to the cabinets; with the
//! broker, the cabinets, the hub and the database all on this machine, and a plain COPY of the same rows beside it.
//!
//! `cargo bench -p office --bench intake`; `-- EVENTS` for another number than 240,000; `-- peers` for other tools' rates as well, which
//! installs them with pip in a temporary directory.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::fleet::Fleet;
use support::programs::{Running, free_port, settings, start_broker, start_office};
use support::{Place, TestCabinet, hub};

const CABINETS: usize = 64;
const EVENTS: usize = 240_000;
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let events = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(EVENTS);
    println!("Hub intake into PostgreSQL; broker, {CABINETS} cabinets, hub and database on this machine.");
    run(16, 8, events).await;
    run(1, 16, events / 6).await;
    if std::env::args().any(|word| word == "peers") {
        let packages = tempfile::tempdir().unwrap();
        let mut install = Command::new("python3");
        install
            .args(["-m", "pip", "install", "--quiet", "--target"])
            .arg(packages.path());
        assert!(
            install
                .args(["paho-mqtt", "psycopg[binary]"])
                .status()
                .unwrap()
                .success()
        );
        for (how, name) in [
            ("safe", "paho + psycopg, safely"),
            ("unsafe", "mosquitto_sub | psql \\copy, unsafely"),
        ] {
            peer(packages.path(), how, name, 16, events / 2).await;
            peer(packages.path(), how, name, 1, events / 6).await;
        }
    }
}

/// What another tool makes of the same messages; it verifies nothing, and confirms nothing to the cabinets.
async fn peer(packages: &Path, how: &str, name: &str, size: usize, events: usize) {
    let place = &Place::durable_postgres();
    let broker_port = free_port();
    let queues = "max_inflight_messages 200\nmax_queued_messages 0\n";
    let _broker = start_broker(place, broker_port, queues).await;
    let cabinets = cabinets(events);
    let written: usize = cabinets.iter().map(|cabinet| cabinet.journal.len()).sum();
    let fleet = Fleet::connect(cabinets, broker_port, size, 1).await;
    let count = if how == "safe" { written } else { fleet.messages() };
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers.py"));
    command
        .arg(broker_port.to_string())
        .arg(place.server.as_ref().unwrap())
        .arg(count.to_string())
        .arg(how);
    let mut running = command
        .env("PYTHONPATH", packages)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "ready");
    fleet.send_blindly().await;
    let seconds: f64 = said.next().unwrap().unwrap().parse().unwrap();
    running.wait().unwrap();
    println!(
        "{size:>3} events a message: {:>8.0} events/s, {name}",
        written as f64 / seconds
    );
}

/// Cabinets that have written so many events in all.
fn cabinets(events: usize) -> Vec<TestCabinet> {
    let cabinet = |number: usize| {
        let mut cabinet = TestCabinet::new(&format!("PORT-{number}"));
        (0..events / CABINETS / 6).for_each(|visit| cabinet.drop_off(visit));
        cabinet
    };
    (0..CABINETS).map(cabinet).collect()
}

/// The processor time of everything that takes part, in seconds.
#[derive(Clone, Copy)]
struct Spent {
    hub: f64,
    database: f64,
    broker: f64,
    cabinets: f64,
}

/// One round with so many events in a message, and so many messages of one cabinet on their way.
async fn run(size: usize, window: usize, events: usize) {
    let place = &Place::durable_postgres();
    let (broker_port, port) = (free_port(), free_port());
    let enrolling = hub(place, &[]).await;
    std::fs::create_dir(place.path().join("data")).unwrap();
    std::fs::rename(place.path().join("keys"), place.path().join("data/keys")).unwrap();
    let cabinets = cabinets(events);
    for cabinet in &cabinets {
        let (key, now) = (cabinet.key.verifying_key(), office::clock::now());
        enrolling.database.enrol(&cabinet.id, &key, now).await.unwrap();
    }
    let events: usize = cabinets.iter().map(|cabinet| cabinet.journal.len()).sum();
    let broker = start_broker(place, broker_port, "max_inflight_messages 200\n").await;
    settings(place, port, broker_port, "");
    let hub = start_office(place, port).await;
    let mut fleet = Fleet::connect(cabinets, broker_port, size, window).await;

    let before = spent(&hub, &broker);
    let begun = Instant::now();
    fleet.send_all(LIMIT).await;
    let seconds = begun.elapsed().as_secs_f64();
    let after = spent(&hub, &broker);

    let found = enrolling.database.verify().await.unwrap();
    assert!(found.is_intact() && found.events == events as u64, "{found:?}");
    let each = |part: fn(&Spent) -> f64| (part(&after) - part(&before)) * 1e6 / events as f64;
    let parts = [
        each(|spent| spent.hub),
        each(|spent| spent.database),
        each(|spent| spent.broker),
        each(|spent| spent.cabinets),
    ];
    println!(
        "{size:>3} events a message: {:>8.0} events/s ({events} events)",
        events as f64 / seconds
    );
    println!(
        "    processor, µs an event: hub {:.1}, database {:.1}, broker {:.1}, cabinets {:.1}; in all {:.1}, which is {:.0} events/s on two",
        parts[0],
        parts[1],
        parts[2],
        parts[3],
        parts.iter().sum::<f64>(),
        2e6 / parts.iter().sum::<f64>(),
    );
    println!(
        "    limit, COPY of the same rows alone: {:.0} rows/s",
        copy(place, events)
    );
}

/// Rows a second that the same server takes in one COPY, into a table with the same indexes.
fn copy(place: &Place, events: usize) -> f64 {
    place.psql(
        "COPY (SELECT * FROM events) TO STDOUT (FORMAT binary)",
        Some("rows"),
    );
    place.psql("CREATE TABLE copied (LIKE events INCLUDING ALL)", None);
    let begun = Instant::now();
    place.psql("\\copy copied FROM 'rows' (FORMAT binary)", None);
    events as f64 / begun.elapsed().as_secs_f64()
}

fn spent(hub: &Running, broker: &Running) -> Spent {
    let me = std::process::id();
    Spent {
        hub: processor(hub.id()),
        database: support::postgres::processes().into_iter().map(processor).sum(),
        broker: processor(broker.id()),
        cabinets: processor(me),
    }
}

/// Of one process, in seconds.
fn processor(process: u32) -> f64 {
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS
}
