//! Sealed parts: personal data, readable by the office alone, stored beside the event that holds their digest.
//!
//! HPKE (RFC 9180) in base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305. The `info` is `locker/v1 ‖ sealed ‖ cabinet`.

use std::fmt;

use hpke::{Deserializable, Kem as _, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::codec;
use crate::digest::Digest;
use crate::ids::{CabinetId, KeyId};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::ChaCha20Poly1305;

const ALGORITHM: &str = "hpke-x25519-hkdf-sha256-chacha20poly1305";
const PUBLIC_PREFIX: &str = "x25519:";

fn info(cabinet: &CabinetId) -> Vec<u8> {
    format!("locker/v1\0sealed\0{cabinet}\0").into_bytes()
}

fn id_of(public: &[u8]) -> KeyId {
    Digest::of(public).to_string()["sha256:".len()..][..16]
        .parse()
        .expect("hexadecimal digits are a key id")
}

/// The office's public key that cabinets seal to. Text form `x25519:<base64url>`.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    public: [u8; 32],
    id: KeyId,
}

impl SealingKey {
    /// From its text form.
    pub fn from_text(text: &str) -> Option<Self> {
        let public: [u8; 32] = codec::decode(text.trim().strip_prefix(PUBLIC_PREFIX)?)?
            .try_into()
            .ok()?;
        Some(Self {
            id: id_of(&public),
            public,
        })
    }

    /// Its text form.
    pub fn text(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", codec::encode(&self.public))
    }

    /// Its name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealing key {}", self.id)
    }
}

impl Serialize for SealingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for SealingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_text(&String::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("not a sealing key as x25519:<base64url>"))
    }
}

/// The office's secret key that opens sealed parts. No `Debug`, wiped on drop.
pub struct OpeningKey {
    secret: Zeroizing<[u8; 32]>,
    sealing: SealingKey,
}

impl OpeningKey {
    /// From 32 secret bytes.
    pub fn from_secret(secret: &[u8; 32]) -> Option<Self> {
        let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
        let public: [u8; 32] = Kem::sk_to_pk(&private).to_bytes().as_slice().try_into().ok()?;
        Some(Self {
            secret: Zeroizing::new(*secret),
            sealing: SealingKey {
                id: id_of(&public),
                public,
            },
        })
    }

    /// From the text that [`OpeningKey::to_secret_text`] gave.
    pub fn from_secret_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(codec::decode(text.trim().strip_prefix("x25519-secret:")?)?);
        Self::from_secret(bytes.as_slice().try_into().ok()?)
    }

    /// The secret, for a 0600 file.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("x25519-secret:{}", codec::encode(&*self.secret)))
    }

    /// Its public half.
    pub fn sealing_key(&self) -> &SealingKey {
        &self.sealing
    }
}

/// The plain form of one pickup code. No `Debug`, wiped on drop.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct PickupCode {
    /// What the QR code holds: `LP1:<cabinet>:<token>`.
    pub qr: String,
    /// Eight digits.
    pub digits: String,
    /// Four more, asked for after too many wrong tries.
    pub spare: String,
}

/// What a sealed part can hold. No `Debug`, wiped on drop.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Personal {
    /// A phone number that a citizen typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A pickup code for the office to pass on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<PickupCode>,
}

/// An encrypted [`Personal`]; kept and sent as the bytes of its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPart {
    /// The exact bytes; the event holds their digest.
    pub bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    algorithm: String,
    key: KeyId,
    #[serde(with = "crate::codec::bytes")]
    encapsulated: Vec<u8>,
    #[serde(with = "crate::codec::bytes")]
    ciphertext: Vec<u8>,
}

/// A sealed part that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unopenable {
    /// Not a sealed part, or of another algorithm.
    #[error("not a sealed part of a known algorithm")]
    Shape,
    /// Sealed to another key.
    #[error("sealed to another key")]
    OtherKey,
    /// Altered, or of another cabinet.
    #[error("altered, or of another cabinet")]
    Altered,
}

impl SealedPart {
    /// Seals to the office. `rng` is seeded from the moment's dice.
    pub fn seal<R: rand_core::CryptoRng>(
        personal: &Personal,
        key: &SealingKey,
        cabinet: &CabinetId,
        rng: &mut R,
    ) -> Option<Self> {
        let plain = Zeroizing::new(serde_json::to_vec(personal).ok()?);
        let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&key.public).ok()?;
        let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<Aead, Kdf, Kem>(
            &OpModeS::Base,
            &public,
            &info(cabinet),
            &plain,
            b"",
            rng,
        )
        .ok()?;
        let written = Written {
            algorithm: ALGORITHM.into(),
            key: key.id.clone(),
            encapsulated: encapsulated.to_bytes().to_vec(),
            ciphertext,
        };
        Some(Self {
            bytes: serde_json::to_vec(&written).ok()?,
        })
    }

    /// Opens, at the office.
    ///
    /// # Errors
    /// [`Unopenable`], which says why.
    pub fn open(&self, key: &OpeningKey, cabinet: &CabinetId) -> Result<Personal, Unopenable> {
        let written: Written = serde_json::from_slice(&self.bytes).map_err(|_| Unopenable::Shape)?;
        if written.algorithm != ALGORITHM {
            return Err(Unopenable::Shape);
        }
        if written.key != key.sealing.id {
            return Err(Unopenable::OtherKey);
        }
        let private =
            <Kem as hpke::Kem>::PrivateKey::from_bytes(&*key.secret).map_err(|_| Unopenable::Shape)?;
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&written.encapsulated)
            .map_err(|_| Unopenable::Shape)?;
        let plain = hpke::single_shot_open::<Aead, Kdf, Kem>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            &info(cabinet),
            &written.ciphertext,
            b"",
        )
        .map(Zeroizing::new)
        .map_err(|_| Unopenable::Altered)?;
        serde_json::from_slice(&plain).map_err(|_| Unopenable::Shape)
    }

    /// What the event holds.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}
