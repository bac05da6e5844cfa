//! What the hub keeps, on a real database: once, in order, whole after reopening, and nothing that was forged.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use office::database::directory::IssuedPass;
use office::database::{Either, consignments, events};
use office::issuing;
use office_protocol::document::{DocumentName, Expected, ExpectedConsignment};
use office_protocol::event::{Alarm, Complaint, Size};
use office_protocol::state::CabinetState;
use office_protocol::{
    Action, Branch, CommandOutcome, CompartmentId, Digest, EventBody, Pass, PassKind, Presence, Purpose,
    Reply, Scope, Seq, Start, Timestamp, Topic,
};
use support::{Place, TestCabinet, hub, hub_with, position, snapshot};

async fn a_status_is_answered_and_events_are_confirmed_after_they_are_stored(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    let out = hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let answer = position(&hub, &out).unwrap();
    assert_eq!(
        (answer.seq, answer.hash, answer.answers),
        (Seq::ZERO, Digest::ZERO, Some(1))
    );
    let documents = out.iter().filter(|message| message.retained).count();
    assert_eq!(documents, DocumentName::ALL.len());
    cabinet.rate(64);
    let out = hub
        .take(cabinet.sends(Topic::Event, cabinet.events(1, 64, vec![])))
        .await
        .unwrap();
    let confirmed = position(&hub, &out).unwrap();
    assert_eq!(
        (confirmed.seq, confirmed.hash),
        (Seq(64), Digest::of(&cabinet.journal[63]))
    );
    assert_eq!(confirmed.start, cabinet.start);
}

async fn what_was_confirmed_is_there_after_reopening_and_repeats_add_nothing(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(30);
    let first = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    first.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    first
        .take(cabinet.sends(Topic::Event, cabinet.events(1, 20, vec![])))
        .await
        .unwrap();
    // Nothing is closed in good order: the next process finds the file and its log as they are.
    let second = hub(place, &[]).await;
    second
        .take(cabinet.sends(Topic::Event, cabinet.events(11, 30, vec![])))
        .await
        .unwrap();
    let found = second.database.verify().await.unwrap();
    assert!(found.is_intact());
    assert_eq!((found.events, found.branches), (30, 1));
    let filter = events::Filter {
        ascending: true,
        limit: 100,
        ..Default::default()
    };
    let stored = second.database.events(&filter).await.unwrap();
    let bytes: Vec<&[u8]> = stored
        .iter()
        .map(|listed| listed.event.get().as_bytes())
        .collect();
    assert_eq!(bytes, cabinet.journal, "byte for byte what the cabinet wrote");
}

async fn a_fork_keeps_both_histories_and_is_an_alarm(place: &Place) {
    let (mut old, mut new) = (TestCabinet::new("PORT-7"), TestCabinet::new("PORT-7"));
    old.rate(5);
    new.journal = old.journal.clone();
    old.rate(3);
    new.write(EventBody::PowerChanged { mains: false });
    let hub = hub_with(place, &old).await;
    let status = old.status(Presence::Online);
    hub.take(old.sends(Topic::Status, status)).await.unwrap();
    hub.take(old.sends(Topic::Event, old.events(1, 8, vec![])))
        .await
        .unwrap();
    let out = hub
        .take(new.sends(Topic::Event, new.events(6, 6, vec![])))
        .await
        .unwrap();
    assert_eq!(position(&hub, &out).unwrap().branch, Branch(1));
    let found = hub.database.verify().await.unwrap();
    assert!(found.is_intact());
    assert_eq!((found.events, found.branches), (9, 2));
    let alarms = hub.database.alarms(false, 10).await.unwrap();
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].alarm, "fork");
}

async fn a_consignment_is_in_a_second_history_as_it_was_when_that_parted_from_the_first(place: &Place) {
    let (consignment, compartment) = ("PORT-7.1".parse().unwrap(), CompartmentId(2));
    let mut old = TestCabinet::new("PORT-7");
    old.drop_off(1);
    old.write(EventBody::Disputed {
        consignment: Some(consignment),
        compartment,
        complaint: Complaint::Wrong,
    });
    let mut new = TestCabinet::new("PORT-7");
    new.journal = old.journal.clone();
    let cleared = |cabinet: &mut TestCabinet| {
        cabinet.write(EventBody::Cleared {
            consignment: "PORT-7.1".parse().unwrap(),
            compartment,
            staff: "wang".parse().unwrap(),
            envelope: None,
        })
    };
    cleared(&mut old);
    new.write(EventBody::HoldStarted {
        consignment: "PORT-7.1".parse().unwrap(),
        until: Timestamp::from_millis(7),
    });
    let mut third = TestCabinet::new("PORT-7");
    third.journal = new.journal.clone();
    new.rate(1);
    cleared(&mut third);
    let hub = hub_with(place, &old).await;
    for (cabinet, from, to) in [(&old, 1, 8), (&new, 8, 9), (&third, 9, 9)] {
        let message = cabinet.sends(Topic::Event, cabinet.events(from, to, vec![]));
        hub.take(message).await.unwrap();
    }
    let filter = consignments::Filter {
        limit: 9,
        ..Default::default()
    };
    let mut told = hub.database.consignments(&filter).await.unwrap();
    told.sort_by_key(|row| row.branch);
    let told: Vec<_> = told
        .iter()
        .map(|row| {
            (
                row.branch,
                row.state.as_str(),
                row.hold_until,
                row.left_at.is_some(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, "cleared", None, true),
            (1, "disputed", Some(7), false),
            (2, "cleared", Some(7), true)
        ]
    );
}

async fn what_the_cabinet_has_lost_is_named_and_what_came_later_is_kept_once(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(20);
    let hub = hub_with(place, &cabinet).await;
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    hub.take(cabinet.sends(Topic::Event, cabinet.events(1, 5, vec![])))
        .await
        .unwrap();
    for _ in 0..2 {
        hub.take(cabinet.sends(Topic::Event, cabinet.events_behind(5, 9, 12)))
            .await
            .unwrap();
    }
    let out = hub
        .take(cabinet.sends(Topic::Event, cabinet.events(13, 20, vec![])))
        .await
        .unwrap();
    assert_eq!(position(&hub, &out).unwrap().seq, Seq(20));
    let found = hub.database.verify().await.unwrap();
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.events, found.branches, found.lost), (17, 1, 3));
    let listed = hub.database.cabinets(None).await.unwrap();
    assert_eq!((listed[0].complete_to, listed[0].stored_to), (5, 20));
    assert_eq!((listed[0].lost_from, listed[0].lost_to), (Some(6), Some(8)));
    assert!(!listed[0].gap);
    let alarms = hub.database.alarms(false, 10).await.unwrap();
    let alarms: Vec<(&str, i64)> = alarms.iter().map(|row| (row.alarm.as_str(), row.times)).collect();
    assert_eq!(alarms, [("events-lost", 1)]);
}

async fn forged_altered_and_strange_messages_change_nothing_but_a_counter_and_an_alarm(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(3);
    let hub = hub_with(place, &cabinet).await;
    let mut altered = cabinet.events(1, 3, vec![]);
    let stars = altered
        .bytes
        .windows(9)
        .position(|text| text == b"\"stars\":1")
        .unwrap();
    altered.bytes[stars + 8] = b'5';
    for topic in [
        Topic::Event,
        Topic::Status,
        Topic::State,
        Topic::Reply,
        Topic::Reported(DocumentName::Staff),
    ] {
        let out = hub.take(cabinet.sends(topic, altered.clone())).await.unwrap();
        assert!(out.is_empty());
    }
    let stranger = TestCabinet::new("PORT-99");
    hub.take(stranger.sends(Topic::Event, altered)).await.unwrap();
    assert_eq!(hub.database.verify().await.unwrap().events, 0);
    let listed = hub.database.cabinets(None).await.unwrap();
    assert_eq!((listed.len(), listed[0].forged), (1, 5));
    let alarms = hub.database.alarms(false, 10).await.unwrap();
    let alarms: Vec<(&str, i64)> = alarms.iter().map(|row| (row.alarm.as_str(), row.times)).collect();
    assert_eq!(alarms, [("unknown-cabinet", 1), ("forgery", 5)]);
}

async fn verify_finds_what_was_changed_behind_the_hubs_back(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    cabinet.rate(9);
    let hub = hub_with(place, &cabinet).await;
    hub.take(cabinet.sends(Topic::Event, cabinet.events(1, 9, vec![])))
        .await
        .unwrap();
    let mut tx = hub.database.writing().await.unwrap();
    let changed = String::from_utf8(cabinet.journal[2].clone()).unwrap();
    let changed = changed.replace("\"stars\":2", "\"stars\":4").into_bytes();
    let text = "UPDATE events SET bytes = $1 WHERE seq = 3";
    match &mut tx {
        Either::Sqlite(tx) => drop(sqlx::query(text).bind(changed).execute(&mut **tx).await.unwrap()),
        Either::Postgres(tx) => drop(sqlx::query(text).bind(changed).execute(&mut **tx).await.unwrap()),
    }
    tx.commit().await.unwrap();
    let found = hub.database.verify().await.unwrap();
    assert!(!found.is_intact());
    assert_eq!(found.faults, ["PORT-7 0 3", "PORT-7 0 4"]);
}

async fn consignments_and_alarms_follow_the_events(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (consignment, compartment) = ("PORT-7.1".parse().unwrap(), CompartmentId(4));
    cabinet.write(EventBody::DroppedOff {
        consignment,
        compartment,
        application: Some("A-1".parse().unwrap()),
        item: None,
        envelope: None,
        unverified: false,
        sealed: None,
    });
    cabinet.write(EventBody::AlarmRaised {
        alarm: Alarm::DoorOpen,
        compartment: Some(compartment),
    });
    hub.take(cabinet.sends(Topic::Event, cabinet.events(1, 2, vec![])))
        .await
        .unwrap();
    let listed = hub
        .database
        .consignments(&consignments::Filter {
            limit: 9,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (listed[0].state.as_str(), listed[0].compartment),
        ("dropped-off", 4)
    );
    assert_eq!(hub.database.alarms(false, 9).await.unwrap().len(), 1);
    let consignment = "PORT-7.1".parse().unwrap();
    cabinet.write(EventBody::Cleared {
        consignment,
        compartment,
        staff: "wang".parse().unwrap(),
        envelope: None,
    });
    cabinet.write(EventBody::AlarmCleared {
        alarm: Alarm::DoorOpen,
        compartment: Some(compartment),
    });
    hub.take(cabinet.sends(Topic::Event, cabinet.events(3, 4, vec![])))
        .await
        .unwrap();
    let listed = hub
        .database
        .consignments(&consignments::Filter {
            limit: 9,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(listed[0].state, "cleared");
    assert!(hub.database.alarms(false, 9).await.unwrap().is_empty());
    let due = hub
        .database
        .due_deliveries("approval", office::clock::now())
        .await
        .unwrap();
    assert_eq!(due.len(), 1, "the clearing waits until the drop-off was told");
    hub.database
        .delivered(due[0].id, office::clock::now())
        .await
        .unwrap();
    let due = hub
        .database
        .due_deliveries("approval", office::clock::now())
        .await
        .unwrap();
    assert_eq!(due[0].kind, "cleared");
}

async fn what_many_cabinets_say_at_once_is_kept_of_each(place: &Place) {
    let mut cabinets: Vec<TestCabinet> = (0..4).map(|n| TestCabinet::new(&format!("PORT-{n}"))).collect();
    let hub = hub_with(place, &cabinets[0]).await;
    let now = office::clock::now();
    let pass = IssuedPass {
        id: "once".into(),
        kind: "drop-off".into(),
        subject: "A-1".into(),
        generation: 0,
        claims: "claims".into(),
        issued: now.as_millis(),
        expires: now.as_millis() + 60_000,
        revoked: None,
        used_at: None,
    };
    hub.database.issue(&pass).await.unwrap();
    let mut numbers = Vec::new();
    for cabinet in &mut cabinets {
        let key = cabinet.key.verifying_key();
        hub.database.enrol(&cabinet.id, &key, now).await.unwrap();
        let status = cabinet.status(Presence::Draining);
        hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
        let (action, operator) = (Action::RestartWhenIdle, "li".parse().unwrap());
        let given = hub
            .database
            .give_command(&cabinet.id, &operator, action, now, 1_000);
        numbers.push(given.await.unwrap().unwrap().number);
    }
    let mut messages = Vec::new();
    for (index, cabinet) in cabinets.iter_mut().enumerate() {
        let compartment = Some(CompartmentId(4));
        let alarm = Alarm::DoorOpen;
        cabinet.write(EventBody::AlarmRaised { alarm, compartment });
        cabinet.write(EventBody::AlarmCleared { alarm, compartment });
        cabinet.write(EventBody::AlarmRaised { alarm, compartment });
        cabinet.write(EventBody::PassUsed {
            pass: "once".parse().unwrap(),
            expires: now,
        });
        let status = cabinet.status(Presence::Online);
        messages.push(cabinet.sends(Topic::Status, status));
        let state = CabinetState {
            time: now,
            mains: Some(index % 2 == 0),
            ..snapshot(cabinet.start, 4)
        };
        for seq in [4, 3] {
            let state = CabinetState {
                seq: Seq(seq),
                mains: state.mains.map(|mains| mains == (seq == 4)),
                ..state.clone()
            };
            messages.push(cabinet.sends(Topic::State, cabinet.sign(Purpose::State, &state)));
        }
        let reply = Reply {
            number: numbers[index],
            seq: Seq(index as u64),
            outcome: CommandOutcome::Done,
        };
        messages.push(cabinet.sends(Topic::Reply, cabinet.sign(Purpose::Reply, &reply)));
        messages.push(cabinet.sends(Topic::Event, cabinet.events(1, 4, vec![])));
    }
    let checked = hub.check(messages).await.unwrap();
    hub.judge(checked).await.unwrap();
    for (index, listed) in hub.database.cabinets(None).await.unwrap().iter().enumerate() {
        assert_eq!(listed.presence, "online");
        let state: CabinetState = serde_json::from_str(listed.state.as_deref().unwrap()).unwrap();
        assert_eq!((state.seq, state.mains), (Seq(4), Some(index % 2 == 0)));
        let command = hub.database.command(&cabinets[index].id, numbers[index]).await;
        assert_eq!(command.unwrap().unwrap().reply.unwrap().seq, Seq(index as u64));
    }
    let all = hub.database.alarms(true, 100).await.unwrap();
    let count = |alarm: &str, standing: bool| {
        let mine = all
            .iter()
            .filter(|row| row.alarm == alarm && row.cleared.is_none() == standing);
        mine.count()
    };
    assert_eq!((count("door-open", true), count("door-open", false)), (4, 4));
    assert_eq!(count("pass-used-elsewhere", true), 3, "once is at one cabinet");
}

async fn an_old_snapshot_hides_no_newer_one_and_a_command_is_answered_once(place: &Place) {
    let mut cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let (over, first) = (cabinet.start, cabinet.status(Presence::Online));
    hub.take(cabinet.sends(Topic::Status, first.clone()))
        .await
        .unwrap();
    cabinet.start = Start(over.0 + 1);
    let status = cabinet.status(Presence::Online);
    hub.take(cabinet.sends(Topic::Status, status)).await.unwrap();
    let said = |start, seq| cabinet.sends(Topic::State, cabinet.sign(Purpose::State, &snapshot(start, seq)));
    let there = async || {
        let listed = hub.database.cabinets(None).await.unwrap();
        let state: CabinetState = serde_json::from_str(listed[0].state.as_deref().unwrap()).unwrap();
        (state.start, state.seq)
    };
    // In one batch, and one after the other.
    let batch = vec![said(cabinet.start, 4), said(over, 9), said(cabinet.start, 3)];
    hub.judge(hub.check(batch).await.unwrap()).await.unwrap();
    assert_eq!(there().await, (cabinet.start, Seq(4)));
    for old in [
        said(cabinet.start, 3),
        said(over, 9),
        cabinet.sends(Topic::Status, first),
        said(over, 9),
    ] {
        hub.take(old).await.unwrap();
        assert_eq!(there().await, (cabinet.start, Seq(4)));
    }
    hub.take(said(cabinet.start, 5)).await.unwrap();
    assert_eq!(there().await, (cabinet.start, Seq(5)));

    let (action, operator) = (Action::RestartWhenIdle, "li".parse().unwrap());
    let now = office::clock::now();
    let given = hub
        .database
        .give_command(&cabinet.id, &operator, action, now, 1_000);
    let number = given.await.unwrap().unwrap().number;
    for outcome in [CommandOutcome::Interrupted, CommandOutcome::Done] {
        let reply = Reply {
            number,
            seq: Seq(5),
            outcome,
        };
        let signed = cabinet.sign(Purpose::Reply, &reply);
        hub.take(cabinet.sends(Topic::Reply, signed)).await.unwrap();
        let command = hub.database.command(&cabinet.id, number).await.unwrap().unwrap();
        assert_eq!(command.reply.unwrap().outcome, CommandOutcome::Interrupted);
    }
}

async fn a_document_keeps_its_version_until_its_content_changes(place: &Place) {
    let cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let expected = async || {
        let documents = hub.documents(&cabinet.id, &DocumentName::ALL).await.unwrap();
        let message = documents
            .into_iter()
            .find(|message| message.topic == Topic::Desired(DocumentName::Expected));
        let signed = message.unwrap().signed;
        let keys = hub.keys.key_set(1);
        let bytes = keys.check(&signed, Purpose::Document, &cabinet.id).unwrap();
        serde_json::from_slice::<Expected>(bytes).unwrap()
    };
    let first = expected().await.version;
    assert_eq!(expected().await.version, first);
    let coming = ExpectedConsignment {
        consignment: "PERMIT-1".parse().unwrap(),
        application: "A-1".parse().unwrap(),
        person: "P-1".parse().unwrap(),
        size: Size::Medium,
    };
    hub.database
        .expect(&cabinet.id, &coming, office::clock::now())
        .await
        .unwrap();
    let second = expected().await;
    assert_eq!(second.consignments, [coming]);
    assert!(second.version > first);
    assert_eq!(expected().await.version, second.version);
}

async fn passes_are_kept_without_the_signature_and_signed_when_they_are_shown(place: &Place) {
    let cabinet = TestCabinet::new("PORT-7");
    let hub = hub_with(place, &cabinet).await;
    let kind = PassKind::Collection {
        consignment: "PERMIT-1".parse().unwrap(),
        generation: 2,
    };
    let pass = issuing::issue(kind, Scope::Anywhere, 30);
    let signed = issuing::signed(&hub.keys, &pass).unwrap();
    let genuine = |text: &str| Pass::verify(text, &hub.keys.key_set(1)).unwrap();
    assert_eq!(genuine(&signed).id.as_str(), pass.id);
    hub.database.issue(&pass).await.unwrap();
    // A hub of before kept the text of the QR code.
    let before = IssuedPass {
        id: "before".into(),
        claims: signed.clone(),
        ..pass.clone()
    };
    hub.database.issue(&before).await.unwrap();
    hub.catch_up().await.unwrap();
    for id in [pass.id.as_str(), "before"] {
        let kept = hub.database.pass(id).await.unwrap().unwrap();
        assert_eq!(kept.claims, pass.claims);
        assert!(!kept.claims.contains("LK1:") && Pass::verify(&kept.claims, &hub.keys.key_set(1)).is_err());
        assert_eq!(issuing::signed(&hub.keys, &kept).unwrap(), signed);
    }
}

on_both_databases! {
    a_status_is_answered_and_events_are_confirmed_after_they_are_stored,
    what_was_confirmed_is_there_after_reopening_and_repeats_add_nothing,
    a_fork_keeps_both_histories_and_is_an_alarm,
    a_consignment_is_in_a_second_history_as_it_was_when_that_parted_from_the_first,
    what_the_cabinet_has_lost_is_named_and_what_came_later_is_kept_once,
    forged_altered_and_strange_messages_change_nothing_but_a_counter_and_an_alarm,
    verify_finds_what_was_changed_behind_the_hubs_back,
    consignments_and_alarms_follow_the_events,
    what_many_cabinets_say_at_once_is_kept_of_each,
    an_old_snapshot_hides_no_newer_one_and_a_command_is_answered_once,
    a_document_keeps_its_version_until_its_content_changes,
    passes_are_kept_without_the_signature_and_signed_when_they_are_shown,
}
