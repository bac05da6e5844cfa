//! The secure family's two ends against each other, and against a line that does as it likes.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use firmware_protocol::secure::{DOUBT_MS, INSTALLATION_MS, Key, Keys, Refusal, SESSION_MS};
use firmware_protocol::{
    BoardState, Channel, Codec, Command, Content, DoorMap, DoorReading, Family, Request, Scan, UnlockResult,
};
use proptest::prelude::*;

mod secure_pair;

use secure_pair::{BOARD, LABEL, Pair, channel, key};

#[test]
fn a_session_carries_every_command() {
    let mut pair = Pair::with_key();
    assert_eq!(pair.controller().owes(BOARD, 0), Some(Command::Handshake));
    pair.open();
    assert_eq!(pair.controller().owes(BOARD, 0), None);
    let unlocked = pair.ask(Command::Unlock(channel(3))).unwrap();
    assert!(
        matches!(unlocked, Content::Unlocked { channel, result: UnlockResult::Taken, door: DoorReading::Open, .. } if channel.number() == 3)
    );
    assert_eq!(pair.pulses, [3]);
    let door = pair.ask(Command::ReadDoor(channel(4)));
    assert_eq!(
        door,
        Some(Content::Door {
            channel: channel(4),
            door: DoorReading::Closed
        })
    );
    assert!(
        matches!(pair.ask(Command::ReadAll { channels: 24 }), Some(Content::State(state)) if state.channels == 24)
    );
    assert!(
        matches!(pair.ask(Command::ReadAll { channels: 16 }), Some(Content::State(state)) if state.channels == 16)
    );
    assert_eq!(pair.ask(Command::ReadVersion), Some(Content::Version([1, 7])));
    let offer = pair.controller().offer(BOARD).unwrap();
    assert_eq!((offer.channels, offer.firmware), (24, [1, 7]));
}

#[test]
fn what_the_family_has_no_code_for_is_not_sent() {
    let mut pair = Pair::with_key();
    assert!(
        pair.request(Command::ReadDoor(channel(1))).is_none(),
        "no session yet"
    );
    pair.open();
    let unlock = pair.request(Command::Unlock(channel(1))).unwrap();
    assert_eq!(
        unlock.len(),
        usize::from(Family::LockerdSecure.profile().unlock_bytes)
    );
    let mut pair = Pair::with_key();
    pair.open();
    assert!(pair.request(Command::UnlockAll).is_none());
    assert!(pair.request(Command::SetReports(true)).is_none());
    assert_eq!(
        pair.controller().owes(BOARD, 0),
        None,
        "the session is still good"
    );
    assert!(pair.request(Command::ReadVersion).is_some());
    assert!(pair.request(Command::ReadVersion).is_none(), "one at a time");
}

#[test]
fn without_dice_or_key_nothing_begins() {
    let mut pair = Pair::with_key();
    pair.codec.controller = firmware_protocol::secure::Controller::new();
    pair.controller().meet(BOARD, Keys::in_force(key(1)));
    assert!(pair.request(Command::Handshake).is_none(), "no dice");
    let mut stranger = Pair::new(Keys::default(), Keys::in_force(key(1)));
    assert_eq!(stranger.ask(Command::Handshake), None);
    assert!(matches!(
        stranger.controller().refusal(BOARD),
        Some(Refusal::UnknownKey(_))
    ));
    assert!(!stranger.controller().is_open(BOARD));
}

#[test]
fn a_request_is_taken_once() {
    let mut pair = Pair::with_key();
    pair.open();
    let unlock = pair.request(Command::Unlock(channel(1))).unwrap();
    assert!(pair.board_hears(&unlock).is_some());
    for _ in 0..3 {
        assert!(pair.board_hears(&unlock).is_none());
    }
    assert_eq!(pair.pulses, [1]);
}

#[test]
fn an_unanswered_request_ends_the_session_and_is_not_sent_again() {
    let mut pair = Pair::with_key();
    pair.open();
    let lost = pair.request(Command::Unlock(channel(1))).unwrap();
    assert_eq!(pair.controller().owes(BOARD, 0), Some(Command::Handshake));
    pair.open();
    assert!(pair.board_hears(&lost).is_none(), "the board has a new session");
    assert!(pair.ask(Command::ReadVersion).is_some());
    assert_eq!(pair.pulses, []);
}

#[test]
fn a_late_answer_does_not_answer_the_next_request() {
    let mut pair = Pair::with_key();
    pair.open();
    let first = pair.request(Command::ReadDoor(channel(1))).unwrap();
    let late = pair.board_hears(&first).unwrap();
    pair.open();
    pair.request(Command::ReadDoor(channel(1))).unwrap();
    assert_eq!(pair.controller_hears(&late), None);
}

#[test]
fn a_reboot_loses_the_session_and_nothing_else() {
    let mut pair = Pair::with_key();
    pair.open();
    pair.ask(Command::Unlock(channel(1))).unwrap();
    pair.reboot();
    let unlock = pair.request(Command::Unlock(channel(2))).unwrap();
    assert!(pair.board_hears(&unlock).is_none());
    pair.open();
    assert_eq!(pair.pulses, [1], "what was lost is not sent again");
    assert!(pair.ask(Command::ReadVersion).is_some());
}

#[test]
fn what_was_held_back_is_worth_nothing_after_two_seconds() {
    let mut pair = Pair::with_key();
    pair.open();
    let held = pair.request(Command::Unlock(channel(1))).unwrap();
    pair.pass(SESSION_MS - 1);
    let mut in_time = pair.clone();
    assert!(in_time.board_hears(&held).is_some());
    pair.pass(1);
    assert!(pair.board_hears(&held).is_none());
    const { assert!(DOUBT_MS < SESSION_MS) };
    assert_eq!(
        in_time.controller().owes(BOARD, DOUBT_MS),
        Some(Command::Handshake)
    );
}

#[test]
fn a_greeting_of_somebody_does_not_end_the_session() {
    let mut pair = Pair::with_key();
    let hello = pair.request(Command::Handshake).unwrap();
    pair.open();
    for _ in 0..5 {
        assert!(pair.board_hears(&hello).is_some(), "anybody may greet");
    }
    assert!(pair.ask(Command::ReadVersion).is_some());
}

#[test]
fn a_key_is_installed_only_while_the_button_is_held() {
    let mut pair = Pair::new(Keys::default(), Keys::default());
    pair.controller().install(BOARD, Key::new(LABEL));
    assert_eq!(pair.ask(Command::Handshake), None);
    assert!(matches!(
        pair.controller().refusal(BOARD),
        Some(Refusal::ButtonNotHeld(_))
    ));
    pair.button(true);
    pair.settle();
    let agreed = pair.controller().candidate(BOARD).unwrap().id();
    assert_eq!(
        pair.controller().owes(BOARD, 0),
        None,
        "waits until the key is kept"
    );
    pair.controller().adopt(BOARD);
    pair.settle();
    pair.button(false);
    assert_eq!(
        pair.controller()
            .keys(BOARD)
            .unwrap()
            .current
            .as_ref()
            .unwrap()
            .id(),
        agreed
    );
    assert_eq!(pair.kept.current.as_ref().unwrap().id(), agreed);
    assert!(pair.ask(Command::Unlock(channel(1))).is_some());
}

#[test]
fn an_installation_ends_with_the_button_and_with_time() {
    for ends in [0, 1] {
        let mut pair = Pair::new(Keys::default(), Keys::default());
        pair.button(true);
        pair.controller().install(BOARD, Key::new(LABEL));
        pair.settle();
        pair.controller().adopt(BOARD);
        if ends == 0 {
            pair.button(false);
            pair.button(true);
        } else {
            pair.pass(INSTALLATION_MS);
        }
        assert_eq!(pair.ask(Command::Handshake), None);
        assert!(pair.kept.current.is_none());
    }
}

#[test]
fn a_stuck_button_and_a_wrong_label_install_nothing() {
    let mut pair = Pair::new(Keys::default(), Keys::default());
    pair.button(true);
    pair.reboot();
    pair.button(true);
    pair.controller().install(BOARD, Key::new(LABEL));
    assert_eq!(pair.ask(Command::Handshake), None, "held since before the start");
    pair.button(false);
    pair.button(true);
    pair.controller().install(BOARD, key(9));
    assert_eq!(pair.ask(Command::Handshake), None, "another board's label");
    assert!(pair.controller().candidate(BOARD).is_none());
}

#[test]
fn a_key_is_replaced_by_way_of_the_old_one_wherever_the_line_breaks() {
    // Which packet of the replacement is lost: the line is cut after so many.
    for lost in 0..8 {
        let mut pair = Pair::with_key();
        let before = pair.kept.current.as_ref().unwrap().id();
        pair.open();
        pair.controller().replace(BOARD);
        pair.lose_after = Some(lost);
        pair.settle();
        if pair.controller().candidate(BOARD).is_some() {
            pair.controller().adopt(BOARD);
        }
        pair.settle();
        pair.lose_after = None;
        pair.reboot();
        pair.open();
        // Whichever key it was: asked again, the newer one is tried first, and the replacement goes on.
        let keys = pair.controller().keys(BOARD).unwrap().clone();
        let agreed = keys.next.is_some();
        pair.controller().meet(BOARD, keys);
        if !agreed {
            pair.controller().replace(BOARD);
            pair.settle();
            pair.controller().adopt(BOARD);
        }
        pair.open();
        assert!(pair.ask(Command::ReadVersion).is_some(), "lost {lost}");
        let now = pair
            .controller()
            .keys(BOARD)
            .unwrap()
            .current
            .as_ref()
            .unwrap()
            .id();
        assert_eq!(pair.kept.current.as_ref().unwrap().id(), now);
        assert_ne!(now, before, "lost {lost}: replaced in the end");
    }
}

#[test]
fn a_replacement_that_somebody_held_back_takes_no_key_from_a_session_that_was_greeted() {
    let agreed = Keys {
        current: Some(key(1)),
        next: Some(key(2)),
    };
    let mut pair = Pair::new(agreed.clone(), agreed);
    pair.request(Command::Handshake).unwrap(); // the newer key's greeting is lost
    pair.open(); // with the older key
    pair.controller().replace(BOARD);
    let held = pair.request(Command::Handshake).unwrap();
    let hello = pair.request(Command::Handshake).unwrap(); // not answered, so it greets: with the newer key
    let welcome = pair.board_hears(&hello).unwrap();
    pair.controller_hears(&welcome).unwrap();
    pair.board_hears(&held);
    assert!(pair.heals(), "both ends have a key in common");
}

#[test]
fn a_board_of_another_version_is_told_from_a_silent_one() {
    let mut later = Pair::with_key();
    later.speak((2, 3));
    later.settle();
    assert!(!later.controller().is_open(BOARD));
    assert!(
        matches!(later.controller().refusal(BOARD), Some(Refusal::NoCommonVersion(offer)) if offer.versions == (2, 3))
    );
    let mut both = Pair::with_key();
    both.speak((1, 3));
    both.open();
    assert!(both.ask(Command::ReadVersion).is_some());
}

#[test]
fn numbers_go_on_beyond_what_the_wire_carries() {
    let mut pair = Pair::with_key();
    pair.open();
    for _ in 0..66_000 {
        assert!(pair.ask(Command::ReadVersion).is_some());
    }
}

#[test]
fn boards_of_every_size_tell_their_state() {
    for channels in 1..=Channel::MAX {
        let mut pair = Pair::with_key();
        pair.resize(channels);
        pair.open();
        let state = match pair.ask(Command::ReadAll { channels }) {
            Some(Content::State(state)) => state,
            other => panic!("{channels}: {other:?}"),
        };
        let BoardState {
            doors: DoorMap { known, .. },
            ..
        } = state;
        assert_eq!(known.count_ones(), u32::from(channels));
    }
}

proptest! {
    #[test]
    fn noise_never_panics_and_never_opens(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
        open in any::<bool>(),
    ) {
        let mut pair = Pair::with_key();
        if open {
            pair.open();
            pair.request(Command::ReadVersion);
        }
        for piece in pieces {
            pair.board_hears(&piece);
            prop_assert_eq!(pair.controller_hears(&piece), None);
        }
        prop_assert_eq!(&pair.pulses, &[0_u8; 0]);
    }

    #[test]
    fn one_altered_bit_is_noticed(position in 0_usize..400, lock in 1_u8..24) {
        let mut pair = Pair::with_key();
        pair.open();
        let mut frame = pair.request(Command::Unlock(channel(lock))).unwrap();
        let at = position % (frame.len() * 8);
        frame[at / 8] ^= 1 << (at % 8);
        pair.board_hears(&frame);
        let touched = at / 8 == 0 || at / 8 == frame.len() - 1;
        // The zero bytes are only marks: a frame whose first one is broken may still be whole.
        prop_assert!(pair.pulses.is_empty() || touched);
    }
}

/// What somebody on the line lets happen while keys are replaced.
#[derive(Debug, Clone)]
enum Deed {
    /// The controller's next step arrives, and its answer.
    Pass,
    /// It is taken off the line.
    Hold,
    /// It arrives, but not its answer.
    HoldAnswer,
    /// Something that was said before is said again: to the board, or to the controller.
    Say(usize),
    Answer(usize),
    Adopt,
    Replace,
    Reboot,
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => Just(Deed::Pass),
        3 => Just(Deed::Hold),
        3 => Just(Deed::HoldAnswer),
        4 => (0_usize..8).prop_map(Deed::Say),
        2 => (0_usize..8).prop_map(Deed::Answer),
        2 => Just(Deed::Adopt),
        2 => Just(Deed::Replace),
        1 => Just(Deed::Reboot),
        1 => (0_u64..1500).prop_map(Deed::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_has_the_line_takes_no_board_away_by_way_of_its_keys(
        story in proptest::collection::vec(deeds(), 1..60),
    ) {
        let mut pair = Pair::with_key();
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for deed in story {
            match deed {
                Deed::Pass | Deed::Hold | Deed::HoldAnswer => {
                    let Some(step) = pair.codec.owes(BOARD, 0) else { continue };
                    let Some(frame) = pair.request(step) else { continue };
                    down.push(frame.clone());
                    let answer = if matches!(deed, Deed::Hold) { None } else { pair.board_hears(&frame) };
                    let Some(answer) = answer else { continue };
                    up.push(answer.clone());
                    if matches!(deed, Deed::Pass) {
                        pair.controller_hears(&answer);
                    }
                }
                Deed::Say(back) => {
                    if let Some(frame) = down.iter().rev().nth(back).cloned() {
                        up.extend(pair.board_hears(&frame));
                    }
                }
                Deed::Answer(back) => {
                    if let Some(frame) = up.iter().rev().nth(back).cloned() {
                        pair.controller_hears(&frame);
                    }
                }
                Deed::Adopt => pair.controller().adopt(BOARD),
                Deed::Replace => pair.controller().replace(BOARD),
                Deed::Reboot => pair.reboot(),
                Deed::Wait(ms) => pair.pass(ms),
            }
        }
        prop_assert!(pair.heals());
        prop_assert_eq!(pair.pulses, Vec::<u8>::new());
    }
}

#[test]
fn the_codec_alone_is_no_board() {
    let mut codec = firmware_protocol::Family::LockerdSecure.codec();
    let station = firmware_protocol::Station {
        board: BOARD,
        channels: 24,
    };
    assert!(matches!(
        codec.scan_request(&[0, 1, 2, 0], station, true),
        Scan::Rubbish { length: 4 }
    ));
    let request = Request {
        board: BOARD,
        sequence: 0,
        command: Command::Handshake,
    };
    assert!(
        codec
            .encode_request(&request, &mut firmware_protocol::Frame::new())
            .is_err()
    );
}
