//! Everything that a report can say, in Chinese and in English (pure).

use serde::Serialize;

use super::Check;
use super::attendant::Deed;

/// The report's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// 中文.
    Zh,
    /// English.
    En,
}

impl Language {
    /// One of two texts.
    pub(super) fn of<T>(self, chinese: T, english: T) -> T {
        match self {
            Self::Zh => chinese,
            Self::En => english,
        }
    }
}

/// What noise the line was filled with before a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Bytes without meaning.
    Random,
    /// The first half of a request, then silence.
    HalfRequest,
    /// An unlock in which one bit is wrong.
    DamagedUnlock,
}

impl Noise {
    pub(super) const ALL: [Self; 3] = [Self::Random, Self::HalfRequest, Self::DamagedUnlock];

    fn say(self, language: Language) -> &'static str {
        match self {
            Self::Random => language.of("杂乱字节", "meaningless bytes"),
            Self::HalfRequest => language.of("半条请求", "half a request"),
            Self::DamagedUnlock => language.of("错一位的开锁指令", "an unlock with one wrong bit"),
        }
    }
}

/// One statement: a failure, a remark, or the reason why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "says", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum Statement {
    /// Nothing came to a request.
    NoAnswer,
    /// Bytes came to a request that are no answer to it.
    WrongAnswer,
    /// An answer came, and more behind it.
    SecondAnswer,
    /// Somebody answers at an address where no board should be.
    StrangerAnswers { address: u8 },
    /// A single and a packed reading of a door differ.
    ReadingsDiffer { lock: u8 },
    /// The board says that it does not know a door.
    DoorUnknown { lock: u8 },
    /// Closed shows as open and open as closed.
    Inverted { lock: u8, set_inverted: bool },
    /// The reading does not follow the door.
    SensorStuck { lock: u8 },
    /// The door did not open.
    DoorStaysShut { lock: u8 },
    /// The board refused or failed to unlock.
    UnlockRefused { lock: u8 },
    /// Another door's reading changed with this unlock.
    OtherDoorMoved { lock: u8, moved: u8 },
    /// A door's movement was not reported though reports are on.
    NotReported { lock: u8 },
    /// A report that is wrong or not understood.
    WrongReport,
    /// The board reports though it should not.
    ReportsUnwanted,
    /// The board speaks unasked when a door moves.
    Reports,
    /// It does not.
    ReportsNothing,
    /// The board did not answer after noise.
    DeafAfter { noise: Noise },
    /// It answered after noise, but not the first request.
    SlowAfter { noise: Noise, requests: u32 },
    /// A door moved by noise.
    OpenedBy { noise: Noise, lock: u8 },
    /// The board did not come back with the power.
    StaysDead { waited_ms: u64 },
    /// How soon it came back.
    Back { after_ms: u64 },
    /// A door's reading is another after the power was away.
    DoorMovedByPower { lock: u8 },
    /// The board is slower than its family's document says.
    Slow { median_us: u64, documented_ms: u16 },
    /// One in a hundred answers or more come later than anybody waits.
    TooLate { p99_us: u64, limit_ms: u16 },
    /// Answers pause longer than a frame may.
    Pauses { median_us: u64, silence_ms: u16 },
    /// So many requests were not answered well.
    Lost { lost: u32, of: u32 },
    /// So many requests were answered well.
    Endured { reads: u32, openings: u32 },
    /// Not done because this check did not pass.
    Needs { check: Check },
    /// Nobody is there, and no command is named, to do this.
    Nobody { deed: Deed },
    /// The person said that it cannot be done.
    Declined { deed: Deed },
    /// The command did not succeed.
    CommandFailed { command: String, problem: String },
    /// The board still answers though its power was to be cut.
    PowerNotCut,
    /// The family's frames have no place for it.
    NotInFamily,
    /// The port is gone or was never there.
    PortGone { problem: String },
    /// The lock did not open, so that its sensor proves nothing.
    Unproven { lock: u8 },
}

impl Statement {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let (chinese, english) = self.words(language);
        language.of(chinese, english)
    }

    #[expect(clippy::too_many_lines, reason = "a list of texts")]
    fn words(&self, language: Language) -> (String, String) {
        let both = |chinese: &str, english: &str| (chinese.to_owned(), english.to_owned());
        match self {
            Self::NoAnswer => both("没有应答", "no answer"),
            Self::WrongAnswer => both(
                "收到的字节不是对该请求的应答",
                "what came is no answer to the request",
            ),
            Self::SecondAnswer => both(
                "应答之后又来了字节:可能两块板同一地址",
                "more came after the answer: perhaps two boards at one address",
            ),
            Self::StrangerAnswers { address } => (
                format!("地址 {address} 上不该有板,却有应答"),
                format!("an answer came from address {address}, where no board should be"),
            ),
            Self::ReadingsDiffer { lock } => (
                format!("{lock} 号门单独读与整体读不一致"),
                format!("door {lock} reads differently alone and with all others"),
            ),
            Self::DoorUnknown { lock } => (
                format!("{lock} 号门:板报告状态未知,请检查传感器"),
                format!("door {lock}: the board does not know its state; check its sensor"),
            ),
            Self::Inverted { lock, set_inverted } => (
                format!("{lock} 号门开关极性相反:应设 inverted = {set_inverted}"),
                format!("door {lock} reads the other way round: set inverted = {set_inverted}"),
            ),
            Self::SensorStuck { lock } => (
                format!("{lock} 号门读数不随门变化,请检查传感器与接线"),
                format!("the reading of door {lock} does not follow the door; check sensor and cable"),
            ),
            Self::DoorStaysShut { lock } => (
                format!("{lock} 号门没有打开"),
                format!("door {lock} did not open"),
            ),
            Self::UnlockRefused { lock } => (
                format!("{lock} 号锁:板拒绝或未能开锁"),
                format!("lock {lock}: the board refused or failed to unlock"),
            ),
            Self::OtherDoorMoved { lock, moved } => (
                format!("开 {lock} 号锁时,{moved} 号门的读数也变了"),
                format!("unlocking {lock} changed the reading of door {moved} as well"),
            ),
            Self::NotReported { lock } => (
                format!("{lock} 号门变化后没有主动上报"),
                format!("the movement of door {lock} was not reported"),
            ),
            Self::WrongReport => both(
                "主动上报的内容不对或无法识别",
                "a report was wrong or not understood",
            ),
            Self::ReportsUnwanted => both("不应主动上报,却上报了", "the board reports though it should not"),
            Self::Reports => both(
                "门变化时板会主动上报",
                "the board speaks unasked when a door moves",
            ),
            Self::ReportsNothing => both(
                "门变化时板不主动上报",
                "the board says nothing unasked when a door moves",
            ),
            Self::DeafAfter { noise } => (
                format!("{}之后不再应答", noise.say(language)),
                format!("no answer any more after {}", noise.say(language)),
            ),
            Self::SlowAfter { noise, requests } => (
                format!("{}之后第 {requests} 次请求才应答", noise.say(language)),
                format!(
                    "after {} only request {requests} was answered",
                    noise.say(language)
                ),
            ),
            Self::OpenedBy { noise, lock } => (
                format!("{}使 {lock} 号门的读数改变", noise.say(language)),
                format!("{} changed the reading of door {lock}", noise.say(language)),
            ),
            Self::StaysDead { waited_ms } => (
                format!("通电 {waited_ms} 毫秒后仍无应答"),
                format!("no answer {waited_ms} ms after the power came back"),
            ),
            Self::Back { after_ms } => (
                format!("通电 {after_ms} 毫秒后恢复应答"),
                format!("it answers {after_ms} ms after the power came back"),
            ),
            Self::DoorMovedByPower { lock } => (
                format!("断电再通电后 {lock} 号门的读数变了"),
                format!("the reading of door {lock} is another after the power was away"),
            ),
            Self::Slow {
                median_us,
                documented_ms,
            } => (
                format!("应答中位数 {} 毫秒,文档为 {documented_ms} 毫秒", ms(*median_us)),
                format!(
                    "half of the answers take more than {} ms; the document says {documented_ms} ms",
                    ms(*median_us)
                ),
            ),
            Self::TooLate { p99_us, limit_ms } => (
                format!("应答 p99 为 {} 毫秒,超过等待上限 {limit_ms} 毫秒", ms(*p99_us)),
                format!(
                    "p99 of answers is {} ms, above the {limit_ms} ms that are waited",
                    ms(*p99_us)
                ),
            ),
            Self::Pauses {
                median_us,
                silence_ms,
            } => (
                format!("应答中停顿 {} 毫秒,不得达到 {silence_ms} 毫秒", ms(*median_us)),
                format!(
                    "answers pause for {} ms; {silence_ms} ms end a frame",
                    ms(*median_us)
                ),
            ),
            Self::Lost { lost, of } => (
                format!("{of} 次请求中 {lost} 次没有正确应答"),
                format!("{lost} of {of} requests were not answered well"),
            ),
            Self::Endured { reads, openings } => (
                format!("读 {reads} 次、开门 {openings} 次"),
                format!("{reads} reads, {openings} openings"),
            ),
            Self::Needs { check } => (
                format!("“{}”未通过,无法进行", check.title(language)),
                format!("needs \u{201c}{}\u{201d} to pass", check.title(language)),
            ),
            Self::Nobody { deed } => (
                format!("无人操作,也没有配置命令:{}", deed.say(language)),
                format!(
                    "nobody is there and no command is named to {}",
                    deed.say(language)
                ),
            ),
            Self::Declined { deed } => (
                format!("现场无法做到:{}", deed.say(language)),
                format!("cannot be done there: {}", deed.say(language)),
            ),
            Self::CommandFailed { command, problem } => (
                format!("命令 `{command}` 失败:{problem}"),
                format!("the command `{command}` failed: {problem}"),
            ),
            Self::PowerNotCut => both(
                "断电后板仍应答:电源没有真正断开",
                "the board still answers: its power was not cut",
            ),
            Self::NotInFamily => both("该协议没有此功能", "this family has no frames for it"),
            Self::PortGone { problem } => (
                format!("串口不可用:{problem}"),
                format!("the port cannot be used: {problem}"),
            ),
            Self::Unproven { lock } => (
                format!("{lock} 号门没有打开,无法验证传感器"),
                format!("door {lock} did not open, so that its sensor proves nothing"),
            ),
        }
    }
}

/// Microseconds as milliseconds with one decimal.
fn ms(us: u64) -> String {
    format!("{}.{}", us / 1000, us % 1000 / 100)
}
