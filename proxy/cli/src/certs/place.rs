//! Where a certificate and its key go, and that they are there.

use std::path::{Path, PathBuf};

use super::args::To;
use super::tell::say;
use super::write::{Outputs, Readers, Replacing};

/// The files of a certificate and of its key.
pub(super) struct Place {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    outputs: Outputs,
}

/// What was made, in words.
pub(super) struct Made {
    pub(super) summary: String,
    pub(super) certificate: &'static str,
    pub(super) key: &'static str,
}

impl Place {
    /// `NAME.pem` and `NAME.key`, or what the command line names instead; checked to be free.
    pub(super) fn new(to: &To, name: &str, read: &[&Path]) -> anyhow::Result<Self> {
        let certificate = to.cert.clone().unwrap_or_else(|| inside(&to.out, &format!("{name}.pem")));
        let key = to.key.clone().unwrap_or_else(|| inside(&to.out, &format!("{name}.key")));
        Self::at(certificate, key, read, to.replacing())
    }

    pub(super) fn at(
        certificate: PathBuf,
        key: PathBuf,
        read: &[&Path],
        replacing: Replacing,
    ) -> anyhow::Result<Self> {
        let outputs = Outputs::check(vec![certificate.clone(), key.clone()], read, replacing)?;
        Ok(Self { certificate, key, outputs })
    }

    /// Writes both, and says what was made and where it is.
    pub(super) fn fill(
        self,
        certificate: &str,
        key: &str,
        made: &Made,
    ) -> anyhow::Result<(PathBuf, PathBuf)> {
        self.outputs.write(&[(certificate, Readers::Everybody), (key, Readers::Owner)])?;
        let (certificate, key) = (self.certificate, self.key);
        let width = certificate.display().to_string().len().max(key.display().to_string().len());
        say(&made.summary);
        for (path, what) in [(&certificate, made.certificate), (&key, made.key)] {
            say(format_args!("  {:width$}  {what}", path.display().to_string()));
        }
        Ok((certificate, key))
    }
}

/// A file in a folder; without `./` where the folder is the current one.
pub(super) fn inside(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}
