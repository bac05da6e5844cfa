//! The office's own certificate authority for the broker's TLS: clients are known by their certificate's common name.

use std::path::Path;

use office_protocol::{CabinetId, VerifyingKey};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
};

use crate::keys::{KeyStoreError, read_secret, write_secret};

const CA_KEY: &str = "ca.key";
const CA_CERTIFICATE: &str = "ca.pem";
const CA_NAME: &str = "lockerd office";

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
        let params = leaf_params(cabinet.as_str(), &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(params.signed_by(&PublicKey(key), &self.issuer)?.pem())
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
