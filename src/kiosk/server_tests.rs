//! The kiosk's server as a browser and as a stranger meets it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::samples::{NOW, samples};
use super::server::{Kiosk, KioskError, bind, serve};
use crate::cabinet::screen::{Action, Screen, SessionId, Tap, View};
use crate::catalogue::Catalogue;

struct Bench {
    address: std::net::SocketAddr,
    views: watch::Sender<Arc<View>>,
    taps: mpsc::Receiver<Tap>,
    server: tokio::task::JoinHandle<Result<(), KioskError>>,
}

async fn bench() -> Bench {
    let (views, receiver) = watch::channel(Arc::new(samples().remove(0).1));
    let (sender, taps) = mpsc::channel(1);
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let kiosk = Kiosk {
        views: receiver,
        taps: sender,
        history: Arc::new(|_| None),
        now: Arc::new(|| NOW),
        catalogue: Arc::new(Catalogue::built_in()),
        utc_offset_minutes: 480,
    };
    let server = tokio::spawn(serve(listener, kiosk));
    Bench {
        address,
        views,
        taps,
        server,
    }
}

impl Bench {
    async fn send(&self, line: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The status line and all that follows, of a connection that the server then closes.
    async fn ask(&self, line: &str, headers: &str, body: &str) -> String {
        let mut stream = self
            .send(line, &format!("{headers}Connection: close\r\n"), body)
            .await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn tap(&self, headers: &str, body: &str) -> String {
        let headers = format!(
            "Host: {}\r\nContent-Type: application/json\r\n{headers}",
            self.address
        );
        self.ask("POST /tap", &headers, body).await[9..12].to_owned()
    }
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut piece = [0; 4096];
    while !text.contains(wanted) {
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "closed before {wanted}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    text
}

const TAP: &str = r#"{"session":18446744073709551615,"revision":42,"action":{"do":"start-collection"}}"#;

#[tokio::test]
async fn a_browser_gets_the_page_and_each_change_and_its_taps_arrive() {
    let mut bench = bench().await;
    let host = format!("Host: {}\r\n", bench.address);
    let page = bench.ask("GET /", &host, "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("0571-12345"));
    assert!(page.to_lowercase().contains("cache-control: no-store") && page.contains("default-src 'none'"));
    assert!(
        bench
            .ask("GET /kiosk.js", &host, "")
            .await
            .contains("EventSource")
    );
    assert!(bench.ask("GET /kiosk.css", &host, "").await.contains("text/css"));

    let mut events = bench.send("GET /events", &host, "").await;
    read_until(&mut events, "start-collection").await;
    let next = View {
        screen: Screen::MoreTime,
        revision: 43,
        session: SessionId(u64::MAX),
        ..samples().remove(0).1
    };
    bench.views.send(Arc::new(next)).unwrap();
    let change = read_until(&mut events, "\n\n").await;
    assert!(
        change.contains("18446744073709551615") && change.contains("more-time"),
        "{change}"
    );

    assert_eq!(bench.tap("", TAP).await, "204");
    assert_eq!(bench.tap("", TAP).await, "503", "the channel of one is full");
    let tap = bench.taps.recv().await.unwrap();
    assert!(tap.session == SessionId(u64::MAX) && matches!(tap.action, Action::StartCollection));

    drop(bench.views);
    bench.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sign_of_life_carries_data_without_which_a_browser_tells_its_page_nothing() {
    let bench = bench().await;
    let host = format!("Host: {}\r\n", bench.address);
    let mut events = bench.send("GET /events", &host, "").await;
    read_until(&mut events, "event: beat\ndata: 1\n\n").await;
}

#[tokio::test]
async fn strangers_and_nonsense_are_refused() {
    let mut bench = bench().await;
    assert!(
        bench
            .ask("GET /", "Host: evil.example\r\n", "")
            .await
            .starts_with("HTTP/1.1 403")
    );
    let port = bench.address.port();
    assert!(
        bench
            .ask("GET /events", "Host: 127.0.0.1:1\r\n", "")
            .await
            .starts_with("HTTP/1.1 403")
    );
    assert!(
        bench
            .ask("GET /", &format!("Host: localhost:{port}\r\n"), "")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(bench.tap("Origin: http://evil.example\r\n", TAP).await, "403");
    assert_eq!(bench.tap("Origin: null\r\n", TAP).await, "403");
    assert_eq!(bench.tap("", "{}").await, "422");
    let long = format!("{}{TAP}", " ".repeat(4000));
    assert_eq!(bench.tap("", &long).await, "413");
    let plain = format!("Host: {}\r\nContent-Type: text/plain\r\n", bench.address);
    assert!(
        bench
            .ask("POST /tap", &plain, TAP)
            .await
            .starts_with("HTTP/1.1 415")
    );
    assert!(bench.taps.try_recv().is_err(), "nothing of it arrived");
    assert_eq!(
        bench
            .tap(&format!("Origin: http://{}\r\n", bench.address), TAP)
            .await,
        "204"
    );
}

#[tokio::test]
async fn only_so_many_pages_follow_the_screen() {
    let bench = bench().await;
    let host = format!("Host: {}\r\n", bench.address);
    let mut followers = Vec::new();
    for _ in 0..8 {
        let mut follower = bench.send("GET /events", &host, "").await;
        read_until(&mut follower, "start-collection").await;
        followers.push(follower);
    }
    assert!(
        bench
            .ask("GET /events", &host, "")
            .await
            .starts_with("HTTP/1.1 503")
    );
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let refused = bind("0.0.0.0:0".parse().unwrap()).await;
    assert!(matches!(refused, Err(KioskError::NotLoopback(_))));
}
