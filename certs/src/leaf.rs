//! What a leaf certificate says about itself, before anybody vouches for it.
//!
//! These are the rules of X509-SVID for leaves: exactly one URI SAN (section 2), not a CA and no
//! signing of certificates or CRLs (sections 4.1 and 4.3), key usage digitalSignature (section 4.3).

use landbridge_core::{Reason, SpiffeId};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use crate::refusal::{Refusal, quoted};

/// A claim: the path has not been verified yet.
pub(crate) struct Claim {
    pub(crate) id: SpiffeId,
    pub(crate) not_after: UnixTime,
}

/// Reads a leaf's identity and checks what needs no issuer.
pub(crate) fn claim(leaf: &CertificateDer<'_>) -> Result<Claim, Refusal> {
    let malformed = |error| Refusal::new(Reason::CertMalformed, format!("the leaf certificate: {error}"));
    let certificate = parse(leaf).map_err(malformed)?;
    let uris = uris(&certificate).map_err(malformed)?;
    let id = match uris.as_slice() {
        [Some(uri)] => SpiffeId::parse(uri).map_err(|error| {
            Refusal::new(Reason::BadSpiffeId, format!("URI SAN {}: {error}", quoted(uri)))
        })?,
        [None] => {
            return Err(Refusal::new(Reason::BadSpiffeId, "the URI SAN is not a string"));
        }
        several => {
            let detail = format!("the leaf certificate has {} URI SANs", several.len());
            return Err(Refusal::new(Reason::NotOneUri, detail));
        }
    };
    check_use(&certificate, malformed)?;
    Ok(Claim { id, not_after: end_of(&certificate) })
}

fn check_use(
    certificate: &X509Certificate<'_>,
    malformed: impl Fn(X509Error) -> Refusal,
) -> Result<(), Refusal> {
    let constraints = certificate.basic_constraints().map_err(&malformed)?;
    if constraints.is_some_and(|extension| extension.value.ca) {
        return Err(Refusal::new(Reason::LeafIsCa, "basic constraints say that the leaf is a CA"));
    }
    let Some(usage) = certificate.key_usage().map_err(&malformed)? else {
        return Err(Refusal::new(Reason::KeyUsage, "the leaf has no key usage"));
    };
    if usage.value.key_cert_sign() || usage.value.crl_sign() {
        return Err(Refusal::new(Reason::LeafIsCa, "key usage lets the leaf sign certificates or CRLs"));
    }
    if !usage.value.digital_signature() {
        return Err(Refusal::new(Reason::KeyUsage, "key usage lacks digitalSignature"));
    }
    Ok(())
}

/// Parses a certificate that fills its DER to the last byte.
pub(crate) fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, X509Error> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| match error {
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error,
        x509_parser::nom::Err::Incomplete(_) => X509Error::InvalidCertificate,
    })?;
    if rest.is_empty() { Ok(certificate) } else { Err(X509Error::InvalidCertificate) }
}

/// Every URI among the subject alternative names; `None` for one that is not a string.
pub(crate) fn uris<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<Option<&'a str>>, X509Error> {
    let Some(names) = certificate.subject_alternative_name()? else {
        return Ok(Vec::new());
    };
    let uri = |name: &GeneralName<'a>| match name {
        GeneralName::URI(uri) => Some(Some(*uri)),
        GeneralName::Invalid(tag, _) if tag.0 == 6 => Some(None),
        _ => None,
    };
    Ok(names.value.general_names.iter().filter_map(uri).collect())
}

/// The first second of the certificate's validity.
pub(crate) fn start_of(certificate: &X509Certificate<'_>) -> UnixTime {
    unix(certificate.validity().not_before.timestamp())
}

/// The last second of the certificate's validity.
pub(crate) fn end_of(certificate: &X509Certificate<'_>) -> UnixTime {
    unix(certificate.validity().not_after.timestamp())
}

fn unix(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
