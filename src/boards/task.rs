//! Carries bytes and time to the bus master, and its reports to the engine (IO).

use std::sync::Arc;
use std::time::Duration;

use firmware_protocol::secure::{Key, KeyId, Keys};
use office_protocol::BoardId;
use office_protocol::state::BoardRefusal;
use tokio::sync::{mpsc, watch};

use crate::cabinet::vocabulary::{Input, Monotonic};
use crate::clock::Alarm;
use crate::serial::{self, Outlet, PortEvent, PortSettings};

use super::Work;
use super::layout::PortIndex;
use super::master::{BusAction, BusInput, BusMaster, BusView};

/// Keys that may wait to be kept.
const KEEPING_MAX: usize = 4;
/// How many events of all ports may wait.
const EVENTS_MAX: usize = 64;
/// How long is waited where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How often the view is renewed while nothing else happens to it.
const VIEW_EVERY_MS: u64 = 1000;

/// Keeps a board's keys where they survive; says whether they are there.
pub type KeepKeys = Arc<dyn Fn(BoardId, &Keys) -> bool + Send + Sync>;

/// Runs the lock bus until no more work can come or nobody takes its reports; no key can be installed on a board meanwhile.
///
/// [`run_keeping`] says the rest.
pub async fn run(
    master: BusMaster,
    paths: Vec<PortSettings>,
    clock: impl Fn() -> Monotonic + Send,
    work: mpsc::Receiver<Work>,
    reports: mpsc::Sender<Input>,
    view: watch::Sender<BusView>,
) {
    let keep = Arc::new(|_, _: &Keys| false);
    run_keeping(master, paths, clock, work, reports, view, keep).await;
}

/// Runs the lock bus until no more work can come or nobody takes its reports.
///
/// `paths` are the device files of the layout's ports, in its order. `clock` is the daemon's monotonic clock:
/// `not_after` is on it. `view` gets how the bus is, at most once a second.
pub async fn run_keeping(
    mut master: BusMaster,
    paths: Vec<PortSettings>,
    clock: impl Fn() -> Monotonic + Send,
    mut work: mpsc::Receiver<Work>,
    reports: mpsc::Sender<Input>,
    view: watch::Sender<BusView>,
    keep: KeepKeys,
) {
    let (keeping, orders) = mpsc::channel(KEEPING_MAX);
    let (kept, mut keys_kept) = mpsc::channel(KEEPING_MAX);
    tokio::spawn(keep_in_order(keep, orders, kept));
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let ports: Vec<Outlet> = (0..)
        .map(PortIndex)
        .zip(paths)
        .map(|(index, settings)| serial::spawn(settings, sender.clone(), move |event| (index, event)))
        .collect();
    let alarm = Alarm::new();
    let mut view_at = clock();
    loop {
        let deadline = master.next_deadline();
        let actions = tokio::select! {
            biased;
            next = work.recv() => match next {
                Some(work) => master.handle(BusInput::Work(&work), clock()),
                None => return,
            },
            event = events.recv() => match event {
                Some((index, event)) => handle(&mut master, index, &event, clock()),
                None => return,
            },
            Some((key, kept)) = keys_kept.recv() => master.handle(BusInput::KeysKept { key, kept }, clock()),
            () = until(&alarm, deadline, clock()) => master.handle(BusInput::Tick, clock()),
        };
        if !act(actions, &mut master, &ports, &reports, &keeping, &clock).await {
            return;
        }
        let now = clock();
        if view_at <= now {
            view_at = now.plus_millis(VIEW_EVERY_MS);
            view.send_replace(master.view());
        }
    }
}

fn handle(master: &mut BusMaster, index: PortIndex, event: &PortEvent, now: Monotonic) -> Vec<BusAction> {
    let input = match event {
        PortEvent::Opened => BusInput::Opened(index),
        PortEvent::Lost => BusInput::Lost(index),
        PortEvent::Received(bytes) => {
            tracing::trace!(port = index.0, ?bytes, "received");
            BusInput::Received(index, bytes)
        }
    };
    master.handle(input, now)
}

/// Carries actions out, bytes before reports: a slow engine must not delay a frame.
async fn act(
    mut actions: Vec<BusAction>,
    master: &mut BusMaster,
    ports: &[Outlet],
    reports: &mpsc::Sender<Input>,
    keeping: &mpsc::Sender<(BoardId, Keys)>,
    clock: &impl Fn() -> Monotonic,
) -> bool {
    while !actions.is_empty() {
        let mut more = Vec::new();
        for action in &actions {
            if let BusAction::Send(port, frame) = action {
                tracing::trace!(port = port.0, ?frame, "sent");
                if !ports.get(port.0).is_some_and(|outlet| outlet.send(frame)) {
                    more.extend(master.handle(BusInput::Lost(*port), clock()));
                }
            }
        }
        for action in actions {
            match action {
                BusAction::Report(input) => {
                    warn(&input);
                    if reports.send(input).await.is_err() {
                        return false;
                    }
                }
                // What finds no room is not kept; the master gives up by itself.
                BusAction::KeepKeys(board, keys) => drop(keeping.try_send((board, keys))),
                BusAction::Send(..) => {}
            }
        }
        actions = more;
    }
    true
}

/// Keeps keys one after another, and says which are. The disk's time is not the bus's.
async fn keep_in_order(
    keep: KeepKeys,
    mut orders: mpsc::Receiver<(BoardId, Keys)>,
    kept: mpsc::Sender<(KeyId, bool)>,
) {
    while let Some((board, keys)) = orders.recv().await {
        let newest = keys.next.as_ref().or(keys.current.as_ref());
        let Some(key) = newest.map(Key::id) else {
            continue;
        };
        let keep = Arc::clone(&keep);
        let done = tokio::task::spawn_blocking(move || keep(board, &keys)).await;
        if kept.send((key, done.unwrap_or(false))).await.is_err() {
            return;
        }
    }
}

/// What somebody should look at.
fn warn(input: &Input) {
    if let Input::BoardLost { board } = input {
        tracing::warn!(%board, "lock board does not answer");
    } else if let Input::BoardRefused { board, why } = input {
        let advice = match why {
            BoardRefusal::UnknownKey => "it does not know this key: run `lockerd bus install-key`",
            BoardRefusal::NoCommonVersion => {
                "it speaks another version: its firmware or lockerd needs an update"
            }
        };
        tracing::warn!(%board, advice, "lock board refuses");
    } else if let Input::EchoWrong { port, echoes } = input {
        tracing::warn!(
            %port,
            "no acknowledgement on this lock port is believed: write `echo = {echoes}` in its [[lock-port]]"
        );
    }
}

async fn until(alarm: &Alarm, deadline: Option<Monotonic>, now: Monotonic) {
    alarm.wait(deadline.map_or(IDLE, |at| now.until(at))).await;
    // If we were late ourselves, a port's task may hold bytes that it could not hand over yet.
    tokio::task::yield_now().await;
}
