//! A technician proves locks at the daemon's screen, and a replaced board anew; the doors are a simulated board's.

use hardware::Bench;
use lockerd::cabinet::screen::Action;
use lockerd::settings::Settings;
use office_protocol::{BoardId, CompartmentId};

use crate::page::Page;
use crate::place::{LIMIT, Place, TECHNICIAN};

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

/// Proves the next lock of the round: this channel's door springs open.
async fn prove_next(page: &mut Page, bench: &Bench, channel: u8) {
    page.tap_to(Action::OpenNext, "哪扇门开了").await;
    let compartment = CompartmentId(channel.into()); // as the number on it says
    page.tap_to(Action::OpenedDoor { compartment }, "关上这扇门")
        .await;
    let done = bench
        .obey(&format!("hand locks 1 {channel} close"))
        .await
        .unwrap();
    assert_eq!(done, "done");
    page.shows("验锁清单").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crossed_locks_are_written_into_the_settings_at_the_screen_and_stay_proven() {
    let place = Place::enrolled();
    place.set("id = 1\nboard = 1\nchannel = 1", "id = 1\nboard = 1\nchannel = 2");
    place.set("id = 2\nboard = 1\nchannel = 2", "id = 2\nboard = 1\nchannel = 1");
    let before = std::fs::read_to_string(place.config()).unwrap();
    let mut processes = place.processes();
    let bench = place.hardware();
    let first = place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    place.journaled("locker.door-found", 24).await;
    bench.obey(&format!("scan scanner {TECHNICIAN}")).await.unwrap();
    page.admit().await;
    page.tap_to(Action::StartProving, "验锁清单").await;
    for channel in [2, 1] {
        prove_next(&mut page, &bench, channel).await;
    }
    page.tap_to(Action::EndRound, "start-look-up").await;
    page.tap_to(Action::ShowCommissioning, "接线与配置不符的门：1, 2")
        .await;

    // A place where not even root may write.
    let aside = place.path("lockerd.toml.old.new");
    std::os::unix::fs::symlink("/proc/sys/kernel/ostype", &aside).unwrap();
    let refused = page.tap_to(Action::WriteWiring, "没有写入").await;
    let file = place.config().display().to_string();
    assert!(
        refused.html.contains(&file) && refused.html.contains("请允许 lockerd"),
        "{}",
        refused.html
    );
    assert_eq!(std::fs::read_to_string(place.config()).unwrap(), before);
    std::fs::remove_file(&aside).unwrap();

    page.tap_to(Action::WriteWiring, "已写入配置").await;
    assert!(processes.is_running(first), "somebody is at the screen");
    page.tap(Action::Done).await;
    let status = processes.wait(first, LIMIT).await.unwrap();
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    let kept = std::fs::read_to_string(place.path("lockerd.toml.old")).unwrap();
    assert_eq!(kept, before);
    let settings = Settings::load(&place.config()).unwrap();
    let channel = |index: usize| settings.compartments[index].wiring.unwrap().channel;
    assert_eq!((channel(0), channel(1), channel(2)), (1, 2, 3));

    place.run(&mut processes).await;
    place.journaled("locker.started", 2).await;
    page.no_longer_shows("暂不能交件").await;
    bench.obey(&format!("scan scanner {TECHNICIAN}")).await.unwrap();
    page.admit().await;
    page.tap_to(Action::ShowCommissioning, "已验 2 / 24").await;
    let frame = page.tap_to(Action::KeepReport, "签名报告已存为").await;
    let directory = place.path("data/commissioning").display().to_string();
    let (_, from) = frame.html.split_once(&directory).unwrap();
    let report = format!("{directory}{}", from.split('<').next().unwrap());
    let verified = place.lockerd(&["commission", "verify", &report]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{verified:?}");
    assert!(
        text.contains("door 1: board 1 channel 1: proven") && text.contains("2 of 24 proven"),
        "{text}"
    );
}
