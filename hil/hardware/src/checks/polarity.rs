//! Polarity: each door is read open and read closed, and the two readings differ the way the settings say.

use firmware_protocol::DoorReading;

use super::notes::Notes;
use super::rig::Rig;
use super::statement::Statement;

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    let mut unproven = None;
    for lock in rig.plan.locks.clone() {
        let number = lock.number();
        if !rig.left_open.contains(&lock) && !rig.unlock(lock).await?.open {
            unproven = Some(Statement::Unproven { lock: number });
            continue;
        }
        let open = rig.settled(lock, DoorReading::Open).await?;
        rig.close(lock).await?;
        let closed = rig.settled(lock, DoorReading::Closed).await?;
        match (open, closed) {
            (DoorReading::Open, DoorReading::Closed) => {}
            (DoorReading::Closed, DoorReading::Open) => {
                let set_inverted = !rig.plan.inverted;
                notes.fail(
                    Statement::Inverted {
                        lock: number,
                        set_inverted,
                    },
                    None,
                );
            }
            (DoorReading::Unknown, _) | (_, DoorReading::Unknown) => {
                notes.fail(Statement::DoorUnknown { lock: number }, None);
            }
            (DoorReading::Open, DoorReading::Open) | (DoorReading::Closed, DoorReading::Closed) => {
                notes.fail(Statement::SensorStuck { lock: number }, None);
            }
        }
    }
    unproven.map_or(Ok(()), Err)
}
