//! Pickup codes: drawn, hashed under the cabinet's own key, compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use office_protocol::event::{CodeHashes, KeyedHash};
use office_protocol::{CabinetId, Digest, PickupCode, SigningKey};
use rand_core::Rng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::limits::{CODE_DIGITS, SPARE_DIGITS};

/// What every pickup code's QR text begins with.
pub(super) const PREFIX: &str = "LP1:";

/// Crockford's base 32: QR alphanumeric mode, no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 26 letters of 5 bits hold 128.
const TOKEN_LETTERS: usize = 26;

/// The key that codes are hashed under; never leaves the cabinet. No `Debug`, wiped on drop.
pub(super) struct CodeKey(Zeroizing<[u8; 32]>);

impl CodeKey {
    /// Derived from the cabinet's identity, so that there is one secret to keep.
    pub(super) fn derive(identity: &SigningKey) -> Self {
        Self(Zeroizing::new(mac(&identity.secret(), "locker/v1 code key", "")))
    }

    /// The keyed hash of a text of one kind (token, digits, spare, second factor, …).
    pub(super) fn hash(&self, kind: &str, text: &str) -> KeyedHash {
        let full = mac(&self.0, kind, text);
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        KeyedHash(short)
    }

    /// The hashes of one code.
    pub(super) fn hashes(&self, code: &PickupCode) -> CodeHashes {
        CodeHashes {
            token: self.hash("token", &code.qr),
            digits: self.hash("digits", &code.digits),
            spare: self.hash("spare", &format!("{}{}", code.digits, code.spare)),
        }
    }
}

fn mac(key: &[u8; 32], kind: &str, text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(kind.as_bytes());
    mac.update(b"\0");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub fn same(a: &KeyedHash, b: &KeyedHash) -> bool {
    a.0.ct_eq(&b.0).into()
}

/// [`same`], for a badge's digest: whoever learnt where it differs could try badges elsewhere.
pub(super) fn same_digest(a: &Digest, b: &Digest) -> bool {
    a.0.ct_eq(&b.0).into()
}

/// The first that fits. All are looked at, wherever that one is, so that the time does not tell.
pub(super) fn find_among_all<T>(all: impl IntoIterator<Item = T>, fits: impl Fn(&T) -> bool) -> Option<T> {
    all.into_iter().fold(None, |found, one| {
        let fits = fits(&one);
        found.or(fits.then_some(one))
    })
}

/// Draws a code whose digits differ from all of `taken`.
pub(super) fn draw(
    cabinet: &CabinetId,
    key: &CodeKey,
    taken: &[KeyedHash],
    dice: &mut impl Rng,
) -> PickupCode {
    let token: String = (0..TOKEN_LETTERS)
        .map(|_| char::from(ALPHABET[(dice.next_u32() >> 27) as usize]))
        .collect();
    let digits = loop {
        let digits = draw_digits(CODE_DIGITS, dice);
        let hash = key.hash("digits", &digits);
        if !taken.iter().any(|other| same(other, &hash)) {
            break digits;
        }
    };
    PickupCode {
        qr: format!("{PREFIX}{cabinet}:{token}"),
        digits,
        spare: draw_digits(SPARE_DIGITS, dice),
    }
}

/// So many decimal digits, each equally likely.
pub(super) fn draw_digits(count: usize, dice: &mut impl Rng) -> String {
    let digit = |dice: &mut dyn Rng| loop {
        let nibble = dice.next_u32() >> 28;
        if let Some(digit) = char::from_digit(nibble, 10) {
            break digit;
        }
    };
    (0..count).map(|_| digit(dice)).collect()
}

/// The cabinet that a scanned pickup code names; none when the text is no pickup code.
pub(super) fn cabinet_of(text: &str) -> Option<CabinetId> {
    let (cabinet, token) = text.strip_prefix(PREFIX)?.split_once(':')?;
    let shaped = token.len() == TOKEN_LETTERS && token.bytes().fold(true, |all, byte| all & is_letter(byte));
    cabinet.parse().ok().filter(|_| shaped)
}

/// Whether it is of the alphabet, in a time that does not tell which.
fn is_letter(byte: u8) -> bool {
    let left_out = (byte == b'I') | (byte == b'L') | (byte == b'O') | (byte == b'U');
    byte.is_ascii_digit() | (byte.is_ascii_uppercase() & !left_out)
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::Dice;
    use super::*;
    use std::cell::Cell;

    fn key() -> CodeKey {
        CodeKey::derive(&SigningKey::from_secret(&[1; 32]))
    }

    #[test]
    fn a_drawn_code_names_its_cabinet_and_has_digits() {
        let cabinet: CabinetId = "PORT-7".parse().expect("an id");
        let code = draw(&cabinet, &key(), &[], &mut Dice::new([7; 32]).generator());
        assert_eq!(cabinet_of(&code.qr), Some(cabinet));
        assert_eq!((code.digits.len(), code.spare.len()), (8, 4));
        assert!(code.digits.bytes().all(|digit| digit.is_ascii_digit()));
    }

    #[test]
    fn the_letters_of_the_alphabet_are_its_letters() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_letter(byte), ALPHABET.contains(&byte), "{byte}");
        }
    }

    #[test]
    fn every_one_is_looked_at_wherever_the_one_that_fits_is() {
        for wanted in [0, 1, 99, 100] {
            let looked = Cell::new(0);
            let found = find_among_all(0..100, |one| {
                looked.set(looked.get() + 1);
                *one == wanted
            });
            assert_eq!((found, looked.get()), ((wanted < 100).then_some(wanted), 100));
        }
    }

    #[test]
    fn digits_that_are_taken_are_drawn_again() {
        let cabinet: CabinetId = "PORT-7".parse().expect("an id");
        let first = draw(&cabinet, &key(), &[], &mut Dice::new([7; 32]).generator());
        let taken = [key().hash("digits", &first.digits)];
        let second = draw(&cabinet, &key(), &taken, &mut Dice::new([7; 32]).generator());
        assert_ne!(first.digits, second.digits);
    }
}
