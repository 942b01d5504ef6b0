//! Who the gateway is: a certificate chain and the private key that goes with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landbridge_core::SpiffeId;
use landbridge_core::config::KeyPairFiles;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use zeroize::Zeroizing;

use crate::leaf;
use crate::source::{MOST, Source, SourceError};

/// A chain, leaf first, and its private key, checked to belong together.
///
/// Its `Debug` says who it is and shows no secret.
#[derive(Clone)]
pub struct KeyPair {
    certified: Arc<CertifiedKey>,
    resolver: Arc<SingleCertAndKey>,
    id: Option<SpiffeId>,
    not_before: UnixTime,
    not_after: UnixTime,
}

/// A certificate and a private key do not make an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read, or is not what it should be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The folder has no complete pair under any of the known names.
    #[error("no certificate and private key in {}; looked for {}", folder.display(), names(folder))]
    Folder {
        /// The folder.
        folder: PathBuf,
    },
    /// There is more than one private key, and no saying which is meant.
    #[error("{file} has {count} private keys; leave the one that belongs to the certificate")]
    SeveralKeys {
        /// The key's file.
        file: String,
        /// How many.
        count: usize,
    },
    /// The private key cannot be used.
    #[error("the private key in {file} cannot be used: {source}")]
    Key {
        /// The key's file.
        file: String,
        /// Why.
        source: rustls::Error,
    },
    /// The leaf cannot be decoded.
    #[error("the first certificate in {file} cannot be decoded: {detail}")]
    Leaf {
        /// The certificate's file.
        file: String,
        /// Why.
        detail: String,
    },
    /// The key belongs to another certificate of the chain.
    #[error(
        "the private key in {key} belongs to certificate {place} of {certificate}; the leaf comes first, then its issuers"
    )]
    Order {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Which certificate it belongs to, counted from 1.
        place: usize,
    },
    /// The key belongs to another certificate.
    #[error(
        "the private key in {key} does not belong to the certificate in {certificate}; was only one of them renewed?"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// The leaf has expired.
    #[error("the certificate in {file} expired {seconds} s ago; renew it")]
    Expired {
        /// The certificate's file.
        file: String,
        /// How long ago.
        seconds: u64,
    },
    /// The leaf is not valid yet.
    #[error("the certificate in {file} is not valid for another {seconds} s; compare the clocks")]
    NotYetValid {
        /// The certificate's file.
        file: String,
        /// For how long.
        seconds: u64,
    },
}

/// The names that certificate and key have in a folder, by who writes them.
const NAMES: [(&str, &str, &str); 3] = [
    ("cert-chain.pem", "key.pem", "Istio"),
    ("certificates.pem", "private_key.pem", "GKE"),
    ("tls.crt", "tls.key", "cert-manager"),
];

impl KeyPair {
    /// Makes an identity of PEM text: the chain, leaf first, and one private key (PKCS#8, PKCS#1, SEC1).
    ///
    /// # Errors
    /// The two do not belong together, cannot be decoded, or the leaf is not valid at `now`.
    pub fn from_pem(certificate: &[u8], key: &[u8], now: UnixTime) -> Result<Self, IdentityError> {
        let certificate = Source::new("the certificate", certificate);
        Self::of(&certificate, &Source::new("the private key", key), now)
    }

    /// Reads an identity from its files.
    ///
    /// # Errors
    /// As [`KeyPair::from_pem`], and where a file is missing, too large, or a key that every user of
    /// the machine can read.
    pub fn load(files: &KeyPairFiles, now: UnixTime) -> Result<Self, IdentityError> {
        let (certificate, key) = match files {
            KeyPairFiles::Pair { certificate, private_key } => (certificate.clone(), private_key.clone()),
            KeyPairFiles::Directory(folder) => pair_in(folder)?,
        };
        let certificate = Source::read(&certificate, MOST)?;
        Self::of(&certificate, &Source::read_key(&key)?, now)
    }

    /// Every file that [`KeyPair::load`] may read; some of a folder need not exist.
    pub fn files(files: &KeyPairFiles) -> Vec<PathBuf> {
        match files {
            KeyPairFiles::Pair { certificate, private_key } => vec![certificate.clone(), private_key.clone()],
            KeyPairFiles::Directory(folder) => NAMES
                .iter()
                .flat_map(|(certificate, key, _)| [folder.join(certificate), folder.join(key)])
                .collect(),
        }
    }

    fn of(certificate: &Source, key: &Source, now: UnixTime) -> Result<Self, IdentityError> {
        let chain = certificate.certificates()?;
        let Leaf { id, not_before, not_after } = examine(&certificate.name, &chain, now)?;
        let unusable = |source| IdentityError::Key { file: key.name.clone(), source };
        let der = only_key(key)?;
        let signing = any_supported_type(&der).map_err(unusable)?;
        let certified = CertifiedKey::new(chain, signing);
        if certified.keys_match().is_err() {
            return Err(mismatch(&certified, certificate, key));
        }
        let certified = Arc::new(certified);
        let resolver = Arc::new(SingleCertAndKey::from(certified.clone()));
        Ok(Self { certified, resolver, id, not_before, not_after })
    }

    /// The chain and the key, as rustls takes them.
    pub fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The chain and the key, presented whatever the client asks for.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.resolver.clone()
    }

    /// The same, presented whatever the server asks for.
    pub(crate) fn client_resolver(&self) -> Arc<dyn ResolvesClientCert> {
        self.resolver.clone()
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// The leaf's SPIFFE ID, where its one URI SAN is one.
    pub fn id(&self) -> Option<&SpiffeId> {
        self.id.as_ref()
    }

    /// The first second of the leaf's validity.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second of the leaf's validity.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("id", &self.id)
            .field("not_after", &self.not_after.as_secs())
            .finish_non_exhaustive()
    }
}

fn pair_in(folder: &Path) -> Result<(PathBuf, PathBuf), IdentityError> {
    NAMES
        .iter()
        .map(|(certificate, key, _)| (folder.join(certificate), folder.join(key)))
        .find(|(certificate, key)| certificate.exists() && key.exists())
        .ok_or_else(|| IdentityError::Folder { folder: folder.to_owned() })
}

/// What was looked for, and what of it is there.
fn names(folder: &Path) -> String {
    let told = |name: &str| {
        let there = folder.join(name).exists();
        format!("{name}{}", if there { " (found)" } else { "" })
    };
    let pairs = NAMES
        .iter()
        .map(|(certificate, key, writer)| format!("{} and {} ({writer})", told(certificate), told(key)));
    pairs.collect::<Vec<_>>().join(", ")
}

/// What a leaf says: its identity, if any, and its validity.
struct Leaf {
    id: Option<SpiffeId>,
    not_before: UnixTime,
    not_after: UnixTime,
}

/// Reads the leaf, once it is known to be valid now.
fn examine(file: &str, chain: &[CertificateDer<'static>], now: UnixTime) -> Result<Leaf, IdentityError> {
    let broken = |detail: String| IdentityError::Leaf { file: file.to_owned(), detail };
    let leaf = chain.first().ok_or_else(|| broken("there is none".to_owned()))?;
    let certificate = leaf::parse(leaf).map_err(|error| broken(error.to_string()))?;
    let (start, end) = (leaf::start_of(&certificate), leaf::end_of(&certificate));
    let file = file.to_owned();
    if now > end {
        let seconds = now.as_secs() - end.as_secs();
        return Err(IdentityError::Expired { file, seconds });
    }
    if now < start {
        let seconds = start.as_secs() - now.as_secs();
        return Err(IdentityError::NotYetValid { file, seconds });
    }
    let id = match leaf::uris(&certificate).as_deref() {
        Ok([Some(uri)]) => SpiffeId::parse(uri).ok(),
        _ => None,
    };
    Ok(Leaf { id, not_before: start, not_after: end })
}

/// The one private key, whose DER is erased once it has been loaded.
fn only_key(source: &Source) -> Result<Zeroizing<PrivateKeyDer<'static>>, IdentityError> {
    let mut keys: Vec<_> = source.keys()?.into_iter().map(Zeroizing::new).collect();
    let count = keys.len();
    match keys.pop() {
        Some(key) if keys.is_empty() => Ok(key),
        _ => Err(IdentityError::SeveralKeys { file: source.name.clone(), count }),
    }
}

fn mismatch(certified: &CertifiedKey, certificate: &Source, key: &Source) -> IdentityError {
    let belongs = |der: &CertificateDer<'static>| {
        CertifiedKey::new(vec![der.clone()], certified.key.clone()).keys_match().is_ok()
    };
    let (certificate_file, key_file) = (certificate.name.clone(), key.name.clone());
    match certified.cert.iter().position(belongs) {
        Some(place) => {
            IdentityError::Order { certificate: certificate_file, key: key_file, place: place + 1 }
        }
        None => IdentityError::Mismatch { certificate: certificate_file, key: key_file },
    }
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
