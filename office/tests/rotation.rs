//! Replacing a key with the program, step by step: nobody is left behind unless it is said.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office_protocol::document::{DocumentName, Reported, Revocations};
use office_protocol::{Digest, Presence, Purpose, Topic};
use support::programs::{office, settings};
use support::{Place, TestCabinet, hub, hub_with, position};

/// Runs `office rotate` and says whether it did what was asked.
fn rotate(place: &Place, arguments: &[&str]) -> bool {
    let mut all = vec!["rotate"];
    all.extend(arguments);
    office(place, 1, &all).output().unwrap().status.success()
}

/// A hub starts, publishes what is lacking, and the cabinet says that it has all of it.
async fn hub_starts_and_the_cabinet_follows(place: &Place, cabinet: &TestCabinet) {
    let hub = hub(place, &[]).await;
    for message in hub.catch_up().await.unwrap() {
        let Topic::Desired(name) = message.topic else {
            panic!("only documents");
        };
        let document: serde_json::Value = serde_json::from_slice(&message.signed.bytes).unwrap();
        let reported = Reported {
            version: document["version"].as_u64().unwrap(),
            digest: Digest::of(&message.signed.bytes),
            refused: None,
        };
        let signed = cabinet.sign(Purpose::Reported, &reported);
        hub.take(cabinet.sends(Topic::Reported(name), signed))
            .await
            .unwrap();
    }
}

/// Settings with which the program works on the same keys and database as the test.
fn same_place(place: &Place) {
    settings(place, 1, 1883, "");
    let path = place.path().join("office-1.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text.replace("\"data\"", "\".\"")).unwrap();
}

async fn a_hub_that_was_not_restarted_signs_no_documents_with_old_keys(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    same_place(place);
    let old = hub_with(place, &cabinet).await;
    old.documents(&cabinet.id, &DocumentName::ALL).await.unwrap();
    assert!(rotate(place, &["prepare", "documents"]));
    let new = hub(place, &[]).await;
    assert!(!new.catch_up().await.unwrap().is_empty());
    let status = cabinet.status(Presence::Online);
    let key_set = async || {
        let documents = new.documents(&cabinet.id, &[DocumentName::Keys]).await.unwrap();
        documents[0].signed.bytes.clone()
    };
    let before = key_set().await;
    let refused = old.documents(&cabinet.id, &[DocumentName::Policy]).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("restart"), "{refused}");
    let out = old.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    assert!(position(&old, &out).is_some(), "all else goes on");
    assert!(out.iter().all(|message| !message.retained));
    let after = key_set().await;
    assert_eq!(before, after, "nobody overtakes anybody");
}

async fn the_documents_key_is_replaced_while_cabinets_follow(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    same_place(place);
    let first = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    first.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let key = |keys: &office::keys::Keys| keys.documents.id().clone();
    let old = key(&first.keys);

    assert!(!rotate(place, &["use", "documents"]), "none is prepared");
    assert!(rotate(place, &["prepare", "documents"]));
    assert!(
        !rotate(place, &["use", "documents"]),
        "the cabinet does not know it"
    );
    hub_starts_and_the_cabinet_follows(place, &cabinet).await;
    assert!(rotate(place, &["use", "documents"]));
    assert!(
        !rotate(place, &["retire", "documents"]),
        "the cabinet's documents are of the old key"
    );
    hub_starts_and_the_cabinet_follows(place, &cabinet).await;
    assert!(rotate(place, &["retire", "documents"]));

    let last = hub(place, &[]).await;
    assert_ne!(key(&last.keys), old);
    let documents = last
        .documents(&cabinet.id, &[DocumentName::Policy])
        .await
        .unwrap();
    assert_eq!(documents[0].signed.signature.key, key(&last.keys));
    let revocations = last.documents(&cabinet.id, &[DocumentName::Revocations]).await;
    let revocations = revocations.unwrap().remove(0).signed.bytes;
    let revocations: Revocations = serde_json::from_slice(&revocations).unwrap();
    assert_eq!(revocations.keys, std::slice::from_ref(&old));
    let set = last.keys.key_set(1);
    assert!(set.find(&old, Purpose::Document).is_none());
}

on_both_databases! {
    a_hub_that_was_not_restarted_signs_no_documents_with_old_keys,
    the_documents_key_is_replaced_while_cabinets_follow,
}
