//! What a journal must still hold after a stop: everything that was acknowledged, in an unbroken chain, giving the state that went on.

use lockerd::cabinet::Ledger;
use lockerd::journal::JournalReader;
use lockerd::journal::{Damage, Disk, Problem, verify};
use office_protocol::{Digest, Event, Tip};

/// Why a journal is not what was promised.
pub(super) type Lawful = Result<(), String>;

/// Every byte again: nothing is wrong, but for a group that was never acknowledged.
pub(super) fn intact(disk: &dyn Disk, acknowledged: Tip) -> Lawful {
    let found = verify(disk).map_err(|error| error.to_string())?;
    let unpromised = |problem: &&Problem| matches!(problem, Problem::Damage(Damage::Tail { first_seq, .. }) if *first_seq > acknowledged.seq.0);
    if let Some(wrong) = found.problems.iter().find(|problem| !unpromised(problem)) {
        return Err(format!("after {} acknowledged events: {wrong}", acknowledged.seq));
    }
    Ok(())
}

/// The last acknowledged event is there, byte for byte; the chain answers for those before it.
pub(super) fn holds(reader: &mut JournalReader, acknowledged: Tip) -> Lawful {
    if acknowledged.seq.0 == 0 {
        return Ok(());
    }
    let record = reader
        .record_at(acknowledged.seq.0)
        .map_err(|error| error.to_string())?;
    let digest = record.map(|record| Digest::of(&record.event));
    if digest == Some(acknowledged.hash) {
        Ok(())
    } else {
        Err(format!(
            "event {} was acknowledged and is {digest:?} now",
            acknowledged.seq
        ))
    }
}

/// Replaying the whole journal gives the ledger that is live.
pub(super) fn replays(reader: &mut JournalReader, live: &Ledger) -> Lawful {
    let records = reader
        .read_from(1, usize::MAX, usize::MAX)
        .map_err(|error| error.to_string())?;
    let mut ledger = Ledger::default();
    for record in records {
        let event = Event::parse(&record.event).map_err(|error| error.to_string())?;
        ledger.apply(&event, Digest::of(&record.event));
    }
    if ledger == *live {
        Ok(())
    } else {
        Err(format!(
            "the replay of {} events differs from the live ledger",
            ledger.tip.seq
        ))
    }
}
