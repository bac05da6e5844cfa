//! What cabinets say of themselves, many at once: statuses, snapshots, replies, the numbers that they have seen, and their next keys.

use std::collections::{BTreeMap, BTreeSet};

use office_protocol::{CabinetId, CabinetState, Reply, Status, Timestamp};

use super::{DatabaseError, Writing, code, number};
use crate::intake::Starts;

/// Keeps the latest statuses, and who has spoken up to them.
///
/// # Errors
/// [`DatabaseError`].
pub async fn statuses(
    tx: &mut Writing,
    statuses: &BTreeMap<CabinetId, (Status, Starts)>,
) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), statuses, row =>
        "UPDATE cabinets SET start = given.start, nonce = given.nonce, past_starts = given.past_starts, \
         presence = given.presence, version = given.version",
        [
            ("$1", "id", "text", row.0.as_str()),
            ("$2", "start", "text", row.1.0.start.to_string()),
            ("$3", "nonce", "int8", number(row.1.0.nonce)),
            ("$4", "past_starts", "text", serde_json::to_string(&row.1.1.past).expect("texts and numbers")),
            ("$5", "presence", "text", code(&row.1.0.presence)),
            ("$6", "version", "text", row.1.0.version.as_str()),
        ],
        "WHERE cabinets.id = given.id"
    );
    Ok(())
}

/// Something forged came in these names, so many times.
///
/// # Errors
/// [`DatabaseError`].
pub async fn forged(tx: &mut Writing, forged: &BTreeMap<CabinetId, u32>) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), forged, row =>
        "UPDATE cabinets SET forged = forged + given.times",
        [
            ("$1", "id", "text", row.0.as_str()),
            ("$2", "times", "int8", i64::from(*row.1)),
        ],
        "WHERE cabinets.id = given.id"
    );
    Ok(())
}

/// Keeps snapshots.
///
/// # Errors
/// [`DatabaseError`].
pub async fn states(
    tx: &mut Writing,
    states: &BTreeMap<CabinetId, CabinetState>,
) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), states, row =>
        "UPDATE cabinets SET state = given.state, state_start = given.start, state_seq = given.seq",
        [
            ("$1", "id", "text", row.0.as_str()),
            ("$2", "state", "text", serde_json::to_string(row.1).expect("states are texts and numbers")),
            ("$3", "start", "text", row.1.start.to_string()),
            ("$4", "seq", "int8", number(row.1.seq.0)),
        ],
        "WHERE cabinets.id = given.id"
    );
    Ok(())
}

/// Keeps the first reply to each command that was given, by cabinet and number: a cabinet answers once, and then says the same again.
///
/// # Errors
/// [`DatabaseError`].
pub async fn replies(
    tx: &mut Writing,
    replies: &BTreeMap<(CabinetId, u64), Reply>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), replies, row =>
        "UPDATE commands SET reply = given.reply, replied = given.replied",
        [
            ("$1", "cabinet", "text", row.0.0.as_str()),
            ("$2", "number", "int8", number(row.0.1)),
            ("$3", "reply", "text", serde_json::to_string(row.1).expect("replies are texts and numbers")),
            ("$4", "replied", "int8", now.as_millis()),
        ],
        "WHERE commands.cabinet = given.cabinet AND commands.number = given.number AND commands.reply IS NULL"
    );
    Ok(())
}

/// These cabinets have had commands up to these numbers: a database restored from a backup gives none of them again.
///
/// # Errors
/// [`DatabaseError`].
pub async fn commanded(tx: &mut Writing, numbers: &BTreeMap<CabinetId, u64>) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), numbers, row =>
        "UPDATE cabinets SET command_number = given.number",
        [
            ("$1", "id", "text", row.0.as_str()),
            ("$2", "number", "int8", number(*row.1)),
        ],
        "WHERE cabinets.id = given.id AND command_number < given.number"
    );
    Ok(())
}

/// The next keys of these cabinets have signed something that is being stored: they are the keys from now on, and those before count no
/// more.
///
/// # Errors
/// [`DatabaseError`].
pub async fn renewed(tx: &mut Writing, cabinets: &BTreeSet<CabinetId>) -> Result<(), DatabaseError> {
    update_many!(
        tx.on(), cabinets, row =>
        "UPDATE cabinets SET past_keys = LTRIM(past_keys || ' ' || public_key), public_key = next_key, next_key = NULL",
        [("$1", "id", "text", row.as_str())],
        "WHERE cabinets.id = given.id AND next_key IS NOT NULL"
    );
    Ok(())
}
