//! What is renewed together: a certificate with its key, or a bundle with its revocation lists.

use std::path::{Path, PathBuf};

use landbridge::{Credentials, FileProblem, KeyPair, TrustEntry};
use landbridge_certs::source::digest;
use landbridge_core::config::{IdentityFiles, KeyPairFiles, TrustFiles};
use rustls_pki_types::UnixTime;

/// Files that are good together or not at all.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    material: Material,
    files: Vec<PathBuf>,
    /// What the files held when what is in use was read.
    served: Content,
    /// What they held when they were last looked at.
    seen: Content,
}

/// What the files are for.
#[derive(Debug, Clone)]
enum Material {
    Own(KeyPairFiles),
    Named(String, KeyPairFiles),
    Trust(TrustFiles),
}

/// The digest of each file; none for one that cannot be read.
type Content = Vec<Option<[u8; 32]>>;

/// What a look at a unit has found.
pub(super) enum Look {
    /// Nothing that is new.
    Same,
    /// The files changed while they were read: look again.
    Unsettled,
    /// They hold again what is in use, after they held something else.
    Back,
    /// They hold something new, and it is good.
    Renewed(Credentials, Vec<FileProblem>),
    /// They hold something new, and it is not good; what is in use stays in use.
    Kept(FileProblem),
}

impl Unit {
    /// The units of a configuration, as their files are now.
    pub(super) fn all(identity: &IdentityFiles, trust: &[TrustFiles]) -> Vec<Self> {
        let own = identity.own.iter().cloned().map(Material::Own);
        let named = identity.named.iter().map(|(name, files)| Material::Named(name.clone(), files.clone()));
        let trust = trust.iter().cloned().map(Material::Trust);
        own.chain(named).chain(trust).map(Self::of).collect()
    }

    fn of(material: Material) -> Self {
        let files = material.files();
        let content = content(&files);
        Self { material, files, served: content.clone(), seen: content }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// What the configuration calls it.
    pub(super) fn name(&self) -> String {
        match &self.material {
            Material::Own(_) => "identity".to_owned(),
            Material::Named(name, _) => format!("identities.{name}"),
            Material::Trust(files) => format!("trust.{}", files.name),
        }
    }

    /// Reads the files, and loads them if they hold anything but what is in use.
    ///
    /// What was refused is tried again at every look, since time or a permission may have mended it; it
    /// is told only once.
    pub(super) fn look(&mut self, current: &Credentials, now: UnixTime) -> Look {
        let content = content(&self.files);
        let news = content != self.seen;
        if content == self.served {
            self.seen = content;
            return if news { Look::Back } else { Look::Same };
        }
        let loaded = self.material.load(current, now);
        if self::content(&self.files) != content {
            return Look::Unsettled;
        }
        self.seen.clone_from(&content);
        match loaded {
            Ok((credentials, warnings)) => {
                self.served = content;
                Look::Renewed(credentials, warnings)
            }
            Err(problem) if news => Look::Kept(problem),
            Err(_) => Look::Same,
        }
    }
}

impl Material {
    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Own(files) | Self::Named(_, files) => KeyPair::files(files),
            Self::Trust(files) => [&files.bundle].into_iter().chain(&files.crl).cloned().collect(),
        }
    }

    /// The file or folder that a problem is reported of.
    fn place(&self) -> &Path {
        match self {
            Self::Own(files) | Self::Named(_, files) => match files {
                KeyPairFiles::Pair { certificate, .. } => certificate,
                KeyPairFiles::Directory(folder) => folder,
            },
            Self::Trust(files) => &files.bundle,
        }
    }

    fn load(
        &self,
        current: &Credentials,
        now: UnixTime,
    ) -> Result<(Credentials, Vec<FileProblem>), FileProblem> {
        let problem = |message: String| FileProblem { path: self.place().to_owned(), message };
        let pair = |files| KeyPair::load(files, now).map_err(|error| problem(error.to_string()));
        match self {
            Self::Own(files) => Ok((current.clone().with_own(pair(files)?), Vec::new())),
            Self::Named(name, files) => Ok((current.clone().with_named(name, pair(files)?), Vec::new())),
            Self::Trust(files) => {
                let fresh = TrustEntry::load(files, now).map_err(|error| problem(error.to_string()))?;
                let known = current.trust().entries().find(|entry| *entry.name() == files.name);
                let warnings: Vec<String> = fresh.warnings().iter().map(ToString::to_string).collect();
                // An expired list lets nobody in whom it could name: keep one that is still valid.
                if fresh.lists_expired(now) && known.is_some_and(|known| !known.lists_expired(now)) {
                    return Err(problem(format!(
                        "{}; the lists in use are still valid",
                        warnings.join("; ")
                    )));
                }
                let warnings = warnings.into_iter().map(problem).collect();
                Ok((current.clone().with_trust(fresh), warnings))
            }
        }
    }
}

fn content(files: &[PathBuf]) -> Content {
    files.iter().map(|file| digest(file)).collect()
}
