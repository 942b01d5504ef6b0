//! Who the gateway is and whom it believes, as one value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use landbridge_certs::{KeyPair, TrustEntry, TrustStore};
use landbridge_core::config::{IdentityFiles, KeyPairFiles, TrustFiles};
use rustls_pki_types::{CertificateDer, UnixTime};

/// The gateway's certificates and the trust entries it verifies callers by.
#[derive(Debug, Clone)]
pub struct Credentials {
    own: Option<KeyPair>,
    named: BTreeMap<String, KeyPair>,
    trust: Arc<TrustStore>,
    warnings: Vec<FileProblem>,
}

/// What is wrong with a file that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Every file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsError(pub Vec<FileProblem>);

impl Credentials {
    /// Credentials from material that is loaded already.
    ///
    /// `own` is what services present that name no identity; `named` are the others.
    ///
    /// # Errors
    /// Two trust entries of the same name.
    pub fn new(
        own: Option<KeyPair>,
        named: BTreeMap<String, KeyPair>,
        trust: Vec<TrustEntry>,
    ) -> Result<Self, landbridge_certs::TrustError> {
        Ok(Self { own, named, trust: Arc::new(TrustStore::new(trust)?), warnings: Vec::new() })
    }

    /// Reads and checks every file that a configuration names, now.
    ///
    /// # Errors
    /// Every file that can't be used, not only the first.
    pub fn load(identity: &IdentityFiles, trust: &[TrustFiles]) -> Result<Self, CredentialsError> {
        let now = UnixTime::now();
        let mut problems = Vec::new();
        let mut loaded = |files: &KeyPairFiles| match KeyPair::load(files, now) {
            Ok(pair) => Some(pair),
            Err(error) => {
                problems.push(FileProblem { path: place(files), message: error.to_string() });
                None
            }
        };
        let own = identity.own.as_ref().and_then(&mut loaded);
        let named =
            identity.named.iter().filter_map(|(name, files)| Some((name.clone(), loaded(files)?))).collect();
        let mut entries = Vec::new();
        let mut warnings = Vec::new();
        for files in trust {
            match TrustEntry::load(files, now) {
                Ok(entry) => {
                    warnings.extend(entry.warnings().iter().map(|warning| FileProblem {
                        path: files.bundle.clone(),
                        message: warning.to_string(),
                    }));
                    entries.push(entry);
                }
                Err(error) => {
                    problems.push(FileProblem { path: files.bundle.clone(), message: error.to_string() });
                }
            }
        }
        if !problems.is_empty() {
            return Err(CredentialsError(problems));
        }
        let trust = TrustStore::new(entries).map_err(|error| {
            let path = trust.first().map(|files| files.bundle.clone()).unwrap_or_default();
            CredentialsError(vec![FileProblem { path, message: error.to_string() }])
        })?;
        Ok(Self { own, named, trust: Arc::new(trust), warnings })
    }

    /// The same with another identity for the gateway itself.
    #[must_use]
    pub fn with_own(mut self, pair: KeyPair) -> Self {
        self.own = Some(pair);
        self
    }

    /// The same with another identity of this name.
    #[must_use]
    pub fn with_named(mut self, name: &str, pair: KeyPair) -> Self {
        self.named.insert(name.to_owned(), pair);
        self
    }

    /// The same with `entry` in the place of the trust entry of its name.
    #[must_use]
    pub fn with_trust(mut self, entry: TrustEntry) -> Self {
        self.trust = Arc::new(self.trust.with(entry));
        self
    }

    /// The same with a further trust entry, or another in the place of the one of its name.
    #[must_use]
    pub fn trusting(mut self, entry: Arc<TrustEntry>) -> Self {
        self.trust = Arc::new(self.trust.joined_by(entry));
        self
    }

    /// Whether all of it is what `other` has: the same certificates, roots and lists, wherever they came
    /// from. A certificate's key is always its own.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        fn chains(credentials: &Credentials) -> impl Iterator<Item = (Option<&str>, &[CertificateDer<'_>])> {
            let own = credentials.own().map(|pair| (None, pair.chain()));
            own.into_iter().chain(credentials.all_named().map(|(name, pair)| (Some(name), pair.chain())))
        }
        chains(self).eq(chains(other)) && self.trust.is_same_as(&other.trust)
    }

    /// The gateway's own identity.
    pub fn own(&self) -> Option<&KeyPair> {
        self.own.as_ref()
    }

    /// The identity of this name.
    pub fn named(&self, name: &str) -> Option<&KeyPair> {
        self.named.get(name)
    }

    /// Every further identity, by name.
    pub fn all_named(&self) -> impl Iterator<Item = (&str, &KeyPair)> {
        self.named.iter().map(|(name, pair)| (name.as_str(), pair))
    }

    /// Whom the gateway believes.
    pub fn trust(&self) -> &Arc<TrustStore> {
        &self.trust
    }

    /// What was odd about the files when they were loaded, but keeps nothing from working.
    pub fn warnings(&self) -> &[FileProblem] {
        &self.warnings
    }
}

fn place(files: &KeyPairFiles) -> PathBuf {
    match files {
        KeyPairFiles::Pair { certificate, .. } => certificate.clone(),
        KeyPairFiles::Directory(directory) => directory.clone(),
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}: {}", problem.path.display(), problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for CredentialsError {}
