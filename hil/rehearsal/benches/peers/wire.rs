//! The wire that all contenders share: simulated boards behind a pseudo-terminal, paced at a speed, and a record of what passed.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hardware::{Device, Line, LineInput, Port};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds on the clock that all processes share.
pub(crate) fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// A request and its answer as they passed.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// When its first byte was written.
    pub(crate) asked_at: i64,
    pub(crate) asked: Vec<u8>,
    /// When the last byte was delivered.
    pub(crate) heard_at: i64,
    /// How many bytes were delivered.
    pub(crate) heard: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<Passed>>>);

impl Record {
    /// What has passed since this moment.
    pub(crate) fn since(&self, from: i64) -> Vec<Passed> {
        let all = self.0.lock().unwrap();
        let start = all.partition_point(|passed| passed.asked_at < from);
        all[start..].to_vec()
    }

    fn asked(&self, bytes: &[u8]) {
        let at = now();
        self.0.lock().unwrap().push(Passed {
            asked_at: at,
            asked: bytes.to_vec(),
            heard_at: at,
            heard: 0,
        });
    }

    fn heard(&self, count: usize) {
        if let Some(last) = self.0.lock().unwrap().last_mut().filter(|_| count > 0) {
            last.heard_at = now();
            last.heard += count;
        }
    }
}

/// A line that writes down what passes, and when a pulse begins.
pub(crate) struct Tapped {
    pub(crate) line: Line,
    record: Record,
    pulses: u32,
    pulsed: mpsc::Sender<i64>,
}

impl Tapped {
    fn pulse(&mut self) {
        let pulses = self.line.view().pulses;
        if pulses > self.pulses {
            self.pulses = pulses;
            // Who does not care for pulses has dropped the other end.
            let _ = self.pulsed.send(now());
        }
    }
}

impl Device for Tapped {
    fn written(&mut self, bytes: &[u8], now: Duration, delivered: &mut Vec<u8>) {
        self.record.asked(bytes);
        self.line.handle(LineInput::Written(bytes), now, delivered);
    }

    fn tick(&mut self, now: Duration, delivered: &mut Vec<u8>) {
        self.line.handle(LineInput::Tick, now, delivered);
        self.record.heard(delivered.len());
        self.pulse();
    }

    fn unplugged(&mut self, now: Duration) {
        self.line.handle(LineInput::Unplugged, now, &mut Vec::new());
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.line.next_deadline()
    }
}

/// A tapped line on a thread of its own, as a cable is beside the machine.
pub(crate) struct Wire {
    pub(crate) port: Port<Tapped>,
    pub(crate) record: Record,
    pub(crate) pulses: mpsc::Receiver<i64>,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Wire {
    pub(crate) fn new(line: Line, path: &Path) -> Self {
        let record = Record::default();
        let (pulsed, pulses) = mpsc::channel();
        let tapped = Tapped {
            line,
            record: record.clone(),
            pulses: 0,
            pulsed,
        };
        let (end, ended) = tokio::sync::oneshot::channel();
        let (give, taken) = mpsc::channel();
        let path = path.to_owned();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                give.send(Port::spawn(tapped, &path).unwrap()).unwrap();
                let _dropped = ended.await;
            });
        });
        Self {
            port: taken.recv().unwrap(),
            record,
            pulses,
            _end: end,
        }
    }

    /// Does something with the line.
    pub(crate) fn with<R: Send + 'static>(
        &self,
        deed: impl FnOnce(&mut Line, Duration, &mut Vec<u8>) -> R + Send + 'static,
    ) -> R {
        let (give, taken) = mpsc::channel();
        let done = self.port.with(move |tapped, now, delivered| {
            give.send(deed(&mut tapped.line, now, delivered)).unwrap();
        });
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(done)
            .unwrap();
        taken.recv().unwrap()
    }
}
