//! Cuts a scanner's bytes into codes: one ends with CR, LF or silence (pure).

use serde::Deserialize;

use crate::cabinet::vocabulary::Monotonic;

/// The most characters of a code. Passes are the longest, some 600.
pub const CODE_MAX: usize = 2000;
/// How a scanner is set up to end a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// With CR or LF. A code that breaks off is ended after a second.
    #[default]
    Line,
    /// With nothing: 50 ms of silence end it.
    Silence,
}

impl Ending {
    /// The silence that ends a code, in milliseconds.
    #[must_use]
    pub const fn idle_ms(self) -> u64 {
        match self {
            Self::Line => 1_000,
            Self::Silence => 50,
        }
    }
}

/// What a GM65 says to its trigger, before the code's text.
const ACKNOWLEDGEMENT: [u8; 7] = [0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31];

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A code of printable characters.
    Code(Box<str>),
    /// Something longer than [`CODE_MAX`], or nothing printable at all.
    Unreadable,
}

/// Collects one code. What is not printable ASCII is dropped: no code of ours, and no label, has any.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    ending: Ending,
    text: String,
    /// The last bytes, as far as they may be an acknowledgement.
    acknowledged: usize,
    dropped: bool,
    too_long: bool,
    heard_at: Monotonic,
}

impl Framing {
    /// For a scanner that ends its codes this way.
    #[must_use]
    pub fn new(ending: Ending) -> Self {
        Self {
            ending,
            ..Self::default()
        }
    }

    /// Takes bytes and returns the codes that ended.
    ///
    /// Bytes that come late go on with the code: `now` is when we came to read them, and a busy machine's own
    /// delay is no silence of the scanner. Only [`Framing::tick`], with nothing left to read, ends by silence.
    #[must_use]
    pub fn handle(&mut self, bytes: &[u8], now: Monotonic) -> Vec<Scan> {
        let scans = bytes.iter().filter_map(|byte| self.take(*byte)).collect();
        self.heard_at = now;
        scans
    }

    /// Ends the code if the scanner has been silent for long enough.
    #[must_use]
    pub fn tick(&mut self, now: Monotonic) -> Option<Scan> {
        let ended = self.next_deadline().is_some_and(|at| at <= now);
        if ended { self.end() } else { None }
    }

    /// When a code ends by silence.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.begun()
            .then(|| self.heard_at.plus_millis(self.ending.idle_ms()))
    }

    /// The port is gone: what was begun is lost.
    pub fn reset(&mut self) {
        *self = Self::new(self.ending);
    }

    fn begun(&self) -> bool {
        !self.text.is_empty() || self.dropped || self.too_long || self.acknowledged > 0
    }

    fn take(&mut self, byte: u8) -> Option<Scan> {
        if self.acknowledges(byte) {
            return None;
        }
        match byte {
            b'\r' | b'\n' => return self.end(),
            b' '..=b'~' if self.text.len() < CODE_MAX => self.text.push(char::from(byte)),
            b' '..=b'~' => self.too_long = true,
            _ => self.dropped = true,
        }
        None
    }

    /// Whether this byte goes on an acknowledgement at the beginning of a code. One that breaks off is taken
    /// as text after all: only its printable bytes count.
    fn acknowledges(&mut self, byte: u8) -> bool {
        if !self.text.is_empty() || self.dropped || self.too_long {
            return false;
        }
        if byte == ACKNOWLEDGEMENT[self.acknowledged] {
            self.acknowledged += 1;
            if self.acknowledged == ACKNOWLEDGEMENT.len() {
                self.acknowledged = 0;
            }
            return true;
        }
        self.surrender();
        false
    }

    fn surrender(&mut self) {
        let seen = std::mem::take(&mut self.acknowledged);
        let printable = ACKNOWLEDGEMENT[..seen]
            .iter()
            .filter(|byte| (b' '..=b'~').contains(*byte));
        self.text.extend(printable.map(|byte| char::from(*byte)));
        self.dropped |= seen > 0;
    }

    fn end(&mut self) -> Option<Scan> {
        self.surrender();
        let text = std::mem::take(&mut self.text);
        let (dropped, too_long) = (
            std::mem::take(&mut self.dropped),
            std::mem::take(&mut self.too_long),
        );
        if too_long || (text.is_empty() && dropped) {
            Some(Scan::Unreadable)
        } else if text.is_empty() {
            None
        } else {
            Some(Scan::Code(text.into_boxed_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    fn code(text: &str) -> Scan {
        Scan::Code(text.into())
    }

    #[test]
    fn a_code_ends_with_cr_lf_both_or_silence() {
        for ended in ["LP1:A\r", "LP1:A\n", "LP1:A\r\n"] {
            let mut framing = Framing::default();
            assert_eq!(framing.handle(ended.as_bytes(), at(0)), [code("LP1:A")]);
            assert_eq!(framing.next_deadline(), None);
        }
        let mut framing = Framing::new(Ending::Silence);
        assert_eq!(framing.handle(b"LP1", at(0)), []);
        assert_eq!(framing.handle(b":A", at(40)), []);
        assert_eq!(framing.next_deadline(), Some(at(90)));
        assert_eq!(framing.tick(at(89)), None);
        assert_eq!(framing.tick(at(90)), Some(code("LP1:A")));
        assert_eq!(framing.handle(b"B\rC\r", at(91)), [code("B"), code("C")]);
    }

    #[test]
    fn a_scanner_that_ends_its_lines_may_pause_in_one() {
        let mut framing = Framing::default();
        assert_eq!(framing.handle(b"LP1", at(0)), []);
        assert_eq!(framing.tick(at(900)), None);
        assert_eq!(framing.handle(b":A\r", at(900)), [code("LP1:A")]);
        assert_eq!(framing.handle(b"broken", at(2_000)), []);
        assert_eq!(framing.tick(at(3_000)), Some(code("broken")));
    }

    #[test]
    fn our_own_delay_does_not_cut_a_code() {
        let mut framing = Framing::default();
        assert_eq!(framing.handle(b"LP1:C", at(0)), []);
        assert_eq!(framing.handle(b"AB-1\r", at(500)), [code("LP1:CAB-1")]);
    }

    #[test]
    fn an_acknowledgement_before_the_text_is_no_part_of_it() {
        let mut framing = Framing::default();
        assert_eq!(framing.handle(&ACKNOWLEDGEMENT, at(0)), []);
        assert_eq!(framing.tick(at(1000)), None, "alone it is nothing");
        assert_eq!(framing.handle(b"12345678\r", at(1000)), [code("12345678")]);
        assert_eq!(
            framing.handle(&[&ACKNOWLEDGEMENT[..], b"31\r"].concat(), at(2000)),
            [code("31")]
        );
        assert_eq!(framing.handle(b"\x02\x00\x00\x01A\r", at(3000)), [code("A")]);
    }

    #[test]
    fn what_is_too_long_or_unprintable_is_said_to_be_unreadable() {
        let mut framing = Framing::default();
        assert_eq!(framing.handle(&[b'x'; CODE_MAX], at(0)), []);
        assert_eq!(framing.handle(b"\r", at(1)), [code(&"x".repeat(CODE_MAX))]);
        assert_eq!(framing.handle(&[b'x'; CODE_MAX + 1], at(2)), []);
        assert_eq!(framing.handle(b"\r", at(3)), [Scan::Unreadable]);
        assert_eq!(framing.handle(&[0xFF, 0xFE, b'\r'], at(4)), [Scan::Unreadable]);
        assert_eq!(framing.handle("A\u{e9}B\r".as_bytes(), at(5)), [code("AB")]);
        assert_eq!(framing.handle(b"\r\n\r\n", at(6)), []);
    }

    proptest! {
        #[test]
        fn noise_never_panics_and_codes_are_short_and_printable(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..300), 0_u64..120), 0..20),
        ) {
            let (mut framing, mut now) = (Framing::new(Ending::Silence), 0);
            for (bytes, wait) in pieces {
                now += wait;
                for scan in framing.handle(&bytes, at(now)) {
                    if let Scan::Code(text) = scan {
                        prop_assert!(!text.is_empty() && text.len() <= CODE_MAX);
                        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                    }
                }
            }
            let _ = framing.tick(at(now + Ending::Silence.idle_ms()));
            prop_assert_eq!(framing.next_deadline(), None);
        }

        #[test]
        fn however_it_is_cut_the_code_is_the_same(text in "[ -~]{1,200}", cut in 0_usize..200) {
            let mut framing = Framing::default();
            let bytes = format!("{text}\r").into_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut scans = framing.handle(first, at(0));
            scans.extend(framing.handle(second, at(10)));
            prop_assert_eq!(scans, [code(&text)]);
        }
    }
}
