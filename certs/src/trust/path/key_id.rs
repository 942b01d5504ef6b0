//! Key identifiers (RFC 5280 sections 4.2.1.1 and 4.2.1.2): which of several keys of one name is meant.

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::leaf;

/// The identifier of the certificate's own key.
pub(crate) fn of_subject<'a>(certificate: &X509Certificate<'a>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

/// The identifier of the key that signed the certificate.
fn of_issuer<'a>(certificate: &X509Certificate<'a>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    })
}

/// Whether `der` claims to be signed by the CA with this subject (the content of its DER SEQUENCE) and
/// key. Where either side is silent about the key, it might.
pub(super) fn points_to(der: &CertificateDer<'_>, subject: &[u8], key_id: Option<&[u8]>) -> bool {
    let Ok(certificate) = leaf::parse(der) else {
        return false;
    };
    if !certificate.issuer().as_raw().ends_with(subject) {
        return false;
    }
    match (of_issuer(&certificate), key_id) {
        (Some(claimed), Some(own)) => claimed == own,
        _ => true,
    }
}
