//! What a family of boards is, and the one list of them.

use core::fmt;

use crate::accumulator::Scan;
use crate::dingchang::{Dingchang, Ways};
use crate::dongcheng::Dongcheng;
use crate::eighty_a::{Dialect, EightyA};
use crate::frame::Frame;
use crate::kerong_cu16::Cu16;
use crate::kerong_cu48::{Cu48, Model};
use crate::modbus_relay::ModbusRelay;
use crate::secure::Secure;
use crate::winnsen::Winnsen;
use crate::wkly::Wkly;
use crate::words::{Answer, Board, Channel, Command, Request};

/// What a family prescribes: constants of its documents, never of one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The usual speed of the line, where a document names one; 8 data bits, no parity, one stop bit.
    pub baud: Option<u32>,
    /// The lowest and highest board address.
    pub boards: (u8, u8),
    /// The most locks that one board may have.
    pub channels_max: u8,
    /// How soon a board usually begins to answer a read, in milliseconds.
    pub reply_typical_ms: u16,
    /// When to give up waiting for a read, in milliseconds.
    pub reply_limit_ms: u16,
    /// How soon a board usually begins to answer an unlock, in milliseconds.
    pub unlock_typical_ms: u16,
    /// When to give up waiting for an unlock: some boards answer only after the pulse. In milliseconds.
    pub unlock_limit_ms: u16,
    /// Silence inside a frame after which it is over, in milliseconds.
    pub silence_ms: u16,
    /// Silence that must be kept before each request, in tenths of a byte's time at the line's speed.
    pub gap_tenths: u16,
    /// The least of that silence, in microseconds.
    pub gap_min_us: u32,
    /// How long an unlock's request is, in bytes: the board obeys when the last of them has passed.
    pub unlock_bytes: u8,
    /// How long the board drives a solenoid for one unlock, in milliseconds.
    pub pulse_ms: u16,
    /// Whether an unlock is answered at all.
    pub unlock_answer: UnlockAnswer,
    /// Whether one door can be read by itself; otherwise reads are packed ones.
    pub reads_one: bool,
    /// Whether all doors can be read at once; otherwise they are read one by one.
    pub reads_all: bool,
    /// Whether the packed answer tells an unconnected sensor from a closed door.
    pub packed_unknown: bool,
    /// Whether boards may speak unasked when a door changes.
    pub reports: bool,
    /// Whether the board has item sensors.
    pub items: bool,
    /// Whether it tells of its case's contact and of shocks.
    pub tamper: bool,
    /// Whether it tells mains from battery.
    pub power: bool,
    /// Whether outputs may have been left on, so that [`crate::Command::AllOff`] is sent once at first.
    pub left_on: bool,
    /// Whether commands are authenticated: no vendor's are.
    pub protected: bool,
}

impl Profile {
    /// The silence that must be kept before each request on a line of this speed, in microseconds.
    #[must_use]
    pub const fn gap_us(&self, baud: u32) -> u64 {
        let baud = if baud == 0 { 1 } else { baud as u64 };
        let gap = (self.gap_tenths as u64 * 1_000_000).div_ceil(baud);
        if gap < self.gap_min_us as u64 {
            self.gap_min_us as u64
        } else {
            gap
        }
    }

    /// What holds where a family's documents say nothing else: silences and patience as the 8A/80 family's
    /// document has them, both reads, an answer to each unlock, nothing beside doors.
    pub(crate) const PLAIN: Self = Self {
        baud: Some(9600),
        boards: (1, 32),
        channels_max: Channel::MAX,
        reply_typical_ms: 200,
        reply_limit_ms: 1000,
        unlock_typical_ms: 100,
        unlock_limit_ms: 1000,
        silence_ms: 25,
        gap_tenths: 0,
        gap_min_us: 0,
        unlock_bytes: 5,
        pulse_ms: 500,
        unlock_answer: UnlockAnswer::Always,
        reads_one: true,
        reads_all: true,
        packed_unknown: false,
        reports: false,
        items: false,
        tamper: false,
        power: false,
        left_on: false,
        protected: false,
    };
}

/// Whether boards of a family answer an unlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockAnswer {
    /// Each one: silence is a fault.
    Always,
    /// Some firmware does, some does not: silence says nothing.
    Sometimes,
    /// None: nothing is waited for.
    Never,
}

/// A board of which one side of a dialogue speaks: its own address and how many locks it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Its address.
    pub board: Board,
    /// How many locks it has.
    pub channels: u8,
}

/// The family has no frame for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this family of boards has no frame for that; use what its profile offers")
    }
}

impl core::error::Error for Unsupported {}

/// Both ends of one family's wire.
///
/// A value serves one line with all its boards, so that a family with sessions and counters can keep them;
/// `&mut self` is for these.
pub trait Codec {
    /// What the family prescribes.
    fn profile(&self) -> Profile;

    /// Controller: what has to be exchanged with this board before anything else, if the family has sessions.
    /// `silent_ms` is how long the board has not answered: it may have let its session go.
    fn owes(&self, _board: Board, _silent_ms: u64) -> Option<Command> {
        None
    }

    /// Controller: appends the request's bytes to an empty frame.
    ///
    /// # Errors
    /// The family has no frame for this command.
    fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported>;

    /// Controller: the longest answer to `request`, in bytes; 0 when it is not answered.
    fn answer_length(&self, request: &Request) -> usize;

    /// Controller: what begins at the first byte. `expecting` is the request that is open, if any: where
    /// lengths or meanings depend on it, the answer that fits it wins. `ended` is as in
    /// [`crate::Accumulator::next`].
    fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, ended: bool) -> Scan<Answer>;

    /// Board: what begins at the first byte; requests to other boards are returned too.
    fn scan_request(&mut self, bytes: &[u8], station: Station, ended: bool) -> Scan<Request>;

    /// Board: appends the answer's bytes to an empty frame.
    ///
    /// # Errors
    /// The family has no frame for this.
    fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported>;
}

/// How many channels of an answer that tells of `has` count: those that were asked for. An answer that tells of
/// fewer keeps its own number, and so does not answer.
pub(crate) fn covered(expecting: Option<&Request>, board: Board, has: u8) -> u8 {
    match expecting {
        Some(Request {
            board: asked,
            command: Command::ReadAll { channels },
            ..
        }) if *asked == board && *channels <= has => *channels,
        Some(_) | None => has,
    }
}

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $codec:ty, $new:expr;)+) => {
        /// Every family, by the name that settings use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Family { $($(#[$doc])* $variant,)+ }

        impl Family {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in settings.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The family with this name in settings.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|family| family.name() == name)
            }

            /// A codec for one line of such boards.
            #[must_use]
            pub const fn codec(self) -> AnyCodec {
                match self { $(Self::$variant => AnyCodec::$variant($new),)+ }
            }

            /// What the family prescribes.
            #[must_use]
            pub fn profile(self) -> Profile {
                self.codec().profile()
            }
        }

        /// The codec of any family, without allocation: as large as the one that remembers most.
        #[derive(Clone, Debug)]
        #[expect(clippy::large_enum_variant, reason = "a controller has a few of them, and nothing to allocate with")]
        pub enum AnyCodec { $($(#[$doc])* $variant($codec),)+ }

        impl Codec for AnyCodec {
            fn profile(&self) -> Profile {
                match self { $(Self::$variant(codec) => codec.profile(),)+ }
            }

            fn owes(&self, board: Board, silent_ms: u64) -> Option<Command> {
                match self { $(Self::$variant(codec) => codec.owes(board, silent_ms),)+ }
            }

            fn encode_request(&mut self, request: &Request, frame: &mut Frame) -> Result<(), Unsupported> {
                match self { $(Self::$variant(codec) => codec.encode_request(request, frame),)+ }
            }

            fn answer_length(&self, request: &Request) -> usize {
                match self { $(Self::$variant(codec) => codec.answer_length(request),)+ }
            }

            fn scan_answer(&mut self, bytes: &[u8], expecting: Option<&Request>, ended: bool) -> Scan<Answer> {
                match self { $(Self::$variant(codec) => codec.scan_answer(bytes, expecting, ended),)+ }
            }

            fn scan_request(&mut self, bytes: &[u8], station: Station, ended: bool) -> Scan<Request> {
                match self { $(Self::$variant(codec) => codec.scan_request(bytes, station, ended),)+ }
            }

            fn encode_answer(&mut self, answer: &Answer, frame: &mut Frame) -> Result<(), Unsupported> {
                match self { $(Self::$variant(codec) => codec.encode_answer(answer, frame),)+ }
            }
        }
    };
}

families! {
    /// 8A/80, Shuoming: unlock function 11, reports 82.
    Shuoming, "8a80-shuoming", EightyA, EightyA::new(Dialect::Shuoming);
    /// 8A/80, Kecheng: unlock function 33, reports 81 that can be turned off, version query 82.
    Kecheng, "8a80-kecheng", EightyA, EightyA::new(Dialect::Kecheng);
    /// WKLY: Yunchuan and others.
    Wkly, "wkly", Wkly, Wkly;
    /// KERONG CU16 and CU12.
    Cu16, "kerong-cu16", Cu16, Cu16;
    /// KERONG CU48 and CU24.
    Cu48, "kerong-cu48", Cu48, Cu48::new(Model::Cu48);
    /// KERONG CU48B: other command bytes.
    Cu48b, "kerong-cu48b", Cu48, Cu48::new(Model::Cu48b);
    /// Dingchang DC, 12 locks.
    Dingchang12, "dingchang-12", Dingchang, Dingchang::new(Ways::Twelve);
    /// Dingchang DC, 24 locks.
    Dingchang24, "dingchang-24", Dingchang, Dingchang::new(Ways::TwentyFour);
    /// Winnsen.
    Winnsen, "winnsen", Winnsen, Winnsen;
    /// Dongcheng, in postal cabinets.
    Dongcheng, "dongcheng", Dongcheng, Dongcheng;
    /// Modbus RTU boards of relays and inputs.
    ModbusRelay, "modbus-relay", ModbusRelay, ModbusRelay;
    /// Our own, the only one that is authenticated. It needs a key for each board.
    LockerdSecure, "lockerd-secure", Secure, Secure::new();
}

impl AnyCodec {
    /// The family's own end, for its keys, dice and button; none for families without.
    pub const fn secure(&mut self) -> Option<&mut Secure> {
        if let Self::LockerdSecure(secure) = self {
            Some(secure)
        } else {
            None
        }
    }
}
