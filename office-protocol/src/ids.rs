//! Identifiers: every one its own type, checked where it enters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a valid {kind}: {rule}")]
pub struct InvalidId {
    /// Which identifier was wanted.
    pub kind: &'static str,
    /// What a valid one looks like.
    pub rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest one, in bytes.
            pub const LENGTH_MAX: usize = $max;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > Self::LENGTH_MAX || !text.chars().all(allowed) {
                    return Err(InvalidId { kind: $kind, rule: $rule });
                }
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// What an id that people may type or print is made of: no space, no slash, no quote, no wildcard of MQTT.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

text_id!(
    /// One cabinet; a level of every topic, part of every signature and pickup code.
    CabinetId, "cabinet id", 16, "1 to 16 of A-Z, 0-9 and -",
    |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'
);
text_id!(
    /// One consignment. Towards the office the cabinet makes it (`<cabinet>.<seq of the visit>`); towards a citizen it is the label's text.
    ConsignmentId, "consignment id", 40, "1 to 40 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One application (case) of the approval system.
    ApplicationId, "application id", 40, "1 to 40 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One service item of the catalogue.
    ItemCode, "item code", 40, "1 to 40 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One member of staff.
    StaffId, "staff id", 32, "1 to 32 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One recipient, as an opaque number that the office gave; never a name, phone or identity number.
    PersonId, "person id", 40, "1 to 40 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One signing or sealing key.
    KeyId, "key id", 32, "1 to 32 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One pass; what single use and revocation are counted by.
    PassId, "pass id", 32, "1 to 32 of A-Z, a-z, 0-9, - _ . :", plain
);
text_id!(
    /// One serial port, by the name that the settings give it.
    PortName, "port name", 32, "1 to 32 of A-Z, a-z, 0-9, - _ . :", plain
);

macro_rules! number_text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

number_text!(
    /// An event's place in its cabinet's journal, from 1. A decimal string in JSON, because JavaScript loses digits above 2^53.
    Seq, "sequence number", "decimal digits"
);

impl Seq {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// The one after this.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seq {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse()
            .ok()
            .filter(|_| canonical)
            .map(Self)
            .ok_or(InvalidId {
                kind: "sequence number",
                rule: "decimal digits without sign or leading zero",
            })
    }
}

number_text!(
    /// A random value drawn at each start of the daemon: commands and positions are bound to it. 16 hexadecimal digits in JSON.
    Start, "start", "16 hexadecimal digits"
);

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Start {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let shaped = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| shaped)
            .map(Self)
            .ok_or(InvalidId {
                kind: "start",
                rule: "16 lower-case hexadecimal digits",
            })
    }
}

macro_rules! small_number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

small_number!(
    /// One compartment, by the number on its door.
    CompartmentId, u16
);
small_number!(
    /// One lock board, by the number that the settings give it; not its address on the bus.
    BoardId, u16
);
small_number!(
    /// One history of a cabinet in the office's database: 0, and one more for each fork found.
    Branch, u32
);
