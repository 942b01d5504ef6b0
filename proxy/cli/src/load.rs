//! From a configuration file to everything a gateway is given.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landbridge::config::{Config, Problem, Problems, Severity, Source};
use landbridge::{Credentials, CredentialsError, Desired, FileProblem};

use crate::watch::{Unit, units};

/// The largest configuration file that is read.
const LARGEST: u64 = 64 << 20;

/// A file that is in order, with what is worth a warning.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) credentials: Arc<Credentials>,
    /// The files that it names, as they were just before they were loaded.
    pub(crate) units: Vec<Unit>,
    pub(crate) warnings: Vec<Complaint>,
}

/// One thing that is wrong, or likely to be.
#[derive(Debug)]
pub(crate) enum Complaint {
    /// In the text of the configuration file.
    Text(Problem),
    /// In the file itself, or one that it names.
    File { path: PathBuf, message: String, fatal: bool },
}

impl Complaint {
    /// Whether it is an error in a file that the configuration at `path` names: a certificate, key,
    /// bundle or CRL.
    pub(crate) fn is_about_another(&self, config: &Path) -> bool {
        matches!(self, Self::File { path, fatal: true, .. } if path != config)
    }

    pub(crate) fn is_error(&self) -> bool {
        match self {
            Self::Text(problem) => problem.severity == Severity::Error,
            Self::File { fatal, .. } => *fatal,
        }
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(problem) => problem.fmt(f),
            Self::File { path, message, fatal } => {
                let severity = if *fatal { "error" } else { "warning" };
                write!(f, "{}: {severity}: {message}", path.display())
            }
        }
    }
}

/// A configuration whose text is in order, with what is worth a warning.
pub(crate) struct Configured {
    pub(crate) config: Config,
    pub(crate) warnings: Vec<Complaint>,
}

/// Reads and checks the file alone, and nothing that it names.
///
/// # Errors
/// Everything that is wrong, at once; warnings among it.
pub(crate) fn configured(path: &Path) -> Result<Configured, Vec<Complaint>> {
    let complain = |message: String| vec![Complaint::File { path: path.to_owned(), message, fatal: true }];
    let text = read(path).map_err(complain)?;
    let parsed = landbridge::config::parse(&text, &Source::file(path));
    let accepted = parsed.map_err(|problems| texts(&problems))?;
    Ok(Configured { warnings: texts(&accepted.warnings), config: accepted.config })
}

/// Reads and checks the file and every certificate, key, bundle and CRL that it names.
///
/// # Errors
/// Everything that is wrong, at once; warnings among it.
pub(crate) fn load(path: &Path) -> Result<Loaded, Vec<Complaint>> {
    let Configured { config, warnings: mut complaints } = configured(path)?;
    let of_file = |fatal| {
        move |problem: &FileProblem| Complaint::File {
            path: problem.path.clone(),
            message: problem.message.clone(),
            fatal,
        }
    };
    let units = units(&config.identity, &config.trust);
    match Credentials::load(&config.identity, &config.trust) {
        Ok(credentials) => {
            complaints.extend(credentials.warnings().iter().map(of_file(false)));
            Ok(Loaded { config, credentials: Arc::new(credentials), units, warnings: complaints })
        }
        Err(CredentialsError(problems)) => {
            complaints.extend(problems.iter().map(of_file(true)));
            Err(complaints)
        }
    }
}

fn texts(problems: &Problems) -> Vec<Complaint> {
    problems.iter().cloned().map(Complaint::Text).collect()
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("is larger than {} MiB, too large for a configuration", LARGEST >> 20));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text (byte {})", error.utf8_error().valid_up_to() + 1))
}

impl Loaded {
    /// What the gateway is to serve, and as whom.
    pub(crate) fn desired(&self) -> Desired {
        Desired { services: Arc::new(self.config.services.clone()), credentials: self.credentials.clone() }
    }
}
