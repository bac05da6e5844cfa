//! The report: a file for the maker of the cabinet, as Markdown, and the same for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::Check;
use super::notes::{Failure, Timed};
use super::statement::{Language, Statement};
use super::times::Summary;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All of it was done and nothing is wrong.
    Passed,
    /// Something is wrong.
    Failed,
    /// It could not be done, or not to its end: neither.
    NotDone,
}

impl Verdict {
    fn title(self, language: Language) -> &'static str {
        match self {
            Self::Passed => language.of("通过", "passed"),
            Self::Failed => language.of("未通过", "FAILED"),
            Self::NotDone => language.of("未做", "not done"),
        }
    }
}

/// One check's part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Which.
    pub check: Check,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was not done, or not to its end.
    pub reason: Option<Statement>,
    /// What is wrong.
    pub failures: Vec<Failure>,
    /// How many failures are not listed.
    pub more_failures: usize,
    /// What is worth knowing.
    pub remarks: Vec<Statement>,
    /// What was timed.
    pub times: Vec<Timing>,
}

/// Times of one kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timing {
    /// What was timed.
    pub what: Timed,
    /// What it came to.
    #[serde(flatten)]
    pub summary: Summary,
}

/// What the checks of one bench found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The bench.
    pub bench: String,
    /// When it began, in UTC.
    pub at: String,
    /// What its board speaks.
    pub family: &'static str,
    /// The line's speed.
    pub baud: u32,
    /// The board's address.
    pub address: u8,
    /// How many locks the board has.
    pub channels: u8,
    /// Which of these were checked.
    pub locks: Vec<u8>,
    /// The firmware's version, where the family can say it.
    pub firmware: Option<String>,
    /// Whether its commands are authenticated.
    pub protected: bool,
    /// The checks, in the order in which they were done.
    pub checks: Vec<Section>,
}

impl Report {
    /// Whether a check failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.any(Verdict::Failed)
    }

    /// Whether a check was not done.
    #[must_use]
    pub fn incomplete(&self) -> bool {
        self.any(Verdict::NotDone)
    }

    fn any(&self, verdict: Verdict) -> bool {
        self.checks.iter().any(|section| section.verdict == verdict)
    }

    /// The file.
    #[must_use]
    pub fn markdown(&self, language: Language) -> String {
        let mut text = String::new();
        let title = language.of("锁控板检测报告", "Lock board report");
        let none = language.of("协议不提供", "not told by this family");
        let firmware = self.firmware.as_deref().unwrap_or(none);
        let yes = language.of(["否", "是"], ["no", "yes"])[usize::from(self.protected)];
        let locks: Vec<String> = self.locks.iter().map(u8::to_string).collect();
        let facts = [
            (language.of("时间(UTC)", "time (UTC)"), self.at.clone()),
            (language.of("协议", "family"), self.family.to_owned()),
            (language.of("波特率", "baud"), self.baud.to_string()),
            (language.of("板地址", "address"), self.address.to_string()),
            (language.of("锁路数", "locks"), self.channels.to_string()),
            (language.of("检测的锁", "locks checked"), locks.join(", ")),
            (language.of("固件版本", "firmware"), firmware.to_owned()),
            (language.of("指令加密认证", "authenticated"), yes.to_owned()),
        ];
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {title}: {}\n\n| | |\n|---|---|", self.bench);
        for (name, value) in facts {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let heads = language.of("| 检测 | 结果 |", "| check | result |");
        let _ = writeln!(text, "\n{heads}\n|---|---|");
        for section in &self.checks {
            let verdict = section.verdict.title(language);
            let _ = writeln!(text, "| {} | {verdict} |", section.check.title(language));
        }
        for section in &self.checks {
            section.write(&mut text, language);
        }
        text
    }
}

impl Section {
    /// In one line: the check and how it ended.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let why = self.reason.as_ref().filter(|_| self.verdict == Verdict::NotDone);
        let why = why
            .map(|reason| format!(" ({})", reason.say(language)))
            .unwrap_or_default();
        format!(
            "{}: {}{why}",
            self.check.title(language),
            self.verdict.title(language)
        )
    }

    fn write(&self, text: &mut String, language: Language) {
        let (title, verdict) = (self.check.title(language), self.verdict.title(language));
        let _ = writeln!(text, "\n## {title}: {verdict}\n\n{}\n", self.check.what(language));
        if let Some(reason) = &self.reason {
            let head = language.of("未做完的原因", "not done because");
            let _ = writeln!(text, "- {head}: {}", reason.say(language));
        }
        for failure in &self.failures {
            let _ = writeln!(text, "- **{}**", failure.statement.say(language));
            if let Some(bytes) = &failure.bytes {
                let (sent, heard) = language.of(("发", "收"), ("sent", "heard"));
                let _ = writeln!(
                    text,
                    "  - {}; {sent} `{}`; {heard} `{}`",
                    bytes.asked, bytes.sent, bytes.heard
                );
            }
        }
        if self.more_failures > 0 {
            let more = language.of("另有同类失败", "more of these");
            let _ = writeln!(text, "- {more}: {}", self.more_failures);
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "- {}", remark.say(language));
        }
        if self.times.is_empty() {
            return;
        }
        let heads = language.of(
            "| 毫秒 | 次数 | 最小 | 中位 | p99 | 最大 |",
            "| ms | count | min | median | p99 | max |",
        );
        let _ = writeln!(text, "\n{heads}\n|---|---|---|---|---|---|");
        for Timing { what, summary } in &self.times {
            let [min, median, p99, max] = [summary.min_us, summary.median_us, summary.p99_us, summary.max_us]
                .map(|us| us as f64 / 1000.0);
            let name = what.title(language);
            let _ = writeln!(
                text,
                "| {name} | {} | {min:.1} | {median:.1} | {p99:.1} | {max:.1} |",
                summary.count
            );
        }
    }
}

impl Timed {
    fn title(self, language: Language) -> &'static str {
        match self {
            Self::Reply => language.of("读:请求结束到应答首字节", "read: end of request to first byte"),
            Self::UnlockReply => language.of(
                "开锁:请求结束到应答首字节",
                "unlock: end of request to first byte",
            ),
            Self::Pause => language.of("应答内最长停顿", "longest pause within an answer"),
        }
    }
}
