//! The bus master with boards of every family, in memory with virtual time: what is special about each, several together, bad input.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use firmware_protocol::{Answer, Board, BoardState, Codec, Content, DoorMap, Family, Frame, UnlockAnswer};
use hardware::{BoardFault, BoardSettings, Grain, Hand, Line, LineInput, SimulatedBoard};
use lockerd::boards::Work;
use lockerd::boards::layout::PortIndex;
use lockerd::boards::master::{BusInput, BusSettings, Echo, Life};
use lockerd::cabinet::vocabulary::{Input, UnlockOutcome};
use office_protocol::event::TamperSource;
use office_protocol::{BoardId, CompartmentId};

mod lock_bus_rig;

use lock_bus_rig::{Rig, baud, board, channel, families, line};

#[test]
fn boards_of_every_family_are_found_and_their_doors_open_and_close() {
    for family in families() {
        let name = family.name();
        let mut rig = Rig::new(&[vec![board(family, 0), board(family, 1)]]);
        rig.hand(2, 3, Hand::Force);
        rig.run(2000);
        let doors = rig.doors();
        assert_eq!(doors.len(), 16, "{name}");
        assert!(
            doors
                .iter()
                .all(|(number, open, first)| *first && *open == (*number == 203)),
            "{name}"
        );
        rig.reports.clear();
        rig.unlock(105, 1);
        rig.run(1500);
        let answered = match family.profile().unlock_answer {
            UnlockAnswer::Never => UnlockOutcome::Sent,
            UnlockAnswer::Always | UnlockAnswer::Sometimes => UnlockOutcome::Acknowledged,
        };
        let outcomes = rig.outcomes();
        assert!(
            outcomes == [(1, answered)] || outcomes == [(1, UnlockOutcome::Opened)],
            "{name}: {outcomes:?}"
        );
        assert_eq!(rig.doors(), [(105, true, false)], "{name}");
        assert!(rig.hand(1, 5, Hand::Close), "{name}");
        rig.run(1500);
        assert_eq!(rig.doors().last(), Some(&(105, false, false)), "{name}");
        let view = rig.lines[0].view();
        assert_eq!((view.pulses, view.collisions, view.overlaps), (1, 0, 0), "{name}");
        let bus = rig.master.view();
        assert_eq!(bus.ports[0].echo, Echo::Proven, "{name}");
        assert!(
            bus.boards.iter().all(|board| board.statistics.answered > 5
                && board.statistics.unanswered == 0
                && board.slowest_ms.is_some()),
            "{name}: {bus:?}"
        );
    }
}

#[test]
fn every_family_survives_a_silent_board_and_an_unlock_to_it() {
    for family in families() {
        let name = family.name();
        let mut rig = Rig::settled(family);
        rig.set(1, BoardFault::Silent(true));
        rig.run(5000);
        assert!(
            rig.reports
                .iter()
                .any(|report| matches!(report, Input::BoardLost { board: BoardId(1) })),
            "{name}"
        );
        rig.unlock(101, 1);
        rig.unlock(202, 2);
        rig.run(3500);
        let how = match family.profile().unlock_answer {
            UnlockAnswer::Always => UnlockOutcome::Uncertain,
            UnlockAnswer::Sometimes | UnlockAnswer::Never => UnlockOutcome::Sent,
        };
        let outcomes = rig.outcomes();
        assert!(outcomes.contains(&(1, how)), "{name}: {outcomes:?}");
        assert_eq!(outcomes.len(), 2, "{name}: {outcomes:?}");
        rig.set(1, BoardFault::Silent(false));
        rig.run(31_000);
        assert_eq!(rig.master.view().boards[0].life, Life::Healthy, "{name}");
        assert!(
            rig.doors().contains(&(101, true, true)),
            "{name}: found open, never forced"
        );
    }
}

#[test]
fn firmware_that_says_nothing_to_an_unlock_is_not_held_against_its_board() {
    let quiet = BoardSettings {
        unlock_answered: false,
        ..board(Family::Cu16, 0)
    };
    let mut rig = Rig::new(&[vec![quiet]]);
    rig.run(2000);
    for pulse in 0..5 {
        rig.unlock(101 + pulse, pulse.into());
        rig.run(1500);
    }
    assert!(
        rig.outcomes()
            .iter()
            .all(|(_, outcome)| *outcome == UnlockOutcome::Sent)
    );
    assert_eq!(rig.outcomes().len(), 5);
    let lost = |report: &Input| matches!(report, Input::BoardLost { .. });
    assert!(!rig.reports.iter().any(lost));
}

#[test]
fn a_board_that_refuses_because_the_lock_cools_down_is_believed() {
    let warm = BoardSettings {
        cool_down: Duration::from_secs(60),
        ..board(Family::Winnsen, 0)
    };
    let mut rig = Rig::new(&[vec![warm]]);
    rig.run(2000);
    rig.unlock(103, 1);
    rig.run(5000);
    rig.unlock(103, 2);
    rig.run(3000);
    let outcomes = rig.outcomes();
    assert_eq!(
        outcomes,
        [(1, UnlockOutcome::Acknowledged), (2, UnlockOutcome::Refused)]
    );
    assert_eq!(rig.pulses(), 1);
}

#[test]
fn relays_that_may_have_been_left_on_are_put_at_rest_once_and_first() {
    let mut rig = Rig::new(&[vec![board(Family::ModbusRelay, 0), board(Family::ModbusRelay, 1)]]);
    rig.run(10_000);
    rig.unlock(101, 1);
    rig.run(3000);
    let off: Vec<usize> = (0..rig.sent.len())
        .filter(|index| rig.sent[*index][1..4] == [0x05, 0x00, 0xFF])
        .collect();
    assert_eq!(off, [0, 1], "before anything else, and never again");
    assert!(
        rig.sent
            .iter()
            .any(|frame| *frame == [0x01, 0x05, 0x02, 0x00, 0x00, 0x07, 0x8D, 0xB0])
    );
    assert_eq!(rig.outcomes(), [(1, UnlockOutcome::Acknowledged)]);
}

#[test]
fn a_lost_word_to_rest_is_said_again_and_a_board_that_never_heard_of_it_is_read_all_the_same() {
    let off = |rig: &Rig| {
        rig.sent
            .iter()
            .filter(|frame| frame[1..4] == [0x05, 0x00, 0xFF])
            .count()
    };
    let mut rig = Rig::new(&[vec![board(Family::ModbusRelay, 0)]]);
    rig.set(1, BoardFault::Silent(true)); // the first word is on its way
    rig.run(50);
    rig.set(1, BoardFault::Silent(false));
    rig.run(10_000);
    assert_eq!(off(&rig), 2, "until it is answered, and no more");
    let mut rig = Rig::new(&[vec![board(Family::ModbusRelay, 0)]]);
    for _ in 0..1000 {
        let last = rig.sent.last().map(Vec::as_slice);
        let silent = last.is_some_and(|frame| frame[1..4] == [0x05, 0x00, 0xFF]);
        rig.set(1, BoardFault::Silent(silent));
        rig.run(10);
    }
    assert_eq!(off(&rig), 3);
    assert_eq!(rig.master.view().boards[0].life, Life::Healthy);
    assert_eq!(rig.doors().len(), 8);
}

#[test]
fn an_echo_that_could_be_an_answer_tells_nothing() {
    // Eight locks: the request for all of them is what a board would say of eight open doors. First with a board, then without.
    for silent in [false, true] {
        let mut rig = Rig::new(&[vec![board(Family::Shuoming, 0)]]);
        rig.run(2000);
        assert_eq!(rig.master.view().ports[0].echo, Echo::Proven);
        rig.echo(true);
        rig.set(1, BoardFault::Silent(silent));
        rig.give(BusInput::Lost(PortIndex(0)));
        rig.run(2000);
        rig.reports.clear();
        rig.give(BusInput::Opened(PortIndex(0)));
        rig.run(20_000);
        let told = |report: &&Input| matches!(report, Input::EchoWrong { echoes: true, .. });
        let told = rig.reports.iter().filter(told).count();
        let seen = (rig.master.view().ports[0].echo, told, rig.doors().len());
        if silent {
            assert_eq!(seen, (Echo::Unproven, 0, 0));
        } else {
            assert_eq!(seen, (Echo::Contradicted, 1, 8));
            assert!(rig.doors().iter().all(|(_, open, _)| !open), "another adapter");
            rig.echo(false);
            rig.give(BusInput::Work(&Work::Watch(vec![CompartmentId(103)])));
            rig.run(5000);
            let right = |report: &&Input| matches!(report, Input::EchoRight { .. });
            assert_eq!(rig.reports.iter().filter(right).count(), 1);
        }
    }
}

#[test]
fn a_board_that_pulses_longer_than_its_family_keeps_its_supply_longer() {
    let slow = BoardSettings {
        pulse: Duration::from_millis(1500),
        ..board(Family::Wkly, 0)
    };
    let mut rig = Rig::new(&[vec![slow]]);
    rig.run(2000);
    rig.unlock(101, 1);
    rig.unlock(102, 2);
    let overlaps = (0..400).filter(|_| {
        rig.run(10);
        rig.driven() > 1
    });
    assert_eq!((overlaps.count(), rig.pulses()), (0, 2));
}

#[test]
fn items_the_case_and_shocks_are_told_when_they_change() {
    for family in [Family::Cu16, Family::Dongcheng] {
        let mut rig = Rig::new(&[vec![board(family, 0)]]);
        rig.run(2000);
        let items = |rig: &Rig| -> Vec<(u16, bool)> {
            let item = |report: &Input| match report {
                Input::ItemRead { compartment, present } => Some((compartment.0, *present)),
                _ => None,
            };
            rig.reports.iter().filter_map(item).collect()
        };
        assert_eq!(items(&rig).len(), 8, "all of them once");
        rig.reports.clear();
        rig.unlock(104, 1);
        rig.run(1000);
        assert!(rig.hand(1, 4, Hand::PutIn));
        rig.run(1000);
        assert_eq!(items(&rig), [(104, true)]);
    }
    let mut rig = Rig::new(&[vec![board(Family::Dongcheng, 0)]]);
    rig.run(2000);
    let tampering = |rig: &Rig| -> Vec<TamperSource> {
        let source = |report: &Input| match report {
            Input::Tampered { source } => Some(*source),
            _ => None,
        };
        rig.reports.iter().filter_map(source).collect()
    };
    rig.set(1, BoardFault::CaseOpen(true));
    rig.run(3000);
    rig.set(1, BoardFault::Shaken(true));
    rig.run(3000);
    assert_eq!(
        tampering(&rig),
        [TamperSource::Contact, TamperSource::Shock],
        "once each"
    );
    rig.set(1, BoardFault::CaseOpen(false));
    rig.run(1000);
    rig.set(1, BoardFault::CaseOpen(true));
    rig.run(1000);
    assert_eq!(tampering(&rig).len(), 3, "anew when it was opened anew");
}

#[test]
fn lines_of_several_families_and_speeds_share_one_supply_one_solenoid_at_a_time() {
    let mut rig = Rig::new(&[
        vec![board(Family::Shuoming, 0), board(Family::Shuoming, 1)],
        vec![board(Family::Cu48, 0)],
        vec![board(Family::ModbusRelay, 0)],
        vec![board(Family::Winnsen, 0)],
    ]);
    rig.run(3000);
    assert_eq!(rig.doors().len(), 40);
    rig.reports.clear();
    let wanted = [101, 301, 401, 501, 202];
    for (seq, compartment) in (1..).zip(wanted) {
        rig.unlock(compartment, seq);
        for _ in 0..80 {
            rig.run(10);
            assert!(rig.driven() <= 1, "a supply drives one solenoid");
        }
        rig.run(500);
    }
    assert_eq!(rig.pulses(), 5);
    let opened: Vec<u16> = rig.doors().iter().map(|(number, ..)| *number).collect();
    assert_eq!(opened, wanted);
    // All at once: what one supply can do in two seconds, and the rest is said to be not sent.
    rig.reports.clear();
    for (seq, compartment) in (11..).zip([105, 305, 405, 505, 205]) {
        rig.unlock(compartment, seq);
    }
    for _ in 0..400 {
        rig.run(10);
        assert!(rig.driven() <= 1);
    }
    let outcomes = rig.outcomes();
    let not_sent = outcomes
        .iter()
        .filter(|(_, how)| matches!(how, UnlockOutcome::NotSent | UnlockOutcome::Resting { .. }));
    assert_eq!(rig.pulses() - 5 + u32::try_from(not_sent.count()).unwrap(), 5);
    assert_eq!(outcomes.len(), 5);
}

#[test]
fn a_dead_line_holds_up_no_other() {
    let mut rig = Rig::new(&[vec![board(Family::Shuoming, 0)], vec![board(Family::Cu16, 0)]]);
    rig.run(2000);
    rig.set(1, BoardFault::Silent(true));
    let before = rig.master.view().boards[1].statistics.answered;
    rig.run(10_000);
    assert!(rig.master.view().boards[1].statistics.answered - before >= 19);
}

/// What boards of every other family say, one frame each.
fn strangers(family: Family, to: Board) -> Vec<u8> {
    let mut all = Vec::new();
    let kin = |other: &Family| other.name().split('-').next() != family.name().split('-').next();
    for other in families().filter(kin) {
        let doors = DoorMap {
            known: 0xFF,
            open: 0xFF,
        };
        let state = BoardState {
            channels: 8,
            doors,
            ..BoardState::default()
        };
        let mut frame = Frame::new();
        let answer = Answer {
            board: to,
            sequence: 1,
            content: Content::State(state),
        };
        if other.codec().encode_answer(&answer, &mut frame).is_ok() {
            all.extend_from_slice(&frame);
        }
    }
    all
}

#[test]
fn frames_of_other_families_and_other_addresses_are_no_answers() {
    for family in families() {
        let mut rig = Rig::settled(family);
        rig.set(1, BoardFault::Silent(true));
        rig.set(2, BoardFault::Silent(true));
        let strange = strangers(family, rig.boards[0].1.address);
        for _ in 0..50 {
            rig.lines[0].handle(LineInput::Noise(&strange), rig.now, &mut Vec::new());
            rig.run(400);
        }
        assert_eq!(rig.doors(), [], "{}", family.name());
        let statistics = rig.master.view().boards[0].statistics;
        assert!(
            statistics.unanswered + statistics.garbled > 0,
            "{}: {statistics:?}",
            family.name()
        );
    }
    // Another board answers what this one was asked.
    let mut rig = Rig::settled(Family::Shuoming);
    rig.set(1, BoardFault::Silent(true));
    for _ in 0..20 {
        let other = [0x80, 0x02, 0x00, 0x33, 0x80 ^ 0x02 ^ 0x33];
        rig.lines[0].handle(LineInput::Noise(&other), rig.now, &mut Vec::new());
        rig.run(77);
    }
    let known: Vec<u16> = rig.doors().iter().map(|(number, ..)| *number).collect();
    assert!(known.iter().all(|number| number / 100 != 1), "{known:?}");
}

#[test]
fn a_bitmap_shorter_than_the_configured_locks_is_refused() {
    for (family, has, configured) in [
        (Family::Shuoming, 8, 24),
        (Family::Wkly, 8, 24),
        (Family::Dongcheng, 8, 24),
    ] {
        let settings = BoardSettings {
            channels: configured,
            ..board(family, 0)
        };
        let mut rig = Rig::new(&[vec![settings]]);
        let smaller = BoardSettings {
            channels: has,
            ..settings
        };
        rig.lines[0] = line(family, &[smaller]);
        rig.run(20_000);
        assert_eq!(rig.doors(), [], "{}", family.name());
        assert_eq!(rig.shared(), [], "{}", family.name());
        assert_eq!(
            rig.master.view().boards[0].life,
            Life::Quarantined,
            "{}",
            family.name()
        );
    }
}

/// Two boards at the first address: one has door 2 open, the other door 1, and thinks so much longer.
fn twins(family: Family, longer: Duration) -> Line {
    let settings = board(family, 0);
    let slower = BoardSettings {
        reply: settings.reply + longer,
        ..settings
    };
    let mut first = SimulatedBoard::new(settings, 1);
    let mut second = SimulatedBoard::new(slower, 2);
    first.hand(channel(2), Hand::Force, Duration::ZERO);
    second.hand(channel(1), Hand::Force, Duration::ZERO);
    Line::new(vec![first, second], baud(family), Grain::Frames, 7)
}

#[test]
fn no_lock_is_pulsed_after_its_time_not_even_by_the_last_byte() {
    for family in families() {
        let (mut in_time, mut too_late) = (0, 0);
        let mut rig = Rig::settled(family);
        for (seq, millis) in (1..).zip([1, 2, 4, 5, 6, 7, 8, 9, 11, 15, 25, 50, 100, 300]) {
            let before = rig.pulses();
            rig.unlock_within(101, seq, millis);
            rig.run(millis + 1);
            let pulsed = rig.pulses() - before;
            rig.run(30_000);
            let what = format!("{} within {millis} ms", family.name());
            assert_eq!(rig.pulses() - before, pulsed, "{what}");
            let not_sent = rig.outcomes().contains(&(seq, UnlockOutcome::NotSent));
            assert_eq!(pulsed == 0, not_sent, "{what}");
            (in_time, too_late) = (in_time + pulsed, too_late + u32::from(not_sent));
        }
        assert!(in_time > 0 && too_late > 0, "{}", family.name());
    }
}

#[test]
fn two_boards_on_one_address_are_named_and_neither_is_unlocked() {
    for family in families() {
        // After each other, partly and wholly over each other: then two answers without a checksum make a third.
        let checked = family != Family::Winnsen;
        for longer in [40, 3, 0].into_iter().filter(|longer| checked || *longer > 0) {
            let what = format!("{} {longer}", family.name());
            let mut rig = Rig::new(&[vec![board(family, 0)]]);
            rig.run(3000);
            rig.reports.clear();
            rig.lines[0] = twins(family, Duration::from_millis(longer));
            rig.run(15_000);
            let address = rig.boards[0].1.address.0;
            assert_eq!(rig.shared(), [(1, "locks-0".to_owned(), address)], "{what}");
            assert!(rig.master.view().boards[0].shared, "{what}");
            rig.unlock(102, 9);
            rig.run(1000);
            assert_eq!(rig.outcomes(), [(9, UnlockOutcome::NotSent)], "{what}");
            assert_eq!(rig.pulses(), 0, "{what}");
            rig.lines[0] = line(family, &[board(family, 0)]);
            rig.run(30_000);
            let alone = |report: &Input| matches!(report, Input::AddressAlone { board: BoardId(1) });
            assert_eq!(
                rig.reports.iter().filter(|report| alone(report)).count(),
                1,
                "{what}"
            );
            rig.unlock(102, 10);
            rig.run(3000);
            assert_eq!(rig.pulses(), 1, "{what}");
        }
    }
}

/// The processor's time that this thread has had.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

#[test]
fn a_minute_of_noise_at_full_speed_costs_little_and_is_over_within_one_sweep() {
    for family in Family::ALL.iter().copied() {
        let mut rig = Rig::settled(family);
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        let began = spent();
        for _ in 0..6000 {
            let chunk: Vec<u8> = (0..115).map(|_| noise()).collect();
            rig.give(BusInput::Received(PortIndex(0), &chunk));
            rig.run(10);
        }
        // Of the processor, not of the wall's clock: other programs run here as well. A tenth of a core, unoptimized.
        let took = spent() - began;
        assert!(took < Duration::from_secs(6), "{}: {took:?}", family.name());
        assert_eq!((rig.pulses(), rig.doors()), (0, vec![]), "{}", family.name());
        assert_eq!(rig.shared(), [], "{}", family.name());
        rig.reports.clear();
        rig.run(BusSettings::default().sweep_ms);
        let bus = rig.master.view();
        assert!(
            bus.boards.iter().all(|board| board.life == Life::Healthy),
            "{}: {bus:?}",
            family.name()
        );
        println!("a minute of noise, {}: {took:?}", family.name());
    }
}
