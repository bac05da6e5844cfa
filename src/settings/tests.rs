//! Tests of the settings.
#![allow(clippy::unwrap_used)]

use super::*;

const EXAMPLE: &str = include_str!("../../config/lockerd.toml");

fn refused(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    let changed = EXAMPLE.replacen(from, to, 1);
    Settings::parse("lockerd.toml", &changed).unwrap_err().to_string()
}

fn line_of(part: &str) -> usize {
    EXAMPLE[..EXAMPLE.find(part).unwrap()].matches('\n').count() + 1
}

#[test]
fn the_example_can_be_used() {
    let settings = Settings::parse("lockerd.toml", EXAMPLE).unwrap();
    assert_eq!(settings.compartments.len(), 24);
    assert_eq!(settings.lock_ports[0].baud, 9600);
    assert_eq!(settings.keep_days, 190);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_to_write() {
    let said = refused("keep-days", "keep-day");
    assert!(
        said.starts_with(&format!("lockerd.toml:{}:1: ", line_of("keep-days"))),
        "{said}"
    );
    assert!(said.contains("keep-day") && said.contains("keep-days"), "{said}");
}

#[test]
fn every_device_is_one_ports() {
    let (locks, scanner) = (
        "pci-0000:00:14.0-usb-0:2:1.0-port0",
        "pci-0000:00:14.0-usb-0:3:1.0-port0",
    );
    let said = refused(scanner, locks);
    assert!(said.contains("two ports share"), "{said}");
    let said = refused(&format!("/dev/serial/by-path/{scanner}"), "");
    assert!(said.contains("write the serial device"), "{said}");
}

#[test]
fn a_board_on_a_missing_port_is_refused() {
    let said = refused("port = \"locks\"", "port = \"lock\"");
    assert!(
        said.contains("port lock") && said.contains("name one that is"),
        "{said}"
    );
    assert!(said.contains(&format!(":{}:", line_of("[[board]]"))), "{said}");
}

#[test]
fn compartments_on_one_lock_are_refused() {
    let said = refused("id = 2\nboard = 1\nchannel = 2", "id = 2\nboard = 1\nchannel = 1");
    assert!(said.contains("same lock"), "{said}");
    let said = refused("id = 2\nboard = 1\nchannel = 2", "id = 1\nboard = 1\nchannel = 2");
    assert!(said.contains("compartment 1 is there twice"), "{said}");
}

#[test]
fn what_others_could_reach_is_refused() {
    let said = refused("127.0.0.1:8080", "0.0.0.0:8080");
    assert!(said.contains("write 127.0.0.1:8080"), "{said}");
    let said = refused("tls = true", "tls = false");
    assert!(said.contains("write tls = true"), "{said}");
}

#[test]
fn a_family_without_a_documented_speed_needs_one() {
    let family = format!("family = \"{}\"", Family::ALL[0].name());
    let said = refused(
        &format!("{family}       # what its boards speak\nbaud = 9600"),
        "family = \"dongcheng\"\n",
    );
    assert!(said.contains("write baud = 9600"), "{said}");
    assert!(said.contains(&format!(":{}:", line_of("family = "))), "{said}");
}

#[test]
fn each_port_has_its_family_and_speed() {
    let more = r#"
[[lock-port]]
name = "more"
path = "/dev/ttyS1"
family = "kerong-cu16"
rs485 = true
[[board]]
id = 2
port = "more"
address = 0
channels = 16
[[compartment]]
id = 100
board = 2
channel = 16
size = "small"
"#;
    let settings = Settings::parse("lockerd.toml", &format!("{EXAMPLE}{more}")).unwrap();
    let ports = settings.layout.ports();
    assert_eq!((ports[0].baud, ports[1].baud), (9600, 19_200));
    assert_eq!(
        (ports[0].family, ports[1].family),
        (Family::Shuoming, Family::Cu16)
    );
    assert!(settings.lock_ports[1].rs485 && !settings.lock_ports[0].rs485);
    let beyond = more.replace("channels = 16", "channels = 17");
    let said = Settings::parse("lockerd.toml", &format!("{EXAMPLE}{beyond}")).unwrap_err();
    assert!(said.to_string().contains("1 to 16 locks"), "{said}");
}

#[test]
fn an_unknown_family_lists_the_known_ones() {
    let said = refused(
        &format!("family = \"{}\"", Family::ALL[0].name()),
        "family = \"9B\"",
    );
    assert!(said.contains(Family::ALL[0].name()), "{said}");
}

#[test]
fn found_wiring_changes_its_own_values_and_nothing_else() {
    use super::wiring::{NewBoard, rewired, with_boards};
    use office_protocol::event::{BoardPlace, Size, Wiring};
    let text = include_str!("../../config/lockerd.toml");
    let wiring = |channel, inverted| Wiring {
        board: BoardId(1),
        channel,
        inverted,
        at: Some(BoardPlace::of("8a80-shuoming", &"locks".parse().unwrap(), 1)),
    };
    let found = [
        (CompartmentId(1), wiring(2, false)),
        (CompartmentId(2), wiring(1, true)),
    ];
    let changed = rewired(text, &found.into()).unwrap();
    let settings = Settings::parse("changed.toml", &changed).unwrap();
    let now = |index: usize| settings.compartments[index].wiring.unwrap();
    assert_eq!((now(0), now(1)), (wiring(2, false), wiring(1, true)));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let kept = lines(&changed)
        .iter()
        .filter(|line| lines(text).contains(line))
        .count();
    assert_eq!(
        (kept, lines(&changed).len()),
        (lines(text).len(), lines(text).len() + 1)
    );
    let back = [
        (CompartmentId(1), wiring(1, false)),
        (CompartmentId(2), wiring(2, false)),
    ];
    let back = rewired(&changed, &back.into()).unwrap();
    assert_eq!(
        back.replacen("inverted = false\nchannel = 2", "channel = 2", 1),
        text
    );
    let new = NewBoard {
        id: BoardId(2),
        port: "locks".parse().unwrap(),
        address: 2,
        channels: 8,
        locks: 7,
    };
    let large = [(CompartmentId(26), Size::Large)].into();
    let more = with_boards(text, &[new], 25, &large, &[CompartmentId(25)].into());
    assert!(more.starts_with(text.trim_end()));
    let more = Settings::parse("more.toml", &more).unwrap().compartments;
    assert_eq!((more.len(), more[25].size), (31, Size::Large));
    assert!(more[24].reachable && !more[25].reachable);
}

#[test]
fn found_wiring_takes_the_files_place_with_its_rights_and_the_one_before_stays_beside_it() {
    use super::wiring::{NotWritten, write_found};
    use office_protocol::event::Wiring;
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lockerd.toml");
    let text = include_str!("../../config/lockerd.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let wiring = |channel| Wiring {
        board: BoardId(1),
        channel,
        inverted: false,
        at: None,
    };
    // Door 1 was seen to have lock 3, so whoever had that gets lock 1.
    write_found(&file, &[(CompartmentId(1), wiring(3))].into()).unwrap();
    let settings = Settings::load(&file).unwrap();
    let channel = |index: usize| settings.compartments[index].wiring.unwrap().channel;
    assert_eq!((channel(0), channel(1), channel(2)), (3, 2, 1));
    let rights = std::fs::metadata(&file).unwrap().permissions();
    assert_eq!(rights.mode() & 0o777, 0o640);
    let old = directory.path().join("lockerd.toml.old");
    assert_eq!(std::fs::read_to_string(old).unwrap(), text);

    let mistaken = text.replace("keep-days", "keep-day");
    std::fs::write(&file, &mistaken).unwrap();
    let refused = write_found(&file, &[(CompartmentId(1), wiring(3))].into()).unwrap_err();
    assert!(matches!(refused, NotWritten::Unusable(_)), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mistaken);
}
