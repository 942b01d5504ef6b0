//! Files, and the PEM sections in them (RFC 7468), with errors that say what to do.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// The largest certificate, key or bundle that is read, in bytes: 1 MiB.
pub(crate) const MOST: u64 = 1 << 20;
/// The largest file of revocation lists that is read, in bytes: 32 MiB.
pub(crate) const MOST_CRL: u64 = 32 << 20;

/// A file cannot be read, or is not the PEM that it should be.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is a folder, a pipe, a device.
    #[error("{file} is not a regular file")]
    NotRegular {
        /// The file.
        file: String,
    },
    /// It is too large to be what it should be.
    #[error("{file} is larger than the {most} bytes that are read")]
    TooLarge {
        /// The file.
        file: String,
        /// The bound, in bytes.
        most: u64,
    },
    /// Every user of the machine could take the private key.
    #[error(
        "the private key {file} is open to every user of this machine (mode {mode:04o}); run: chmod o-rwx {file}"
    )]
    Exposed {
        /// The file.
        file: String,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no section of the kind that is wanted.
    #[error("no {what} in {file}; PEM is expected: -----BEGIN {label}-----")]
    Nothing {
        /// The file.
        file: String,
        /// What was looked for.
        what: &'static str,
        /// The label of its PEM section.
        label: &'static str,
    },
    /// The file is DER.
    #[error("{file} is DER, and PEM is expected; convert it with: openssl {tool} -inform der -in {file}")]
    Der {
        /// The file.
        file: String,
        /// The openssl command for its kind.
        tool: &'static str,
    },
    /// A section cannot be decoded.
    #[error("{file} is broken PEM: {detail}")]
    Broken {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// Some sections were passed over, because a line does not begin with its marker.
    #[error(
        "{file} announces {announced} sections \"{label}\", and only {read} can be read; is a line indented?"
    )]
    Skipped {
        /// The file.
        file: String,
        /// The label of the sections.
        label: &'static str,
        /// How often the marker occurs.
        announced: usize,
        /// How many sections were read.
        read: usize,
    },
    /// The private key is encrypted.
    #[error("the private key in {file} is encrypted; decrypt it with: openssl pkey -in {file}")]
    Encrypted {
        /// The file.
        file: String,
    },
}

/// The SHA-256 of what a file holds now, links followed; `None` where it cannot be read, or is more than
/// any file that is read here.
pub fn digest(path: &Path) -> Option<[u8; 32]> {
    Source::read(path, MOST_CRL).ok().map(|source| sha256(&source.text))
}

/// Text, and the name it goes by in errors. It may hold a private key, so its memory is erased.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &[u8]) -> Self {
        Self { name: name.to_owned(), text: Zeroizing::new(text.to_vec()) }
    }

    /// Reads a regular file of at most `most` bytes, following symbolic links.
    pub(crate) fn read(path: &Path, most: u64) -> Result<Self, SourceError> {
        let name = path.display().to_string();
        let failed = |source| SourceError::Read { file: name.clone(), source };
        // Asked by path first: opening a pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(SourceError::NotRegular { file: name });
        }
        let file = File::open(path).map_err(failed)?;
        // Room for all of it at once: text that grows leaves copies of itself behind.
        let room = usize::try_from(metadata.len().min(most) + 1).unwrap_or_default();
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        file.take(most + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > most {
            return Err(SourceError::TooLarge { file: name, most });
        }
        Ok(Self { name, text })
    }

    /// Reads a private key's file, unless every user of the machine can.
    ///
    /// The mode is that of the file a symbolic link leads to. Group permissions are fine: Kubernetes
    /// grants them with `fsGroup`. A file that the kubelet projects (a link into `..data/`) is
    /// world-readable by default inside a mount that only the pod has, and is accepted.
    pub(crate) fn read_key(path: &Path) -> Result<Self, SourceError> {
        let source = Self::read(path, MOST)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let failed = |error| SourceError::Read { file: source.name.clone(), source: error };
            let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
            if mode & 0o007 != 0 && !projected(path) {
                return Err(SourceError::Exposed { file: source.name, mode });
            }
        }
        Ok(source)
    }

    /// Every certificate, in order.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, SourceError> {
        self.sections("certificate", "CERTIFICATE", "x509")
    }

    /// Every revocation list, in order.
    pub(crate) fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, SourceError> {
        self.sections("revocation list", "X509 CRL", "crl")
    }

    /// Every private key, in order: PKCS#8, PKCS#1 or SEC1.
    pub(crate) fn keys(&self) -> Result<Vec<PrivateKeyDer<'static>>, SourceError> {
        let marks: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];
        if marks.iter().any(|mark| occurrences(&self.text, mark) > 0) {
            return Err(SourceError::Encrypted { file: self.name.clone() });
        }
        self.decode("private key", "PRIVATE KEY", "pkey")
    }

    /// Whether there is a section of this label, readable or not.
    #[cfg(feature = "issue")]
    pub(crate) fn announces(&self, label: &str) -> bool {
        occurrences(&self.text, format!("-----BEGIN {label}-----").as_bytes()) > 0
    }

    fn sections<T: PemObject>(
        &self,
        what: &'static str,
        label: &'static str,
        tool: &'static str,
    ) -> Result<Vec<T>, SourceError> {
        let found = self.decode(what, label, tool)?;
        let announced = occurrences(&self.text, format!("-----BEGIN {label}-----").as_bytes());
        if announced != found.len() {
            return Err(SourceError::Skipped {
                file: self.name.clone(),
                label,
                announced,
                read: found.len(),
            });
        }
        Ok(found)
    }

    fn decode<T: PemObject>(
        &self,
        what: &'static str,
        label: &'static str,
        tool: &'static str,
    ) -> Result<Vec<T>, SourceError> {
        let text = self.text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.text);
        let found: Vec<T> = T::pem_slice_iter(text)
            .collect::<Result<_, _>>()
            .map_err(|error| SourceError::Broken { file: self.name.clone(), detail: told(&error) })?;
        if !found.is_empty() {
            return Ok(found);
        }
        let file = self.name.clone();
        Err(match text.first() {
            // A DER SEQUENCE.
            Some(0x30) => SourceError::Der { file, tool },
            _ => SourceError::Nothing { file, what, label },
        })
    }
}

fn told(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("the line -----END {}----- is missing", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { .. } => "a -----BEGIN line does not end in five dashes".to_owned(),
        pem::Error::Base64Decode(_) => "a section is not base64".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    if let Some(suite) = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13() {
        let hash = suite.common.hash_provider.hash(bytes);
        for (slot, byte) in sum.iter_mut().zip(hash.as_ref()) {
            *slot = *byte;
        }
    }
    sum
}

fn occurrences(text: &[u8], mark: &[u8]) -> usize {
    text.windows(mark.len()).filter(|window| *window == mark).count()
}

/// Whether `path` is a link into the folder that the kubelet swaps to update a volume.
#[cfg(unix)]
fn projected(path: &Path) -> bool {
    std::fs::read_link(path).is_ok_and(|target| target.starts_with("..data"))
}
