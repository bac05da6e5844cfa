//! A simulated code scanner: says a code as bytes, ended its own way (pure).

use std::time::Duration;

use crate::pace::{Grain, Pace};

/// What makes a GM65 scan: a write to its register 0002, checksum not checked.
pub const GM65_TRIGGER: [u8; 9] = [0x7E, 0x00, 0x08, 0x01, 0x00, 0x02, 0x01, 0xAB, 0xCD];
/// What a GM65 says to its trigger, in front of the code's text.
pub const GM65_ACKNOWLEDGEMENT: [u8; 7] = [0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31];

/// How a scanner ends a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a carriage return.
    CarriageReturn,
    /// By a line feed.
    LineFeed,
    /// By both.
    Both,
    /// By saying nothing more.
    Idle,
}

impl Ending {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::CarriageReturn => b"\r",
            Self::LineFeed => b"\n",
            Self::Both => b"\r\n",
            Self::Idle => b"",
        }
    }
}

/// What happens to a scanner from outside.
#[derive(Clone, Copy, Debug)]
pub enum ScannerInput<'a> {
    /// A person holds this code in front of it.
    Scan(&'a [u8]),
    /// The controller wrote these bytes: a GM65 acknowledges its trigger, others ignore everything.
    Written(&'a [u8]),
    /// The cable is pulled.
    Unplugged,
    /// Only time has passed.
    Tick,
}

/// One simulated scanner. Time is counted from any start; it never goes back.
#[derive(Clone, Debug)]
pub struct SimulatedScanner {
    ending: Ending,
    acknowledges: bool,
    heard: Vec<u8>,
    triggered: u32,
    up: Pace,
}

impl SimulatedScanner {
    /// A scanner at `baud`; `acknowledges` makes it a GM65.
    #[must_use]
    pub fn new(ending: Ending, acknowledges: bool, baud: u32, grain: Grain) -> Self {
        Self {
            ending,
            acknowledges,
            heard: Vec::new(),
            triggered: 0,
            up: Pace::new(baud, grain),
        }
    }

    /// Takes one input; `delivered` gets the bytes that have reached the controller by `now`.
    pub fn handle(&mut self, input: ScannerInput<'_>, now: Duration, delivered: &mut Vec<u8>) {
        self.up.take(now, delivered);
        match input {
            ScannerInput::Scan(code) => {
                self.up.put(code, now);
                self.up.put(self.ending.bytes(), now);
            }
            ScannerInput::Written(bytes) => {
                self.heard.extend_from_slice(bytes);
                if self.acknowledges && self.heard.ends_with(&GM65_TRIGGER) {
                    self.triggered += 1;
                    self.up.put(&GM65_ACKNOWLEDGEMENT, now);
                }
                let keep = self.heard.len().min(GM65_TRIGGER.len());
                self.heard.drain(..self.heard.len() - keep);
            }
            ScannerInput::Unplugged => self.up.clear(),
            ScannerInput::Tick => {}
        }
    }

    /// How often a GM65 was told to scan.
    #[must_use]
    pub fn triggered(&self) -> u32 {
        self.triggered
    }

    /// When its next bytes will have passed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.up.next_deadline()
    }
}
