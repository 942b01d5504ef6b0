//! Who somebody is: SPIFFE IDs, trust domains, and the pair that makes an identity here.
//!
//! The grammar is that of the SPIFFE-ID specification, section 2: scheme `spiffe`, a trust domain of
//! 1 to 255 bytes of lower-case letters, digits, `.`, `-` and `_`, and path segments of letters, digits,
//! `.`, `-` and `_`, none empty and none `.` or `..`; at most 2048 bytes in all. Comparison is by bytes:
//! nothing is normalised, so nothing can be normalised differently elsewhere.

use std::fmt;
use std::sync::Arc;

/// A SPIFFE trust domain, such as `cluster.local`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(Arc<str>);

/// The name of one `[[trust]]` entry.
///
/// Two meshes may both call themselves `cluster.local`; their entries have different names, and an
/// identity carries the name of the entry whose bundle verified it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustName(Arc<str>);

/// A SPIFFE ID of a workload, such as `spiffe://cluster.local/ns/default/sa/sleep`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: Arc<str>,
    domain: usize,
}

/// A verified identity: which trust entry vouches for it, and the SPIFFE ID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The trust entry whose bundle the certificate's path ends in.
    pub trust: TrustName,
    /// The one URI SAN of the certificate.
    pub id: SpiffeId,
}

/// Why a text is not a SPIFFE ID or trust domain (SPIFFE-ID section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeError {
    /// The text does not begin with `spiffe://` in lower case.
    #[error("a SPIFFE ID begins with \"spiffe://\", in lower case")]
    Scheme,
    /// The text is longer than 2048 bytes.
    #[error("a SPIFFE ID has at most 2048 bytes")]
    TooLong,
    /// The trust domain is empty or longer than 255 bytes.
    #[error("a trust domain has 1 to 255 bytes")]
    DomainLength,
    /// The trust domain has a byte outside its alphabet (upper case, port, user info …).
    #[error("a trust domain consists of lower-case letters, digits, '.', '-' and '_'")]
    DomainCharacter,
    /// There is no path: the ID names a trust domain, not a workload.
    #[error("the ID of a workload has a path after its trust domain")]
    NoPath,
    /// A path segment is empty, `.` or `..`, or the path ends in a slash.
    #[error("no segment of a SPIFFE path may be empty, \".\" or \"..\"")]
    Segment,
    /// A path segment has a byte outside its alphabet (percent-encoding, query, fragment …).
    #[error("a SPIFFE path consists of letters, digits, '.', '-' and '_' between slashes")]
    PathCharacter,
}

const SCHEME: &str = "spiffe://";

impl TrustDomain {
    /// Parses a trust domain name, such as `cluster.local`.
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        if text.is_empty() || text.len() > 255 {
            return Err(SpiffeError::DomainLength);
        }
        let legal = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
        };
        if !text.bytes().all(legal) {
            return Err(SpiffeError::DomainCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TrustName {
    /// Makes a name of any text; the configuration checks that names are unique.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// Parses the SPIFFE ID of a workload; the path is mandatory.
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        if text.len() > 2048 {
            return Err(SpiffeError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeError::Scheme)?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        let domain = TrustDomain::parse(domain)?;
        let path = path.ok_or(SpiffeError::NoPath)?;
        path.split('/').try_for_each(segment)?;
        Ok(Self { text: text.into(), domain: domain.0.len() })
    }

    /// The ID as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of its trust domain.
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..SCHEME.len() + self.domain).unwrap_or_default()
    }

    /// The path, with its leading slash.
    pub fn path(&self) -> &str {
        self.text.get(SCHEME.len() + self.domain..).unwrap_or_default()
    }

    /// Namespace and service account, for an ID of Istio's shape `/ns/NS/sa/SA`.
    pub fn workload(&self) -> Option<Workload<'_>> {
        let mut parts = self.path().strip_prefix('/')?.split('/');
        match (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()) {
            ("ns", namespace, "sa", service_account, None) => Some(Workload { namespace, service_account }),
            _ => None,
        }
    }
}

/// What an ID of the shape `spiffe://TD/ns/NS/sa/SA` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload<'a> {
    /// The Kubernetes namespace.
    pub namespace: &'a str,
    /// The Kubernetes service account.
    pub service_account: &'a str,
}

/// Checks one path segment (SPIFFE-ID section 2.2).
pub(crate) fn segment(text: &str) -> Result<(), SpiffeError> {
    if matches!(text, "" | "." | "..") {
        return Err(SpiffeError::Segment);
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        return Err(SpiffeError::PathCharacter);
    }
    Ok(())
}

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
shown_as_text!(TrustDomain, TrustName, SpiffeId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_istio_id_falls_into_its_parts() {
        let id = SpiffeId::parse("spiffe://cluster.local/ns/default/sa/sleep").unwrap();
        assert_eq!(id.trust_domain(), "cluster.local");
        assert_eq!(id.path(), "/ns/default/sa/sleep");
        assert_eq!(id.workload(), Some(Workload { namespace: "default", service_account: "sleep" }));
        let other = SpiffeId::parse("spiffe://cluster.local/ns/default/sa/sleep/x").unwrap();
        assert_eq!(other.workload(), None);
    }

    #[test]
    fn the_grammar_is_the_specification_s_and_nothing_is_normalised() {
        let long = format!("spiffe://td/{}", "a".repeat(2037));
        let cases = [
            ("SPIFFE://td/a", SpiffeError::Scheme),
            ("https://td/a", SpiffeError::Scheme),
            ("", SpiffeError::Scheme),
            ("spiffe:///a", SpiffeError::DomainLength),
            ("spiffe://TD/a", SpiffeError::DomainCharacter),
            ("spiffe://user@td/a", SpiffeError::DomainCharacter),
            ("spiffe://td:80/a", SpiffeError::DomainCharacter),
            ("spiffe://td", SpiffeError::NoPath),
            ("spiffe://td/", SpiffeError::Segment),
            ("spiffe://td/a/", SpiffeError::Segment),
            ("spiffe://td//a", SpiffeError::Segment),
            ("spiffe://td/.", SpiffeError::Segment),
            ("spiffe://td/a/../b", SpiffeError::Segment),
            ("spiffe://td/%2f", SpiffeError::PathCharacter),
            ("spiffe://td/a?q", SpiffeError::PathCharacter),
            ("spiffe://td/a#f", SpiffeError::PathCharacter),
            ("spiffe://td/a\0", SpiffeError::PathCharacter),
            ("spiffe://td/é", SpiffeError::PathCharacter),
            (&long, SpiffeError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(SpiffeId::parse(text), Err(error), "{text:?}");
        }
        assert!(SpiffeId::parse(long.get(..2048).unwrap()).is_ok());
        assert!(SpiffeId::parse("spiffe://td/...").is_ok());
        assert_ne!(SpiffeId::parse("spiffe://td/A"), SpiffeId::parse("spiffe://td/a"));
    }
}
