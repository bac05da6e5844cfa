//! A cabinet's signing key is renewed: both count until the new one has signed something that is stored, and then only that.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office::database::events::Filter;
use office::hub::Hub;
use office_protocol::{Presence, Seq, SigningKey, Topic};
use support::{Place, TestCabinet, hub_with, position};

fn next_key() -> SigningKey {
    SigningKey::from_secret(&[8; 32])
}

async fn stored(hub: &Hub) -> u64 {
    hub.database.cabinets(None).await.unwrap()[0]
        .complete_to
        .unsigned_abs()
}

async fn forgeries(hub: &Hub) -> i64 {
    hub.database.cabinets(None).await.unwrap()[0].forged
}

/// Sends these events; gives the position that the hub answered with, if it did.
async fn send(hub: &Hub, cabinet: &TestCabinet, from: usize, to: usize) -> Option<Seq> {
    let signed = cabinet.events(from, to, vec![]);
    let outgoing = hub.take(cabinet.sends(Topic::Event, signed)).await.unwrap();
    position(hub, &outgoing).map(|position| position.seq)
}

/// As the link does: asks, and asks again if the first question came while the hub still had the keys of before.
async fn is_answered(hub: &Hub, cabinet: &mut TestCabinet) -> bool {
    for _ in 0..2 {
        let status = cabinet.status(Presence::Online);
        let outgoing = hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
        if position(hub, &outgoing).is_some() {
            return true;
        }
    }
    false
}

async fn the_old_key_counts_until_the_new_one_has_worked_and_never_after(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    cabinet.rate(30);
    assert!(is_answered(&hub, &mut cabinet).await);
    assert_eq!(send(&hub, &cabinet, 1, 10).await, Some(Seq(10)));

    let old = std::mem::replace(&mut cabinet.key, next_key());
    assert!(
        !is_answered(&hub, &mut cabinet).await,
        "nobody has told the office"
    );
    let before = forgeries(&hub).await;
    assert_eq!(before, 2);

    let key = next_key().verifying_key();
    assert!(hub.database.renew(&cabinet.id, &key).await.unwrap());
    cabinet.key = old;
    assert!(is_answered(&hub, &mut cabinet).await, "the old one still counts");
    assert_eq!(send(&hub, &cabinet, 11, 15).await, Some(Seq(15)));

    let old = std::mem::replace(&mut cabinet.key, next_key());
    assert!(is_answered(&hub, &mut cabinet).await, "and so does the new one");
    assert_eq!(send(&hub, &cabinet, 16, 20).await, Some(Seq(20)));
    assert_eq!(forgeries(&hub).await, before);

    cabinet.key = old;
    assert!(
        !is_answered(&hub, &mut cabinet).await,
        "which is the only one now"
    );
    assert_eq!(send(&hub, &cabinet, 21, 25).await, None);
    assert_eq!(stored(&hub).await, 20);
    assert!(forgeries(&hub).await > before);
    let alarms = hub.database.alarms(true, 100).await.unwrap();
    assert!(alarms.iter().any(|alarm| alarm.alarm == "forgery"), "{alarms:?}");

    cabinet.key = next_key();
    assert!(is_answered(&hub, &mut cabinet).await);
    assert_eq!(send(&hub, &cabinet, 21, 30).await, Some(Seq(30)));
    let found = hub.database.verify().await.unwrap();
    assert!(found.is_intact() && found.intact == 30, "{found:?}");
    let all = Filter {
        limit: 100,
        ..Filter::default()
    };
    assert_eq!(hub.database.events(&all).await.unwrap().len(), 30);
}

async fn a_hub_that_is_killed_in_the_middle_goes_on_with_both_keys(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    cabinet.rate(9);
    let key = next_key().verifying_key();
    assert!(hub.database.renew(&cabinet.id, &key).await.unwrap());
    drop(hub);
    let hub = support::hub(place, &["approval"]).await;
    assert!(is_answered(&hub, &mut cabinet).await);
    assert_eq!(send(&hub, &cabinet, 1, 3).await, Some(Seq(3)));
    cabinet.key = next_key();
    assert_eq!(send(&hub, &cabinet, 4, 6).await, Some(Seq(6)));
    drop(hub);
    let hub = support::hub(place, &["approval"]).await;
    assert_eq!(send(&hub, &cabinet, 7, 9).await, Some(Seq(9)));
    assert_eq!(forgeries(&hub).await, 0);
}

async fn revoked_cabinets_and_strangers_renew_nothing(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let key = next_key().verifying_key();
    let stranger = "PORT-8".parse().unwrap();
    assert!(!hub.database.renew(&stranger, &key).await.unwrap());
    assert!(hub.database.renew(&cabinet.id, &key).await.unwrap());
    let now = office::clock::now();
    assert!(hub.database.revoke_cabinet(&cabinet.id, now).await.unwrap());
    assert!(!hub.database.renew(&cabinet.id, &key).await.unwrap());
    cabinet.rate(3);
    cabinet.key = next_key();
    assert!(!is_answered(&hub, &mut cabinet).await, "both keys are gone");

    let again = SigningKey::from_secret(&[9; 32]);
    hub.database
        .enrol(&cabinet.id, &again.verifying_key(), now)
        .await
        .unwrap();
    assert!(!is_answered(&hub, &mut cabinet).await);
    cabinet.key = again;
    assert!(is_answered(&hub, &mut cabinet).await);
}

on_both_databases! {
    the_old_key_counts_until_the_new_one_has_worked_and_never_after,
    a_hub_that_is_killed_in_the_middle_goes_on_with_both_keys,
    revoked_cabinets_and_strangers_renew_nothing,
}
