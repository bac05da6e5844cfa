//! What stands on a secure lock board's label: its number, and the secret by way of which it gets a key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use firmware_protocol::secure::Key;
use zeroize::Zeroizing;

/// What its text begins with: the number follows in 16 hexadecimal digits, a colon, and the secret in base64url.
pub const PREFIX: &str = "LB1:";

/// A label that was read. It goes from the scanner to the lock bus and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct BoardLabel {
    /// The number that the board was made with.
    pub serial: [u8; 8],
    secret: Zeroizing<[u8; 32]>,
}

impl BoardLabel {
    /// Reads its text; none where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (serial, secret) = text.trim().strip_prefix(PREFIX)?.split_once(':')?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
        let serial = (serial.len() == 16).then(|| u64::from_str_radix(serial, 16).ok())??;
        Some(Self {
            serial: serial.to_be_bytes(),
            secret: Zeroizing::new(secret.as_slice().try_into().ok()?),
        })
    }

    /// Its secret.
    pub fn secret(&self) -> Key {
        Key::new(*self.secret)
    }
}

impl fmt::Debug for BoardLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "label of {:02x?}", self.serial)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_label_is_read_as_it_is_printed_and_never_shown() {
        let secret = URL_SAFE_NO_PAD.encode([7; 32]);
        let label = BoardLabel::parse(&format!("LB1:53455249414c3031:{secret}\n")).unwrap();
        assert_eq!(label.serial, *b"SERIAL01");
        assert_eq!(label.secret().bytes(), &[7; 32]);
        let shown = format!("{label:?}");
        assert!(!shown.contains(&secret) && !shown.contains("7, 7"), "{shown}");
        for wrong in ["", "LB1:", "LB1:5345:AAAA", "LB2:53455249414c3031:AAAA"] {
            assert!(BoardLabel::parse(wrong).is_none(), "{wrong}");
        }
    }
}
