//! Two cabinets with one identity, because a disk was cloned: both run at once with one broker and one hub, and nothing of either is lost.

use std::path::Path;

use rehearsal::site::{Plan, Program, Site, address};

use crate::scene::{
    approval, copy, drop_off, each_once_and_in_order, force_a_door, found, histories, journal,
    office_has_all_of, running, stored,
};

/// The same cabinet once more, with its own doors and screen.
fn clone_of(site: &Site, directory: &Path) -> Site {
    for name in ["cabinet", "secrets"] {
        copy(&site.path(name), &directory.join(name));
    }
    found(Plan {
        directory: directory.to_owned(),
        kiosk: address(None).unwrap(),
        ..site.plan().clone()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_makes_the_others_events_vanish() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut one = running(ours.path()).await;
    let mut other = clone_of(&one, theirs.path());
    other.start(Program::Hardware).await.unwrap();
    other.start(Program::Cabinet).await.unwrap();
    let approval = approval(&one);
    let mut passes = Vec::new();
    for application in ["A-1001", "A-1002"] {
        passes.push(approval.register(application, "P-2048").await.unwrap());
    }
    tokio::join!(drop_off(&mut one, &passes[0]), drop_off(&mut other, &passes[1]));
    tokio::join!(force_a_door(&mut one), force_a_door(&mut other));
    office_has_all_of(&one, &one).await;
    office_has_all_of(&one, &other).await;
    assert_eq!(histories(&one).await, (2, true));

    // Each starts once more: it goes on with its own history.
    for cabinet in [&mut other, &mut one] {
        cabinet.kill(Program::Cabinet).await.unwrap();
        cabinet.start(Program::Cabinet).await.unwrap();
        force_a_door(cabinet).await;
    }
    office_has_all_of(&one, &one).await;
    office_has_all_of(&one, &other).await;
    assert_eq!(histories(&one).await, (2, true));
    let (mine, others) = (journal(&one), journal(&other));
    let shared = mine.iter().zip(&others).take_while(|(one, other)| one == other);
    let parted = shared.count();
    let stored = stored(&one);
    let (trunk, branch) = (&stored[&0], &stored[&1]);
    let apart = [(&mine, &others), (&others, &mine)];
    assert!(
        apart
            .iter()
            .any(|(first, second)| trunk == *first && *branch == second[parted..]),
        "one goes on with the history, the other parts from it: {stored:?}"
    );
    each_once_and_in_order(&one);
    other.end_all().await;
    one.end_all().await;
}
