//! The same durable append with others: SQLite, redb and sled beside the journal, taking turns on one disk.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use lockerd::journal::Journal;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::{EVENT_BYTES, group, open, raw};

const APPENDS: u64 = 1_000;
/// Appends whose bytes are counted.
const COUNTED: u64 = 300;
const TABLE: redb::TableDefinition<u64, &[u8]> = redb::TableDefinition::new("events");

/// One way to make an event durable.
struct Peer<'a> {
    name: &'static str,
    append: Box<dyn FnMut(u64) + 'a>,
    times: Vec<Duration>,
}

pub(crate) fn measure() {
    let place = crate::directory();
    let mut journal = open(&place.path().join("journal"));
    let file = raw(&place.path().join("raw"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut sqlite = runtime.block_on(sqlite(&place.path().join("sqlite")));
    let redb = redb::Database::create(place.path().join("redb")).unwrap();
    let sled = sled::Config::new()
        .path(place.path().join("sled"))
        .flush_every_ms(None)
        .open()
        .unwrap();
    let payload = vec![b'x'; EVENT_BYTES];
    let mut peers = [
        Peer::new("raw pre-allocated fdatasync", |at| write(&file, at)),
        Peer::new("journal", |_| append(&mut journal)),
        Peer::new("SQLite, WAL, FULL (sqlx)", |at| {
            let statement = sqlx::query("INSERT INTO events VALUES (?1, ?2)").bind(at as i64);
            runtime
                .block_on(statement.bind(&payload[..]).execute(&mut sqlite))
                .unwrap();
        }),
        Peer::new("redb", |at| {
            let transaction = redb.begin_write().unwrap();
            transaction
                .open_table(TABLE)
                .unwrap()
                .insert(at, &payload[..])
                .unwrap();
            transaction.commit().unwrap();
        }),
        Peer::new("sled (flush, which syncs nothing)", |at| {
            sled.insert(at.to_be_bytes(), &payload[..]).unwrap();
            sled.flush().unwrap();
        }),
    ];
    for at in 0..APPENDS {
        // Nobody always follows the same one, whose dirty pages it would pay for.
        for turn in 0..peers.len() {
            let next = (turn + at as usize) % peers.len();
            let peer = &mut peers[next];
            let begun = Instant::now();
            (peer.append)(at);
            peer.times.push(begun.elapsed());
        }
    }
    let mut limit = None;
    for peer in &mut peers {
        let before = super::written_bytes();
        for at in APPENDS..APPENDS + COUNTED {
            (peer.append)(at);
        }
        let written = super::written_bytes() - before;
        let slow = crate::percentile(&mut peer.times, 99);
        let median = crate::percentile(&mut peer.times, 50);
        let limit = *limit.get_or_insert(median);
        println!(
            "one durable event of {EVENT_BYTES} bytes, {}: p50 {median:.1?}, p99 {slow:.1?}; ÷ raw {:.2}; bytes written ÷ payload {:.1}",
            peer.name,
            median.as_secs_f64() / limit.as_secs_f64(),
            written as f64 / (COUNTED as usize * EVENT_BYTES) as f64
        );
    }
}

impl<'a> Peer<'a> {
    fn new(name: &'static str, append: impl FnMut(u64) + 'a) -> Self {
        Self {
            name,
            append: Box::new(append),
            times: Vec::new(),
        }
    }
}

fn append(journal: &mut Journal) {
    if journal.append(&group(journal, 1)).unwrap().wants_checkpoint {
        journal.roll(b"{}", 0).unwrap();
    }
}

fn write(file: &File, at: u64) {
    use std::os::unix::fs::FileExt;
    let bytes = vec![b'x'; super::record(1).stored_bytes()];
    file.write_all_at(&bytes, at * bytes.len() as u64).unwrap();
    file.sync_data().unwrap();
}

async fn sqlite(place: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(place)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.unwrap();
    let table = "CREATE TABLE events (seq INTEGER PRIMARY KEY, event BLOB NOT NULL)";
    sqlx::query(table).execute(&mut connection).await.unwrap();
    connection
}
