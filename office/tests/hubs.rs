//! Several hubs on one PostgreSQL: each cabinet's events are stored once and in order, whoever of them takes which message, and whoever is killed.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use office::database::events;
use office::hub::Hub;
use office_protocol::document::{DocumentName, Policy};
use office_protocol::{CabinetId, EventBody, Presence, Topic};
use support::fleet::Fleet;
use support::programs::{LIMIT, free_port, settings, start_broker, start_office};
use support::{Place, TestCabinet, hub, hub_with, position};

async fn two_hubs(place: &Place, cabinet: &TestCabinet) -> [Arc<Hub>; 2] {
    let first = hub_with(place, cabinet).await;
    [Arc::new(first), Arc::new(hub(place, &["approval"]).await)]
}

/// Lets a hub act on its deadlines until none is near.
async fn settle(hub: &Hub) {
    while let Some(wait) = hub.next_deadline_ms().await.filter(|wait| *wait < 5_000) {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        hub.deadlines().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_cabinet_may_go_to_any_hub_in_any_order() {
    let place = &Place::postgres();
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(256);
    let hubs = two_hubs(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    hubs[0].take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let begun = Instant::now();
    // Once is enough, unless the machine is so slow that a hub gives up waiting: then, as a cabinet does, again.
    while stored(&hubs[0]).await < 256 {
        assert!(begun.elapsed() < LIMIT);
        let mut work = Vec::new();
        for (index, from) in (1..=256).step_by(8).enumerate() {
            // Every second pair is turned round, and the two hubs take turns.
            let from = match index % 4 {
                1 => from + 8,
                2 => from - 8,
                _ => from,
            };
            let message = cabinet.sends(Topic::Event, cabinet.events(from, from + 7, vec![]));
            let hub = hubs[index % 2].clone();
            work.push(tokio::spawn(async move { hub.take(message).await.unwrap() }));
        }
        for one in work {
            one.await.unwrap();
        }
        tokio::join!(settle(&hubs[0]), settle(&hubs[1]));
    }
    let found = hubs[0].database.verify().await.unwrap();
    assert!(found.is_intact());
    assert_eq!((found.events, found.branches), (256, 1));
    assert!(hubs[0].database.alarms(true, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_hub_knows_of_a_cabinet_all_know() {
    let place = &Place::postgres();
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(3);
    let hubs = two_hubs(place, &cabinet).await;
    let before = cabinet.status(Presence::Online);
    hubs[0]
        .take(cabinet.sends(Topic::Status, before.clone()))
        .await
        .unwrap();
    cabinet.start = office_protocol::Start(0xdef);
    let now = cabinet.status(Presence::Online);
    hubs[1].take(cabinet.sends(Topic::Status, now)).await.unwrap();
    let out = hubs[1]
        .take(cabinet.sends(Topic::Status, before.clone()))
        .await
        .unwrap();
    assert!(
        out.is_empty(),
        "the second hub never saw the first start, and yet knows that it is over"
    );
    let message = cabinet.events(1, 3, vec![]);
    let out = hubs[0].take(cabinet.sends(Topic::Event, message)).await.unwrap();
    let position = position(&hubs[0], &out).unwrap();
    assert_eq!(
        position.start, cabinet.start,
        "the first hub never saw the second start"
    );

    // What the broker had kept tells a hub that comes later, and is not answered again.
    let mut kept = cabinet.sends(Topic::Status, before);
    kept.kept = true;
    assert!(hubs[0].take(kept).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_cabinet_is_revoked_at_every_hub() {
    let place = &Place::postgres();
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(4);
    let hubs = two_hubs(place, &cabinet).await;
    let first = cabinet.sends(Topic::Event, cabinet.events(1, 2, vec![]));
    hubs[1].take(first).await.unwrap();
    hubs[0]
        .database
        .revoke_cabinet(&cabinet.id, office::clock::now())
        .await
        .unwrap();
    let second = cabinet.sends(Topic::Event, cabinet.events(3, 4, vec![]));
    hubs[1].take(second).await.unwrap();
    assert_eq!(hubs[0].database.verify().await.unwrap().events, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_is_on_disk_however_the_server_is_set() {
    let place = &Place::postgres();
    let off = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit TO off', current_database()); END $$";
    place.psql(off, None);
    let hub = hub(place, &[]).await;
    let office::database::Either::Postgres(pool) = hub.database.read() else {
        panic!("a server");
    };
    let set: String = sqlx::query_scalar("SHOW synchronous_commit")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(set, "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_pages_on_misses_nothing_that_is_being_written() {
    let place = &Place::postgres();
    let cabinet = TestCabinet::new("PORT-0");
    let hubs = two_hubs(place, &cabinet).await;
    let mut writers = Vec::new();
    for number in 0..6 {
        let mut cabinet = TestCabinet::new(&format!("PORT-{number}"));
        let hub = hubs[number % 2].clone();
        hub.database
            .enrol(&cabinet.id, &cabinet.key.verifying_key(), office::clock::now())
            .await
            .unwrap();
        cabinet.rate(200);
        writers.push(tokio::spawn(async move {
            for from in (1..=200).step_by(10) {
                let message = cabinet.events(from, from + 9, vec![]);
                hub.take(cabinet.sends(Topic::Event, message)).await.unwrap();
            }
        }));
    }
    let mut seen = BTreeSet::new();
    let mut filter = events::Filter {
        ascending: true,
        limit: 50,
        ..Default::default()
    };
    while seen.len() < 1_200 {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = hubs[0].database.events(&filter).await.unwrap();
        assert!(!done || !page.is_empty(), "{} of 1200 were seen", seen.len());
        filter.after = page.last().map_or(filter.after, |event| Some(event.arrival));
        seen.extend(page.into_iter().map(|event| event.digest));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hub_delivers_and_one_composes_at_a_time() {
    let place = &Place::postgres();
    let mut cabinet = TestCabinet::new("PORT-7");
    let hubs = two_hubs(place, &cabinet).await;
    cabinet.write(EventBody::Collected {
        consignment: "PERMIT-1".parse().unwrap(),
        compartment: office_protocol::CompartmentId(4),
    });
    let message = cabinet.sends(Topic::Event, cabinet.events(1, 1, vec![]));
    hubs[0].take(message).await.unwrap();
    let now = office::clock::now();
    let (first, second) = (&hubs[0].database, &hubs[1].database);
    let due = first.due_deliveries("approval", now).await.unwrap();
    assert_eq!(due, second.due_deliveries("approval", now).await.unwrap());
    let later = now.plus_millis(60_000);
    assert!(first.claim(&due[0], later).await.unwrap());
    assert!(!second.claim(&due[0], later).await.unwrap());
    assert!(second.due_deliveries("approval", now).await.unwrap().is_empty());
    let again = second.due_deliveries("approval", later).await.unwrap();
    assert!(
        second.claim(&again[0], later.plus_millis(60_000)).await.unwrap(),
        "the first was killed"
    );

    let mut work = Vec::new();
    for number in 0..20 {
        let (hub, id) = (hubs[number % 2].clone(), cabinet.id.clone());
        work.push(tokio::spawn(async move {
            let policy = Policy {
                help_phone: Some(number.to_string()),
                ..Policy::default()
            };
            hub.database.set_policy(&id, &policy).await.unwrap();
            hub.documents(&id, &[DocumentName::Policy])
                .await
                .unwrap()
                .remove(0)
                .signed
                .bytes
        }));
    }
    let mut newest = Policy::default();
    for one in work {
        let policy: Policy = serde_json::from_slice(&one.await.unwrap()).unwrap();
        newest = if policy.version > newest.version {
            policy
        } else {
            newest
        };
    }
    let stored = office::database::directory::policy(first.read(), &cabinet.id)
        .await
        .unwrap();
    assert_eq!(
        newest.help_phone, stored.help_phone,
        "the highest version says what was set last"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_on_a_shared_subscription_may_be_killed_at_any_time() {
    let place = &Place::postgres();
    let (broker_port, ports) = (free_port(), [free_port(), free_port(), free_port()]);
    let mut cabinets = Vec::new();
    let enrolling = hub(place, &[]).await;
    std::fs::create_dir(place.path().join("data")).unwrap();
    std::fs::rename(place.path().join("keys"), place.path().join("data/keys")).unwrap();
    for number in 0..8 {
        let mut cabinet = TestCabinet::new(&format!("PORT-{number}"));
        (0..100).for_each(|visit| cabinet.drop_off(visit));
        let key = cabinet.key.verifying_key();
        enrolling
            .database
            .enrol(&cabinet.id, &key, office::clock::now())
            .await
            .unwrap();
        cabinets.push(cabinet);
    }
    let _broker = start_broker(place, broker_port, "").await;
    for port in ports {
        settings(place, port, broker_port, "share = \"office\"\n");
    }
    let mut hubs = Vec::new();
    for port in ports {
        hubs.push(start_office(place, port).await);
    }
    let mut fleet = Fleet::connect(cabinets, broker_port, 4, 8).await;
    let sending = tokio::spawn(async move { fleet.send_all(LIMIT).await });
    for port in ports {
        let stored = stored(&enrolling).await;
        support::programs::until("more is stored", async || {
            (self::stored(&enrolling).await > stored || sending.is_finished()).then_some(())
        })
        .await;
        drop(hubs.remove(0)); // kill -9
        hubs.push(start_office(place, port).await);
    }
    sending.await.unwrap();
    let found = enrolling.database.verify().await.unwrap();
    assert!(found.is_intact(), "{:?}", found.faults);
    assert_eq!((found.events, found.branches), (4_800, 8));
    let id: CabinetId = "PORT-3".parse().unwrap();
    let filter = office::database::consignments::Filter {
        cabinet: Some(id.to_string()),
        limit: 200,
        ..Default::default()
    };
    assert_eq!(enrolling.database.consignments(&filter).await.unwrap().len(), 100);
    let alarms = enrolling.database.alarms(true, 10).await.unwrap();
    assert!(alarms.is_empty(), "{alarms:?}");
}

async fn stored(hub: &Hub) -> u64 {
    let counts = hub.database.event_counts(None).await.unwrap();
    counts.iter().map(|(_, count)| count).sum()
}
