//! The sync: it sends what the office has not, in order, and only the office's signed position moves it.

use lockerd::cabinet::vocabulary::Monotonic;
use lockerd::office_link::{Identity, Input, Limits, Output, Sync};
use office_protocol::*;
use proptest::prelude::*;

use crate::support::{Memory, cabinet, keys, office_key, own_key, position_by};

/// A sync with its journal and a clock.
struct Bench {
    sync: Sync,
    journal: Memory,
    now: u64,
}

impl Bench {
    fn new(events: u64, limits: Limits) -> Self {
        let identity = Identity {
            cabinet: cabinet(),
            start: Start(7),
            version: "0.1.0".into(),
        };
        let journal = Memory::with(events);
        let sync = Sync::new(identity, limits, own_key(), keys(), journal.tip());
        Self {
            sync,
            journal,
            now: 1_000_000,
        }
    }

    fn connected(events: u64) -> (Self, u64) {
        let mut bench = Self::new(events, Limits::default());
        let out = bench.up(1 << 20);
        (bench, nonce(&out).unwrap())
    }

    fn up(&mut self, packet_bytes: usize) -> Vec<Output> {
        self.sync.begin_connection();
        self.give(Input::LinkUp { packet_bytes })
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        self.sync
            .handle(Monotonic::from_millis(self.now), input, &mut self.journal)
    }

    fn position(&mut self, seq: u64, answers: Option<u64>) -> Vec<Output> {
        let hash = self.journal.hash(seq);
        let signed = position_by(&office_key(), seq, hash, Start(7), answers);
        self.give(Input::PositionReceived(signed))
    }

    fn reach_deadline(&mut self) -> Vec<Output> {
        let deadline = self.sync.next_deadline().unwrap();
        self.now = self.now.max(deadline.as_millis());
        self.give(Input::DeadlineReached)
    }
}

fn statuses(out: &[Output]) -> Vec<Status> {
    let status = |output: &Output| match output {
        Output::PublishStatus(signed) => {
            let bytes = signed.verify(&own_key().verifying_key(), Purpose::Status, &cabinet());
            Some(serde_json::from_slice(bytes.unwrap()).unwrap())
        }
        _ => None,
    };
    out.iter().filter_map(status).collect()
}

fn nonce(out: &[Output]) -> Option<u64> {
    statuses(out).last().map(|status| status.nonce)
}

/// The messages: number, first and last event.
fn messages(out: &[Output]) -> Vec<(u64, u64, u64)> {
    let message = |output: &Output| match output {
        Output::PublishEvents { message, signed } => {
            let bytes = signed.verify(&own_key().verifying_key(), Purpose::Events, &cabinet());
            let events = EventMessage::parse(bytes.unwrap()).unwrap().events;
            let seqs: Vec<u64> = events
                .iter()
                .map(|event| EventHeader::parse(event).unwrap().seq.0)
                .collect();
            assert!(
                seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "in order without a gap"
            );
            Some((*message, seqs[0], *seqs.last().unwrap()))
        }
        _ => None,
    };
    out.iter().filter_map(message).collect()
}

fn acknowledged(out: &[Output]) -> Vec<u64> {
    out.iter()
        .filter_map(|output| match output {
            Output::Acknowledged { tip } => Some(tip.seq.0),
            _ => None,
        })
        .collect()
}

#[test]
fn nothing_is_sent_before_the_office_has_answered_the_status() {
    let (mut bench, nonce) = Bench::connected(100);
    assert!(messages(&bench.give(Input::TipAdvanced(Seq(100)))).is_empty());
    assert!(messages(&bench.position(10, None)).is_empty());
    let out = bench.position(40, Some(nonce));
    assert_eq!(messages(&out), [(1, 41, 100)]);
    assert_eq!(acknowledged(&out), [40]);
}

#[test]
fn a_status_names_the_tip_and_the_events_before_it() {
    let mut bench = Bench::new(20, Limits::default());
    bench.journal.oldest = 3;
    let status = statuses(&bench.up(1 << 20)).remove(0);
    let seqs: Vec<u64> = status.locator.iter().map(|tip| tip.seq.0).collect();
    assert_eq!(seqs, [20, 19, 18, 16, 8, 3]);
    assert_eq!(status.locator[0].hash, bench.journal.hash(20));
}

#[test]
fn the_last_will_is_newer_than_its_connection_and_older_than_the_next() {
    let mut bench = Bench::new(1, Limits::default());
    let will = |bench: &mut Bench| {
        let signed = bench.sync.begin_connection();
        let status: Status = serde_json::from_slice(&signed.bytes).unwrap();
        assert_eq!(status.presence, Presence::Offline);
        status.nonce
    };
    let first = will(&mut bench);
    let online = nonce(&bench.give(Input::LinkUp {
        packet_bytes: 1 << 20,
    }))
    .unwrap();
    assert!(online < first);
    let second = will(&mut bench);
    let again = nonce(&bench.give(Input::LinkUp {
        packet_bytes: 1 << 20,
    }))
    .unwrap();
    assert!(first < again && again < second);
}

#[test]
fn the_window_bounds_what_the_broker_has_not_acknowledged() {
    let (mut bench, nonce) = Bench::connected(2_000);
    let out = bench.position(0, Some(nonce));
    assert_eq!(messages(&out).len(), 16);
    let out = bench.give(Input::MessageAcknowledged { message: 1 });
    assert_eq!(messages(&out), [(17, 1_025, 1_088)]);
    assert!(acknowledged(&out).is_empty(), "a broker's word moves nothing");
}

#[test]
fn what_is_sent_ahead_of_the_position_is_bounded() {
    let (mut bench, nonce) = Bench::connected(6_000);
    let mut sent = messages(&bench.position(0, Some(nonce)));
    let mut last = 0;
    while let Some((message, _, to)) = sent.pop() {
        last = last.max(to);
        sent.extend(messages(&bench.give(Input::MessageAcknowledged { message })));
    }
    assert_eq!(last, 4_096);
}

#[test]
fn a_forged_position_changes_nothing_but_a_counter() {
    let (mut bench, nonce) = Bench::connected(10);
    let stranger = SigningKey::from_secret(&[3; 32]);
    let hash = bench.journal.hash(5);
    let forged = position_by(&stranger, 5, hash, Start(7), Some(nonce));
    assert_eq!(bench.give(Input::PositionReceived(forged)), [Output::ForgerySeen]);
    assert_eq!(bench.sync.view().forged, 1);
    assert_eq!(bench.sync.view().confirmed, None);
}

#[test]
fn a_position_for_another_start_is_ignored() {
    let (mut bench, nonce) = Bench::connected(10);
    let hash = bench.journal.hash(5);
    let other = position_by(&office_key(), 5, hash, Start(8), Some(nonce));
    assert_eq!(bench.give(Input::PositionReceived(other)), []);
    assert_eq!(bench.sync.view().confirmed, None);
}

#[test]
fn a_position_with_an_unknown_hash_only_makes_it_ask() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(5, Some(first));
    bench.now += 6_000;
    let unknown = position_by(&office_key(), 8, Digest::of(b"fork"), Start(7), None);
    let out = bench.give(Input::PositionReceived(unknown));
    assert_eq!(statuses(&out).len(), 1);
    assert_eq!(bench.sync.view().confirmed, Some(Seq(5)));
}

#[test]
fn a_position_moves_back_only_as_the_answer_to_the_current_status() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(0, Some(first));
    assert_eq!(acknowledged(&bench.position(10, Some(first))), [10]);
    bench.now += 6_000;
    let out = bench.position(4, Some(first));
    assert!(acknowledged(&out).is_empty());
    let second = nonce(&out).expect("asks");
    assert_eq!(bench.position(4, Some(first)), [], "an old answer is a replay");
    let out = bench.position(4, Some(second));
    assert_eq!(acknowledged(&out), [4]);
    assert_eq!(messages(&out).len(), 1);
    assert_eq!(messages(&out)[0].1, 5);
    assert!(
        acknowledged(&bench.position(2, Some(second))).is_empty(),
        "an answer counts once"
    );
}

#[test]
fn after_the_office_has_gone_back_no_old_position_moves_forward() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(0, Some(first));
    assert_eq!(acknowledged(&bench.position(10, Some(first))), [10]);
    bench.give(Input::LinkDown);
    let second = nonce(&bench.up(1 << 20)).unwrap();
    // Restored from a backup; what the broker replays was true before that.
    assert_eq!(acknowledged(&bench.position(4, Some(second))), [4]);
    for replayed in [Some(first), None] {
        let out = bench.position(10, replayed);
        assert!(acknowledged(&out).is_empty());
        assert_eq!(bench.sync.view().confirmed, Some(Seq(4)));
    }
    assert_eq!(acknowledged(&bench.position(7, Some(second))), [7]);
}

#[test]
fn statuses_are_rate_limited() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(10, Some(first));
    for _ in 0..100 {
        bench.now += 10;
        assert_eq!(bench.position(3, None), []);
    }
    assert_eq!(
        bench.sync.next_deadline(),
        Some(Monotonic::from_millis(1_005_000))
    );
    assert_eq!(statuses(&bench.reach_deadline()).len(), 1);
}

#[test]
fn what_is_not_confirmed_in_time_is_asked_for_and_sent_again() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(0, Some(first));
    bench.give(Input::MessageAcknowledged { message: 1 });
    let second = nonce(&bench.reach_deadline()).unwrap();
    assert_eq!(bench.now, 1_010_000);
    assert_eq!(messages(&bench.position(0, Some(second))), [(2, 1, 10)]);
}

#[test]
fn a_cabinet_with_nothing_to_say_gives_a_sign_of_life() {
    let (mut bench, first) = Bench::connected(3);
    bench.position(3, Some(first));
    assert_eq!(statuses(&bench.reach_deadline()).len(), 1);
    assert_eq!(bench.now, 1_000_000 + Limits::default().sign_of_life_ms);
}

#[test]
fn an_unanswered_status_is_repeated_ever_more_slowly() {
    let (mut bench, _) = Bench::connected(10);
    let mut at = Vec::new();
    for _ in 0..5 {
        assert_eq!(statuses(&bench.reach_deadline()).len(), 1);
        at.push((bench.now - 1_000_000) / 1_000);
    }
    assert_eq!(at, [10, 30, 70, 130, 190]);
}

#[test]
fn a_message_fits_the_brokers_packet() {
    let mut bench = Bench::new(100, Limits::default());
    let first = nonce(&bench.up(4_096)).unwrap();
    let out = bench.position(0, Some(first));
    assert!(messages(&out).len() > 5);
    for output in out {
        if let Output::PublishEvents { signed, .. } = output {
            assert!(signed.bytes.len() <= 4_096 - 1_024);
        }
    }
}

#[test]
fn an_event_that_the_broker_cannot_take_is_reported_not_tried() {
    let mut bench = Bench::new(3, Limits::default());
    let first = nonce(&bench.up(1_100)).unwrap();
    assert!(messages(&bench.position(0, Some(first))).is_empty());
    assert_eq!(bench.sync.view().blocked, Some(Seq(1)));
    bench.give(Input::LinkDown);
    let second = nonce(&bench.up(1 << 20)).unwrap();
    assert_eq!(messages(&bench.position(0, Some(second))).len(), 1);
}

/// What the messages go on after, where the cabinet says that it has lost what was in between.
fn holes(out: &[Output]) -> Vec<Option<Tip>> {
    let message = |output: &Output| match output {
        Output::PublishEvents { signed, .. } => Some(EventMessage::parse(&signed.bytes).unwrap().after),
        _ => None,
    };
    out.iter().filter_map(message).collect()
}

#[test]
fn what_cannot_be_read_any_more_is_signed_as_lost() {
    let mut bench = Bench::new(100, Limits::default());
    bench.journal.hole = Some((50, 60));
    let first = nonce(&bench.up(1 << 20)).unwrap();
    let out = bench.position(40, Some(first));
    assert_eq!(messages(&out), [(1, 41, 49), (2, 61, 100)]);
    let tip = |bench: &Bench, seq| Tip {
        seq: Seq(seq),
        hash: bench.journal.hash(seq),
    };
    assert_eq!(holes(&out), [None, Some(tip(&bench, 49))]);
    assert_eq!(acknowledged(&bench.position(100, Some(first))), [100]);
}

#[test]
fn an_office_that_stands_within_the_hole_is_gone_on_from() {
    let mut bench = Bench::new(100, Limits::default());
    bench.journal.hole = Some((50, 60));
    let first = nonce(&bench.up(1 << 20)).unwrap();
    let within = Tip {
        seq: Seq(55),
        hash: bench.journal.hash(55),
    };
    let out = bench.position(55, Some(first));
    assert_eq!(
        (messages(&out), holes(&out)),
        (vec![(1, 61, 100)], vec![Some(within)])
    );
    let foreign = position_by(&office_key(), 40, Digest::of(b"fork"), Start(7), Some(first));
    assert!(acknowledged(&bench.give(Input::PositionReceived(foreign))).is_empty());
}

#[test]
fn an_office_that_went_back_before_all_that_is_kept_gets_what_is_kept() {
    let limits = Limits {
        ahead_events: 70,
        ..Limits::default()
    };
    let mut bench = Bench::new(1_000, limits);
    bench.journal.oldest = 901;
    let first = nonce(&bench.up(1 << 20)).unwrap();
    let out = bench.position(0, Some(first));
    assert_eq!(messages(&out), [(1, 901, 964), (2, 965, 1_000)]);
    assert_eq!(holes(&out), [Some(Tip::NONE), None]);
}

#[test]
fn a_journal_that_cannot_be_read_now_is_not_said_to_be_lost() {
    let mut bench = Bench::new(20, Limits::default());
    bench.journal.hole = Some((15, 20));
    let first = nonce(&bench.up(1 << 20)).unwrap();
    let out = bench.position(14, Some(first));
    assert!(messages(&out).is_empty());
    assert_eq!(bench.sync.view().blocked, Some(Seq(15)));
    bench.journal.append();
    let out = bench.give(Input::TipAdvanced(Seq(21)));
    assert_eq!((messages(&out), holes(&out).len()), (vec![(1, 21, 21)], 1));
}

#[test]
fn draining_says_so_and_sends_no_more() {
    let (mut bench, first) = Bench::connected(10);
    bench.position(10, Some(first));
    let out = bench.give(Input::Draining);
    assert_eq!(statuses(&out)[0].presence, Presence::Draining);
    bench.journal.append();
    assert!(messages(&bench.give(Input::TipAdvanced(Seq(11)))).is_empty());
    assert_eq!(bench.sync.next_deadline(), None);
}

#[test]
fn a_broker_that_acknowledges_nothing_is_left() {
    let (mut bench, first) = Bench::connected(10);
    let mut nonce_now = first;
    let mut reconnected = false;
    for _ in 0..8 {
        bench.position(0, Some(nonce_now));
        let out = bench.reach_deadline();
        nonce_now = nonce(&out).unwrap();
        reconnected |= out.contains(&Output::Reconnect);
    }
    assert!(reconnected);
}

/// What the network does next.
#[derive(Debug, Clone)]
enum Move {
    Append(u8),
    DeliverUp(usize),
    DropUp(usize),
    RepeatUp(usize),
    DeliverDown(usize),
    DropDown(usize),
    ReplayDown(usize),
    PubAck(usize),
    Refuse(usize),
    Cut,
    Connect,
    Wait(u16),
    Restore(u8),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (1..80_u8).prop_map(Move::Append),
        8 => any::<usize>().prop_map(Move::DeliverUp),
        2 => any::<usize>().prop_map(Move::DropUp),
        1 => any::<usize>().prop_map(Move::RepeatUp),
        8 => any::<usize>().prop_map(Move::DeliverDown),
        2 => any::<usize>().prop_map(Move::DropDown),
        2 => any::<usize>().prop_map(Move::ReplayDown),
        4 => any::<usize>().prop_map(Move::PubAck),
        1 => any::<usize>().prop_map(Move::Refuse),
        1 => Just(Move::Cut),
        2 => Just(Move::Connect),
        3 => any::<u16>().prop_map(Move::Wait),
        1 => (0..30_u8).prop_map(Move::Restore),
    ]
}

/// A network that loses and repeats, and an office that takes only what is next.
struct World {
    bench: Bench,
    up: Vec<Output>,
    down: Vec<Signed>,
    sent_down: Vec<Signed>,
    unacknowledged: Vec<u64>,
    committed: u64,
    committed_ever: u64,
    restored: bool,
    heard: Option<u64>,
}

impl World {
    fn new() -> Self {
        Self {
            bench: Bench::new(5, Limits::default()),
            up: Vec::new(),
            down: Vec::new(),
            sent_down: Vec::new(),
            unacknowledged: Vec::new(),
            committed: 0,
            committed_ever: 0,
            restored: false,
            heard: None,
        }
    }

    fn absorb(&mut self, out: Vec<Output>) {
        for output in out {
            match &output {
                Output::Acknowledged { tip } => {
                    let limit = if self.restored {
                        self.committed_ever
                    } else {
                        self.committed
                    };
                    assert!(tip.seq.0 <= limit, "acknowledged {} of {limit}", tip.seq);
                }
                Output::PublishEvents { message, .. } => {
                    let (_, first, last) = messages(std::slice::from_ref(&output))[0];
                    let view = self.bench.sync.view();
                    assert!(
                        view.confirmed.is_some_and(|at| first > at.0),
                        "after the position"
                    );
                    assert!(last <= view.tip.0);
                    self.unacknowledged.push(*message);
                    self.up.push(output);
                }
                Output::PublishStatus(_) => self.up.push(output),
                Output::ForgerySeen | Output::Reconnect => {}
            }
        }
        assert!(self.bench.sync.view().in_flight <= 16);
    }

    fn say(&mut self, answers: Option<u64>) {
        let hash = self.bench.journal.hash(self.committed);
        let signed = position_by(&office_key(), self.committed, hash, Start(7), answers);
        self.down.push(signed.clone());
        self.sent_down.push(signed);
    }

    fn office_takes(&mut self, output: &Output) {
        if let Some(nonce) = nonce(std::slice::from_ref(output)) {
            self.heard = self.heard.max(Some(nonce));
            return self.say(Some(nonce));
        }
        let (_, first, last) = messages(std::slice::from_ref(output))[0];
        if first <= self.committed + 1 && last > self.committed {
            self.committed = last;
            self.committed_ever = self.committed_ever.max(last);
        }
        self.say(self.heard);
    }

    fn give(&mut self, input: Input) {
        let out = self.bench.give(input);
        self.absorb(out);
    }

    fn connect(&mut self) {
        self.up.clear();
        self.unacknowledged.clear();
        let out = self.bench.up(64 * 1024);
        self.absorb(out);
    }

    fn step(&mut self, action: Move) {
        let pick = |index: usize, length: usize| (length > 0).then(|| index % length.max(1));
        match action {
            Move::Append(count) => {
                (0..count).for_each(|_| self.bench.journal.append());
                self.give(Input::TipAdvanced(self.bench.journal.tip()));
            }
            Move::DeliverUp(index) => {
                if let Some(index) = pick(index, self.up.len()) {
                    let output = self.up.remove(index);
                    self.office_takes(&output);
                }
            }
            Move::DropUp(index) => {
                if let Some(index) = pick(index, self.up.len()) {
                    self.up.remove(index);
                }
            }
            Move::RepeatUp(index) => {
                if let Some(index) = pick(index, self.up.len()) {
                    self.office_takes(&self.up[index].clone());
                }
            }
            Move::DeliverDown(index) => {
                if let Some(index) = pick(index, self.down.len()) {
                    let signed = self.down.remove(index);
                    self.give(Input::PositionReceived(signed));
                }
            }
            Move::DropDown(index) => {
                if let Some(index) = pick(index, self.down.len()) {
                    self.down.remove(index);
                }
            }
            Move::ReplayDown(index) => {
                if let Some(index) = pick(index, self.sent_down.len()) {
                    let signed = self.sent_down[index].clone();
                    self.give(Input::PositionReceived(signed));
                }
            }
            Move::PubAck(index) => {
                if let Some(index) = pick(index, self.unacknowledged.len()) {
                    let message = self.unacknowledged.remove(index);
                    self.give(Input::MessageAcknowledged { message });
                }
            }
            Move::Refuse(index) => {
                if let Some(index) = pick(index, self.unacknowledged.len()) {
                    let message = self.unacknowledged.remove(index);
                    self.give(Input::MessageLost { message });
                }
            }
            Move::Cut => {
                self.up.clear();
                self.unacknowledged.clear();
                self.give(Input::LinkDown);
            }
            Move::Connect => self.connect(),
            Move::Wait(millis) => {
                self.bench.now += u64::from(millis);
                let due = self.bench.sync.next_deadline();
                if due.is_some_and(|due| due.as_millis() <= self.bench.now) {
                    self.give(Input::DeadlineReached);
                }
            }
            Move::Restore(lost) => {
                self.committed = self.committed.saturating_sub(u64::from(lost));
                self.restored = true;
            }
        }
    }

    /// No more faults: everything is delivered at once, and the clock goes on.
    fn heal(&mut self) {
        self.down.clear();
        self.connect();
        for _ in 0..10_000 {
            if !self.up.is_empty() {
                self.step(Move::DeliverUp(0));
            } else if !self.down.is_empty() {
                self.step(Move::DeliverDown(0));
            } else if !self.unacknowledged.is_empty() {
                self.step(Move::PubAck(0));
            } else if self.bench.sync.view().confirmed == Some(self.bench.journal.tip()) {
                return;
            } else {
                let out = self.bench.reach_deadline();
                self.absorb(out);
            }
        }
        panic!("not healed: {:?}", self.bench.sync.view());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_faults_everything_arrives_in_order(moves in proptest::collection::vec(moves(), 1..120)) {
        let mut world = World::new();
        for action in moves {
            world.step(action);
        }
        world.heal();
        prop_assert_eq!(world.committed, world.bench.journal.tip().0);
    }
}
