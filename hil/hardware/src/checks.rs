//! One set of checks for lock boards: against a simulated board on a pseudo-terminal, and against a real one.
//!
//! - [`Plan`]: what the bench is, from a TOML file.
//! - [`Attendant`]: who does what no byte can, such as closing a door or cutting the power: a person, a command, the simulation.
//! - [`Check`]: one idea each, in a file of its own. It fails with the exact bytes, or says why it was not done.
//! - [`Report`]: what came of it, for the maker of the cabinet ([`Report::markdown`]) and for programs (it serializes).
//!
//! A check knows only of port and board; whether they are real is not to be seen from it. The order is such that each door is closed
//! once: unlocks leave doors open, and the polarity check closes them.

mod attendant;
mod cable;
mod endurance;
mod noise;
mod notes;
mod plan;
mod polarity;
mod power;
mod reading;
mod report;
mod reports;
mod rig;
mod statement;
mod times;
mod timing;
mod unlocking;

use firmware_protocol::{Command, Content};
use serde::Serialize;

pub use attendant::{Attendant, Deed, OnSite};
pub use notes::{Evidence, Failure, Timed};
pub use plan::{Amounts, Commands, Plan, PlanError};
pub use report::{Report, Section, Timing, Verdict};
pub use statement::{Language, Noise, Statement};
pub use times::Summary;

use notes::Notes;
use rig::Rig;

/// One check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Every door is read, once answered, at the board's own address only.
    Read,
    /// Each lock opens its door and no other.
    Unlock,
    /// Readings follow the doors the way the settings say.
    Polarity,
    /// What the board says unasked is right.
    Reports,
    /// The board recovers from noise.
    Noise,
    /// The board recovers from a power cut, and no door opens by it.
    Power,
    /// Answers come as soon as the family's document says.
    Timing,
    /// Many requests, none lost.
    Endurance,
}

impl Check {
    /// All of them, in the order in which they are done.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Unlock,
        Self::Polarity,
        Self::Reports,
        Self::Noise,
        Self::Power,
        Self::Timing,
        Self::Endurance,
    ];

    pub(crate) fn title(self, language: Language) -> &'static str {
        match self {
            Self::Read => language.of("读门状态", "read"),
            Self::Unlock => language.of("开锁", "unlock"),
            Self::Polarity => language.of("极性与传感器", "polarity"),
            Self::Reports => language.of("主动上报", "unasked reports"),
            Self::Noise => language.of("噪声后恢复", "recovery after noise"),
            Self::Power => language.of("断电再通电", "power cycle"),
            Self::Timing => language.of("时序", "timing"),
            Self::Endurance => language.of("耐久", "endurance"),
        }
    }

    fn what(self, language: Language) -> &'static str {
        match self {
            Self::Read => language.of(
                "逐个读、整体读每扇门;每次只有一个应答;别的地址无应答。",
                "Every door alone and with all others; one answer each; none from another address.",
            ),
            Self::Unlock => language.of(
                "每把锁开一次:应答符合协议,门打开,其他门不动。",
                "Each lock once: answered as the family says, its door opens, no other moves.",
            ),
            Self::Polarity => language.of(
                "每扇门开着读一次、关上读一次,读数与设置一致。",
                "Each door is read open and read closed, as the settings say.",
            ),
            Self::Reports => language.of(
                "门变化时的主动上报内容正确;不应上报时保持安静。",
                "What is said unasked when a door moves is right; silence where it should be.",
            ),
            Self::Noise => language.of(
                "线上出现噪声、半条请求、错一位的开锁指令后,仍能应答,且没有门打开。",
                "After noise, half a request, and an unlock with one wrong bit: it answers, and no door opens.",
            ),
            Self::Power => language.of(
                "断电再通电后恢复应答,没有门因此打开。",
                "After the power was away it answers again, and no door opens by it.",
            ),
            Self::Timing => language.of(
                "应答开始的时间与文档一致,应答中间没有停顿。",
                "Answers begin as soon as the document says, and do not pause.",
            ),
            Self::Endurance => language.of("反复读与开门,一次不漏。", "Many reads and openings, none lost."),
        }
    }

    async fn run(self, rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
        match self {
            Self::Read => reading::check(rig, notes).await,
            Self::Unlock => unlocking::check(rig, notes).await,
            Self::Polarity => polarity::check(rig, notes).await,
            Self::Reports => reports::check(rig, notes).await,
            Self::Noise => noise::check(rig, notes).await,
            Self::Power => power::check(rig, notes).await,
            Self::Timing => timing::check(rig, notes).await,
            Self::Endurance => endurance::check(rig, notes).await,
        }
    }

    /// Does it. What has found something wrong has failed, even if it could not be done to its end.
    async fn section(self, rig: &mut Rig<'_>) -> Section {
        let mut notes = Notes::default();
        let reason = self.run(rig, &mut notes).await.err();
        let verdict = match (notes.failures.is_empty(), &reason) {
            (false, _) => Verdict::Failed,
            (true, Some(_)) => Verdict::NotDone,
            (true, None) => Verdict::Passed,
        };
        let timing = |(what, summary)| Timing { what, summary };
        Section {
            check: self,
            verdict,
            reason,
            failures: notes.failures,
            more_failures: notes.more,
            remarks: notes.remarks,
            times: notes.times.into_iter().map(timing).collect(),
        }
    }
}

/// Does these checks at a bench. `told` hears of each when it has ended. `dice` are 32 bytes drawn anew, for sessions.
///
/// A board that cannot be read is not asked for more: what follows is not done.
pub async fn run(
    plan: &Plan,
    attendant: Attendant<'_>,
    checks: &[Check],
    dice: [u8; 32],
    mut told: impl FnMut(&Section),
) -> Report {
    let mut rig = Rig::new(plan, attendant, dice);
    let mut report = Report {
        bench: plan.name.clone(),
        at: format!("{:.0}", jiff::Timestamp::now()),
        family: plan.family.name(),
        baud: plan.baud,
        address: plan.board.0,
        channels: plan.channels,
        locks: plan.locks.iter().map(|lock| lock.number()).collect(),
        firmware: None,
        protected: plan.family.profile().protected,
        checks: Vec::new(),
    };
    let mut readable = true;
    for check in checks.iter().copied() {
        let section = match obstacle(&mut rig, check, readable).await {
            None => check.section(&mut rig).await,
            Some(reason) => undone(check, reason),
        };
        if check == Check::Read {
            readable = section.verdict == Verdict::Passed;
        }
        told(&section);
        report.checks.push(section);
    }
    if readable {
        report.firmware = firmware(&mut rig).await;
    }
    report
}

/// Why a check cannot begin.
async fn obstacle(rig: &mut Rig<'_>, check: Check, readable: bool) -> Option<Statement> {
    match check {
        Check::Read => None,
        _ if !readable => Some(Statement::Needs { check: Check::Read }),
        Check::Unlock
        | Check::Polarity
        | Check::Reports
        | Check::Noise
        | Check::Power
        | Check::Timing
        | Check::Endurance => rig.heard_from().await.err(),
    }
}

fn undone(check: Check, reason: Statement) -> Section {
    Section {
        check,
        verdict: Verdict::NotDone,
        reason: Some(reason),
        failures: Vec::new(),
        more_failures: 0,
        remarks: Vec::new(),
        times: Vec::new(),
    }
}

async fn firmware(rig: &mut Rig<'_>) -> Option<String> {
    match rig.ask(Command::ReadVersion).await.ok()?.answer? {
        Content::Version([major, minor]) => Some(format!("{major:02X} {minor:02X}")),
        Content::Unlocked { .. }
        | Content::AllUnlocked
        | Content::Door { .. }
        | Content::State(_)
        | Content::ReportsSet(_)
        | Content::AllOff
        | Content::Handshake
        | Content::Unasked { .. } => None,
    }
}
