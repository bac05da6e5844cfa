//! The office's own certificate authority for the broker's TLS: clients are known by their certificate's common name.
//!
//! Certificates end, the authority's after twenty years, all others after a good year. When one begins is not said: at a cabinet whose
//! clock is behind the broker's certificate must count all the same.

use std::path::Path;
use std::time::Duration;

use office_protocol::{CabinetId, Digest, Timestamp, VerifyingKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData,
    RevokedCertParams, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

use crate::clock;
use crate::keys::{KeyStoreError, read_secret, write_secret};

const CA_KEY: &str = "ca.key";
const CA_CERTIFICATE: &str = "ca.pem";
const CA_NAME: &str = "lockerd office";
const DAY_MS: i64 = 86_400_000;
/// How long a certificate counts: a year, and a month to renew it in.
pub const VALID_DAYS: i64 = 397;
/// How long the authority's own certificate and its lists of revoked ones count: a list that has ended would shut everybody out.
const AUTHORITY_DAYS: i64 = 20 * 365;

/// Until when a certificate counts that is issued then.
pub fn ends(issued: Timestamp) -> Timestamp {
    issued.plus_millis(VALID_DAYS * DAY_MS)
}

macro_rules! date {
    ($time:expr) => {
        date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from($time.as_millis()).unwrap_or(0))
    };
}

/// A certificate's number is made of its key, so that a revoked key revokes all that were issued for it.
fn serial(key: &VerifyingKey) -> SerialNumber {
    let mut number = Digest::of(key.as_bytes()).0[..20].to_vec();
    // RFC 5280: at most twenty bytes, and positive.
    number[0] &= 0x7f;
    SerialNumber::from(number)
}

/// The certificate authority.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its private key, both PEM. No `Debug`.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
}

/// Somebody else's public key.
struct PublicKey<'a>(&'a VerifyingKey);

impl PublicKeyData for PublicKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_after = date!(clock::now().plus_millis(AUTHORITY_DAYS * DAY_MS));
    params
}

fn leaf_params(
    name: &str,
    hosts: &[String],
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.not_after = date!(ends(clock::now()));
    Ok(params)
}

impl CertificateAuthority {
    /// Makes one and keeps it in `directory`.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn create(directory: &Path) -> Result<Self, KeyStoreError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = ca_params().self_signed(&key)?;
        write_secret(&directory.join(CA_KEY), &key.serialize_pem())?;
        write_secret(&directory.join(CA_CERTIFICATE), &certificate.pem())?;
        Ok(Self {
            issuer: Issuer::new(ca_params(), key),
            pem: certificate.pem(),
        })
    }

    /// Opens the one that is kept there.
    ///
    /// # Errors
    /// When the files cannot be read, or are none.
    pub fn open(directory: &Path) -> Result<Self, KeyStoreError> {
        let key = KeyPair::from_pem(&read_secret(&directory.join(CA_KEY))?)?;
        let pem = read_secret(&directory.join(CA_CERTIFICATE))?.to_string();
        Ok(Self {
            issuer: Issuer::new(ca_params(), key),
            pem,
        })
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A client certificate for a cabinet's own key; the office never sees its private half.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn for_cabinet(&self, cabinet: &CabinetId, key: &VerifyingKey) -> Result<String, KeyStoreError> {
        let mut params = leaf_params(cabinet.as_str(), &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        params.serial_number = Some(serial(key));
        Ok(params.signed_by(&PublicKey(key), &self.issuer)?.pem())
    }

    /// The list of these keys' certificates, PEM: the broker lets nobody in with one of them.
    ///
    /// # Errors
    /// When the list cannot be made.
    pub fn revoked(&self, keys: &[VerifyingKey]) -> Result<String, KeyStoreError> {
        let now = clock::now();
        let revoked = |key| RevokedCertParams {
            serial_number: serial(key),
            revocation_time: date!(now),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date!(now),
            next_update: date!(now.plus_millis(AUTHORITY_DAYS * DAY_MS)),
            crl_number: SerialNumber::from(u64::try_from(now.as_millis()).unwrap_or(0)),
            issuing_distribution_point: None,
            revoked_certs: keys.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    /// A client certificate with a fresh key: for the hub itself.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn client(&self, name: &str) -> Result<Issued, KeyStoreError> {
        self.issue(leaf_params(name, &[], ExtendedKeyUsagePurpose::ClientAuth)?)
    }

    /// A server certificate with a fresh key for these host names and addresses: for the broker.
    ///
    /// # Errors
    /// When a name is not a host name or address.
    pub fn server(&self, hosts: &[String]) -> Result<Issued, KeyStoreError> {
        let name = hosts.first().map_or("broker", String::as_str).to_owned();
        self.issue(leaf_params(&name, hosts, ExtendedKeyUsagePurpose::ServerAuth)?)
    }

    fn issue(&self, params: CertificateParams) -> Result<Issued, KeyStoreError> {
        // Not Ed25519: ring writes it as PKCS#8 version 2, which the OpenSSL of common brokers cannot read.
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn certificates_end() {
        let now = clock::now();
        let year = date!(now) + Duration::from_secs(366 * 86_400);
        let leaf = leaf_params("PORT-7", &[], ExtendedKeyUsagePurpose::ClientAuth).unwrap();
        assert!(leaf.not_after > year && leaf.not_after < year + Duration::from_secs(40 * 86_400));
        assert!(ca_params().not_after < year + Duration::from_secs(20 * 366 * 86_400));
    }
}
