//! Recovery after noise: the board answers again soon, and nothing that is not a request moves a door.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tokio::time::sleep;

use firmware_protocol::{Command, DoorReading};

use super::notes::Notes;
use super::rig::Rig;
use super::statement::{Noise, Statement};

/// How many bytes mean nothing.
const RANDOM: usize = 64;
/// Requests that a board may miss after noise.
const REQUESTS_MAX: u32 = 3;
/// Silence that ends whatever a board may wait for.
const REST: Duration = Duration::from_millis(100);

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    rig.close_all().await?;
    let before = rig.doors().await?;
    for noise in Noise::ALL {
        let bytes = make(rig, noise).ok_or(Statement::NotInFamily)?;
        rig.cable.write(&bytes).await?;
        sleep(rig.cable.took(bytes.len()) + REST).await;
        recover(rig, noise, notes).await?;
        if !notes.failures.is_empty() {
            return Ok(());
        }
        let after = rig.doors().await?;
        for lock in before
            .differing(after)
            .filter(|lock| after.door(*lock) == DoorReading::Open)
        {
            notes.fail(
                Statement::OpenedBy {
                    noise,
                    lock: lock.number(),
                },
                None,
            );
        }
    }
    Ok(())
}

async fn recover(rig: &mut Rig<'_>, noise: Noise, notes: &mut Notes) -> Result<(), Statement> {
    let command = rig.reading_of(rig.plan.locks[0]);
    for requests in 1..=REQUESTS_MAX {
        let exchange = rig.ask(command).await?;
        if exchange.answer.is_some() {
            if requests > 1 {
                notes.remark(Statement::SlowAfter { noise, requests });
            }
            return Ok(());
        }
        if requests == REQUESTS_MAX {
            notes.fail(Statement::DeafAfter { noise }, Some(&exchange));
        }
    }
    Ok(())
}

/// Bytes in which a board that keeps to its family finds no request.
fn make(rig: &mut Rig<'_>, noise: Noise) -> Option<Vec<u8>> {
    let lock = rig.plan.locks[0];
    match noise {
        Noise::Random => {
            let mut dice = ChaCha8Rng::seed_from_u64(u64::from(rig.plan.board.0));
            let mut bytes = vec![0; RANDOM];
            loop {
                dice.fill_bytes(&mut bytes);
                if !rig.cable.is_request(&bytes) {
                    return Some(bytes);
                }
            }
        }
        Noise::HalfRequest => {
            let mut request = rig.request(rig.reading_of(lock));
            let mut bytes = rig.cable.encode(&mut request)?;
            bytes.truncate(bytes.len() / 2);
            Some(bytes)
        }
        Noise::DamagedUnlock => {
            let mut request = rig.request(Command::Unlock(lock));
            let whole = rig.cable.encode(&mut request)?;
            (0..whole.len()).rev().find_map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                (!rig.cable.is_request(&bytes)).then_some(bytes)
            })
        }
    }
}
