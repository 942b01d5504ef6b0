//! Whether a text can be the server name of a ClientHello.

use std::net::IpAddr;

use crate::outcome::Reason;
use crate::sni::{Sni, SniError};

/// What a text is as a server name.
pub(super) enum Name {
    /// Nothing: the client names no server.
    Absent,
    /// An address, which TLS clients leave out and the gateway takes for no name (RFC 6066 section 3).
    Address,
    /// Not a name that TLS can carry.
    Invalid(SniError),
    /// A name that TLS can carry.
    Valid(Sni),
}

impl Name {
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self::Absent;
        }
        match Sni::parse(text) {
            Ok(name) => Self::Valid(name),
            Err(_) if text.parse::<IpAddr>().is_ok() => Self::Address,
            Err(error) => Self::Invalid(error),
        }
    }

    /// The name, in lower case, if it is one.
    pub(super) fn valid(&self) -> Option<&str> {
        match self {
            Self::Valid(name) => Some(name.as_str()),
            Self::Absent | Self::Address | Self::Invalid(_) => None,
        }
    }

    /// Why the name itself is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Reason> {
        match self {
            Self::Absent | Self::Address => Some(Reason::NoSni),
            Self::Invalid(_) => Some(Reason::SniInvalid),
            Self::Valid(_) => None,
        }
    }
}
