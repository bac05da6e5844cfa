//! Endurance: many reads of which none is lost, and as many openings as the plan wants.

use super::notes::Notes;
use super::rig::Rig;
use super::statement::Statement;

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    let (reads, openings) = (
        rig.plan.amounts.endurance_reads,
        rig.plan.amounts.endurance_openings,
    );
    let mut lost = 0;
    for lock in rig.plan.locks.clone().into_iter().cycle().take(reads as usize) {
        let exchange = rig.ask(rig.reading_of(lock)).await?;
        if exchange.answer.is_none() {
            lost += 1;
            notes.fail(exchange.complaint(), Some(&exchange));
        }
    }
    if lost > 0 {
        notes.remark(Statement::Lost { lost, of: reads });
        return Ok(());
    }
    if openings > 0 {
        rig.close_all().await?;
    }
    for lock in rig.plan.locks.clone().into_iter().cycle().take(openings as usize) {
        let unlocked = rig.unlock(lock).await?;
        rig.judge_unlock(lock, &unlocked.exchange, notes);
        if !unlocked.open {
            notes.fail(
                Statement::DoorStaysShut { lock: lock.number() },
                Some(&unlocked.exchange),
            );
        }
        rig.close(lock).await?;
    }
    notes.remark(Statement::Endured { reads, openings });
    Ok(())
}
