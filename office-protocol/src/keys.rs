//! Keys, and the office's key set: which key may sign what, signed by the root that is pinned at enrolment.

use std::fmt;

use ed25519_dalek::Signer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::codec;
use crate::digest::Digest;
use crate::ids::{CabinetId, KeyId};
use crate::sealed::SealingKey;
use crate::signature::{Forged, Purpose, Signed};

fn id_of(public: &ed25519_dalek::VerifyingKey) -> KeyId {
    let digest = Digest::of(public.as_bytes()).to_string();
    digest["sha256:".len()..][..16]
        .parse()
        .expect("hexadecimal digits are a key id")
}

/// An Ed25519 key that signs. No `Debug`, wiped on drop.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    id: KeyId,
}

impl SigningKey {
    /// From 32 secret bytes.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        let id = id_of(&key.verifying_key());
        Self { key, id }
    }

    /// From the text that [`SigningKey::to_secret_text`] gave.
    pub fn from_secret_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(codec::decode(text.trim().strip_prefix("ed25519-secret:")?)?);
        let secret: &[u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self::from_secret(secret))
    }

    /// The secret, for a 0600 file.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("ed25519-secret:{}", codec::encode(self.key.as_bytes())))
    }

    /// The secret bytes, for deriving or wrapping.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// Its name: the first 16 hexadecimal digits of the public key's SHA-256.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Its public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey {
            key: self.key.verifying_key(),
            id: self.id.clone(),
        }
    }

    pub(crate) fn sign_raw(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

/// An Ed25519 key that verifies. Text form `ed25519:<base64url>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    key: ed25519_dalek::VerifyingKey,
    id: KeyId,
}

impl VerifyingKey {
    /// From its text form.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = codec::decode(text.trim().strip_prefix("ed25519:")?)?
            .try_into()
            .ok()?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then(|| Self { id: id_of(&key), key })
    }

    /// Its text form.
    pub fn text(&self) -> String {
        format!("ed25519:{}", codec::encode(self.key.as_bytes()))
    }

    /// The 32 public bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Its name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn verifies(&self, bytes: &[u8], signature: &[u8; 64]) -> bool {
        self.key
            .verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.id)
    }
}

impl Serialize for VerifyingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for VerifyingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| de::Error::custom("not a public key as ed25519:<base64url>"))
    }
}

/// One key of the office with what it may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficeKey {
    /// The public key, with its algorithm.
    pub key: VerifyingKey,
    /// What its signatures are good for.
    pub purposes: Vec<Purpose>,
}

/// The document `keys`: every key of the office that is in force. The sealing keys' first is the one to seal to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// Rises with every change.
    pub version: u64,
    /// Signing keys.
    pub keys: Vec<OfficeKey>,
    /// What cabinets seal personal data to.
    pub sealing: Vec<SealingKey>,
}

impl KeySet {
    /// Reads a key set that the root signed for this cabinet.
    ///
    /// # Errors
    /// [`Forged`] when the root did not sign it, or it is no key set.
    pub fn verify(signed: &Signed, root: &VerifyingKey, cabinet: &CabinetId) -> Result<Self, Forged> {
        let bytes = signed.verify(root, Purpose::KeySet, cabinet)?;
        serde_json::from_slice(bytes).map_err(|_| Forged::Mismatch)
    }

    /// The key of that name, if it may sign for that purpose.
    pub fn find(&self, id: &KeyId, purpose: Purpose) -> Option<&VerifyingKey> {
        let matching = |entry: &&OfficeKey| entry.key.id() == id && entry.purposes.contains(&purpose);
        self.keys.iter().find(matching).map(|entry| &entry.key)
    }

    /// The bytes, if a key of this set signed them for this purpose and cabinet.
    ///
    /// # Errors
    /// [`Forged`] otherwise.
    pub fn check<'a>(
        &self,
        signed: &'a Signed,
        purpose: Purpose,
        cabinet: &CabinetId,
    ) -> Result<&'a [u8], Forged> {
        let key = self
            .find(&signed.signature.key, purpose)
            .ok_or(Forged::UnknownKey)?;
        signed.verify(key, purpose, cabinet)
    }
}
