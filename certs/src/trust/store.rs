//! All trust entries together: where a certificate becomes an identity, and whether it stays one.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landbridge_core::{Identity, Reason, TrustName};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;

use super::path::{self, Candidate, Path};
use super::{Role, Svid, TrustEntry, TrustError};
use crate::leaf::{self, Claim};
use crate::refusal::Refusal;
use crate::source::sha256;

/// The longest chain that a peer may present, leaf included.
pub const CHAIN_MOST: usize = 8;
/// The most bytes of certificates that a peer may present.
pub const CHAIN_BYTES_MOST: usize = 32 * 1024;

/// Every trust entry.
pub struct TrustStore {
    /// Shared with the stores that differ in another entry.
    entries: Vec<Arc<TrustEntry>>,
    algorithms: WebPkiSupportedAlgorithms,
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
            entries: entries.into_iter().map(Arc::new).collect(),
            algorithms: rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        })
    }

    /// The entries, in the order of the configuration.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &TrustEntry> {
        self.entries.iter().map(Arc::as_ref)
    }

    /// The same store with `entry` in the place of the one of its name; unchanged where there is none.
    #[must_use]
    pub fn with(&self, entry: TrustEntry) -> Self {
        let entry = Arc::new(entry);
        let fresh = |known: &Arc<TrustEntry>| if known.name == entry.name { &entry } else { known }.clone();
        Self { entries: self.entries.iter().map(fresh).collect(), algorithms: self.algorithms }
    }

    /// The same store with `entry` besides, or in the place of the one of its name.
    #[must_use]
    pub fn joined_by(&self, entry: Arc<TrustEntry>) -> Self {
        let others = self.entries.iter().filter(|known| known.name != entry.name).cloned();
        let mut entries: Vec<_> = others.collect();
        entries.push(entry);
        Self { entries, algorithms: self.algorithms }
    }

    /// Whether it says what `other` says, entry by entry, however either came to be.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries().zip(other.entries()).all(|(one, other)| one.is_same_as(other))
    }

    /// Verifies the chain that a peer presents as `role`: the one place where a certificate becomes an identity.
    ///
    /// # Errors
    /// Why the certificate is not believed. Where several entries of its domain refuse it, the most
    /// telling refusal is reported.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
    ) -> Result<Svid, Refusal> {
        bounded(leaf, intermediates)?;
        let claim = leaf::claim(leaf)?;
        let mut entries: Vec<&TrustEntry> =
            self.entries().filter(|entry| entry.domain.as_str() == claim.id.trust_domain()).collect();
        if entries.is_empty() {
            let detail = format!("{}: no trust entry has its trust domain", claim.id);
            return Err(Refusal::new(Reason::UnknownTrustDomain, detail));
        }
        let certificate = EndEntityCert::try_from(leaf).map_err(|error| path::refusal(&error, &claim.id))?;
        let algorithms = self.algorithms.all;
        let pointers = OnceCell::new();
        let candidate =
            Candidate { leaf: &certificate, der: leaf, intermediates, now, role, algorithms, pointers };
        in_turn(&mut entries, &candidate);
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
        if !matches!(error, webpki::Error::UnknownIssuer) {
            return None;
        }
        let signer = self
            .entries()
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

    /// Until when no time that `svid` was verified by runs out: of the leaf, of every certificate that came
    /// with it, of the root, and of the lists of its entry.
    pub(crate) fn in_time_until(&self, svid: &Svid, intermediates: &[CertificateDer<'_>]) -> UnixTime {
        let long_ago = UnixTime::since_unix_epoch(Duration::ZERO);
        let entry = self.entries().find(|entry| entry.name == svid.identity.trust);
        let root = entry.and_then(|entry| entry.roots.iter().find(|root| root.anchor == svid.anchor));
        let root = root.map_or(long_ago, |root| root.not_after);
        let lists = entry.and_then(|entry| entry.lists_end);
        let chain = intermediates
            .iter()
            .map(|der| leaf::parse(der).map_or(long_ago, |certificate| leaf::end_of(&certificate)));
        chain.chain(lists).fold(svid.not_after.min(root), UnixTime::min)
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

/// Puts first those whose key the chain names: to ask another costs a signature for each of its roots of
/// that name. Who vouches is still found out by verifying.
pub(super) fn in_turn(entries: &mut [&TrustEntry], candidate: &Candidate<'_>) {
    if entries.len() > 1 {
        entries.sort_by_cached_key(|entry| !entry.claimed(candidate));
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
