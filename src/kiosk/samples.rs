//! One view for every screen and every state of it: for tests, screenshots and documents.

use office_protocol::document::Nearby;
use office_protocol::event::{PassRefusal, SecondFactorKind, Size, VisitPurpose};
use office_protocol::{CompartmentId, Timestamp};

use crate::cabinet::screen::{
    Appearance, Done, DoorWork, DropOffs, Notice, ScanProblem, Screen, SessionId, Trouble, View,
};
use crate::cabinet::vocabulary::Monotonic;

mod past;
mod staff;
pub use past::past;

/// The moment at which the samples are looked at.
pub const NOW: Monotonic = Monotonic::from_millis(1_000_000);

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().expect("the samples are written with valid ids")
}

fn time() -> Timestamp {
    Timestamp::from_millis(1_769_850_307_042)
}

fn work(purpose: VisitPurpose) -> DoorWork {
    DoorWork {
        purpose,
        compartment: CompartmentId(17),
        consignment: Some(id("HZ-0001.4711")),
        pulses: 1,
    }
}

/// A name and a view each; all in the appearance of a fresh session, looked at [`NOW`].
pub fn samples() -> Vec<(String, View)> {
    let mut samples = Vec::new();
    let mut add = |name: &str, screen: Screen| {
        let view = View {
            cabinet: id("HZ-0001"),
            session: SessionId(7),
            revision: 42,
            appearance: Appearance::default(),
            screen,
            notices: Vec::new(),
            help_phone: Some("0571-12345".to_owned()),
            reference: Some("HZ-0001-0042".to_owned()),
            until: Some(NOW.plus_millis(47_000)),
        };
        samples.push((name.to_owned(), view));
    };
    citizens(&mut add);
    doors(&mut add);
    staff::screens(&mut add);
    let home = samples
        .iter()
        .find(|(name, _)| name == "home")
        .map(|(_, view)| view.clone());
    if let Some(home) = home {
        let offline = View {
            notices: vec![Notice::Offline],
            until: None,
            ..home.clone()
        };
        samples.push(("home-offline".to_owned(), offline));
        let notices = vec![
            Notice::Offline,
            Notice::ScannerLost,
            Notice::DoorsUnreachable,
            Notice::Full,
            Notice::Unproven,
            Notice::DropOffsRefused,
            Notice::ClockUntrusted,
            Notice::StandsOpen(CompartmentId(7)),
        ];
        let lonely = View {
            notices,
            help_phone: None,
            reference: None,
            ..home
        };
        samples.push(("home-notices".to_owned(), lonely.clone()));
        samples.push((
            "help-no-phone".to_owned(),
            View {
                screen: Screen::Help,
                notices: Vec::new(),
                ..lonely
            },
        ));
    }
    samples
}

fn citizens(add: &mut impl FnMut(&str, Screen)) {
    add(
        "home",
        Screen::Home {
            drop_offs: DropOffs::Open,
        },
    );
    let nearby = vec![
        Nearby {
            cabinet: id("HZ-0002"),
            zh: "港务大厦一楼，约300米".into(),
            en: "Port House, 300 m".into(),
        },
        Nearby {
            cabinet: id("HZ-0003"),
            zh: "科技园东门".into(),
            en: "Science Park, east gate".into(),
        },
    ];
    add(
        "home-closed",
        Screen::Home {
            drop_offs: DropOffs::Closed { nearby },
        },
    );
    add(
        "home-closed-alone",
        Screen::Home {
            drop_offs: DropOffs::Closed { nearby: Vec::new() },
        },
    );
    let wait = Some(NOW.plus_millis(38_000));
    for (name, length, wrong, wait_until) in [
        ("digits", 8, false, None),
        ("digits-wrong", 8, true, None),
        ("digits-wait", 8, true, wait),
        ("digits-twelve", 12, false, None),
        ("digits-twelve-wait", 12, true, wait),
    ] {
        add(
            name,
            Screen::EnterDigits {
                length,
                wrong,
                wait_until,
            },
        );
    }
    for (name, kind) in [
        ("phone", SecondFactorKind::Phone),
        ("pass", SecondFactorKind::Pass),
        ("receipt", SecondFactorKind::Receipt),
    ] {
        add(
            &format!("second-{name}"),
            Screen::EnterSecondFactor {
                kind,
                wrong: false,
                wait_until: None,
            },
        );
        add(
            &format!("second-{name}-wrong"),
            Screen::EnterSecondFactor {
                kind,
                wrong: true,
                wait_until: wait,
            },
        );
        let (reference, qr, digits) = (
            id("HZ-0001.4711"),
            "LP1:HZ-0001:SLIPTOKEN7KQ2M4X9A0B1C".into(),
            "48159263".into(),
        );
        add(
            &format!("slip-{name}"),
            Screen::Slip {
                reference,
                qr,
                digits,
                spare: "3570".into(),
                second: kind,
            },
        );
    }
    for (name, problem) in [
        ("unreadable", ScanProblem::Unreadable),
        ("not-ours", ScanProblem::NotOurs),
        ("elsewhere", ScanProblem::Elsewhere(vec![id("HZ-0815")])),
        (
            "elsewhere-three",
            ScanProblem::Elsewhere(vec![id("HZ-0815"), id("HZ-0816"), id("HZ-0902")]),
        ),
        ("unknown", ScanProblem::UnknownCode),
        ("collected", ScanProblem::AlreadyCollected),
        ("forged", ScanProblem::Pass(PassRefusal::Forged)),
        ("expired", ScanProblem::Pass(PassRefusal::Expired)),
        ("early", ScanProblem::Pass(PassRefusal::TooEarly)),
        ("used", ScanProblem::Pass(PassRefusal::Used)),
        ("revoked", ScanProblem::Pass(PassRefusal::Revoked)),
        ("pass-elsewhere", ScanProblem::Pass(PassRefusal::Elsewhere)),
        ("superseded", ScanProblem::Pass(PassRefusal::Superseded)),
        ("unverifiable", ScanProblem::Pass(PassRefusal::Unverifiable)),
        ("not-inside", ScanProblem::NotInside),
        ("unknown-staff", ScanProblem::UnknownStaff),
        ("no-room", ScanProblem::NoRoom),
        ("busy", ScanProblem::Busy),
    ] {
        add(&format!("scan-{name}"), Screen::ScanProblem(problem));
    }
    add("choose-item", Screen::ChooseItem);
    add(
        "phone",
        Screen::EnterPhone {
            again: false,
            mismatch: false,
        },
    );
    add(
        "phone-again",
        Screen::EnterPhone {
            again: true,
            mismatch: false,
        },
    );
    add(
        "phone-mismatch",
        Screen::EnterPhone {
            again: false,
            mismatch: true,
        },
    );
    for (name, items, choose_size) in [
        ("checklist", vec![id("P-BIRTH-00")], true),
        ("checklist-pass", vec![id("P-HOU-01"), id("P-LIV-01")], false),
        ("checklist-unknown", vec![id("X-1")], false),
    ] {
        let application = (!choose_size).then(|| id("2026-HZ-000815"));
        add(
            name,
            Screen::Checklist {
                items,
                application,
                size: Size::Small,
                choose_size,
            },
        );
    }
    for (name, unverified, second, more) in [
        ("receipt", false, None, 0),
        ("receipt-walk-in", true, Some("6027".to_owned()), 0),
        ("receipt-more", false, None, 2),
    ] {
        let (reference, proof) = (id("HZ-0001.4711"), "LR1:PROOFOFRECEIPT0123456789ABCDEF".repeat(4));
        let (compartment, received) = (CompartmentId(17), time());
        add(
            name,
            Screen::Receipt {
                reference,
                compartment,
                received,
                unverified,
                second,
                proof,
                more,
            },
        );
    }
    for (name, done, more) in [
        ("collected", Done::Collected, 0),
        ("collected-more", Done::Collected, 2),
        ("taken-back", Done::TakenBack, 0),
        ("nothing-put-in", Done::NothingPutIn, 0),
        ("complaint-noted", Done::ComplaintNoted, 0),
    ] {
        add(&format!("done-{name}"), Screen::Done { done, more });
    }
    add("more-time", Screen::MoreTime);
    add("help", Screen::Help);
}

fn doors(add: &mut impl FnMut(&str, Screen)) {
    add("opening", Screen::Opening(work(VisitPurpose::Collection)));
    add(
        "lock-resting",
        Screen::LockResting(work(VisitPurpose::Collection)),
    );
    add("is-door-open", Screen::IsDoorOpen(work(VisitPurpose::Collection)));
    for (name, purpose) in [
        ("drop-off", VisitPurpose::DropOff),
        ("take-back", VisitPurpose::TakeBack),
        ("clearing", VisitPurpose::Clearing),
        ("placing", VisitPurpose::Placing),
        ("collection", VisitPurpose::Collection),
        ("recall", VisitPurpose::Recall),
        ("inspection", VisitPurpose::Inspection),
        ("proving", VisitPurpose::Proving),
    ] {
        for reminder in 0..=2 {
            let (envelope, item_seen) = (
                reminder == 1,
                [None, Some(true), Some(false)][usize::from(reminder)],
            );
            let screen = Screen::DoorOpen {
                work: work(purpose),
                reminder,
                envelope,
                item_seen,
            };
            add(&format!("door-{name}-{reminder}"), screen);
        }
    }
    add("is-it-inside", Screen::IsItInside(work(VisitPurpose::DropOff)));
    add(
        "took-everything",
        Screen::TookEverything {
            work: work(VisitPurpose::Collection),
            more: 0,
        },
    );
    add(
        "took-everything-more",
        Screen::TookEverything {
            work: work(VisitPurpose::Collection),
            more: 2,
        },
    );
    for (name, trouble, purpose) in [
        (
            "stuck-inside",
            Trouble::DoorStuckInside,
            Some(VisitPurpose::Collection),
        ),
        (
            "stuck-no-other",
            Trouble::DoorStuckNoOther,
            Some(VisitPurpose::DropOff),
        ),
        ("full", Trouble::Full, None),
        ("left-open", Trouble::DoorLeftOpen, Some(VisitPurpose::DropOff)),
        ("too-many", Trouble::TooManyUnverified, None),
    ] {
        add(
            &format!("sorry-{name}"),
            Screen::Sorry {
                trouble,
                work: purpose.map(work),
            },
        );
    }
}
