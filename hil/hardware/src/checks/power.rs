//! A power cycle: the board comes back soon, and no door moves by it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::attendant::Deed;
use super::notes::Notes;
use super::rig::Rig;
use super::statement::Statement;

/// Between two looks whether the board is back.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// How long doors are watched once it is.
const WATCHED: Duration = Duration::from_millis(500);

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    rig.close_all().await?;
    let before = rig.doors().await?;
    rig.perform(Deed::CutPower).await?;
    let command = rig.reading_of(rig.plan.locks[0]);
    // An adapter that the bench feeds goes away with its board.
    let away = rig
        .ask(command)
        .await
        .map_or(true, |exchange| exchange.answer.is_none());
    rig.perform(Deed::RestorePower).await?;
    if !away {
        return Err(Statement::PowerNotCut);
    }
    let restored = Instant::now();
    let limit = Duration::from_millis(rig.plan.amounts.power_back_ms);
    loop {
        let asked = rig.ask(command).await;
        if asked.as_ref().is_ok_and(|exchange| exchange.answer.is_some()) {
            break;
        }
        if restored.elapsed() >= limit {
            let waited_ms = rig.plan.amounts.power_back_ms;
            notes.fail(Statement::StaysDead { waited_ms }, asked.as_ref().ok());
            return Ok(());
        }
        sleep(LOOKS_EVERY).await;
    }
    let after_ms = u64::try_from(restored.elapsed().as_millis()).unwrap_or(u64::MAX);
    notes.remark(Statement::Back { after_ms });
    sleep(WATCHED).await;
    for lock in before.differing(rig.doors().await?) {
        notes.fail(Statement::DoorMovedByPower { lock: lock.number() }, None);
    }
    Ok(())
}
