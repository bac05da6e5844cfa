//! Reports before and after the cabinet's key was renewed: each is good for the key that was in force when it was signed.

use std::path::{Path, PathBuf};

use lockerd::secrets;
use serde_json::Value;

use crate::search::with_board;
use crate::{cabinet, run};

/// What `lockerd identity` prints of its key.
async fn printed(arguments: &[&str], config: &Path) -> String {
    let output = run(arguments, config).await;
    assert!(output.status.success(), "{output:?}");
    let identity: Value = serde_json::from_slice(&output.stdout).unwrap();
    identity["key"].as_str().unwrap().to_owned()
}

async fn report(config: &Path) -> PathBuf {
    let output = run(&["commission", "report"], config).await;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, kept) = said.split_once("signed, and kept as ").unwrap();
    assert!(text.contains("door 4: board 1 channel 4: NOT PROVEN"), "{text}");
    PathBuf::from(kept.trim())
}

/// Whether a report is said to be the cabinet's: by this key, or as the cabinet itself knows.
async fn is_good(report: &Path, key: Option<&str>, config: &Path) -> bool {
    let mut arguments = vec!["commission", "verify", report.to_str().unwrap()];
    arguments.extend(key.iter().flat_map(|key| ["--key", *key]));
    let output = run(&arguments, config).await;
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(1), "{output:?}");
    code == Some(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_good_for_the_key_that_was_in_force_when_it_was_signed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locks"); // nobody is there
    let config = cabinet(directory.path(), &path);
    with_board(&config, 1);
    let first = printed(&["identity"], &config).await;
    let old = report(&config).await;

    let next = printed(&["identity", "--renew"], &config).await;
    let meanwhile = report(&config).await; // the office has not taken the next key yet
    for report in [&old, &meanwhile] {
        assert!(is_good(report, Some(&first), &config).await);
        assert!(!is_good(report, Some(&next), &config).await);
    }

    let secrets = directory.path().join("secrets");
    let key = secrets::next_identity(&secrets).unwrap().verifying_key();
    secrets::take_over(&secrets, &key).unwrap(); // as when the office has answered to it
    assert_eq!(printed(&["identity"], &config).await, next);
    let new = report(&config).await;
    assert_ne!(new, old);
    assert!(is_good(&new, Some(&next), &config).await && !is_good(&new, Some(&first), &config).await);
    assert!(is_good(&old, Some(&first), &config).await && !is_good(&old, Some(&next), &config).await);
    for report in [&old, &meanwhile, &new] {
        assert!(is_good(report, None, &config).await, "the cabinet knows both");
    }
}
