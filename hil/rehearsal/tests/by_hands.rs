//! The demo in a real browser, as somebody would try it: hand in, be the courier, collect, and see it at the office.
#![allow(clippy::unwrap_used)]

#[path = "../../../tests/kiosk_browser/browser.rs"]
mod browser;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use browser::Browser;

const LIMIT: Duration = Duration::from_secs(60);

/// The running demo, and what it printed: three addresses and a password.
struct Demo {
    child: Child,
    /// Held, so that it can go on printing.
    _lines: Lines<BufReader<ChildStdout>>,
    kiosk: String,
    hands: String,
    office: String,
    password: String,
}

impl Demo {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["demo", "--language", "en"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.contains("Ctrl-C"))
            .collect();
        let word = |begin: &str, after: &str| {
            let line = said.iter().find(|line| line.trim().starts_with(begin)).unwrap();
            let rest = &line[line.find(after).unwrap()..];
            rest.strip_prefix("password")
                .unwrap_or(rest)
                .split_whitespace()
                .next()
                .unwrap()
                .to_owned()
        };
        Self {
            child,
            _lines: lines,
            kiosk: word("The cabinet's screen", "http"),
            hands: word("Your hands", "http"),
            office: word("The office ", "http"),
            password: word("The office ", "password"),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Its programs end with it.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Somebody with two hands and one pair of eyes.
struct Person {
    demo: Demo,
    browser: Browser,
}

impl Person {
    fn scan(&self, kind: &str) {
        self.browser.open(&self.demo.hands);
        self.click(&format!(".card[data-kind={kind}] button"));
    }

    fn sees(&self, screen: &str) {
        self.browser.open(&self.demo.kiosk);
        self.browser.until(&format!("[data-screen={screen}]"), LIMIT);
    }

    fn click(&self, selector: &str) {
        self.browser.until(selector, LIMIT);
        self.browser.click(selector);
    }

    fn tap(&self, action: &str) {
        self.click(&format!("[data-tap*='\"{action}\"']"));
    }

    /// At the open door: puts in or takes out, and closes.
    fn at_the_door(&self) {
        self.browser.open(&self.demo.hands);
        self.browser.until(".door.open", LIMIT);
        let empty = self.browser.has(".door.open[data-occupied=false]");
        self.click(".door.open .item");
        self.browser
            .until(&format!(".door.open[data-occupied={empty}]"), LIMIT);
        self.click(".door.open .main");
    }

    fn hands_in(&self) {
        self.scan("drop-off-pass");
        self.sees("checklist");
        self.click(".actions .primary");
        self.browser.until("[data-screen=slip]", LIMIT);
        self.click(".actions .primary");
        self.browser.until("[data-screen=door-open]", LIMIT);
        self.at_the_door();
        self.sees("is-it-inside");
        self.tap("yes");
        self.browser.until("[data-screen=receipt]", LIMIT);
        self.tap("done");
        self.browser.until("[data-screen=home]", LIMIT);
    }

    fn places(&self) {
        self.scan("badge");
        self.sees("enter-pin");
        for digit in "4711".chars() {
            self.click(&format!("[data-key='{digit}']"));
        }
        self.click("[data-key=send]");
        self.browser.until("[data-screen=staff-home]", LIMIT);
        self.tap("start-placing");
        self.browser.until("[data-screen=placing-scan]", LIMIT);
        self.scan("permit");
        self.sees("door-open");
        self.at_the_door();
        self.sees("placing-scan");
        self.tap("end-round");
        self.browser.until("[data-screen=staff-home]", LIMIT);
        self.tap("done");
        self.browser.until("[data-screen=home]", LIMIT);
    }

    fn collects(&self) {
        self.scan("message");
        self.sees("door-open");
        self.at_the_door();
        self.sees("took-everything");
        self.tap("yes");
        self.browser.until("[data-screen=done]", LIMIT);
        self.tap("done");
    }

    fn looks_at_the_office(&self) {
        self.browser.open(&self.demo.office);
        self.browser.until("#password", LIMIT);
        self.browser.write("#password", &self.demo.password);
        self.click("form button");
        self.browser.until("section table", LIMIT);
    }
}

#[test]
fn somebody_hands_in_places_and_collects_with_their_own_hands() {
    let person = Person {
        demo: Demo::start(),
        browser: Browser::start(),
    };
    person.hands_in();
    person.places();
    person.collects();
    person.looks_at_the_office();
}
