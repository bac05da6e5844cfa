//! What a receiver at another speed makes of the bytes on a wire (pure).

/// Bits that a byte takes on the wire: one to start, eight with the lowest first, one to stop.
const BITS: u64 = 10;

/// What a receiver at `to` baud reads while these bytes pass at `from` baud, one behind the other, with the line at rest before and
/// after. It looks at the middle of each bit, and hands on bytes whose stop bit is missing, as most do.
#[must_use]
pub fn heard(bytes: &[u8], from: u32, to: u32) -> Vec<u8> {
    // Time counts in halves of 1 / (from × to) seconds, so that the middle of each bit is a whole number.
    let wire = Wire {
        bytes,
        bit: 2 * u64::from(to.max(1)),
    };
    let (half, bit) = (u64::from(from.max(1)), 2 * u64::from(from.max(1)));
    let mut heard = Vec::new();
    let mut next = wire.next(false, 0);
    while let Some(start) = next {
        let middle = |number: u64| start + number * bit + half;
        let byte = (1..=8).rev().fold(0, |byte, number| {
            byte << 1 | u8::from(wire.is_at_rest(middle(number)))
        });
        heard.push(byte);
        let rest = wire.next(true, middle(BITS - 1));
        next = rest.and_then(|rest| wire.next(false, rest));
    }
    heard
}

struct Wire<'a> {
    bytes: &'a [u8],
    /// How long one bit takes.
    bit: u64,
}

impl Wire<'_> {
    fn is_at_rest(&self, time: u64) -> bool {
        let bit = time / self.bit;
        let byte = usize::try_from(bit / BITS).ok().and_then(|at| self.bytes.get(at));
        match (byte, bit % BITS) {
            (None, _) | (_, 9) => true,
            (_, 0) => false,
            (Some(byte), number) => byte >> (number - 1) & 1 == 1,
        }
    }

    /// When the line is at rest, or not, from this time on; none if never again.
    fn next(&self, rest: bool, from: u64) -> Option<u64> {
        if self.is_at_rest(from) == rest {
            let ended = from >= self.bytes.len() as u64 * BITS * self.bit;
            return (!ended).then_some(from);
        }
        let bits = from / self.bit + 1..self.bytes.len() as u64 * BITS;
        bits.map(|bit| bit * self.bit)
            .find(|time| self.is_at_rest(*time) == rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_same_speed_everything_is_heard_as_it_is() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(heard(&all, 9_600, 9_600), all);
        assert_eq!(heard(&[], 9_600, 19_200), []);
    }

    #[test]
    fn at_twice_the_speed_each_bit_is_heard_twice() {
        // 55 is 0 10101010 1 on the wire, lowest bit first.
        assert_eq!(heard(&[0x55], 9_600, 19_200), [0x66, 0xE6]);
        assert_eq!(
            heard(&[0x66], 19_200, 9_600),
            [0xFD],
            "and at half the speed every other one is missed"
        );
    }

    #[test]
    fn a_line_that_stays_low_is_a_zero_and_the_next_byte_begins_after_it() {
        assert_eq!(heard(&[0x00, 0xFF], 2_400, 9_600), [0x00, 0xF8]);
        for (from, to) in [(115_200, 2_400), (2_400, 115_200), (57_600, 38_400)] {
            let bytes = [0x8A, 0x01, 0x01, 0x11, 0x9B];
            assert_ne!(heard(&bytes, from, to), bytes, "{from} {to}");
        }
    }
}
