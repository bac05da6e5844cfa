//! The operator's page as text: live cabinets, alarms, consignments, events, in Chinese and English. Pure; the server fills it.

use maud::{DOCTYPE, Markup, html};

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    fn code(self) -> &'static str {
        self.pick("zh", "en")
    }

    fn pick(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// How a cabinet's history stands at the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Everything up to the last event is here.
    Complete,
    /// Events before newer ones are missing.
    Gap,
    /// Two histories from one event: a cloned or restored disk.
    Fork,
}

/// One cabinet.
#[derive(Debug, Clone)]
pub struct CabinetRow {
    /// Its name.
    pub cabinet: String,
    /// Connected.
    pub online: bool,
    /// Last heard of, as text.
    pub seen: Option<String>,
    /// Complete up to this event.
    pub complete_to: u64,
    /// How its history stands.
    pub completeness: Completeness,
    /// Compartments in all.
    pub compartments: usize,
    /// Free ones.
    pub free: usize,
    /// Ones that nobody knows the content of.
    pub unconfirmed: usize,
    /// Alarms that stand.
    pub alarms: usize,
}

/// One alarm that stands.
#[derive(Debug, Clone)]
pub struct AlarmRow {
    /// When it was raised, as text.
    pub since: String,
    /// Where.
    pub cabinet: String,
    /// Its code: `door-jammed`, …
    pub alarm: String,
    /// At which compartment.
    pub compartment: Option<u16>,
}

/// One consignment.
#[derive(Debug, Clone)]
pub struct ConsignmentRow {
    /// Its name.
    pub consignment: String,
    /// Its application.
    pub application: Option<String>,
    /// Where.
    pub cabinet: String,
    /// In which compartment.
    pub compartment: Option<u16>,
    /// Its state's code: `dropped-off`, `placed`, …
    pub state: String,
    /// Since when, as text.
    pub since: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// When, at the cabinet, as text.
    pub time: String,
    /// Where.
    pub cabinet: String,
    /// Its number.
    pub seq: u64,
    /// Its type without `locker.`.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
}

/// Everything on the page.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The page's language.
    pub language: Language,
    /// All cabinets, those that need somebody first.
    pub cabinets: Vec<CabinetRow>,
    /// Alarms that stand, newest first.
    pub alarms: Vec<AlarmRow>,
    /// Consignments that are inside or in doubt, newest first.
    pub consignments: Vec<ConsignmentRow>,
    /// The last events, newest first.
    pub events: Vec<EventRow>,
}

/// The style sheet, at `/style.css`.
pub const STYLE: &str = include_str!("page/style.css");
/// The script, at `/script.js`: replaces `#live` with what `/events` sends.
pub const SCRIPT: &str = include_str!("page/script.js");

fn shell(language: Language, title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body { (body) }
        }
    }
    .into_string()
}

/// The whole page.
pub fn render(overview: &Overview) -> String {
    let language = overview.language;
    let title = language.pick("文件柜管理平台", "Locker office");
    let body = html! {
        header {
            h1 { (title) }
            p #link.link role="status" data-lost=(language.pick("连接中断，正在重连…", "Connection lost, trying again…")) {}
            nav {
                a href="/?language=zh" lang="zh" aria-current=[(language == Language::Zh).then_some("true")] { "中文" }
                a href="/?language=en" lang="en" aria-current=[(language == Language::En).then_some("true")] { "English" }
                form method="post" action="/logout" { button { (language.pick("退出", "Log out")) } }
            }
        }
        main #live { (fragment(overview)) }
        script src="/script.js" {}
    };
    shell(language, title, &body)
}

/// The login page.
pub fn login(language: Language, wrong: bool) -> String {
    let title = language.pick("文件柜管理平台", "Locker office");
    let body = html! {
        main.login {
            h1 { (title) }
            form method="post" action="/login" {
                @if wrong { p.wrong role="alert" { (language.pick("密码不对，请重试。", "Wrong password. Please try again.")) } }
                label for="password" { (language.pick("密码", "Password")) }
                input #password type="password" name="password" autocomplete="current-password" autofocus required;
                button { (language.pick("登录", "Log in")) }
            }
            p { a href="/?language=zh" lang="zh" { "中文" } " · " a href="/?language=en" lang="en" { "English" } }
        }
    };
    shell(language, title, &body)
}

/// What changes while the page is open.
pub fn fragment(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        section {
            h2 { (t("箱柜", "Cabinets")) " " span.count { (overview.cabinets.len()) } }
            @if overview.cabinets.is_empty() {
                p.empty { (t("还没有登记箱柜。用 office enrol 登记第一台。", "No cabinet yet. Enrol the first with office enrol.")) }
            } @else { (cabinets(overview)) }
        }
        section {
            h2 { (t("告警", "Alarms")) " " span.count { (overview.alarms.len()) } }
            @if overview.alarms.is_empty() { p.empty { (t("没有告警。", "No alarms.")) } } @else { (alarms(overview)) }
        }
        section {
            h2 { (t("在柜信包", "Consignments inside")) " " span.count { (overview.consignments.len()) } }
            @if overview.consignments.is_empty() { p.empty { (t("柜内没有信包。", "Nothing inside.")) } } @else { (consignments(overview)) }
        }
        section {
            h2 { (t("最近事件", "Recent events")) }
            @if overview.events.is_empty() { p.empty { (t("还没有事件。", "No events yet.")) } } @else { (events(overview)) }
        }
    }
}

fn cabinets(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table {
            thead { tr {
                th { (t("箱柜", "Cabinet")) } th { (t("状态", "State")) } th { (t("最近联系", "Last heard")) }
                th { (t("流水", "History")) } th.number { (t("空闲 / 总数", "Free / all")) }
                th.number { (t("待核实", "Unconfirmed")) } th.number { (t("告警", "Alarms")) }
            } }
            tbody { @for row in &overview.cabinets { tr {
                th scope="row" { (row.cabinet) }
                td { @if row.online { span.good { "● " (t("在线", "online")) } } @else { span.bad { "○ " (t("离线", "offline")) } } }
                td { (row.seen.as_deref().unwrap_or("–")) }
                td { (completeness(overview.language, row)) }
                td.number { (row.free) " / " (row.compartments) }
                td.number { @if row.unconfirmed > 0 { span.warn { (row.unconfirmed) } } @else { "0" } }
                td.number { @if row.alarms > 0 { span.bad { "▲ " (row.alarms) } } @else { "0" } }
            } } }
        }
    }
}

fn completeness(language: Language, row: &CabinetRow) -> Markup {
    match row.completeness {
        Completeness::Complete => {
            html! { span.good { "✓ " (language.pick("完整至 ", "complete to ")) (row.complete_to) } }
        }
        Completeness::Gap => {
            html! { span.warn { "… " (language.pick("缺口，完整至 ", "gap after ")) (row.complete_to) } }
        }
        Completeness::Fork => {
            html! { span.bad { "⑂ " (language.pick("分叉，完整至 ", "fork, complete to ")) (row.complete_to) } }
        }
    }
}

fn alarms(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table {
            thead { tr { th { (t("时间", "Since")) } th { (t("箱柜", "Cabinet")) } th { (t("告警", "Alarm")) } th.number { (t("格口", "Compartment")) } } }
            tbody { @for row in &overview.alarms { tr {
                td { (row.since) } th scope="row" { (row.cabinet) }
                td { span.bad { "▲ " (name(overview.language, ALARMS, &row.alarm)) } }
                td.number { @if let Some(compartment) = row.compartment { (compartment) } @else { "–" } }
            } } }
        }
    }
}

fn consignments(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table {
            thead { tr {
                th { (t("信包", "Consignment")) } th { (t("办件", "Application")) } th { (t("箱柜", "Cabinet")) }
                th.number { (t("格口", "Compartment")) } th { (t("状态", "State")) } th { (t("时间", "Since")) }
            } }
            tbody { @for row in &overview.consignments { tr {
                th scope="row" { (row.consignment) } td { (row.application.as_deref().unwrap_or("–")) } td { (row.cabinet) }
                td.number { @if let Some(compartment) = row.compartment { (compartment) } @else { "–" } }
                td { (name(overview.language, STATES, &row.state)) } td { (row.since) }
            } } }
        }
    }
}

fn events(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table.events {
            thead { tr {
                th { (t("时间", "Time")) } th { (t("箱柜", "Cabinet")) } th.number { (t("序号", "Number")) }
                th { (t("事件", "Event")) } th { (t("对象", "About")) }
            } }
            tbody { @for row in &overview.events { tr {
                td { (row.time) } td { (row.cabinet) } td.number { (row.seq) }
                td { (name(overview.language, EVENTS, &row.kind)) } td { (row.subject.as_deref().unwrap_or("–")) }
            } } }
        }
    }
}

/// A code with its names; a code that a newer cabinet sent is shown as it is.
fn name<'a>(language: Language, names: &[(&str, &'static str, &'static str)], code: &'a str) -> &'a str {
    let found = names.iter().find(|(known, ..)| *known == code);
    found.map_or(code, |(_, zh, en)| language.pick(zh, en))
}

const STATES: &[(&str, &str, &str)] = &[
    ("dropped-off", "已交件，待揽收", "handed in, to be cleared"),
    ("placed", "待取件", "waiting for collection"),
    ("unconfirmed", "待核实", "unconfirmed"),
    ("disputed", "有异议", "disputed"),
    ("collected", "已取件", "collected"),
    ("cleared", "已揽收", "cleared"),
    ("taken-back", "已撤回", "taken back"),
    ("recalled", "已回收", "recalled"),
];

const ALARMS: &[(&str, &str, &str)] = &[
    ("door-jammed", "柜门打不开", "door does not open"),
    ("door-open", "柜门未关", "door left open"),
    ("door-forced", "柜门被强行打开", "door forced"),
    ("sensor-broken", "门传感器故障", "door sensor broken"),
    ("board-lost", "锁控板无应答", "lock board does not answer"),
    ("port-lost", "串口断开", "serial port gone"),
    ("peripheral-lost", "外设断开", "device gone"),
    ("guessing", "有人在试取件码", "somebody guesses codes"),
    ("forgery", "收到伪造的消息或凭证", "forged messages or passes"),
    ("storage-low", "存储空间不足", "disk nearly full"),
    ("journal-damaged", "流水损坏", "journal damaged"),
    ("clock-untrusted", "时钟不可信", "clock not trusted"),
    ("cabinet-full", "箱柜已满", "cabinet full"),
    ("dispute", "有异议待处理", "dispute waiting"),
    ("fork", "流水分叉", "history forked"),
    ("gap", "流水有缺口", "history has a gap"),
    ("silent", "长时间没有联系", "silent"),
    ("malformed", "收到不成流水的消息", "messages that are no history"),
    (
        "unknown-cabinet",
        "未登记的箱柜发来消息",
        "messages of a cabinet that is not enrolled",
    ),
    ("pass-used-elsewhere", "凭证码在别处用过", "pass used elsewhere"),
    ("help-requested", "现场求助", "somebody asks for help"),
];

const EVENTS: &[(&str, &str, &str)] = &[
    ("started", "已启动", "started"),
    ("visit-granted", "授权开柜", "visit granted"),
    ("visit-moved", "换格口", "visit moved"),
    ("visit-settled", "开柜操作结束", "visit settled"),
    ("unlock-begun", "开锁", "unlock"),
    ("unlock-failed", "开锁失败", "unlock failed"),
    ("unlock-interrupted", "开锁中断", "unlock interrupted"),
    ("door-opened", "门已开", "door opened"),
    ("door-closed", "门已关", "door closed"),
    ("door-found", "门状态", "door found"),
    ("door-left-open", "门未关", "door left open"),
    ("door-forced", "强行开门", "door forced"),
    ("dropped-off", "交件", "dropped off"),
    ("taken-back", "撤回", "taken back"),
    ("cleared", "揽收", "cleared"),
    ("placed", "存件", "placed"),
    ("collected", "取件", "collected"),
    ("recalled", "回收", "recalled"),
    ("code-reissued", "重发取件码", "code reissued"),
    ("hold-started", "开始计保管期", "hold started"),
    ("unconfirmed", "待核实", "unconfirmed"),
    ("confirmed", "已核实", "confirmed"),
    ("disputed", "有异议", "disputed"),
    ("alarm-raised", "告警", "alarm raised"),
    ("alarm-cleared", "告警解除", "alarm cleared"),
    ("clock-corrected", "时钟校正", "clock corrected"),
    ("document-applied", "文件已生效", "document in force"),
    ("layout-changed", "格口配置变更", "compartments changed"),
    ("compartment-withdrawn", "格口停用", "compartment withdrawn"),
    ("compartment-returned", "格口恢复", "compartment returned"),
    ("tries-counted", "错误码计数", "wrong tries counted"),
    ("pass-used", "凭证码已用", "pass used"),
    ("pass-refused", "凭证码被拒", "pass refused"),
    ("staff-admitted", "员工登录", "staff admitted"),
    ("command-accepted", "指令已接受", "command accepted"),
    ("command-refused", "指令被拒", "command refused"),
    ("command-done", "指令已执行", "command done"),
    ("board-lost", "锁控板断开", "board lost"),
    ("board-found", "锁控板恢复", "board found"),
    ("port-lost", "串口断开", "port lost"),
    ("port-found", "串口恢复", "port found"),
    ("peripheral-lost", "外设断开", "device lost"),
    ("peripheral-found", "外设恢复", "device found"),
    ("tampered", "箱体被触动", "tampered"),
    ("power-changed", "电源变化", "power changed"),
    ("help-requested", "求助", "help requested"),
    ("rated", "评价", "rated"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cabinet_sends_is_text_never_markup() {
        let event = EventRow {
            time: "09:05".into(),
            cabinet: "PORT-7".into(),
            seq: 7,
            kind: "<script>".into(),
            subject: Some("consignment/\"><b>".into()),
        };
        let overview = Overview {
            events: vec![event],
            ..Overview::default()
        };
        let page = render(&overview);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<b>"));
    }

    #[test]
    fn both_languages_have_their_own_words() {
        let zh = render(&Overview::default());
        let en = render(&Overview {
            language: Language::En,
            ..Overview::default()
        });
        assert!(zh.contains("箱柜") && en.contains("Cabinets"));
        assert!(login(Language::En, true).contains("Wrong password"));
    }
}
