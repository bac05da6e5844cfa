//! A technician proves locks at the daemon's screen, and a replaced board anew; the doors are a simulated board's.

use lockerd::cabinet::screen::Action;
use office_protocol::{BoardId, CompartmentId};

use crate::page::Page;
use crate::place::{Place, TECHNICIAN};

#[tokio::test(flavor = "multi_thread")]
async fn a_technician_proves_locks_at_the_screen_and_the_cabinet_takes_drop_offs() {
    let place = Place::enrolled();
    let mut processes = place.processes();
    let bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    page.shows("未验锁").await;
    page.shows("暂不能交件").await;
    place.journaled("locker.door-found", 24).await;
    place.journaled("\"alarm\":\"unproven\"", 1).await;
    let check = place.lockerd(&["check"]);
    assert!(
        String::from_utf8_lossy(&check.stdout).contains("its screen says which locks"),
        "{check:?}"
    );

    bench.obey(&format!("scan scanner {TECHNICIAN}")).await.unwrap();
    page.admit().await;
    page.tap_to(Action::StartProving, "验锁清单").await;
    for door in 1..=2 {
        page.tap_to(Action::OpenNext, "哪扇门开了").await;
        let compartment = CompartmentId(door);
        page.tap_to(Action::OpenedDoor { compartment }, "关上这扇门")
            .await;
        let done = bench.obey(&format!("hand locks 1 {door} close")).await.unwrap();
        assert_eq!(done, "done");
        page.shows("验锁清单").await;
        place.journaled("locker.channel-proven", usize::from(door)).await;
    }
    page.tap_to(Action::EndRound, "start-look-up").await;
    page.tap_to(Action::StartInspection, "换锁控板").await;
    page.tap_to(Action::Done, "start-look-up").await;
    page.tap_to(Action::Done, "start-collection").await;
    page.no_longer_shows("暂不能交件").await;

    bench.obey(&format!("scan scanner {TECHNICIAN}")).await.unwrap();
    page.admit().await;
    page.tap_to(Action::StartInspection, "换锁控板").await;
    page.tap(Action::ReplaceBoard { board: BoardId(1) }).await;
    place.journaled("locker.board-replaced", 1).await;
    page.tap_to(Action::Done, "start-look-up").await;
    page.tap_to(Action::Done, "start-collection").await;
    page.shows("暂不能交件").await;
}
