//! Settings that cannot be used: where the mistake is, what to write instead, exit code 78.

use crate::page::Page;
use crate::place::Place;

#[test]
fn a_mistake_names_file_line_and_column_and_says_what_to_write() {
    for (from, to, said) in [
        ("keep-days", "keep-day", "keep-days"),
        ("port = \"locks\"", "port = \"lock\"", "name one that is"),
        (
            "id = 2\nboard = 1\nchannel = 2",
            "id = 2\nboard = 1\nchannel = 1",
            "same lock",
        ),
        ("baud = 9600\nends", "baud = \"fast\"\nends", "baud"),
        ("start = \"none\"", "start = \"gm56\"", "gm65"),
        ("trust = \"always\"", "trust = \"never\"", "synchronized"),
    ] {
        let place = Place::new();
        let text = std::fs::read_to_string(place.config()).unwrap();
        place.set(from, to);
        for command in ["check", "run", "identity"] {
            let refused = place.lockerd(&[command]);
            assert_eq!(refused.status.code(), Some(78), "{refused:?}");
            let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
            let (place, problem) = complaint.rsplit_once("lockerd.toml:").unwrap();
            assert!(place.starts_with("lockerd: "), "{complaint}");
            let mut numbers = problem.splitn(3, ':');
            let line: usize = numbers.next().unwrap().parse().unwrap();
            let column: usize = numbers.next().unwrap().parse().unwrap();
            assert!(
                column >= 1 && line >= 1 && line <= text.lines().count(),
                "{complaint}"
            );
            assert!(numbers.next().unwrap().contains(said), "{complaint}");
        }
    }
    let place = Place::new();
    std::fs::remove_file(place.config()).unwrap();
    let refused = place.lockerd(&["check"]);
    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--config FILE"));
}

#[test]
fn every_command_has_help_and_a_wrong_one_is_a_usage_error() {
    let place = Place::new();
    for command in [
        &["run"][..],
        &["check"],
        &["identity"],
        &["enrol"],
        &["journal"],
        &["journal", "verify"],
        &["journal", "show"],
        &["journal", "export"],
    ] {
        let mut program = std::process::Command::new(&place.program[0]);
        let help = program.args(&place.program[1..]).args(command).arg("--help");
        let help = help.output().unwrap();
        assert!(help.status.success(), "{command:?}");
        assert!(
            String::from_utf8_lossy(&help.stdout).contains("Usage: lockerd"),
            "{help:?}"
        );
    }
    assert_eq!(place.lockerd(&["open-sesame"]).status.code(), Some(64));
    assert_eq!(place.lockerd(&["journal", "verify"]).status.code(), Some(66));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_nobody_has_set_is_said_on_the_screen() {
    let place = Place::enrolled();
    place.set("trust = \"always\"", "trust = \"synchronized\"");
    let mut processes = place.processes();
    let _bench = place.hardware();
    place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    let home = page.shows("start-collection").await.html;
    let set = std::path::Path::new("/run/systemd/timesync/synchronized").exists();
    assert_eq!(home.contains("时间待校准"), !set, "{home}");
    place.journaled("locker.door-found", 24).await;
    assert_eq!(place.events().contains("\"alarm\":\"clock-untrusted\""), !set);
}
