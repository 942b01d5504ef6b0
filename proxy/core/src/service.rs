//! What the gateway serves: a service as configured.

use std::fmt;
use std::sync::Arc;

use crate::policy::{Authorization, Grant, Policy};
use crate::sni::{NamePattern, SniError, service_key};
use crate::spiffe::Identity;

mod endpoint;

pub use endpoint::{About, EndpointSpec, HostPort, Labels, Target};

/// How a service is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// The gateway terminates mutual TLS, so that it knows who calls.
    Terminate,
    /// The caller's TLS reaches the endpoint untouched.
    Passthrough,
}

impl Mode {
    /// `terminate` or `passthrough`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Passthrough => "passthrough",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Balance {
    /// The endpoint with the fewest connections for its weight.
    #[default]
    LeastRequest,
    /// One after the other, in proportion to weight.
    RoundRobin,
    /// At random, in proportion to weight.
    Random,
    /// By the client's address, so that a client stays with its endpoint (rendezvous hashing).
    SourceHash,
}

impl Balance {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeastRequest => "least_request",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::SourceHash => "source_hash",
        }
    }
}

/// Which application protocols a terminated service selects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Alpn {
    /// The first protocol of the client's list among [`ISTIO_ALPN`]; none if nothing overlaps.
    #[default]
    AsOffered,
    /// Only these, in this order of preference; a client that offers others is refused (alert 120).
    Only(Box<[Box<str>]>),
}

/// What a service selects when its `alpn` is not set, where the client offers it.
///
/// `istio-peer-exchange` is not among them: selecting it makes the client wait for a metadata frame
/// (Envoy's `metadata_exchange` filter).
pub const ISTIO_ALPN: [&str; 6] = ["istio-http/1.1", "istio-http/1.0", "istio-h2", "istio", "h2", "http/1.1"];

/// What is made of a TLS stream that ends without close_notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingCloseNotify {
    /// The other side sees a reset, because the stream may be incomplete.
    #[default]
    Reset,
    /// It is taken for a clean end.
    Fin,
}

/// Whether an endpoint is told who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendProxy {
    /// It sees the gateway's address only.
    #[default]
    Off,
    /// By a PROXY header of version 2, before the first byte of the client.
    V2,
}

/// Mutual TLS from the gateway to an endpoint's own sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Whom an endpoint may prove to be; empty means nobody, so that no endpoint can be used.
    pub server_identities: Vec<Grant>,
}

impl UpstreamTls {
    /// Whether an endpoint may be this one.
    pub fn expects(&self, identity: &Identity) -> bool {
        self.server_identities.iter().any(|grant| grant.allows(identity))
    }
}

/// A named part of a service's endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Its name, lower-cased as it stands in the key.
    pub name: String,
    /// An endpoint belongs to the subset if it has all of these.
    pub labels: Labels,
    /// Who may ask for the subset, in place of the service's list; `None` is whoever may call the service.
    ///
    /// It decides over the subset's own name alone: whoever may call the whole service reaches the same
    /// endpoints by the service's names.
    pub allow: Option<Vec<Grant>>,
}

impl Subset {
    /// The policy in force for the name of the subset, where that is not the `service`'s own.
    ///
    /// A list of its own is enforced as the service's is. In passthrough, where nobody is seen, it lets
    /// nobody in.
    pub fn policy(&self, service: &Policy) -> Option<Policy> {
        let allow = self.allow.clone()?;
        let authorization = match service {
            Policy::Grants { authorization, .. } => *authorization,
            Policy::EndpointDecides => Authorization::Enforce,
        };
        Some(Policy::Grants { allow: allow.into(), authorization })
    }

    /// Whether an endpoint belongs to the subset.
    pub fn has(&self, endpoint: &EndpointSpec) -> bool {
        self.labels.iter().all(|(key, value)| endpoint.labels().get(key) == Some(value))
    }
}

/// One service as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What log and metrics call it: `host:port`, or its first name.
    pub name: Arc<str>,
    /// Whether `name` is `host:port`, from which the service's keys are made; where it isn't, only `names` lead to it.
    pub has_host: bool,
    /// Further names that lead to it.
    pub names: Box<[NamePattern]>,
    /// How it is served.
    pub mode: Mode,
    /// Who may call by any of its names, but for subsets with a list of their own. What a connection is
    /// decided by is [`Route::policy`](crate::table::Route::policy).
    pub policy: Policy,
    /// Which application protocols it selects.
    pub alpn: Alpn,
    /// The name of the identity that it presents; `None` is the gateway's own.
    pub identity: Option<Box<str>>,
    /// How an endpoint is chosen.
    pub balance: Balance,
    /// Its endpoints.
    pub endpoints: Box<[EndpointSpec]>,
    /// Its subsets.
    pub subsets: Box<[Subset]>,
    /// Whether live connections end when the caller's certificate does.
    pub close_on_cert_expiry: bool,
    /// What is made of a TLS stream that ends without close_notify.
    pub missing_close_notify: MissingCloseNotify,
    /// Whether an endpoint is told who the client is.
    pub send_proxy: SendProxy,
    /// How TLS is spoken to an endpoint; `None` is plain.
    pub upstream_tls: Option<Arc<UpstreamTls>>,
}

impl Service {
    /// A service that terminates mutual TLS, with nobody allowed and no endpoint yet.
    pub fn terminate(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        Self {
            name: format!("{host}:{port}").into(),
            has_host: true,
            names: Box::default(),
            mode: Mode::Terminate,
            policy: Policy::allow(Vec::new()),
            alpn: Alpn::default(),
            identity: None,
            balance: Balance::default(),
            endpoints: Box::default(),
            subsets: Box::default(),
            close_on_cert_expiry: false,
            missing_close_notify: MissingCloseNotify::default(),
            send_proxy: SendProxy::default(),
            upstream_tls: None,
        }
    }

    /// A service whose TLS is passed through, with no endpoint yet.
    pub fn passthrough(host: &str, port: u16) -> Self {
        Self { mode: Mode::Passthrough, policy: Policy::EndpointDecides, ..Self::terminate(host, port) }
    }

    /// The service's host and port, from which its keys are made; `None` where only `names` lead to it.
    pub fn host(&self) -> Option<(&str, u16)> {
        if self.has_host { host_and_port(&self.name) } else { None }
    }

    /// Every name that leads to the service, with the subset it leads to (`None` is the whole).
    ///
    /// # Errors
    /// A host, port and subset that do not make a name which TLS can carry.
    pub fn routes(&self) -> Result<Vec<(NamePattern, Option<&Subset>)>, SniError> {
        let mut routes: Vec<(NamePattern, Option<&Subset>)> = Vec::new();
        if let Some((host, port)) = self.host() {
            routes.push((NamePattern::Exact(service_key(host, port, "")?), None));
            for subset in &self.subsets {
                routes.push((NamePattern::Exact(service_key(host, port, &subset.name)?), Some(subset)));
            }
        }
        routes.extend(self.names.iter().map(|name| (name.clone(), None)));
        Ok(routes)
    }
}

/// The parts of `host:port`.
pub(crate) fn host_and_port(name: &str) -> Option<(&str, u16)> {
    let (host, port) = name.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}
