//! The broker's faults: each knob does what it says, and the same seed does the same again.

use std::time::Duration;

use proptest::prelude::*;
use rehearsal::broker::*;

use crate::core::{Bench, deliveries};

const ALWAYS: PerMille = PerMille(1000);

fn bench(faults: Faults) -> Bench {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    bench.connect(2, "subscriber");
    bench.subscribe(2, "#");
    set(&mut bench, Misdeed::Set(faults));
    bench
}

fn set(bench: &mut Bench, misdeed: Misdeed) -> Vec<Output> {
    bench.broker.handle(bench.now, Input::Misdeed(misdeed))
}

fn late() -> Faults {
    Faults {
        lateness: Duration::from_secs(5),
        ..Faults::default()
    }
}

#[test]
fn a_dropped_message_was_acknowledged_all_the_same() {
    let mut bench = bench(Faults {
        drop: ALWAYS,
        ..Faults::default()
    });
    let outputs = bench.publish(1, Message::new("t", "x"));
    let answers: Vec<_> = outputs.into_iter().map(|output| output.answer).collect();
    assert_eq!(answers, [Answer::Published(PacketId(9), Published::Taken)]);
}

#[test]
fn a_repeated_message_comes_twice_and_a_reordered_one_later() {
    let mut bench = bench(Faults {
        repeat: ALWAYS,
        ..late()
    });
    assert_eq!(
        deliveries(&bench.publish(1, Message::new("t", "twice"))),
        ["2 t=twice"]
    );
    set(
        &mut bench,
        Misdeed::Set(Faults {
            reorder: ALWAYS,
            ..late()
        }),
    );
    assert!(deliveries(&bench.publish(1, Message::new("t", "overtaken"))).is_empty());
    set(&mut bench, Misdeed::Set(Faults::default()));
    assert_eq!(
        deliveries(&bench.publish(1, Message::new("t", "first"))),
        ["2 t=first"]
    );
    let mut after = deliveries(&bench.elapse(Duration::from_secs(5)));
    after.sort();
    assert_eq!(after, ["2 t=overtaken", "2 t=twice"]);
}

#[test]
fn a_delay_keeps_the_order() {
    let mut bench = bench(Faults {
        delay: ALWAYS,
        ..late()
    });
    assert!(deliveries(&bench.publish(1, Message::new("t", "one"))).is_empty());
    set(&mut bench, Misdeed::Set(Faults::default()));
    assert!(deliveries(&bench.publish(1, Message::new("t", "two"))).is_empty());
    assert_eq!(
        deliveries(&bench.elapse(Duration::from_secs(5))),
        ["2 t=one", "2 t=two"]
    );
}

#[test]
fn an_altered_message_differs_in_one_place() {
    let mut bench = bench(Faults {
        alter: ALWAYS,
        ..Faults::default()
    });
    let sent = Message {
        user: vec![("signature".into(), "AAAA".into())],
        ..Message::new("t", "payload")
    };
    for _ in 0..20 {
        let outputs = bench.publish(1, sent.clone());
        let Answer::Deliver { message, packet, .. } = &outputs[0].answer else {
            panic!("{outputs:?}")
        };
        let differs = [message.payload != sent.payload, message.user != sent.user];
        assert_eq!(differs.iter().filter(|differs| **differs).count(), 1);
        bench.ask(2, Request::Acknowledge(*packet));
    }
}

#[test]
fn a_cut_leaves_the_publisher_without_an_answer() {
    let mut delivered = 0;
    let mut bench = bench(Faults {
        cut: ALWAYS,
        ..Faults::default()
    });
    for connection in 10..50 {
        bench.connect(connection, "publisher");
        let outputs = bench.publish(connection, Message::new("t", "x"));
        assert!(
            !outputs
                .iter()
                .any(|output| matches!(output.answer, Answer::Published(..)))
        );
        assert!(
            outputs
                .iter()
                .any(|output| output.answer == Answer::Close(Ending::Silent))
        );
        delivered += deliveries(&outputs).len();
    }
    assert!(
        (1..40).contains(&delivered),
        "some went on and some did not: {delivered}"
    );
}

#[test]
fn forged_messages_arrive_and_old_documents_come_back() {
    let mut bench = bench(Faults::default());
    assert_eq!(
        deliveries(&set(&mut bench, Misdeed::Forge(Message::new("t", "forged")))),
        ["2 t=forged"]
    );
    for version in ["v1", "v2", "v3"] {
        bench.publish(1, Message::new("c/desired/policy", version).retained());
    }
    set(&mut bench, Misdeed::RollBack("+/desired/#".into()));
    bench.connect(3, "cabinet");
    assert_eq!(
        deliveries(&bench.subscribe(3, "c/desired/+")),
        ["3r c/desired/policy=v2"]
    );
}

#[test]
fn each_kind_of_memory_is_forgotten_by_itself() {
    let mut bench = bench(Faults::default());
    let lasting = Connect {
        clean_start: false,
        session_expiry: None,
        ..Connect::clean("hub")
    };
    bench.ask(3, Request::Connect(lasting.clone()));
    bench.subscribe(3, "event");
    bench.ask(3, Request::Lose);
    bench.publish(1, Message::new("event", "lost").retained());
    set(&mut bench, Misdeed::Forget(Memory::Queued));
    let outputs = bench.ask(4, Request::Connect(lasting.clone()));
    assert!(matches!(
        outputs[0].answer,
        Answer::Accept {
            session_present: true,
            ..
        }
    ));
    assert_eq!(deliveries(&outputs), Vec::<String>::new());
    set(&mut bench, Misdeed::Forget(Memory::Retained));
    assert!(deliveries(&bench.subscribe(4, "event")).is_empty());
    let outputs = set(&mut bench, Misdeed::Forget(Memory::Sessions));
    assert_eq!(outputs.len(), 3, "every connection ends and nothing else is said");
    assert!(bench.broker.view().clients.is_empty());
    let outputs = bench.ask(5, Request::Connect(lasting));
    assert!(matches!(
        outputs[0].answer,
        Answer::Accept {
            session_present: false,
            ..
        }
    ));
}

#[test]
fn a_crash_publishes_no_will_and_a_refusing_broker_lets_nobody_in() {
    let mut bench = bench(Faults::default());
    let will = Some(Message::new("status", "offline"));
    bench.ask(
        3,
        Request::Connect(Connect {
            will,
            ..Connect::clean("c")
        }),
    );
    let outputs = set(&mut bench, Misdeed::Crash);
    assert!(
        outputs
            .iter()
            .all(|output| output.answer == Answer::Close(Ending::Silent))
    );
    assert_eq!(bench.broker.view().counters.published, 0);
    set(
        &mut bench,
        Misdeed::Set(Faults {
            refuse: true,
            ..Faults::default()
        }),
    );
    assert_eq!(
        bench.connect(4, "c")[0].answer,
        Answer::Refuse(Refusal::Unavailable)
    );
}

/// Any request that a client could make, on one of three connections.
fn request() -> impl Strategy<Value = (u64, Request)> {
    let topic = prop_oneof![
        Just("a"),
        Just("a/b"),
        Just("b"),
        Just("+"),
        Just("$share/g/a"),
        Just("a/#")
    ];
    let client = prop_oneof![Just("x"), Just("y"), Just("")];
    let request = prop_oneof![
        (client, any::<bool>(), 0_u64..9, 0_u64..9, 1_u16..4).prop_map(
            |(client, clean_start, keep_alive, expiry, receive_maximum)| Request::Connect(Connect {
                clean_start,
                keep_alive: Duration::from_secs(keep_alive),
                session_expiry: Some(Duration::from_secs(expiry)),
                receive_maximum,
                will: Some(Message::new("a/b", "will")),
                ..Connect::clean(client)
            })
        ),
        topic
            .clone()
            .prop_map(|filter| Request::Subscribe(PacketId(1), vec![Subscription::new(filter)])),
        (topic.clone(), any::<bool>(), any::<bool>()).prop_map(|(topic, retain, empty)| {
            let message = Message::new(topic, if empty { "" } else { "payload" });
            Request::Publish(PacketId(2), Message { retain, ..message })
        }),
        (0_u16..9).prop_map(|packet| Request::Acknowledge(PacketId(packet))),
        topic.prop_map(|filter| Request::Unsubscribe(PacketId(3), vec![filter.to_owned()])),
        any::<bool>().prop_map(|with_will| Request::Leave { with_will }),
        Just(Request::Lose),
        Just(Request::Ping),
    ];
    (1_u64..4, request)
}

proptest! {
    #[test]
    fn the_same_seed_does_the_same_and_every_bound_holds(
        requests in proptest::collection::vec((request(), 0_u64..3000), 1..200), seed: u64,
    ) {
        let some = PerMille(150);
        let faults = Faults {
            drop: some, repeat: some, reorder: some, delay: some, alter: some, cut: PerMille(50), ..late()
        };
        let limits = Limits { queue_max: 5, late_max: 4, window_max: 3, ..Limits::default() };
        let run = || {
            let mut broker = Broker::new(limits.clone(), seed);
            let mut now = Duration::ZERO;
            let mut trace = broker.handle(now, Input::Misdeed(Misdeed::Set(faults.clone())));
            for ((connection, request), wait) in requests.clone() {
                now += Duration::from_millis(wait);
                trace.extend(broker.handle(now, Input::Request(ConnectionId(connection), request)));
                let view = broker.view();
                assert!(view.late <= 4);
                assert!(view.clients.values().all(|client| client.queued <= 5 + 3 && client.in_flight <= 3));
                assert!(broker.next_deadline().is_none_or(|due| due > now));
            }
            (trace, broker.view())
        };
        prop_assert_eq!(run(), run());
    }
}
