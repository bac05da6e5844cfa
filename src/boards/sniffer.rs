//! Understands what others say on a bus: requests, answers and what is neither, of one family or of the one that explains most (pure).
//!
//! Bytes are judged when the line falls silent, or when more have come than any exchange has. A family's codec is asked at each
//! byte; the family that leaves the fewest bytes over is taken to be the one that is spoken, and stays it while another is not
//! better. Which dialect of a family it is cannot always be told from the wire: equals are decided by their order.

use firmware_protocol::secure::{self, Seen};
use firmware_protocol::{Answer, AnyCodec, Board, Codec, Command, FRAME_MAX, Family, Request, Scan, Station};

use crate::cabinet::vocabulary::Monotonic;

/// A silence that ends what was said, in milliseconds.
const SILENCE_MS: u64 = 25;
/// How many bytes are judged at once where no silence comes.
const BURST_MAX: usize = 4 * FRAME_MAX;
/// The numbers of locks of which boards have packed answers of different lengths.
const SIZES: [u8; 8] = [64, 56, 48, 40, 32, 24, 16, 8];

/// What some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A controller asks.
    Request(Request),
    /// A board answers, or speaks unasked.
    Answer(Answer),
    /// A packet of the secure family: who and what for is in clear, the rest is sealed.
    Sealed(Seen),
    /// A whole frame that means nothing without a request that was not heard.
    Foreign,
    /// No frame of the family.
    Noise,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overheard {
    /// When its last byte came.
    pub at: Monotonic,
    /// In whose words.
    pub family: Family,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it means.
    pub said: Said,
}

/// One family's ear.
#[derive(Clone, Debug)]
struct Ear {
    family: Family,
    codec: AnyCodec,
    asked: Option<Request>,
}

/// Listens to one line.
#[derive(Clone, Debug)]
pub struct Sniffer {
    ears: Vec<Ear>,
    /// Which of them understood the last burst.
    spoken: usize,
    bytes: Vec<u8>,
    times: Vec<Monotonic>,
}

impl Sniffer {
    /// Listens for these families.
    #[must_use]
    pub fn new(families: &[Family]) -> Self {
        let ear = |family: &Family| Ear {
            family: *family,
            codec: family.codec(),
            asked: None,
        };
        Self {
            ears: families.iter().map(ear).collect(),
            spoken: 0,
            bytes: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Takes bytes (none: only time has passed) and says what they were, as far as that is clear.
    pub fn handle(&mut self, bytes: &[u8], now: Monotonic) -> Vec<Overheard> {
        let silent = self.next_deadline().is_some_and(|at| at <= now);
        let mut heard = if silent { self.judge() } else { Vec::new() };
        for part in bytes.chunks(BURST_MAX) {
            self.bytes.extend_from_slice(part);
            self.times.resize(self.bytes.len(), now);
            if self.bytes.len() >= BURST_MAX {
                heard.extend(self.judge());
            }
        }
        heard
    }

    /// When the silence is long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.times.last().map(|at| at.plus_millis(SILENCE_MS))
    }

    fn judge(&mut self) -> Vec<Overheard> {
        let bytes = std::mem::take(&mut self.bytes);
        let times = std::mem::take(&mut self.times);
        let mut best: Option<(usize, usize, Vec<Overheard>)> = None;
        let order =
            std::iter::once(self.spoken).chain((0..self.ears.len()).filter(|ear| *ear != self.spoken));
        for index in order.collect::<Vec<_>>() {
            let Some(ear) = self.ears.get_mut(index) else {
                continue;
            };
            let heard = ear.understand(&bytes, &times);
            let understood = heard.iter().filter(|heard| heard.said != Said::Noise);
            let score = understood.map(|heard| heard.bytes.len()).sum();
            if best.as_ref().is_none_or(|(_, most, _)| score > *most) {
                best = Some((index, score, heard));
            }
        }
        best.map_or_else(Vec::new, |(index, _, heard)| {
            self.spoken = index;
            heard
        })
    }
}

impl Ear {
    fn understand(&mut self, bytes: &[u8], times: &[Monotonic]) -> Vec<Overheard> {
        let mut heard: Vec<Overheard> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let (said, length) = self.first(&bytes[at..]);
            let end = (at + length).min(bytes.len());
            match heard.last_mut() {
                Some(last) if said == Said::Noise && last.said == Said::Noise => {
                    last.bytes.extend_from_slice(&bytes[at..end]);
                    last.at = times[end - 1];
                }
                _ => heard.push(Overheard {
                    at: times[end - 1],
                    family: self.family,
                    bytes: bytes[at..end].to_vec(),
                    said,
                }),
            }
            at = end;
        }
        heard
    }

    /// What begins at the first byte: the answer that is awaited, or else a request, or else any answer.
    fn first(&mut self, bytes: &[u8]) -> (Said, usize) {
        if self.codec.profile().protected {
            return match secure::see(bytes, true) {
                Scan::Frame { length, content } => (Said::Sealed(content), length),
                Scan::Rubbish { length } => (Said::Noise, length.max(1)),
                Scan::Foreign { .. } | Scan::Incomplete | Scan::Noise => (Said::Noise, 1),
            };
        }
        if let Some((answer, length)) = self.expected(bytes) {
            self.asked = None;
            return (Said::Answer(answer), length);
        }
        let station = Station {
            board: Board(0),
            channels: self.codec.profile().channels_max,
        };
        if let Scan::Frame { length, content } = self.codec.scan_request(bytes, station, true) {
            self.asked = Some(content);
            return (Said::Request(content), length);
        }
        match self.codec.scan_answer(bytes, None, true) {
            Scan::Frame { length, content } => (Said::Answer(content), length),
            Scan::Foreign { length } => (Said::Foreign, length),
            Scan::Rubbish { length } => (Said::Noise, length.max(1)),
            Scan::Incomplete | Scan::Noise => (Said::Noise, 1),
        }
    }

    /// The answer to the last request. How many locks the board has is not known: any number may fit.
    fn expected(&mut self, bytes: &[u8]) -> Option<(Answer, usize)> {
        let asked = self.asked?;
        let whole = matches!(asked.command, Command::ReadAll { .. });
        let sizes = if whole { &SIZES[..] } else { &SIZES[..1] };
        sizes.iter().find_map(|size| {
            let mut request = asked;
            if whole {
                request.command = Command::ReadAll { channels: *size };
            }
            match self.codec.scan_answer(bytes, Some(&request), true) {
                Scan::Frame { length, content } if content.answers(&request) => Some((content, length)),
                Scan::Frame { .. }
                | Scan::Foreign { .. }
                | Scan::Rubbish { .. }
                | Scan::Incomplete
                | Scan::Noise => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use firmware_protocol::{Channel, Content, DoorReading, Frame};

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    fn said(heard: &[Overheard]) -> Vec<(&'static str, Said, u64)> {
        heard
            .iter()
            .map(|heard| (heard.family.name(), heard.said, heard.at.as_millis()))
            .collect()
    }

    #[test]
    fn requests_and_answers_of_every_family_are_told_apart_and_the_family_is_found() {
        let plain = Family::ALL.iter().filter(|family| !family.profile().protected);
        for family in plain {
            let profile = family.profile();
            let channel = Channel::new(2).unwrap();
            let command = if profile.reads_all {
                Command::ReadAll { channels: 8 }
            } else {
                Command::ReadDoor(channel)
            };
            let request = Request {
                board: Board(3),
                sequence: 0,
                command,
            };
            let content = if profile.reads_all {
                Content::State(firmware_protocol::BoardState {
                    channels: 8,
                    doors: firmware_protocol::DoorMap { known: 0xFF, open: 2 },
                    items: profile.items.then_some(0),
                    tampered: profile.tamper.then_some(false),
                    shaken: profile.tamper.then_some(false),
                    mains: profile.power.then_some(true),
                })
            } else {
                Content::Door {
                    channel,
                    door: DoorReading::Open,
                }
            };
            let answer = Answer {
                board: Board(3),
                sequence: 0,
                content,
            };
            let mut codec = family.codec();
            let (mut asks, mut answers) = (Frame::new(), Frame::new());
            codec.encode_request(&request, &mut asks).unwrap();
            codec.encode_answer(&answer, &mut answers).unwrap();
            let plain: Vec<Family> = Family::ALL
                .iter()
                .copied()
                .filter(|family| !family.profile().protected)
                .collect();
            let mut sniffer = Sniffer::new(&plain);
            assert_eq!(sniffer.handle(&asks, at(10)), []);
            assert_eq!(sniffer.handle(&answers, at(20)), []);
            let heard = sniffer.handle(&[], at(45));
            assert_eq!(heard.len(), 2, "{}: {heard:?}", family.name());
            assert!(matches!(heard[0].said, Said::Request(asked) if asked.board == Board(3)));
            assert!(matches!(heard[1].said, Said::Answer(_)), "{heard:?}");
            assert_eq!((heard[0].at, heard[1].at), (at(10), at(20)));
            let maker = |family: &Family| family.name().split('-').next();
            assert_eq!(maker(&heard[0].family), maker(family));
        }
    }

    #[test]
    fn of_the_secure_family_the_headers_are_understood() {
        let hello = [
            0x00, 0x17, 0x05, 0x01, 0x3B, 0xB2, 0x65, 0xA7, 0x50, 0xAD, 0x5D, 0x26, 0xD6, 0x0F, 0xA6, 0x8B,
            0xD9, 0x39, 0x9A, 0x1B, 0x1E, 0x3B, 0xEE, 0x94, 0x00,
        ];
        let refused = [
            0x00, 0x0C, 0x05, 0x82, 0x01, 0x53, 0x45, 0x52, 0x49, 0x41, 0x4C, 0x30, 0x31, 0x00,
        ];
        let mut sniffer = Sniffer::new(&[Family::Shuoming, Family::LockerdSecure]);
        sniffer.handle(&hello, at(0));
        sniffer.handle(&refused, at(5));
        let heard = sniffer.handle(&[], at(100));
        let seen = |kind, serial| {
            Said::Sealed(Seen {
                board: Board(5),
                kind,
                serial,
            })
        };
        let said: Vec<Said> = heard.iter().map(|heard| heard.said).collect();
        assert_eq!(said, [seen("hello", None), seen("refusal", Some(*b"SERIAL01"))]);
    }

    #[test]
    fn an_unlock_and_an_answer_with_the_same_bytes_take_turns_and_noise_is_one_piece() {
        let mut sniffer = Sniffer::new(&[Family::Shuoming]);
        let unlock = [0x8A, 1, 1, 0x11, 0x9B];
        sniffer.handle(&unlock, at(0));
        sniffer.handle(&unlock, at(5));
        sniffer.handle(&[1, 2, 3], at(9));
        let heard = sniffer.handle(&unlock, at(100));
        let kinds: Vec<bool> = heard
            .iter()
            .map(|heard| matches!(heard.said, Said::Request(_)))
            .collect();
        assert_eq!(kinds, [true, false, false]);
        assert_eq!(said(&heard)[2], ("8a80-shuoming", Said::Noise, 9));
        assert_eq!(heard[2].bytes, [1, 2, 3]);
    }

    #[test]
    fn a_line_that_never_falls_silent_is_judged_all_the_same() {
        let mut sniffer = Sniffer::new(Family::ALL);
        let heard = sniffer.handle(&[0xAA; 10_000], at(0));
        let bytes: usize = heard.iter().map(|heard| heard.bytes.len()).sum();
        assert!(bytes >= 10_000 - BURST_MAX);
    }
}
