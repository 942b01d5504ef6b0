//! One certificate, and who issued it.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::rules::{Rule, purposes, rules, usages};
use super::{Validity, address, hex, kind_of};
use crate::leaf;
use crate::source::sha256;

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate itself.
    pub der: CertificateDer<'static>,
    /// Whose it is.
    pub subject: String,
    /// Who issued it, as it says.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// From when to when it is valid.
    pub validity: Validity,
    /// What kind of key it is for.
    pub kind: String,
    /// SHA-256 of its DER, in hexadecimal.
    pub sha256: String,
    /// Whether basic constraints call it a CA.
    pub ca: bool,
    /// How many CAs may follow below it, where it says so.
    pub path_length: Option<u32>,
    /// Its URI SANs; `None` for one that is not a string.
    pub uris: Vec<Option<String>>,
    /// Its DNS SANs.
    pub dns: Vec<String>,
    /// Its IP SANs.
    pub addresses: Vec<IpAddr>,
    /// What its key may do, in the words of X.509; `None` where it does not say.
    pub usages: Option<Vec<&'static str>>,
    /// What it is for, in the words of X.509; `None` where it does not say.
    pub purposes: Option<Vec<String>>,
    /// How it stands by the rules of X509-SVID.
    pub rules: Vec<Rule>,
    pub(super) public: Vec<u8>,
}

/// Who issued a certificate, as far as its file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// It issued itself: a root.
    Itself,
    /// The certificate at this place of the file, counted from 0.
    At(usize),
    /// One at this place has the issuer's name, and did not sign it.
    Namesake(usize),
    /// None that is in the file.
    Elsewhere,
}

/// How many certificates with the issuer's name are tried, so that a file cannot ask for endless work.
const NAMESAKES_MOST: usize = 8;

impl Certificate {
    pub(super) fn of(der: &CertificateDer<'static>) -> Result<Self, String> {
        let told = |error: x509_parser::error::X509Error| error.to_string();
        let parsed = leaf::parse(der).map_err(told)?;
        let uris = leaf::uris(&parsed).map_err(told)?.into_iter().map(|uri| uri.map(str::to_owned)).collect();
        let (dns, addresses) = names(&parsed).map_err(told)?;
        let constraints = parsed.basic_constraints().map_err(told)?;
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            serial: hex(parsed.raw_serial()),
            validity: Validity { not_before: leaf::start_of(&parsed), not_after: leaf::end_of(&parsed) },
            kind: kind_of(parsed.public_key()),
            sha256: hex(&sha256(der)),
            ca: parsed.is_ca(),
            path_length: constraints.and_then(|extension| extension.value.path_len_constraint),
            uris,
            dns,
            addresses,
            usages: parsed.key_usage().map_err(told)?.map(|extension| usages(*extension.value)),
            purposes: parsed.extended_key_usage().map_err(told)?.map(|extension| purposes(extension.value)),
            rules: rules(&parsed).map_err(told)?,
            public: parsed.public_key().subject_public_key.data.to_vec(),
            der: der.clone(),
        })
    }
}

fn names(
    certificate: &X509Certificate<'_>,
) -> Result<(Vec<String>, Vec<IpAddr>), x509_parser::error::X509Error> {
    let (mut dns, mut addresses) = (Vec::new(), Vec::new());
    if let Some(extension) = certificate.subject_alternative_name()? {
        for name in &extension.value.general_names {
            match name {
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
                _ => {}
            }
        }
    }
    Ok((dns, addresses))
}

/// Who issued each of these, in the same order.
pub fn issuers(certificates: &[Certificate]) -> Vec<Issuer> {
    let parsed: Vec<Option<X509Certificate<'_>>> =
        certificates.iter().map(|certificate| leaf::parse(&certificate.der).ok()).collect();
    let issuer = |(place, certificate): (usize, &Option<X509Certificate<'_>>)| {
        certificate.as_ref().map_or(Issuer::Elsewhere, |it| issuer_of(it, place, &parsed))
    };
    parsed.iter().enumerate().map(issuer).collect()
}

/// Whether `above` signed `below` and has the name of its issuer.
pub fn signed_by(below: &Certificate, above: &Certificate) -> bool {
    match (leaf::parse(&below.der), leaf::parse(&above.der)) {
        (Ok(below), Ok(above)) => crate::issue::issued_by(&below, &above),
        _ => false,
    }
}

fn issuer_of(certificate: &X509Certificate<'_>, place: usize, all: &[Option<X509Certificate<'_>>]) -> Issuer {
    let signed = |by: &X509Certificate<'_>| certificate.verify_signature(Some(by.public_key())).is_ok();
    if certificate.subject().as_raw() == certificate.issuer().as_raw() && signed(certificate) {
        return Issuer::Itself;
    }
    // The next one first: that is where it should be.
    let (before, after) = all.split_at(place.saturating_add(1).min(all.len()));
    let places = (before.len()..).zip(after).chain((0..).zip(before));
    let named = places.filter_map(|(place, other)| {
        other
            .as_ref()
            .filter(|other| other.subject().as_raw() == certificate.issuer().as_raw())
            .map(|other| (place, other))
    });
    let mut namesake = Issuer::Elsewhere;
    for (place, other) in named.take(NAMESAKES_MOST) {
        if signed(other) {
            return Issuer::At(place);
        }
        namesake = Issuer::Namesake(place);
    }
    namesake
}
