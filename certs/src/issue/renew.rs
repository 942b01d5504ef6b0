//! The same certificate again, with new dates: same names and uses, same key or a new one.

use std::time::Duration;

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyUsagePurpose as Usage, SanType,
    SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::authority::{issued_by, name_of};
use super::{Algorithm, Ca, IssueError, Issued, Validity, generate, instant, serial};
use crate::leaf;
use crate::refusal::quoted;

/// Whose key the renewed certificate is for.
#[derive(Debug)]
pub enum NewKey {
    /// The old certificate's.
    Same(PrivateKeyDer<'static>),
    /// A new one; `None` is of the kind of the old one's.
    Fresh(Option<Algorithm>),
}

/// A certificate cannot be renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It cannot be decoded.
    #[error("it cannot be decoded: {0}")]
    Broken(String),
    /// It is a CA's.
    #[error("it is a CA's; make a new CA with: landbridge certs ca, or: landbridge certs intermediate")]
    Ca,
    /// Another CA issued it.
    #[error("it was issued by {issuer}, and this CA is {ca}; give the CA that issued it")]
    Foreign {
        /// Who issued it.
        issuer: String,
        /// Who is asked to renew it.
        ca: String,
    },
    /// It has the CA's name for its issuer, and the CA did not sign it.
    #[error("its issuer has this CA's name ({ca}) and another key; give the CA that issued it")]
    Namesake {
        /// The name.
        ca: String,
    },
    /// The key is another's.
    #[error("the private key does not belong to it; leave --key out for a new key")]
    Mismatch,
    /// The key cannot be used.
    #[error("its private key is of a kind that cannot be made here; name one with --algorithm")]
    Kind,
    /// It says something that would be lost.
    #[error("it has {0}, which a renewal would lose; issue it with the tool that made it")]
    Unknown(String),
    /// Signing failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl From<rcgen::Error> for RenewError {
    fn from(error: rcgen::Error) -> Self {
        Self::Issue(error.into())
    }
}

impl Ca {
    /// Issues `old` again, which this CA must have issued: same subject, names and uses, a new serial
    /// number, and this validity.
    pub fn renew(
        &self,
        old: &CertificateDer<'_>,
        key: NewKey,
        validity: Validity,
    ) -> Result<Issued, RenewError> {
        let certificate = leaf::parse(old).map_err(|error| RenewError::Broken(error.to_string()))?;
        if certificate.is_ca() {
            return Err(RenewError::Ca);
        }
        self.recognise(&certificate)?;
        let serial = serial()?;
        let mut params = params_of(&certificate)?;
        params.not_before = instant(validity.not_before)?;
        params.not_after = instant(validity.not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let (signer, key) = match key {
            NewKey::Same(key) => {
                let signer = rcgen::KeyPair::try_from(&key)?;
                if signer.public_key_raw() != &*certificate.public_key().subject_public_key.data {
                    return Err(RenewError::Mismatch);
                }
                (signer, key)
            }
            NewKey::Fresh(algorithm) => {
                let algorithm = algorithm.or_else(|| kind_of(&certificate)).ok_or(RenewError::Kind)?;
                let signer = generate(algorithm)?;
                let der = PrivatePkcs8KeyDer::from(signer.serialize_der());
                (signer, der.into())
            }
        };
        let mut chain = vec![params.signed_by(&signer, &self.issuer)?.into()];
        chain.extend_from_slice(&self.chain);
        Ok(Issued { chain, key, serial })
    }

    /// Checks that this CA issued it.
    fn recognise(&self, certificate: &X509Certificate<'_>) -> Result<(), RenewError> {
        let own = leaf::parse(&self.certificate).map_err(|error| RenewError::Broken(error.to_string()))?;
        let ca = quoted(&own.subject().to_string());
        if issued_by(certificate, &own) {
            Ok(())
        } else if certificate.issuer().as_raw() == own.subject().as_raw() {
            Err(RenewError::Namesake { ca })
        } else {
            Err(RenewError::Foreign { issuer: quoted(&certificate.issuer().to_string()), ca })
        }
    }

    /// The serial number of a certificate that this CA issued, as a revocation list names it.
    pub fn serial_of(&self, certificate: &CertificateDer<'_>) -> Result<Vec<u8>, RenewError> {
        let parsed = leaf::parse(certificate).map_err(|error| RenewError::Broken(error.to_string()))?;
        self.recognise(&parsed)?;
        Ok(parsed.raw_serial().to_vec())
    }
}

impl Validity {
    /// As long as the certificate lasted, from a minute before `now`.
    pub fn as_long_as(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<Self> {
        let parsed = leaf::parse(certificate).ok()?;
        let (start, end) = (leaf::start_of(&parsed).as_secs(), leaf::end_of(&parsed).as_secs());
        let begin = Self::starting(now, Duration::ZERO).not_before;
        let last = begin.as_secs().saturating_add(end.saturating_sub(start));
        Some(Self { not_before: begin, not_after: UnixTime::since_unix_epoch(Duration::from_secs(last)) })
    }
}

/// What the certificate says, without dates and serial number.
fn params_of(certificate: &X509Certificate<'_>) -> Result<CertificateParams, RenewError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name_of(certificate)
        .ok_or_else(|| RenewError::Unknown("a subject of an unusual shape".to_owned()))?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    params.subject_alt_names.push(san(name)?);
                }
            }
            ParsedExtension::KeyUsage(usage) => params.key_usages = usages(usage.flags),
            ParsedExtension::ExtendedKeyUsage(usage) => params.extended_key_usages = purposes(usage)?,
            ParsedExtension::BasicConstraints(_)
            | ParsedExtension::SubjectKeyIdentifier(_)
            | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ => return Err(RenewError::Unknown(format!("the extension {}", extension.oid))),
        }
    }
    Ok(params)
}

fn san(name: &GeneralName<'_>) -> Result<SanType, RenewError> {
    let unknown = || RenewError::Unknown(format!("the name {}", quoted(&name.to_string())));
    match name {
        GeneralName::URI(uri) => (*uri).try_into().map(SanType::URI).map_err(|_| unknown()),
        GeneralName::DNSName(dns) => (*dns).try_into().map(SanType::DnsName).map_err(|_| unknown()),
        GeneralName::RFC822Name(mail) => (*mail).try_into().map(SanType::Rfc822Name).map_err(|_| unknown()),
        GeneralName::IPAddress(octets) => {
            crate::inspect::address(octets).map(SanType::IpAddress).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn usages(flags: u16) -> Vec<Usage> {
    let all = [
        Usage::DigitalSignature,
        Usage::ContentCommitment,
        Usage::KeyEncipherment,
        Usage::DataEncipherment,
        Usage::KeyAgreement,
        Usage::KeyCertSign,
        Usage::CrlSign,
        Usage::EncipherOnly,
        Usage::DecipherOnly,
    ];
    all.into_iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, usage)| usage).collect()
}

fn purposes(usage: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Result<Vec<Purpose>, RenewError> {
    let known = [
        (usage.any, Purpose::Any),
        (usage.client_auth, Purpose::ClientAuth),
        (usage.server_auth, Purpose::ServerAuth),
        (usage.code_signing, Purpose::CodeSigning),
        (usage.email_protection, Purpose::EmailProtection),
        (usage.time_stamping, Purpose::TimeStamping),
        (usage.ocsp_signing, Purpose::OcspSigning),
    ];
    let mut purposes: Vec<Purpose> =
        known.into_iter().filter(|(is, _)| *is).map(|(_, purpose)| purpose).collect();
    for oid in &usage.other {
        let numbers = oid.iter().ok_or_else(|| RenewError::Unknown(format!("the purpose {oid}")))?;
        purposes.push(Purpose::Other(numbers.collect()));
    }
    Ok(purposes)
}

fn kind_of(certificate: &X509Certificate<'_>) -> Option<Algorithm> {
    match crate::inspect::kind_of(certificate.public_key()).as_str() {
        "ECDSA P-256" => Some(Algorithm::P256),
        "ECDSA P-384" => Some(Algorithm::P384),
        "Ed25519" => Some(Algorithm::Ed25519),
        "RSA 2048" => Some(Algorithm::Rsa2048),
        _ => None,
    }
}
