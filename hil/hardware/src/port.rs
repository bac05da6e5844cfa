//! Runs a simulated device on a pseudo-terminal, and the handle that a demo or a test holds (IO).

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firmware_protocol::{Board, Channel};
use tokio::sync::{mpsc, oneshot};

use crate::board::BoardFault;
use crate::line::{Line, LineFault, LineInput, LineView};
use crate::mechanics::Hand;
use crate::scanner::{ScannerInput, SimulatedScanner};
use crate::terminal::{PortMode, Terminal, Timer};

/// How many orders may wait for a device.
const ORDERS_MAX: usize = 64;

/// What can be run on a port.
pub trait Device: Send + 'static {
    /// The controller wrote these bytes.
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>);
    /// The controller has its port at this speed.
    fn set_controller_speed(&mut self, _baud: u32) {}
    /// Time has passed.
    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>);
    /// The cable was pulled.
    fn unplugged(&mut self, now: Duration);
    /// When it does something by itself.
    fn next_deadline(&self) -> Option<Duration>;
}

impl Device for Line {
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>) {
        self.handle(LineInput::Written(bytes), now, delivered);
    }

    fn set_controller_speed(&mut self, baud: u32) {
        self.set_controller_speed(baud);
    }

    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.handle(LineInput::Tick, now, delivered);
    }

    fn unplugged(&mut self, now: Duration) {
        self.handle(LineInput::Unplugged, now, &mut Vec::new());
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.next_deadline()
    }
}

impl Device for SimulatedScanner {
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>) {
        self.handle(ScannerInput::Written(bytes), now, delivered);
    }

    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.handle(ScannerInput::Tick, now, delivered);
    }

    fn unplugged(&mut self, now: Duration) {
        self.handle(ScannerInput::Unplugged, now, &mut Vec::new());
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.next_deadline()
    }
}

/// Where a device is plugged in: a pseudo-terminal behind this link, or a real port in its mode.
struct Plug {
    path: PathBuf,
    real: Option<PortMode>,
}

impl Plug {
    fn open(&self) -> io::Result<Terminal> {
        match self.real {
            None => Terminal::open(&self.path),
            Some(mode) => Terminal::attach(&self.path, mode),
        }
    }

    async fn deliver(&self, terminal: &Terminal, bytes: &[u8]) -> io::Result<()> {
        if self.real.is_some() {
            return terminal.send(bytes).await;
        }
        terminal.write(bytes);
        Ok(())
    }
}

type Deed<D> = Box<dyn FnOnce(&mut D, Duration, &mut Vec<u8>) + Send>;

enum Order<D> {
    Do(Deed<D>),
    Unplug(oneshot::Sender<()>),
    Replug(oneshot::Sender<io::Result<()>>),
}

/// A device that runs on a pseudo-terminal. Dropping the handle ends it and removes its name.
#[derive(Debug)]
pub struct Port<D> {
    path: PathBuf,
    orders: mpsc::Sender<Order<D>>,
}

/// The device's task has ended, so it can no longer be told or asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the simulated device has ended; start it again")
    }
}

impl std::error::Error for Ended {}

impl<D: Device> Port<D> {
    /// Runs `device` in a task of the current tokio runtime, behind the symbolic link `path`.
    ///
    /// # Errors
    /// No pseudo-terminal can be had, or the link cannot be made.
    pub fn spawn(device: D, path: &Path) -> io::Result<Self> {
        Self::spawn_at(device, path, None)
    }

    /// Runs `device` at the end of a real cable: `path` is a serial port of this machine.
    ///
    /// # Errors
    /// The port cannot be opened, or not in that mode.
    pub fn attach(device: D, path: &Path, mode: PortMode) -> io::Result<Self> {
        Self::spawn_at(device, path, Some(mode))
    }

    fn spawn_at(device: D, path: &Path, real: Option<PortMode>) -> io::Result<Self> {
        let plug = Plug {
            path: path.to_path_buf(),
            real,
        };
        let terminal = plug.open()?;
        let timer = Timer::new()?;
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        tokio::spawn(run(device, terminal, timer, received, plug));
        Ok(Self {
            path: path.to_path_buf(),
            orders,
        })
    }

    /// The name under which the other end is opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Pulls the cable: who has the port open sees it vanish, and its name is gone.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn unplug(&self) -> Result<(), Ended> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Unplug(done)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }

    /// Puts the cable back under the same name.
    ///
    /// # Errors
    /// No pseudo-terminal can be had, or the device has ended.
    pub async fn replug(&self) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.orders
            .send(Order::Replug(done))
            .await
            .map_err(|_| io::Error::other(Ended))?;
        answer.await.map_err(|_| io::Error::other(Ended))?
    }

    /// Does something with the device, between two of its moments, and returns what came of it.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn with<R: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut D, Duration, &mut Vec<u8>) -> R + Send + 'static,
    ) -> Result<R, Ended> {
        let (done, answer) = oneshot::channel();
        let deed: Deed<D> = Box::new(move |device, now, delivered| {
            // Who asked may have left; the deed is done all the same.
            let _ = done.send(deed(device, now, delivered));
        });
        self.orders.send(Order::Do(deed)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

impl Port<Line> {
    /// A person does something at a compartment; says whether it worked.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn hand(&self, board: Board, channel: Channel, hand: Hand) -> Result<bool, Ended> {
        self.with(move |line, now, out| line.handle(LineInput::Hand(board, channel, hand), now, out))
            .await
    }

    /// A person presses the button on a board, or lets it go; says whether there is such a board.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn button(&self, board: Board, held: bool) -> Result<bool, Ended> {
        self.with(move |line, now, out| line.handle(LineInput::Button(board, held), now, out))
            .await
    }

    /// Breaks or repairs something at a board; says whether there is such a board.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn board_fault(&self, board: Board, fault: BoardFault) -> Result<bool, Ended> {
        self.with(move |line, now, out| line.handle(LineInput::BoardFault(board, fault), now, out))
            .await
    }

    /// Breaks or repairs something on the line.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn line_fault(&self, fault: LineFault) -> Result<bool, Ended> {
        self.with(move |line, now, out| line.handle(LineInput::LineFault(fault), now, out))
            .await
    }

    /// Lets bytes appear on the line from nowhere.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn noise(&self, bytes: Vec<u8>) -> Result<bool, Ended> {
        self.with(move |line, now, out| line.handle(LineInput::Noise(&bytes), now, out))
            .await
    }

    /// What the line has seen.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn view(&self) -> Result<LineView, Ended> {
        self.with(|line, _, _| line.view()).await
    }
}

impl Port<SimulatedScanner> {
    /// Holds a code in front of the scanner.
    ///
    /// # Errors
    /// The device has ended.
    pub async fn scan(&self, code: impl Into<Vec<u8>>) -> Result<(), Ended> {
        let code = code.into();
        self.with(move |scanner, now, out| scanner.handle(ScannerInput::Scan(&code), now, out))
            .await
    }
}

async fn run<D: Device>(
    mut device: D,
    terminal: Terminal,
    timer: Timer,
    mut orders: mpsc::Receiver<Order<D>>,
    plug: Plug,
) {
    let start = Instant::now();
    let mut plugged = Some(terminal);
    let mut buffer = [0; 512];
    let mut delivered = Vec::new();
    loop {
        let now = start.elapsed();
        let wait = device.next_deadline().map(|at| at.saturating_sub(now));
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(Order::Do(deed)) => deed(&mut device, start.elapsed(), &mut delivered),
                Some(Order::Unplug(done)) => {
                    plugged = None;
                    device.unplugged(start.elapsed());
                    let _ = done.send(());
                }
                Some(Order::Replug(done)) => {
                    let opened = if plugged.is_some() { Ok(()) } else {
                        plug.open().map(|terminal| plugged = Some(terminal))
                    };
                    let _ = done.send(opened);
                }
            },
            read = read(plugged.as_ref(), &mut buffer) => match read {
                Ok(count) => {
                    if let Some(baud) = plugged.as_ref().and_then(Terminal::speed) {
                        device.set_controller_speed(baud);
                    }
                    device.written(&buffer[..count], start.elapsed(), &mut delivered);
                }
                Err(error) => {
                    tracing::warn!(port = %plug.path.display(), %error, "simulated port broke");
                    plugged = None;
                }
            },
            result = wait_for(&timer, wait) => {
                if let Err(error) = result {
                    tracing::error!(port = %plug.path.display(), %error, "simulated port has no timer and ends");
                    return;
                }
                device.tick(start.elapsed(), &mut delivered);
            }
        }
        if let Some(terminal) = &plugged
            && let Err(error) = plug.deliver(terminal, &delivered).await
        {
            tracing::warn!(port = %plug.path.display(), %error, "simulated port broke");
            plugged = None;
        }
        delivered.clear();
    }
}

async fn read(terminal: Option<&Terminal>, buffer: &mut [u8]) -> io::Result<usize> {
    match terminal {
        Some(terminal) => terminal.read(buffer).await,
        None => std::future::pending().await,
    }
}

async fn wait_for(timer: &Timer, wait: Option<Duration>) -> io::Result<()> {
    match wait {
        Some(wait) => timer.wait(wait).await,
        None => std::future::pending().await,
    }
}
