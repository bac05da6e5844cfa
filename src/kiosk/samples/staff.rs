//! What staff are shown.

use office_protocol::event::{Size, StaffRole, Subject, VisitPurpose, WithdrawReason};
use office_protocol::{BoardId, CompartmentId};

use super::{NOW, id, time, work};
use crate::cabinet::screen::{CompartmentRow, LabelProblem, RoundRow, Screen};

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
        board: Some(BoardId(n / 13 + 1)),
        proven: n % 7 != 0,
        unreachable: n == 5,
    });
    add("compartments", Screen::Compartments { rows: rows.collect() });
    add("out-of-service", Screen::OutOfService);
    let compartments = (1..=24).map(CompartmentId).collect();
    add("look-up", Screen::LookUp { compartments });
    let about = Subject::Compartment(CompartmentId(17));
    add("history", Screen::History { about });
}
