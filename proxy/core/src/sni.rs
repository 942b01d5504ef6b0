//! What a client asks for: the server name of its ClientHello, and the keys it is compared with.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A server name as TLS accepts it, ASCII lower-cased.
///
/// The rules are those of `rustls-pki-types` (`DnsName`), so that a name which passes here is a name
/// that TLS can carry, and a configured name that TLS could never carry is refused when it is loaded:
/// at most 253 bytes, labels of 1 to 63 bytes of letters, digits, `-` and `_`, none beginning or ending
/// with `-`, the last not all digits. One trailing dot is accepted and kept: `host.` and `host` are
/// different names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sni(Arc<str>);

/// Why a text is not a server name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SniError {
    /// The text is empty.
    #[error("a server name may not be empty")]
    Empty,
    /// The text is longer than 253 bytes.
    #[error("a server name has at most 253 bytes (RFC 1035 section 2.3.4)")]
    TooLong,
    /// A label is empty or longer than 63 bytes.
    #[error("each label of a server name has 1 to 63 bytes (RFC 1035 section 2.3.4)")]
    Label,
    /// A byte other than a letter, digit, `-`, `_` or `.`, or a `-` at the edge of a label.
    #[error(
        "a server name consists of letters, digits, '-', '_' and '.', and no label begins or ends with '-'"
    )]
    Character,
    /// The last label is all digits, as in an IPv4 address.
    #[error("the last label of a server name may not be all digits (an address is not a server name)")]
    Numeric,
}

impl Sni {
    /// Parses a server name, lower-casing ASCII letters.
    pub fn parse(text: &str) -> Result<Self, SniError> {
        validate(text)?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for Sni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Borrow<str> for Sni {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

fn validate(text: &str) -> Result<(), SniError> {
    if text.is_empty() {
        return Err(SniError::Empty);
    }
    if text.len() > 253 {
        return Err(SniError::TooLong);
    }
    let rooted = text.strip_suffix('.').unwrap_or(text);
    let mut last = "";
    for label in rooted.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err(SniError::Label);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(SniError::Character);
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(SniError::Character);
        }
        last = label;
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SniError::Numeric);
    }
    Ok(())
}

/// The key by which a sidecar names one port of a service: `outbound_.PORT_.SUBSET_.HOST`.
///
/// This is `BuildDNSSrvSubsetKey` of Istio's `pilot/pkg/model/service.go` for the outbound direction;
/// an empty subset stands for the whole service. The port is a part of the name, never a number to
/// dial: `8000` and `08000` are different names.
pub fn service_key(host: &str, port: u16, subset: &str) -> Result<Sni, SniError> {
    Sni::parse(&key_text(host, port, subset))
}

/// The text of [`service_key`], whether it is a name or not.
pub(crate) fn key_text(host: &str, port: u16, subset: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// A configured name that a service answers to beside its keys: exact, or `*.suffix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamePattern {
    /// Exactly this name.
    Exact(Sni),
    /// Any name with at least one label in front of this suffix.
    Suffix(Sni),
}

impl NamePattern {
    /// Parses `name` or `*.suffix`; a `*` anywhere else is refused.
    pub fn parse(text: &str) -> Result<Self, SniError> {
        match text.strip_prefix("*.") {
            Some(suffix) => Sni::parse(suffix).map(Self::Suffix),
            None => Sni::parse(text).map(Self::Exact),
        }
    }

    /// The name, and whether it is a suffix.
    pub(crate) fn into_parts(self) -> (Sni, bool) {
        match self {
            Self::Exact(name) => (name, false),
            Self::Suffix(name) => (name, true),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => write!(f, "{name}"),
            Self::Suffix(name) => write!(f, "*.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_service_port_is_what_istio_builds() {
        let key = service_key("httpbin.default.svc.cluster.local", 8000, "").unwrap();
        assert_eq!(key.as_str(), "outbound_.8000_._.httpbin.default.svc.cluster.local");
        let key = service_key("reviews.default.svc.cluster.local", 80, "v1").unwrap();
        assert_eq!(key.as_str(), "outbound_.80_.v1_.reviews.default.svc.cluster.local");
    }

    #[test]
    fn letters_are_lowered_and_a_trailing_dot_is_kept() {
        assert_eq!(Sni::parse("API.Example").unwrap().as_str(), "api.example");
        assert_ne!(Sni::parse("a.b.").unwrap(), Sni::parse("a.b").unwrap());
    }

    #[test]
    fn a_subset_of_63_bytes_makes_a_label_of_64_which_tls_cannot_carry() {
        let subset = "a".repeat(62);
        assert!(service_key("h.example", 80, &subset).is_ok());
        let subset = "a".repeat(63);
        assert_eq!(service_key("h.example", 80, &subset), Err(SniError::Label));
    }

    #[test]
    fn what_tls_would_refuse_is_refused_with_its_rule() {
        let total_253 =
            format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
        assert_eq!(total_253.len(), 253);
        assert!(Sni::parse(&total_253).is_ok());
        let cases = [
            ("", SniError::Empty),
            (".", SniError::Label),
            ("a..b", SniError::Label),
            ("-a.b", SniError::Character),
            ("a-.b", SniError::Character),
            ("a b", SniError::Character),
            ("*.a", SniError::Character),
            ("a|b", SniError::Character),
            ("bücher.example", SniError::Character),
            ("10.0.0.7", SniError::Numeric),
        ];
        for (text, rule) in cases {
            assert_eq!(Sni::parse(text), Err(rule), "{text:?}");
        }
        assert_eq!(Sni::parse(&format!("{total_253}e")), Err(SniError::TooLong));
    }

    #[test]
    fn a_star_stands_only_at_the_front_of_a_pattern() {
        assert_eq!(
            NamePattern::parse("*.Example.com"),
            Ok(NamePattern::Suffix(Sni::parse("example.com").unwrap()))
        );
        assert_eq!(NamePattern::parse("a.*.com"), Err(SniError::Character));
        assert_eq!(NamePattern::parse("*"), Err(SniError::Character));
    }
}
