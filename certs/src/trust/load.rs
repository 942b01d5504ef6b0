//! From bundle and revocation lists to what a path is verified with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use serde::Deserialize;
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use super::path::key_id;
use super::{Anchor, Root, TrustEntry, TrustError, TrustWarning};
use crate::leaf;
use crate::refusal::quoted;
use crate::source::{Source, sha256};

/// A SPIFFE trust bundle (SPIFFE Trust Domain and Bundle, section 4): a JWK Set (RFC 7517).
#[derive(Deserialize)]
struct Bundle {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    /// Keys of other uses (`jwt-svid`), and of none, are ignored, as section 4.2.2 demands.
    #[serde(rename = "use", default)]
    purpose: String,
    #[serde(default)]
    x5c: Vec<String>,
}

impl TrustEntry {
    pub(super) fn add_roots(&mut self, bundle: &Source, now: UnixTime) -> Result<(), TrustError> {
        for (index, der) in roots(bundle)?.iter().enumerate() {
            self.add_root(bundle, index + 1, der, now)?;
        }
        if self.anchors.is_empty() {
            self.warnings.push(TrustWarning::NoRoots { file: bundle.name.clone() });
        }
        Ok(())
    }

    fn add_root(
        &mut self,
        bundle: &Source,
        place: usize,
        der: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        let file = || bundle.name.clone();
        let broken = |detail: String| TrustError::Certificate { file: file(), place, detail };
        let certificate = leaf::parse(der).map_err(|error| broken(error.to_string()))?;
        let anchor = anchor_from_trusted_cert(der).map_err(|error| broken(error.to_string()))?;
        let subject = quoted(&certificate.subject().to_string());
        if !certificate.is_ca() {
            return Err(TrustError::NotACa { file: file(), place, subject });
        }
        let root = root(&certificate, &anchor);
        if self.anchors().any(|known| *known == root.anchor) {
            return Ok(());
        }
        if now > root.not_after {
            let file = file();
            self.warnings.push(TrustWarning::RootExpired { file, subject });
        } else if now < root.not_before {
            let file = file();
            self.warnings.push(TrustWarning::RootNotYetValid { file, subject });
        }
        self.anchors.push(anchor.to_owned());
        self.roots.push(root);
        self.content.push(sha256(der));
        Ok(())
    }

    pub(super) fn add_lists(&mut self, source: Option<&Source>, now: UnixTime) -> Result<(), TrustError> {
        let Some(source) = source else {
            return Ok(());
        };
        for (index, der) in source.revocation_lists()?.iter().enumerate() {
            let broken =
                |detail: String| TrustError::Crl { file: source.name.clone(), place: index + 1, detail };
            let list = OwnedCertRevocationList::from_der(der).map_err(|error| broken(error.to_string()))?;
            let (_, parsed) =
                CertificateRevocationList::from_der(der).map_err(|error| broken(error.to_string()))?;
            let next = parsed.next_update().map_or(0, |time| u64::try_from(time.timestamp()).unwrap_or(0));
            let end = UnixTime::since_unix_epoch(Duration::from_secs(next));
            self.lists_ends.push(end);
            if now >= end {
                self.warnings.push(TrustWarning::CrlExpired {
                    file: source.name.clone(),
                    issuer: quoted(&parsed.issuer().to_string()),
                });
            }
            self.crls.push(CertRevocationList::from(list));
            self.content.push(sha256(der));
        }
        self.orders = orders(&self.crls);
        Ok(())
    }
}

/// The orders in which lists are tried, each list by its index.
///
/// Of several lists with one issuer name webpki asks only the first, and two roots of one name and
/// different keys, as while a root is rotated, have a list each. So there is one order per list of the
/// most frequent name, and each list comes before its namesakes in one of them.
pub(super) fn orders(crls: &[CertRevocationList<'_>]) -> Vec<Vec<usize>> {
    let mut namesakes: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (index, list) in crls.iter().enumerate() {
        namesakes.entry(list.issuer()).or_default().push(index);
    }
    let turns = namesakes.values().map(Vec::len).max().unwrap_or(0);
    let turned = |turn: usize| {
        let mut order = Vec::with_capacity(crls.len());
        for group in namesakes.values() {
            let (late, early) = group.split_at(turn % group.len().max(1));
            order.extend(early.iter().chain(late));
        }
        order
    };
    (0..turns).map(turned).collect()
}

pub(crate) fn roots(bundle: &Source) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let json = bundle.text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'{');
    if json { roots_of_json(bundle) } else { Ok(bundle.certificates()?) }
}

fn roots_of_json(bundle: &Source) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let file = || bundle.name.clone();
    let parsed: Bundle =
        serde_json::from_slice(&bundle.text).map_err(|source| TrustError::Json { file: file(), source })?;
    let mut roots = Vec::new();
    for (index, key) in parsed.keys.iter().enumerate() {
        if key.purpose != "x509-svid" {
            continue;
        }
        let place = index + 1;
        let [base64] = key.x5c.as_slice() else {
            let count = key.x5c.len();
            return Err(TrustError::X5c { file: file(), place, count });
        };
        let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        let name = format!("x5c of key {place} of {}", bundle.name);
        roots.extend(Source::new(&name, pem.as_bytes()).certificates()?);
    }
    // No key at all says that all are revoked (SPIFFE Trust Domain and Bundle, section 4.1.3). Keys, and none of them
    // for this, say nothing of the kind; nor does an empty file.
    if roots.is_empty() && !parsed.keys.is_empty() {
        return Err(TrustError::Empty { file: file() });
    }
    Ok(roots)
}

fn root(certificate: &X509Certificate<'_>, anchor: &TrustAnchor<'_>) -> Root {
    Root {
        anchor: identified(anchor),
        not_before: leaf::start_of(certificate),
        not_after: leaf::end_of(certificate),
        key_id: key_id::of_subject(certificate).map(Box::from),
    }
}

/// An anchor's parts, each with its length in front, so that no two anchors look alike.
pub(super) fn identified(anchor: &TrustAnchor<'_>) -> Anchor {
    let constraints = anchor.name_constraints.as_deref().unwrap_or_default();
    let mut bytes = Vec::new();
    for part in [&*anchor.subject, &*anchor.subject_public_key_info, constraints] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Anchor(Arc::from(bytes))
}
