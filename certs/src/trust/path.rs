//! From a leaf to an anchor: one path, verified by webpki with the anchors of one entry only.

use std::cell::OnceCell;
use std::sync::Arc;

use landbridge_core::{Reason, SpiffeId};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use self::key_id::Pointer;
use super::load::identified;
use super::{Anchor, CertId, Role, Root, TrustEntry};
use crate::refusal::Refusal;

pub(crate) mod key_id;

/// What is to be verified, and with what.
pub(super) struct Candidate<'a> {
    pub(super) leaf: &'a EndEntityCert<'a>,
    /// What `leaf` was read from.
    pub(super) der: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
    pub(super) role: Role,
    pub(super) algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    pub(super) pointers: OnceCell<Vec<Pointer<'a>>>,
}

/// What is kept of a verified path.
pub(super) struct Path {
    pub(super) anchor: Anchor,
    pub(super) certificates: Arc<[CertId]>,
    /// The leaf's URI SANs as webpki reads them.
    pub(super) uris: Vec<String>,
}

impl TrustEntry {
    /// Verifies against this entry's roots and revocation lists.
    pub(super) fn verify(&self, candidate: &Candidate<'_>) -> Result<Path, Error> {
        if self.crls.is_empty() {
            return self.build(candidate, None);
        }
        let mut result = Err(Error::UnknownRevocationStatus);
        for order in &self.orders {
            let lists: Vec<&CertRevocationList<'_>> =
                order.iter().filter_map(|index| self.crls.get(*index)).collect();
            let revocation = RevocationOptionsBuilder::new(&lists)
                .map_err(|_| Error::UnknownRevocationStatus)?
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build();
            result = self.build(candidate, Some(revocation));
            // Either signature, because webpki reports one of several roots' errors.
            if !matches!(
                result,
                Err(Error::InvalidCrlSignatureForPublicKey | Error::InvalidSignatureForPublicKey)
            ) {
                break;
            }
        }
        result
    }

    /// Whether a path ends in one of this entry's roots, revoked or not.
    pub(super) fn signed(&self, candidate: &Candidate<'_>) -> bool {
        self.build(candidate, None).is_ok()
    }

    fn build(
        &self,
        candidate: &Candidate<'_>,
        revocation: Option<RevocationOptions<'_>>,
    ) -> Result<Path, Error> {
        let in_time = |path: &VerifiedPath<'_>| self.check_root(path, candidate.now);
        let usage = match candidate.role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        let verified = candidate.leaf.verify_for_usage(
            candidate.algorithms,
            &self.anchors,
            candidate.intermediates,
            candidate.now,
            usage,
            revocation,
            Some(&in_time),
        );
        match verified {
            Ok(path) => Ok(Path::of(&path)),
            Err(Error::InvalidSignatureForPublicKey) if !self.claimed(candidate) => Err(Error::UnknownIssuer),
            Err(error) => Err(error),
        }
    }

    /// webpki takes an anchor as timeless; its certificate is not.
    fn check_root(&self, path: &VerifiedPath<'_>, time: UnixTime) -> Result<(), Error> {
        let anchor = identified(path.anchor());
        let known = self.roots.iter().find(|root| root.anchor == anchor);
        let Some(Root { not_before, not_after, .. }) = known else {
            return Err(Error::UnknownIssuer);
        };
        let (not_before, not_after) = (*not_before, *not_after);
        if time < not_before {
            return Err(Error::CertNotValidYet { time, not_before });
        }
        if time > not_after {
            return Err(Error::CertExpired { time, not_after });
        }
        Ok(())
    }

    /// Whether a certificate claims to be signed by a root of this entry, as far as key identifiers
    /// tell. Roots of one name are common: every Istio mesh that makes its own calls it the same.
    pub(super) fn claimed(&self, candidate: &Candidate<'_>) -> bool {
        candidate.pointers().iter().any(|pointer| {
            self.anchors
                .iter()
                .zip(&self.roots)
                .any(|(anchor, root)| pointer.leads_to(&anchor.subject, root.key_id.as_deref()))
        })
    }
}

impl<'a> Candidate<'a> {
    /// Which keys the presented certificates say that they are signed with, read at most once.
    fn pointers(&self) -> &[Pointer<'a>] {
        self.pointers.get_or_init(|| {
            std::iter::once(self.der).chain(self.intermediates).filter_map(Pointer::of).collect()
        })
    }
}

impl Path {
    fn of(path: &VerifiedPath<'_>) -> Self {
        let leaf: &webpki::Cert<'_> = path.end_entity();
        let certificates = std::iter::once(leaf).chain(path.intermediate_certificates()).map(|certificate| {
            CertId { issuer: certificate.issuer().into(), serial: certificate.serial().into() }
        });
        Self {
            anchor: identified(path.anchor()),
            certificates: certificates.collect(),
            uris: leaf.valid_uri_names().map(str::to_owned).collect(),
        }
    }
}

/// How telling an error is, where several entries refuse.
pub(super) fn weight(error: &Error) -> u8 {
    match error {
        Error::UnknownIssuer => 0,
        Error::InvalidSignatureForPublicKey => 1,
        _ => 2,
    }
}

/// What a failed path means for the peer that `id` claims to be.
pub(super) fn refusal(error: &Error, id: &SpiffeId) -> Refusal {
    Refusal::new(reason(error), format!("{id}: {}", detail(error)))
}

fn reason(error: &Error) -> Reason {
    #[expect(deprecated, reason = "a later webpki could still return the older variants")]
    match error {
        Error::UnknownIssuer | Error::CertDistrusted => Reason::CertUntrusted,
        Error::CertExpired { .. } | Error::InvalidCertValidity => Reason::CertExpired,
        Error::CertNotValidYet { .. } => Reason::CertNotYetValid,
        Error::CertRevoked => Reason::CertRevoked,
        Error::CaUsedAsEndEntity => Reason::LeafIsCa,
        Error::EmptyEkuExtension | Error::RequiredEkuNotFound | Error::RequiredEkuNotFoundContext(_) => {
            Reason::ExtendedKeyUsage
        }
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithm
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKey
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Reason::BadSignature,
        Error::BadDer
        | Error::BadDerTime
        | Error::ExtensionValueInvalid
        | Error::InvalidSerialNumber
        | Error::MalformedDnsIdentifier
        | Error::MalformedExtensions
        | Error::SignatureAlgorithmMismatch
        | Error::TrailingData(_)
        | Error::UnsupportedCertVersion
        | Error::UnsupportedCriticalExtension => Reason::CertMalformed,
        Error::CrlExpired { .. }
        | Error::InvalidCrlNumber
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnknownRevocationStatus
        | Error::UnsupportedCrlIssuingDistributionPoint
        | Error::UnsupportedCrlSignatureAlgorithm
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKey
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | Error::UnsupportedCrlVersion
        | Error::UnsupportedDeltaCrl
        | Error::UnsupportedIndirectCrl
        | Error::UnsupportedRevocationReason
        | Error::UnsupportedRevocationReasonsPartitioning => Reason::RevocationUnknown,
        // Length, cost and name constraints, and whatever a later webpki adds.
        _ => Reason::CertPath,
    }
}

fn detail(error: &Error) -> String {
    match error {
        Error::UnknownIssuer => "no path to a root of its trust entry".to_owned(),
        Error::CertExpired { time, not_after } => format!(
            "a certificate of the path expired {} s ago",
            time.as_secs().saturating_sub(not_after.as_secs())
        ),
        Error::CertNotValidYet { time, not_before } => format!(
            "a certificate of the path is not valid for another {} s",
            not_before.as_secs().saturating_sub(time.as_secs())
        ),
        Error::CrlExpired { time, next_update } => {
            format!("the CRL expired {} s ago", time.as_secs().saturating_sub(next_update.as_secs()))
        }
        Error::CertRevoked => "a certificate of the path is revoked".to_owned(),
        Error::UnknownRevocationStatus => "no CRL is about a certificate of the path".to_owned(),
        Error::InvalidCrlSignatureForPublicKey => {
            "the CRL is not signed by the issuer of the path that it names".to_owned()
        }
        Error::NameConstraintViolation => "a CA of the path has name constraints that do not permit it \
             (URI name constraints never do: they are not supported)"
            .to_owned(),
        Error::MaximumPathDepthExceeded => "the path has more than 6 intermediates".to_owned(),
        Error::PathLenConstraintViolated => {
            "the path is longer than the path length of a CA permits".to_owned()
        }
        Error::EndEntityUsedAsCa => "an issuer of the path is not a CA".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
