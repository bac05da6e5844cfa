//! Debian's mosquitto as a child process on a free loopback port, plain or with TLS and client certificates.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lockerd::office_link::Security;
use office_protocol::SigningKey;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
};
use rumqttc::{TlsConfiguration, Transport};

pub(crate) struct Mosquitto {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Signs the certificates of one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: String,
}

/// What the two ends need to speak TLS with it.
pub(crate) struct Certificates {
    authority: Authority,
    cabinet: String,
}

struct PublicKey(office_protocol::VerifyingKey);

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            ca,
        }
    }

    fn leaf(name: &str, hosts: Vec<String>, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params
    }

    /// A certificate for the cabinet's own key.
    fn cabinet(&self, cabinet: &SigningKey, serial: u64) -> String {
        let mut leaf = Self::leaf("PORT-7", Vec::new(), ExtendedKeyUsagePurpose::ClientAuth);
        leaf.serial_number = Some(serial.into());
        let signed = leaf.signed_by(&PublicKey(cabinet.verifying_key()), &self.issuer);
        signed.unwrap().pem()
    }

    /// A certificate and its key.
    fn issue(&self, params: CertificateParams) -> (String, String) {
        // OpenSSL 3.0 does not read Ed25519 keys as rcgen writes them (PKCS#8 version 2).
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        (certificate, key.serialize_pem())
    }
}

impl Certificates {
    pub(crate) fn security(&self) -> Security {
        Security::Tls {
            ca: self.authority.ca.clone(),
            certificate: self.cabinet.clone(),
        }
    }

    /// A later certificate for the same key.
    pub(crate) fn renewed(&self, cabinet: &SigningKey) -> Security {
        Security::Tls {
            ca: self.authority.ca.clone(),
            certificate: self.authority.cabinet(cabinet, 2),
        }
    }

    /// A certificate of somebody whom the broker does not know.
    pub(crate) fn useless(&self, cabinet: &SigningKey) -> Security {
        Security::Tls {
            ca: self.authority.ca.clone(),
            certificate: Authority::new().cabinet(cabinet, 1),
        }
    }

    /// How a client of this name speaks with the broker.
    pub(crate) fn transport(&self, name: &str) -> Transport {
        let leaf = Authority::leaf(name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth);
        let (certificate, key) = self.authority.issue(leaf);
        Transport::tls_with_config(TlsConfiguration::Simple {
            ca: self.authority.ca.clone().into_bytes(),
            alpn: None,
            client_auth: Some((certificate.into_bytes(), key.into_bytes())),
        })
    }
}

impl Mosquitto {
    pub(crate) fn plain() -> Self {
        let mut broker = Self::new();
        broker.configure("allow_anonymous true\n");
        broker.start();
        broker
    }

    /// With client certificates, and the rules of `config/`.
    pub(crate) fn with_tls(cabinet: &SigningKey) -> (Self, Certificates) {
        let mut broker = Self::new();
        let authority = Authority::new();
        let host = vec!["localhost".into()];
        let server = Authority::leaf("localhost", host, ExtendedKeyUsagePurpose::ServerAuth);
        let (certificate, key) = authority.issue(server);
        let certificates = Certificates {
            cabinet: authority.cabinet(cabinet, 1),
            authority,
        };
        let path = |name: &str, text: &str| -> String {
            let path = broker.directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let rules = include_str!("../../config/mosquitto.acl");
        broker.configure(&format!(
            "cafile {}\ncertfile {}\nkeyfile {}\nacl_file {}\nrequire_certificate true\nuse_identity_as_username true\n",
            path("ca.pem", &certificates.authority.ca),
            path("server.pem", &certificate),
            path("server.key", &key),
            path("mosquitto.acl", rules),
        ));
        broker.start();
        (broker, certificates)
    }

    fn new() -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
            child: None,
        }
    }

    fn configure(&self, rest: &str) {
        let mut file = std::fs::File::create(self.directory.path().join("mosquitto.conf")).unwrap();
        let user = "user root\npersistence false\nmax_packet_size 65536\n";
        write!(file, "{user}listener {} 127.0.0.1\n{rest}", self.port).unwrap();
    }

    pub(crate) fn start(&mut self) {
        let child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(self.directory.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("mosquitto is installed by tests/run"));
        let limit = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < limit, "mosquitto does not listen");
            std::thread::yield_now();
        }
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
