//! Runs one scanner's port and tells the engine what was read (IO).

use std::time::Duration;

use office_protocol::PortName;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::cabinet::vocabulary::{Input, Monotonic};
use crate::serial::{self, Outlet, PortEvent, PortSettings};

use super::framing::{Ending, Framing, Scan};
use super::start::StartCommand;

/// How many pieces of bytes may wait.
const EVENTS_MAX: usize = 32;

/// Runs a scanner until nobody takes its reports. Codes beyond what the engine can take wait in the port.
///
/// `start` is written each time the port opens and after each code.
pub async fn run(
    name: PortName,
    settings: PortSettings,
    start: StartCommand,
    ending: Ending,
    clock: impl Fn() -> Monotonic + Send,
    reports: mpsc::Sender<Input>,
) {
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let outlet = serial::spawn(settings, sender, |event| event);
    let mut framing = Framing::new(ending);
    let mut found = None;
    loop {
        let deadline = framing.next_deadline();
        let mut scanned = false;
        let inputs = tokio::select! {
            // Bytes before silence: what waits to be read goes on with the code.
            biased;
            event = events.recv() => match event {
                None => return,
                Some(PortEvent::Opened) => {
                    tell(&outlet, start, &name);
                    changed(&mut found, true, &name)
                }
                Some(PortEvent::Lost) => {
                    framing.reset();
                    changed(&mut found, false, &name)
                }
                Some(PortEvent::Received(bytes)) => {
                    let scans = framing.handle(&bytes, clock());
                    scanned = !scans.is_empty();
                    scans.into_iter().map(input).collect()
                }
            },
            () = until(deadline, clock()) => {
                let scan = framing.tick(clock());
                scanned = scan.is_some();
                scan.into_iter().map(input).collect()
            }
        };
        if scanned {
            tell(&outlet, start, &name);
        }
        for input in inputs {
            if matches!(input, Input::ScanUnreadable) {
                tracing::info!(port = %name, "something was scanned that cannot be read");
            }
            if reports.send(input).await.is_err() {
                return;
            }
        }
    }
}

fn tell(outlet: &Outlet, start: StartCommand, name: &PortName) {
    if !start.bytes().is_empty() && !outlet.send(start.bytes()) {
        tracing::warn!(port = %name, "the scanner could not be told to scan");
    }
}

fn input(scan: Scan) -> Input {
    match scan {
        Scan::Code(text) => Input::Scanned { text },
        Scan::Unreadable => Input::ScanUnreadable,
    }
}

fn changed(found: &mut Option<bool>, now: bool, name: &PortName) -> Vec<Input> {
    let port = name.clone();
    match found.replace(now) {
        before if before == Some(now) => Vec::new(),
        _ if now => vec![Input::PeripheralFound { port }],
        _ => vec![Input::PeripheralLost { port }],
    }
}

async fn until(deadline: Option<Monotonic>, now: Monotonic) {
    match deadline {
        Some(at) => {
            sleep(now.until(at)).await;
            // If we were late ourselves, the port's task may hold bytes that it could not hand over yet.
            tokio::task::yield_now().await;
        }
        None => sleep(Duration::from_secs(3600)).await,
    }
}
