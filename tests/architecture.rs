//! The shape of the workspace, kept by a test: who may name whom, what stays pure, where each package lives, how files look.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

#[path = "architecture/source.rs"]
mod source;

use source::{Source, relative, root, sources};

/// Decides or describes, and does nothing else.
const PURE: &[&str] = &[
    "firmware-protocol/src",
    "src/cabinet.rs",
    "src/catalogue.rs",
    "src/journal/format.rs",
    "src/journal/judge.rs",
    "src/boards/master.rs",
    "src/boards/layout.rs",
    "src/boards/duty.rs",
    "src/boards/health.rs",
    "src/boards/twins.rs",
    "src/boards/sniffer.rs",
    "src/boards/wording.rs",
    "src/boards/wire.rs",
    "src/scanner/framing.rs",
    "src/scanner/start.rs",
    "src/office_link/sync.rs",
    "src/office_link/renewal.rs",
    "src/kiosk/page.rs",
    "src/kiosk/parts.rs",
    "src/kiosk/messages.rs",
    "src/kiosk/home.rs",
    "src/kiosk/drop_off.rs",
    "src/kiosk/collection.rs",
    "src/kiosk/door.rs",
    "src/kiosk/staff.rs",
    "src/kiosk/technician.rs",
    "src/kiosk/proving.rs",
    "src/kiosk/commissioning.rs",
    "src/kiosk/history.rs",
    "src/kiosk/past.rs",
    "src/kiosk/qr.rs",
    "office/src/intake.rs",
    "office/src/page.rs",
];

/// Clocks, dice, the world outside and waiting for it: what no pure file may name.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::io",
    "std::fs",
    "std::net",
    "std::os",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync::mpsc",
    "axum",
    "futures_util",
    "getrandom",
    "rumqttc",
    "rustix",
    "sd_notify",
    "sled",
    "sqlx",
    "tokio",
    "tokio_serial",
    "tokio_stream",
    "ureq",
    "crate::clock",
    "crate::serial",
];

/// What has one home, and where that is; the packages under `hil` that stand in for the other end have their own.
const HOMES: &[(&str, &[&str])] = &[
    (
        "rumqttc",
        &[
            "src/office_link/mqtt.rs",
            "office/src/mqtt.rs",
            "hil/rehearsal/src/broker",
        ],
    ),
    ("tokio_serial", &["src/serial.rs", "hil/peers"]),
    ("serial2", &["src/serial.rs", "hil/hardware/src/terminal.rs"]),
    ("sled", &["src/index"]),
    ("qrcode", &["src/kiosk/qr.rs", "office/src/qr.rs"]),
    ("sd_notify", &["src/daemon.rs", "src/daemon"]),
    ("sqlx", &["office/src", "hil/rehearsal/src"]),
];

/// The daemon's only home for clocks and dice. (A task may wait with the runtime's timers, `tokio::time`; nothing is decided by them.)
const CLOCK: &str = "src/clock.rs";
const CLOCKS_AND_DICE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "rustix::time",
    "getrandom",
];

/// Which modules of the daemon each of its modules may name. Arrows point down: a shell (the lower half) names the cabinet's
/// vocabulary and what it was handed, never another shell.
const ARROWS: &[(&str, &[&str])] = &[
    ("cabinet", &[]),
    ("journal", &[]),
    ("clock", &["cabinet"]),
    ("serial", &[]),
    ("documents", &["cabinet", "journal"]),
    ("catalogue", &["cabinet"]),
    ("engine", &["cabinet", "journal", "clock", "documents"]),
    ("index", &["cabinet", "journal"]),
    ("boards", &["cabinet", "serial", "clock"]),
    ("scanner", &["cabinet", "serial", "clock"]),
    ("printer", &["cabinet", "serial", "clock"]),
    ("office_link", &["cabinet", "journal", "clock"]),
    ("kiosk", &["cabinet", "clock", "catalogue"]),
];

/// Modules at the top: they wire the others together and may name all of them.
const TOP: &[&str] = &[
    "lib",
    "main",
    "daemon",
    "settings",
    "secrets",
    "command_line",
    "bus_command",
    "commission",
    "restore",
];

/// Which packages of the workspace each of its packages may depend on.
const PACKAGES: &[(&str, &[&str])] = &[
    ("firmware-protocol", &[]),
    ("office-protocol", &[]),
    (".", &["firmware-protocol", "office-protocol"]),
    ("office", &["office-protocol"]),
    ("hil/hardware", &["firmware-protocol"]),
    (
        "hil/rehearsal",
        &[
            "firmware-protocol",
            "office-protocol",
            "lockerd",
            "office",
            "hardware",
        ],
    ),
];

/// No file is longer; tests, which are lists of cases, may be somewhat longer.
const LINES_MAX: usize = 450;
const TEST_LINES_MAX: usize = 750;

/// Longer all the same, and how long at most.
const LONG: &[(&str, usize)] = &[
    ("hil/rehearsal/src/simulation/network.rs", 500),
    ("src/cabinet/ledger.rs", 580),
];

/// Places and papers outside of this repository that nothing in it may point to. (Cut in two, so that this list is none.)
const OUTSIDE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("sha", "red/design"),
    concat!("sha", "red/reference"),
    concat!("design", ".md"),
    concat!("style", ".md"),
    concat!("lock-boards", ".md"),
    concat!("service-setting", ".md"),
    concat!("design", " §"),
    concat!("Design", " §"),
];

/// Left for later, or left out.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("#[ign", "ore"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n  {}\n", broken.join("\n  "));
}

fn production() -> Vec<Source> {
    sources().into_iter().filter(|source| !source.is_test()).collect()
}

#[test]
fn pure_files_name_no_clock_no_dice_no_io_and_never_wait() {
    let mut broken = Vec::new();
    for source in production() {
        if !PURE.iter().any(|place| source.is_in(place)) {
            continue;
        }
        for impure in IMPURE {
            if let Some(path) = source.names(impure) {
                broken.push(format!("{} is pure and names {path}", source.path));
            }
        }
        if source.code.contains("async ") || source.code.contains(".await") {
            broken.push(format!("{} is pure and waits (async)", source.path));
        }
    }
    none(&broken);
}

#[test]
fn each_package_is_named_only_at_its_home() {
    let mut broken = Vec::new();
    for source in production() {
        for (package, homes) in HOMES {
            if homes.iter().any(|home| source.is_in(home)) {
                continue;
            }
            if let Some(path) = source.names(package) {
                broken.push(format!("{} names {path}, which lives in {homes:?}", source.path));
            }
        }
    }
    none(&broken);
}

#[test]
fn only_the_clock_file_of_the_daemon_reads_clocks_and_dice() {
    let mut broken = Vec::new();
    for source in production() {
        if !source.path.starts_with("src/") || source.is_in(CLOCK) {
            continue;
        }
        for clock in CLOCKS_AND_DICE {
            if let Some(path) = source.names(clock) {
                broken.push(format!("{} names {path}, which lives in {CLOCK}", source.path));
            }
        }
    }
    none(&broken);
}

#[test]
fn arrows_between_the_daemons_modules_point_down() {
    let mut broken = Vec::new();
    for source in production() {
        let Some(inside) = source.path.strip_prefix("src/") else {
            continue;
        };
        let module = inside.split('/').next().unwrap().trim_end_matches(".rs");
        if TOP.contains(&module) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
            broken.push(format!(
                "{}: say in ARROWS or TOP what `{module}` may name",
                source.path
            ));
            continue;
        };
        for path in &source.paths {
            let Some(named) = path.strip_prefix("crate::") else {
                continue;
            };
            let named = named.split("::").next().unwrap();
            let known = ARROWS.iter().any(|(name, _)| *name == named) || TOP.contains(&named);
            if known && named != module && !allowed.contains(&named) {
                broken.push(format!(
                    "{} names {path}; `{module}` may name {allowed:?}",
                    source.path
                ));
            }
        }
    }
    none(&broken);
}

#[test]
fn packages_depend_only_on_packages_below_them() {
    let names: BTreeSet<&str> = PACKAGES.iter().map(|(place, _)| name_of(place)).collect();
    let mut broken = Vec::new();
    for (place, allowed) in PACKAGES {
        for package in dependencies(place) {
            if names.contains(package.as_str()) && !allowed.contains(&package.as_str()) {
                broken.push(format!(
                    "{place}/Cargo.toml depends on {package}; may on {allowed:?}"
                ));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_firmware_protocol_is_no_std_and_depends_on_what_is_so_too() {
    let text = fs::read_to_string(root().join("firmware-protocol/src/lib.rs")).unwrap();
    assert!(
        text.contains("#![no_std]"),
        "firmware-protocol/src/lib.rs must say #![no_std]"
    );
    let mut depends = dependencies("firmware-protocol");
    depends.sort();
    assert_eq!(depends, ["chacha20", "chacha20poly1305", "cobs", "zeroize"]);
    let manifest = fs::read_to_string(root().join("firmware-protocol/Cargo.toml")).unwrap();
    assert_eq!(
        manifest.matches("default-features = false").count(),
        depends.len(),
        "nothing of std comes in through a default feature"
    );
    let mut broken = Vec::new();
    for source in production() {
        if source.is_in("firmware-protocol/src") {
            for outside in ["std", "alloc"] {
                if let Some(path) = source.names(outside) {
                    broken.push(format!("{} names {path}", source.path));
                }
            }
        }
    }
    none(&broken);
}

#[test]
fn every_file_opens_with_a_sentence_that_says_what_it_is() {
    let mut broken = Vec::new();
    for source in sources() {
        let sentence: Vec<&str> = source
            .text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        if sentence
            .first()
            .is_none_or(|first| first.len() <= "//! A thing.".len())
        {
            broken.push(format!("{} must open with `//! What it is.`", source.path));
        }
    }
    none(&broken);
}

#[test]
fn no_file_is_too_long() {
    let mut broken = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        let usual = if source.is_test() {
            TEST_LINES_MAX
        } else {
            LINES_MAX
        };
        let exception = LONG.iter().find(|(path, _)| *path == source.path);
        match exception {
            Some(_) if lines <= usual => {
                broken.push(format!("{} is short now: take it out of LONG", source.path));
            }
            Some((_, max)) if lines <= *max => {}
            None if lines <= usual => {}
            _ => broken.push(format!(
                "{} has {lines} lines: which two ideas does it hold?",
                source.path
            )),
        }
    }
    none(&broken);
}

#[test]
fn nothing_is_unfinished_and_nothing_points_outside() {
    let mut broken = Vec::new();
    for file in source::files() {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for word in UNFINISHED.iter().chain(OUTSIDE) {
            if let Some(at) = text.lines().position(|line| line.contains(word)) {
                broken.push(format!("{}:{} says {word}", relative(&root(), &file), at + 1));
            }
        }
    }
    none(&broken);
}

#[test]
fn the_rules_themselves_point_at_something() {
    let all = sources();
    let mut broken = Vec::new();
    for (path, _) in LONG {
        if !all.iter().any(|source| source.path == *path) {
            broken.push(format!("LONG names {path}, which is gone"));
        }
    }
    none(&broken);
}

#[test]
fn the_reader_sees_paths_through_groups_and_supers_but_not_in_comments_strings_or_unit_tests() {
    let text = r#"//! Sample: tokio::spawn
use std::{fs::{self, File}, time::{Duration, Instant as Now}};
use super::task::{run, Stop};
/* getrandom::fill */
fn sample(one: char) -> Now { let _ = ("sled::open", 'x', '\'', one); rustix::time::clock() }
#[cfg(test)]
mod tests { use rumqttc::Client; fn more() {} }
fn last() { super::super::engine::step(); axum::serve() }
"#;
    let source = Source::new("src/boards/sample.rs".to_owned(), text.to_owned());
    for named in [
        "std::fs",
        "std::fs::File",
        "std::time::Instant",
        "crate::boards::task::run",
        "rustix::time",
        "crate::engine::step",
        "axum",
    ] {
        assert!(
            source.names(named).is_some(),
            "{named} not seen in {:?}",
            source.paths
        );
    }
    for unnamed in ["tokio", "getrandom", "sled", "rumqttc", "std::net"] {
        assert_eq!(source.names(unnamed), None);
    }
}

fn name_of(place: &'static str) -> &'static str {
    match place {
        "." => "lockerd",
        _ => place.rsplit('/').next().unwrap(),
    }
}

/// The packages under `[dependencies]` and `[build-dependencies]`; what only tests use does not make an arrow.
fn dependencies(place: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(place).join("Cargo.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| table.get(*section)?.as_table())
        .flat_map(|section| section.keys().cloned())
        .collect()
}
