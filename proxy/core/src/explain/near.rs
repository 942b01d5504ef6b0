//! The names that may have been meant, and in what they differ from the one that was asked for.

use serde::Serialize;

use crate::service::Service;
use crate::snapshot::Snapshot;
use crate::sni::NamePattern;

/// So many names are told at most.
const TOLD: usize = 5;
/// So many names are compared letter by letter at most, so that a long list costs no more than this.
const COMPARED: usize = 20_000;

/// A name that leads somewhere and is close to one that does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Near {
    /// The name, or `*.suffix`.
    pub name: String,
    /// The service that it leads to.
    pub service: String,
    /// In what it differs.
    pub differs: Difference,
    /// How many letters it differs by.
    pub letters: usize,
}

/// In what one name differs from another that was probably meant, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// One ends with a dot.
    TrailingDot,
    /// One has its port with zeros in front.
    LeadingZero,
    /// What was asked for says the same in a form that is no server name of a sidecar.
    Form,
    /// What was asked for is the suffix itself, with no label in front.
    NoLabel,
    /// They are keys of one host and port.
    Subset,
    /// They are keys of one host and subset.
    Port,
    /// They are keys of one port and subset.
    Host,
    /// They are keys of one host.
    PortAndSubset,
    /// Some letters.
    Letters,
}

impl Difference {
    /// The difference in words, as what the name that was asked for has wrong.
    pub fn words(self) -> &'static str {
        match self {
            Self::TrailingDot => "only a dot at the end differs; with and without it are two names",
            Self::LeadingZero => {
                "only zeros in front of the port differ; it is compared as text, not as a number"
            }
            Self::Form => "the same service in the form that a sidecar asks for it, which is the only one",
            Self::NoLabel => "the suffix needs at least one label in front",
            Self::Subset => "only the subset differs; nothing falls back to the whole service",
            Self::Port => "only the port differs; it is that of the service, not that of an endpoint",
            Self::Host => "only the host differs",
            Self::PortAndSubset => "the host is the same, its port and subset are not",
            Self::Letters => "some letters differ",
        }
    }
}

/// The names closest to `asked`, the likeliest first; no others where one is all but certain.
pub(super) fn nearest(services: &Snapshot, asked: &str) -> Vec<Near> {
    let asked = asked.to_ascii_lowercase();
    let mut near: Vec<Near> = Vec::new();
    let mut left = COMPARED;
    for service in services.sorted() {
        for (pattern, _) in service.routes().unwrap_or_default() {
            let Some(differs) = difference(&asked, &pattern, service, &mut left) else { continue };
            let name = pattern.to_string();
            let letters = strsim::osa_distance(&asked, &name);
            near.push(Near { name, service: service.name.to_string(), differs, letters });
        }
    }
    near.sort_by(|a, b| (a.differs, a.letters, &a.name).cmp(&(b.differs, b.letters, &b.name)));
    let certain = near.first().map(|near| near.differs).filter(|differs| *differs <= Difference::NoLabel);
    if let Some(certain) = certain {
        near.retain(|near| near.differs == certain);
    }
    near.truncate(TOLD);
    near
}

/// In what `asked` differs from a name; `None` if it can't have been meant.
fn difference(asked: &str, pattern: &NamePattern, service: &Service, left: &mut usize) -> Option<Difference> {
    let name = match pattern {
        NamePattern::Exact(name) => name.as_str(),
        NamePattern::Suffix(suffix) => return of_suffix(asked, suffix.as_str()),
    };
    if undotted(asked) == undotted(name) {
        return Some(Difference::TrailingDot);
    }
    if asked.len() > LONGEST {
        return None;
    }
    let meant = service.host().and_then(|_| Key::of(name));
    if let Some(meant) = meant {
        if meant.is_written_otherwise(asked) {
            return Some(Difference::Form);
        }
        if let Some(key) = Key::of(asked) {
            return key.difference(&meant, left);
        }
    }
    close(asked, name, left).then_some(Difference::Letters)
}

/// No server name is longer (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;

fn of_suffix(asked: &str, suffix: &str) -> Option<Difference> {
    let below = |name: &str| name.strip_suffix(suffix).is_some_and(|front| front.ends_with('.'));
    if asked == suffix {
        return Some(Difference::NoLabel);
    }
    let other = asked.strip_suffix('.').map_or_else(|| format!("{asked}."), str::to_owned);
    below(&other).then_some(Difference::TrailingDot)
}

fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether one name may be a slip of the other.
fn close(asked: &str, name: &str, left: &mut usize) -> bool {
    let bound = (name.len() / 5).clamp(1, 6);
    if asked.is_empty() || asked.len().abs_diff(name.len()) > bound || *left == 0 {
        return false;
    }
    *left -= 1;
    strsim::osa_distance(asked, name) <= bound
}

/// The parts of `outbound_.PORT_.SUBSET_.HOST`.
#[derive(PartialEq, Eq)]
struct Key<'a> {
    port: &'a str,
    subset: &'a str,
    host: &'a str,
}

impl<'a> Key<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let (port, rest) = name.strip_prefix("outbound_.")?.split_once("_.")?;
        let (subset, host) = rest.split_once("_.")?;
        Some(Self { port, subset, host })
    }

    /// Whether `text` means this key and is none: the bare host, `host:port`, the form with bars, or that
    /// of the other direction.
    fn is_written_otherwise(&self, text: &str) -> bool {
        let Self { port, subset, host } = self;
        let whole = subset.is_empty();
        (whole && (text == *host || text == format!("{host}:{port}")))
            || ["outbound", "inbound"].iter().any(|way| text == format!("{way}|{port}|{subset}|{host}"))
            || text == format!("inbound_.{port}_.{subset}_.{host}")
    }

    fn difference(&self, meant: &Self, left: &mut usize) -> Option<Difference> {
        let digits = |port: &'a str| port.trim_start_matches('0');
        let port = self.port == meant.port;
        match (port, self.subset == meant.subset, self.host == meant.host) {
            (false, true, true) if digits(self.port) == digits(meant.port) => Some(Difference::LeadingZero),
            (false, true, true) => Some(Difference::Port),
            (true, false, true) => Some(Difference::Subset),
            (true, true, false) if begins(self.host, meant.host) => Some(Difference::Host),
            (true, true, false) => close(self.host, meant.host, left).then_some(Difference::Host),
            (false, false, true) => Some(Difference::PortAndSubset),
            _ => close(self.host, meant.host, left).then_some(Difference::Letters),
        }
    }
}

/// Whether one host is a short form of the other, such as `httpbin.default`.
fn begins(a: &str, b: &str) -> bool {
    let short = |short: &str, long: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
    short(a, b) || short(b, a)
}
