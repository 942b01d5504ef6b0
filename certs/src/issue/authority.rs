//! A CA from its files, checked to be one that can issue; and what it says about itself.

use std::path::{Path, PathBuf};

use landbridge_core::TrustDomain;
use rcgen::{DistinguishedName, Issuer, PublicKeyData as _, SanType};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;

use super::key::{KeyError, load_signer};
use super::{Ca, CaOptions, IssueError, Validity, armored, ca_params, generate};
use crate::leaf;
use crate::refusal::quoted;
use crate::source::{MOST, Source, SourceError};

/// Where a CA is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityFiles {
    /// Its certificate, then those of the CAs above it, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub private_key: PathBuf,
}

/// The files of a CA do not make one that can issue.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The certificate cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The private key cannot be taken.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file holds a private key where the certificate is expected.
    #[error(
        "{file} holds a private key, and the certificate of a CA is expected; were the two files swapped?"
    )]
    Swapped {
        /// The file.
        file: String,
    },
    /// A certificate cannot be decoded.
    #[error("certificate {place} of {file} cannot be decoded: {detail}")]
    Broken {
        /// The file.
        file: String,
        /// Which certificate, counted from 1.
        place: usize,
        /// Why.
        detail: String,
    },
    /// A certificate is not a CA's.
    #[error("certificate {place} of {file} is not a CA's ({subject}); make a CA with: landbridge certs ca")]
    NotACa {
        /// The file.
        file: String,
        /// Which certificate, counted from 1.
        place: usize,
        /// Whose it is.
        subject: String,
    },
    /// Its key usage does not let it issue.
    #[error("the CA in {file} may not sign certificates: its key usage lacks keyCertSign")]
    MayNotSign {
        /// The file.
        file: String,
    },
    /// The certificates are not one chain.
    #[error(
        "certificate {} of {file} did not issue certificate {place}; the CA comes first, then those above it, and one CA only",
        place + 1
    )]
    Order {
        /// The file.
        file: String,
        /// Which certificate, counted from 1.
        place: usize,
    },
    /// The key belongs to another certificate.
    #[error("the private key in {key} does not belong to the CA in {file}; give the key of this CA")]
    Mismatch {
        /// The certificate's file.
        file: String,
        /// The key's file.
        key: String,
    },
    /// The CA has expired.
    #[error("the CA in {file} has expired, so nobody would believe what it issues; make a new one")]
    Expired {
        /// The file.
        file: String,
    },
    /// The CA is not valid yet.
    #[error("the CA in {file} is not valid yet; compare the clocks")]
    NotYetValid {
        /// The file.
        file: String,
    },
    /// The name is of a shape that would be written differently.
    #[error(
        "the name of the CA in {file} cannot be written back to the letter ({subject}); issue with the tool that made it"
    )]
    Name {
        /// The file.
        file: String,
        /// The name.
        subject: String,
    },
}

impl Ca {
    /// Takes a CA from its files.
    ///
    /// # Errors
    /// What is in them does not belong together, is not a CA, or could issue nothing valid at `now`.
    pub fn load(files: &AuthorityFiles, now: UnixTime) -> Result<Self, AuthorityError> {
        let file = || files.certificate.display().to_string();
        let certificates = certificates(&files.certificate)?;
        let mut parsed = Vec::new();
        for (index, der) in certificates.iter().enumerate() {
            let place = index + 1;
            let certificate = leaf::parse(der).map_err(|error| AuthorityError::Broken {
                file: file(),
                place,
                detail: error.to_string(),
            })?;
            if !certificate.is_ca() {
                let subject = quoted(&certificate.subject().to_string());
                return Err(AuthorityError::NotACa { file: file(), place, subject });
            }
            parsed.push(certificate);
        }
        let unordered = parsed.windows(2).position(|pair| match pair {
            [below, above] => !issued_by(below, above),
            _ => false,
        });
        if let Some(index) = unordered {
            return Err(AuthorityError::Order { file: file(), place: index + 1 });
        }
        let nothing = || SourceError::Nothing { file: file(), what: "certificate", label: "CERTIFICATE" };
        let own = parsed.first().ok_or_else(nothing)?;
        check_use(own, &file(), now)?;
        let key = load_signer(&files.private_key)?;
        if key.der_bytes() != &*own.public_key().subject_public_key.data {
            return Err(AuthorityError::Mismatch {
                file: file(),
                key: files.private_key.display().to_string(),
            });
        }
        let name = || AuthorityError::Name { file: file(), subject: quoted(&own.subject().to_string()) };
        if !plain(own) {
            return Err(name());
        }
        let above = |pair: &(&CertificateDer<'static>, &X509Certificate<'_>)| !self_issued(pair.1);
        let chain =
            certificates.iter().zip(&parsed).filter(above).map(|(certificate, _)| certificate.clone());
        let chain = chain.collect();
        let certificate = certificates.first().ok_or_else(nothing)?.clone();
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| name())?;
        Ok(Self { certificate, issuer, chain })
    }

    /// Makes the root of a trust domain under a name of its own.
    pub fn root_of(name: &str, domain: &TrustDomain, options: &CaOptions) -> Result<Self, IssueError> {
        let mut params = ca_params(name, options)?;
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into()?)];
        let key = generate(options.algorithm)?;
        let certificate = params.self_signed(&key)?.into();
        Ok(Self { certificate, issuer: Issuer::new(params, key), chain: Vec::new() })
    }

    /// Makes a CA below this one, of the same trust domain.
    pub fn below(&self, name: &str, options: &CaOptions) -> Result<Self, IssueError> {
        let mut params = ca_params(name, options)?;
        if let Some(domain) = self.domain() {
            params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into()?)];
        }
        let key = generate(options.algorithm)?;
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer)?.into();
        let mut chain = vec![certificate.clone()];
        chain.extend_from_slice(&self.chain);
        Ok(Self { certificate, issuer: Issuer::new(params, key), chain })
    }

    /// What its file holds: its certificate, then those of the CAs above it without the root, PEM.
    pub fn file_pem(&self) -> String {
        if self.is_root() {
            return self.certificate_pem();
        }
        self.chain.iter().map(|der| armored("CERTIFICATE", der)).collect()
    }

    /// Whether it vouches for itself.
    pub fn is_root(&self) -> bool {
        self.chain.first().is_none_or(|first| *first != self.certificate)
    }

    /// The trust domain that its one URI SAN names, where it has one.
    pub fn domain(&self) -> Option<TrustDomain> {
        let certificate = leaf::parse(&self.certificate).ok()?;
        match leaf::uris(&certificate).ok()?.as_slice() {
            [Some(uri)] => TrustDomain::parse(uri.strip_prefix("spiffe://")?).ok(),
            _ => None,
        }
    }

    /// Its name.
    pub fn subject(&self) -> String {
        leaf::parse(&self.certificate)
            .map(|certificate| certificate.subject().to_string())
            .unwrap_or_default()
    }

    /// How many CAs may follow below it; `None` is any number.
    pub fn path_length(&self) -> Option<u32> {
        let certificate = leaf::parse(&self.certificate).ok()?;
        certificate.basic_constraints().ok()??.value.path_len_constraint
    }

    /// The last second of its validity and of that of the CAs above it, as far as its file has them.
    pub fn not_after(&self) -> UnixTime {
        let ends = std::iter::once(&self.certificate)
            .chain(&self.chain)
            .filter_map(|der| leaf::parse(der).ok().map(|certificate| leaf::end_of(&certificate)));
        ends.min().unwrap_or_else(|| UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }

    /// `validity`, cut so that it does not outlive this CA.
    pub fn within(&self, validity: Validity) -> Validity {
        Validity { not_after: validity.not_after.min(self.not_after()), ..validity }
    }
}

/// Whether `above` signed `below` and has the name of its issuer.
pub(crate) fn issued_by(below: &X509Certificate<'_>, above: &X509Certificate<'_>) -> bool {
    below.issuer().as_raw() == above.subject().as_raw()
        && below.verify_signature(Some(above.public_key())).is_ok()
}

pub(super) fn self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Reads certificates, and says so where the file holds a key instead.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let source = Source::read(path, MOST)?;
    match source.certificates() {
        Err(SourceError::Nothing { file, .. })
            if matches!(source.keys(), Ok(_) | Err(SourceError::Encrypted { .. })) =>
        {
            Err(AuthorityError::Swapped { file })
        }
        found => Ok(found?),
    }
}

fn check_use(own: &X509Certificate<'_>, file: &str, now: UnixTime) -> Result<(), AuthorityError> {
    let file = file.to_owned();
    if own.key_usage().ok().flatten().is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(AuthorityError::MayNotSign { file });
    }
    if now > leaf::end_of(own) {
        return Err(AuthorityError::Expired { file });
    }
    if now < leaf::start_of(own) {
        return Err(AuthorityError::NotYetValid { file });
    }
    Ok(())
}

/// Whether rcgen can write the name as it is: one attribute to a part, each kind once.
fn plain(certificate: &X509Certificate<'_>) -> bool {
    name_of(certificate).is_some()
}

/// The subject as rcgen writes it, where it writes it back to the letter.
pub(super) fn name_of(certificate: &X509Certificate<'_>) -> Option<DistinguishedName> {
    use rcgen::{DnType, DnValue};
    use x509_parser::asn1_rs::Tag;

    let mut name = DistinguishedName::new();
    for part in certificate.subject().iter() {
        let mut attributes = part.iter();
        let (attribute, None) = (attributes.next()?, attributes.next()) else {
            return None;
        };
        let oid: Vec<u64> = attribute.attr_type().iter()?.collect();
        let kind = DnType::from_oid(&oid);
        let text = attribute.as_str().ok()?;
        let value = match attribute.attr_value().tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(text.try_into().ok()?),
            Tag::Ia5String => DnValue::Ia5String(text.try_into().ok()?),
            _ => return None,
        };
        if name.get(&kind).is_some() {
            return None;
        }
        name.push(kind, value);
    }
    Some(name)
}
