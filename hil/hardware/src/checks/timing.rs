//! Timing: how soon answers begin, against the family's document, and that they come without gaps.

use super::notes::{Notes, Timed};
use super::rig::Rig;
use super::statement::Statement;
use super::times::Times;

pub(super) async fn check(rig: &mut Rig<'_>, notes: &mut Notes) -> Result<(), Statement> {
    let (mut replies, mut pauses) = (Times::default(), Times::default());
    let command = rig.reading_of(rig.plan.locks[0]);
    for _ in 0..rig.plan.amounts.timed_reads {
        let exchange = rig.ask(command).await?;
        if exchange.answer.is_none() {
            notes.fail(exchange.complaint(), Some(&exchange));
            continue;
        }
        replies.note(exchange.reply);
        pauses.note(exchange.pause);
    }
    let profile = rig.profile();
    if let Some(reply) = notes.timed(Timed::Reply, &replies) {
        judge(
            reply.median_us,
            reply.p99_us,
            profile.reply_typical_ms,
            profile.reply_limit_ms,
            notes,
        );
    }
    let unlocks = std::mem::take(&mut rig.unlock_times);
    if let Some(reply) = notes.timed(Timed::UnlockReply, &unlocks) {
        judge(
            reply.median_us,
            reply.p99_us,
            profile.unlock_limit_ms,
            profile.unlock_limit_ms,
            notes,
        );
    }
    if let Some(pause) = notes.timed(Timed::Pause, &pauses)
        && pause.median_us >= u64::from(profile.silence_ms) * 1000
    {
        let (median_us, silence_ms) = (pause.median_us, profile.silence_ms);
        notes.fail(
            Statement::Pauses {
                median_us,
                silence_ms,
            },
            None,
        );
    }
    Ok(())
}

fn judge(median_us: u64, p99_us: u64, documented_ms: u16, limit_ms: u16, notes: &mut Notes) {
    if median_us > u64::from(documented_ms) * 1000 {
        notes.fail(
            Statement::Slow {
                median_us,
                documented_ms,
            },
            None,
        );
    }
    if p99_us > u64::from(limit_ms) * 1000 {
        notes.fail(Statement::TooLate { p99_us, limit_ms }, None);
    }
}
