//! Codes that do not help: each its own message on the screen, and an event where somebody should know.

use lockerd::cabinet::screen::Action;
use office_protocol::{SigningKey, Timestamp};

use crate::page::Page;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_code_has_its_own_message() {
    let place = Place::enrolled();
    let mut processes = place.processes();
    let bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    let past = Timestamp::from_millis(1_700_000_100_000);
    let stranger = SigningKey::from_secret(&[9; 32]);
    let far = Timestamp::from_millis(4_000_000_000_000);
    let bad: [(Vec<u8>, &str); 8] = [
        (b"\xFF\xFE\x80".to_vec(), "没有读清"),
        (vec![b'7'; 2_001], "没有读清"),
        (b"https://example.org/".to_vec(), "不是取件码"),
        (b"LK1:NOT A PASS".to_vec(), "没有读清"),
        (
            b"LP1:OTHER-9:AAAAAAAAAAAAAAAAAAAAAAAAAA".to_vec(),
            "请到柜机 OTHER-9 使用",
        ),
        (
            b"LP1:DEMO-1:AAAAAAAAAAAAAAAAAAAAAAAAAA".to_vec(),
            "取件码无效或已更换",
        ),
        (place.pass("old", None, past).into_bytes(), "凭证已过期"),
        (
            place.pass("forged", Some(&stranger), far).into_bytes(),
            "凭证不是政务大厅签发的",
        ),
    ];
    for (code, message) in bad {
        page.shows("start-collection").await;
        bench.scanners["scanner"].scan(code).await.unwrap();
        page.shows(message).await;
        page.tap(Action::Back).await;
    }
    place.journaled("\"reason\":\"expired\"", 1).await;
    place.journaled("\"reason\":\"forged\"", 1).await;
    place.journaled("\"alarm\":\"forgery\"", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_good_for_one_hand_over() {
    let place = Place::commissioned();
    let mut processes = place.processes();
    let bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    page.no_longer_shows("暂不能交件").await;
    let pass = place.good_pass("once");
    bench.obey(&format!("scan scanner {pass}")).await.unwrap();
    page.shows("请核对材料").await;
    page.tap(Action::Accept { reachable: false }).await;
    page.shows("请拍照保存").await;
    page.tap(Action::Accept { reachable: false }).await;
    let door = page.shows("柜门已打开").await.door();
    for deed in ["put", "close"] {
        let done = bench.obey(&format!("hand locks 1 {door} {deed}")).await.unwrap();
        assert_eq!(done, "done");
    }
    page.shows("文件放进去了吗").await;
    page.tap(Action::Yes).await;
    page.shows("已收件").await;
    page.tap(Action::Done).await;
    page.shows("start-collection").await;
    place.journaled("locker.dropped-off", 1).await;

    bench.obey(&format!("scan scanner {pass}")).await.unwrap();
    page.shows("凭证已经用过").await;
    place.journaled("\"reason\":\"used\"", 1).await;
}
