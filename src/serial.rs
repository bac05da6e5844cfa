//! A serial port that is opened, carried and opened again when it vanishes: the only file that names tokio_serial (IO).
//!
//! Where the setting asks for it, the port's driver is told that the line is RS-485 (`TIOCSRS485`), so that it switches the
//! direction at the end of the last bit, which no program can. A port that does not know of it is used as it is: most USB adapters
//! switch by themselves.
//!
//! `flush` and `shutdown` are never called: both run a blocking `tcdrain` inside the asynchronous poll. Modem
//! lines are left alone: pseudo-terminals have none.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serial2::KeepSettings;
use serial2::rs4xx::Rs485Config;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt, SerialStream};

/// How long a write may take before the port counts as gone: a frame fits into the driver's buffer many times over, so a write waits
/// only where nothing reads at the other side.
const WRITE_MAX: Duration = Duration::from_millis(500);
/// How long bytes may wait for the write before theirs: an unlock that comes late opens a door to nobody.
const QUEUED_MAX: Duration = Duration::from_millis(100);
/// The first pause before a port is opened again, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How many writes, and how many pieces read, may wait.
const QUEUE_MAX: usize = 32;
/// How much is read at once.
const CHUNK: usize = 256;

/// Where a port is and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// Its device file; a link that stays is best.
    pub path: PathBuf,
    /// Its speed, 8N1.
    pub baud: u32,
    /// Whether the port's driver is told to switch the direction of an RS-485 line.
    pub rs485: bool,
}

/// What a port says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// It is open, for the first time or again.
    Opened,
    /// It could not be opened, or is gone. Said once until it opens.
    Lost,
    /// Bytes came.
    Received(Vec<u8>),
}

/// Why a port stopped.
#[derive(Debug, Error)]
enum PortError {
    #[error("cannot be opened: {0}; check the cable, the path and the rights")]
    Open(tokio_serial::Error),
    #[error("is gone: the other side has closed it; check the cable")]
    Gone,
    #[error("failed: {0}; check the cable")]
    Failed(io::Error),
    #[error("takes no more bytes: nothing reads at the other side")]
    Stuck,
}

/// Bytes that wait to be written, and since when.
#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    at: Instant,
}

/// The sending end of a port that runs in its own task, and ends with it.
#[derive(Clone, Debug)]
pub struct Outlet(mpsc::Sender<Written>);

impl Outlet {
    /// Hands over bytes to be written now; says whether the port took them. While it is closed, none are, and behind a write that
    /// is stuck none are written once they have waited 100 ms.
    #[must_use]
    pub fn send(&self, bytes: &[u8]) -> bool {
        let (bytes, at) = (bytes.to_vec(), Instant::now());
        self.0.try_send(Written { bytes, at }).is_ok()
    }
}

/// Runs a port in a task of the current runtime until the outlet or the receiver of its events is dropped.
///
/// `wrap` makes of each event what the receiver understands.
#[must_use]
pub fn spawn<E: Send + 'static>(
    settings: PortSettings,
    events: mpsc::Sender<E>,
    wrap: impl Fn(PortEvent) -> E + Send + Sync + 'static,
) -> Outlet {
    let (outlet, writes) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(run(settings, writes, events, wrap));
    Outlet(outlet)
}

async fn run<E: Send>(
    settings: PortSettings,
    mut writes: mpsc::Receiver<Written>,
    events: mpsc::Sender<E>,
    wrap: impl Fn(PortEvent) -> E + Send,
) {
    let mut pause = BACK_OFF.0;
    let mut told = false;
    loop {
        let error = match open(&settings) {
            Ok(mut port) => {
                tracing::info!(port = %settings.path.display(), "serial port open");
                pause = BACK_OFF.0;
                told = false;
                // What waits was meant for the port before it vanished: an unlock must never be late.
                while writes.try_recv().is_ok() {}
                if events.send(wrap(PortEvent::Opened)).await.is_err() {
                    return;
                }
                match carry(&mut port, &mut writes, &events, &wrap).await {
                    Some(error) => {
                        // What has not left the machine would go out when something reads again, and the end of the port would wait
                        // for it. A port that is gone has nothing to drop.
                        let _gone = port.clear(ClearBuffer::Output);
                        error
                    }
                    None => return,
                }
            }
            Err(error) => error,
        };
        if told {
            tracing::debug!(port = %settings.path.display(), %error, "serial port");
        } else {
            tracing::warn!(port = %settings.path.display(), %error, "serial port");
            if events.send(wrap(PortEvent::Lost)).await.is_err() {
                return;
            }
        }
        told = true;
        tokio::select! {
            () = sleep(pause) => {}
            () = discard(&mut writes) => return,
            () = events.closed() => return,
        }
        pause = (pause * 2).min(BACK_OFF.1);
    }
}

/// Drops what is written to a closed port, until nobody can write any more.
async fn discard(writes: &mut mpsc::Receiver<Written>) {
    while writes.recv().await.is_some() {}
}

fn open(settings: &PortSettings) -> Result<SerialStream, PortError> {
    // Held until the port is open for good: a driver may forget the mode when nobody has it open.
    let _told = settings.rs485.then(|| switch_direction(settings));
    let path = settings.path.to_string_lossy();
    let port = tokio_serial::new(path, settings.baud)
        .open_native_async()
        .map_err(PortError::Open)?;
    // Stale bytes wait in the buffer of a port that nobody had open.
    port.clear(ClearBuffer::All).map_err(PortError::Open)?;
    Ok(port)
}

/// Tells the driver that this is an RS-485 line. Comes first: afterwards nobody else may open the port.
fn switch_direction(settings: &PortSettings) -> io::Result<serial2::SerialPort> {
    let told = serial2::SerialPort::open(&settings.path, KeepSettings).and_then(|port| {
        port.set_rs4xx_mode(Rs485Config::new())?;
        Ok(port)
    });
    if let Err(error) = &told {
        tracing::warn!(port = %settings.path.display(), %error, "the port cannot switch the line's direction; it is used as it is");
    }
    told
}

/// Carries bytes both ways until the port fails; none if nobody wants it any more.
async fn carry<E: Send>(
    port: &mut SerialStream,
    writes: &mut mpsc::Receiver<Written>,
    events: &mpsc::Sender<E>,
    wrap: &(impl Fn(PortEvent) -> E + Send),
) -> Option<PortError> {
    let mut buffer = [0; CHUNK];
    loop {
        tokio::select! {
            biased;
            written = writes.recv() => {
                let Written { bytes, at } = written?;
                if at.elapsed() > QUEUED_MAX {
                    tracing::warn!(bytes = bytes.len(), "not written: the port was not free in time");
                    continue;
                }
                match timeout(WRITE_MAX, port.write_all(&bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Some(PortError::Failed(error)),
                    Err(_) => return Some(PortError::Stuck),
                }
            }
            read = port.read(&mut buffer) => match read {
                Ok(0) => return Some(PortError::Gone),
                Ok(count) => {
                    events.send(wrap(PortEvent::Received(buffer[..count].to_vec()))).await.ok()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(PortError::Failed(error)),
            },
            () = events.closed() => return None,
        }
    }
}
