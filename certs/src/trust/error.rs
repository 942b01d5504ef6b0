//! What can be wrong with a trust entry.

use std::fmt;

use landbridge_core::TrustName;

use crate::source::SourceError;

/// A trust entry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read, or is not what it should be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bundle begins like JSON and is not a SPIFFE trust bundle.
    #[error("{file} is not a SPIFFE trust bundle: {source}")]
    Json {
        /// The bundle.
        file: String,
        /// What the JSON parser says.
        source: serde_json::Error,
    },
    /// A key of the JSON bundle does not hold one certificate.
    #[error("key {place} of {file} must have exactly one certificate in x5c, and has {count}")]
    X5c {
        /// The bundle.
        file: String,
        /// Which key, counted from 1.
        place: usize,
        /// How many it has.
        count: usize,
    },
    /// The JSON bundle has no key for X509-SVIDs.
    #[error(
        "{file} has no key with \"use\": \"x509-svid\", so nobody could be believed; add a root, remove the trust entry, or say that all are revoked by an empty list: {{\"keys\": []}}"
    )]
    Empty {
        /// The bundle.
        file: String,
    },
    /// A certificate of the bundle cannot be decoded.
    #[error("certificate {place} of {file} cannot be decoded: {detail}")]
    Certificate {
        /// The bundle.
        file: String,
        /// Which certificate, counted from 1.
        place: usize,
        /// Why.
        detail: String,
    },
    /// A certificate of the bundle is not a CA's.
    #[error(
        "certificate {place} of {file} is not a CA ({subject}); a bundle holds the roots of a trust domain"
    )]
    NotACa {
        /// The bundle.
        file: String,
        /// Which certificate, counted from 1.
        place: usize,
        /// Whose it is.
        subject: String,
    },
    /// A revocation list cannot be decoded, or is of an unsupported kind.
    #[error("revocation list {place} of {file} cannot be used: {detail}")]
    Crl {
        /// The file of revocation lists.
        file: String,
        /// Which list, counted from 1.
        place: usize,
        /// Why.
        detail: String,
    },
    /// Two entries have one name.
    #[error("two trust entries are called {name}; give each a name of its own")]
    Duplicate {
        /// The name.
        name: TrustName,
    },
}

/// Something in a trust entry is out of date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustWarning {
    /// The bundle says that there is no root any more.
    NoRoots {
        /// The bundle.
        file: String,
    },
    /// A root has expired.
    RootExpired {
        /// The bundle.
        file: String,
        /// Whose it is.
        subject: String,
    },
    /// A root is not valid yet.
    RootNotYetValid {
        /// The bundle.
        file: String,
        /// Whose it is.
        subject: String,
    },
    /// A revocation list has expired.
    CrlExpired {
        /// The file of revocation lists.
        file: String,
        /// Who issues it.
        issuer: String,
    },
}

impl fmt::Display for TrustWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots { file } => {
                write!(f, "{file} has an empty list of keys: nobody of this trust entry is believed")
            }
            Self::RootExpired { file, subject } => {
                write!(f, "a root in {file} has expired and vouches for nobody: {subject}")
            }
            Self::RootNotYetValid { file, subject } => {
                write!(f, "a root in {file} is not valid yet and vouches for nobody: {subject}")
            }
            Self::CrlExpired { file, issuer } => write!(
                f,
                "a revocation list in {file} has expired; until it is renewed, nobody is let in whom it could name: {issuer}"
            ),
        }
    }
}
