//! The API's token and the operators' password: from the environment, a systemd credential, or a file made once.

use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock;
use crate::keys::{KeyStoreError, read_secret, write_secret};

/// The environment's name for the API's token.
pub const TOKEN_VARIABLE: &str = "OFFICE_TOKEN";
/// The environment's name for the operators' password.
pub const PASSWORD_VARIABLE: &str = "OFFICE_PASSWORD";

/// What requests are checked against; holds no secret in the clear. No `Debug`.
pub struct Secrets {
    token: [u8; 32],
    password: String,
}

impl Secrets {
    /// Finds both, or makes them in `directory` (`token`, `password`, readable by the owner only).
    ///
    /// # Errors
    /// [`KeyStoreError`] when a file cannot be read or written.
    pub fn find(directory: &Path) -> Result<Self, KeyStoreError> {
        let token = secret(directory, "token", TOKEN_VARIABLE)?;
        let password = secret(directory, "password", PASSWORD_VARIABLE)?;
        Ok(Self {
            token: Sha256::digest(token.trim().as_bytes()).into(),
            password: hash(password.trim()),
        })
    }

    /// Whether this is the API's token; takes the same time either way.
    pub fn is_token(&self, offered: &str) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered.as_bytes()).into();
        bool::from(offered.ct_eq(&self.token))
    }

    /// Whether this is the operators' password. Takes a while: call it where blocking is allowed.
    pub fn is_password(&self, offered: &str) -> bool {
        Argon2::default()
            .verify_password(offered.as_bytes(), self.password.as_str())
            .is_ok()
    }
}

/// An Argon2id verifier as a PHC string. Takes a while.
pub fn hash(secret: &str) -> String {
    let hash: argon2::PasswordHash = Argon2::default()
        .hash_password_with_salt(secret.as_bytes(), &clock::dice::<16>())
        .expect("the default parameters and a salt of 16 bytes are valid");
    hash.to_string()
}

fn secret(directory: &Path, name: &str, variable: &str) -> Result<Zeroizing<String>, KeyStoreError> {
    if let Some(text) = std::env::var(variable)
        .ok()
        .filter(|text| !text.trim().is_empty())
    {
        return Ok(Zeroizing::new(text));
    }
    if let Some(credentials) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        let path = Path::new(&credentials).join(name);
        if path.exists() {
            return read_secret(&path);
        }
    }
    let path = directory.join(name);
    if !path.exists() {
        write_secret(&path, &clock::random_name::<16>())?;
        tracing::info!(file = %path.display(), "made a new secret");
    }
    read_secret(&path)
}
