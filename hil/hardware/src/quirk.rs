//! What real boards say otherwise than most of their family: byte for byte as on the wire, and not by the codec that the controller has
//! as well, where both ends could share one mistake (pure).

use std::time::Duration;

use firmware_protocol::{Channel, Family};

use crate::board::{Owed, SimulatedBoard};

/// The longest request that a quirk answers.
const REQUEST_MAX: usize = 16;

/// One way to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// 8A/80 and WKLY: pulses nothing, and says to an unlock that the lock did not open.
    Refusing,
    /// Dingchang: names the lock in its answer to an unlock, and says nothing of its door.
    Terse,
    /// KERONG CU24: three bytes of states where a CU48 has six.
    Short,
    /// Modbus: answers what it has not with an exception, as the specification of Modbus wants it.
    Exceptional,
    /// Modbus: its relays have failed, and it says so to whoever wants one pulsed.
    Failing,
}

/// What a quirk makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    bytes: Vec<u8>,
    /// The lock that is pulsed all the same.
    pulses: Option<Channel>,
}

/// The board that has it.
#[derive(Clone, Copy, Debug)]
struct Place {
    family: Family,
    address: u8,
    locks: u8,
    /// What its sensors say: bit 0 is lock 1.
    closed: u64,
}

/// The last bytes of what a board has heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Vec<u8>);

impl Heard {
    fn push(&mut self, byte: u8) {
        if self.0.len() == REQUEST_MAX {
            self.0.remove(0);
        }
        self.0.push(byte);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What is said to the request that ends with the last byte; none if it is none, or one that the board treats as any other does.
    fn answer(&self, quirk: Quirk, place: Place) -> Option<Said> {
        (0..self.0.len()).find_map(|start| quirk.answer(&self.0[start..], place))
    }
}

impl SimulatedBoard {
    /// Whether these bytes end a request that it treats otherwise than its family.
    pub(crate) fn is_quirky(&mut self, bytes: &[u8], now: Duration) -> bool {
        let Some(quirk) = self.settings.quirk else {
            return false;
        };
        let mut quirky = false;
        for byte in bytes {
            let place = Place {
                family: self.settings.family,
                address: self.settings.address.0,
                locks: self.settings.channels,
                closed: !self.doors().open & Channel::bits(self.settings.channels),
            };
            self.heard_raw.push(*byte);
            if let Some(Said { bytes, pulses }) = self.heard_raw.answer(quirk, place) {
                self.heard_raw.clear();
                if let Some(channel) = pulses {
                    self.drive(channel, now);
                }
                self.owe(now + self.settings.reply, Owed::Bytes(bytes));
                quirky = true;
            }
        }
        quirky
    }
}

impl Quirk {
    /// Each with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("refusing", Self::Refusing),
        ("terse", Self::Terse),
        ("short", Self::Short),
        ("exceptional", Self::Exceptional),
        ("failing", Self::Failing),
    ];

    /// The families whose boards can be so.
    #[must_use]
    pub const fn families(self) -> &'static [Family] {
        match self {
            Self::Refusing => &[Family::Shuoming, Family::Kecheng, Family::Wkly],
            Self::Terse => &[Family::Dingchang12, Family::Dingchang24],
            Self::Short => &[Family::Cu48],
            Self::Exceptional | Self::Failing => &[Family::ModbusRelay],
        }
    }

    fn answer(self, request: &[u8], place: Place) -> Option<Said> {
        let here = place.address;
        let says = |bytes: Vec<u8>| Some(Said { bytes, pulses: None });
        match (self, request) {
            // The state of a locked lock: to some firmware that is the request, word for word.
            (Self::Refusing, [0x8A, to, lock @ 1..=u8::MAX, function, _])
                if *to == here && ends_in(request, xor) && *function == unlocks(place.family) =>
            {
                says(with(xor, vec![0x8A, here, *lock, 0x11]))
            }
            (Self::Refusing, [b'W', b'K', b'L', b'Y', 9, to, 0x82, lock, _])
                if *to == here && ends_in(request, xor) =>
            {
                let failed = [b'W', b'K', b'L', b'Y', 11, here, 0x82, 0xFF, *lock, 0x01];
                says(with(xor, failed.to_vec()))
            }
            (Self::Terse, [0xDC, 0x02, to, 0x10, 0x01, lock, last])
                if *to == here && sum(&request[2..6]) == *last && *lock <= place.locks =>
            {
                let named = with(sum, vec![here, 0x10, 0x01, *lock]);
                Some(Said {
                    bytes: [&[0xDC, 0xFE], &named[..]].concat(),
                    pulses: Channel::new(*lock),
                })
            }
            (Self::Short, [0x02, to, 0x00, 0x50, 0x03, _]) if *to == here && ends_in(request, sum) => {
                let [first, second, third, ..] = place.closed.to_le_bytes();
                let states = [0x02, here, 0x00, 0x65, first, second, third, 0x03];
                says(with(sum, states.to_vec()))
            }
            (Self::Exceptional | Self::Failing, [to, function, rest @ .., _, _])
                if *to == here && rest.len() == 4 && crc(request) == 0 =>
            {
                let code = if self == Self::Failing {
                    (*function == 0x05 && rest[0] == 0x02).then_some(0x04)?
                } else {
                    exception(*function, rest, place.locks)?
                };
                let mut bytes = vec![here, *function | 0x80, code];
                bytes.extend(crc(&bytes).to_le_bytes());
                says(bytes)
            }
            _ => None,
        }
    }
}

/// What unlocks, in this dialect of 8A/80.
fn unlocks(family: Family) -> u8 {
    if family == Family::Kecheng { 0x33 } else { 0x11 }
}

/// Why a board of so many relays and inputs does not obey: 1 no such function, 2 no such address, 3 no such value.
fn exception(function: u8, rest: &[u8], locks: u8) -> Option<u8> {
    match (function, rest) {
        (0x02, [high, low, _, count]) => {
            let last = u16::from_be_bytes([*high, *low]) + u16::from(*count);
            (last > u16::from(locks)).then_some(0x02)
        }
        (0x05, [0x00, 0xFF, ..]) => None,
        (0x05, [0x02, relay, high, low]) => {
            if *relay >= locks {
                Some(0x02)
            } else {
                (u16::from_be_bytes([*high, *low]) == 0).then_some(0x03)
            }
        }
        (0x05, _) => Some(0x02),
        _ => Some(0x01),
    }
}

fn with(check: fn(&[u8]) -> u8, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(check(&bytes));
    bytes
}

fn ends_in(frame: &[u8], check: fn(&[u8]) -> u8) -> bool {
    frame
        .split_last()
        .is_some_and(|(last, before)| check(before) == *last)
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |all, byte| all ^ byte)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |all, byte| all.wrapping_add(*byte))
}

/// The specification's CRC, as the remainder of a division of the bits that go over the wire.
fn crc(bytes: &[u8]) -> u16 {
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |place| byte >> place & 1));
    bits.fold(0xFFFF, |rest, bit| {
        let divides = (rest ^ u16::from(bit)) & 1 == 1;
        if divides { rest >> 1 ^ 0xA001 } else { rest >> 1 }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let bytes = text.split(' ').map(|byte| u8::from_str_radix(byte, 16));
        bytes.collect::<Result<_, _>>().unwrap()
    }

    /// Address 1, eight locks, all closed but the second.
    fn said(quirk: Quirk, family: Family, request: &str) -> Option<Said> {
        let place = Place {
            family,
            address: 1,
            locks: 8,
            closed: 0b1111_1101,
        };
        let mut heard = Heard::default();
        // What came before is none of it.
        for byte in hex(&format!("02 57 01 {request}")) {
            heard.push(byte);
        }
        heard.answer(quirk, place)
    }

    #[test]
    fn the_bytes_are_those_of_the_documents() {
        for (quirk, family, request, answer, pulses) in [
            (
                Quirk::Refusing,
                Family::Shuoming,
                "8A 01 01 11 9B",
                "8A 01 01 11 9B",
                None,
            ),
            (
                Quirk::Refusing,
                Family::Kecheng,
                "8A 01 01 33 B9",
                "8A 01 01 11 9B",
                None,
            ),
            (
                Quirk::Refusing,
                Family::Wkly,
                "57 4B 4C 59 09 01 82 01 82",
                "57 4B 4C 59 0B 01 82 FF 01 01 7E",
                None,
            ),
            (
                Quirk::Terse,
                Family::Dingchang12,
                "DC 02 01 10 01 01 13",
                "DC FE 01 10 01 01 13",
                Channel::new(1),
            ),
            (
                Quirk::Short,
                Family::Cu48,
                "02 01 00 50 03 56",
                "02 01 00 65 FD 00 00 03 68",
                None,
            ),
            (
                Quirk::Exceptional,
                Family::ModbusRelay,
                "01 02 00 00 00 10 79 C6",
                "01 82 02 C1 61",
                None,
            ),
            (
                Quirk::Exceptional,
                Family::ModbusRelay,
                "01 05 02 08 00 07 0C 72",
                "01 85 02 C3 51",
                None,
            ),
            (
                Quirk::Failing,
                Family::ModbusRelay,
                "01 05 02 00 00 07 8D B0",
                "01 85 04 43 53",
                None,
            ),
        ] {
            let said =
                said(quirk, family, request).unwrap_or_else(|| panic!("{quirk:?} says nothing to {request}"));
            assert_eq!((said.bytes, said.pulses), (hex(answer), pulses), "{quirk:?}");
        }
    }

    #[test]
    fn what_the_board_does_as_any_other_is_left_to_it() {
        for (quirk, family, request) in [
            (Quirk::Refusing, Family::Shuoming, "80 01 01 33 B3"),
            (Quirk::Refusing, Family::Shuoming, "8A 01 01 11 9C"),
            (Quirk::Refusing, Family::Shuoming, "8A 02 01 11 98"),
            (Quirk::Exceptional, Family::ModbusRelay, "01 02 00 00 00 08 79 CC"),
            (Quirk::Exceptional, Family::ModbusRelay, "01 05 00 FF 00 00 FD FA"),
            (Quirk::Exceptional, Family::ModbusRelay, "01 05 02 00 00 07 8D B0"),
            (Quirk::Failing, Family::ModbusRelay, "01 05 00 FF 00 00 FD FA"),
        ] {
            assert_eq!(said(quirk, family, request), None, "{quirk:?} {request}");
        }
    }
}
