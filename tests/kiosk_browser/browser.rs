//! Debian's chromium, driven over WebDriver: plain JSON over HTTP on loopback.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1280,800",
];

/// One browser with one empty profile; both are gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

impl Browser {
    /// Starts chromium through its driver.
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver is missing: install chromium-driver, as tests/run does");
        let output = BufReader::new(driver.stdout.take().unwrap());
        let port: u16 = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_prefix("ChromeDriver was started successfully on port ")?
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .expect("chromedriver ended without naming its port");
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": flags },
        }}});
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build()
            .into();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent,
            _profile: profile,
        };
        let answer = browser.post("", &wanted);
        let id = answer["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Loads a page.
    pub(crate) fn open(&self, address: &str) {
        self.post("/url", &json!({ "url": address }));
    }

    /// Waits until something fits the CSS selector.
    pub(crate) fn until(&self, selector: &str, limit: Duration) {
        let begun = Instant::now();
        while self.find(selector).is_none() {
            assert!(
                begun.elapsed() < limit,
                "no {selector} on the page after {limit:?}"
            );
        }
    }

    /// Whether something fits the CSS selector now.
    #[allow(dead_code, reason = "only one of the tests that share this file asks")]
    pub(crate) fn has(&self, selector: &str) -> bool {
        self.find(selector).is_some()
    }

    /// Touches the first thing that fits the CSS selector.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector).unwrap();
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into the first thing that fits the CSS selector.
    #[allow(
        dead_code,
        reason = "only one of the tests that share this file has a form to fill in"
    )]
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector).unwrap();
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// What can be seen, as a PNG.
    #[allow(
        dead_code,
        reason = "only one of the tests that share this file takes pictures"
    )]
    pub(crate) fn picture(&self) -> Vec<u8> {
        let mut answer = self
            .agent
            .get(format!("{}/screenshot", self.session))
            .call()
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(answer["value"].as_str().unwrap())
            .unwrap()
    }

    fn find(&self, selector: &str) -> Option<String> {
        let found = self.post(
            "/elements",
            &json!({ "using": "css selector", "value": selector }),
        );
        Some(found.get(0)?.get(ELEMENT)?.as_str()?.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.session))
            .content_type("application/json")
            .send(body.to_string())
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; without it, killing the driver alone would leave it running.
        let _gone = self.agent.delete(&self.session).call();
        let _ended = self.driver.kill();
        let _reaped = self.driver.wait();
    }
}
