//! Replays what fuzzing has kept for the lock bus, through the same functions.
#![allow(clippy::unwrap_used)]

#[path = "../../hil/fuzz/src/lines.rs"]
mod lines;

fn replay(target: &str, exercise: fn(&[u8])) {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../hil/fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        exercise(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

#[test]
fn families() {
    replay("families", lines::families);
}

#[test]
fn secure_board() {
    replay("secure_board", lines::secure_board);
}

#[test]
fn secure_controller() {
    replay("secure_controller", lines::secure_controller);
}

#[test]
fn secure_line() {
    replay("secure_line", lines::secure_line);
}
