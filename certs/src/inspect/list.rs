//! One revocation list.

use std::time::Duration;

use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};
use x509_parser::time::ASN1Time;

use super::hex;

/// What a revocation list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Who issued it, as it says.
    pub issuer: String,
    /// Its number, which grows with every issue.
    pub number: Option<String>,
    /// When it was issued.
    pub this_update: UnixTime,
    /// Until when it holds; `None` where it does not say.
    pub next_update: Option<UnixTime>,
    /// Whom it revokes.
    pub revoked: Vec<Revoked>,
}

/// One certificate on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Since when.
    pub since: UnixTime,
    /// Why, where the list says so.
    pub reason: Option<String>,
}

impl List {
    pub(super) fn of(der: &CertificateRevocationListDer<'_>) -> Result<Self, String> {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
        if !rest.is_empty() {
            return Err("bytes follow it".to_owned());
        }
        Ok(Self {
            issuer: list.issuer().to_string(),
            number: list.crl_number().map(ToString::to_string),
            this_update: unix(list.last_update()),
            next_update: list.next_update().map(unix),
            revoked: list.iter_revoked_certificates().map(revoked).collect(),
        })
    }
}

fn revoked(certificate: &RevokedCertificate<'_>) -> Revoked {
    Revoked {
        serial: hex(certificate.raw_serial()),
        since: unix(certificate.revocation_date),
        reason: certificate.reason_code().map(|(_, code)| code.to_string()),
    }
}

fn unix(time: ASN1Time) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0)))
}
