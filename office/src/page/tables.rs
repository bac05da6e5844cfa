//! The page's tables.

use maud::{Markup, html};
use office_protocol::Timestamp;

use super::{CabinetRow, Completeness, Language, Overview, Presence, names};

pub(super) fn cabinets(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table {
            thead { tr {
                th { (t("箱柜", "Cabinet")) } th { (t("状态", "State")) } th { (t("最近联系", "Last heard")) }
                th { (t("流水", "History")) } th.number { (t("空闲 / 总数", "Free / all")) }
                th.number { (t("待核实", "Unconfirmed")) } th.number { (t("未验锁", "Unproven")) }
                th { (t("锁控板线路", "Lock boards' wires")) } th.number { (t("告警", "Alarms")) }
            } }
            tbody { @for row in &overview.cabinets { tr {
                th scope="row" { (row.cabinet) }
                td {
                    (presence(overview.language, &row.presence))
                    @if let Some(ends) = row.certificate_ends {
                        " " span.warn { "⚠ " (t("证书到期 ", "certificate ends ")) (time(ends)) }
                    }
                }
                td { @if let Some(seen) = row.seen { (time(seen)) } @else { "–" } }
                td { @if row.complete_to > 0 { (completeness(overview.language, row)) } @else { "–" } }
                td.number { @if row.compartments > 0 { (row.free) " / " (row.compartments) } @else { "–" } }
                td.number { @if row.unconfirmed > 0 { span.warn { (row.unconfirmed) } } @else { "0" } }
                td.number { @if row.unproven > 0 { span.warn { (row.unproven) } } @else { "0" } }
                td { (boards(overview.language, row)) }
                td.number { @if row.alarms > 0 { span.bad { "▲ " (row.alarms) } } @else { "0" } }
            } } }
        }
    }
}

fn presence(language: Language, presence: &Presence) -> Markup {
    let t = |zh, en| language.pick(zh, en);
    match presence {
        Presence::Online => html! { span.good { "● " (t("在线", "online")) } },
        Presence::Offline => html! { span.bad { "○ " (t("离线", "offline")) } },
        Presence::Silent(since) => {
            html! { span.bad { "○ " (t("失联，自 ", "silent since ")) (time(*since)) } }
        }
        Presence::Unheard => html! { span.soft { "– " (t("尚未上线", "not heard yet")) } },
        Presence::Revoked => html! { span.soft { "✕ " (t("已注销", "revoked")) } },
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
        Completeness::Lost(from, to) => {
            let (until, lost) = (row.complete_to, format!("{from}–{to}"));
            html! { span.bad { "✗ " (language.pick("完整至 ", "complete to ")) (until) (language.pick("，缺失 ", ", lost ")) (lost) } }
        }
        Completeness::Fork => {
            html! { span.bad { "≠ " (language.pick("分叉，完整至 ", "fork, complete to ")) (row.complete_to) } }
        }
    }
}

/// Which lock boards are authenticated, and which are not.
fn boards(language: Language, row: &CabinetRow) -> Markup {
    let numbers = |boards: &[u16]| {
        let numbers: Vec<String> = boards.iter().map(ToString::to_string).collect();
        numbers.join(", ")
    };
    html! {
        @if row.protected.is_empty() && row.unprotected.is_empty() { "–" }
        @if !row.protected.is_empty() {
            span.good { "✓ " (numbers(&row.protected)) " " (language.pick("已认证", "authenticated")) } " "
        }
        @if !row.unprotected.is_empty() {
            span.warn { "⚠ " (numbers(&row.unprotected)) " " (language.pick("无认证", "unprotected")) }
        }
    }
}

pub(super) fn alarms(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table {
            thead { tr { th { (t("时间", "Since")) } th { (t("箱柜", "Cabinet")) } th { (t("告警", "Alarm")) } th.number { (t("格口", "Compartment")) } th {} } }
            tbody { @for row in &overview.alarms { tr {
                td { (time(row.since)) } th scope="row" { (if row.cabinet == "-" { "–" } else { &row.cabinet }) }
                td { span.bad { "▲ " (names::name(overview.language, names::ALARMS, &row.alarm)) } }
                td.number { @if let Some(compartment) = row.compartment { (compartment) } @else { "–" } }
                td.number {
                    form method="post" action="/alarms/clear" {
                        input type="hidden" name="language" value=(overview.language.code());
                        input type="hidden" name="alarm" value=(row.id);
                        button { (t("已处理", "Clear")) }
                    }
                }
            } } }
        }
    }
}

pub(super) fn consignments(overview: &Overview) -> Markup {
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
                td { (names::name(overview.language, names::STATES, &row.state)) } td { (time(row.since)) }
            } } }
        }
    }
}

pub(super) fn events(overview: &Overview) -> Markup {
    let t = |zh, en| overview.language.pick(zh, en);
    html! {
        table.events {
            thead { tr {
                th { (t("时间", "Time")) } th { (t("箱柜", "Cabinet")) } th.number { (t("序号", "Number")) }
                th { (t("事件", "Event")) } th { (t("对象", "About")) }
            } }
            tbody { @for row in &overview.events { tr {
                td { (time(row.time)) } td { (row.cabinet) } td.number { (row.seq) }
                td { (names::name(overview.language, names::EVENTS, &row.kind)) } td { (subject(overview.language, row.subject.as_deref())) }
            } } }
        }
    }
}

/// `2026-01-31 09:05:07 UTC`; the page's script turns it into the operator's own time.
fn time(time: Timestamp) -> Markup {
    let exact = time.to_string();
    let seconds = exact.split('.').next().unwrap_or_default().replace('T', " ");
    html! { time datetime=(exact) { (seconds) " UTC" } }
}

/// What an event is about: `consignment/PERMIT-1` or `compartment/4`.
fn subject(language: Language, subject: Option<&str>) -> Markup {
    let Some(subject) = subject else {
        return html! { "–" };
    };
    match subject.split_once('/') {
        Some(("consignment", id)) => html! { (language.pick("信包 ", "consignment ")) (id) },
        Some(("compartment", id)) => html! { (language.pick("格口 ", "compartment ")) (id) },
        _ => html! { (subject) },
    }
}
