//! The configuration: as validated, and from a TOML file to there.
//!
//! `text → raw (what may be written) → Config (what is meant)`: everything downstream of this module
//! sees only [`Config`], in which nothing is left to check. [`parse`] reports every problem of a file
//! at once, each with its place.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use findings::Findings;
use raw::RawConfig;

use crate::snapshot::Snapshot;
use crate::spiffe::{TrustDomain, TrustName};

mod address;
mod bounds;
mod control;
mod findings;
pub mod fleet;
mod lower;
mod near;
mod problem;
mod process;
mod raw;
mod read;
pub mod resource;
#[cfg(feature = "schema")]
mod schema;
#[cfg(test)]
mod tests;

pub use address::{AddressRules, Cidr, Forbidden};
pub use bounds::{Limits, MinTls, Timeouts, TlsPolicy};
pub use control::{ControlConfig, ControlServer};
pub use problem::{Problem, Problems, Severity};
pub use process::{AccessFormat, AccessTarget, AdminAddress, EventFormat, LogConfig, ProcessConfig};
#[cfg(feature = "schema")]
pub use schema::schema;

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What problems call it, such as the path as the user wrote it.
    pub name: String,
    /// The folder that relative paths in it are relative to.
    pub dir: PathBuf,
}

impl Source {
    /// The file at `path`; relative paths in it are relative to the folder it is in.
    pub fn file(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            dir: path.parent().map(Path::to_path_buf).unwrap_or_default(),
        }
    }
}

/// A configuration, or everything that is wrong with it.
pub type Parsed = Result<Accepted, Problems>;

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The configuration.
    pub config: Config,
    /// What in it cannot work or has no effect.
    pub warnings: Problems,
}

/// Reads a configuration from TOML.
///
/// # Errors
/// Every problem of the text at once, warnings included, in the order of the text. A text that is not
/// TOML is reported as such, and as nothing else.
pub fn parse(text: &str, source: &Source) -> Parsed {
    let (config, found) = one_by_one(text, source).unwrap_or_else(|| whole(text, source));
    let refused = found.refuse();
    let problems = Problems::new(found.into_problems(text, &source.name));
    match config {
        Some(config) if !refused => Ok(Accepted { config, warnings: problems }),
        _ => Err(problems),
    }
}

/// A document as it means, its services read one by one; `None` if it has to be read as a whole.
fn one_by_one(text: &str, source: &Source) -> Option<(Option<Config>, Findings)> {
    let mut found = Findings::default();
    let apart = read::apart(text)?;
    let document = apart.rest::<RawConfig>(&mut found)?;
    let services = lower::Services::Apart(text, &apart.services);
    let config = lower::lower(document, &services, &source.dir, &mut found)?;
    Some((Some(config), found))
}

/// A document as it means, if it means anything.
fn whole(text: &str, source: &Source) -> (Option<Config>, Findings) {
    let mut found = Findings::default();
    let document = read::read::<RawConfig>(text, &mut found);
    let config = document
        .and_then(|document| lower::lower(document, &lower::Services::Whole, &source.dir, &mut found));
    (config, found)
}

/// The default configuration as a file: every key with its default and its meaning.
///
/// A key without a default, or one that stands in a table which there may be several of, is commented out
/// with `#` and no space, and shows an example.
pub const DEFAULT: &str = include_str!("config/default.toml");

/// Everything a gateway process is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What the gateway itself needs.
    pub gateway: GatewayConfig,
    /// Where its certificates are.
    pub identity: IdentityFiles,
    /// Whom it believes.
    pub trust: Vec<TrustFiles>,
    /// What it serves.
    pub services: Snapshot,
    /// The stream that brings more of it; `None` if there is none.
    pub control: Option<ControlConfig>,
    /// What only the process needs.
    pub process: ProcessConfig,
}

impl Config {
    /// Reads a configuration from TOML, with relative paths relative to `dir`.
    ///
    /// [`parse`] does the same and tells warnings too.
    ///
    /// # Errors
    /// Every problem of the text at once.
    pub fn from_toml(text: &str, dir: &Path) -> Result<Self, Problems> {
        let source = Source { name: "configuration".to_owned(), dir: dir.to_path_buf() };
        parse(text, &source).map(|accepted| accepted.config)
    }
}

/// What a gateway needs to serve connections, whoever embeds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GatewayConfig {
    /// How it is called in logs and to the control plane.
    pub node: Node,
    /// Where it listens.
    pub listener: Listener,
    /// Its TLS policy.
    pub tls: TlsPolicy,
    /// Where names may lead it.
    pub endpoints: AddressRules,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// How much it takes on.
    pub limits: Limits,
}

/// Names of this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Default: `$POD_NAME`, else the host name (filled in by the process).
    pub id: Option<String>,
    /// Default: empty.
    pub cluster: String,
    /// Default: empty.
    pub network: String,
}

/// Where the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Default `[::]:15443`, dual stack; port 0 picks one.
    pub addresses: Vec<SocketAddr>,
    /// Default off.
    pub proxy_protocol: ProxyProtocol,
}

/// Whether a load balancer in front says who the client is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// Nobody does: a connection begins with TLS.
    #[default]
    Off,
    /// Every connection comes from one of these ranges, and begins with a PROXY header of version 1 or 2.
    Required {
        /// Who may say it.
        from: Vec<Cidr>,
    },
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            addresses: vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, 15443))],
            proxy_protocol: ProxyProtocol::Off,
        }
    }
}

/// The certificates that the gateway presents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityFiles {
    /// The gateway's own; mandatory once any service terminates.
    pub own: Option<KeyPairFiles>,
    /// Further ones, for a service to present by name.
    pub named: BTreeMap<String, KeyPairFiles>,
}

/// Where one certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPairFiles {
    /// In two files: leaf first, then intermediates; and the private key.
    Pair {
        /// The certificate chain, PEM.
        certificate: PathBuf,
        /// The private key, PEM.
        private_key: PathBuf,
    },
    /// In a folder with the file names of Istio, GKE or cert-manager.
    Directory(PathBuf),
}

/// One `[[trust]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFiles {
    /// Its name. Default: the domain.
    pub name: TrustName,
    /// The trust domain it vouches for.
    pub domain: TrustDomain,
    /// Its roots: PEM, or a SPIFFE trust bundle (JSON).
    pub bundle: PathBuf,
    /// Its certificate revocation lists, PEM.
    pub crl: Option<PathBuf>,
}
