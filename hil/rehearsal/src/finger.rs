//! A person's eyes and finger at the kiosk, over HTTP as its page has them: sees screens, touches what they offer.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::time::Duration;

use lockerd::cabinet::screen::Action;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long a person waits for a screen: longer than any wait of the flows that they do not mean to sit through.
const PATIENCE: Duration = Duration::from_secs(45);
/// When a touch has led to nothing, it is touched again.
const TOUCH_AGAIN: Duration = Duration::from_secs(3);
/// Between two tries to load the page of a daemon that is down.
const LOAD_AGAIN: Duration = Duration::from_millis(50);

/// Why a person got no further.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// Another screen, or none.
    #[error("waited {PATIENCE:?} for the screen {wanted}, but the kiosk shows {seen}")]
    Screen {
        /// What was wanted.
        wanted: String,
        /// What there was.
        seen: String,
    },
    /// No such button.
    #[error("the screen {seen} has no button for {wanted}")]
    Button {
        /// What was to be touched.
        wanted: String,
        /// Where.
        seen: String,
    },
}

/// What the kiosk shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    session: String,
    revision: String,
    html: String,
}

impl Sight {
    /// The screen's name in the page.
    #[must_use]
    pub fn screen(&self) -> &str {
        self.between("data-screen=\"", "\"").unwrap_or_default()
    }

    /// The number on the pictured door.
    #[must_use]
    pub fn door(&self) -> Option<u16> {
        let number = self.html.split_once("<text class=\"number")?.1;
        number.split_once('>')?.1.split_once('<')?.0.parse().ok()
    }

    /// Whether the page says this.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// The digits in groups that the page shows as a code.
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        let shown = self.between("<p class=\"digits\">", "<")?;
        Some(shown.chars().filter(char::is_ascii_digit).collect())
    }

    /// Whether a finger finds a button, or a keypad, for this.
    #[must_use]
    pub fn offers(&self, action: &Action) -> bool {
        let wanted = serde_json::to_string(action).unwrap_or_default();
        let button = self.says(&wanted.replace('"', "&quot;"));
        let named = |pad: &str| wanted.contains(&format!("\"do\":\"{pad}\""));
        let pad = self.between("data-pad=\"", "\"");
        button || pad.is_some_and(named) && !self.says("data-wait=")
    }

    fn between(&self, before: &str, after: &str) -> Option<&str> {
        Some(self.html.split_once(before)?.1.split_once(after)?.0)
    }
}

/// One person at one kiosk.
pub struct Finger {
    address: SocketAddr,
    agent: ureq::Agent,
    sights: watch::Receiver<Option<Sight>>,
}

impl Finger {
    /// Steps in front of the kiosk at `address`, which need not be there yet.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let (see, sights) = watch::channel(None);
        let watching = agent.clone();
        std::thread::spawn(move || {
            while !see.is_closed() {
                follow(&watching, address, &see);
                see.send_replace(None);
                std::thread::sleep(LOAD_AGAIN);
            }
        });
        Self {
            address,
            agent,
            sights,
        }
    }

    /// What is shown now; none while there is no daemon.
    #[must_use]
    pub fn now(&self) -> Option<Sight> {
        self.sights.borrow().clone()
    }

    /// Waits for one of these screens.
    ///
    /// # Errors
    /// [`Stuck::Screen`].
    pub async fn see(&mut self, screens: &[&str]) -> Result<Sight, Stuck> {
        self.see_that(&screens.join(" or "), |sight| screens.contains(&sight.screen()))
            .await
    }

    /// One of these screens, if it comes soon.
    pub async fn soon(&mut self, screens: &[&str]) -> Option<Sight> {
        self.look(Instant::now() + TOUCH_AGAIN, |sight| {
            screens.contains(&sight.screen())
        })
        .await
    }

    /// Waits until what is shown is as wanted.
    ///
    /// # Errors
    /// [`Stuck::Screen`].
    pub async fn see_that(&mut self, wanted: &str, is_it: impl Fn(&Sight) -> bool) -> Result<Sight, Stuck> {
        self.look(Instant::now() + PATIENCE, is_it)
            .await
            .ok_or_else(|| Stuck::Screen {
                wanted: wanted.to_owned(),
                seen: self.seen(),
            })
    }

    /// Touches the button for `action` until one of these screens comes.
    ///
    /// # Errors
    /// [`Stuck`].
    pub async fn touch(&mut self, action: &Action, then: &[&str]) -> Result<Sight, Stuck> {
        let limit = Instant::now() + PATIENCE;
        let no_button = || Stuck::Button {
            wanted: serde_json::to_string(action).unwrap_or_default(),
            seen: String::new(),
        };
        let mut offering = self
            .look(limit, |sight| sight.offers(action))
            .await
            .ok_or_else(no_button)?;
        loop {
            self.send(&offering, action).await;
            let again = (Instant::now() + TOUCH_AGAIN).min(limit);
            let quoted = (offering.session.clone(), offering.revision.clone());
            let arrived = |sight: &Sight| {
                then.contains(&sight.screen()) && (sight.session.clone(), sight.revision.clone()) != quoted
            };
            if let Some(sight) = self.look(again, arrived).await {
                return Ok(sight);
            }
            if Instant::now() >= limit {
                return Err(Stuck::Screen {
                    wanted: then.join(" or "),
                    seen: self.seen(),
                });
            }
            // A touch on a screen that changed in the same moment counts for nothing: again, on what is there now.
            if let Some(now) = self.now().filter(|sight| sight.offers(action)) {
                offering = now;
            }
        }
    }

    async fn look(&mut self, limit: Instant, is_it: impl Fn(&Sight) -> bool) -> Option<Sight> {
        let wanted = |sight: &Option<Sight>| sight.as_ref().is_some_and(&is_it);
        let found = timeout_at(limit, self.sights.wait_for(wanted)).await;
        found.ok()?.ok()?.clone()
    }

    fn seen(&self) -> String {
        match self.now() {
            Some(sight) => sight.screen().to_owned(),
            None => "nothing".to_owned(),
        }
    }

    async fn send(&self, sight: &Sight, action: &Action) {
        let whole = |text: &str| text.parse::<u64>().unwrap_or_default();
        let tap =
            json!({ "session": whole(&sight.session), "revision": whole(&sight.revision), "action": action });
        let (agent, url) = (self.agent.clone(), format!("http://{}/tap", self.address));
        let touch = move || {
            let request = agent.post(&url).content_type("application/json");
            request.send(tap.to_string()).map(drop)
        };
        if !matches!(tokio::task::spawn_blocking(touch).await, Ok(Ok(()))) {
            tracing::debug!("a touch did not get through");
        }
    }
}

/// Follows the page's stream of screens until it breaks or nobody looks any more.
fn follow(agent: &ureq::Agent, address: SocketAddr, see: &watch::Sender<Option<Sight>>) {
    let Ok(mut response) = agent.get(format!("http://{address}/events")).call() else {
        return;
    };
    for line in BufReader::new(response.body_mut().as_reader()).lines() {
        let Ok(line) = line else { return };
        let frame = line.strip_prefix("data: ").or_else(|| line.strip_prefix("data:"));
        let frame = frame.and_then(|data| serde_json::from_str::<Value>(data).ok());
        // Signs of life have data as well, but no page.
        if let Some(frame) = frame.filter(|frame| frame["html"].is_string()) {
            let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
            see.send_replace(Some(Sight {
                session: text("session"),
                revision: text("revision"),
                html: text("html"),
            }));
        }
        if see.is_closed() {
            return;
        }
    }
}
