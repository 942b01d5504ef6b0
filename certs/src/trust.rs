//! Whom the gateway believes: one bundle per trust entry, never pooled.
//!
//! A leaf names its trust domain; its path must end in a bundle of an entry of that domain, and the
//! identity is the pair of entry and SPIFFE ID. Entries may share a domain, as every Istio mesh calls
//! itself `cluster.local`; they stay apart by name.

use std::fmt;
use std::sync::Arc;

use landbridge_core::config::TrustFiles;
use landbridge_core::{Identity, TrustDomain, TrustName};
use rustls_pki_types::{TrustAnchor, UnixTime};
use webpki::CertRevocationList;

use crate::source::{MOST, MOST_CRL, Source};

mod error;
pub(crate) mod load;
pub(crate) mod path;
mod proofs;
pub(crate) mod store;

pub use self::error::{TrustError, TrustWarning};
pub use self::store::{CHAIN_BYTES_MOST, CHAIN_MOST, TrustStore};

/// One trust entry, ready to verify with.
pub struct TrustEntry {
    name: TrustName,
    domain: TrustDomain,
    anchors: Vec<TrustAnchor<'static>>,
    /// What is known of each of `anchors`, in the same order.
    roots: Vec<Root>,
    crls: Vec<CertRevocationList<'static>>,
    /// In which orders the CRLs are tried; see [`load::orders`].
    orders: Vec<Vec<usize>>,
    /// When each of `crls` ends, in the same order.
    lists_ends: Vec<UnixTime>,
    /// SHA-256 of the DER of each root and each CRL, in order.
    content: Vec<[u8; 32]>,
    warnings: Vec<TrustWarning>,
}

/// What a trust anchor does not say about its certificate.
struct Root {
    anchor: Anchor,
    not_before: UnixTime,
    not_after: UnixTime,
    key_id: Option<Box<[u8]>>,
}

/// An anchor by its content: subject, public key and name constraints. Equal in every generation of
/// the configuration that has it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Anchor(Arc<[u8]>);

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anchor(..)")
    }
}

/// A certificate as revocation names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertId {
    /// The issuer's name: the content of its DER SEQUENCE.
    pub issuer: Box<[u8]>,
    /// The serial number: the content of its DER INTEGER.
    pub serial: Box<[u8]>,
}

/// As what a certificate is presented: its extended key usage, where it has one, must allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// By a caller: clientAuth.
    Client,
    /// By an endpoint that the gateway calls: serverAuth.
    Server,
}

/// A verified certificate, and all that a later change of trust is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svid {
    /// Who it is, and which entry vouches for it.
    pub identity: Identity,
    /// The last second of the leaf's validity.
    pub not_after: UnixTime,
    /// Where the verified path ends.
    pub anchor: Anchor,
    /// The certificates of the verified path: the leaf, then its issuers, without the anchor.
    pub path: Arc<[CertId]>,
    /// SHA-256 of the leaf's DER.
    pub leaf_sha256: [u8; 32],
}

impl TrustEntry {
    /// Makes an entry of a bundle (PEM, or a SPIFFE trust bundle in JSON) and, where there are any, its
    /// revocation lists (PEM).
    ///
    /// # Errors
    /// The bundle is empty, or something in it or in the lists cannot be decoded. What is merely out of
    /// date is among [`TrustEntry::warnings`].
    pub fn from_parts(
        name: TrustName,
        domain: TrustDomain,
        bundle: &[u8],
        crl: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<Self, TrustError> {
        let bundle = Source::new(&format!("the bundle of {name}"), bundle);
        let crl = crl.map(|text| Source::new(&format!("the CRL of {name}"), text));
        let mut entry = Self::empty(name, domain);
        entry.add_roots(&bundle, now)?;
        entry.add_lists(crl.as_ref(), now)?;
        Ok(entry)
    }

    /// Reads an entry from its files.
    ///
    /// # Errors
    /// As [`TrustEntry::from_parts`], and where a file cannot be read.
    pub fn load(files: &TrustFiles, now: UnixTime) -> Result<Self, TrustError> {
        let bundle = Source::read(&files.bundle, MOST)?;
        let crl = match &files.crl {
            Some(path) => Some(Source::read(path, MOST_CRL)?),
            None => None,
        };
        let mut entry = Self::empty(files.name.clone(), files.domain.clone());
        entry.add_roots(&bundle, now)?;
        entry.add_lists(crl.as_ref(), now)?;
        Ok(entry)
    }

    fn empty(name: TrustName, domain: TrustDomain) -> Self {
        Self {
            name,
            domain,
            anchors: Vec::new(),
            roots: Vec::new(),
            crls: Vec::new(),
            orders: Vec::new(),
            lists_ends: Vec::new(),
            content: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &TrustName {
        &self.name
    }

    /// The trust domain that it vouches for.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Its roots.
    pub fn anchors(&self) -> impl ExactSizeIterator<Item = &Anchor> {
        self.roots.iter().map(|root| &root.anchor)
    }

    /// The first and the last second of the validity of each of its roots.
    pub fn validities(&self) -> impl ExactSizeIterator<Item = (UnixTime, UnixTime)> {
        self.roots.iter().map(|root| (root.not_before, root.not_after))
    }

    /// What is out of date in it, as of when it was loaded.
    ///
    /// An expired root vouches for nobody, and an expired revocation list lets nobody in whose
    /// certificate it is about; where an entry without such warnings is in use, keep that one.
    pub fn warnings(&self) -> &[TrustWarning] {
        &self.warnings
    }

    /// Whether one of its revocation lists has expired.
    pub fn lists_expired(&self, now: UnixTime) -> bool {
        self.lists_end().is_some_and(|end| now >= end)
    }

    /// When the first of its revocation lists ends.
    pub(crate) fn lists_end(&self) -> Option<UnixTime> {
        self.lists_ends.iter().min().copied()
    }

    /// Every second in which the time of a root or of a revocation list begins, or is over.
    fn turns(&self) -> impl Iterator<Item = u64> {
        let lists = self.lists_ends.iter().map(UnixTime::as_secs);
        self.validities().flat_map(|(start, end)| proofs::turns(start, end)).chain(lists)
    }

    /// Whether it says what `other` says: name, domain, roots and lists.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (&self.name, &self.domain, &self.content) == (&other.name, &other.domain, &other.content)
    }

    /// Whether a list of this entry names the certificate as revoked.
    pub fn revokes(&self, certificate: &CertId) -> bool {
        self.crls
            .iter()
            .filter(|list| list.issuer() == &*certificate.issuer)
            .any(|list| !matches!(list.find_serial(&certificate.serial), Ok(None)))
    }
}

impl fmt::Debug for TrustEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustEntry")
            .field("name", &self.name)
            .field("domain", &self.domain)
            .field("anchors", &self.anchors.len())
            .field("crls", &self.crls.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
