//! The operator's page as text: live cabinets, alarms, consignments, events, in Chinese and English. Pure; the server fills it.

use maud::{DOCTYPE, Markup, html};
use office_protocol::Timestamp;

mod administration;
mod names;
mod tables;

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

/// Whether a cabinet is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Nothing new from it since then; for too long.
    Silent(Timestamp),
    /// It said goodbye, or its connection broke.
    Offline,
    /// Connected.
    Online,
    /// Enrolled and never heard.
    Unheard,
    /// Its key was taken back.
    Revoked,
}

/// How a cabinet's history stands at the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Everything up to the last event is here.
    Complete,
    /// Events before newer ones are missing.
    Gap,
    /// These the cabinet has lost for ever; what came later is here.
    Lost(i64, i64),
    /// Two histories from one event: a cloned or restored disk.
    Fork,
}

/// One cabinet.
#[derive(Debug, Clone)]
pub struct CabinetRow {
    /// Its name.
    pub cabinet: String,
    /// Whether it is there.
    pub presence: Presence,
    /// Last heard of.
    pub seen: Option<Timestamp>,
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
    /// Compartments whose lock nobody has proven: nothing is put in there.
    pub unproven: usize,
    /// Lock boards whose commands are authenticated on the wire.
    pub protected: Vec<u16>,
    /// Lock boards to whom anybody at their cable can say what the cabinet says.
    pub unprotected: Vec<u16>,
    /// Until when its certificate counts, if that is soon or over.
    pub certificate_ends: Option<Timestamp>,
    /// Alarms that stand.
    pub alarms: usize,
}

/// One alarm that stands.
#[derive(Debug, Clone)]
pub struct AlarmRow {
    /// Its number.
    pub id: i64,
    /// When it was raised.
    pub since: Timestamp,
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
    /// Since when.
    pub since: Timestamp,
}

/// One event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// When, at the cabinet.
    pub time: Timestamp,
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

/// Why somebody is not logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginProblem {
    /// Another password.
    Wrong,
    /// Passwords were tried too often.
    TooMany,
}

impl LoginProblem {
    fn text(self, language: Language) -> &'static str {
        match self {
            Self::Wrong => language.pick("密码不对，请重试。", "Wrong password. Please try again."),
            Self::TooMany => language.pick(
                "尝试次数过多，请 10 秒后再试。",
                "Too many tries. Please wait ten seconds and try again.",
            ),
        }
    }
}

/// What became of an operator's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A cabinet's key was taken back.
    Revoked,
    /// There is no such cabinet.
    NoCabinet,
    /// So many sealed parts were erased.
    Erased(u64),
    /// What was typed is no id.
    NoId,
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
pub fn render(overview: &Overview, done: Option<Done>) -> String {
    let language = overview.language;
    let title = language.pick("信包箱管理平台", "Locker office");
    let body = html! {
        header {
            h1 { (title) }
            p #link.link role="status" data-lost=(language.pick("连接中断，正在重连…", "Connection lost, trying again…")) {}
            nav {
                a href="/?language=zh" lang="zh" aria-current=[(language == Language::Zh).then_some("true")] { "中文" }
                a href="/?language=en" lang="en" aria-current=[(language == Language::En).then_some("true")] { "English" }
                form method="post" action="/logout" {
                    input type="hidden" name="language" value=(language.code());
                    button { (language.pick("退出", "Log out")) }
                }
            }
        }
        @if let Some(done) = done { p.notice role="status" { (administration::outcome(language, done)) } }
        main #live { (fragment(overview)) }
        main { (administration::forms(language)) }
        script src="/script.js" {}
    };
    shell(language, title, &body)
}

/// The login page.
pub fn login(language: Language, problem: Option<LoginProblem>) -> String {
    let title = language.pick("信包箱管理平台", "Locker office");
    let body = html! {
        main.login {
            h1 { (title) }
            form method="post" action="/login" {
                input type="hidden" name="language" value=(language.code());
                @if let Some(problem) = problem { p.wrong role="alert" { (problem.text(language)) } }
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
            } @else { (tables::cabinets(overview)) }
        }
        section {
            h2 { (t("告警", "Alarms")) " " span.count { (overview.alarms.len()) } }
            @if overview.alarms.is_empty() { p.empty { (t("没有告警。", "No alarms.")) } } @else { (tables::alarms(overview)) }
        }
        section {
            h2 { (t("在柜信包", "Consignments inside")) " " span.count { (overview.consignments.len()) } }
            @if overview.consignments.is_empty() { p.empty { (t("柜内没有信包。", "Nothing inside.")) } } @else { (tables::consignments(overview)) }
        }
        section {
            h2 { (t("最近事件", "Recent events")) }
            @if overview.events.is_empty() { p.empty { (t("还没有事件。", "No events yet.")) } } @else { (tables::events(overview)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cabinet_sends_is_text_never_markup() {
        let event = EventRow {
            time: Timestamp::from_millis(0),
            cabinet: "PORT-7".into(),
            seq: 7,
            kind: "<script>".into(),
            subject: Some("consignment/\"><b>".into()),
        };
        let overview = Overview {
            events: vec![event],
            ..Overview::default()
        };
        let page = render(&overview, None);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<b>"));
    }

    #[test]
    fn of_each_lock_board_it_is_said_whether_its_wire_is_protected() {
        let row = CabinetRow {
            cabinet: "PORT-7".into(),
            presence: Presence::Online,
            seen: None,
            complete_to: 9,
            completeness: Completeness::Complete,
            compartments: 24,
            free: 24,
            unconfirmed: 0,
            unproven: 0,
            protected: vec![3],
            unprotected: vec![1, 2],
            certificate_ends: Some(Timestamp::from_millis(0)),
            alarms: 0,
        };
        let overview = |language| Overview {
            language,
            cabinets: vec![row.clone()],
            ..Overview::default()
        };
        let zh = render(&overview(Language::Zh), None);
        assert!(zh.contains("⚠ 1, 2 无认证") && zh.contains("✓ 3 已认证"));
        assert!(zh.contains("⚠ 证书到期"));
        let en = render(&overview(Language::En), None);
        assert!(en.contains("⚠ 1, 2 unprotected") && en.contains("⚠ certificate ends"));
    }

    #[test]
    fn both_languages_have_their_own_words() {
        let zh = render(&Overview::default(), None);
        let english = Overview {
            language: Language::En,
            ..Overview::default()
        };
        let en = render(&english, Some(Done::Erased(3)));
        assert!(en.contains("3 sealed parts erased"));
        assert!(zh.contains("箱柜") && en.contains("Cabinets"));
        assert!(login(Language::En, Some(LoginProblem::Wrong)).contains("Wrong password"));
    }
}
