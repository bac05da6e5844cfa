//! Who polls the boards: our bus task on a thread of its own as in the daemon, a peer's program, or a loop that does nothing but wait for
//! bytes and time. All poll without a pause; but for the loop they issue commands and keep changes.

use std::fs::File;
use std::future::Pending;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use firmware_protocol::{Channel, Family, Polarity};
use lockerd::boards::layout::{BusBoard, BusLock, BusPort, Layout, Supply};
use lockerd::boards::master::{BusMaster, BusSettings};
use lockerd::boards::{Work, task};
use lockerd::cabinet::vocabulary::Input;
use lockerd::clock::{Clock, Trust};
use lockerd::daemon::lines;
use lockerd::serial::PortSettings;
use office_protocol::{BoardId, CompartmentId, Seq};
use tokio::runtime::Runtime;

use crate::bare;
use crate::tools::Peer;
use crate::wire::now;
use crate::{BOARDS, CHANNELS, FAMILY};

/// What a contender tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// A command was queued then.
    Command(i64),
    /// A change was kept then.
    Kept(i64),
}

/// A running contender. Dropped, it ends.
pub(crate) struct Contender {
    pub(crate) told: mpsc::Receiver<Told>,
    _running: Running,
}

#[expect(dead_code, reason = "what is dropped ends")]
enum Running {
    Peer(Killed),
    Ours(Ended),
    Bare(mpsc::Sender<()>),
}

pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Ended(Option<Runtime>);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Contender {
    /// A peer's program.
    pub(crate) fn peer(peer: &Peer, port: &Path, baud: u32, commands: bool, directory: &Path) -> Self {
        let mut command: Command = peer.command();
        command.arg(port).arg(baud.to_string()).arg(BOARDS.to_string());
        command
            .arg(directory.join("kept"))
            .arg(if commands { "commands" } else { "quiet" });
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                let heard = match words[..] {
                    ["command", at] => Told::Command(at.parse().unwrap()),
                    ["kept", at, _] => Told::Kept(at.parse().unwrap()),
                    _ => continue,
                };
                if tell.send(heard).is_err() {
                    return;
                }
            }
        });
        Self {
            told,
            _running: Running::Peer(Killed(child)),
        }
    }

    /// Our own, watching all doors as while visits are open.
    pub(crate) fn ours(port: &Path, baud: u32, commands: bool, directory: &Path) -> Self {
        let runtime = runtime();
        let (tell, told) = mpsc::channel();
        let master = BusMaster::new(layout(FAMILY, baud, BOARDS), BusSettings::default());
        let bus = Bus::start(master, port, baud);
        runtime.spawn(drive(bus, commands, tell, directory.join("kept")));
        Self {
            told,
            _running: Running::Ours(Ended(Some(runtime))),
        }
    }

    /// The quickest that a program can be here: a thread that reads every board in turn, waits in the system for each byte and for the
    /// prescribed silence, and makes nothing of what it hears.
    pub(crate) fn bare(port: &Path, baud: u32) -> Self {
        let (_tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let port = port.to_owned();
        std::thread::spawn(move || bare::poll(&port, baud, &ended));
        Self {
            told,
            _running: Running::Bare(end),
        }
    }
}

/// Beside the lines' thread.
pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// The bus task and the ends of its channels.
pub(crate) struct Bus {
    pub(crate) work: tokio::sync::mpsc::Sender<Work>,
    pub(crate) reports: tokio::sync::mpsc::Receiver<Input>,
    pub(crate) clock: Clock,
}

impl Bus {
    /// On a thread of its own, as the daemon's.
    pub(crate) fn start(master: BusMaster, port: &Path, baud: u32) -> Self {
        let clock = Clock::new(Trust::Always);
        let (work, wanted) = tokio::sync::mpsc::channel(16);
        let (reporting, reports) = tokio::sync::mpsc::channel(64);
        let (view, _views) = tokio::sync::watch::channel(master.view());
        let settings = PortSettings {
            path: port.to_owned(),
            baud,
            rs485: false,
        };
        let now = move || clock.monotonic();
        let bus = task::run(master, vec![settings], now, wanted, reporting, view);
        lines::attend(bus, Vec::<Pending<()>>::new()).unwrap();
        Self { work, reports, clock }
    }

    pub(crate) async fn unlock(&self, compartment: u16, seq: u64) {
        let work = Work::Unlock {
            compartment: CompartmentId(compartment),
            unlock: Seq(seq),
            not_after: self.clock.monotonic().plus_millis(2000),
        };
        self.work.send(work).await.unwrap();
    }

    /// Visits are open at these.
    pub(crate) async fn watch(&self, compartments: impl IntoIterator<Item = u16>) {
        let watched = compartments.into_iter().map(CompartmentId).collect();
        self.work.send(Work::Watch(watched)).await.unwrap();
    }
}

async fn drive(mut bus: Bus, commands: bool, tell: mpsc::Sender<Told>, file: PathBuf) {
    let mut file = File::create(file).unwrap();
    let compartments = u16::from(BOARDS) * u16::from(CHANNELS);
    bus.watch(1..=compartments).await;
    let mut turn = 0;
    let mut next = Box::pin(tokio::time::sleep(pause(turn)));
    loop {
        tokio::select! {
            report = bus.reports.recv() => match report {
                Some(Input::DoorRead { compartment, open, .. }) => {
                    writeln!(file, "{compartment} {open}").unwrap();
                    file.sync_data().unwrap();
                    let _heard = tell.send(Told::Kept(now()));
                }
                Some(_) => {}
                None => return,
            },
            () = &mut next, if commands => {
                let _heard = tell.send(Told::Command(now()));
                // Every board in turn, and every lock of a board.
                let (board, lock) = (turn % u16::from(BOARDS), turn / u16::from(BOARDS) % u16::from(CHANNELS));
                bus.unlock(board * u16::from(CHANNELS) + lock + 1, u64::from(turn)).await;
                turn += 1;
                next = Box::pin(tokio::time::sleep(pause(turn)));
            }
        }
    }
}

/// How long until the next command; the peers' programs do the same.
fn pause(turn: u16) -> Duration {
    Duration::from_micros(200_000 + u64::from(turn) * 37_717 % 100_000)
}

/// So many boards on one port, with a power supply each.
pub(crate) fn layout(family: Family, baud: u32, boards: u8) -> Layout {
    let port = BusPort {
        name: "locks".parse().unwrap(),
        family,
        baud,
        echo: false,
    };
    let board = |number: u8| BusBoard {
        id: BoardId(number.into()),
        port: port.name.clone(),
        address: firmware_protocol::Board(number),
        channels: CHANNELS,
        supply: Supply(number.into()),
        pulse_ms: None,
    };
    let lock = |number: u8, channel: Channel| BusLock {
        compartment: CompartmentId(u16::from(number - 1) * u16::from(CHANNELS) + u16::from(channel.number())),
        board: BoardId(number.into()),
        channel,
        polarity: Polarity::AsDocumented,
    };
    let placed: Vec<BusBoard> = (1..=boards).map(board).collect();
    let locks: Vec<BusLock> = (1..=boards)
        .flat_map(|number| Channel::all(CHANNELS).map(move |channel| lock(number, channel)))
        .collect();
    Layout::new(vec![port.clone()], &placed, &locks).unwrap()
}
