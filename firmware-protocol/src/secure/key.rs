//! Keys, and everything that is derived from them: HChaCha20, one 16-byte step after another.

use core::fmt;

use chacha20::{R20, hchacha};
use zeroize::Zeroize;

/// What one side contributes to a session: never twice the same from the same side.
pub type Nonce = [u8; 16];

/// The first step of each derivation says what the result is for, so that nothing has two uses.
const SESSION: Nonce = *b"lockerd1 session";
const INSTALL: Nonce = *b"lockerd1 install";
const NEW_KEY: Nonce = *b"lockerd1 new key";
const REPLACE: Nonce = *b"lockerd1 replace";
const KEY_NAME: Nonce = *b"lockerd1 keyname";

/// 256 secret bits: a board's key, the secret on its label, or a session. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// The public name of a key: it tells keys apart and says nothing about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

impl Key {
    /// From bytes that nobody can guess.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for where it is kept. They never go over the bus.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its public name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let [first, second, third, fourth, ..] = self.step(&KEY_NAME).0;
        KeyId([first, second, third, fourth])
    }

    /// The session between who knows this key and has drawn these nonces.
    pub(super) fn session(&self, controller: &Nonce, board: &Nonce) -> Self {
        self.step(&SESSION).step(controller).step(board)
    }

    /// The session in which a key is installed; this is the label's secret.
    pub(super) fn installation(&self, controller: &Nonce, board: &Nonce) -> Self {
        self.step(&INSTALL).step(controller).step(board)
    }

    /// The key that an installation leaves; this is the installation's session.
    pub(super) fn installed(&self) -> Self {
        self.step(&NEW_KEY)
    }

    /// The key that takes this one's place.
    pub(super) fn replacement(&self, controller: &Nonce, board: &Nonce) -> Self {
        self.step(&REPLACE).step(controller).step(board)
    }

    /// The `count`-th nonce of who holds this key as its source of chance.
    pub(super) fn draw(&self, count: u64) -> Nonce {
        let mut input = [0; 16];
        input[..8].copy_from_slice(&count.to_le_bytes());
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&self.step(&input).0[..16]);
        nonce
    }

    fn step(&self, input: &Nonce) -> Self {
        Self(hchacha::<R20>((&self.0).into(), input.into()).into())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The keys of one board, at either end: the one in force, and the one that shall take its place.
///
/// A key takes the other's place when a session has begun with it, never before: whatever is lost on the way,
/// both ends still have one in common.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// In force; none before the first installation.
    pub current: Option<Key>,
    /// Agreed on, not proven yet.
    pub next: Option<Key>,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Current,
    Next,
}

impl Keys {
    /// With this one in force.
    #[must_use]
    pub const fn in_force(key: Key) -> Self {
        Self {
            current: Some(key),
            next: None,
        }
    }

    pub(super) const fn in_slot(&self, slot: Slot) -> Option<&Key> {
        match slot {
            Slot::Current => self.current.as_ref(),
            Slot::Next => self.next.as_ref(),
        }
    }

    pub(super) fn named(&self, id: KeyId) -> Option<Slot> {
        let is = |slot: &Slot| self.in_slot(*slot).is_some_and(|key| key.id() == id);
        [Slot::Current, Slot::Next].into_iter().find(is)
    }

    /// A session has begun with the key in this slot; says whether that changed anything.
    pub(super) fn proven(&mut self, slot: Slot) -> bool {
        let changes = slot == Slot::Next && self.next.is_some();
        if changes {
            self.current = self.next.take();
        }
        changes
    }
}
