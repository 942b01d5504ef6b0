//! What would become of a call, told step by step before anybody makes it.
//!
//! It is decided by what decides on the data path: [`Sni::parse`], [`Table::seek`], [`Pool::has_usable`]
//! and [`Policy::check`]; this module only asks them in the same order and puts the answers into words.
//! What a question leaves open (who calls, or which trust entry vouches for the caller) is decided for
//! every caller there may be, and the most that one of them may is the verdict.
//!
//! [`Sni::parse`]: crate::Sni::parse
//! [`Pool::has_usable`]: crate::endpoint::Pool::has_usable
//! [`Policy::check`]: crate::Policy::check

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::config::{Config, TrustFiles};
use crate::endpoint::Pool;
use crate::outcome::Reason;
use crate::service::{Alpn, EndpointSpec, Labels, Mode, Service, Subset, Target};
use crate::sni::service_key;
use crate::spiffe::{SpiffeId, TrustName};
use crate::table::{Answers, Found, Table};

mod callers;
mod name;
mod near;
mod words;

#[cfg(test)]
mod tests;

pub use callers::{AllowList, Callers, GrantFacts, Vouching};
pub use near::{Difference, Near};
pub use words::{Step, Topic};

/// A call that nobody has made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The server name of its ClientHello, as typed; empty for a client that names no server.
    pub sni: String,
    /// Who calls; `None` asks who may.
    pub identity: Option<SpiffeId>,
    /// The trust entry that vouches for the caller; `None` is any that can.
    pub trust: Option<TrustName>,
}

/// What would become of a call, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The server name, as asked.
    pub sni: String,
    /// The caller, where one was asked about.
    pub identity: Option<String>,
    /// The trust entry, where one was asked about.
    pub trust: Option<String>,
    /// What would become of it.
    pub verdict: Verdict,
    /// Where the name leads.
    pub route: Option<Destination>,
    /// The names that may have been meant, where this one leads nowhere; the likeliest first.
    pub nearest: Vec<Near>,
    /// Who may call; absent where the name leads nowhere, and in passthrough.
    pub callers: Option<Callers>,
    /// All of it in words, in the order in which the gateway decides.
    pub steps: Vec<Step>,
}

/// What would become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It would be refused, and the client told so.
    Refused(Reason),
    /// It would be let in only because the service is in audit mode.
    WouldDeny,
    /// It would be let in.
    LetIn,
}

impl Verdict {
    /// Whether the call reaches an endpoint.
    pub fn let_in(self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Plain {
            let_in: bool,
            would_deny: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            refusal: Option<Refusal>,
        }
        #[derive(Serialize)]
        struct Refusal {
            reason: &'static str,
            flag: String,
            alert: Option<u8>,
            hint: &'static str,
        }
        let refusal = match *self {
            Self::Refused(reason) => Some(Refusal {
                reason: reason.word(),
                flag: reason.flag().to_string(),
                alert: reason.alert(),
                hint: reason.hint(),
            }),
            Self::WouldDeny | Self::LetIn => None,
        };
        Plain { let_in: self.let_in(), would_deny: *self == Self::WouldDeny, refusal }.serialize(serializer)
    }
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// What the name was found by.
    pub matched: Matched,
    /// The name or `*.suffix` that it was found by.
    pub by: String,
    /// The service.
    pub service: String,
    /// The subset, where the name asks for one.
    pub subset: Option<String>,
    /// How it is served: `terminate` or `passthrough`.
    pub mode: &'static str,
    /// The only application protocols that it selects; `None` is what the client offers of Istio's.
    pub alpn: Option<Vec<String>>,
    /// The identity that it presents, by name; `None` is the gateway's own, or none in passthrough.
    pub presents: Option<String>,
    /// How an endpoint is chosen.
    pub balance: &'static str,
    /// Among these.
    pub endpoints: Vec<EndpointFacts>,
}

/// What a name was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// It is the key of a service port.
    Key,
    /// It is a further name of the service.
    Name,
    /// It is the longest suffix that matches.
    Suffix,
}

/// One endpoint that a call may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointFacts {
    /// `IP:port`, or `host:port`, of which only the running gateway knows the addresses.
    pub address: String,
    /// Its share of connections relative to the others.
    pub weight: u32,
    /// Lower numbers come first.
    pub priority: u32,
    /// `region/zone/subzone`, where known.
    pub locality: Option<String>,
    /// Its labels.
    pub labels: Labels,
}

/// Tells what would become of a call under this configuration, as long as every endpoint is well.
pub fn explain(config: &Config, call: &Call) -> Explanation {
    let table = Table::compile(&config.services, &Answers::default(), &Table::default());
    let name = name::Name::of(&call.sni);
    let found = name.valid().and_then(|name| table.seek(name));
    let mut story = Explanation {
        sni: call.sni.clone(),
        identity: call.identity.as_ref().map(ToString::to_string),
        trust: call.trust.as_ref().map(ToString::to_string),
        verdict: Verdict::Refused(name.refusal().unwrap_or(Reason::SniUnknown)),
        route: None,
        nearest: Vec::new(),
        callers: None,
        steps: Vec::new(),
    };
    match found {
        Some(found) => arrive(&mut story, &config.trust, call, found),
        None => story.nearest = near::nearest(&config.services, &call.sni),
    }
    story.steps = words::steps(&story, &name, found.map(|found| &*found.route.service));
    story
}

/// Goes on where the name leads somewhere.
fn arrive(story: &mut Explanation, trust: &[TrustFiles], call: &Call, found: Found<'_>) {
    let service = &*found.route.service;
    let callers = (service.mode == Mode::Terminate).then(|| Callers::of(found.route, trust, call));
    let subset = found.route.subset();
    let specs = members(service, subset);
    story.verdict = match &callers {
        _ if !usable(&found.route.pool, &specs) => Verdict::Refused(Reason::NoEndpoint),
        Some(callers) => callers.verdict,
        None => callers::passed_through(found.route.policy()),
    };
    story.callers = callers;
    story.route = Some(destination(found, &call.sni, &specs));
}

/// The endpoints of a service or subset.
fn members<'a>(service: &'a Service, subset: Option<&str>) -> Vec<&'a EndpointSpec> {
    let subset: Option<&Subset> =
        subset.and_then(|name| service.subsets.iter().find(|subset| subset.name == name));
    let belongs = |endpoint: &&EndpointSpec| subset.is_none_or(|subset| subset.has(endpoint));
    service.endpoints.iter().filter(belongs).collect()
}

/// Whether there is an endpoint to go to, taking it that every host name resolves.
fn usable(pool: &Pool, specs: &[&EndpointSpec]) -> bool {
    pool.has_usable(Duration::ZERO) || specs.iter().any(|spec| matches!(spec.target, Target::Host(_)))
}

fn destination(found: Found<'_>, asked: &str, specs: &[&EndpointSpec]) -> Destination {
    let service = &found.route.service;
    let subset = found.route.subset();
    let asked = asked.to_ascii_lowercase();
    let key =
        service.host().and_then(|(host, port)| service_key(host, port, subset.unwrap_or_default()).ok());
    let (matched, by) = match found.suffix {
        Some(suffix) => (Matched::Suffix, format!("*.{suffix}")),
        None if key.is_some_and(|key| key.as_str() == asked) => (Matched::Key, asked),
        None => (Matched::Name, asked),
    };
    let endpoint = |spec: &&EndpointSpec| EndpointFacts {
        address: spec.target.to_string(),
        weight: spec.weight,
        priority: spec.priority,
        locality: spec.locality().map(str::to_owned),
        labels: spec.labels().clone(),
    };
    Destination {
        matched,
        by,
        service: service.name.to_string(),
        subset: subset.map(str::to_owned),
        mode: service.mode.as_str(),
        alpn: match &service.alpn {
            Alpn::AsOffered => None,
            Alpn::Only(list) => Some(list.iter().map(ToString::to_string).collect()),
        },
        presents: service.identity.as_deref().map(str::to_owned),
        balance: service.balance.as_str(),
        endpoints: specs.iter().map(endpoint).collect(),
    }
}
