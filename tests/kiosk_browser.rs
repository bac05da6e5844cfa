//! The kiosk's page in a real browser: it follows the screen, and a finger on it reaches the daemon.

#![allow(clippy::unwrap_used)]

#[path = "kiosk_browser/browser.rs"]
mod browser;

use std::sync::Arc;
use std::time::Duration;

use lockerd::cabinet::screen::{Action, View};
use lockerd::catalogue::Catalogue;
use lockerd::kiosk::{self, Kiosk, samples};
use tokio::sync::{mpsc, watch};

use browser::Browser;

const LIMIT: Duration = Duration::from_secs(30);

fn sample(name: &str) -> View {
    let mut samples = samples::samples().into_iter();
    samples.find(|(found, _)| found == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tap_on_the_page_arrives_and_the_next_screen_appears() {
    let listener = kiosk::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let page = format!("http://{}/", listener.local_addr().unwrap());
    let mut home = sample("home");
    home.until = None;
    let (views, shown) = watch::channel(Arc::new(home.clone()));
    let (touched, mut taps) = mpsc::channel(4);
    let kiosk = Kiosk {
        views: shown,
        taps: touched,
        history: Arc::new(|_| None),
        now: Arc::new(|| samples::NOW),
        catalogue: Arc::new(Catalogue::built_in()),
        utc_offset_minutes: 480,
    };
    let server = tokio::spawn(kiosk::serve(listener, kiosk));

    let browser = tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        browser.open(&page);
        browser.until("button[data-tap]", LIMIT);
        if let Some(file) = std::env::var_os("KIOSK_PICTURE") {
            std::fs::write(file, browser.picture()).unwrap();
        }
        browser.click("button.primary[data-tap]");
        browser
    })
    .await
    .unwrap();

    let tap = tokio::time::timeout(LIMIT, taps.recv()).await.unwrap().unwrap();
    assert_eq!(tap.session, home.session);
    assert_eq!(tap.revision, home.revision);
    assert!(tap.action == Action::StartCollection);

    let mut digits = sample("digits");
    digits.revision = home.revision + 1;
    digits.until = None;
    views.send(Arc::new(digits)).unwrap();
    let mut out = sample("out-of-service");
    out.revision = home.revision + 2;
    out.until = None;
    let browser = tokio::task::spawn_blocking(move || {
        browser.until("[data-pad=digits] .cell", LIMIT);
        browser
    });
    let browser = browser.await.unwrap();
    views.send(Arc::new(out)).unwrap();
    let browser = tokio::task::spawn_blocking(move || {
        browser.until("[data-out]", LIMIT);
        browser
    });
    let browser = browser.await.unwrap();

    // The server is gone: the page goes on saying so by itself, and with the number to call.
    drop(views);
    server.await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || browser.until("#gone.is-late:not([hidden]) strong", LIMIT))
        .await
        .unwrap();
}
