//! Replays what fuzzing has kept for the scanner, through the same function.
#![allow(clippy::unwrap_used)]

#[path = "../hil/fuzz/src/scanner.rs"]
mod scanner;

#[test]
fn scanner_framing() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("hil/fuzz/corpus/scanner");
    let mut count = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        scanner::scanner(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}
