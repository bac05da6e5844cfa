//! Golden checkpoints, one for each version: cabinets in the field begin with such bytes. Do not change them; a new version is a new
//! file, written once by `GOLDEN=write-missing cargo test -p lockerd checkpoints`.

use std::path::PathBuf;

use super::*;

fn golden(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/cabinet/golden/checkpoint-{version}.json"))
}

/// Of everything a little: a consignment each way, a visit that runs, a doubt, an alarm, tries, a lock found elsewhere.
fn lived() -> Bench {
    let mut bench = Bench::new();
    bench.place("PERMIT-1");
    bench.drop_off("p-1");
    bench.tap(Action::StartCollection);
    bench.digits("12345678");
    bench.tap(Action::Back);
    bench.door(CompartmentId(5), true);
    bench.admit("li");
    bench.tap(Action::StartInspection);
    bench.tap(Action::ReplaceBoard { board: BoardId(1) });
    bench.tap(Action::Done);
    bench.tap(Action::StartProving);
    bench.tap(Action::OpenThis {
        compartment: CompartmentId(3),
    });
    bench.door(CompartmentId(3), true);
    bench.tap(Action::OpenedDoor {
        compartment: CompartmentId(4),
    });
    bench.door(CompartmentId(3), false);
    bench.tap(Action::OpenThis {
        compartment: CompartmentId(6),
    });
    bench
}

/// The same, and two doors that the office opens at once.
fn ordered() -> Bench {
    let mut bench = lived();
    for (number, door) in [(1, 1), (2, 2)] {
        let action = office_protocol::Action::Open {
            compartment: CompartmentId(door),
        };
        super::office::give(&mut bench, number, action);
    }
    bench
}

#[test]
fn each_version_is_written_as_its_golden_file_has_it() {
    is_golden(2, &lived());
    is_golden(3, &ordered());
    let mut located = lived();
    located.rewire(reached_at(1));
    is_golden(4, &located);
}

fn is_golden(version: u32, bench: &Bench) {
    let bytes = bench.cabinet.ledger().to_checkpoint();
    let path = golden(version);
    if std::env::var_os("GOLDEN").is_some_and(|mode| mode == "write-missing") && !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    assert!(
        kept == bytes,
        "would now be written as\n{}\nDo not change the file: a new version is a new file.",
        String::from_utf8_lossy(&bytes)
    );
    let read = Ledger::from_checkpoint(&kept).unwrap();
    assert_eq!(&read, bench.cabinet.ledger());
}

#[test]
fn the_version_before_commissioning_is_read_and_its_compartments_serve_on() {
    let ledger = Ledger::from_checkpoint(&std::fs::read(golden(1)).unwrap()).unwrap();
    assert_eq!(ledger.compartments.len(), 6);
    assert_eq!(ledger.consignments.len(), 2);
    assert!(ledger.proofs.is_empty() && ledger.unproven().next().is_none());
    let mut bench = Bench::asleep(ledger);
    bench.start(9);
    assert_eq!(
        bench.cabinet.ledger().proofs.len(),
        6,
        "with the locks that they have"
    );
    bench.crash();
}

#[test]
fn the_version_whose_proofs_do_not_say_where_a_board_is_counts_for_where_it_is_now() {
    let ledger = Ledger::from_checkpoint(&std::fs::read(golden(2)).unwrap()).unwrap();
    let proven = ledger.proofs.len();
    assert!(proven > 0 && ledger.proofs.values().all(|proof| proof.at.is_none()));
    let mut bench = Bench::asleep(ledger);
    let count = |bench: &Bench| {
        let ledger = bench.cabinet.ledger();
        let all = ledger.compartments.keys();
        all.filter(|id| ledger.is_proven(**id)).count()
    };
    let seen = count(&bench);
    bench.start(9);
    bench.rewire(reached_at(1));
    let proofs = &bench.cabinet.ledger().proofs;
    assert!(proofs.values().all(|proof| proof.at == Some(BoardPlace(1))));
    assert_eq!(count(&bench), seen);
    bench.rewire(reached_at(2));
    assert_eq!(count(&bench), 0);
}

#[test]
fn a_newer_version_is_refused() {
    let bytes = br#"{"version":5,"ledger":{}}"#;
    assert!(Ledger::from_checkpoint(bytes).is_err());
}
