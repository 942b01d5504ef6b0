//! Which services a gateway may see.

use std::fmt;

use crate::service::Labels;

/// A name in which `*` stands for any characters, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

/// What a gateway may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Services of these namespaces.
    pub namespaces: Vec<Glob>,
    /// Of those, the ones that have all of these labels.
    pub labels: Labels,
    /// Trust bundles of these names.
    pub trust: Vec<Glob>,
    /// Peers of these names.
    pub peers: Vec<Glob>,
}

impl Selector {
    /// Selects everything.
    pub fn everything() -> Self {
        let all = || vec![Glob::parse("*")];
        Self { namespaces: all(), labels: Labels::new(), trust: all(), peers: all() }
    }

    /// Whether a service of this namespace and with these labels is selected.
    pub fn service(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespaces.iter().any(|glob| glob.matches(namespace))
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl Glob {
    /// Reads a glob; any text is one.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it names this.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
