//! Unlocks: each lock once; it is answered as the family says, its door opens, and no other moves.

use super::notes::Notes;
use super::rig::Rig;
use super::statement::Statement;

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    rig.close_all().await?;
    for lock in rig.plan.locks.clone() {
        let unlocked = rig.unlock(lock).await?;
        let number = lock.number();
        rig.judge_unlock(lock, &unlocked.exchange, notes);
        if !unlocked.open {
            notes.fail(
                Statement::DoorStaysShut { lock: number },
                Some(&unlocked.exchange),
            );
        }
        for moved in unlocked
            .before
            .differing(unlocked.after)
            .filter(|moved| *moved != lock)
        {
            let moved = moved.number();
            notes.fail(
                Statement::OtherDoorMoved { lock: number, moved },
                Some(&unlocked.exchange),
            );
        }
    }
    Ok(())
}
