//! Every screen in every appearance.
#![allow(clippy::unwrap_used)]

use office_protocol::document::Nearby;

use super::page::{render, shell};
use super::samples::{NOW, past, samples};
use crate::cabinet::screen::{Action, Appearance, DropOffs, Language, Screen, View};
use crate::catalogue::Catalogue;

fn appearances() -> impl Iterator<Item = Appearance> {
    let languages = [Language::Zh, Language::En].into_iter();
    let large = languages.flat_map(|language| [false, true].map(|large| (language, large)));
    large.flat_map(|(language, large)| {
        [false, true].map(|contrast| Appearance {
            language,
            large,
            contrast,
        })
    })
}

fn drawn() -> Vec<(String, View, String)> {
    let catalogue = Catalogue::built_in();
    let mut drawn = Vec::new();
    for (name, view) in samples() {
        for appearance in appearances() {
            let view = View {
                appearance,
                ..view.clone()
            };
            let html = render(&view, &catalogue, NOW, 480, Some(&past())).into_string();
            let language = if appearance.language == Language::Zh {
                "zh"
            } else {
                "en"
            };
            let large = if appearance.large { "-large" } else { "" };
            let contrast = if appearance.contrast { "-contrast" } else { "" };
            drawn.push((format!("{name}.{language}{large}{contrast}"), view, html));
        }
    }
    drawn
}

fn attributes(html: &str, name: &str) -> Vec<String> {
    let opening = format!(" {name}=\"");
    let pieces = html.split(&opening).skip(1);
    pieces
        .map(|piece| {
            piece
                .split('"')
                .next()
                .unwrap()
                .replace("&quot;", "\"")
                .replace("&amp;", "&")
        })
        .collect()
}

/// The actions, by their names on the wire, that the contract allows on a screen besides appearance and help.
fn allowed(screen: &Screen) -> &'static [&'static str] {
    match screen {
        Screen::Home { .. } => &["start-collection", "start-drop-off"],
        Screen::EnterDigits { .. } | Screen::EnterSecondFactor { .. } | Screen::EnterPin { .. } => {
            &["digits", "back"]
        }
        Screen::ScanProblem(_) | Screen::Help => &["back"],
        Screen::ChooseItem => &["choose-item", "back"],
        Screen::EnterPhone { .. } => &["phone", "skip-phone", "back"],
        Screen::Checklist {
            choose_size: true, ..
        } => &["accept", "choose-size", "back"],
        Screen::Checklist {
            choose_size: false, ..
        }
        | Screen::Slip { .. } => &["accept", "back"],
        Screen::Opening(_) | Screen::LockResting(_) | Screen::OutOfService => &[],
        Screen::IsDoorOpen(_) => &["door-is-open"],
        Screen::DoorOpen { .. } => &["another-door", "door-is-closed", "complain"],
        Screen::IsItInside(_) => &["yes", "no", "reopen"],
        Screen::TookEverything { .. } => &["yes", "reopen", "complain"],
        Screen::Receipt { .. } => &["another", "done", "rate"],
        Screen::Done { .. } => &["next", "rate", "done"],
        Screen::Sorry { .. } => &["done"],
        Screen::StaffHome { .. } => &[
            "start-clearing",
            "start-placing",
            "start-recall",
            "start-inspection",
            "start-proving",
            "show-commissioning",
            "start-look-up",
            "done",
        ],
        Screen::Round { .. } => &["open-next", "open-this", "end-round"],
        Screen::PlacingScan { .. } => &["undo-last", "end-round"],
        Screen::PlacingSize { .. } => &["choose-size", "back"],
        Screen::WhatIsInside { .. } => &["inside", "empty", "foreign", "reopen"],
        Screen::WhichDoor { .. } => &["opened-door", "no"],
        Screen::Compartments { .. } => &[
            "open-this",
            "withdraw",
            "return-to-service",
            "replace-board",
            "done",
        ],
        Screen::Commissioning(_) => &["write-wiring", "keep-report", "install-key", "done"],
        Screen::LookUp { .. } | Screen::History { .. } => &["look-up", "back"],
        Screen::MoreTime => &["more-time", "done"],
    }
}

#[test]
fn only_what_the_contract_allows_is_offered() {
    for (name, view, html) in drawn() {
        let mut offered = attributes(&html, "data-pad");
        for tap in attributes(&html, "data-tap") {
            let action: Action =
                serde_json::from_str(&tap).unwrap_or_else(|error| panic!("{name}: {tap}: {error}"));
            let value = serde_json::to_value(&action).unwrap();
            offered.push(value["do"].as_str().unwrap().to_owned());
        }
        for action in &offered {
            let everywhere = ["appear", "help"].contains(&action.as_str());
            assert!(
                everywhere || allowed(&view.screen).contains(&action.as_str()),
                "{name} offers {action}"
            );
        }
        let appear = offered.iter().filter(|action| *action == "appear").count();
        let dead = view.screen == Screen::OutOfService;
        let wanted = if dead { 0 } else { 3 };
        assert_eq!(appear, wanted, "{name}: language, large text and contrast");
        assert!(
            dead || view.screen == Screen::Help || offered.iter().any(|action| action == "help"),
            "{name}: help"
        );
        let only_waits = matches!(
            view.screen,
            Screen::Opening(_) | Screen::LockResting(_) | Screen::DoorOpen { .. }
        );
        let own = offered
            .iter()
            .any(|action| !["appear", "help"].contains(&action.as_str()));
        assert!(own || only_waits || dead, "{name} is a dead end");
    }
}

#[test]
fn codes_are_only_on_the_screen_that_they_are_for() {
    for (name, view, html) in drawn() {
        let slip = html.contains("4815 9263") || html.contains("48159263");
        assert_eq!(slip, matches!(view.screen, Screen::Slip { .. }), "{name}");
        assert_eq!(
            html.contains("6027"),
            name.starts_with("receipt-walk-in."),
            "{name}"
        );
        assert!(
            !html.contains("SLIPTOKEN") && !html.contains("PROOFOF"),
            "{name}: only as a QR code"
        );
    }
}

#[test]
fn history_says_what_happened_what_it_was_about_and_when_nothing_can_be_found() {
    let (_, view) = samples().into_iter().find(|(name, _)| name == "history").unwrap();
    let draw = |found| render(&view, &Catalogue::built_in(), NOW, 480, found).into_string();
    let past = past();
    let drawn = draw(Some(&past));
    for said in [
        "17 号柜门",
        "已取件",
        "告警 · 柜门未关",
        "办件 A-2026-00815",
        "收件人 P-4711",
    ] {
        assert!(drawn.contains(said), "{said} is not in {drawn}");
    }
    assert!(draw(Some(&[])).contains("没有记录"));
    assert!(draw(None).contains("暂时查不到记录"));
}

#[test]
fn what_others_wrote_is_only_ever_text() {
    let evil = "<script>alert(1)</script>\"'&";
    let catalogue = include_str!("../../config/catalogue.toml").replace("结婚证复印件", "<script>x</script>");
    let catalogue = Catalogue::parse(&catalogue.replace("一件事", "<b onclick=x>")).unwrap();
    for (name, view) in samples() {
        let nearby = vec![Nearby {
            cabinet: "X-1".parse().unwrap(),
            zh: evil.into(),
            en: evil.into(),
        }];
        let screen = match view.screen.clone() {
            Screen::Home { .. } => Screen::Home {
                drop_offs: DropOffs::Closed { nearby },
            },
            Screen::Slip {
                reference, second, ..
            } => Screen::Slip {
                reference,
                second,
                qr: evil.into(),
                digits: evil.into(),
                spare: evil.into(),
            },
            other @ (Screen::EnterDigits { .. }
            | Screen::EnterSecondFactor { .. }
            | Screen::ScanProblem(_)
            | Screen::ChooseItem
            | Screen::EnterPhone { .. }
            | Screen::Checklist { .. }
            | Screen::Opening(_)
            | Screen::LockResting(_)
            | Screen::IsDoorOpen(_)
            | Screen::DoorOpen { .. }
            | Screen::IsItInside(_)
            | Screen::TookEverything { .. }
            | Screen::Receipt { .. }
            | Screen::Done { .. }
            | Screen::Sorry { .. }
            | Screen::EnterPin { .. }
            | Screen::StaffHome { .. }
            | Screen::Round { .. }
            | Screen::PlacingScan { .. }
            | Screen::PlacingSize { .. }
            | Screen::WhichDoor { .. }
            | Screen::WhatIsInside { .. }
            | Screen::Compartments { .. }
            | Screen::Commissioning(_)
            | Screen::LookUp { .. }
            | Screen::History { .. }
            | Screen::MoreTime
            | Screen::OutOfService
            | Screen::Help) => other,
        };
        let view = View {
            screen,
            help_phone: Some(evil.into()),
            reference: Some(evil.into()),
            ..view
        };
        let html = render(&view, &catalogue, NOW, 480, Some(&past())).into_string();
        assert!(
            !html.contains("<script") && !html.contains("<b onclick"),
            "{name}"
        );
        assert_eq!(
            shell(&view, "0").into_string().matches("<script").count(),
            1,
            "only our own"
        );
    }
}

#[test]
fn a_page_is_balanced_and_brings_no_style_or_script_of_its_own() {
    for (name, _, html) in drawn() {
        for tag in [
            "div", "button", "section", "main", "aside", "p", "h1", "svg", "span", "strong",
        ] {
            let opened =
                html.matches(&format!("<{tag} ")).count() + html.matches(&format!("<{tag}>")).count();
            assert_eq!(
                opened,
                html.matches(&format!("</{tag}>")).count(),
                "{name}: {tag}"
            );
        }
        assert!(!html.contains(" style=") && !html.contains("http"), "{name}");
        let mut ids = attributes(&html, "id");
        let opens = attributes(&html, "data-show");
        assert!(
            opens.iter().all(|id| ids.contains(id)),
            "{name}: a button opens nothing"
        );
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: an id is there twice");
    }
}

/// Red, green and blue of `--name` in the first rule of the style sheet after `rule`, made linear and weighed.
fn luminance(rule: &str, name: &str) -> f64 {
    let css = include_str!("assets/kiosk.css");
    let block = css.split(rule).nth(1).unwrap().split('}').next().unwrap();
    let color = block.split(&format!("--{name}: #")).nth(1).unwrap();
    let channel = |at: usize| {
        let part = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

#[test]
fn colours_have_the_contrast_that_the_rules_ask_for() {
    let pairs = [
        ("ink", "paper"),
        ("ink", "card"),
        ("ink", "pressed"),
        ("on-brand", "brand"),
        ("warn-ink", "warn-paper"),
        ("good", "paper"),
        ("edge", "paper"),
    ];
    for (rule, least) in [(":root, .kiosk {", 4.5), (".kiosk.contrast {", 7.0)] {
        for (front, back) in pairs {
            let (a, b) = (luminance(rule, front), luminance(rule, back));
            let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(ratio >= least, "{rule} {front} on {back}: {ratio:.1}");
        }
    }
}

/// With `KIOSK_PAGES` set to a folder, every sample is written there as a page that a browser shows by itself.
#[test]
fn pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("KIOSK_PAGES").map(std::path::PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let css = include_str!("assets/kiosk.css");
    let script = include_str!("assets/kiosk.js").replace("\nfollow();", "\nshow({ assets });");
    for (name, _, html) in drawn() {
        let frame = serde_json::to_string(&html).unwrap().replace('<', "\\u003c");
        let script = script.replace(
            "show({ assets })",
            &format!("show({{ assets, session: 1, revision: 1, html: {frame} }})"),
        );
        let page = format!(
            "<!doctype html><meta charset=utf-8><style>{css}</style><body data-assets=0><div id=screen></div>\
             <div class=gone id=gone hidden></div><script>{script}</script>"
        );
        std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
    }
}
