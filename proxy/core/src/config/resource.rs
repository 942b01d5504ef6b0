//! One resource of the configuration stream: from the JSON of its spec to what it means.
//!
//! A spec is read and checked by what reads and checks `[[service]]` and `[[trust]]` in the file, so that both say
//! the same of the same mistake; docs/xds-lite.md says what a spec has. Each is lowered by itself, against a
//! [`Scope`]: what the gateway's own file says. What resources say of one another is put together by
//! [`ServiceSpec::assemble`]. Nothing here takes more time or memory than the length of the spec warrants.
//!
//! Not checked here: that a [`PolicySpec`] names services which exist, that a name leads to one service only
//! ([`Snapshot`](crate::Snapshot) does), that the certificates of a [`TrustSpec`] can be read, and where the names of
//! endpoints lead.

use std::fmt;
use std::sync::Arc;

use super::findings::{Complaint, Findings, Place};
use super::lower::{allow, endpoints, text, trust};
use super::raw::{RawEndpoints, RawPeer, RawPolicy, RawTrustBundle};
use super::read;
use crate::policy::Grant;
use crate::service::{EndpointSpec, Target};
use crate::spiffe::{TrustDomain, TrustName};

mod lists;
mod scope;
mod service;
#[cfg(test)]
mod tests;

pub use scope::{Decision, Scope};
pub use service::{ServiceSpec, service};

/// The longest spec that is read, in bytes: that of the longest line of the stream.
pub const LONGEST: usize = 4 << 20;
/// So many objections to one spec are told at most.
pub const OBJECTIONS: usize = 32;

/// What a spec means, or what is wrong with it, which is at least one thing.
pub type Lowered<T> = Result<T, Vec<Objection>>;

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// Where in the spec, such as `endpoints[0].address`; empty for the whole.
    pub field: String,
    /// Why, in one word.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Why a resource is refused, as far as its own spec tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It breaks a rule.
    Invalid,
    /// It says what the gateway's own file doesn't let the stream say.
    Forbidden,
    /// It refers to a trust entry or an identity that doesn't exist.
    UnknownReference,
}

impl Code {
    /// The word for it on the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::UnknownReference => "unknown_reference",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an `endpoints` resource means.
pub type Endpoints = Arc<[EndpointSpec]>;

/// What a `policy` resource means: grants that unite with those of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySpec {
    /// The names of the `service` resources that may be called.
    pub services: Vec<Box<str>>,
    /// Who may call them.
    pub allow: Vec<Grant>,
}

/// What a `trust_bundle` resource means; its name is that of the trust entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSpec {
    /// The trust domain that the entry vouches for.
    pub domain: TrustDomain,
    /// Its roots as text: PEM, or a SPIFFE trust bundle (JSON).
    pub bundle: String,
    /// Its certificate revocation lists as text, PEM.
    pub crl: Option<String>,
}

/// What a `peer` resource means: a remote cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerSpec {
    /// The trust entries that vouch for its callers.
    pub trust: Vec<TrustName>,
    /// Where its gateways are.
    pub gateways: Vec<Target>,
    /// The network that it stands in.
    pub network: String,
}

/// Lowers the spec of an `endpoints` resource.
///
/// # Errors
/// Everything that is wrong with it, at most [`OBJECTIONS`].
pub fn endpoints(spec: &str, scope: &Scope) -> Lowered<Endpoints> {
    lowered(spec, |node, place, found| {
        scope.permit(Decision::Endpoints, place, found);
        let raw: RawEndpoints = read::field(node, place, &[], found).value?;
        lists::required(raw.endpoints.as_ref(), "endpoints", place, found);
        let endpoints = endpoints::endpoints(raw.endpoints.as_ref(), place, &scope.of_services(), found);
        Some(endpoints.specs.into())
    })
}

/// Lowers the spec of a `policy` resource.
///
/// # Errors
/// Everything that is wrong with it, at most [`OBJECTIONS`].
pub fn policy(spec: &str, scope: &Scope) -> Lowered<PolicySpec> {
    lowered(spec, |node, place, found| {
        scope.permit(Decision::Policy, place, found);
        let raw: RawPolicy = read::field(node, place, &[], found).value?;
        lists::required(raw.services.as_ref(), "services", place, found);
        lists::required(raw.allow.as_ref(), "allow", place, found);
        let allow = allow::grants(raw.allow.as_ref(), scope.trusts(), found);
        Some(PolicySpec { services: lists::names(raw.services.as_ref(), found), allow })
    })
}

/// Lowers the spec of a `trust_bundle` resource.
///
/// # Errors
/// Everything that is wrong with it, at most [`OBJECTIONS`].
pub fn trust_bundle(spec: &str, scope: &Scope) -> Lowered<TrustSpec> {
    lowered(spec, |node, place, found| {
        scope.permit(Decision::Trust, place, found);
        let raw: RawTrustBundle = read::field(node, place, &[], found).value?;
        for (absent, key) in [(raw.domain.is_none(), "domain"), (raw.bundle.is_none(), "bundle")] {
            if absent {
                let place = found.absent(place, key);
                found.error(place, Complaint::new("missing"));
            }
        }
        let domain = found.meaning(raw.domain.as_ref(), |text| trust::domain(text));
        let crl = raw.crl.and_then(|field| field.value);
        Some(TrustSpec { domain: domain?, bundle: raw.bundle?.value?, crl })
    })
}

/// Lowers the spec of a `peer` resource.
///
/// # Errors
/// Everything that is wrong with it, at most [`OBJECTIONS`].
pub fn peer(spec: &str) -> Lowered<PeerSpec> {
    lowered(spec, |node, place, found| {
        let raw: RawPeer = read::field(node, place, &[], found).value?;
        let gateways = lists::items(raw.gateways.as_ref()).iter();
        let gateways =
            gateways.filter_map(|field| found.meaning(Some(field), |at| text::target(at))).collect();
        let trust = lists::names(raw.trust.as_ref(), found);
        Some(PeerSpec {
            trust: trust.iter().map(|name| TrustName::new(name)).collect(),
            gateways,
            network: raw.network.and_then(|field| field.value).unwrap_or_default(),
        })
    })
}

/// Reads a spec and gives it to `lower`, whose result counts only if nothing was found.
fn lowered<T>(
    spec: &str,
    lower: impl FnOnce(&read::Node<'_>, Place, &mut Findings) -> Option<T>,
) -> Lowered<T> {
    let mut found = Findings::default();
    let place = found.at(0);
    let mut value = None;
    if spec.len() > LONGEST {
        let message = format!("has {} bytes; a spec has at most {LONGEST}", spec.len());
        found.error(place, Complaint::new(message));
    } else if let Some(node) = read::json(spec, &mut found) {
        value = lower(&node, place, &mut found);
    }
    match value {
        Some(value) if !found.refuse() => Ok(value),
        _ => Err(found.into_objections(OBJECTIONS)),
    }
}
