//! A secure line at 115200 baud: from a command until the board obeys, from an event at the board until the controller knows it; our own
//! protocol beside OSDP's secure channel.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use firmware_protocol::secure::{Key, Keys};
use firmware_protocol::{Board, Channel, Family};
use hardware::{BoardSettings, Grain, Hand, Line, LineInput, Pace, SimulatedBoard, Terminal, Timer};
use lockerd::boards::master::{BusMaster, BusSettings};
use lockerd::cabinet::vocabulary::Input;
use office_protocol::BoardId;

use crate::contender::{Bus, Killed, layout, runtime};
use crate::tools::{self, Peer};
use crate::wire::{Wire, now};
use crate::{CHANNELS, directory, heard, percentile};

const BAUD: u32 = 115_200;
/// As often as a lock may be pulsed without a rest, three times around.
const COUNT: usize = 24;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure() {
    let osdp = tools::osdp();
    println!("\n| secure, {BAUD} baud | command → obeyed, ms p50 | p99 | event → known, ms p50 | p99 |");
    println!("|---|---|---|---|---|");
    show("lockerd-secure", ours());
    show(
        "libosdp, refreshed every 20 ms as its package does",
        theirs(&osdp, 20),
    );
    show("libosdp, refreshed every ms", theirs(&osdp, 1));
}

fn show(name: &str, (mut commands, mut events): (Vec<f64>, Vec<f64>)) {
    // A session that was lost brings nothing more.
    let told = |time: f64| {
        if time.is_nan() {
            "none came".to_owned()
        } else {
            format!("{time:.1}")
        }
    };
    let of = |times: &mut Vec<f64>| [50, 99].map(|percent| told(percentile(times, percent)));
    let ([command, command_most], [event, event_most]) = (of(&mut commands), of(&mut events));
    println!("| {name} | {command} | {command_most} | {event} | {event_most} |");
}

fn ms(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1e6
}

/// How long until the next one: another moment each time.
fn rest(turn: usize) -> Duration {
    Duration::from_micros(900_000 + turn as u64 * 37_717 % 100_000)
}

fn ours() -> (Vec<f64>, Vec<f64>) {
    let place = directory();
    let path = place.path().join("locks");
    let keys = Keys::in_force(Key::new([1; 32]));
    let settings = BoardSettings::new(Family::LockerdSecure, Board(1), CHANNELS);
    let board = SimulatedBoard::new(settings, 1).secured(Key::new([9; 32]), [1; 8], keys.clone());
    let wire = Wire::new(Line::new(vec![board], BAUD, Grain::Bytes, 1), &path);
    let mut master = BusMaster::new(layout(Family::LockerdSecure, BAUD, 1), BusSettings::default());
    master.give_keys([7; 32], &BTreeMap::from([(BoardId(1), keys)]));
    let runtime = runtime();
    let mut bus = Bus::start(master, &path, BAUD);
    let (mut commands, mut events) = (Vec::new(), Vec::new());
    let close = |lock: Channel| {
        let hand = LineInput::Hand(Board(1), lock, Hand::Close);
        wire.with(move |line, now, out| line.handle(hand, now, out));
    };
    runtime.block_on(door(&mut bus, 8));
    for turn in 0..COUNT {
        std::thread::sleep(rest(turn));
        let number = 1 + u8::try_from(turn).unwrap() % CHANNELS;
        let lock = Channel::new(number).unwrap();
        runtime.block_on(bus.watch([number.into()]));
        let queued = now();
        runtime.block_on(bus.unlock(number.into(), turn as u64));
        commands.push(ms(queued, heard(&wire.pulses, PATIENCE).unwrap()));
        runtime.block_on(door(&mut bus, number));
        close(lock);
        runtime.block_on(door(&mut bus, number));
        std::thread::sleep(rest(turn) / 10);
        let moved = now();
        let force = LineInput::Hand(Board(1), lock, Hand::Force);
        wire.with(move |line, now, out| line.handle(force, now, out));
        events.push(ms(moved, runtime.block_on(door(&mut bus, number))));
        close(lock);
        runtime.block_on(door(&mut bus, number));
    }
    runtime.shutdown_background();
    (commands, events)
}

/// Waits until this door is reported; says when.
async fn door(bus: &mut Bus, number: u8) -> i64 {
    let waiting = async {
        loop {
            let report = bus.reports.recv().await.unwrap();
            if matches!(&report, Input::DoorRead { compartment, .. } if compartment.0 == u16::from(number)) {
                return now();
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

fn theirs(osdp: &Peer, refresh_ms: u32) -> (Vec<f64>, Vec<f64>) {
    let place = directory();
    let (panel, device) = (place.path().join("panel"), place.path().join("device"));
    cable(&panel, &device);
    let (tell, told) = mpsc::channel();
    let end = |how: &str, port: &Path| {
        let mut command = osdp.command();
        command.arg(how).arg(port).arg(BAUD.to_string());
        command.arg(refresh_ms.to_string()).arg(COUNT.to_string());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let tell = tell.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said = line
                    .split_once(' ')
                    .map(|(what, at)| (what.to_owned(), at.parse::<i64>()));
                if let Some((what, Ok(at))) = said
                    && tell.send((what, at)).is_err()
                {
                    return;
                }
            }
        });
        Killed(child)
    };
    let _ends = [end("pd", &device), end("cp", &panel)];
    let mut told: Vec<(String, i64)> = std::iter::from_fn(|| heard(&told, PATIENCE))
        .take(4 * COUNT)
        .collect();
    told.sort_by_key(|(_, at)| *at);
    (pairs(&told, "command", "obeyed"), pairs(&told, "event", "heard"))
}

/// Each of one kind with the next of the other.
fn pairs(told: &[(String, i64)], first: &str, second: &str) -> Vec<f64> {
    let times = |kind: &str| -> Vec<i64> {
        told.iter()
            .filter(|(what, _)| what == kind)
            .map(|(_, at)| *at)
            .collect()
    };
    let (begun, ended) = (times(first), times(second));
    begun
        .iter()
        .zip(&ended)
        .map(|(begun, ended)| ms(*begun, *ended))
        .collect()
}

/// A cable between two pseudo-terminals, paced at the line's speed, until the process ends.
///
/// Each message comes whole when its last byte has passed: libosdp 3.2.9 gives its session up ("Invalid MAC") over one that comes in pieces.
fn cable(one: &Path, other: &Path) {
    let paths = [one.to_owned(), other.to_owned()];
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let ends = paths.map(|path| Terminal::open(&path).unwrap());
            ready.send(()).unwrap();
            carry(&ends[0], &ends[1]).await;
        });
    });
    is_ready.recv().unwrap();
}

async fn carry(one: &Terminal, other: &Terminal) {
    let start = Instant::now();
    let timer = Timer::new().unwrap();
    let [mut there, mut back] = [Pace::new(BAUD, Grain::Frames), Pace::new(BAUD, Grain::Frames)];
    let (mut from_one, mut from_other) = ([0; 512], [0; 512]);
    loop {
        let due = [there.next_deadline(), back.next_deadline()]
            .into_iter()
            .flatten()
            .min();
        let wait = due.map_or(Duration::from_secs(1), |at| at.saturating_sub(start.elapsed()));
        tokio::select! {
            count = one.read(&mut from_one) => there.put(&from_one[..count.unwrap()], start.elapsed()),
            count = other.read(&mut from_other) => back.put(&from_other[..count.unwrap()], start.elapsed()),
            waited = timer.wait(wait) => waited.unwrap(),
        }
        for (pace, end) in [(&mut there, other), (&mut back, one)] {
            let mut passed = Vec::new();
            pace.take(start.elapsed(), &mut passed);
            end.write(&passed);
        }
    }
}
