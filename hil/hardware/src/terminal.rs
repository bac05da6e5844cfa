//! A pseudo-terminal with a name that stays, or a real port: the end that devices hold; and an exact timer (IO).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, Termios, ioctl_tiocexcl, ioctl_tiocnxcl, tcgetattr, tcsetattr,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use serial2::KeepSettings;
use serial2::rs4xx::Rs485Config;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// How long a write may take before the port counts as stuck.
const WRITE_MAX: Duration = Duration::from_millis(500);

/// How a real port is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMode {
    /// Its speed, 8N1.
    pub baud: u32,
    /// Whether the port's driver is told to switch the direction of an RS-485 line (`TIOCSRS485`).
    pub rs485: bool,
}

/// The device's end of a pseudo-terminal whose other end is opened through a symbolic link, or of a real cable.
///
/// When it is dropped, readers of the other end get `Ok(0)` or `EIO`, as when an adapter is pulled, and the
/// link is gone.
#[derive(Debug)]
pub struct Terminal {
    device: AsyncFd<OwnedFd>,
    /// Held so that the device's end sees no hang-up while nobody has the port open.
    _port: Option<OwnedFd>,
    /// The name that goes with it.
    link: Option<PathBuf>,
}

impl Terminal {
    /// Opens one and lets `link` point to it, replacing what was there.
    ///
    /// # Errors
    /// No pseudo-terminal can be had, or the link cannot be made.
    pub fn open(link: &Path) -> io::Result<Self> {
        // No program that is started meanwhile may hold the line open when the cable is pulled.
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&device)?;
        unlockpt(&device)?;
        let name = ptsname(&device, Vec::new())?;
        let port = rustix::fs::open(
            &name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut modes = tcgetattr(&port)?;
        modes.make_raw();
        tcsetattr(&port, OptionalActions::Now, &modes)?;
        rustix::io::ioctl_fionbio(&device, true)?;
        let name = name.into_string().map_err(io::Error::other)?;
        if let Some(directory) = link.parent() {
            fs::create_dir_all(directory)?;
        }
        let aside = link.with_extension("new");
        if fs::symlink_metadata(&aside).is_ok() {
            fs::remove_file(&aside)?;
        }
        std::os::unix::fs::symlink(name, &aside)?;
        fs::rename(&aside, link)?;
        Ok(Self {
            device: registered(device)?,
            _port: Some(port),
            link: Some(link.to_path_buf()),
        })
    }

    /// Opens a real serial port, raw 8N1 without flow control, for a device that speaks to whatever is at its other end. Nobody
    /// else has it meanwhile: locked as the daemon locks its ports, by `TIOCEXCL` and, as that does not bind root, by `flock`.
    ///
    /// A port that knows nothing of RS-485 is used as it is: most USB adapters switch the direction by themselves.
    ///
    /// # Errors
    /// It is not there, is no serial port, is in use, or cannot have that speed.
    pub fn attach(path: &Path, mode: PortMode) -> io::Result<Self> {
        // Held until the port is open for good: a driver may forget the mode when nobody has it open. Comes first: afterwards
        // nobody else may open the port.
        let _told = mode.rs485.then(|| switch_direction(path));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(path, flags, Mode::empty())?;
        flock(&device, FlockOperation::NonBlockingLockExclusive).map_err(in_use)?;
        ioctl_tiocexcl(&device)?;
        let mut modes = tcgetattr(&device)?;
        make_plain(&mut modes);
        modes.set_speed(mode.baud)?;
        tcsetattr(&device, OptionalActions::Flush, &modes)?;
        Ok(Self {
            device: registered(device)?,
            _port: None,
            link: None,
        })
    }

    /// The speed that the other end is set to: both ends of a pseudo-terminal share it.
    #[must_use]
    pub fn speed(&self) -> Option<u32> {
        Some(tcgetattr(self.device.get_ref()).ok()?.output_speed())
    }

    /// Reads what was written to the other end.
    ///
    /// # Errors
    /// The terminal is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.device.readable().await?;
            if let Ok(read) = ready.try_io(|device| Ok(rustix::io::read(device, &mut *buffer)?)) {
                return match read {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                };
            }
        }
    }

    /// Writes to a real port, and waits while its buffer is full.
    ///
    /// # Errors
    /// The port is gone, or takes no more bytes for half a second.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let stuck = || {
            io::Error::new(
                io::ErrorKind::TimedOut,
                "takes no more bytes; check flow control and cable",
            )
        };
        timeout(WRITE_MAX, self.send_all(bytes))
            .await
            .map_err(|_| stuck())?
    }

    async fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut ready = self.device.writable().await?;
            match ready.try_io(|device| Ok(rustix::io::write(device, rest)?)) {
                Ok(Ok(written)) => rest = &rest[written..],
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                // Its buffer is full.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Writes what the other end of a pseudo-terminal will read. What does not fit because nobody reads is lost, as on a wire.
    pub fn write(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(self.device.get_ref(), rest) {
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already, or replaced: both leave nothing to do.
        if let Some(link) = &self.link {
            let _ = fs::remove_file(link);
        } else {
            let _ = ioctl_tiocnxcl(self.device.get_ref());
        }
    }
}

/// Raw 8N1: `make_raw` alone leaves stop bits and flow control as who had the port before wanted them.
fn make_plain(modes: &mut Termios) {
    modes.make_raw();
    modes.input_modes -= InputModes::IXOFF | InputModes::IXANY | InputModes::INPCK;
    modes.control_modes -= ControlModes::CSTOPB | ControlModes::CRTSCTS | ControlModes::CMSPAR;
    modes.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
}

fn in_use(error: rustix::io::Errno) -> io::Error {
    if error == rustix::io::Errno::WOULDBLOCK {
        io::Error::new(
            io::ErrorKind::ResourceBusy,
            "is in use by another program; end that first",
        )
    } else {
        error.into()
    }
}

/// Tells the driver that this is an RS-485 line, so that it switches the direction at the end of the last bit.
fn switch_direction(path: &Path) -> io::Result<serial2::SerialPort> {
    let told = serial2::SerialPort::open(path, KeepSettings).and_then(|port| {
        port.set_rs4xx_mode(Rs485Config::new())?;
        Ok(port)
    });
    if let Err(error) = &told {
        tracing::warn!(port = %path.display(), %error, "the port cannot switch the line's direction; it is used as it is");
    }
    told
}

#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor fulfils what that asks for"
)]
fn registered(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// A timer that is exact to microseconds: tokio's own counts milliseconds, more than a byte takes.
#[derive(Debug)]
pub struct Timer {
    timer: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self {
            timer: registered(timerfd_create(TimerfdClockId::Monotonic, flags)?)?,
        })
    }

    /// Waits so long.
    ///
    /// # Errors
    /// The timer cannot be set or read.
    pub async fn wait(&self, time: Duration) -> io::Result<()> {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos().max(u32::from(time.is_zero()))),
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        let mut count = [0; 8];
        loop {
            let mut ready = self.timer.readable().await?;
            if let Ok(read) = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut count)?)) {
                return read.map(|_| ());
            }
        }
    }
}
