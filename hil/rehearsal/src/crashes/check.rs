//! What a journal must still hold after a stop: everything that was acknowledged, in an unbroken chain, giving the state that went on.

use lockerd::cabinet::Ledger;
use lockerd::journal::JournalReader;
use lockerd::journal::{Damage, Disk, Problem, verify};
use office_protocol::{Digest, Event, EventBody, Seq, Tip};

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

/// A start that lost nothing says so: not even the words kept beside the journal make it believe that something is gone.
pub(super) fn misses_nothing(reader: &mut JournalReader, before: Tip) -> Lawful {
    let records = reader
        .read_from(before.seq.0 + 1, usize::MAX, usize::MAX)
        .map_err(|error| error.to_string())?;
    for record in records {
        let event = Event::parse(&record.event).map_err(|error| error.to_string())?;
        let EventBody::Started {
            damage: Some(damage), ..
        } = event.body
        else {
            continue;
        };
        if !damage.unreadable.is_empty() {
            return Err(format!("event {} misses {:?}", event.seq, damage.unreadable));
        }
    }
    Ok(())
}

/// Replaying the whole journal gives the ledger that is live; where a part was let go, the rest leads up to it.
pub(super) fn replays(reader: &mut JournalReader, live: &Ledger) -> Lawful {
    let records = reader
        .read_from(1, usize::MAX, usize::MAX)
        .map_err(|error| error.to_string())?;
    let mut ledger = Ledger::default();
    let mut first = None;
    for record in records {
        let event = Event::parse(&record.event).map_err(|error| error.to_string())?;
        if *first.get_or_insert(event.seq) != event.seq && event.previous != ledger.tip.hash {
            return Err(format!("event {} does not follow the one before", event.seq));
        }
        ledger.apply(&event, Digest::of(&record.event));
    }
    if first.is_some_and(|first| first > Seq(1)) && ledger.tip == live.tip {
        return Ok(());
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
