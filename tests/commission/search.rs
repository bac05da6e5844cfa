//! Boards that speak otherwise than the settings say are found, named, and written down when the technician agrees.

use firmware_protocol::{Board, Family};
use hardware::{BoardSettings, Grain, Line, Port, SimulatedBoard};
use lockerd::settings::Settings;
use serde_json::{Value, json};

use crate::{LOCKS, Technician, Walked, cabinet, run};

/// Long enough for a board that answers within 5 ms on a busy machine.
const PATIENCE: [&str; 2] = ["--patience", "60"];

/// A line where only its own speed is understood.
pub(crate) fn line(boards: &[(Family, u8)], baud: u32, path: &std::path::Path) -> Port<Line> {
    let board = |(family, address): &(Family, u8)| {
        SimulatedBoard::new(BoardSettings::new(*family, Board(*address), LOCKS), 1)
    };
    let boards = boards.iter().map(board).collect();
    Port::spawn(Line::new(boards, baud, Grain::Bytes, 1).heeding_speed(), path).unwrap()
}

fn elsewhere(walked: &Walked) -> Vec<&Value> {
    let found = walked.said.iter().filter_map(|said| said.get("elsewhere"));
    found.collect()
}

fn notes(walked: &Walked) -> String {
    let notes = walked.said.iter().filter_map(|said| said["note"].as_str());
    notes.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cabinet_whose_port_speaks_something_else_is_found_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    let text = std::fs::read_to_string(&config).unwrap();
    let before = text.replace("\"wkly\"", "\"kerong-cu16\"");
    std::fs::write(&config, &before).unwrap();
    let port = line(&[(Family::Wkly, 3)], 9_600, &path);

    let refusing = Technician {
        port: &["n"],
        ..Technician::new(&config, &port, Board(3))
    };
    let refused = refusing.walk(&PATIENCE).await;
    assert_eq!(
        elsewhere(&refused),
        [&json!({
            "port": "locks", "board": null, "address": 3, "families": ["wkly"], "baud": 9_600,
            "settings": { "family": "kerong-cu16", "baud": 19_200 },
        })]
    );
    assert_eq!(refused.code, Some(78), "no compartments: {}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before);

    let none = refusing.walk(&["--search", "0", "--patience", "20"]).await;
    assert!(elsewhere(&none).is_empty() && none.code == Some(78));

    let extra = ["--yes", "--size", "small"];
    let walked = refusing.walk(&[&extra[..], &PATIENCE].concat()).await; // nobody is asked
    assert_eq!(walked.code, Some(0), "{}", walked.stderr);
    let after = std::fs::read_to_string(&config).unwrap();
    assert!(
        after.contains("\nfamily = \"wkly\"\n") && !after.contains("baud"),
        "{after}"
    );
    assert!(after.starts_with("# The cabinet at the gate\n") && after.contains("# a GPS receiver"));
    let settings = Settings::load(&config).unwrap();
    assert_eq!(settings.compartments.len(), 4, "{after}");
    let promised = settings.compartments.iter().any(|place| place.reachable);
    assert!(!promised, "nobody has said which are within reach");
    let steps = walked.said.iter().filter(|said| said.get("search").is_some());
    assert!(steps.count() >= 2, "progress is told");
}

/// Gives the settings a board at this address, with a compartment for each of its locks.
pub(crate) fn with_board(config: &std::path::Path, address: u8) {
    let mut text = std::fs::read_to_string(config).unwrap();
    text += &format!("[[board]]\nid = 1\nport = \"locks\"\naddress = {address}\nchannels = {LOCKS}\n");
    for channel in 1..=LOCKS {
        text +=
            &format!("[[compartment]]\nid = {channel}\nboard = 1\nchannel = {channel}\nsize = \"small\"\n");
    }
    std::fs::write(config, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_of_the_settings_with_another_family_and_speed_is_named_and_its_port_corrected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 3);
    let port = line(&[(Family::Winnsen, 3)], 19_200, &path);
    let technician = Technician::new(&config, &port, Board(3));
    let walked = technician.walk(&PATIENCE).await;
    assert_eq!(walked.code, Some(0), "{}", walked.stderr);
    assert_eq!(
        elsewhere(&walked),
        [&json!({
            "port": "locks", "board": 1, "address": 3, "families": ["winnsen"], "baud": 19_200,
            "settings": { "family": "wkly", "baud": 9_600 },
        })]
    );
    let after = std::fs::read_to_string(&config).unwrap();
    assert!(after.contains("baud = 19200\nfamily = \"winnsen\"\n"), "{after}");
    assert_eq!(
        (walked.asked, walked.sizes),
        (4, 0),
        "and all its locks are proven"
    );
    let pulses = port.view().await.unwrap().pulses;
    assert_eq!(pulses, 4, "one pulse for each proof, none for the search");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_speed_is_another_and_the_words_are_plain() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 3);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"wkly\"", "\"8a80-kecheng\"\nbaud = 4800")).unwrap();
    let _port = line(&[(Family::Kecheng, 3)], 57_600, &path);
    let arguments = [&["commission"][..], &PATIENCE].concat();
    let output = run(&arguments, &config).await; // nobody answers
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "board 1 on port locks answers as 8a80-shuoming or 8a80-kecheng at 57600, settings say 8a80-kecheng at 4800",
        "端口 locks 上锁控板 1 按 8a80-shuoming / 8a80-kecheng、57600 波特应答",
        "family = \"8a80-kecheng\", baud = 57600 of port locks into the settings? [y or n]",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(output.status.code(), Some(64));
    assert!(std::fs::read_to_string(&config).unwrap().contains("baud = 4800"));
}

#[tokio::test(flavor = "multi_thread")]
async fn families_that_reads_do_not_tell_apart_are_for_the_technician_to_tell() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 3);
    let port = line(&[(Family::Kecheng, 3)], 9_600, &path);
    let mut technician = Technician::new(&config, &port, Board(3));
    let unsaid = technician.walk(&[&["--yes"][..], &PATIENCE].concat()).await;
    assert_eq!(unsaid.code, Some(64));
    assert!(
        unsaid
            .stderr
            .contains("reads do not tell 8a80-shuoming, 8a80-kecheng apart"),
        "{}",
        unsaid.stderr
    );
    technician.port = &["y", "8a80-kecheng"]; // yes to what?
    let walked = technician.walk(&PATIENCE).await;
    assert_eq!(walked.code, Some(0), "{}", walked.stderr);
    let after = std::fs::read_to_string(&config).unwrap();
    assert!(
        after.contains("family = \"8a80-kecheng\"\n") && !after.contains("baud"),
        "{after}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_answer_as_the_settings_say_the_port_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks");
    let config = cabinet(directory.path(), &path);
    with_board(&config, 3);
    let boards = [(Family::Wkly, 3), (Family::Winnsen, 4)];
    let port = line(&boards, 9_600, &path);
    let mut text = std::fs::read_to_string(&config).unwrap();
    text += "[[board]]\nid = 2\nport = \"locks\"\naddress = 4\nchannels = 4\n";
    std::fs::write(&config, &text).unwrap();
    let walked = Technician::new(&config, &port, Board(3)).walk(&PATIENCE).await;
    let found = elsewhere(&walked);
    assert_eq!(
        (&found[0]["board"], &found[0]["families"]),
        (&2.into(), &json!(["winnsen"]))
    );
    let notes = notes(&walked);
    assert!(
        notes.contains(
            "The other boards on port locks answer as the settings say: set this one to wkly at 9600"
        ) && notes.contains("board 2 of the settings does not answer"),
        "{notes}"
    );
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
}
