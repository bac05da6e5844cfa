//! The broker's core: sessions, subscriptions, retained messages, wills, windows and bounds.

use std::time::Duration;

use rehearsal::broker::*;

/// A broker with a clock that the test moves.
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) now: Duration,
}

impl Bench {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            broker: Broker::new(limits, 1),
            now: Duration::ZERO,
        }
    }

    pub(crate) fn ask(&mut self, connection: u64, request: Request) -> Vec<Output> {
        self.broker
            .handle(self.now, Input::Request(ConnectionId(connection), request))
    }

    pub(crate) fn connect(&mut self, connection: u64, client: &str) -> Vec<Output> {
        self.ask(connection, Request::Connect(Connect::clean(client)))
    }

    pub(crate) fn subscribe(&mut self, connection: u64, filter: &str) -> Vec<Output> {
        self.ask(
            connection,
            Request::Subscribe(PacketId(1), vec![Subscription::new(filter)]),
        )
    }

    pub(crate) fn publish(&mut self, connection: u64, message: Message) -> Vec<Output> {
        self.ask(connection, Request::Publish(PacketId(9), message))
    }

    /// Publishes and answers what came of it.
    fn outcome(&mut self, connection: u64, message: Message) -> Published {
        let outputs = self.publish(connection, message);
        let of = |output: &Output| {
            let Answer::Published(PacketId(9), outcome) = output.answer else {
                return None;
            };
            Some(outcome)
        };
        outputs.iter().find_map(of).unwrap()
    }

    pub(crate) fn elapse(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        let mut outputs = Vec::new();
        while let Some(due) = self.broker.next_deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            outputs.extend(self.broker.handle(self.now, Input::Elapsed));
        }
        self.now = end;
        outputs
    }
}

/// What was delivered, as `connection topic=payload`, with `r` for retained and `!` for again.
pub(crate) fn deliveries(outputs: &[Output]) -> Vec<String> {
    let one = |output: &Output| {
        let Answer::Deliver { again, message, .. } = &output.answer else {
            return None;
        };
        let retained = if message.retain { "r" } else { "" };
        let again = if *again { "!" } else { "" };
        let payload = String::from_utf8_lossy(&message.payload);
        Some(format!(
            "{}{retained}{again} {}={payload}",
            output.connection.0, message.topic
        ))
    };
    outputs.iter().filter_map(one).collect()
}

fn closes(outputs: &[Output]) -> Vec<(u64, Ending)> {
    let one = |output: &Output| {
        let Answer::Close(ending) = output.answer else {
            return None;
        };
        Some((output.connection.0, ending))
    };
    outputs.iter().filter_map(one).collect()
}

fn present(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| {
        matches!(
            output.answer,
            Answer::Accept {
                session_present: true,
                ..
            }
        )
    })
}

fn lasting(client: &str, seconds: u64) -> Connect {
    let session_expiry = Some(Duration::from_secs(seconds));
    Connect {
        clean_start: false,
        session_expiry,
        ..Connect::clean(client)
    }
}

#[test]
fn filters_take_the_topics_that_the_standard_says() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    let cases = [
        ("a/b", "a/b", true),
        ("a/+", "a/b", true),
        ("a/+", "a", false),
        ("a/+", "a/b/c", false),
        ("+/+", "/b", true),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("#", "a/b", true),
        ("#", "$control/x", false),
        ("+/x", "$control/x", false),
        ("$control/#", "$control/x", true),
        ("a/b", "a/B", false),
    ];
    for (number, (filter, topic, wanted)) in cases.into_iter().enumerate() {
        let connection = 100 + number as u64;
        bench.connect(connection, "subscriber");
        bench.subscribe(connection, filter);
        let outputs = bench.publish(1, Message::new(topic, "x").retained());
        assert_eq!(!deliveries(&outputs).is_empty(), wanted, "{filter} and {topic}");
        let kept = bench.subscribe(connection, filter);
        let found = deliveries(&kept)
            .iter()
            .any(|line| line.contains(&format!(" {topic}=")));
        assert_eq!(found, wanted, "retained: {filter} and {topic}");
    }
}

#[test]
fn filters_that_are_not_valid_are_refused_one_by_one() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "a");
    let deep = "x/".repeat(40);
    let filters = [
        "a#",
        "a/#/b",
        "a+/b",
        "",
        "$share/g",
        "$share//a",
        "$share/+/a",
        &deep,
        "fine/+",
    ];
    let all = filters.iter().map(|filter| Subscription::new(*filter)).collect();
    let outputs = bench.ask(1, Request::Subscribe(PacketId(5), all));
    let mut granted = vec![None; 8];
    granted.push(Some(Quality::AtLeastOnce));
    assert_eq!(outputs[0].answer, Answer::Subscribed(PacketId(5), granted));
}

#[test]
fn everything_about_a_message_reaches_the_subscriber_untouched() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "a");
    bench.connect(2, "b");
    bench.subscribe(2, "#");
    let message = Message {
        user: vec![
            ("signature".into(), "=a".into()),
            ("key".into(), "1".into()),
            ("key".into(), "2".into()),
        ],
        response_topic: Some("answers".into()),
        correlation: Some("question 7".into()),
        content_type: Some("application/json".into()),
        payload_format: Some(1),
        expires_in: Some(Duration::from_secs(30)),
        ..Message::new("t", "payload")
    };
    let outputs = bench.publish(1, message.clone());
    assert_eq!(
        outputs[0].answer,
        Answer::Deliver {
            packet: PacketId(1),
            again: false,
            message
        }
    );
    assert_eq!(
        outputs[1].answer,
        Answer::Published(PacketId(9), Published::Taken)
    );
}

#[test]
fn a_publisher_learns_when_nobody_subscribes() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "a");
    assert_eq!(bench.outcome(1, Message::new("t", "x")), Published::NoSubscribers);
    bench.connect(2, "b");
    bench.subscribe(2, "t");
    assert_eq!(bench.outcome(1, Message::new("t", "x")), Published::Taken);
    bench.ask(2, Request::Unsubscribe(PacketId(3), vec!["t".into()]));
    assert_eq!(bench.outcome(1, Message::new("t", "x")), Published::NoSubscribers);
}

#[test]
fn a_retained_message_is_set_replaced_and_cleared() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "a");
    bench.publish(1, Message::new("c/status", "one").retained());
    bench.publish(1, Message::new("c/status", "two").retained());
    bench.connect(2, "b");
    assert_eq!(deliveries(&bench.subscribe(2, "+/status")), ["2r c/status=two"]);
    bench.ask(2, Request::Acknowledge(PacketId(1)));
    assert_eq!(
        deliveries(&bench.publish(1, Message::new("c/status", "three").retained())),
        ["2 c/status=three"]
    );
    bench.publish(1, Message::new("c/status", "").retained());
    assert_eq!(deliveries(&bench.subscribe(2, "+/status")), Vec::<String>::new());
}

#[test]
fn a_will_goes_out_unless_the_client_leaves_in_order() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "watcher");
    bench.subscribe(1, "status");
    let will = Some(Message::new("status", "offline").retained());
    let connect = |client| {
        Request::Connect(Connect {
            will: will.clone(),
            ..Connect::clean(client)
        })
    };
    bench.ask(2, connect("c"));
    assert_eq!(deliveries(&bench.ask(2, Request::Lose)), ["1 status=offline"]);
    bench.ask(3, connect("c"));
    assert_eq!(
        deliveries(&bench.ask(3, Request::Leave { with_will: false })),
        Vec::<String>::new()
    );
    bench.ask(4, connect("c"));
    assert_eq!(
        deliveries(&bench.ask(4, Request::Leave { with_will: true })),
        ["1 status=offline"]
    );
    bench.ask(5, connect("c"));
    let outputs = bench.ask(6, connect("c"));
    assert_eq!(closes(&outputs), [(5, Ending::TakenOver)]);
    assert_eq!(deliveries(&outputs), ["1 status=offline"]);
    assert_eq!(deliveries(&bench.subscribe(1, "status")), ["1r status=offline"]);
}

#[test]
fn a_silent_client_is_ended_after_one_and_a_half_keep_alives() {
    let mut bench = Bench::new(Limits::default());
    let keep_alive = Duration::from_secs(10);
    bench.ask(
        1,
        Request::Connect(Connect {
            keep_alive,
            ..Connect::clean("c")
        }),
    );
    assert!(bench.elapse(Duration::from_secs(14)).is_empty());
    assert_eq!(bench.ask(1, Request::Ping)[0].answer, Answer::Pong);
    assert!(bench.elapse(Duration::from_secs(14)).is_empty());
    assert_eq!(
        closes(&bench.elapse(Duration::from_secs(1))),
        [(1, Ending::KeepAliveTimeout)]
    );
    assert_eq!(bench.broker.next_deadline(), None);
}

#[test]
fn a_session_outlives_its_connection_for_its_expiry_and_not_longer() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    assert!(!present(&bench.ask(2, Request::Connect(lasting("c", 60)))));
    bench.subscribe(2, "t");
    bench.ask(2, Request::Lose);
    bench.elapse(Duration::from_secs(59));
    bench.publish(1, Message::new("t", "kept"));
    bench.publish(
        1,
        Message {
            quality: Quality::AtMostOnce,
            ..Message::new("t", "not kept")
        },
    );
    let outputs = bench.ask(3, Request::Connect(lasting("c", 60)));
    assert!(present(&outputs));
    assert_eq!(deliveries(&outputs), ["3 t=kept"]);
    bench.ask(3, Request::Lose);
    bench.elapse(Duration::from_secs(60));
    assert!(!present(&bench.ask(4, Request::Connect(lasting("c", 60)))));
    bench.ask(4, Request::Lose);
    assert!(!present(&bench.connect(5, "c")), "a clean start forgets");
    bench.ask(5, Request::Lose);
    assert!(
        !present(&bench.ask(6, Request::Connect(lasting("c", 60)))),
        "expiry zero ends with its connection"
    );
}

#[test]
fn what_was_not_acknowledged_comes_again_in_order_under_its_number() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    bench.ask(2, Request::Connect(lasting("c", 60)));
    bench.subscribe(2, "t");
    for text in ["one", "two", "three"] {
        bench.publish(1, Message::new("t", text));
    }
    bench.ask(2, Request::Acknowledge(PacketId(2)));
    bench.ask(2, Request::Lose);
    bench.publish(1, Message::new("t", "four"));
    let outputs = bench.ask(3, Request::Connect(lasting("c", 60)));
    assert_eq!(deliveries(&outputs), ["3! t=one", "3! t=three", "3 t=four"]);
    let number = |output: &Output| {
        let Answer::Deliver { packet, .. } = output.answer else {
            return None;
        };
        Some(packet.0)
    };
    let numbers: Vec<u16> = outputs.iter().filter_map(number).collect();
    assert_eq!(numbers, [1, 3, 4]);
}

#[test]
fn no_more_is_under_way_than_the_client_takes() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    bench.ask(
        2,
        Request::Connect(Connect {
            receive_maximum: 2,
            ..Connect::clean("c")
        }),
    );
    bench.subscribe(2, "t");
    for number in 0..5 {
        let outputs = bench.publish(1, Message::new("t", number.to_string()));
        assert_eq!(deliveries(&outputs).len(), usize::from(number < 2));
    }
    assert_eq!(
        deliveries(&bench.ask(2, Request::Acknowledge(PacketId(1)))),
        ["2 t=2"]
    );
    assert_eq!(
        deliveries(&bench.ask(2, Request::Acknowledge(PacketId(77)))),
        Vec::<String>::new()
    );
    let view = bench.broker.view();
    assert_eq!((view.clients["c"].in_flight, view.clients["c"].queued), (2, 2));
}

#[test]
fn a_full_queue_loses_the_newest_and_says_so() {
    let mut bench = Bench::new(Limits {
        queue_max: 2,
        ..Limits::default()
    });
    bench.connect(1, "publisher");
    bench.ask(2, Request::Connect(lasting("c", 60)));
    bench.subscribe(2, "t");
    bench.ask(2, Request::Lose);
    let outcomes: Vec<_> = (0..3)
        .map(|n| bench.outcome(1, Message::new("t", n.to_string())))
        .collect();
    assert_eq!(
        outcomes,
        [Published::Taken, Published::Taken, Published::QueuesFull]
    );
    assert_eq!(bench.broker.view().counters.overflowed, 1);
    assert_eq!(
        deliveries(&bench.ask(3, Request::Connect(lasting("c", 60)))),
        ["3 t=0", "3 t=1"]
    );
}

#[test]
fn a_message_past_its_time_is_not_delivered_and_what_is_left_is_said() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    bench.ask(2, Request::Connect(lasting("c", 60)));
    bench.subscribe(2, "#");
    bench.ask(2, Request::Lose);
    let within = |seconds| Some(Duration::from_secs(seconds));
    bench.publish(
        1,
        Message {
            expires_in: within(5),
            ..Message::new("t", "short")
        },
    );
    bench.publish(
        1,
        Message {
            expires_in: within(20),
            ..Message::new("t", "long").retained()
        },
    );
    bench.elapse(Duration::from_secs(5));
    let outputs = bench.ask(3, Request::Connect(lasting("c", 60)));
    let Answer::Deliver { message, .. } = &outputs[1].answer else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (&message.payload[..], message.expires_in),
        (&b"long"[..], within(15))
    );
    assert_eq!(outputs.len(), 2);
    assert_eq!(deliveries(&bench.subscribe(3, "t")).len(), 1);
    bench.elapse(Duration::from_secs(15));
    assert_eq!(
        deliveries(&bench.subscribe(3, "t")).len(),
        0,
        "a retained message expires as well"
    );
}

#[test]
fn a_shared_subscription_takes_turns_among_those_present() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    for (connection, client) in [(2, "hub-a"), (3, "hub-b"), (4, "hub-c")] {
        bench.ask(connection, Request::Connect(lasting(client, 60)));
        bench.subscribe(connection, "$share/hubs/+/event");
    }
    let to = |bench: &mut Bench| deliveries(&bench.publish(1, Message::new("c/event", "x"))).join(",");
    let turns: Vec<String> = (0..4).map(|_| to(&mut bench)).collect();
    assert_eq!(
        turns,
        ["2 c/event=x", "3 c/event=x", "4 c/event=x", "2 c/event=x"]
    );
    bench.ask(3, Request::Lose);
    let turns: Vec<String> = (0..2).map(|_| to(&mut bench)).collect();
    assert_eq!(turns, ["4 c/event=x", "2 c/event=x"]);
}

#[test]
fn overlapping_filters_deliver_once_and_no_local_spares_the_publisher() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "a");
    bench.subscribe(1, "t/#");
    bench.subscribe(1, "t/+");
    assert_eq!(deliveries(&bench.publish(1, Message::new("t/1", "x"))).len(), 1);
    bench.connect(2, "b");
    let own = Subscription {
        no_local: true,
        ..Subscription::new("u")
    };
    bench.ask(2, Request::Subscribe(PacketId(1), vec![own]));
    assert_eq!(bench.outcome(2, Message::new("u", "x")), Published::NoSubscribers);
}

#[test]
fn what_is_too_large_or_out_of_place_ends_the_connection() {
    let mut bench = Bench::new(Limits {
        packet_max: 100,
        ..Limits::default()
    });
    bench.connect(1, "a");
    assert_eq!(
        closes(&bench.publish(1, Message::new("t", vec![0; 200]))),
        [(1, Ending::PacketTooLarge)]
    );
    bench.connect(2, "a");
    assert_eq!(
        closes(&bench.publish(2, Message::new("t/+", "x"))),
        [(2, Ending::TopicInvalid)]
    );
    bench.connect(3, "a");
    assert_eq!(closes(&bench.connect(3, "a")), [(3, Ending::ProtocolError)]);
    assert_eq!(closes(&bench.ask(4, Request::Ping)), [(4, Ending::ProtocolError)]);
}

#[test]
fn a_client_gets_nothing_larger_than_it_takes() {
    let mut bench = Bench::new(Limits::default());
    bench.connect(1, "publisher");
    bench.ask(
        2,
        Request::Connect(Connect {
            packet_max: 60,
            ..Connect::clean("c")
        }),
    );
    bench.subscribe(2, "t");
    assert!(deliveries(&bench.publish(1, Message::new("t", vec![b'x'; 100]))).is_empty());
    assert_eq!(
        deliveries(&bench.publish(1, Message::new("t", "small"))),
        ["2 t=small"]
    );
    assert_eq!(bench.broker.view().counters.oversized, 1);
}

#[test]
fn credentials_names_and_numbers_are_checked_at_the_door() {
    let credentials = Some(("hub".to_owned(), "secret".into()));
    let limits = Limits {
        credentials: credentials.clone(),
        sessions_max: 1,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    assert_eq!(
        bench.connect(1, "a")[0].answer,
        Answer::Refuse(Refusal::BadCredentials)
    );
    let right = |client| {
        Request::Connect(Connect {
            credentials: credentials.clone(),
            ..Connect::clean(client)
        })
    };
    let accepted = bench.ask(2, right(""));
    assert!(matches!(&accepted[0].answer, Answer::Accept { assigned: Some(name), .. } if !name.is_empty()));
    assert_eq!(
        bench.ask(3, right("b"))[0].answer,
        Answer::Refuse(Refusal::QuotaExceeded)
    );
}
