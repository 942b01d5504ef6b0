//! An explanation in plain words, step by step.

use std::fmt::Write as _;

use serde::Serialize;

use super::callers::{AllowList, Callers, GrantFacts, Vouching};
use super::name::Name;
use super::{Destination, EndpointFacts, Explanation, Matched, Verdict};
use crate::outcome::Reason;
use crate::service::{ISTIO_ALPN, Mode, Service};

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Whether the name can be asked for at all.
    Name,
    /// Where it leads.
    Route,
    /// Which endpoints there are.
    Endpoints,
    /// What becomes of TLS.
    Tls,
    /// Who may call.
    Caller,
    /// What comes of it.
    Verdict,
}

impl Topic {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Route => "route",
            Self::Endpoints => "endpoints",
            Self::Tls => "tls",
            Self::Caller => "caller",
            Self::Verdict => "verdict",
        }
    }
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is about.
    pub topic: Topic,
    /// What there is to say.
    pub says: String,
    /// What belongs to it, one line each.
    pub list: Vec<String>,
}

impl Step {
    fn new(topic: Topic, says: impl Into<String>) -> Self {
        Self { topic, says: says.into(), list: Vec::new() }
    }

    fn with(mut self, list: impl IntoIterator<Item = String>) -> Self {
        self.list.extend(list);
        self
    }
}

pub(super) fn steps(story: &Explanation, name: &Name, service: Option<&Service>) -> Vec<Step> {
    let mut steps = vec![named(story, name)];
    match (&story.route, service) {
        (Some(route), Some(service)) => {
            steps.push(routed(route, service));
            steps.push(endpoints(route));
            steps.push(tls(route, service.mode));
            steps.push(caller(story));
        }
        _ => steps.extend(lost(story, name)),
    }
    steps.push(verdict(story));
    steps
}

fn named(story: &Explanation, name: &Name) -> Step {
    let says = match name {
        Name::Absent => "the client names no server".to_owned(),
        Name::Address => {
            "an address is not a server name (RFC 6066 section 3): clients send none then, and the gateway takes it for none"
                .to_owned()
        }
        Name::Invalid(error) => format!("TLS cannot carry this name: {error}"),
        Name::Valid(name) if name.as_str() == story.sni => "a server name that TLS can carry".to_owned(),
        Name::Valid(name) => format!("a server name that TLS can carry, compared in lower case: {name}"),
    };
    Step::new(Topic::Name, says)
}

/// What there is to say of a name that leads nowhere.
fn lost(story: &Explanation, name: &Name) -> Option<Step> {
    let list: Vec<String> = story
        .nearest
        .iter()
        .map(|near| format!("{} (service {}): {}", near.name, near.service, near.differs.words()))
        .collect();
    let nowhere = match name {
        Name::Valid(_) => "no service has this name: not as a key, nor as a further name, nor below a suffix",
        Name::Absent | Name::Address | Name::Invalid(_) if list.is_empty() => return None,
        Name::Absent | Name::Address | Name::Invalid(_) => "what was asked for is not looked up",
    };
    let says = if list.is_empty() {
        format!("{nowhere}; no name is near it")
    } else {
        format!("{nowhere}; did you mean one of these?")
    };
    Some(Step::new(Topic::Route, says).with(list))
}

fn routed(route: &Destination, service: &Service) -> Step {
    let Destination { by, service: name, .. } = route;
    let part = match &route.subset {
        Some(subset) => format!("subset {subset} of service {name}"),
        None => format!("service {name}"),
    };
    let says = match route.matched {
        Matched::Key => format!("it is the key of {part}"),
        Matched::Name => format!("it is a further name of {part}"),
        Matched::Suffix => format!("{by} is the longest suffix that matches; it is a name of {part}"),
    };
    let subset = service.subsets.iter().find(|subset| route.subset.as_ref() == Some(&subset.name));
    let labels = subset.map(|subset| format!("a subset of the endpoints with {}", labels(&subset.labels)));
    Step::new(Topic::Route, says).with(labels)
}

fn endpoints(route: &Destination) -> Step {
    let first = route.endpoints.iter().map(|endpoint| endpoint.priority).min().unwrap_or_default();
    let how = match route.balance {
        "round_robin" => "one after the other, in proportion to weight",
        "random" => "at random, in proportion to weight",
        "source_hash" => "by the client's address, in proportion to weight",
        _ => "the one with the fewest connections for its weight",
    };
    let several = route.endpoints.iter().any(|endpoint| endpoint.priority != first);
    let says = match (route.endpoints.len(), several) {
        (0, _) if route.subset.is_some() => "no endpoint has the labels of the subset".to_owned(),
        (0, _) => "the service has none".to_owned(),
        (1, _) => "one".to_owned(),
        (count, false) => format!("{count}, chosen by {}: {how}", route.balance),
        (count, true) => format!(
            "{count}, chosen by {} among those of the lowest priority number that has a usable one: {how}",
            route.balance
        ),
    };
    Step::new(Topic::Endpoints, says).with(route.endpoints.iter().map(endpoint))
}

fn endpoint(facts: &EndpointFacts) -> String {
    // Writing to a string can't fail.
    let mut line = format!("{} weight {}, priority {}", facts.address, facts.weight, facts.priority);
    if let Some(locality) = &facts.locality {
        let _ = write!(line, ", in {locality}");
    }
    if !facts.labels.is_empty() {
        let _ = write!(line, ", {}", labels(&facts.labels));
    }
    if facts.address.parse::<std::net::SocketAddr>().is_err() {
        line += " (a host name: taken to resolve; only the running gateway knows to what)";
    }
    line
}

fn labels(labels: &std::collections::BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

fn tls(route: &Destination, mode: Mode) -> Step {
    match mode {
        Mode::Passthrough => Step::new(
            Topic::Tls,
            "passed through: the caller's TLS reaches the endpoint, and the gateway sees nothing of it but the name",
        ),
        Mode::Terminate => {
            let presents = match &route.presents {
                Some(name) => format!("the identity {name}"),
                None => "the gateway's own identity".to_owned(),
            };
            let alpn = match &route.alpn {
                Some(list) => format!("ALPN: {}, and no others (alert 120)", list.join(", ")),
                None => format!(
                    "ALPN: the first of the client's list among {}; none if nothing overlaps",
                    ISTIO_ALPN.join(", ")
                ),
            };
            let says =
                format!("terminated: the gateway presents {presents} and demands the caller's certificate");
            Step::new(Topic::Tls, says).with([alpn])
        }
    }
}

fn caller(story: &Explanation) -> Step {
    let Some(callers) = &story.callers else {
        let says = match &story.identity {
            Some(id) => format!("the endpoint decides; the gateway cannot see whether {id} calls"),
            None => "the endpoint decides; the gateway does not see who calls".to_owned(),
        };
        return Step::new(Topic::Caller, says);
    };
    let mut step = match &story.identity {
        Some(id) => judged(callers, id, story),
        None => granted(callers, story.trust.as_deref()),
    };
    let subset = story.route.as_ref().and_then(|route| route.subset.as_deref());
    step.list.splice(..0, subset.map(|subset| decided_by(callers.list, subset)));
    step
}

/// Which allow list decides, where there may be two.
fn decided_by(list: AllowList, subset: &str) -> String {
    match list {
        AllowList::Subset => format!("the allow list of subset {subset} decides, and the service's does not"),
        AllowList::Service => {
            format!("the service's allow list decides, since subset {subset} has none of its own")
        }
    }
}

/// Who may call.
fn granted(callers: &Callers, trust: Option<&str>) -> Step {
    let by = trust.map_or_else(String::new, |trust| format!(" of those whom {trust} vouches for"));
    let says = match (callers.grants.is_empty(), callers.authorization) {
        (true, "audit") => {
            format!("anyone{by} with a verified identity: nobody is allowed, but this is only audited")
        }
        (true, _) => "nobody: the allow list is empty".to_owned(),
        (false, "audit") => {
            format!("anyone{by} with a verified identity, since the service only audits; allowed are")
        }
        (false, _) => format!("whoever{by} one of these grants names"),
    };
    Step::new(Topic::Caller, says).with(callers.grants.iter().map(grant))
}

fn grant(facts: &GrantFacts) -> String {
    let GrantFacts { index, grant, met_by, .. } = facts;
    match met_by.as_slice() {
        [] => format!(
            "allow[{index}] {grant}: nobody can meet it, for no trust entry in question vouches for such a caller"
        ),
        [one] => format!("allow[{index}] {grant} (vouched for by {one})"),
        several => format!("allow[{index}] {grant} (vouched for by any of {})", several.join(", ")),
    }
}

/// What becomes of the caller who was asked about.
fn judged(callers: &Callers, id: &str, story: &Explanation) -> Step {
    let says = match (callers.vouching.as_slice(), &story.trust) {
        ([], None) => format!("no trust entry vouches for the domain of {id}"),
        ([], Some(trust)) => format!("{trust} does not vouch for the domain of {id}"),
        ([one], _) => format!("{id}, for whom {} vouches", one.trust),
        (several, _) => format!("{id}, for whom any of {} trust entries may vouch", several.len()),
    };
    let outcome = |vouching: &Vouching| {
        let grants = vouching.grant.and_then(|index| callers.grants.get(index));
        let because = match (grants, vouching.verdict) {
            (Some(GrantFacts { index, grant, alias_of: Some(_), .. }), _) => {
                format!("let in by an alias, allow[{index}] {grant}")
            }
            (Some(GrantFacts { index, grant, .. }), _) => format!("let in by allow[{index}] {grant}"),
            (None, Verdict::WouldDeny) => "let in without a grant, since the service only audits".to_owned(),
            (None, _) if callers.grants.is_empty() => "refused: the allow list is empty".to_owned(),
            (None, _) => format!("refused: none of the {} grants allows it", callers.grants.len()),
        };
        format!("if {} vouches: {because}", vouching.trust)
    };
    let mut list: Vec<String> = callers.vouching.iter().map(outcome).collect();
    if !callers.vouching.iter().any(|vouching| vouching.grant.is_some()) {
        list.extend(callers.grants.iter().map(grant));
    }
    Step::new(Topic::Caller, says).with(list)
}

fn verdict(story: &Explanation) -> Step {
    let reason = match story.verdict {
        Verdict::Refused(reason) => reason,
        Verdict::WouldDeny => {
            return Step::new(
                Topic::Verdict,
                "let in, and logged as would_deny: the service only audits whom it allows",
            );
        }
        Verdict::LetIn => return Step::new(Topic::Verdict, let_in(story)),
    };
    let told = match reason.alert() {
        Some(number) => {
            let when = match story.route {
                Some(_) if reason != Reason::NoEndpoint => {
                    "in answer to its certificate; in TLS 1.3 it meets it in its first read"
                }
                _ => "in answer to its ClientHello, before any certificate",
            };
            format!("the client sees alert {number} ({}), {when}", alert(number))
        }
        None => "the client sees a reset".to_owned(),
    };
    let says = format!("refused: {reason} ({})", reason.flag());
    Step::new(Topic::Verdict, says).with([told, format!("hint: {}", reason.hint())])
}

fn let_in(story: &Explanation) -> &'static str {
    let Some(callers) = &story.callers else {
        return "passed through to an endpoint, which decides";
    };
    let others = callers.vouching.iter().map(|vouching| vouching.verdict).min();
    match (&story.identity, others) {
        (None, _) if callers.authorization == "audit" => {
            "let in, and logged as would_deny where no grant names the caller"
        }
        (None, _) => "let in, if a grant names the caller",
        (Some(_), None | Some(Verdict::LetIn)) => "let in",
        (Some(_), Some(Verdict::WouldDeny)) => {
            "let in; if some trust entries vouch, only because the service audits, and logged as would_deny"
        }
        (Some(_), Some(Verdict::Refused(_))) => {
            "let in if some trust entries vouch, and refused if others do; --trust NAME asks about one"
        }
    }
}

/// The name of an alert (RFC 8446 section 6).
fn alert(number: u8) -> &'static str {
    match number {
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        80 => "internal_error",
        112 => "unrecognized_name",
        _ => "see RFC 8446 section 6",
    }
}
