//! What does not come by itself: silence, cabinets whose keys are taken back, personal data that is erased; and batches of messages.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office::database::personal::Whose;
use office::hub::{Hub, Patience};
use office_protocol::state::CabinetState;
use office_protocol::{
    Branch, CompartmentId, Digest, EventBody, Personal, Presence, Purpose, SealedPart, Seq, Signed, Start,
    Timestamp, Topic,
};
use support::{Place, TestCabinet, hub_with, position, snapshot};

const PATIENCE: Patience = Patience {
    silent_minutes: 30,
    personal_days: 30,
};
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

fn in_minutes(minutes: i64) -> Timestamp {
    office::clock::now().plus_millis(minutes * MINUTE_MS)
}

async fn standing(hub: &Hub) -> Vec<String> {
    let alarms = hub.database.alarms(false, 10).await.unwrap();
    alarms.into_iter().map(|alarm| alarm.alarm).collect()
}

async fn silence_is_an_alarm_until_something_new_comes(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    hub.upkeep(PATIENCE, in_minutes(100)).await.unwrap();
    assert!(standing(&hub).await.is_empty(), "it was never there");
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status.clone()))
        .await
        .unwrap();
    hub.upkeep(PATIENCE, in_minutes(29)).await.unwrap();
    assert!(standing(&hub).await.is_empty());
    hub.upkeep(PATIENCE, in_minutes(31)).await.unwrap();
    hub.upkeep(PATIENCE, in_minutes(32)).await.unwrap();
    assert_eq!(standing(&hub).await, ["silent"]);
    let listed = hub.database.cabinets(None).await.unwrap();
    assert!(listed[0].silent_since.is_some() && listed[0].silent_since == listed[0].last_seen);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    assert_eq!(
        standing(&hub).await,
        ["silent"],
        "a status that was known is no sign of life"
    );
    let will = cabinet.status(Presence::Offline);
    hub.take(cabinet.sends(Topic::Status, will)).await.unwrap();
    assert_eq!(standing(&hub).await, ["silent"], "the broker sends a last will");
    cabinet.rate(1);
    let message = cabinet.events(1, 1, vec![]);
    hub.take(cabinet.sends(Topic::Event, message)).await.unwrap();
    assert!(standing(&hub).await.is_empty());
    assert_eq!(hub.database.cabinets(None).await.unwrap()[0].silent_since, None);
}

async fn a_certificate_that_ends_soon_is_an_alarm_until_there_is_another(place: &Place) {
    let cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (now, days) = (office::clock::now(), |days: i64| in_minutes(days * 24 * 60));
    hub.upkeep(PATIENCE, now).await.unwrap();
    assert!(standing(&hub).await.is_empty(), "it was never given one");
    let database = &hub.database;
    database.certified(&cabinet.id, days(397), now).await.unwrap();
    hub.upkeep(PATIENCE, days(366)).await.unwrap();
    assert!(standing(&hub).await.is_empty());
    hub.upkeep(PATIENCE, days(368)).await.unwrap();
    hub.upkeep(PATIENCE, days(369)).await.unwrap();
    assert_eq!(standing(&hub).await, ["certificate-ends"]);
    assert_eq!(database.alarms(false, 9).await.unwrap()[0].times, 1, "said once");
    database.certified(&cabinet.id, days(766), now).await.unwrap();
    assert!(standing(&hub).await.is_empty());
    hub.upkeep(PATIENCE, days(400)).await.unwrap();
    assert!(standing(&hub).await.is_empty());
    assert!(database.revoke_cabinet(&cabinet.id, now).await.unwrap());
    hub.upkeep(PATIENCE, days(800)).await.unwrap();
    assert!(standing(&hub).await.is_empty(), "it must not come back");
}

async fn a_revoked_cabinet_is_not_heard_until_it_is_enrolled_anew(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(4);
    let hub = hub_with(place, &cabinet).await;
    let now = office::clock::now();
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let other = "PORT-8".parse().unwrap();
    assert!(!hub.database.revoke_cabinet(&other, now).await.unwrap());
    assert!(hub.database.revoke_cabinet(&cabinet.id, now).await.unwrap());
    let message = cabinet.sends(Topic::Event, cabinet.events(1, 4, vec![]));
    assert!(hub.take(message.clone()).await.unwrap().is_empty());
    assert_eq!(hub.database.verify().await.unwrap().events, 0);
    assert_eq!(standing(&hub).await, ["revoked-cabinet"]);
    hub.upkeep(PATIENCE, in_minutes(100)).await.unwrap();
    assert_eq!(standing(&hub).await, ["revoked-cabinet"], "nobody waits for it");
    let command = office_protocol::Action::RestartWhenIdle;
    let operator = "li".parse().unwrap();
    let given = hub
        .database
        .give_command(&cabinet.id, &operator, command, now, 1_000)
        .await
        .unwrap();
    assert_eq!(given, None);

    let key = office_protocol::SigningKey::from_secret(&[9; 32]);
    hub.database
        .enrol(&cabinet.id, &key.verifying_key(), now)
        .await
        .unwrap();
    hub.take(message).await.unwrap();
    let listed = hub.database.cabinets(None).await.unwrap();
    assert_eq!(
        (listed[0].revoked, listed[0].complete_to),
        (None, 0),
        "its old key does not count"
    );
    cabinet.key = key;
    let message = cabinet.sends(Topic::Event, cabinet.events(1, 4, vec![]));
    hub.take(message).await.unwrap();
    assert_eq!(hub.database.verify().await.unwrap().events, 4);
}

fn sealed(hub: &Hub, cabinet: &TestCabinet, seed: u8) -> SealedPart {
    let personal = Personal {
        phone: Some("13800000000".into()),
        code: None,
    };
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([seed; 32]);
    SealedPart::seal(&personal, hub.keys.opening.sealing_key(), &cabinet.id, &mut rng).unwrap()
}

/// Two consignments of two persons, and a drop-off of an application, each with a sealed part.
async fn three_parts(hub: &Hub, cabinet: &mut TestCabinet) -> (Vec<Digest>, Signed) {
    let parts: Vec<SealedPart> = (1..=3).map(|seed| sealed(hub, cabinet, seed)).collect();
    let digests: Vec<Digest> = parts.iter().map(SealedPart::digest).collect();
    for (index, person) in ["P-1", "P-2"].into_iter().enumerate() {
        cabinet.write(EventBody::Placed {
            consignment: format!("PERMIT-{index}").parse().unwrap(),
            compartment: CompartmentId(4),
            application: None,
            person: Some(person.parse().unwrap()),
            expected: true,
            staff: "wang".parse().unwrap(),
            generation: 1,
            code: None,
            sealed: Some(digests[index]),
            hold_days: 7,
        });
    }
    cabinet.write(EventBody::DroppedOff {
        consignment: "PORT-7.3".parse().unwrap(),
        compartment: CompartmentId(5),
        application: Some("A-1".parse().unwrap()),
        item: None,
        envelope: None,
        unverified: false,
        sealed: Some(digests[2]),
    });
    let message = cabinet.events(1, 3, parts);
    hub.take(cabinet.sends(Topic::Event, message.clone()))
        .await
        .unwrap();
    (digests, message)
}

async fn kept(hub: &Hub, cabinet: &TestCabinet, digests: &[Digest]) -> Vec<bool> {
    let mut kept = Vec::new();
    for digest in digests {
        let part = hub.database.sealed_part(&cabinet.id, *digest).await.unwrap();
        kept.push(part.is_some());
    }
    kept
}

async fn what_is_erased_on_request_stays_erased_and_every_chain_verifies(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (digests, message) = three_parts(&hub, &mut cabinet).await;
    assert_eq!(kept(&hub, &cabinet, &digests).await, [true, true, true]);
    let now = office::clock::now();
    let person = Whose::Person("P-1".parse().unwrap());
    assert_eq!(hub.database.erase(&person, now).await.unwrap(), 1);
    assert_eq!(hub.database.erase(&person, now).await.unwrap(), 0);
    hub.take(cabinet.sends(Topic::Event, message)).await.unwrap();
    assert_eq!(kept(&hub, &cabinet, &digests).await, [false, true, true]);
    let application = Whose::Application("A-1".parse().unwrap());
    assert_eq!(hub.database.erase(&application, now).await.unwrap(), 1);
    let consignment = Whose::Consignment("PERMIT-1".parse().unwrap());
    assert_eq!(hub.database.erase(&consignment, now).await.unwrap(), 1);
    assert_eq!(kept(&hub, &cabinet, &digests).await, [false, false, false]);
    let found = hub.database.verify().await.unwrap();
    assert!(found.is_intact());
    assert_eq!(found.events, 3);
}

async fn what_nobody_needs_any_more_is_erased_by_schedule(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (digests, _) = three_parts(&hub, &mut cabinet).await;
    cabinet.write(EventBody::Collected {
        consignment: "PERMIT-0".parse().unwrap(),
        compartment: CompartmentId(4),
    });
    let message = cabinet.sends(Topic::Event, cabinet.events(4, 4, vec![]));
    hub.take(message).await.unwrap();
    let in_days = |days: i64| office::clock::now().plus_millis(days * DAY_MS);
    hub.upkeep(PATIENCE, in_days(29)).await.unwrap();
    assert_eq!(kept(&hub, &cabinet, &digests).await, [true, true, true]);
    hub.upkeep(PATIENCE, in_days(31)).await.unwrap();
    assert_eq!(
        kept(&hub, &cabinet, &digests).await,
        [false, true, true],
        "what is still inside is still needed"
    );
    assert!(hub.database.verify().await.unwrap().is_intact());
}

async fn what_only_a_history_tells_of_that_the_cabinet_has_left_is_erased_too(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (digests, _) = three_parts(&hub, &mut cabinet).await;
    let mut restored = TestCabinet::new("PORT-7");
    restored.journal = cabinet.journal[..1].to_vec();
    restored.write(EventBody::Collected {
        consignment: "PERMIT-0".parse().unwrap(),
        compartment: CompartmentId(4),
    });
    let message = restored.sends(Topic::Event, restored.events(2, 2, vec![]));
    hub.take(message).await.unwrap();
    let filter = office::database::consignments::Filter {
        id: Some("PERMIT-0".into()),
        limit: 9,
        ..Default::default()
    };
    let told = hub.database.consignments(&filter).await.unwrap();
    let mut told: Vec<_> = told.iter().map(|row| (row.branch, row.state.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, "placed"), (1, "collected")]);
    let in_days = |days: i64| office::clock::now().plus_millis(days * DAY_MS);
    hub.upkeep(PATIENCE, in_days(29)).await.unwrap();
    assert_eq!(kept(&hub, &cabinet, &digests).await, [true, true, true]);
    hub.upkeep(PATIENCE, in_days(31)).await.unwrap();
    assert_eq!(kept(&hub, &cabinet, &digests).await, [false, false, false]);
}

async fn many_messages_are_one_transaction_and_one_position_for_each_cabinet(place: &Place) {
    let mut cabinets: Vec<TestCabinet> = (0..5).map(|n| TestCabinet::new(&format!("PORT-{n}"))).collect();
    let hub = hub_with(place, &cabinets[0]).await;
    let mut messages = Vec::new();
    for cabinet in &mut cabinets[..4] {
        let key = cabinet.key.verifying_key();
        hub.database
            .enrol(&cabinet.id, &key, office::clock::now())
            .await
            .unwrap();
        cabinet.rate(64);
        let status = cabinet.status(Presence::Online);
        messages.push(cabinet.sends(Topic::Status, status));
    }
    cabinets[4].rate(64);
    for from in (1..=64).step_by(16) {
        let send =
            |cabinet: &TestCabinet| cabinet.sends(Topic::Event, cabinet.events(from, from + 15, vec![]));
        messages.extend(cabinets.iter().map(send));
    }
    let mut forged = cabinets[1].events(1, 1, vec![]);
    forged.bytes[20] ^= 1;
    messages.extend([(); 3].map(|()| cabinets[1].sends(Topic::Event, forged.clone())));
    let checked = hub.check(messages).await.unwrap();
    let out = hub.judge(checked).await.unwrap();
    for cabinet in &cabinets[..4] {
        let mine: Vec<_> = out
            .iter()
            .filter(|message| message.cabinet == cabinet.id && message.topic == Topic::Position)
            .cloned()
            .collect();
        assert_eq!(mine.len(), 2, "the answer, and the last position");
        assert_eq!(position(&hub, &mine).unwrap().answers, Some(1));
        let last = position(&hub, &mine[1..]).unwrap();
        assert_eq!((last.seq, last.branch), (Seq(64), Branch(0)));
    }
    let found = hub.database.verify().await.unwrap();
    assert!(found.is_intact());
    assert_eq!((found.events, found.branches), (256, 4));
    let alarms = hub.database.alarms(false, 10).await.unwrap();
    let mut alarms: Vec<_> = alarms
        .iter()
        .map(|row| (row.cabinet.as_str(), row.alarm.as_str(), row.times))
        .collect();
    alarms.sort_unstable();
    assert_eq!(alarms, [("-", "unknown-cabinet", 1), ("PORT-1", "forgery", 3)]);
}

async fn an_old_snapshot_does_not_replace_a_newer_one(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let state = |start: u64, seq: u64| snapshot(Start(start), seq);
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let first = cabinet.start.0;
    let shown = async |given: CabinetState| {
        let signed = cabinet.sign(Purpose::State, &given);
        hub.take(cabinet.sends(Topic::State, signed)).await.unwrap();
        let listed = hub.database.cabinets(None).await.unwrap();
        let state: CabinetState = serde_json::from_str(listed[0].state.as_deref().unwrap()).unwrap();
        (state.start.0, state.seq.0)
    };
    assert_eq!(shown(state(first, 5)).await, (first, 5));
    assert_eq!(shown(state(first, 4)).await, (first, 5));
    let unheard = shown(state(first + 1, 1)).await;
    assert_eq!(
        unheard,
        (first, 5),
        "of a start that nobody has heard of, and older"
    );
    assert_eq!(
        shown(state(first + 1, 6)).await,
        (first + 1, 6),
        "its status may come yet"
    );
    let mut later = TestCabinet::new("PORT-7");
    later.start = Start(first + 1);
    let status = later.status(Presence::Online);
    hub.take(later.sends(Topic::Status, status)).await.unwrap();
    assert_eq!(shown(state(first, 9)).await, (first + 1, 6), "that start is over");
    later.rate(3);
    let message = later.sends(Topic::Event, later.events(1, 3, vec![]));
    hub.take(message).await.unwrap();
    let forgotten = shown(state(first + 7, 2)).await;
    assert_eq!(
        forgotten,
        (first + 1, 6),
        "a replay: what is stored goes on after it"
    );
    assert_eq!(shown(state(first + 1, 7)).await, (first + 1, 7));
}

on_both_databases! {
    silence_is_an_alarm_until_something_new_comes,
    a_certificate_that_ends_soon_is_an_alarm_until_there_is_another,
    a_revoked_cabinet_is_not_heard_until_it_is_enrolled_anew,
    what_is_erased_on_request_stays_erased_and_every_chain_verifies,
    what_nobody_needs_any_more_is_erased_by_schedule,
    what_only_a_history_tells_of_that_the_cabinet_has_left_is_erased_too,
    many_messages_are_one_transaction_and_one_position_for_each_cabinet,
    an_old_snapshot_does_not_replace_a_newer_one,
}
