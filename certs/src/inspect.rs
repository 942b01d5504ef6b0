//! What files of certificates, keys and revocation lists say, in facts that a person can read.
//!
//! Nothing here decides whom the gateway believes; that is [`crate::TrustStore::verify`].

use std::net::IpAddr;
use std::path::Path;

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::source::{MOST, MOST_CRL, Source, SourceError};
use crate::trust::TrustError;
use crate::trust::load::roots;

mod certificate;
mod list;
mod rules;

pub use self::certificate::{Certificate, Issuer, issuers, signed_by};
pub use self::list::{List, Revoked};
pub use self::rules::{Rule, Standing};
pub use crate::issue::Validity;

/// What one file holds.
#[derive(Debug)]
pub struct Document {
    /// The file.
    pub file: String,
    /// Whether it is a SPIFFE trust bundle in JSON.
    pub json: bool,
    /// Its certificates, in order.
    pub certificates: Vec<Certificate>,
    /// Its private keys, in order.
    pub keys: Vec<Key>,
    /// Its revocation lists, in order.
    pub lists: Vec<List>,
}

/// A private key, of which nothing secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What kind it is, such as `ECDSA P-256`.
    pub kind: String,
    /// Its public half: the content of the BIT STRING of a SubjectPublicKeyInfo.
    public: Vec<u8>,
}

/// A file holds nothing that can be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It cannot be read, or is not PEM.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It looks like a SPIFFE trust bundle and is none.
    #[error(transparent)]
    Bundle(#[from] TrustError),
    /// It is a request for a certificate.
    #[error(
        "{file} is a request for a certificate (CSR), not a certificate: its CA has still to issue one; read it with: openssl req -noout -text -in {file}"
    )]
    Request {
        /// The file.
        file: String,
    },
    /// It is a public key alone.
    #[error(
        "{file} is a public key without a certificate; a certificate (CERTIFICATE) or a private key is expected"
    )]
    PublicKey {
        /// The file.
        file: String,
    },
    /// It holds nothing of the kinds that are known.
    #[error(
        "no certificate, private key or revocation list in {file}; PEM or a SPIFFE trust bundle (JSON) is expected"
    )]
    Nothing {
        /// The file.
        file: String,
    },
    /// One of its parts cannot be decoded.
    #[error("{what} {place} of {file} cannot be decoded: {detail}")]
    Broken {
        /// The file.
        file: String,
        /// What it should be.
        what: &'static str,
        /// Which one, counted from 1.
        place: usize,
        /// Why.
        detail: String,
    },
}

impl Document {
    /// Reads a file of PEM sections, or a SPIFFE trust bundle.
    ///
    /// # Errors
    /// The file cannot be read or holds nothing that is known, or a part of it cannot be decoded.
    pub fn read(path: &Path) -> Result<Self, InspectError> {
        let source = Source::read(path, MOST_CRL)?;
        let json =
            source.text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'{');
        let mut document = Self {
            file: source.name.clone(),
            json,
            certificates: Vec::new(),
            keys: Vec::new(),
            lists: Vec::new(),
        };
        // Lists may be long; what else there is may not.
        let most = if source.announces("X509 CRL") { MOST_CRL } else { MOST };
        if source.text.len() as u64 > most {
            return Err(SourceError::TooLarge { file: source.name, most }.into());
        }
        if json {
            for der in &roots(&source)? {
                document.add_certificate(der)?;
            }
            return Ok(document);
        }
        document.add_sections(&source)?;
        Ok(document)
    }

    fn add_sections(&mut self, source: &Source) -> Result<(), InspectError> {
        let certificates = optional(source.certificates())?;
        for der in &certificates {
            self.add_certificate(der)?;
        }
        for key in optional(source.keys())? {
            let place = self.keys.len() + 1;
            self.keys.push(Key::of(key).map_err(|detail| self.broken("private key", place, detail))?);
        }
        for der in optional(source.revocation_lists())? {
            let place = self.lists.len() + 1;
            self.lists.push(List::of(&der).map_err(|detail| self.broken("revocation list", place, detail))?);
        }
        if self.certificates.is_empty() && self.keys.is_empty() && self.lists.is_empty() {
            return Err(self.nothing(source));
        }
        Ok(())
    }

    fn add_certificate(&mut self, der: &CertificateDer<'static>) -> Result<(), InspectError> {
        let place = self.certificates.len() + 1;
        let certificate = Certificate::of(der).map_err(|detail| self.broken("certificate", place, detail))?;
        self.certificates.push(certificate);
        Ok(())
    }

    fn broken(&self, what: &'static str, place: usize, detail: String) -> InspectError {
        InspectError::Broken { file: self.file.clone(), what, place, detail }
    }

    /// What a file is in which nothing was found.
    fn nothing(&self, source: &Source) -> InspectError {
        let file = self.file.clone();
        let kinds: Vec<SectionKind> =
            <(SectionKind, Vec<u8>)>::pem_slice_iter(&source.text).flatten().map(|(kind, _)| kind).collect();
        if kinds.contains(&SectionKind::Csr) || source.announces("NEW CERTIFICATE REQUEST") {
            return InspectError::Request { file };
        }
        if kinds.contains(&SectionKind::PublicKey) {
            return InspectError::PublicKey { file };
        }
        InspectError::Nothing { file }
    }

    /// Which certificate, counted from 0, the key belongs to.
    pub fn place_of(&self, key: &Key) -> Option<usize> {
        self.certificates.iter().position(|certificate| certificate.public == key.public)
    }
}

/// Nothing, where the file has no section of the kind: it may have others.
fn optional<T>(found: Result<Vec<T>, SourceError>) -> Result<Vec<T>, SourceError> {
    match found {
        Err(SourceError::Nothing { .. }) => Ok(Vec::new()),
        found => found,
    }
}

impl Key {
    fn of(key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let unusable = |_| "it is broken, or not of a supported kind (ECDSA, Ed25519, RSA)".to_owned();
        let provider = rustls::crypto::aws_lc_rs::default_provider().key_provider;
        let signing = provider.load_private_key(key).map_err(unusable)?;
        let spki = signing.public_key().ok_or("it has no public half")?;
        let (_, parsed) = SubjectPublicKeyInfo::from_der(&spki).map_err(|error| error.to_string())?;
        Ok(Self { kind: kind_of(&parsed), public: parsed.subject_public_key.data.to_vec() })
    }
}

/// What kind of key it is, such as `ECDSA P-256` or `RSA 2048`.
pub(crate) fn kind_of(key: &SubjectPublicKeyInfo<'_>) -> String {
    let curve = || key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => match curve().map(|oid| oid.to_id_string()).as_deref() {
            Some("1.2.840.10045.3.1.7") => "ECDSA P-256".to_owned(),
            Some("1.3.132.0.34") => "ECDSA P-384".to_owned(),
            Some("1.3.132.0.35") => "ECDSA P-521".to_owned(),
            Some(oid) => format!("ECDSA on curve {oid}"),
            None => "ECDSA on an unnamed curve".to_owned(),
        },
        _ => match key.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            "1.3.101.113" => "Ed448".to_owned(),
            oid => format!("algorithm {oid}"),
        },
    }
}

/// An address as a SAN holds it.
pub(crate) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

/// Bytes as `1f:0a`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests;
