//! The memory of the daemon as it is shipped: 8 boards, a broker, the kiosk open, 100,000 events of history; with and without index.

use std::time::Duration;

use firmware_protocol::{Board, Family};
use hardware::{Bench, BoardSettings, Ending, Grain, Line, Port, SimulatedBoard, SimulatedScanner};
use rehearsal::broker;
use rehearsal::processes::ProcessId;

use crate::daemon;
use crate::history::{EVENTS, live};
use crate::page::Page;
use crate::place::Place;

const BOARDS: u8 = 8;

pub(crate) fn measure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (index, budget) in [(false, 8), (true, 20)] {
        let place = daemon::place();
        live(&place);
        enlarge(&place, index);
        let (pss, own) = runtime.block_on(running(&place, index));
        let with = if index { "with" } else { "without" };
        println!(
            "daemon memory, {BOARDS} boards, link up, kiosk open, {EVENTS} events, {with} index: PSS {:.1} MB, of it heap and stacks {:.1} MB, the rest the program's own file (budget {budget} MB)",
            pss as f64 / 1e3,
            own as f64 / 1e3
        );
    }
}

/// Seven more boards and their compartments, a broker's port, index or not.
fn enlarge(place: &Place, index: bool) {
    let mut text = std::fs::read_to_string(place.config()).unwrap();
    for board in 2..=BOARDS {
        text += &format!("\n[[board]]\nid = {board}\nport = \"locks\"\naddress = {board}\nchannels = 24\n");
        for channel in 1..=24_u16 {
            let id = u16::from(board - 1) * 24 + channel;
            text += &format!(
                "\n[[compartment]]\nid = {id}\nboard = {board}\nchannel = {channel}\nsize = \"small\"\nreachable = true\n"
            );
        }
    }
    let text = text.replace("index = true", &format!("index = {index}"));
    std::fs::write(place.config(), text).unwrap();
}

async fn running(place: &Place, index: bool) -> (u64, u64) {
    let broker = broker::Broker::new(broker::Limits::default(), 1);
    let server = broker::Server::start("127.0.0.1:0".parse().unwrap(), broker)
        .await
        .unwrap();
    place.set("port = 9\n", &format!("port = {}\n", server.address().port()));
    let _bench = hardware(place);
    let mut processes = place.processes();
    let before = place.last_seq();
    let process = place.run(&mut processes).await;
    let mut page = Page::open(place.kiosk);
    page.shows("start-collection").await;
    while page.shows("start-collection").await.html.contains("断网") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The first board's doors are known from the history.
    place
        .journaled_after(before, "locker.door-found", usize::from(BOARDS - 1) * 24)
        .await;
    if index {
        indexed(place, process).await;
    }
    settled(process).await
}

/// Waits until the index has been built: its files no longer grow.
async fn indexed(place: &Place, process: ProcessId) {
    let size = || {
        let files = std::fs::read_dir(place.path("data/index/database"));
        let files = files.into_iter().flatten().filter_map(Result::ok);
        files
            .filter_map(|file| file.metadata().ok())
            .map(|file| file.len())
            .sum::<u64>()
    };
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (now, busy) = (size(), processor_ticks(process));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if now > 0 && now == before && processor_ticks(process) - busy < 20 {
            return;
        }
        before = now;
    }
}

/// PSS, and the part of it that is no file, in kB, once they are the same twice in a row.
async fn settled(process: ProcessId) -> (u64, u64) {
    let mut before = (0, 0);
    loop {
        let now = memory(process);
        if now.0.abs_diff(before.0) < 64 {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn memory(process: ProcessId) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", process.0)).unwrap();
    let read = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (read("Pss:"), read("Pss_Anon:"))
}

fn processor_ticks(process: ProcessId) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", process.0)).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn hardware(place: &Place) -> Bench {
    let board = |number| SimulatedBoard::new(BoardSettings::new(Family::Shuoming, Board(number), 24), 1);
    let line = Line::new((1..=BOARDS).map(board).collect(), 9600, Grain::Bytes, 1);
    let mut bench = Bench::default();
    bench.lines.insert(
        "locks".to_owned(),
        Port::spawn(line, &place.path("locks")).unwrap(),
    );
    let scanner = SimulatedScanner::new(Ending::CarriageReturn, false, 9600, Grain::Bytes);
    bench.scanners.insert(
        "scanner".to_owned(),
        Port::spawn(scanner, &place.path("scanner")).unwrap(),
    );
    bench
}
