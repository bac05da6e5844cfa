//! Unasked reports: whether a board speaks when a door moves, that it says the truth, and that it keeps quiet where it should.

use std::time::Duration;

use firmware_protocol::{Channel, Command, Content, DoorReading};
use tokio::time::Instant;

use super::cable::Exchange;
use super::notes::Notes;
use super::rig::Rig;
use super::statement::Statement;

/// How long a report may take.
const REPORTED_WITHIN: Duration = Duration::from_millis(1000);

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    if !rig.plan.family.profile().reports {
        return Err(Statement::NotInFamily);
    }
    let lock = rig.plan.locks[0];
    let switched = switch(rig, true, notes).await?;
    rig.close_all().await?;
    let exchange = rig.pulse(lock).await?;
    let opened = overhear(rig, lock, DoorReading::Open, &exchange, notes).await?;
    let quiet = Exchange {
        unasked: Vec::new(),
        ..exchange.clone()
    };
    rig.left_open.push(lock);
    rig.close(lock).await?;
    let closed = overhear(rig, lock, DoorReading::Closed, &quiet, notes).await?;
    let wanted = if switched { Some(true) } else { rig.plan.reports };
    match wanted {
        Some(true) if !(opened && closed) => {
            notes.fail(Statement::NotReported { lock: lock.number() }, Some(&exchange));
        }
        Some(false) if opened || closed => notes.fail(Statement::ReportsUnwanted, Some(&exchange)),
        Some(_) | None => {}
    }
    notes.remark(if opened || closed {
        Statement::Reports
    } else {
        Statement::ReportsNothing
    });
    if switched {
        switch(rig, rig.plan.reports.unwrap_or(false), notes).await?;
    }
    Ok(())
}

/// Turns reports on or off where the family can; says whether it could.
async fn switch(rig: &mut Rig<'_>, on: bool, notes: &mut Notes) -> Result<bool, Statement> {
    let command = Command::SetReports(on);
    let mut request = rig.request(command);
    if rig.cable.encode(&mut request).is_none() {
        return Ok(false);
    }
    let exchange = rig.ask(command).await?;
    if exchange.answer.is_none() {
        notes.fail(exchange.complaint(), Some(&exchange));
    }
    Ok(exchange.answer.is_some())
}

/// Listens to what is said of this door; says whether it was reported.
async fn overhear(
    rig: &mut Rig<'_>,
    lock: Channel,
    moved_to: DoorReading,
    after: &Exchange,
    notes: &mut Notes,
) -> Result<bool, Statement> {
    let silence = Duration::from_millis(rig.profile().silence_ms.into());
    let deadline = Instant::now() + REPORTED_WITHIN;
    let mut heard = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let piece = rig
            .cable
            .listen(if heard.is_empty() { left } else { silence })
            .await?;
        heard.extend_from_slice(&piece);
        if piece.is_empty() {
            break;
        }
    }
    if heard.is_empty() && after.unasked.is_empty() {
        return Ok(false);
    }
    let truth = |door: DoorReading| door.with(rig.plan.polarity()) == moved_to;
    let tells = |content: Content| matches!(content, Content::Unasked { channel, door } if channel == lock && truth(door));
    let mut said = rig.cable.understand(&heard).unwrap_or_default();
    said.extend(&after.unasked);
    let right = said
        .iter()
        .any(|answer| answer.board == after.request.board && tells(answer.content));
    if !right {
        notes.fail(
            Statement::WrongReport,
            Some(&Exchange {
                heard,
                ..after.clone()
            }),
        );
    }
    Ok(right)
}
