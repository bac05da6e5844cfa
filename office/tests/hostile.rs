//! What one enrolled cabinet may sign to harm the others: the hub refuses it, counts it, and goes on.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office::database::Either;
use office::hub::Hub;
use office_protocol::{EventMessage, Presence, Purpose, Seq, Signed, Start, Topic};
use support::programs::{office, settings};
use support::{Place, TestCabinet, hub, hub_with, position};

async fn alarms(hub: &Hub) -> Vec<(String, String, i64)> {
    let alarms = hub.database.alarms(false, 20).await.unwrap();
    alarms
        .into_iter()
        .map(|row| (row.cabinet, row.alarm, row.times))
        .collect()
}

/// An event message whose only event was rewritten.
fn rewritten(cabinet: &TestCabinet, from: &str, to: &str) -> Signed {
    let text = String::from_utf8(cabinet.journal[0].clone()).unwrap();
    let text = text.replacen(from, to, 1);
    assert_ne!(text.as_bytes(), cabinet.journal[0], "{from}");
    let message = EventMessage {
        events: vec![text.into_bytes()],
        sealed: Vec::new(),
        after: None,
    };
    Signed::new(
        &cabinet.key,
        Purpose::Events,
        &cabinet.id,
        message.to_bytes().unwrap(),
    )
}

async fn enrolled(place: &Place, cabinets: [&TestCabinet; 2]) -> Hub {
    let hub = hub_with(place, cabinets[0]).await;
    let key = cabinets[1].key.verifying_key();
    let now = office::clock::now();
    hub.database.enrol(&cabinets[1].id, &key, now).await.unwrap();
    hub
}

async fn texts_that_no_database_takes_are_malformed_and_stop_nobody(place: &Place) {
    let (mut hostile, mut honest) = (TestCabinet::new("PORT-7"), TestCabinet::new("PORT-8"));
    let hub = enrolled(place, [&hostile, &honest]).await;
    hostile.rate(1);
    honest.rate(4);
    let subject = format!("\"subject\":\"{}\",\"time\"", "s".repeat(9_000));
    let kind = format!("locker.{}", "r".repeat(9_000));
    let status = hostile.status(Presence::Online);
    let text = String::from_utf8(status.bytes).unwrap();
    let text = text.replace("\"version\":\"test\"", "\"version\":\"\\u0000\"");
    let status = Signed::new(&hostile.key, Purpose::Status, &hostile.id, text.into_bytes());
    let hostile_messages = [
        hostile.sends(Topic::Status, status),
        hostile.sends(
            Topic::Event,
            rewritten(&hostile, "locker.rated", "locker.\\u0000"),
        ),
        hostile.sends(Topic::Event, rewritten(&hostile, "locker.rated", &kind)),
        hostile.sends(Topic::Event, rewritten(&hostile, "\"time\"", &subject)),
        hostile.sends(
            Topic::Event,
            rewritten(&hostile, "\"time\"", "\"subject\":\"a\\u0000\",\"time\""),
        ),
    ];
    for message in hostile_messages {
        let own = honest.sends(Topic::Event, honest.events(1, 4, vec![]));
        let checked = hub.check(vec![message, own]).await.unwrap();
        hub.judge(checked).await.unwrap();
    }
    let found = hub.database.verify().await.unwrap();
    assert_eq!((found.events, found.is_intact()), (4, true));
    assert_eq!(alarms(&hub).await, [("PORT-7".into(), "malformed".into(), 5)]);
}

/// Whatever else the database may not take: here a version that was made impossible.
async fn only_the_message_is_refused_that_the_database_does_not_take(place: &Place) {
    let (mut hostile, mut honest) = (TestCabinet::new("PORT-7"), TestCabinet::new("PORT-8"));
    let hub = enrolled(place, [&hostile, &honest]).await;
    hostile.rate(2);
    honest.rate(4);
    let mut tx = hub.database.writing().await.unwrap();
    match &mut tx {
        Either::Sqlite(tx) => {
            let text = "CREATE TRIGGER impossible BEFORE UPDATE ON cabinets WHEN NEW.version = 'test' AND NEW.id = 'PORT-7' \
                        BEGIN SELECT RAISE(ABORT, 'impossible'); END";
            sqlx::query(text).execute(&mut **tx).await.unwrap();
        }
        Either::Postgres(tx) => {
            let text = "ALTER TABLE cabinets ADD CHECK (version <> 'test' OR id <> 'PORT-7')";
            sqlx::query(text).execute(&mut **tx).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let messages = vec![
        hostile.sends(Topic::Event, hostile.events(1, 1, vec![])),
        {
            let status = hostile.status(Presence::Online);
            hostile.sends(Topic::Status, status)
        },
        hostile.sends(Topic::Event, hostile.events(2, 2, vec![])),
        {
            let status = honest.status(Presence::Online);
            honest.sends(Topic::Status, status)
        },
        honest.sends(Topic::Event, honest.events(1, 4, vec![])),
    ];
    let checked = hub.check(messages).await.unwrap();
    let mut out = hub.judge(checked).await.unwrap();
    out.retain(|message| message.cabinet == honest.id && message.topic == Topic::Position);
    assert_eq!(
        position(&hub, &out[1..]).unwrap().seq,
        Seq(4),
        "the honest one is answered"
    );
    assert_eq!(hub.database.verify().await.unwrap().events, 6);
    assert_eq!(alarms(&hub).await, [("PORT-7".into(), "malformed".into(), 1)]);
}

async fn a_cabinet_is_revoked_without_a_hub_that_runs(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    settings(place, 1, 1883, "");
    let path = place.path().join("office-1.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text.replace("\"data\"", "\".\"")).unwrap();
    drop(hub_with(place, &cabinet).await);
    let revoke = |id: &str| {
        let mut command = office(place, 1, &["revoke", "--cabinet", id]);
        command.output().unwrap().status.code()
    };
    assert_eq!(revoke("PORT-8"), Some(65));
    assert_eq!(revoke("PORT-7"), Some(0));
    cabinet.rate(1);
    let hub = hub(place, &[]).await;
    let message = cabinet.sends(Topic::Event, cabinet.events(1, 1, vec![]));
    hub.take(message).await.unwrap();
    assert_eq!(hub.database.verify().await.unwrap().events, 0);
}

/// What the broker's owner has kept comes when the hub has forgotten that start, or never heard of it.
async fn a_replayed_status_of_a_start_that_is_over_shows_no_life(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    cabinet.rate(3);
    let status = cabinet.status(Presence::Online);
    let replayed = cabinet.sends(Topic::Status, status);
    cabinet.start = Start(0xdef);
    cabinet.rate(2);
    let events = cabinet.events(1, 5, vec![]);
    hub.take(cabinet.sends(Topic::Event, events)).await.unwrap();
    assert!(hub.take(replayed).await.unwrap().is_empty());
    let listed = async || hub.database.cabinets(None).await.unwrap().remove(0).presence;
    assert_eq!(listed().await, "unknown");
    let status = cabinet.status(Presence::Online);
    let out = hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    assert_eq!(position(&hub, &out).unwrap().seq, Seq(5));
    assert_eq!(listed().await, "online");
}

on_both_databases! {
    a_replayed_status_of_a_start_that_is_over_shows_no_life,
    texts_that_no_database_takes_are_malformed_and_stop_nobody,
    only_the_message_is_refused_that_the_database_does_not_take,
    a_cabinet_is_revoked_without_a_hub_that_runs,
}
