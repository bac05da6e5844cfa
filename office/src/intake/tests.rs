//! How the verdict behaves: duplicates, reordering, gaps, forks, restored disks, forgeries, noise.
#![allow(clippy::unwrap_used)]

use office_protocol::event::Clock;
use office_protocol::{
    Branch, Digest, Event, EventBody, EventMessage, Purpose, Signed, SigningKey, Timestamp, Tip, status,
};
use proptest::prelude::*;

use super::*;

const START: Start = Start(7);

fn cabinet() -> CabinetId {
    "PORT-7".parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_secret(&[5; 32])
}

/// A journal of `count` events; those after `shared` differ between two `flavour`s.
fn journal(count: u64, shared: u64, flavour: u8) -> Vec<Vec<u8>> {
    let mut previous = Digest::ZERO;
    let event = |seq: u64| {
        let stars = if seq > shared { flavour } else { 0 };
        let event = Event {
            start: START,
            source: cabinet(),
            time: Timestamp::from_millis(1_700_000_000_000),
            clock: Clock::Trusted,
            seq: Seq(seq),
            previous,
            visit: None,
            body: EventBody::Rated { stars },
        };
        let bytes = event.to_bytes();
        previous = Digest::of(&bytes);
        bytes
    };
    (1..=count).map(event).collect()
}

fn signed(events: &[Vec<u8>]) -> Signed {
    let message = EventMessage {
        events: events.to_vec(),
        ..EventMessage::default()
    };
    Signed::new(&key(), Purpose::Events, &cabinet(), message.to_bytes().unwrap())
}

/// These events of a journal, of which the cabinet says that nothing between them and `after` is left.
fn behind_a_hole(journal: &[Vec<u8>], after: u64, events: &[Vec<u8>]) -> Signed {
    let hash = |seq: u64| {
        seq.checked_sub(1)
            .map(|index| Digest::of(&journal[index as usize]))
    };
    let message = EventMessage {
        events: events.to_vec(),
        after: Some(Tip {
            seq: Seq(after),
            hash: hash(after).unwrap_or(Digest::ZERO),
        }),
        ..EventMessage::default()
    };
    Signed::new(&key(), Purpose::Events, &cabinet(), message.to_bytes().unwrap())
}

fn checked(signed: &Signed) -> Input {
    Input::Arrived(Arrival::check(signed, &key().verifying_key(), &cabinet()).unwrap())
}

fn arrived(events: &[Vec<u8>]) -> Input {
    checked(&signed(events))
}

fn online(start: Start, nonce: u64, journal: &[Vec<u8>]) -> Input {
    let locator = status::locator_seqs(Seq(1), Seq(journal.len() as u64))
        .map(|seq| Tip {
            seq,
            hash: Digest::of(&journal[seq.0 as usize - 1]),
        })
        .collect();
    Input::Status(Status {
        presence: Presence::Online,
        start,
        nonce,
        version: "1".into(),
        locator,
    })
}

struct Hub {
    intake: Intake,
    knowledge: Knowledge,
    stored: Vec<Stored>,
}

impl Hub {
    fn new() -> Self {
        let starts = Starts {
            latest: Some((START, 0)),
            past: Vec::new(),
        };
        Self {
            intake: Intake::new(cabinet()),
            knowledge: Knowledge::new(Vec::new(), starts, false),
            stored: Vec::new(),
        }
    }

    fn handle(&mut self, now: u64, input: Input) -> Verdict {
        let verdict = self.intake.handle(now, input, &mut self.knowledge);
        self.stored.extend(verdict.stored.clone());
        verdict
    }

    fn seqs(&self, branch: u32) -> Vec<u64> {
        let in_branch = |stored: &&Stored| stored.origin.branch() == Branch(branch);
        self.stored
            .iter()
            .filter(in_branch)
            .map(|stored| stored.event.seq.0)
            .collect()
    }
}

fn at(position: Option<Position>) -> Option<(u32, u64)> {
    position.map(|position| (position.branch.0, position.seq.0))
}

#[test]
fn events_in_order_are_stored_and_confirmed() {
    let (mut hub, journal) = (Hub::new(), journal(5, 9, 0));
    assert_eq!(at(hub.handle(0, arrived(&journal[..3])).position), Some((0, 3)));
    let verdict = hub.handle(1, arrived(&journal[3..]));
    assert_eq!(
        verdict.position.unwrap(),
        Position {
            start: START,
            branch: Branch(0),
            seq: Seq(5),
            hash: Digest::of(&journal[4]),
            answers: Some(0)
        }
    );
    assert_eq!(hub.seqs(0), [1, 2, 3, 4, 5]);
}

#[test]
fn a_repeated_message_is_stored_once_and_says_nothing() {
    let (mut hub, journal) = (Hub::new(), journal(5, 9, 0));
    hub.handle(0, arrived(&journal));
    let again = hub.handle(1, arrived(&journal[1..4]));
    assert_eq!(again, Verdict::default());
    assert_eq!(hub.intake.view().repeated, 3);
    assert_eq!(hub.seqs(0), [1, 2, 3, 4, 5]);
}

#[test]
fn a_message_that_overtook_another_waits_for_it() {
    let (mut hub, journal) = (Hub::new(), journal(9, 9, 0));
    hub.handle(0, arrived(&journal[..3]));
    assert!(hub.handle(1, arrived(&journal[6..])).stored.is_empty());
    assert_eq!(hub.intake.next_deadline(), Some(1 + LOOK_MS));
    let verdict = hub.handle(2, arrived(&journal[3..6]));
    assert_eq!(at(verdict.position), Some((0, 9)));
    assert_eq!(hub.intake.next_deadline(), None);
    assert_eq!(hub.seqs(0), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_gap_asks_for_a_resend_and_becomes_an_alarm() {
    let (mut hub, journal) = (Hub::new(), journal(9, 9, 0));
    hub.handle(0, arrived(&journal[..3]));
    hub.handle(10, arrived(&journal[6..]));
    let asked = hub.handle(10 + HOLD_MS, Input::DeadlineReached);
    assert_eq!(at(asked.position), Some((0, 3)));
    assert_eq!(hub.intake.next_deadline(), Some(10 + GAP_ALARM_MS));
    let alarmed = hub.handle(10 + GAP_ALARM_MS, Input::DeadlineReached);
    assert_eq!(alarmed.raised, [HubAlarm::Gap]);
    assert_eq!(hub.intake.next_deadline(), None);
    let closed = hub.handle(90_000, arrived(&journal[3..]));
    assert_eq!(closed.cleared, [HubAlarm::Gap]);
    assert_eq!(hub.seqs(0).len(), 9);
}

#[test]
fn what_another_hub_has_stored_closes_the_gap() {
    let (mut first, mut second, journal) = (Hub::new(), Hub::new(), journal(9, 9, 0));
    first.handle(0, arrived(&journal[..3]));
    second.knowledge = first.knowledge.clone();
    assert!(second.handle(0, arrived(&journal[6..])).stored.is_empty());
    first.handle(1, arrived(&journal[3..6]));
    second.knowledge = first.knowledge.clone();
    let verdict = second.handle(LOOK_MS, Input::DeadlineReached);
    assert_eq!(at(verdict.position), Some((0, 9)));
    assert_eq!(second.intake.next_deadline(), None);

    // The second hub has asked for a resend, and the first gets it: no alarm, though the second hears nothing more.
    let (mut second, knowledge) = (Hub::new(), first.knowledge.clone());
    second.handle(0, arrived(&journal[6..]));
    second.handle(HOLD_MS, Input::DeadlineReached);
    second.knowledge = knowledge;
    second.knowledge.learn(Branch(0), Seq(6), Digest::of(&journal[5]));
    assert!(
        second
            .handle(GAP_ALARM_MS, Input::DeadlineReached)
            .raised
            .is_empty()
    );
    assert_eq!(second.intake.next_deadline(), None);
}

#[test]
fn an_alarm_of_a_gap_is_cleared_by_the_hub_that_stores_what_was_missing() {
    let (mut hub, journal) = (Hub::new(), journal(9, 9, 0));
    hub.knowledge.gap_stands = true;
    assert_eq!(hub.handle(0, arrived(&journal)).cleared, [HubAlarm::Gap]);
    assert!(!hub.knowledge.gap_stands);
}

#[test]
fn only_what_was_not_known_is_a_sign_of_life() {
    let (mut hub, journal) = (Hub::new(), journal(5, 9, 0));
    assert!(hub.handle(0, online(START, 5, &[])).fresh);
    assert!(!hub.handle(0, online(START, 5, &[])).fresh);
    assert!(hub.handle(0, arrived(&journal)).fresh);
    assert!(!hub.handle(0, arrived(&journal)).fresh);
    assert!(!hub.handle(0, Input::Rejected(Rejection::Forged)).fresh);
}

#[test]
fn what_goes_on_where_a_history_ends_needs_no_digests() {
    let (mut hub, journal) = (Hub::new(), journal(20, 20, 0));
    hub.handle(0, arrived(&journal[..4]));
    let inputs = [
        arrived(&journal[4..8]),
        arrived(&journal[8..12]),
        arrived(&journal[15..16]),
    ];
    let wanted = hub.intake.wanted(&inputs, hub.knowledge.heads());
    assert_eq!(wanted, [Seq(15), Seq(16)]);
}

#[test]
fn a_restored_disk_that_goes_on_is_a_fork_and_both_are_kept() {
    let (mut hub, old, new) = (Hub::new(), journal(9, 9, 0), journal(8, 5, 1));
    hub.handle(0, arrived(&old));
    let answer = hub.handle(1, online(Start(8), 1, &new[..5])).position.unwrap();
    assert_eq!(
        (answer.seq, answer.answers, answer.start),
        (Seq(5), Some(1), Start(8))
    );
    let verdict = hub.handle(2, arrived(&new[5..7]));
    assert_eq!(verdict.raised, [HubAlarm::Fork]);
    assert_eq!(at(verdict.position), Some((1, 7)));
    let verdict = hub.handle(3, arrived(&new[7..]));
    assert!(verdict.raised.is_empty(), "one fork is one alarm");
    assert_eq!(hub.seqs(0), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(hub.seqs(1), [6, 7, 8]);
}

/// The numbers that the stored events say are lost.
fn lost(hub: &Hub) -> Vec<(u64, u64)> {
    let lost = hub.stored.iter().filter_map(|stored| stored.lost);
    lost.map(|lost| (lost.first.0, lost.last.0)).collect()
}

#[test]
fn what_the_cabinet_has_signed_as_lost_holds_nothing_up() {
    let (mut hub, journal) = (Hub::new(), journal(20, 20, 0));
    hub.handle(0, arrived(&journal[..5]));
    // Nobody but the cabinet can say so: without its word what comes later waits.
    assert!(hub.handle(1, arrived(&journal[11..14])).stored.is_empty());
    let verdict = hub.handle(2, checked(&behind_a_hole(&journal, 5, &journal[9..11])));
    assert_eq!(verdict.raised, [HubAlarm::Lost]);
    assert_eq!(at(verdict.position), Some((0, 14)));
    assert_eq!((lost(&hub), hub.intake.next_deadline()), (vec![(6, 9)], None));
    // Each once, and a word that was kept back changes nothing.
    let again = hub.handle(3, checked(&behind_a_hole(&journal, 5, &journal[9..11])));
    assert_eq!(again, Verdict::default());
    hub.handle(4, arrived(&journal[14..]));
    let stored: Vec<u64> = (1..=5).chain(10..=20).collect();
    assert_eq!((hub.seqs(0), lost(&hub)), (stored, vec![(6, 9)]));
}

#[test]
fn a_hole_is_believed_only_behind_the_event_that_it_names() {
    let (mut hub, journal, other) = (Hub::new(), journal(20, 20, 0), journal(20, 2, 1));
    let message = behind_a_hole(&journal, 5, &journal[9..11]);
    assert!(hub.handle(0, checked(&message)).stored.is_empty());
    hub.handle(1, arrived(&journal[..4]));
    assert_eq!(hub.seqs(0), [1, 2, 3, 4], "the fifth may yet come");
    hub.handle(2, arrived(&journal[4..5]));
    assert_eq!(hub.seqs(0), [1, 2, 3, 4, 5, 10, 11]);
    // Of another history than the one that is here.
    let foreign = behind_a_hole(&other, 5, &other[12..13]);
    assert!(hub.handle(3, checked(&foreign)).stored.is_empty());
    let check = |signed: &Signed| Arrival::check(signed, &key().verifying_key(), &cabinet());
    let none = behind_a_hole(&journal, 9, &journal[9..11]);
    assert_eq!(check(&none), Err(Rejection::NoChain), "a hole has a length");
}

#[test]
fn a_hole_of_which_the_office_has_a_part_is_only_the_rest() {
    let (mut hub, journal) = (Hub::new(), journal(20, 20, 0));
    hub.handle(0, arrived(&journal[..7]));
    let verdict = hub.handle(1, checked(&behind_a_hole(&journal, 5, &journal[9..])));
    assert_eq!((at(verdict.position), lost(&hub)), (Some((0, 20)), vec![(8, 9)]));
}

#[test]
fn an_office_that_went_back_before_all_that_is_kept_goes_on_with_a_hole() {
    let (mut hub, journal) = (Hub::new(), journal(20, 20, 0));
    hub.handle(0, arrived(&journal[..3]));
    let verdict = hub.handle(1, checked(&behind_a_hole(&journal, 0, &journal[12..])));
    assert_eq!(verdict.raised, [HubAlarm::Lost]);
    assert_eq!((at(verdict.position), lost(&hub)), (Some((0, 20)), vec![(4, 12)]));
    let mut empty = Hub::new();
    empty.handle(0, checked(&behind_a_hole(&journal, 0, &journal[12..])));
    assert_eq!((empty.seqs(0).len(), lost(&empty)), (8, vec![(1, 12)]));
}

#[test]
fn a_hole_in_another_history_begins_a_fork_behind_the_last_event_in_common() {
    let (mut hub, old, new) = (Hub::new(), journal(20, 20, 0), journal(20, 5, 1));
    hub.handle(0, arrived(&old));
    let verdict = hub.handle(1, checked(&behind_a_hole(&new, 5, &new[9..])));
    assert_eq!(verdict.raised, [HubAlarm::Fork, HubAlarm::Lost]);
    assert_eq!((at(verdict.position), lost(&hub)), (Some((1, 20)), vec![(6, 9)]));
    assert_eq!(hub.seqs(0).len(), 20);
}

#[test]
fn a_status_is_answered_with_the_newest_event_in_common() {
    let (mut hub, journal) = (Hub::new(), journal(30, 30, 0));
    let empty = hub.handle(0, online(START, 1, &[])).position.unwrap();
    assert_eq!(
        (empty.seq, empty.hash, empty.answers),
        (Seq::ZERO, Digest::ZERO, Some(1))
    );
    hub.handle(1, arrived(&journal[..20]));
    assert_eq!(
        at(hub.handle(2, online(START, 2, &journal[..12])).position),
        Some((0, 20))
    );
    assert_eq!(
        at(hub.handle(3, online(Start(8), 1, &journal)).position),
        Some((0, 16))
    );
}

#[test]
fn an_old_status_changes_nothing_but_a_counter() {
    let mut hub = Hub::new();
    hub.handle(0, online(START, 5, &[]));
    assert_eq!(hub.handle(1, online(START, 4, &[])), Verdict::default());
    hub.handle(2, online(Start(8), 1, &[]));
    assert_eq!(hub.handle(3, online(START, 5, &[])), Verdict::default());
    assert_eq!(hub.intake.view().stale, 2);
}

#[test]
fn a_start_is_over_once_events_of_a_later_one_follow_it() {
    let (mut hub, mut journal) = (Hub::new(), journal(9, 9, 0));
    hub.handle(0, arrived(&journal));
    let text = String::from_utf8(super::tests::journal(10, 9, 1).remove(9)).unwrap();
    let later = text.replace(&START.to_string(), &Start(8).to_string());
    journal.push(later.into_bytes());
    // The later start's own status was never seen, and the earlier one's was forgotten.
    hub.handle(1, arrived(&journal[9..]));
    hub.knowledge.starts = Starts::default();
    for length in [4, 9] {
        let verdict = hub.handle(2, online(START, 5, &journal[..length]));
        assert_eq!(verdict, Verdict::default(), "a replay shows no life");
    }
    let alive = hub.handle(3, online(Start(8), 1, &journal));
    assert!(alive.fresh && alive.position.is_some());
    let restored = hub.handle(4, online(Start(9), 1, &journal[..9]));
    assert!(
        restored.fresh && restored.position.is_some(),
        "a restored disk is alive"
    );
}

#[test]
fn a_replayed_status_of_a_forgotten_start_does_not_shut_the_cabinet_out() {
    let mut hub = Hub::new();
    hub.knowledge.starts.latest = Some((Start(8), 3));
    hub.handle(0, online(START, 9, &[])); // an old start, which has been forgotten
    assert_eq!(hub.handle(1, online(Start(8), 3, &[])), Verdict::default());
    let answer = hub.handle(2, online(Start(8), 4, &[])).position.unwrap();
    assert_eq!((answer.start, answer.answers), (Start(8), Some(4)));
}

#[test]
fn what_the_cabinet_did_not_sign_is_refused() {
    let journal = journal(3, 9, 0);
    let check = |signed: &Signed| Arrival::check(signed, &key().verifying_key(), &cabinet());
    let mut altered = signed(&journal);
    altered.bytes[40] ^= 1;
    assert_eq!(check(&altered), Err(Rejection::Forged));
    let other = SigningKey::from_secret(&[6; 32]);
    let forged = Signed::new(&other, Purpose::Events, &cabinet(), signed(&journal).bytes);
    assert_eq!(check(&forged), Err(Rejection::Forged));
    let swapped = signed(&[journal[1].clone(), journal[0].clone()]);
    assert_eq!(check(&swapped), Err(Rejection::NoChain));
    let noise = Signed::new(&key(), Purpose::Events, &cabinet(), b"noise".to_vec());
    assert_eq!(check(&noise), Err(Rejection::NoChain));
    let verdict = Hub::new().handle(0, Input::Rejected(Rejection::Forged));
    assert_eq!(verdict.raised, [HubAlarm::Forgery]);
}

#[test]
fn an_event_of_an_unknown_type_is_stored() {
    let text = String::from_utf8(journal(1, 9, 0).remove(0)).unwrap();
    let newer = text.replace("locker.rated", "locker.teleported").into_bytes();
    assert_eq!(Hub::new().handle(0, arrived(&[newer])).stored.len(), 1);
}

proptest! {
    /// Whatever is dropped, repeated and reordered, and whichever history it is of: every event is stored once, in order, and a resend completes it.
    #[test]
    fn every_event_is_stored_once_and_in_order(
        order in proptest::collection::vec((0_usize..40, 1_usize..9, any::<bool>()), 0..60),
    ) {
        let (mut hub, histories) = (Hub::new(), [journal(40, 25, 0), journal(40, 25, 1)]);
        for (step, (from, count, second)) in order.into_iter().enumerate() {
            let events = &histories[usize::from(second)][from..(from + count).min(40)];
            hub.handle(step as u64, arrived(events));
        }
        hub.handle(100, arrived(&histories[0]));
        hub.handle(101, arrived(&histories[1]));
        let total = hub.seqs(0).len() + hub.seqs(1).len();
        prop_assert_eq!((total, hub.stored.len()), (55, 55));
        for branch in 0..2 {
            prop_assert!(hub.seqs(branch).windows(2).all(|pair| pair[0] + 1 == pair[1]));
        }
    }
}
