//! What staff find of what happened: with the index, after a crash has made it doubtful, and without it.

use lockerd::cabinet::screen::Action;
use office_protocol::CompartmentId;
use office_protocol::event::Subject;

use crate::page::Page;
use crate::place::{LIMIT, Place, TECHNICIAN};

/// A technician looks door 5 up; waits until the history says `part`.
async fn looked_up(page: &mut Page, bench: &hardware::Bench, part: &str) {
    page.shows("start-collection").await;
    // A daemon that has just started may not have opened its scanner yet.
    for _ in 0..20 {
        bench.obey(&format!("scan scanner {TECHNICIAN}")).await.unwrap();
        if page.soon("请输入密码").await.is_some() {
            break;
        }
    }
    page.admit().await;
    page.tap_to(Action::StartLookUp, "请扫标签").await;
    let about = Subject::Compartment(CompartmentId(5));
    let look = Action::LookUp { about };
    // The index may still be on its way: look again until it has caught up.
    while !page.tap_to(look.clone(), "5 号柜门").await.html.contains(part) {
        page.tap_to(Action::Back, "请扫标签").await;
    }
    page.tap_to(Action::Back, "请扫标签").await;
    page.tap_to(Action::Back, "start-look-up").await;
    page.tap_to(Action::Done, "start-collection").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_find_what_happened_at_a_door_also_after_a_crash() {
    let place = Place::enrolled();
    let mut processes = place.processes();
    let bench = place.hardware();
    let first = place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    place.journaled("locker.door-found", 24).await;
    bench.obey("hand locks 1 5 force").await.unwrap();
    place.journaled("locker.door-forced", 1).await;
    looked_up(&mut page, &bench, "强行开门").await;

    // After a crash it is not trusted: moved aside and built again.
    processes.kill(first).await.unwrap();
    assert!(place.path("data/index/in-use").exists());
    let second = place.run(&mut processes).await;
    looked_up(&mut page, &bench, "强行开门").await;
    assert!(place.path("data/index/aside").exists());

    // Stopped in good order, it is there at the next start.
    processes.end(second, LIMIT).await.unwrap();
    assert!(!place.path("data/index/in-use").exists());
    assert!(place.path("data/index/database").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_index_staff_are_told_so_and_all_else_works() {
    let place = Place::enrolled();
    place.set("index = true", "index = false");
    let mut processes = place.processes();
    let bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    place.journaled("locker.door-found", 24).await;
    looked_up(&mut page, &bench, "暂时查不到记录").await;
    assert!(!place.path("data/index").exists());
}
