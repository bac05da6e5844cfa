//! Ports that are missing at the start, pulled and put back: an alarm, a notice, and the rest works.

use lockerd::cabinet::screen::Action;

use crate::page::Page;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_missing_at_the_start_is_found_when_it_is_put_in() {
    let place = Place::enrolled();
    let mut processes = place.processes();
    let bench = place.hardware();
    bench.obey("unplug scanner").await.unwrap();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    page.shows("扫码器故障").await;
    place.journaled("\"alarm\":\"peripheral-lost\"", 1).await;
    page.tap(Action::StartCollection).await;
    page.shows("请输入 8 位取件码").await;
    page.tap(Action::Back).await;

    bench.obey("replug scanner").await.unwrap();
    place.journaled("locker.peripheral-found", 1).await;
    place.journaled("locker.alarm-cleared", 1).await;
    page.shows("start-collection").await;
    bench.obey("scan scanner nonsense").await.unwrap();
    page.shows("不是取件码").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_bus_that_is_pulled_is_an_alarm_until_it_is_back() {
    let place = Place::enrolled();
    let mut processes = place.processes();
    let bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    place.journaled("locker.door-found", 24).await;
    bench.obey("unplug locks").await.unwrap();
    page.shows("部分柜门暂不可用").await;
    place.journaled("locker.port-lost", 1).await;
    bench.obey("scan scanner nonsense").await.unwrap();
    page.shows("不是取件码").await;
    page.tap(Action::Back).await;

    bench.obey("replug locks").await.unwrap();
    place.journaled("locker.port-found", 1).await;
    page.no_longer_shows("部分柜门暂不可用").await;
    place.journaled("locker.alarm-cleared", 1).await;
    assert!(
        !place.events().contains("locker.door-forced"),
        "the first readings after a gap are found, never forced"
    );
    bench.obey("hand locks 1 5 force").await.unwrap();
    place.journaled("locker.door-forced", 1).await;
}
