//! What staff are shown.

use office_protocol::event::{Size, StaffRole, Subject, VisitPurpose, WithdrawReason};
use office_protocol::state::BoardRefusal;
use office_protocol::{BoardId, CompartmentId};

use super::{NOW, id, time, work};
use crate::cabinet::screen::{
    BoardRow, Commissioning, CompartmentRow, KeyStep, LabelProblem, RoundRow, Screen, Writing,
};
use crate::cabinet::vocabulary::{KeyProblem, Unwritten};

pub(super) fn screens(add: &mut impl FnMut(&str, Screen)) {
    let wait_until = Some(NOW.plus_millis(38_000));
    add(
        "pin",
        Screen::EnterPin {
            staff: id("C-017"),
            wrong: false,
            wait_until: None,
        },
    );
    add(
        "pin-wrong",
        Screen::EnterPin {
            staff: id("C-017"),
            wrong: true,
            wait_until,
        },
    );
    for (name, role) in [
        ("courier", StaffRole::Courier),
        ("technician", StaffRole::Technician),
    ] {
        let screen = Screen::StaffHome {
            staff: id("C-017"),
            role,
            to_clear: 5,
            to_recall: 2,
            unconfirmed: 1,
            to_prove: 3,
            rewired: 2,
            free: [9, 4, 2],
        };
        add(&format!("staff-{name}"), screen);
    }
    let row = |n: u16| RoundRow {
        compartment: CompartmentId(n),
        consignment: (n != 4).then(|| id(&format!("HZ-0001.47{n:02}"))),
        since: time(),
        unconfirmed: n == 3,
    };
    for (name, purpose, rows) in [
        ("clearing", VisitPurpose::Clearing, 9),
        ("recall", VisitPurpose::Recall, 4),
        ("inspection", VisitPurpose::Inspection, 0),
        ("proving", VisitPurpose::Proving, 4),
    ] {
        add(
            &format!("round-{name}"),
            Screen::Round {
                purpose,
                rows: (1..=rows).map(row).collect(),
                done: 3,
            },
        );
    }
    let last = Some((id("R-2026-00815"), CompartmentId(4)));
    for (name, last, done, refused) in [
        ("first", None, 0, None),
        ("next", last.clone(), 3, None),
        ("unreadable", None, 0, Some(LabelProblem::Unreadable)),
        ("inside", last, 3, Some(LabelProblem::AlreadyInside)),
        ("no-room", None, 0, Some(LabelProblem::NoRoom)),
        ("door-stuck", None, 3, Some(LabelProblem::DoorStuck)),
    ] {
        add(
            &format!("placing-{name}"),
            Screen::PlacingScan { last, done, refused },
        );
    }
    add(
        "placing-size",
        Screen::PlacingSize {
            consignment: id("R-2026-00815"),
        },
    );
    add(
        "which-door",
        Screen::WhichDoor {
            work: work(VisitPurpose::Proving),
            doors: (1..=24).map(CompartmentId).collect(),
        },
    );
    add(
        "what-is-inside",
        Screen::WhatIsInside {
            work: work(VisitPurpose::Inspection),
        },
    );
    let reasons = [
        WithdrawReason::Dirty,
        WithdrawReason::Broken,
        WithdrawReason::Occupied,
        WithdrawReason::Ordered,
    ];
    let rows = (1..=24_u16).map(|n| CompartmentRow {
        compartment: CompartmentId(n),
        size: [Size::Small, Size::Medium, Size::Large][usize::from(n / 10)],
        open: (n != 5).then_some(n == 2),
        occupied: n % 3 == 0,
        withdrawn: (n > 10)
            .then(|| reasons.get(usize::from(n - 11)).copied())
            .flatten(),
        proven: n % 7 != 0,
        unexpected: n == 8,
        unreachable: n == 5,
    });
    let (rows, boards) = (rows.collect(), boards());
    add("compartments", Screen::Compartments { rows, boards });
    add("out-of-service", Screen::OutOfService);
    commissioning(add);
    let compartments = (1..=24).map(CompartmentId).collect();
    add("look-up", Screen::LookUp { compartments });
    let about = Subject::Compartment(CompartmentId(17));
    add("history", Screen::History { about });
}

fn boards() -> Vec<BoardRow> {
    let row = |n: u16| BoardRow {
        board: BoardId(n),
        protected: n > 1,
        lost: n == 3,
        refusal: (n == 3).then_some(BoardRefusal::UnknownKey),
    };
    (1..=3).map(row).collect()
}

fn commissioning(add: &mut impl FnMut(&str, Screen)) {
    let found = Commissioning {
        doors: 24,
        open: [3, 9, 20].map(CompartmentId).into(),
        rewired: [1, 2, 17].map(CompartmentId).into(),
        boards: boards(),
        wiring: None,
        report: None,
        key: None,
    };
    let file = "/var/lib/lockerd/commissioning/report-4711.txt";
    let done = Commissioning {
        open: Vec::new(),
        rewired: Vec::new(),
        report: Some(Writing::Written(file.into())),
        ..found.clone()
    };
    let writing = |wiring| Commissioning {
        wiring: Some(wiring),
        ..found.clone()
    };
    let protected = Unwritten::Protected {
        path: "/etc/lockerd/lockerd.toml".into(),
    };
    let unusable = Unwritten::Unusable {
        problem:
            "/etc/lockerd/lockerd.toml:12:1: unknown field `famly`, expected one of `name`, `path`, `family`"
                .into(),
    };
    let failed = Unwritten::Failed {
        problem: "/var/lib/lockerd: no space left on device".into(),
    };
    let lost = Commissioning {
        report: Some(Writing::Not(failed)),
        ..found.clone()
    };
    let key = |step| Commissioning {
        key: Some((BoardId(2), step)),
        rewired: Vec::new(),
        ..found.clone()
    };
    for (name, at) in [
        ("key-scan", key(KeyStep::Scan { mistaken: true })),
        ("key-button", key(KeyStep::Button)),
        ("key-installed", key(KeyStep::Installed)),
        ("key-failed", key(KeyStep::Failed(KeyProblem::Unconfirmed))),
        ("written", writing(Writing::Written(()))),
        ("begun", writing(Writing::Begun)),
        ("protected", writing(Writing::Not(protected))),
        ("unusable", writing(Writing::Not(unusable))),
        ("no-report", lost),
        ("found", found),
        ("done", done),
    ] {
        add(&format!("commissioning-{name}"), Screen::Commissioning(at));
    }
}
