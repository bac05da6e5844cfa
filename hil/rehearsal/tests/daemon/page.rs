//! The kiosk's page without a browser: follows the screen over HTTP, and touches it.
#![allow(dead_code)] // each test and benchmark uses its part

use std::net::SocketAddr;
use std::time::Duration;

use lockerd::cabinet::screen::Action;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::place::{LIMIT, PIN};

/// How long a person waits before trying again.
const PATIENCE: Duration = Duration::from_millis(500);

/// One screen as the page got it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    session: String,
    revision: String,
    pub(crate) html: String,
}

impl Frame {
    /// The door that the screen is about.
    pub(crate) fn door(&self) -> u16 {
        let before = self.html.split(" 号柜门").next().unwrap();
        let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits
            .parse()
            .unwrap_or_else(|_| panic!("no door on {}", self.html))
    }
}

/// Follows until it is dropped, also over restarts of the daemon.
pub(crate) struct Page {
    address: SocketAddr,
    frames: watch::Receiver<Frame>,
    following: tokio::task::JoinHandle<()>,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Page {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let (sender, frames) = watch::channel(Frame::default());
        let following = tokio::spawn(async move {
            loop {
                let _gone = follow(address, &sender).await;
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            address,
            frames,
            following,
        }
    }

    /// Waits for a screen that says so.
    pub(crate) async fn shows(&mut self, part: &str) -> Frame {
        let found = timeout(LIMIT, self.frames.wait_for(|frame| frame.html.contains(part))).await;
        let found = found.ok().map(|frame| frame.unwrap().clone());
        found.unwrap_or_else(|| panic!("no screen says {part}: {}", self.frames.borrow().html))
    }

    /// Touches what is shown now.
    pub(crate) async fn tap(&self, action: Action) {
        let Frame {
            session, revision, ..
        } = self.frames.borrow().clone();
        let action = serde_json::to_string(&action).unwrap();
        let body = format!("{{\"session\":{session},\"revision\":{revision},\"action\":{action}}}");
        let request = format!(
            "POST /tap HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// Touches until the wanted screen is there: a touch on a screen that has just changed is ignored, as a person finds out.
    pub(crate) async fn tap_to(&mut self, action: Action, part: &str) -> Frame {
        for _ in 0..LIMIT.as_millis() / PATIENCE.as_millis() {
            self.tap(action.clone()).await;
            if let Some(frame) = self.soon(part).await {
                return frame;
            }
        }
        self.shows(part).await
    }

    /// A screen that says so, unless none comes soon.
    pub(crate) async fn soon(&mut self, part: &str) -> Option<Frame> {
        let there = self.frames.wait_for(|frame| frame.html.contains(part));
        let frame = timeout(PATIENCE, there).await.ok()?;
        Some(frame.unwrap().clone())
    }

    /// Waits until nothing of the kind is said.
    pub(crate) async fn no_longer_shows(&mut self, part: &str) {
        let gone = self.frames.wait_for(|frame| !frame.html.contains(part));
        timeout(LIMIT, gone).await.unwrap().unwrap();
    }

    /// A member of staff whose badge was scanned types the PIN.
    pub(crate) async fn admit(&mut self) {
        self.shows("请输入密码").await;
        self.tap(Action::Digits {
            digits: PIN.to_owned(),
        })
        .await;
        self.shows("start-look-up").await;
    }
}

async fn follow(address: SocketAddr, frames: &watch::Sender<Frame>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut heard = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        heard.extend_from_slice(&piece[..read]);
        while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            let frame = line.strip_prefix(b"data: {").map(|rest| [b"{", rest].concat());
            let frame = frame.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
            if let Some(frame) = frame {
                let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
                frames.send_replace(Frame {
                    session: text("session"),
                    revision: text("revision"),
                    html: text("html"),
                });
            }
        }
    }
}
