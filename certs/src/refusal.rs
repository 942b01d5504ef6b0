//! Why a peer's certificate is not accepted, in our word, in TLS's alert and in a sentence.

use std::fmt;
use std::sync::Arc;

use landbridge_core::{Identity, Reason};
use rustls::{CertificateError, Error, OtherError};

/// A peer's certificate was refused, or its owner was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The word for it.
    pub reason: Reason,
    /// What exactly was wrong, for the log. Text of the peer's is quoted, escaped and bounded.
    pub detail: String,
    /// Who it was, where the certificate was verified and only the policy refused.
    pub identity: Option<Identity>,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), identity: None }
    }

    /// The error that makes rustls send exactly the alert of [`Reason::alert`].
    pub fn to_error(&self) -> Error {
        Error::InvalidCertificate(match self.reason.alert() {
            Some(42) => CertificateError::BadEncoding,
            Some(43) => CertificateError::InvalidPurpose,
            Some(44) => CertificateError::Revoked,
            Some(45) => CertificateError::Expired,
            Some(48) => CertificateError::UnknownIssuer,
            Some(49) => CertificateError::ApplicationVerificationFailure,
            Some(51) => CertificateError::BadSignature,
            _ => CertificateError::Other(OtherError(Arc::new(self.clone()))),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Refusal {}

/// Quotes text of the peer's: escaped, and at most 200 characters of it.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(200).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests;
