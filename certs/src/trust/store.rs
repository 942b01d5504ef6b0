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
use super::proofs::{self, Chain, Proofs, Span};
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
    /// What [`recognize`](Self::recognize) need not verify again.
    pub(super) proofs: Proofs,
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
            proofs: Proofs::default(),
        })
    }

    /// The entries, in the order of the configuration.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &TrustEntry> {
        self.entries.iter().map(Arc::as_ref)
    }

    /// The same store with `entry` in the place of the one of its name; nothing is replaced where there is none. What was
    /// verified before is verified anew.
    #[must_use]
    pub fn with(&self, entry: TrustEntry) -> Self {
        let entry = Arc::new(entry);
        let fresh = |known: &Arc<TrustEntry>| if known.name == entry.name { &entry } else { known }.clone();
        let entries = self.entries.iter().map(fresh).collect();
        Self { entries, algorithms: self.algorithms, proofs: Proofs::default() }
    }

    /// The same store with `entry` besides, or in the place of the one of its name.
    #[must_use]
    pub fn joined_by(&self, entry: Arc<TrustEntry>) -> Self {
        let others = self.entries.iter().filter(|known| known.name != entry.name).cloned();
        let mut entries: Vec<_> = others.collect();
        entries.push(entry);
        Self { entries, algorithms: self.algorithms, proofs: Proofs::default() }
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

    /// As [`verify`](Self::verify), and with the same result; but a chain that this store has verified before, in a
    /// time at which its answer was the same as `now`, is not verified again.
    ///
    /// At most 4096 chains are remembered, in at most 4 MiB; no refusal is.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn recognize(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        role: Role,
    ) -> Result<Svid, Refusal> {
        bounded(leaf, intermediates)?;
        let chain = Chain::of(leaf, intermediates, role);
        if let Some(svid) = self.proofs.recall(&chain, now) {
            return Ok(svid);
        }
        let svid = self.verify(leaf, intermediates, now, role)?;
        if let Some(span) = self.span(&svid, leaf, intermediates, now) {
            self.proofs.keep(chain, svid.clone(), span);
        }
        Ok(svid)
    }

    /// Forgets what [`recognize`](Self::recognize) remembers: for a store that has been replaced, and lives on as
    /// long as connections that began with it.
    pub fn forget(&self) {
        self.proofs.clear();
    }

    /// When verifying the chain of `svid` is sure to say what it said `now`: as long as none of the certificates and
    /// lists that can be asked begins or ends, be it of the path that was found or of one that was passed over.
    /// `None` where a certificate has no times that can be read.
    fn span(
        &self,
        svid: &Svid,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Option<Span> {
        let presented: Vec<[u64; 2]> =
            std::iter::once(leaf).chain(intermediates).map(proofs::turns_of).collect::<Option<_>>()?;
        let domain = svid.identity.id.trust_domain();
        let entries = self.entries().filter(|entry| entry.domain.as_str() == domain);
        Some(Span::around(now, presented.into_iter().flatten().chain(entries.flat_map(TrustEntry::turns))))
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
        let lists = entry.and_then(TrustEntry::lists_end);
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
    // The entry's own, of which there is one for all connections.
    let anchor = entry.anchors().find(|anchor| **anchor == path.anchor).unwrap_or(&path.anchor).clone();
    Ok(Svid {
        identity: Identity { trust: entry.name.clone(), id: claim.id },
        not_after: claim.not_after,
        anchor,
        path: path.certificates,
        leaf_sha256: sha256(leaf),
    })
}
