//! What every error of a path is called, those too that no peer can cause while other checks come first.

use std::time::Duration;

use landbridge_core::Flag;

use super::*;

fn id() -> SpiffeId {
    SpiffeId::parse("spiffe://td/a").unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn every_error_of_a_path_has_the_reason_of_its_kind() {
    let cases: [(Reason, &[Error]); 10] = [
        (Reason::CertUntrusted, &[Error::UnknownIssuer, Error::CertDistrusted]),
        (
            Reason::CertExpired,
            &[Error::CertExpired { time: at(9), not_after: at(2) }, Error::InvalidCertValidity],
        ),
        (Reason::CertNotYetValid, &[Error::CertNotValidYet { time: at(2), not_before: at(9) }]),
        (Reason::CertRevoked, &[Error::CertRevoked]),
        (Reason::LeafIsCa, &[Error::CaUsedAsEndEntity]),
        (Reason::ExtendedKeyUsage, &[Error::EmptyEkuExtension]),
        (Reason::BadSignature, &[Error::InvalidSignatureForPublicKey]),
        (
            Reason::CertMalformed,
            &[
                Error::BadDer,
                Error::BadDerTime,
                Error::ExtensionValueInvalid,
                Error::InvalidSerialNumber,
                Error::MalformedDnsIdentifier,
                Error::MalformedExtensions,
                Error::SignatureAlgorithmMismatch,
                Error::UnsupportedCertVersion,
                Error::UnsupportedCriticalExtension,
            ],
        ),
        (
            Reason::RevocationUnknown,
            &[
                Error::CrlExpired { time: at(9), next_update: at(2) },
                Error::InvalidCrlNumber,
                Error::InvalidCrlSignatureForPublicKey,
                Error::IssuerNotCrlSigner,
                Error::UnknownRevocationStatus,
                Error::UnsupportedCrlIssuingDistributionPoint,
                Error::UnsupportedCrlVersion,
                Error::UnsupportedDeltaCrl,
                Error::UnsupportedIndirectCrl,
                Error::UnsupportedRevocationReason,
                Error::UnsupportedRevocationReasonsPartitioning,
            ],
        ),
        (
            Reason::CertPath,
            &[
                Error::MaximumPathDepthExceeded,
                Error::MaximumSignatureChecksExceeded,
                Error::NameConstraintViolation,
                Error::PathLenConstraintViolated,
                Error::EndEntityUsedAsCa,
            ],
        ),
    ];
    for (reason, errors) in cases {
        for error in errors {
            let refusal = refusal(error, &id());
            assert_eq!((refusal.reason, refusal.identity), (reason, None), "{error:?}");
            assert_eq!(reason.flag(), Flag::An);
        }
    }
}

#[test]
fn the_detail_says_who_and_what_is_wrong() {
    let cases = [
        (Error::UnknownIssuer, "no path to a root of its trust entry"),
        (Error::CertExpired { time: at(9), not_after: at(2) }, "a certificate of the path expired 7 s ago"),
        (
            Error::CertNotValidYet { time: at(2), not_before: at(9) },
            "a certificate of the path is not valid for another 7 s",
        ),
        (Error::CrlExpired { time: at(9), next_update: at(2) }, "the CRL expired 7 s ago"),
        (Error::CertRevoked, "a certificate of the path is revoked"),
        (Error::UnknownRevocationStatus, "no CRL is about a certificate of the path"),
        (
            Error::InvalidCrlSignatureForPublicKey,
            "the CRL is not signed by the issuer of the path that it names",
        ),
        (Error::MaximumPathDepthExceeded, "the path has more than 6 intermediates"),
        (Error::PathLenConstraintViolated, "the path is longer than the path length of a CA permits"),
        (Error::EndEntityUsedAsCa, "an issuer of the path is not a CA"),
        (Error::BadDer, "BadDer"),
    ];
    for (error, detail) in cases {
        assert_eq!(refusal(&error, &id()).detail, format!("spiffe://td/a: {detail}"));
    }
    let constrained = refusal(&Error::NameConstraintViolation, &id()).detail;
    assert!(
        constrained.ends_with("(URI name constraints never do: they are not supported)"),
        "{constrained}"
    );
}

#[test]
fn a_better_known_cause_weighs_more() {
    let weights =
        [Error::UnknownIssuer, Error::InvalidSignatureForPublicKey, Error::CertRevoked, Error::BadDer];
    assert_eq!(weights.each_ref().map(weight), [0, 1, 2, 2]);
}
