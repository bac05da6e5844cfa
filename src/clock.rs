//! The only file that reads a clock or the dice: everything else is handed a [`Moment`].

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use office_protocol::{Start, Timestamp};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::cabinet::vocabulary::{Dice, Moment, Monotonic};

/// What systemd's time service leaves here says that it has set the clock since the start of the machine.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// The system gives no randomness.
#[derive(Debug, Error)]
#[error("the system gives no random bytes: {0}; without them no code can be made, so nothing is started")]
pub struct NoDice(getrandom::Error);

/// When the wall clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Once the system's time service has set it.
    #[default]
    Synchronized,
    /// Always: something else keeps it right, such as a battery-backed clock that is looked after.
    Always,
}

/// The daemon's clock. Copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    trust: Trust,
}

impl Clock {
    /// A clock that counts from now.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self {
            origin: Instant::now(),
            trust,
        }
    }

    /// The time that is never set.
    #[must_use]
    pub fn monotonic(&self) -> Monotonic {
        let passed = self.origin.elapsed().as_micros();
        Monotonic::from_micros(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Everything that a decision may know of time and chance, drawn anew.
    ///
    /// # Errors
    /// [`NoDice`].
    pub fn moment(&self) -> Result<Moment, NoDice> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(NoDice)?;
        Ok(Moment {
            now: self.monotonic(),
            wall: wall(),
            trusted: self.trusted(),
            dice: Dice::new(seed),
        })
    }

    fn trusted(&self) -> bool {
        match self.trust {
            Trust::Always => true,
            Trust::Synchronized => Path::new(SYNCHRONIZED).exists(),
        }
    }
}

/// Wakes to the microsecond: the runtime's own timers count milliseconds, a good part of an exchange on a fast lock bus. Where the
/// system gives no such timer, the runtime's have to do.
#[derive(Debug)]
pub struct Alarm(Option<AsyncFd<OwnedFd>>);

impl Alarm {
    /// One that is not set. Within a runtime.
    #[must_use]
    pub fn new() -> Self {
        Self(
            timer()
                .inspect_err(
                    |error| tracing::warn!(%error, "no exact timer; the lock bus is a little slower"),
                )
                .ok(),
        )
    }

    /// Waits so long.
    pub async fn wait(&self, time: Duration) {
        match &self.0 {
            Some(timer) if set(timer, time).is_ok() => rung(timer).await,
            Some(_) | None => sleep(time).await,
        }
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe; an owned descriptor fulfils what that asks for"
)]
fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, flags)?)
}

fn set(timer: &AsyncFd<OwnedFd>, time: Duration) -> io::Result<()> {
    let spec = |time: Duration| Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let once = Itimerspec {
        it_interval: spec(Duration::ZERO),
        // Zero would disarm it.
        it_value: spec(time.max(Duration::from_nanos(1))),
    };
    timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
    Ok(())
}

/// Returns once the timer has run out; setting it anew has forgotten earlier times.
async fn rung(timer: &AsyncFd<OwnedFd>) {
    let mut count = [0; 8];
    while let Ok(mut ready) = timer.readable().await {
        if ready
            .try_io(|timer| Ok(rustix::io::read(timer, &mut count)?))
            .is_ok()
        {
            return;
        }
    }
}

/// What the wall clock says; before 1970 counts as 1970.
#[must_use]
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}

/// The random value of one start.
///
/// # Errors
/// [`NoDice`].
pub fn draw_start() -> Result<Start, NoDice> {
    getrandom::u64().map(Start).map_err(NoDice)
}

/// 32 random bytes for a new key.
///
/// # Errors
/// [`NoDice`].
pub fn draw_secret() -> Result<zeroize::Zeroizing<[u8; 32]>, NoDice> {
    let mut secret = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(NoDice)?;
    Ok(secret)
}
