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

/// Which key a certificate says that it is signed with.
pub(in crate::trust) struct Pointer<'a> {
    issuer: &'a [u8],
    key: Option<&'a [u8]>,
}

impl<'a> Pointer<'a> {
    /// `None` where the certificate cannot be decoded.
    pub(super) fn of(der: &'a CertificateDer<'_>) -> Option<Self> {
        let certificate = leaf::parse(der).ok()?;
        Some(Self { issuer: certificate.tbs_certificate.issuer.as_raw(), key: of_issuer(&certificate) })
    }

    /// Whether that may be the key of the CA with this subject (the content of its DER SEQUENCE). Where
    /// either side is silent about the key, it might.
    pub(super) fn leads_to(&self, subject: &[u8], key_id: Option<&[u8]>) -> bool {
        let same_key = match (self.key, key_id) {
            (Some(claimed), Some(own)) => claimed == own,
            _ => true,
        };
        same_key && self.issuer.ends_with(subject)
    }
}
