//! What one batch of messages reads and writes: a few statements, however many messages and cabinets.

use std::collections::{BTreeMap, HashMap};

use office_protocol::{Branch, CabinetId, Digest, SealedPart, Seq, Start, Timestamp};

use super::{DatabaseError, Either, Writing, digest, number, parse, parse_json, unsigned};
use crate::intake::{Head, Origin, Starts, Stored};

/// What the store knows of one cabinet, whose row is now this transaction's alone.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its public key, as text, and after a space the one that it is about to sign with.
    pub key: String,
    /// Its key was taken back.
    pub revoked: bool,
    /// Who has spoken.
    pub starts: Starts,
    /// When anything new came from it.
    pub last_seen: Option<Timestamp>,
    /// An alarm says that events are missing.
    pub gap_stands: bool,
    /// An alarm says that it has been silent.
    pub silent: bool,
    /// Of which start the snapshot is that is kept, and as of which event.
    pub snapshot: Option<(Start, Seq)>,
    /// Its histories' ends.
    pub heads: Vec<Head>,
}

type CabinetRow = (
    String,
    String,
    bool,
    Option<String>,
    Option<i64>,
    String,
    Option<i64>,
    Option<String>,
    Option<i64>,
    bool,
    bool,
);
type HeadRow = (String, i64, i64, Vec<u8>, String);

macro_rules! cabinets {
    ($which:literal) => {
        concat!(
            "SELECT id, public_key || COALESCE(' ' || next_key, ''), revoked IS NOT NULL, start, nonce, past_starts, last_seen, \
             state_start, state_seq, \
             EXISTS (SELECT 1 FROM alarms WHERE cabinet = cabinets.id AND alarm = 'gap' AND source = 'hub' AND cleared IS NULL), \
             EXISTS (SELECT 1 FROM alarms WHERE cabinet = cabinets.id AND alarm = 'silent' AND source = 'hub' AND cleared IS NULL) \
             FROM cabinets WHERE id ",
            $which
        )
    };
}

macro_rules! heads {
    ($which:literal) => {
        concat!(
            "SELECT cabinet, branch, head_seq, head_digest, head_start FROM branches WHERE cabinet ",
            $which
        )
    };
}

/// Locks these cabinets' rows, in one order, until the transaction ends. Those that were never enrolled are missing from the answer.
///
/// # Errors
/// [`DatabaseError`].
pub async fn lock(
    tx: &mut Writing,
    cabinets: &[&CabinetId],
) -> Result<HashMap<CabinetId, Known>, DatabaseError> {
    let ids: Vec<&str> = cabinets.iter().map(|id| id.as_str()).collect();
    let (rows, heads): (Vec<CabinetRow>, Vec<HeadRow>) = match tx.on() {
        Either::Sqlite(on) => {
            let ids = serde_json::to_string(&ids).expect("ids are texts");
            let rows = sqlx::query_as(cabinets!("IN (SELECT value FROM json_each($1))"));
            let heads = sqlx::query_as(heads!("IN (SELECT value FROM json_each($1))"));
            (
                rows.bind(&ids).fetch_all(&mut *on).await?,
                heads.bind(&ids).fetch_all(on).await?,
            )
        }
        Either::Postgres(on) => {
            let rows = sqlx::query_as(cabinets!("= ANY($1) ORDER BY id FOR NO KEY UPDATE"));
            // A statement of its own: it sees what was committed while the first one waited.
            let heads = sqlx::query_as(heads!("= ANY($1)"));
            (
                rows.bind(&ids).fetch_all(&mut *on).await?,
                heads.bind(&ids).fetch_all(on).await?,
            )
        }
    };
    let mut known = HashMap::new();
    for (id, key, revoked, start, nonce, past, last_seen, state_start, state_seq, gap_stands, silent) in rows
    {
        let start = start.map(|text| parse("cabinets.start", &text)).transpose()?;
        let state_start = state_start
            .map(|text| parse("cabinets.state_start", &text))
            .transpose()?;
        let one = Known {
            key,
            revoked,
            starts: Starts {
                latest: start.zip(nonce.map(unsigned)),
                past: parse_json("cabinets.past_starts", &past)?,
            },
            last_seen: last_seen.map(Timestamp::from_millis),
            snapshot: state_start.zip(state_seq.map(|seq| Seq(unsigned(seq)))),
            gap_stands,
            silent,
            heads: Vec::new(),
        };
        known.insert(parse::<CabinetId>("cabinets.id", &id)?, one);
    }
    for (cabinet, branch, seq, hash, start) in heads {
        if let Some(one) = known.get_mut(&parse::<CabinetId>("branches.cabinet", &cabinet)?) {
            one.heads.push(Head {
                branch: branch_of(branch),
                seq: Seq(unsigned(seq)),
                hash: digest(&hash)?,
                start: parse("branches.head_start", &start)?,
            });
        }
    }
    known
        .values_mut()
        .for_each(|one| one.heads.sort_by_key(|head| head.branch));
    Ok(known)
}

fn branch_of(value: i64) -> Branch {
    Branch(u32::try_from(value).unwrap_or(u32::MAX))
}

/// One stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub cabinet: CabinetId,
    /// In which history.
    pub branch: Branch,
    /// Its number.
    pub seq: Seq,
    /// Its digest.
    pub digest: Digest,
    /// Who wrote it, where its first bytes say so.
    pub start: Option<Start>,
}

/// The start in an event's first bytes: cabinets write the id first, `"id":"<start>-<seq>"`.
fn writer(bytes: &[u8]) -> Option<Start> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.split_once("\"id\":\"")?.1.split_once('-')?.0.parse().ok()
}

/// The digests of the events with these numbers, in every history of their cabinets.
///
/// # Errors
/// [`DatabaseError`].
pub async fn digests(
    tx: &mut Writing,
    wanted: &[(&CabinetId, Vec<Seq>)],
) -> Result<Vec<Found>, DatabaseError> {
    let ranges: Vec<(&str, i64, i64)> = wanted
        .iter()
        .flat_map(|(cabinet, seqs)| ranges(seqs).into_iter().map(|range| (cabinet.as_str(), range)))
        .map(|(cabinet, (first, last))| (cabinet, number(first.0), number(last.0)))
        .collect();
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    type Row = (String, i64, i64, Vec<u8>, Vec<u8>);
    let rows: Vec<Row> = match tx.on() {
        Either::Sqlite(on) => {
            let mut rows = Vec::new();
            for (cabinet, first, last) in ranges {
                let text = "SELECT cabinet, branch, seq, digest, substr(bytes, 1, 64) FROM events \
                            WHERE cabinet = $1 AND seq BETWEEN $2 AND $3";
                let found: Vec<Row> = sqlx::query_as(text)
                    .bind(cabinet)
                    .bind(first)
                    .bind(last)
                    .fetch_all(&mut *on)
                    .await?;
                rows.extend(found);
            }
            rows
        }
        Either::Postgres(on) => {
            let text = "SELECT events.cabinet, branch, seq, digest, substr(bytes, 1, 64) FROM events \
                JOIN UNNEST($1::text[], $2::int8[], $3::int8[]) AS wanted (cabinet, first, last) \
                ON events.cabinet = wanted.cabinet AND seq BETWEEN first AND last";
            sqlx::query_as(text)
                .bind(ranges.iter().map(|range| range.0).collect::<Vec<_>>())
                .bind(ranges.iter().map(|range| range.1).collect::<Vec<_>>())
                .bind(ranges.iter().map(|range| range.2).collect::<Vec<_>>())
                .fetch_all(on)
                .await?
        }
    };
    let read = |(cabinet, branch, seq, hash, bytes): Row| {
        Ok(Found {
            cabinet: parse("events.cabinet", &cabinet)?,
            branch: branch_of(branch),
            seq: Seq(unsigned(seq)),
            digest: digest(&hash)?,
            start: writer(&bytes),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Sorted numbers as ranges.
fn ranges(wanted: &[Seq]) -> Vec<(Seq, Seq)> {
    let mut ranges: Vec<(Seq, Seq)> = Vec::new();
    for seq in wanted {
        match ranges.last_mut() {
            Some((_, last)) if last.0.checked_add(1) == Some(seq.0) => *last = *seq,
            Some(_) | None => ranges.push((*seq, *seq)),
        }
    }
    ranges
}

/// An event to store.
#[derive(Debug)]
pub struct NewEvent {
    /// Whose.
    pub cabinet: CabinetId,
    /// What, and where it belongs.
    pub stored: Stored,
}

/// A sealed part, and what it belongs to as far as an event says.
#[derive(Debug, Default)]
pub struct NewSealed {
    /// Its bytes, when they came.
    pub part: Option<SealedPart>,
    /// Of a consignment.
    pub consignment: Option<String>,
    /// Of an application.
    pub application: Option<String>,
    /// Of a person.
    pub person: Option<String>,
}

/// Sealed parts by cabinet and digest.
pub type SealedParts = BTreeMap<(CabinetId, Digest), NewSealed>;

struct NewHead<'a> {
    cabinet: &'a CabinetId,
    branch: Branch,
    parent: Option<i64>,
    after: Seq,
    head: Head,
}

/// Makes events part of the transaction, and moves their histories' ends.
///
/// # Errors
/// [`DatabaseError`].
pub async fn store(tx: &mut Writing, events: &[NewEvent], received: Timestamp) -> Result<(), DatabaseError> {
    if events.is_empty() {
        return Ok(());
    }
    let heads = new_heads(events);
    insert_many!(
        tx.on(), heads, head =>
        "INSERT INTO branches (cabinet, branch, parent, after_seq, head_seq, head_digest, head_start)",
        [
            ("$1", "text", head.cabinet.as_str()),
            ("$2", "int8", i64::from(head.branch.0)),
            ("$3", "int8", head.parent),
            ("$4", "int8", number(head.after.0)),
            ("$5", "int8", number(head.head.seq.0)),
            ("$6", "bytea", head.head.hash.0.as_slice()),
            ("$7", "text", head.head.start.to_string()),
        ],
        "ON CONFLICT (cabinet, branch) DO UPDATE \
         SET head_seq = excluded.head_seq, head_digest = excluded.head_digest, head_start = excluded.head_start"
    );
    insert_many!(
        tx.on(), events, event =>
        "INSERT INTO events (cabinet, branch, seq, digest, kind, subject, time, received, bytes)",
        [
            ("$1", "text", event.cabinet.as_str()),
            ("$2", "int8", i64::from(event.stored.origin.branch().0)),
            ("$3", "int8", number(event.stored.event.seq.0)),
            ("$4", "bytea", event.stored.event.digest.0.as_slice()),
            ("$5", "text", &*event.stored.event.kind),
            ("$6", "text", event.stored.event.subject.as_deref()),
            ("$7", "int8", event.stored.event.time.as_millis()),
            ("$8", "int8", received.as_millis()),
            ("$9", "bytea", event.stored.event.bytes.as_slice()),
        ],
        ""
    );
    let lost: Vec<_> = events
        .iter()
        .filter_map(|event| Some((event, event.stored.lost?)))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    insert_many!(
        tx.on(), lost, row =>
        "INSERT INTO lost (cabinet, branch, first_seq, last_seq, received)",
        [
            ("$1", "text", row.0.cabinet.as_str()),
            ("$2", "int8", i64::from(row.0.stored.origin.branch().0)),
            ("$3", "int8", number(row.1.first.0)),
            ("$4", "int8", number(row.1.last.0)),
            ("$5", "int8", received.as_millis()),
        ],
        ""
    );
    Ok(())
}

/// The end of every history that these events lengthen or begin.
fn new_heads(events: &[NewEvent]) -> Vec<NewHead<'_>> {
    let mut heads: BTreeMap<(&CabinetId, Branch), NewHead<'_>> = BTreeMap::new();
    for NewEvent { cabinet, stored, .. } in events {
        let branch = stored.origin.branch();
        let (parent, after) = match stored.origin {
            Origin::Append(_) => (None, Seq::ZERO),
            Origin::Fork { parent, after, .. } => (Some(i64::from(parent.0)), after),
        };
        let head = stored.event.head(branch);
        let known = heads.entry((cabinet, branch)).or_insert(NewHead {
            cabinet,
            branch,
            parent,
            after,
            head,
        });
        known.head = head;
    }
    heads.into_values().collect()
}

/// Keeps sealed parts; one that was erased stays erased.
///
/// # Errors
/// [`DatabaseError`].
pub async fn store_sealed(
    tx: &mut Writing,
    sealed: &SealedParts,
    received: Timestamp,
) -> Result<(), DatabaseError> {
    if sealed.is_empty() {
        return Ok(());
    }
    insert_many!(
        tx.on(), sealed, row =>
        "INSERT INTO sealed_parts (cabinet, digest, bytes, consignment, application, person, received)",
        [
            ("$1", "text", row.0.0.as_str()),
            ("$2", "bytea", row.0.1.0.as_slice()),
            ("$3", "bytea", row.1.part.as_ref().map(|part| part.bytes.as_slice())),
            ("$4", "text", row.1.consignment.as_deref()),
            ("$5", "text", row.1.application.as_deref()),
            ("$6", "text", row.1.person.as_deref()),
            ("$7", "int8", received.as_millis()),
        ],
        "ON CONFLICT (cabinet, digest) DO UPDATE SET \
         bytes = CASE WHEN sealed_parts.erased IS NULL THEN COALESCE(sealed_parts.bytes, excluded.bytes) END, \
         consignment = COALESCE(sealed_parts.consignment, excluded.consignment), \
         application = COALESCE(sealed_parts.application, excluded.application), \
         person = COALESCE(sealed_parts.person, excluded.person)"
    );
    Ok(())
}

/// Something new came from these cabinets.
///
/// # Errors
/// [`DatabaseError`].
pub async fn seen(tx: &mut Writing, cabinets: &[&CabinetId], now: Timestamp) -> Result<(), DatabaseError> {
    let ids: Vec<&str> = cabinets.iter().map(|id| id.as_str()).collect();
    match tx.on() {
        Either::Sqlite(on) => {
            for id in ids {
                let text = "UPDATE cabinets SET last_seen = $2 WHERE id = $1";
                sqlx::query(text)
                    .bind(id)
                    .bind(now.as_millis())
                    .execute(&mut *on)
                    .await?;
            }
        }
        Either::Postgres(on) => {
            let text = "UPDATE cabinets SET last_seen = $2 WHERE id = ANY($1)";
            sqlx::query(text)
                .bind(ids)
                .bind(now.as_millis())
                .execute(on)
                .await?;
        }
    }
    Ok(())
}
