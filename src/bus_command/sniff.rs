//! What is said on a line, decoded: one line for each frame, with the time of its last byte.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use firmware_protocol::Family;
use office_protocol::Timestamp;
use serde_json::json;

use crate::boards::probe::Probe;
use crate::boards::sniffer::{Overheard, Said, Sniffer};
use crate::boards::wording::{Asked, Told};
use crate::cabinet::vocabulary::Monotonic;
use crate::clock::{self, Clock, Trust};
use crate::command_line::Failure;
use crate::serial::PortSettings;

use super::{Sniff, say};

/// How long to wait when nothing is under way.
const IDLE: Duration = Duration::from_secs(1);

pub(super) async fn run(sniff: &Sniff) -> Result<ExitCode, Failure> {
    let settings = PortSettings {
        path: sniff.line.port.clone(),
        baud: sniff.baud,
        rs485: sniff.line.rs485,
    };
    let clock = Clock::new(Trust::Always);
    let began = clock::wall();
    let zero = clock.monotonic();
    let end = sniff.seconds.map(|seconds| zero.plus_millis(seconds * 1000));
    let mut probe = Probe::open(settings)
        .await
        .map_err(|error| Failure::new(66, error))?;
    let plain = Family::ALL.iter().filter(|family| !family.profile().protected);
    let mut sniffer = Sniffer::new(&sniff.line.families(plain.copied()));
    let mut left = sniff.count;
    let mut last = zero;
    loop {
        let now = clock.monotonic();
        if left == Some(0) || end.is_some_and(|end| end <= now) {
            return Ok(ExitCode::SUCCESS);
        }
        let due = [sniffer.next_deadline(), end].into_iter().flatten().min();
        let wait = due
            .map_or(IDLE, |at| now.until(at).min(IDLE))
            .max(Duration::from_millis(1));
        let bytes = probe
            .listen(wait)
            .await
            .map_err(|error| Failure::new(66, error))?;
        for heard in sniffer.handle(&bytes.unwrap_or_default(), clock.monotonic()) {
            if left == Some(0) {
                break;
            }
            left = left.map(|left| left - 1);
            let since = zero.until(heard.at).as_millis();
            let time = Timestamp::from_millis(began.as_millis() + i64::try_from(since).unwrap_or(0));
            say(&if sniff.line.json {
                as_json(&heard, time)
            } else {
                as_text(&heard, time, last)
            })?;
            last = heard.at;
        }
    }
}

/// What it is, and what it says.
fn words(said: &Said) -> (&'static str, String) {
    match said {
        Said::Request(request) => ("request", Asked(request).to_string()),
        Said::Answer(answer) => ("answer", Told(answer).to_string()),
        Said::Sealed(seen) => {
            let serial = seen.serial.map(|serial| format!(", number {}", hex(&serial)));
            let words = format!(
                "board {}: {}{}",
                seen.board.0,
                seen.kind,
                serial.unwrap_or_default()
            );
            ("sealed", words)
        }
        Said::Foreign => ("frame", "answers a request that was not heard".to_owned()),
        Said::Noise => ("noise", String::new()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a string never fails.
        let _ = write!(text, "{space}{byte:02X}");
    }
    text
}

fn as_text(heard: &Overheard, time: Timestamp, last: Monotonic) -> String {
    let (kind, words) = words(&heard.said);
    let passed = last.until(heard.at).as_millis();
    let family = if heard.said == Said::Noise {
        "-"
    } else {
        heard.family.name()
    };
    format!(
        "{time} {passed:>+7} ms  {family:<14} {kind:<8} {words:<46} {}",
        hex(&heard.bytes)
    )
}

fn as_json(heard: &Overheard, time: Timestamp) -> String {
    let (kind, words) = words(&heard.said);
    let family = (heard.said != Said::Noise).then(|| heard.family.name());
    json!({ "time": time, "family": family, "kind": kind, "says": words, "bytes": hex(&heard.bytes) })
        .to_string()
}
