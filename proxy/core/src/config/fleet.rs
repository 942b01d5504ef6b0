//! What a control server is told: its own file, and the files of the folder that it serves.
//!
//! What gateways are to be told is written as in their own file and checked by the same rules. What only a gateway
//! knows, its trust entries and identities, is not asked for.

use std::path::PathBuf;
use std::time::Duration;

use super::findings::Findings;
use super::lower::fleet as lower;
use super::raw::{RawPeerFile, RawPolicyFile, RawServer, RawServiceFile, RawTrustFile};
use super::read::{Field, read};
use super::{AdminAddress, EventFormat, IdentityFiles, Problem, Problems, Severity, Source, TrustFiles};
use crate::policy::Grant;
use crate::service::{Labels, Service};

mod select;

pub use select::{Glob, Selector};

/// What a control server is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// What it calls itself to gateways. Default: the host name (filled in by the process).
    pub name: Option<String>,
    /// Where it serves the stream. Default `127.0.0.1:15010`.
    pub address: AdminAddress,
    /// Its certificate. Without one it serves without TLS, on loopback and unix sockets alone.
    pub identity: IdentityFiles,
    /// Whom it believes.
    pub trust: Vec<TrustFiles>,
    /// Who may see what.
    pub nodes: Vec<NodeEntry>,
    /// Administration: a JSON API and metrics. Default `127.0.0.1:15011`.
    pub admin: AdminAddress,
    /// The filter of the event log. Default `info`.
    pub level: String,
    /// How events are written. Default text.
    pub format: EventFormat,
    /// Over how long gateways are told to come back once it goes. Default 5 s.
    pub spread: Duration,
}

/// Some gateways, and what they may see. What several entries let a gateway see adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEntry {
    /// Which; `None` is whoever comes without TLS.
    pub who: Option<Grant>,
    /// Which cluster they serve; for display.
    pub cluster: String,
    /// What they may see.
    pub sees: Selector,
}

/// What a file says, as far as it is in order, and everything that is wrong with it.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// What is in order.
    pub good: Vec<T>,
    /// What is not, or likely not to be meant; each with its place.
    pub problems: Problems,
}

/// One `[[service]]` of a folder.
#[derive(Debug, Clone)]
pub struct OfferedService {
    /// Its place in the file's list.
    pub index: usize,
    /// What it says.
    pub service: Service,
    /// The namespace that it is in. Default: that of its host, where that is `NAME.NAMESPACE.svc.…`.
    pub namespace: String,
    /// By what nodes select it.
    pub labels: Labels,
    /// The only peers whose callers may call it; `None` is all.
    pub exposure: Option<Vec<String>>,
}

/// One `[[policy]]` of a folder.
#[derive(Debug, Clone)]
pub struct OfferedPolicy {
    /// Its place in the file's list.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The services that it grants, by the names of their resources.
    pub services: Vec<String>,
}

/// One `[[peer]]` of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedPeer {
    /// Its name.
    pub name: String,
    /// The trust entries that vouch for its callers.
    pub trust: Vec<String>,
    /// Where its gateways are.
    pub gateways: Vec<String>,
    /// Its network.
    pub network: String,
}

/// Reads the file of a control server.
///
/// # Errors
/// Every problem of the text at once, warnings included.
pub fn server(text: &str, source: &Source) -> Result<(ServerConfig, Problems), Problems> {
    let mut found = Findings::default();
    let config = read::<RawServer>(text, &mut found)
        .map(|document| lower::server(document.value.unwrap_or_default(), &source.dir, &mut found));
    let refused = found.refuse();
    let problems = Problems::new(found.into_problems(text, &source.name));
    match config {
        Some(config) if !refused => Ok((config, problems)),
        _ => Err(problems),
    }
}

/// Reads a file of services.
pub fn services(text: &str, source: &Source) -> Checked<OfferedService> {
    checked(text, source, "service", |raw: Field<RawServiceFile>, found| {
        lower::services(raw.value.unwrap_or_default(), found)
    })
}

/// Reads a file of policies.
pub fn policies(text: &str, source: &Source) -> Checked<OfferedPolicy> {
    checked(text, source, "policy", |raw: Field<RawPolicyFile>, found| {
        lower::policies(raw.value.unwrap_or_default(), found)
    })
}

/// Reads a file of trust entries; paths in it are relative to its folder.
pub fn trust(text: &str, source: &Source) -> Checked<TrustFiles> {
    let dir: PathBuf = source.dir.clone();
    checked(text, source, "trust", move |raw: Field<RawTrustFile>, found| {
        lower::trust(raw.value.unwrap_or_default(), &dir, found)
    })
}

/// Reads a file of peers.
pub fn peers(text: &str, source: &Source) -> Checked<OfferedPeer> {
    checked(text, source, "peer", |raw: Field<RawPeerFile>, found| {
        lower::peers(raw.value.unwrap_or_default(), found)
    })
}

/// Reads a file that lists things under `key`: those stay in which nothing is wrong, as long as nothing is wrong
/// around them.
fn checked<R: serde::de::DeserializeOwned, T>(
    text: &str,
    source: &Source,
    key: &str,
    lower: impl FnOnce(Field<R>, &mut Findings) -> Vec<(usize, T)>,
) -> Checked<T> {
    let mut found = Findings::default();
    let listed = read::<R>(text, &mut found).map(|document| lower(document, &mut found));
    let problems = Problems::new(found.into_problems(text, &source.name));
    let errors = || problems.iter().filter(|problem| problem.severity == Severity::Error);
    let good = if errors().all(|problem| element(problem, key).is_some()) {
        let bad: Vec<usize> = errors().filter_map(|problem| element(problem, key)).collect();
        let listed = listed.into_iter().flatten();
        listed.filter(|(index, _)| !bad.contains(index)).map(|(_, item)| item).collect()
    } else {
        Vec::new()
    };
    Checked { good, problems }
}

/// In which element of the list under `key` a problem is.
fn element(problem: &Problem, key: &str) -> Option<usize> {
    let rest = problem.key.strip_prefix(key)?.strip_prefix('[')?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests;
