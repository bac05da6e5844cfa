//! A hub whose database was restored from a backup: the cabinets have what it has forgotten, and nothing is given out for a second time.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::collections::BTreeMap;

use office::hub::{Hub, Outgoing};
use office_protocol::document::{DocumentName, DocumentRefusal, Policy, Reported};
use office_protocol::{Action, Command, Digest, EventBody, Presence, Purpose, Refusal, Seq, Topic};
use support::{Place, TestCabinet, hub, hub_with, position};

const DAY_MS: u64 = 86_400_000;

async fn commanded(hub: &Hub, cabinet: &TestCabinet) -> Command {
    let operator = "li".parse().unwrap();
    let now = office::clock::now();
    let given = hub
        .database
        .give_command(&cabinet.id, &operator, Action::RestartWhenIdle, now, 1_000)
        .await;
    given.unwrap().unwrap()
}

fn policy(outgoing: &[Outgoing]) -> Policy {
    let mut all = outgoing.iter();
    let found = all.find(|message| message.topic == Topic::Desired(DocumentName::Policy));
    serde_json::from_slice(&found.expect("a policy is sent").signed.bytes).unwrap()
}

/// What receivers know the deliveries by that are due, for each event.
async fn deliveries(hub: &Hub) -> BTreeMap<i64, String> {
    let now = office::clock::now();
    let due = hub.database.due_deliveries("approval", now).await.unwrap();
    due.iter()
        .map(|delivery| (delivery.seq, delivery.name()))
        .collect()
}

async fn nothing_is_given_out_twice(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let first = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    first.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    cabinet.drop_off(1);
    let events = cabinet.events(1, 6, vec![]);
    first.take(cabinet.sends(Topic::Event, events)).await.unwrap();
    first.database.close().await;
    place.back_up();

    let lost = hub(place, &["approval"]).await;
    let command = commanded(&lost, &cabinet).await;
    cabinet.write(EventBody::CommandAccepted {
        number: command.number,
        action: Action::RestartWhenIdle,
    });
    (2..5).for_each(|number| cabinet.drop_off(number));
    let rules = Policy {
        hold_days: 3,
        ..Policy::default()
    };
    lost.database.set_policy(&cabinet.id, &rules).await.unwrap();
    let lost_policy = policy(
        &lost
            .documents(&cabinet.id, &[DocumentName::Policy])
            .await
            .unwrap(),
    );
    let events = cabinet.events(7, 25, vec![]);
    lost.take(cabinet.sends(Topic::Event, events)).await.unwrap();
    let told = deliveries(&lost).await;
    lost.database.close().await;
    place.restore();

    let restored = hub(place, &["approval"]).await;
    assert_eq!(deliveries(&restored).await.len(), 1, "the rest is forgotten");
    let again = commanded(&restored, &cabinet).await;
    assert!(
        again.number > command.number,
        "before anything of the cabinet came"
    );
    let status = cabinet.status(Presence::Online);
    let out = restored.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let missing = position(&restored, &out).unwrap().seq.next();
    assert!(missing <= Seq(7), "the position moves back");
    assert!(
        policy(&out).version < lost_policy.version,
        "what the cabinet refuses"
    );
    let refuses = |version: u64| {
        let reported = Reported {
            version,
            digest: Digest::ZERO,
            refused: Some(DocumentRefusal::Older),
        };
        let signed = cabinet.sign(Purpose::Reported, &reported);
        cabinet.sends(Topic::Reported(DocumentName::Policy), signed)
    };
    let out = restored.take(refuses(lost_policy.version)).await.unwrap();
    let newer = policy(&out);
    assert!(newer.version > lost_policy.version);
    assert_eq!(
        newer.hold_days,
        Policy::default().hold_days,
        "the office's word counts"
    );
    assert!(restored.take(refuses(newer.version)).await.unwrap().is_empty());

    let events = cabinet.events(usize::try_from(missing.0).unwrap(), 25, vec![]);
    restored.take(cabinet.sends(Topic::Event, events)).await.unwrap();
    assert_eq!(
        deliveries(&restored).await,
        told,
        "the same hand-overs by the same names"
    );
    let names: std::collections::BTreeSet<&String> = told.values().collect();
    assert_eq!(names.len(), 4);
}

/// Even if a hub's clock was ahead when it gave them.
async fn what_the_cabinet_has_had_is_never_reached_again(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let ahead = commanded(&hub, &cabinet).await.number + DAY_MS;
    cabinet.write(EventBody::CommandRefused {
        number: ahead,
        refusal: Refusal::Expired,
    });
    cabinet.write(EventBody::DocumentApplied {
        document: DocumentName::Policy,
        version: ahead,
        digest: Digest::ZERO,
    });
    cabinet.write(EventBody::DocumentApplied {
        document: DocumentName::Staff,
        version: u64::MAX,
        digest: Digest::ZERO,
    });
    let events = cabinet.events(1, 3, vec![]);
    let out = hub.take(cabinet.sends(Topic::Event, events)).await.unwrap();
    assert!(policy(&out).version > ahead);
    assert_eq!(commanded(&hub, &cabinet).await.number, ahead + 1);
}

on_both_databases! {
    nothing_is_given_out_twice,
    what_the_cabinet_has_had_is_never_reached_again,
}
