//! 100,000 events that a cabinet could not report for a while, drained over a line with a round trip of 100 ms: the real daemon, broker
//! and hub as programs, and a proxy between cabinet and broker.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockerd::engine::ledger_on;
use lockerd::journal::{Journal, Options, RealDisk, Record};
use office_protocol::event::Clock;
use office_protocol::{CabinetId, Digest, Event, EventBody, Seq, Start, Timestamp};
use rehearsal::approval::Approval;
use rehearsal::site::{Brokerage, Plan, Program, Site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::mpsc;

const EVENTS: u64 = 100_000;
const ONE_WAY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn measure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (brokerage, name) in [
        (Brokerage::Own, "the rehearsal's broker"),
        (Brokerage::Mosquitto, "mosquitto, TLS"),
    ] {
        runtime.block_on(drained(brokerage, name));
    }
}

async fn drained(brokerage: Brokerage, name: &str) {
    let place = crate::directory();
    let plan = Plan::new(place.path(), brokerage, None, None).unwrap();
    let sink = Arc::new(|_: &str, _: &str| {});
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rehearsal"));
    let mut site = Site::found(plan, program, sink).unwrap();
    let proxy = proxied(site.plan().broker).await;
    let settings = site.path("lockerd.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let (direct, around) = (site.plan().broker.port(), proxy.port());
    std::fs::write(
        &settings,
        text.replace(&format!("port = {direct}"), &format!("port = {around}")),
    )
    .unwrap();
    let cabinet = site.cabinet().clone();
    backlog(&site.path("cabinet/journal"), &cabinet);
    for program in [Program::Broker, Program::Office, Program::Hardware] {
        site.start(program).await.unwrap();
    }
    let approval = Approval::new(site.plan().office, site.office_secret("token").unwrap());
    let begun = Instant::now();
    site.start(Program::Cabinet).await.unwrap();
    let (mut first, mut last) = (None, 0);
    while last < EVENTS {
        assert!(begun.elapsed() < LIMIT, "only {last} of {EVENTS} events");
        tokio::time::sleep(Duration::from_millis(20)).await;
        last = approval.cabinet(&cabinet).await.unwrap()["complete_to"]
            .as_u64()
            .unwrap();
        if last > 0 && first.is_none() {
            first = Some((Instant::now(), last));
        }
    }
    let (since, before) = first.unwrap();
    let rate = (last - before) as f64 / since.elapsed().as_secs_f64();
    println!(
        "backlog of {EVENTS} events over a round trip of {:?}, {name}: {rate:.0} events/s in order (budget 5,000); all after {:.1?}",
        2 * ONE_WAY,
        begun.elapsed()
    );
    let verified = site.office(&["verify", "--json"]).unwrap();
    assert!(verified.contains("\"faults\":[]"), "{verified}");
    site.end_all().await;
}

/// What a cabinet, after it was commissioned, wrote while many rated its service.
fn backlog(place: &std::path::Path, cabinet: &CabinetId) {
    let mut ledger = ledger_on(place).unwrap();
    let disk = Arc::new(RealDisk::open(place).unwrap());
    let opening = Journal::open(disk, Options::default()).unwrap();
    let mut journal = opening.resume(&ledger.to_checkpoint(), 0).unwrap();
    let mut group = Vec::new();
    for seq in ledger.tip.seq.0 + 1..=EVENTS {
        let event = Event {
            start: Start(1),
            source: cabinet.clone(),
            time: Timestamp::from_millis(1_700_000_000_000),
            clock: Clock::Trusted,
            seq: Seq(seq),
            previous: ledger.tip.hash,
            visit: None,
            body: EventBody::Rated {
                stars: u8::try_from(seq % 5 + 1).unwrap(),
            },
        };
        let bytes = event.to_bytes();
        ledger.apply(&event, Digest::of(&bytes));
        group.push(Record {
            seq,
            event: bytes,
            sealed: Vec::new(),
        });
        if group.len() == 64 || seq == EVENTS {
            let appended = journal.append(&group).unwrap();
            group.clear();
            if appended.wants_checkpoint {
                journal.roll(&ledger.to_checkpoint(), 0).unwrap();
            }
        }
    }
}

/// Listens for the cabinet, and hands everything on half a round trip later, in either direction.
async fn proxied(broker: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(broker).await else {
                continue;
            };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            delayed(near_read, far_write);
            delayed(far_read, near_write);
        }
    });
    address
}

fn delayed(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    let (give, mut take) = mpsc::channel::<(Instant, Vec<u8>)>(4_096);
    tokio::spawn(async move {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if give
                .send((Instant::now() + ONE_WAY, bytes[..count].to_vec()))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((when, bytes)) = take.recv().await {
            tokio::time::sleep_until(when.into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
