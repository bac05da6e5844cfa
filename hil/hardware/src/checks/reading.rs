//! Reads: every door alone and with all others, once answered, and at the board's own address only.

use std::time::Duration;

use firmware_protocol::{Board, Command, DoorReading, Request};

use super::cable::Exchange;
use super::notes::Notes;
use super::rig::{Doors, Rig};
use super::statement::Statement;

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    if rig.profile().left_on {
        let exchange = rig.ask(Command::AllOff).await?;
        if exchange.answer.is_none() {
            notes.fail(exchange.complaint(), Some(&exchange));
        }
    }
    let packed = if rig.profile().reads_all {
        read(rig, rig.packed(), notes).await?
    } else {
        None
    };
    for lock in rig.plan.locks.clone() {
        let alone = if rig.profile().reads_one {
            read(rig, Command::ReadDoor(lock), notes).await?
        } else {
            packed
        };
        let Some(alone) = alone else { continue };
        let number = lock.number();
        if alone.door(lock) == DoorReading::Unknown {
            notes.remark(Statement::DoorUnknown { lock: number });
        }
        // A packed answer may be silent about what a single one knows.
        let differs = |packed: Doors| packed.known & lock.bit() != 0 && packed.door(lock) != alone.door(lock);
        if packed.is_some_and(differs) {
            notes.fail(Statement::ReadingsDiffer { lock: number }, None);
        }
    }
    if !rig.profile().protected {
        stranger(rig, notes).await?;
    }
    Ok(())
}

async fn read(rig: &mut Rig<'_>, command: Command, notes: &mut Notes) -> Result<Option<Doors>, Statement> {
    let exchange = rig.ask(command).await?;
    let Some(content) = exchange.answer else {
        notes.fail(exchange.complaint(), Some(&exchange));
        return Ok(None);
    };
    let more = rig
        .cable
        .listen(Duration::from_millis(rig.profile().silence_ms.into()))
        .await?;
    if exchange.more > 0 || !more.is_empty() && !only_reports(rig, &more) {
        let heard = [&exchange.heard[..], &more].concat();
        notes.fail(Statement::SecondAnswer, Some(&Exchange { heard, ..exchange }));
    }
    Ok(rig.doors_in(content))
}

/// Whether these bytes are what boards say when a door moves.
fn only_reports(rig: &mut Rig<'_>, bytes: &[u8]) -> bool {
    use firmware_protocol::Content::Unasked;
    let said = rig.cable.understand(bytes);
    said.is_some_and(|said| said.iter().all(|answer| matches!(answer.content, Unasked { .. })))
}

/// Asks the next address, where no board is on this bench.
async fn stranger(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    let (first, last) = rig.profile().boards;
    let own = rig.plan.board.0;
    let address = if own < last { own + 1 } else { first };
    let command = rig.reading_of(rig.plan.locks[0]);
    let request = Request {
        board: Board(address),
        ..rig.request(command)
    };
    let exchange = rig.cable.ask(request).await?;
    if !exchange.heard.is_empty() {
        notes.fail(Statement::StrangerAnswers { address }, Some(&exchange));
    }
    Ok(())
}
