//! Private keys in files, as they are taken for issuing.

use std::path::Path;

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::source::{MOST, Source, SourceError};

/// A private key cannot be taken from its file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or holds no private key.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file holds certificates where a key is expected.
    #[error("{file} holds a certificate, and a private key is expected; were two files swapped?")]
    Certificate {
        /// The file.
        file: String,
    },
    /// There is more than one.
    #[error("{file} has {count} private keys; leave the one that is meant")]
    Several {
        /// The file.
        file: String,
        /// How many.
        count: usize,
    },
    /// It is broken, or of a kind that nothing here can sign with.
    #[error(
        "the private key in {file} cannot be used: it is broken, or not of a supported kind (ECDSA, Ed25519, RSA)"
    )]
    Unusable {
        /// The file.
        file: String,
    },
}

/// Reads the one private key of a file: PKCS#8, PKCS#1 or SEC1, in PEM.
///
/// # Errors
/// There is none, more than one, it is encrypted, or every user of the machine could read it.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, KeyError> {
    let source = Source::read(path, MOST)?;
    let mut keys = match source.keys() {
        Err(SourceError::Nothing { file, .. }) if source.certificates().is_ok() => {
            return Err(KeyError::Certificate { file });
        }
        keys => keys?,
    };
    // Only now who may read it: for what is no key the mode is no mistake.
    Source::read_key(path)?;
    let count = keys.len();
    match keys.pop() {
        Some(key) if keys.is_empty() => Ok(key),
        _ => Err(KeyError::Several { file: source.name, count }),
    }
}

/// The same Ed25519 key as a PrivateKeyInfo (RFC 5208).
///
/// It is made as a OneAsymmetricKey (RFC 5958) that carries its public half, which OpenSSL before 3.2
/// cannot read.
pub(super) fn without_public_half(key: &rcgen::KeyPair) -> Result<rcgen::KeyPair, rcgen::Error> {
    /// Version 0, the algorithm, and an OCTET STRING of 32 bytes in another (RFC 8410 section 7).
    const HEAD: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let made = key.serialized_der();
    let secret = made.get(HEAD.len()..HEAD.len() + 32).ok_or(rcgen::Error::CouldNotParseKeyPair)?;
    let der = [&HEAD[..], secret].concat();
    let plain = rcgen::KeyPair::try_from(&PrivatePkcs8KeyDer::from(der))?;
    if plain.public_key_raw() == key.public_key_raw() {
        Ok(plain)
    } else {
        Err(rcgen::Error::CouldNotParseKeyPair)
    }
}

/// The same, ready to sign.
pub(super) fn load_signer(path: &Path) -> Result<rcgen::KeyPair, KeyError> {
    let unusable = |_| KeyError::Unusable { file: path.display().to_string() };
    rcgen::KeyPair::try_from(&load_key(path)?).map_err(unusable)
}
