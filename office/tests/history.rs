//! A cabinet's history as a file: every event as it came, across a fork, sealed parts beside them, and the end signed.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office::history::{History, HistoryError};
use office::hub::Hub;
use office_protocol::{
    Branch, Digest, Event, EventBody, HistoryHead, HistoryLine, Presence, SealedPart, Seq, Topic,
};
use support::{Place, TestCabinet, hub_with};

/// The file, whole.
async fn written(hub: &Hub, cabinet: &TestCabinet, branch: Option<u32>) -> (HistoryHead, Vec<HistoryLine>) {
    let mut history = History::begin(&hub.database, &hub.keys, &cabinet.id, branch, false)
        .await
        .unwrap();
    let mut text = String::new();
    while let Some(lines) = history.next(&hub.database).await.unwrap() {
        text.push_str(&lines);
    }
    let (first, rest) = text.split_once('\n').unwrap();
    let bundle = hub
        .keys
        .bundle(
            &cabinet.id,
            &office_protocol::enrolment::Identity {
                key: cabinet.key.verifying_key(),
            },
            1,
        )
        .unwrap();
    let head = HistoryHead::verify(first, &bundle.root, &cabinet.id).unwrap();
    assert_eq!(head.end.identity, *cabinet.key.id());
    (
        head,
        rest.lines()
            .map(|line| HistoryLine::parse(line).unwrap())
            .collect(),
    )
}

async fn the_newest_history_is_written_across_a_fork_and_the_other_on_demand(place: &Place) {
    let (mut old, mut new) = (TestCabinet::new("PORT-7"), TestCabinet::new("PORT-7"));
    old.rate(700);
    new.journal = old.journal[..5].to_vec();
    new.write(EventBody::PowerChanged { mains: false });
    let hub = hub_with(place, &old).await;
    for first in (1..=700).step_by(64) {
        let message = old.events(first, (first + 63).min(700), vec![]);
        hub.take(old.sends(Topic::Event, message)).await.unwrap();
    }
    hub.take(new.sends(Topic::Event, new.events(6, 6, vec![])))
        .await
        .unwrap();
    for (branch, cabinet) in [(None, &new), (Some(0), &old)] {
        let (head, lines) = written(&hub, &old, branch).await;
        let events: Vec<Vec<u8>> = lines.into_iter().map(|line| line.event).collect();
        assert_eq!(events, cabinet.journal);
        let last = events.last().unwrap();
        let end = (head.end.branch, head.end.seq, head.end.hash);
        let wanted = Branch(u32::from(branch.is_none()));
        assert_eq!(end, (wanted, Seq(events.len() as u64), Digest::of(last)));
    }
    let missing = History::begin(&hub.database, &hub.keys, &old.id, Some(7), false).await;
    assert!(matches!(missing, Err(HistoryError::NoBranch(7))));
    let stranger = History::begin(&hub.database, &hub.keys, &"NOWHERE".parse().unwrap(), None, false).await;
    assert!(matches!(stranger, Err(HistoryError::Unknown)));
}

async fn what_the_cabinet_has_lost_is_signed_with_the_end(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(20);
    let hub = hub_with(place, &cabinet).await;
    hub.take(cabinet.sends(Topic::Event, cabinet.events(1, 5, vec![])))
        .await
        .unwrap();
    hub.take(cabinet.sends(Topic::Event, cabinet.events_behind(5, 9, 20)))
        .await
        .unwrap();
    let (head, lines) = written(&hub, &cabinet, None).await;
    assert_eq!(head.end.lost, [(Seq(6), Seq(8))]);
    let events: Vec<Vec<u8>> = lines.into_iter().map(|line| line.event).collect();
    assert_eq!(events, [&cabinet.journal[..5], &cabinet.journal[8..]].concat());
}

async fn sealed_parts_stay_sealed_and_a_cabinet_that_is_online_is_not_written(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let part = SealedPart {
        bytes: b"sealed to the office".to_vec(),
    };
    cabinet.write(EventBody::CodeReissued {
        consignment: "PERMIT-1".parse().unwrap(),
        generation: 2,
        code: serde_json::from_value(serde_json::json!({
            "token": "hmac-sha256-128:AQIDBAUGBwgJCgsMDQ4PEA",
            "digits": "hmac-sha256-128:AQIDBAUGBwgJCgsMDQ4PEA",
            "spare": "hmac-sha256-128:AQIDBAUGBwgJCgsMDQ4PEA",
        }))
        .unwrap(),
        sealed: part.digest(),
    });
    cabinet.rate(1);
    let hub = hub_with(place, &cabinet).await;
    let message = cabinet.events(1, 2, vec![part.clone()]);
    hub.take(cabinet.sends(Topic::Event, message)).await.unwrap();
    let (_, lines) = written(&hub, &cabinet, None).await;
    assert!(matches!(
        Event::parse(&lines[0].event).unwrap().body,
        EventBody::CodeReissued { .. }
    ));
    assert_eq!(lines[0].sealed, [part.bytes]);
    assert!(lines[1].sealed.is_empty());

    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let online = History::begin(&hub.database, &hub.keys, &cabinet.id, None, false).await;
    assert!(matches!(online, Err(HistoryError::Online)));
    assert!(
        History::begin(&hub.database, &hub.keys, &cabinet.id, None, true)
            .await
            .is_ok()
    );
}

on_both_databases!(
    the_newest_history_is_written_across_a_fork_and_the_other_on_demand,
    sealed_parts_stay_sealed_and_a_cabinet_that_is_online_is_not_written,
    what_the_cabinet_has_lost_is_signed_with_the_end,
);
