//! The checks against simulated boards on pseudo-terminals: sound boards of every family pass, and each defect fails its check.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family};
use hardware::checks::{
    self, Amounts, Attendant, Check, Commands, Language, OnSite, Plan, Report, Section, Statement, Verdict,
};
use hardware::{BoardFault, BoardSettings, Defect, Grain, Line, LineFault, Port, SimulatedBoard};

const CHANNELS: u8 = 8;
const DICE: [u8; 32] = [7; 32];

fn channel(number: u8) -> Channel {
    Channel::new(number).unwrap()
}

fn key() -> Keys {
    Keys::in_force(Key::new([1; 32]))
}

fn plan(family: Family, directory: &tempfile::TempDir) -> Plan {
    let profile = family.profile();
    Plan {
        name: "a test's bench".to_owned(),
        path: directory.path().join("board"),
        family,
        baud: profile.baud.unwrap_or(9600),
        echo: false,
        rs485: true,
        board: Board(profile.boards.0 + 1),
        channels: CHANNELS,
        locks: vec![channel(1), channel(3)],
        inverted: false,
        reports: None,
        cool_down_ms: 0,
        keys: profile.protected.then(key),
        amounts: Amounts {
            timed_reads: 12,
            endurance_reads: 24,
            endurance_openings: 1,
            power_back_ms: 3000,
        },
        commands: Commands::default(),
    }
}

fn settings(plan: &Plan) -> BoardSettings {
    BoardSettings::new(plan.family, plan.board, plan.channels)
}

fn board(settings: BoardSettings) -> SimulatedBoard {
    let board = SimulatedBoard::new(settings, 1);
    if board.is_protected() {
        board.secured(Key::new([9; 32]), [3; 8], key())
    } else {
        board
    }
}

fn spawn(plan: &Plan, boards: Vec<SimulatedBoard>) -> Port<Line> {
    Port::spawn(Line::new(boards, plan.baud, Grain::Bytes, 1), &plan.path).unwrap()
}

/// All checks of a board that is like this plan but for `change`, with these faults.
async fn check(plan: &Plan, change: impl FnOnce(&mut BoardSettings), faults: &[BoardFault]) -> Report {
    check_some(plan, change, faults, &Check::ALL).await
}

async fn check_some(
    plan: &Plan,
    change: impl FnOnce(&mut BoardSettings),
    faults: &[BoardFault],
    some: &[Check],
) -> Report {
    let mut settings = settings(plan);
    change(&mut settings);
    // A name of its own: the one before may go only after this one has come.
    let directory = tempfile::tempdir_in(plan.path.parent().unwrap()).unwrap();
    let plan = &Plan {
        path: directory.path().join("board"),
        ..plan.clone()
    };
    let port = spawn(plan, vec![board(settings)]);
    for fault in faults {
        assert!(port.board_fault(plan.board, *fault).await.unwrap());
    }
    let attendant = Attendant::Simulated(&port, plan.board);
    checks::run(plan, attendant, some, DICE, |_| ()).await
}

fn section(report: &Report, check: Check) -> &Section {
    report
        .checks
        .iter()
        .find(|section| section.check == check)
        .unwrap()
}

fn failed(report: &Report) -> Vec<Check> {
    let failed = report
        .checks
        .iter()
        .filter(|section| section.verdict == Verdict::Failed);
    failed.map(|section| section.check).collect()
}

fn says(report: &Report, check: Check, fits: impl Fn(&Statement) -> bool) -> bool {
    section(report, check)
        .failures
        .iter()
        .any(|failure| fits(&failure.statement))
}

#[tokio::test]
async fn a_sound_board_of_every_family_passes() {
    let one = async |family: Family| {
        let directory = tempfile::tempdir().unwrap();
        let plan = plan(family, &directory);
        let report = check(&plan, |_| (), &[]).await;
        let text = report.markdown(Language::En);
        for section in &report.checks {
            let unheard_of = section.check == Check::Reports && !family.profile().reports;
            let wanted = if unheard_of {
                Verdict::NotDone
            } else {
                Verdict::Passed
            };
            assert_eq!(section.verdict, wanted, "{}: {text}", family.name());
        }
        let tells = matches!(family, Family::Kecheng | Family::LockerdSecure);
        assert_eq!(
            report.firmware.as_deref(),
            tells.then_some("01 00"),
            "{}",
            family.name()
        );
        assert!(text.contains(family.name()) && text.contains("median"), "{text}");
    };
    let mut all = Vec::new();
    for family in Family::ALL {
        all.push(one(*family));
    }
    futures(all).await;
}

/// Runs them side by side: what they wait for is a slow wire.
async fn futures(all: Vec<impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn each_fault_fails_its_check_and_no_other() {
    type Says = fn(&Statement) -> bool;
    let lock = |defect| BoardFault::Lock(channel(3), defect, true);
    let cases: [(BoardFault, Check, Says); 8] = [
        (BoardFault::Silent(true), Check::Read, |said| {
            *said == Statement::NoAnswer
        }),
        (BoardFault::Garbled(100), Check::Read, |said| {
            *said == Statement::WrongAnswer
        }),
        (
            BoardFault::Late(Duration::from_millis(300)),
            Check::Timing,
            |said| {
                matches!(
                    said,
                    Statement::Slow {
                        documented_ms: 200,
                        ..
                    }
                )
            },
        ),
        (lock(Defect::StuckDoor), Check::Unlock, |said| {
            *said == Statement::DoorStaysShut { lock: 3 }
        }),
        (lock(Defect::WeldedLock), Check::Unlock, |said| {
            *said == Statement::DoorStaysShut { lock: 3 }
        }),
        (lock(Defect::DeadSensor), Check::Polarity, |said| {
            *said == Statement::SensorStuck { lock: 3 }
        }),
        (lock(Defect::OpensAtStart), Check::Power, |said| {
            *said == Statement::DoorMovedByPower { lock: 3 }
        }),
        (BoardFault::Clogging(true), Check::Noise, |said| {
            matches!(said, Statement::DeafAfter { .. })
        }),
    ];
    let one = async |(fault, wanted, fits): (BoardFault, Check, Says)| {
        let directory = tempfile::tempdir().unwrap();
        let report = check(&plan(Family::Shuoming, &directory), |_| (), &[fault]).await;
        let text = report.markdown(Language::En);
        assert_eq!(failed(&report), [wanted], "{fault:?}: {text}");
        assert!(says(&report, wanted, fits), "{fault:?}: {text}");
        // What follows a board that does not answer is not done; a lock that stays shut proves no sensor.
        let undone = report
            .checks
            .iter()
            .filter(|section| section.verdict == Verdict::NotDone);
        let undone: Vec<Check> = undone.map(|section| section.check).collect();
        match wanted {
            Check::Read => assert_eq!(undone, Check::ALL[1..]),
            Check::Unlock => assert_eq!(undone, [Check::Polarity]),
            Check::Noise => assert_eq!(undone, [Check::Power, Check::Timing, Check::Endurance]),
            Check::Polarity | Check::Reports | Check::Power | Check::Timing | Check::Endurance => {
                assert_eq!(undone, [], "{text}")
            }
        }
    };
    futures(cases.into_iter().map(one).collect()).await;
}

#[tokio::test]
async fn a_failure_is_shown_with_its_exact_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(Family::Shuoming, &directory);
    let report = check(&plan, |_| (), &[BoardFault::Silent(true)]).await;
    let bytes = section(&report, Check::Read).failures[0].bytes.clone().unwrap();
    assert_eq!(
        (bytes.sent.as_str(), bytes.heard.as_str()),
        ("80 02 00 33 B1", "")
    );
    assert!(report.markdown(Language::Zh).contains("发 `80 02 00 33 B1`"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["checks"][0]["failures"][0]["says"], "no-answer");
    assert_eq!(json["checks"][1]["reason"]["check"], "read");
}

#[tokio::test]
async fn now_and_then_a_garbled_answer_fails_the_endurance() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = plan(Family::Shuoming, &directory);
    plan.amounts.endurance_reads = 40;
    let port = spawn(&plan, vec![board(settings(&plan))]);
    port.board_fault(plan.board, BoardFault::Garbled(20))
        .await
        .unwrap();
    let attendant = Attendant::Simulated(&port, plan.board);
    let report = checks::run(&plan, attendant, &[Check::Endurance], DICE, |_| ()).await;
    assert_eq!(failed(&report), [Check::Endurance]);
    let lost = |said: &Statement| matches!(said, Statement::Lost { lost: 1.., of: 40 });
    assert!(section(&report, Check::Endurance).remarks.iter().any(lost));
    let bytes = section(&report, Check::Endurance).failures[0]
        .bytes
        .clone()
        .unwrap();
    assert!(!bytes.heard.is_empty());
}

#[tokio::test]
async fn switches_of_the_other_kind_fail_the_polarity_with_the_setting_that_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(Family::Wkly, &directory);
    let report = check_some(
        &plan,
        |settings| settings.inverted = Channel::bits(CHANNELS),
        &[],
        &[Check::Unlock, Check::Polarity],
    )
    .await;
    assert!(failed(&report).contains(&Check::Polarity));
    let right = |said: &Statement| {
        matches!(
            said,
            Statement::Inverted {
                set_inverted: true,
                ..
            }
        )
    };
    assert!(
        says(&report, Check::Polarity, right),
        "{}",
        report.markdown(Language::En)
    );
}

#[tokio::test]
async fn reports_are_compared_with_what_the_bench_says_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = plan(Family::Shuoming, &directory);
    for (board, wanted, wrong) in [
        (false, true, Some(Statement::NotReported { lock: 1 })),
        (true, false, Some(Statement::ReportsUnwanted)),
        (true, true, None),
        (false, false, None),
    ] {
        plan.reports = Some(wanted);
        let report = check_some(&plan, |settings| settings.reports = board, &[], &[Check::Reports]).await;
        let section = section(&report, Check::Reports);
        let said: Vec<&Statement> = section
            .failures
            .iter()
            .map(|failure| &failure.statement)
            .collect();
        assert_eq!(
            said,
            wrong.iter().collect::<Vec<_>>(),
            "{}",
            report.markdown(Language::En)
        );
        assert!(section.reason.is_none());
    }
}

#[tokio::test]
async fn two_boards_at_one_address_and_a_stranger_fail_the_reads() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(Family::Shuoming, &directory);
    let twin = BoardSettings {
        reply: Duration::from_millis(20),
        ..settings(&plan)
    };
    let port = spawn(&plan, vec![board(settings(&plan)), board(twin)]);
    let report = checks::run(
        &plan,
        Attendant::Simulated(&port, plan.board),
        &[Check::Read],
        DICE,
        |_| (),
    )
    .await;
    assert!(says(&report, Check::Read, |said| *said == Statement::SecondAnswer));
    let second = tempfile::tempdir().unwrap();
    let plan = self::plan(Family::Shuoming, &second);
    let stranger = BoardSettings::new(plan.family, Board(plan.board.0 + 1), CHANNELS);
    let port = spawn(&plan, vec![board(settings(&plan)), board(stranger)]);
    let report = checks::run(
        &plan,
        Attendant::Simulated(&port, plan.board),
        &[Check::Read],
        DICE,
        |_| (),
    )
    .await;
    assert!(says(&report, Check::Read, |said| *said
        == Statement::StrangerAnswers { address: 3 }));
}

#[tokio::test]
async fn an_adapter_that_echoes_is_no_board_that_answers_wrongly() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = plan(Family::Kecheng, &directory);
    plan.echo = true;
    let port = spawn(&plan, vec![board(settings(&plan))]);
    port.line_fault(LineFault::Echoing(true)).await.unwrap();
    let attendant = Attendant::Simulated(&port, plan.board);
    let report = checks::run(&plan, attendant, &[Check::Read, Check::Unlock], DICE, |_| ()).await;
    assert_eq!(failed(&report), [], "{}", report.markdown(Language::En));
}

#[tokio::test]
async fn what_nobody_can_do_is_not_done_and_what_a_command_does_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = plan(Family::Shuoming, &directory);
    plan.commands.power_off = Some("exit 3".to_owned());
    let port = spawn(&plan, vec![board(settings(&plan))]);
    let site = OnSite::new(plan.commands.clone(), None);
    let report = checks::run(&plan, Attendant::OnSite(site), &Check::ALL, DICE, |_| ()).await;
    assert_eq!(failed(&report), [], "{}", report.markdown(Language::En));
    let reason = |check| section(&report, check).reason.clone();
    assert!(matches!(reason(Check::Polarity), Some(Statement::Nobody { .. })));
    assert!(
        section(&report, Check::Unlock).verdict == Verdict::Passed,
        "readings show that the doors open"
    );
    assert!(report.incomplete());
    // Closed by hand, the power can be cut by the command, which fails.
    for lock in [1, 3] {
        port.hand(plan.board, channel(lock), hardware::Hand::Close)
            .await
            .unwrap();
    }
    let site = OnSite::new(plan.commands.clone(), None);
    let report = checks::run(&plan, Attendant::OnSite(site), &[Check::Power], DICE, |_| ()).await;
    assert!(matches!(
        &section(&report, Check::Power).reason,
        Some(Statement::CommandFailed { command, .. }) if command == "exit 3"
    ));
}

#[tokio::test]
async fn a_port_that_is_not_there_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(Family::Shuoming, &directory);
    let site = OnSite::new(Commands::default(), None);
    let report = checks::run(&plan, Attendant::OnSite(site), &Check::ALL, DICE, |_| ()).await;
    assert!(
        report
            .checks
            .iter()
            .all(|section| section.verdict == Verdict::NotDone)
    );
    assert!(matches!(
        report.checks[0].reason,
        Some(Statement::PortGone { .. })
    ));
}

#[test]
fn the_example_of_a_bench_can_be_used_and_mistakes_are_named() {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/bench.toml");
    let plan = Plan::load(&example).unwrap();
    assert_eq!((plan.family, plan.locks.len()), (Family::Shuoming, 3));
    let text = std::fs::read_to_string(&example).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.toml");
    for (from, to, problem) in [
        ("8a80-shuoming", "9a90", "port.family"),
        ("address = 1", "address = 77", "board.address"),
        ("channels = 24", "channels = 60", "board.channels"),
        ("[1, 2, 3]", "[25]", "board.locks"),
        ("echo =", "eco =", "unknown field `eco`"),
        ("8a80-shuoming", "dongcheng", ""),
        ("8a80-shuoming", "lockerd-secure", "board.key-file"),
    ] {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let said = Plan::load(&path)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(said.contains(problem), "{said}");
    }
}
