//! A CA per simulated cluster, in process, and folders for what gateways read from files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use landbridge::spiffe::TrustDomain;
use landbridge_certs::issue::{Ca, Issued, LeafOptions, Validity};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;

/// The PKI of one cluster.
pub struct Mesh {
    /// Its root.
    pub ca: Ca,
    domain: String,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone)]
pub struct Svid {
    /// Leaf first.
    pub chain: String,
    /// PKCS#8.
    pub key: String,
    /// The leaf's serial number.
    pub serial: Vec<u8>,
}

impl Svid {
    /// The chain as TLS sends it.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>().unwrap()
    }
}

impl From<Issued> for Svid {
    fn from(issued: Issued) -> Self {
        Self { chain: issued.chain_pem(), key: issued.key_pem(), serial: issued.serial }
    }
}

impl Mesh {
    /// A new CA for a trust domain.
    pub fn new(domain: &str) -> Self {
        let parsed = TrustDomain::parse(domain).unwrap();
        Self { ca: Ca::for_domain(&parsed, UnixTime::now()).unwrap(), domain: domain.to_owned() }
    }

    /// Its roots, PEM.
    pub fn bundle(&self) -> String {
        self.ca.certificate_pem()
    }

    /// The identity of a workload, such as `ns/default/sa/sleep`.
    pub fn svid(&self, path: &str) -> Svid {
        self.issue(&LeafOptions { uris: vec![self.id(path)], ..Self::options() })
    }

    /// The SPIFFE ID of a workload.
    pub fn id(&self, path: &str) -> String {
        format!("spiffe://{}/{path}", self.domain)
    }

    /// A leaf of any make.
    pub fn issue(&self, options: &LeafOptions) -> Svid {
        self.ca.issue(options).unwrap().into()
    }

    /// What a leaf has unless it is told otherwise.
    pub fn options() -> LeafOptions {
        LeafOptions::new(UnixTime::now())
    }

    /// A CRL (PEM) that revokes the leaves of these serial numbers, valid for an hour.
    pub fn crl(&self, revoked: &[&[u8]]) -> String {
        self.ca.crl(revoked, Validity::starting(UnixTime::now(), Duration::from_secs(3600))).unwrap()
    }
}

/// A folder with what a gateway reads from files; it is removed when it is dropped.
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, readable by its owner alone.
    pub fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub fn write_svid(&self, name: &str, svid: &Svid) {
        self.write(&format!("{name}.pem"), &svid.chain);
        self.write(&format!("{name}.key"), &svid.key);
    }
}
