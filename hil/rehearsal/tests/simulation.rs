//! The simulation, in small: seeds that failed once, a few more, and the same trace for the same seed. (`tests/run` runs a thousand.)

use rehearsal::simulation::{kept_seeds, run};

#[test]
fn all_laws_hold_for_every_seed() {
    let seeds: Vec<u64> = kept_seeds().into_iter().chain(1..=12).collect();
    let failing = |seed: &u64| {
        run(*seed, false)
            .broken
            .map(|broken| format!("seed {seed}: {broken}"))
    };
    let (half, rest) = seeds.split_at(seeds.len() / 2);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let other = scope.spawn(|| half.iter().filter_map(failing).collect::<Vec<_>>());
        let mut failed: Vec<String> = rest.iter().filter_map(failing).collect();
        failed.extend(
            other
                .join()
                .unwrap_or_else(|_| vec!["a thread is gone".to_owned()]),
        );
        failed
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn one_seed_gives_one_trace() {
    let (first, second) = (run(7, true), run(7, true));
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.hash, second.hash);
    assert_ne!(first.hash, run(8, false).hash);
}

#[test]
fn an_ordinary_day_of_some_cabinets_breaks_no_law() {
    let fleet = std::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["fleet", "--cabinets", "30"])
        .output();
    let said = fleet.as_ref().map(|fleet| String::from_utf8_lossy(&fleet.stdout));
    assert!(
        fleet.as_ref().is_ok_and(|fleet| fleet.status.success()),
        "{said:?}"
    );
}
