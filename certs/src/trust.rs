//! Whom the gateway believes: one bundle per trust entry, never pooled.
//!
//! A leaf names its trust domain; its path must end in a bundle of an entry of that domain, and the
//! identity is the pair of entry and SPIFFE ID. Entries may share a domain, as every Istio mesh calls
//! itself `cluster.local`; they stay apart by name.

use std::fmt;
use std::sync::Arc;

use landbridge_core::config::TrustFiles;
use landbridge_core::{Identity, Reason, TrustDomain, TrustName};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{CertRevocationList, EndEntityCert};

use self::path::{Candidate, Path};
use crate::leaf::{self, Claim};
use crate::refusal::Refusal;
use crate::source::{MOST, MOST_CRL, Source};

mod error;
mod load;
mod path;

pub use self::error::{TrustError, TrustWarning};

/// The longest chain that a client may present, leaf included.
pub const CHAIN_MOST: usize = 8;
/// The most bytes of certificates that a client may present.
pub const CHAIN_BYTES_MOST: usize = 32 * 1024;

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

/// A verified client certificate, and all that a later change of trust is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svid {
    /// Who it is, and which entry vouches for it.
    pub identity: Identity,
    /// The last second of the leaf's validity.
    pub not_after: UnixTime,
    /// Where the verified path ends.
    pub anchor: Anchor,
    /// The certificates of the verified path: the leaf, then its issuers, without the anchor.
    pub path: Box<[CertId]>,
    /// SHA-256 of the leaf's DER.
    pub leaf_sha256: [u8; 32],
}

/// Every trust entry.
pub struct TrustStore {
    entries: Vec<TrustEntry>,
    algorithms: WebPkiSupportedAlgorithms,
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

    /// What is out of date in it, as of when it was loaded.
    ///
    /// An expired root vouches for nobody, and an expired revocation list lets nobody in whose
    /// certificate it is about; where an entry without such warnings is in use, keep that one.
    pub fn warnings(&self) -> &[TrustWarning] {
        &self.warnings
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

impl TrustStore {
    /// Puts entries together.
    ///
    /// # Errors
    /// Two entries have one name.
    pub fn new(entries: Vec<TrustEntry>) -> Result<Self, TrustError> {
        let mut names: Vec<&TrustName> = entries.iter().map(TrustEntry::name).collect();
        names.sort_unstable();
        if let Some(name) = names
            .windows(2)
            .find_map(|pair| (pair.first() == pair.last()).then(|| pair.first().copied().cloned()))
            .flatten()
        {
            return Err(TrustError::Duplicate { name });
        }
        Ok(Self {
            entries,
            algorithms: rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        })
    }

    /// The entries, in the order of the configuration.
    pub fn entries(&self) -> &[TrustEntry] {
        &self.entries
    }

    /// Verifies a client's chain: the one place where a certificate becomes an identity.
    ///
    /// # Errors
    /// Why the certificate is not believed. Where several entries of its domain refuse it, the most
    /// telling refusal is reported.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, Refusal> {
        bounded(leaf, intermediates)?;
        let claim = leaf::claim(leaf)?;
        let entries: Vec<&TrustEntry> =
            self.entries.iter().filter(|entry| entry.domain.as_str() == claim.id.trust_domain()).collect();
        if entries.is_empty() {
            let detail = format!("{}: no trust entry has its trust domain", claim.id);
            return Err(Refusal::new(Reason::UnknownTrustDomain, detail));
        }
        let certificate = EndEntityCert::try_from(leaf).map_err(|error| path::refusal(&error, &claim.id))?;
        let candidate = Candidate { leaf: &certificate, intermediates, now, algorithms: self.algorithms.all };
        let mut worst: Option<webpki::Error> = None;
        for entry in &entries {
            match entry.verify(&candidate) {
                Ok(path) => return svid(entry, claim, path, leaf),
                Err(error) => {
                    if worst.as_ref().is_none_or(|known| path::weight(&error) > path::weight(known)) {
                        worst = Some(error);
                    }
                }
            }
        }
        let error = worst.unwrap_or(webpki::Error::UnknownIssuer);
        Err(self.wrong_bundle(&candidate, &claim, &error).unwrap_or_else(|| path::refusal(&error, &claim.id)))
    }

    /// Whether the CA of another domain signed the identity. Names the refusal, and accepts nothing.
    fn wrong_bundle(
        &self,
        candidate: &Candidate<'_>,
        claim: &Claim,
        error: &webpki::Error,
    ) -> Option<Refusal> {
        if !path::no_issuer(error) {
            return None;
        }
        let signer = self
            .entries
            .iter()
            .filter(|entry| entry.domain.as_str() != claim.id.trust_domain())
            .find(|entry| entry.signed(candidate))?;
        let detail = format!("{}: signed by a CA of trust entry {}", claim.id, signer.name);
        Some(Refusal::new(Reason::WrongBundle, detail))
    }

    /// Whether what was verified once would still be vouched for, as far as this store can differ from
    /// the one that verified it: a look-up, not a verification. Times are not looked at.
    ///
    /// # Errors
    /// The entry or the anchor is gone ([`Reason::CertUntrusted`]), or a certificate of the path is
    /// revoked ([`Reason::CertRevoked`]).
    pub fn still_vouches_for(&self, svid: &Svid) -> Result<(), Reason> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.name == svid.identity.trust)
            .filter(|entry| entry.domain.as_str() == svid.identity.id.trust_domain())
            .ok_or(Reason::CertUntrusted)?;
        if !entry.anchors().any(|anchor| *anchor == svid.anchor) {
            return Err(Reason::CertUntrusted);
        }
        if svid.path.iter().any(|certificate| entry.revokes(certificate)) {
            return Err(Reason::CertRevoked);
        }
        Ok(())
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

/// Refuses what is too long before looking at any of it.
fn bounded(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Refusal> {
    let count = 1 + intermediates.len();
    let bytes = intermediates.iter().fold(leaf.len(), |sum, der| sum + der.len());
    if count > CHAIN_MOST || bytes > CHAIN_BYTES_MOST {
        let detail = format!(
            "{count} certificates with {bytes} bytes, more than {CHAIN_MOST} or {CHAIN_BYTES_MOST} bytes"
        );
        return Err(Refusal::new(Reason::CertPath, detail));
    }
    Ok(())
}

fn svid(entry: &TrustEntry, claim: Claim, path: Path, leaf: &CertificateDer<'_>) -> Result<Svid, Refusal> {
    // Two parsers read the leaf; they must have read the same name.
    if path.uris.as_slice() != [claim.id.as_str()] {
        return Err(Refusal::new(Reason::CertMalformed, "the URI SAN is ambiguous"));
    }
    Ok(Svid {
        identity: Identity { trust: entry.name.clone(), id: claim.id },
        not_after: claim.not_after,
        anchor: path.anchor,
        path: path.certificates,
        leaf_sha256: sha256(leaf),
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    if let Some(suite) = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13() {
        let hash = suite.common.hash_provider.hash(bytes);
        for (slot, byte) in sum.iter_mut().zip(hash.as_ref()) {
            *slot = *byte;
        }
    }
    sum
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
