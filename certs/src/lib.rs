//! Who the gateway is, whom it believes, and how a TLS handshake begins and ends.
//!
//! A connection meets the modules in this order: [`hello`] reads what the client asks for,
//! [`tls`] makes the configuration that answers it with an identity from [`identity`], [`verifier`]
//! is asked about the client's certificate inside the handshake and asks [`trust`] and the service's
//! policy, [`failure`] names what went wrong. Where an endpoint speaks mutual TLS too, [`tls::upstream`]
//! is how it is called. Where sessions are resumed, `tickets` says on which terms.
//!
//! Nothing here opens a socket, reads a clock or installs a process-wide crypto provider: bytes and
//! time are arguments. The files of an identity or a trust entry are read where a function says so.

pub mod failure;
pub mod hello;
pub mod identity;
#[cfg(feature = "issue")]
pub mod inspect;
#[cfg(feature = "issue")]
pub mod issue;
pub mod refusal;
pub mod source;
pub mod tls;
pub mod trust;
pub mod verifier;

mod leaf;
#[cfg(test)]
#[cfg(feature = "issue")]
mod testing;
mod tickets;

pub use failure::{reason_of, upstream_failure};
pub use hello::{Hello, HelloError, HelloReader, plaintext_alert};
pub use identity::{IdentityError, KeyPair};
pub use refusal::Refusal;
pub use source::SourceError;
pub use tls::direct::Direct;
pub use tls::upstream::{Origination, offer_alpn};
pub use tls::{Acceptance, AlpnMismatch, TlsContext, select_alpn};
pub use trust::{Anchor, CertId, Role, Svid, TrustEntry, TrustError, TrustStore, TrustWarning};
pub use verifier::Verdict;
