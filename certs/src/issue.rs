//! Issuing certificates: for the `certs` command, the demo and tests. Not for a production CA.
//!
//! What comes out by default is what X509-SVID asks for: a CA for a year, leaves for a day, both
//! valid from a minute ago; P-256 keys; key usage and extended key usage as in sections 4.3 and 4.4;
//! key identifiers on both ends. Everything can be set wrongly on purpose.

use std::fmt;

use landbridge_core::{SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, RevokedCertParams, SanType, SerialNumber,
};
pub use rcgen::{ExtendedKeyUsagePurpose as Purpose, KeyUsagePurpose as Usage};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use time::OffsetDateTime;

use crate::leaf;
use crate::source::{Source, SourceError};

pub(crate) mod armor;
mod authority;
mod key;
mod options;
mod renew;
mod revoke;

use self::armor::armored;
pub(crate) use self::authority::issued_by;
pub use self::authority::{AuthorityError, AuthorityFiles};
pub use self::key::{KeyError, load_key};
pub use self::options::{
    Algorithm, CA_LIFETIME, CRL_LIFETIME, CaOptions, Extension, LEAF_LIFETIME, LeafOptions, Validity,
};
pub use self::renew::{NewKey, RenewError};
pub use self::revoke::{Revocations, RevokeError};

/// A certificate cannot be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The CA's files cannot be decoded.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A CA's certificate cannot be decoded, or is none.
    #[error("the certificate of the CA cannot be used: {0}")]
    Ca(String),
    /// The library refused a name, a time or a key.
    #[error("cannot issue: {0}")]
    Refused(#[from] rcgen::Error),
    /// The system has no randomness.
    #[error("cannot issue: no randomness for a serial number")]
    Random,
}

/// A CA that can issue. Its `Debug` shows no secret.
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, rcgen::KeyPair>,
    /// What a leaf sends after itself: this CA and those above, without the root.
    chain: Vec<CertificateDer<'static>>,
}

/// An issued certificate with its chain and key. Its `Debug` shows no secret.
pub struct Issued {
    /// The leaf, then its issuers, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8.
    pub key: PrivateKeyDer<'static>,
    /// The serial number: the content of its DER INTEGER.
    pub serial: Vec<u8>,
}

impl Ca {
    /// Makes a root that is called `name`.
    pub fn root(name: &str, options: &CaOptions) -> Result<Self, IssueError> {
        let params = ca_params(name, options)?;
        let key = generate(options.algorithm)?;
        let certificate = params.self_signed(&key)?.into();
        Ok(Self { certificate, issuer: Issuer::new(params, key), chain: Vec::new() })
    }

    /// Makes the root of a trust domain, which its URI SAN names (X509-SVID section 3.2).
    pub fn for_domain(domain: &TrustDomain, now: UnixTime) -> Result<Self, IssueError> {
        let options = CaOptions::new(now);
        let mut params = ca_params(&format!("{domain} root"), &options)?;
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into()?)];
        let key = generate(options.algorithm)?;
        let certificate = params.self_signed(&key)?.into();
        Ok(Self { certificate, issuer: Issuer::new(params, key), chain: Vec::new() })
    }

    /// Makes a CA below this one.
    pub fn intermediate(&self, name: &str, options: &CaOptions) -> Result<Self, IssueError> {
        let params = ca_params(name, options)?;
        let key = generate(options.algorithm)?;
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer)?.into();
        let mut chain = vec![certificate.clone()];
        chain.extend_from_slice(&self.chain);
        Ok(Self { certificate, issuer: Issuer::new(params, key), chain })
    }

    /// Takes a CA from PEM: its certificate, any CAs above it, and its key.
    ///
    /// # Errors
    /// The certificate is not a CA's, or either cannot be decoded.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let certificates = Source::new("the certificate of the CA", certificate.as_bytes()).certificates()?;
        let broken = |detail: &dyn fmt::Display| IssueError::Ca(detail.to_string());
        let mut chain = Vec::new();
        for der in &certificates {
            let parsed = leaf::parse(der).map_err(|error| broken(&error))?;
            if !parsed.is_ca() {
                return Err(broken(&"it is not a CA"));
            }
            if parsed.subject().as_raw() != parsed.issuer().as_raw() {
                chain.push(der.clone());
            }
        }
        let certificate = certificates.into_iter().next().ok_or_else(|| broken(&"there is none"))?;
        let key = rcgen::KeyPair::from_pem(key)?;
        Ok(Self { issuer: Issuer::from_ca_cert_der(&certificate, key)?, certificate, chain })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its certificate in PEM: what a bundle holds, if it is a root.
    pub fn certificate_pem(&self) -> String {
        armored("CERTIFICATE", &self.certificate)
    }

    /// Its private key in PEM (PKCS#8).
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a workload's certificate with the defaults.
    pub fn svid(&self, id: &SpiffeId, now: UnixTime) -> Result<Issued, IssueError> {
        self.issue(&LeafOptions::svid(id, now))
    }

    /// Issues a certificate that says what `options` say.
    pub fn issue(&self, options: &LeafOptions) -> Result<Issued, IssueError> {
        let serial = serial()?;
        let params = leaf_params(options, &serial)?;
        let key = generate(options.algorithm)?;
        let mut chain = vec![params.signed_by(&key, &self.issuer)?.into()];
        chain.extend_from_slice(&self.chain);
        Ok(Issued { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(), serial })
    }

    /// Issues a revocation list in PEM that names these serial numbers.
    pub fn crl(&self, revoked: &[&[u8]], validity: Validity) -> Result<String, IssueError> {
        let this_update = instant(validity.not_before)?;
        let entry = |serial: &&[u8]| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update: instant(validity.not_after)?,
            crl_number: SerialNumber::from(validity.not_before.as_secs()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca").finish_non_exhaustive()
    }
}

impl Issued {
    /// The chain in PEM, leaf first.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| armored("CERTIFICATE", der)).collect()
    }

    /// The private key in PEM (PKCS#8).
    pub fn key_pem(&self) -> String {
        armored("PRIVATE KEY", self.key.secret_der())
    }
}

impl Clone for Issued {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), serial: self.serial.clone() }
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

fn ca_params(name: &str, options: &CaOptions) -> Result<CertificateParams, IssueError> {
    let mut params = params(&options.validity, &serial()?, &options.extensions)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(match options.path_length {
        Some(length) => BasicConstraints::Constrained(length),
        None => BasicConstraints::Unconstrained,
    });
    params.key_usages = vec![Usage::KeyCertSign, Usage::CrlSign];
    Ok(params)
}

fn leaf_params(options: &LeafOptions, serial: &[u8]) -> Result<CertificateParams, IssueError> {
    let mut params = params(&options.validity, serial, &options.extensions)?;
    params.distinguished_name.push(DnType::OrganizationName, "landbridge");
    let uris = options.uris.iter().map(|uri| Ok(SanType::URI(uri.as_str().try_into()?)));
    let dns = options.dns.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
    let names: Result<Vec<SanType>, rcgen::Error> = uris.chain(dns).collect();
    params.subject_alt_names = names?;
    params.subject_alt_names.extend(options.addresses.iter().copied().map(SanType::IpAddress));
    params.is_ca = if options.ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params.key_usages.clone_from(&options.usages);
    params.extended_key_usages.clone_from(&options.purposes);
    Ok(params)
}

fn params(
    validity: &Validity,
    serial: &[u8],
    extensions: &[Extension],
) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.not_before = instant(validity.not_before)?;
    params.not_after = instant(validity.not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    for extension in extensions {
        let mut custom = CustomExtension::from_oid_content(&extension.oid, extension.der.clone());
        custom.set_criticality(extension.critical);
        params.custom_extensions.push(custom);
    }
    Ok(params)
}

fn generate(algorithm: Algorithm) -> Result<rcgen::KeyPair, rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(match algorithm {
        Algorithm::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Algorithm::Ed25519 => &rcgen::PKCS_ED25519,
        Algorithm::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
    })?;
    match algorithm {
        Algorithm::Ed25519 => key::without_public_half(&key),
        _ => Ok(key),
    }
}

/// 16 random bytes that are a positive INTEGER without padding (RFC 5280 section 4.1.2.2).
fn serial() -> Result<Vec<u8>, IssueError> {
    let mut bytes = [0; 16];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| IssueError::Random)?;
    let [first, ..] = &mut bytes;
    *first = (*first & 0x3f) | 0x40;
    Ok(bytes.to_vec())
}

fn instant(time: UnixTime) -> Result<OffsetDateTime, IssueError> {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(IssueError::Refused(rcgen::Error::Time))
}

#[cfg(test)]
pub(crate) mod tests;
