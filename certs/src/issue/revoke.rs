//! A revocation list, begun or extended: what was revoked once stays revoked.

use std::path::Path;

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateRevocationListDer;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::num_bigint::BigUint;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

use super::{Ca, IssueError, Usage, Validity, armored, instant};
use crate::leaf;
use crate::refusal::quoted;
use crate::source::{MOST_CRL, Source, SourceError};
use crate::trust::path::key_id;

/// The file of a revocation list, as it should be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// Every list, PEM: this CA's own, and those of others that the file had.
    pub pem: String,
    /// How many certificates of this CA are revoked.
    pub revoked: usize,
    /// How many of them were not before.
    pub added: usize,
    /// Who issues the other lists of the file.
    pub others: Vec<String>,
}

/// A revocation list cannot be made or extended.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The file cannot be read, or holds no list.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A list of the file cannot be decoded.
    #[error(
        "revocation list {place} of {file} cannot be decoded: {detail}; move the file away to begin anew"
    )]
    Broken {
        /// The file.
        file: String,
        /// Which list, counted from 1.
        place: usize,
        /// Why.
        detail: String,
    },
    /// A list claims to be this CA's, and its signature does not verify.
    #[error(
        "revocation list {place} of {file} names this CA as its issuer, and this CA did not sign it; was it altered, or is the CA new?"
    )]
    Forged {
        /// The file.
        file: String,
        /// Which list, counted from 1.
        place: usize,
    },
    /// A list of this CA says something that would be lost.
    #[error(
        "revocation list {place} of {file} has the extension {oid}, which would be lost; extend it with the tool that made it"
    )]
    Unknown {
        /// The file.
        file: String,
        /// Which list, counted from 1.
        place: usize,
        /// The extension.
        oid: String,
    },
    /// The CA's key usage does not let it sign lists.
    #[error("the CA may not sign revocation lists: its key usage lacks cRLSign")]
    MayNotSign,
    /// Signing failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// This CA's list while it grows.
struct Growing {
    entries: Vec<RevokedCertParams>,
    number: BigUint,
}

impl Ca {
    /// Revokes `serials` (the contents of DER INTEGERs), keeping what the lists in `known` revoke.
    ///
    /// Lists of other CAs in that file are kept as they are.
    ///
    /// # Errors
    /// What is in the file could not be kept, or this CA may not sign lists.
    pub fn revoke(
        &self,
        known: Option<&Path>,
        serials: &[Vec<u8>],
        validity: Validity,
    ) -> Result<Revocations, RevokeError> {
        let broken = |error: x509_parser::error::X509Error| IssueError::Ca(error.to_string());
        let own = leaf::parse(&self.certificate).map_err(broken)?;
        let usages = self.issuer.key_usages();
        if !usages.is_empty() && !usages.contains(&Usage::CrlSign) {
            return Err(RevokeError::MayNotSign);
        }
        let mut growing =
            Growing { entries: Vec::new(), number: BigUint::from(validity.not_before.as_secs()) };
        let (mut kept, mut others) = (String::new(), Vec::new());
        if let Some(path) = known {
            let source = Source::read(path, MOST_CRL)?;
            for (index, der) in source.revocation_lists()?.iter().enumerate() {
                let place = Place { file: &source.name, place: index + 1 };
                if let Some(issuer) = growing.take(der, &own, &place)? {
                    kept += &armored("X509 CRL", der);
                    others.push(issuer);
                }
            }
        }
        let before = growing.entries.len();
        growing.add(serials, instant(validity.not_before)?);
        let (revoked, added) = (growing.entries.len(), growing.entries.len() - before);
        let list = self.sign_list(growing, validity, &own)?;
        Ok(Revocations { pem: list + &kept, revoked, added, others })
    }

    fn sign_list(
        &self,
        growing: Growing,
        validity: Validity,
        own: &X509Certificate<'_>,
    ) -> Result<String, IssueError> {
        let list = CertificateRevocationListParams {
            this_update: instant(validity.not_before)?,
            next_update: instant(validity.not_after)?,
            crl_number: SerialNumber::from(growing.number.to_bytes_be()),
            issuing_distribution_point: None,
            revoked_certs: growing.entries,
            key_identifier_method: match key_id::of_subject(own) {
                Some(id) => KeyIdMethod::PreSpecified(id.to_vec()),
                None => KeyIdMethod::Sha256,
            },
        };
        Ok(armored("X509 CRL", list.signed_by(&self.issuer)?.der()))
    }
}

/// A list in a file, for errors.
struct Place<'a> {
    file: &'a str,
    place: usize,
}

impl Growing {
    /// Takes over a list of this CA's own; returns the issuer of one that is another's.
    fn take(
        &mut self,
        der: &CertificateRevocationListDer<'_>,
        own: &X509Certificate<'_>,
        Place { file, place }: &Place<'_>,
    ) -> Result<Option<String>, RevokeError> {
        let (file, place) = ((*file).to_owned(), *place);
        let list = match CertificateRevocationList::from_der(der) {
            Ok((&[], list)) => list,
            Ok(_) => {
                return Err(RevokeError::Broken { file, place, detail: "bytes follow it".to_owned() });
            }
            Err(error) => return Err(RevokeError::Broken { file, place, detail: error.to_string() }),
        };
        let issuer = || Ok(Some(quoted(&list.issuer().to_string())));
        if list.issuer().as_raw() != own.subject().as_raw() {
            return issuer();
        }
        if list.verify_signature(own.public_key()).is_err() {
            let namesake = matches!(
                (key_id_of(&list), key_id::of_subject(own)), (Some(theirs), Some(ours)) if *theirs != *ours
            );
            return if namesake { issuer() } else { Err(RevokeError::Forged { file, place }) };
        }
        let unknown = list.extensions().iter().find(|extension| {
            !matches!(
                extension.parsed_extension(),
                ParsedExtension::AuthorityKeyIdentifier(_) | ParsedExtension::CRLNumber(_)
            )
        });
        if let Some(extension) = unknown {
            return Err(RevokeError::Unknown { file, place, oid: extension.oid.to_string() });
        }
        if let Some(number) = list.crl_number() {
            self.number = self.number.clone().max(number + 1u32);
        }
        self.entries.extend(list.iter_revoked_certificates().filter_map(entry));
        Ok(None)
    }

    fn add(&mut self, serials: &[Vec<u8>], now: OffsetDateTime) {
        for serial in serials {
            let serial = BigUint::from_bytes_be(serial).to_bytes_be();
            let known = |entry: &RevokedCertParams| {
                BigUint::from_bytes_be(&entry.serial_number.to_bytes()).to_bytes_be() == serial
            };
            if !self.entries.iter().any(known) {
                self.entries.push(RevokedCertParams {
                    serial_number: SerialNumber::from(serial),
                    revocation_time: now,
                    reason_code: None,
                    invalidity_date: None,
                });
            }
        }
    }
}

/// An entry as it was; `None` for one whose date cannot be written, which no parser lets through.
fn entry(revoked: &RevokedCertificate<'_>) -> Option<RevokedCertParams> {
    Some(RevokedCertParams {
        serial_number: SerialNumber::from(revoked.serial().to_bytes_be()),
        revocation_time: OffsetDateTime::from_unix_timestamp(revoked.revocation_date.timestamp()).ok()?,
        reason_code: revoked.reason_code().and_then(|(_, code)| reason(code.0)),
        invalidity_date: revoked
            .invalidity_date()
            .and_then(|(_, date)| OffsetDateTime::from_unix_timestamp(date.timestamp()).ok()),
    })
}

fn reason(code: u8) -> Option<RevocationReason> {
    Some(match code {
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        8 => RevocationReason::RemoveFromCrl,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        _ => return None,
    })
}

fn key_id_of(list: &CertificateRevocationList<'_>) -> Option<Vec<u8>> {
    list.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::testing::{now, root};

    #[test]
    fn dates_reasons_and_numbers_of_a_list_are_kept() {
        let ca = root("root");
        let validity = Validity::starting(now(), super::super::CRL_LIFETIME);
        let since = OffsetDateTime::from_unix_timestamp(1_600_000_000).unwrap();
        let codes = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10];
        let entries = codes.iter().map(|code| RevokedCertParams {
            serial_number: SerialNumber::from(vec![0x80, *code]),
            revocation_time: since,
            reason_code: reason(*code),
            invalidity_date: (*code == 1).then_some(since),
        });
        let number = BigUint::from(u64::MAX) + 1u32;
        let growing = Growing { entries: entries.collect(), number: number.clone() };
        let before = ca.sign_list(growing, validity, &leaf::parse(ca.certificate()).unwrap()).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(before.as_bytes()).unwrap();

        let known = [vec![0x00, 0x80, 0x04], vec![0x00, 0x90]];
        let after = ca.revoke(Some(file.path()), &known, validity).unwrap();
        assert_eq!((after.revoked, after.added), (codes.len() + 1, 1));
        let der = Source::new("after", after.pem.as_bytes()).revocation_lists().unwrap();
        let (_, list) = CertificateRevocationList::from_der(&der[0]).unwrap();
        assert_eq!(list.crl_number(), Some(&(number + 1u32)));
        for (entry, code) in list.iter_revoked_certificates().zip(codes) {
            assert_eq!(entry.raw_serial(), [0, 0x80, code]);
            assert_eq!(entry.revocation_date.timestamp(), since.unix_timestamp());
            assert_eq!(entry.reason_code().map_or(0, |(_, found)| found.0), code);
            assert_eq!(entry.invalidity_date().is_some(), code == 1);
        }
    }

    #[test]
    fn a_ca_that_may_not_sign_lists_does_not() {
        use crate::issue::LeafOptions;
        let options = LeafOptions { ca: true, usages: vec![Usage::KeyCertSign], ..LeafOptions::new(now()) };
        let issued = root("root").issue(&options).unwrap();
        let ca = Ca::from_pem(&issued.chain_pem(), &issued.key_pem()).unwrap();
        let validity = Validity::starting(now(), super::super::CRL_LIFETIME);
        assert!(matches!(ca.revoke(None, &[], validity), Err(RevokeError::MayNotSign)));
    }
}
