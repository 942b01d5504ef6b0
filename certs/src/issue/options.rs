//! What a certificate is to say.

use std::net::IpAddr;
use std::time::Duration;

use landbridge_core::SpiffeId;
use rustls_pki_types::UnixTime;

use super::{Purpose, Usage};

/// How long a CA lasts by default.
pub const CA_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// How long a leaf lasts by default.
pub const LEAF_LIFETIME: Duration = Duration::from_secs(86_400);
/// How long a revocation list lasts by default.
pub const CRL_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// How long before now a validity begins, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(60);

/// From when to when something is valid, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// The last second.
    pub not_after: UnixTime,
}

impl Validity {
    /// From a minute before `now` until `lifetime` after it.
    pub fn starting(now: UnixTime, lifetime: Duration) -> Self {
        let now = Duration::from_secs(now.as_secs());
        Self {
            not_before: UnixTime::since_unix_epoch(now.saturating_sub(BACKDATED)),
            not_after: UnixTime::since_unix_epoch(now.saturating_add(lifetime)),
        }
    }
}

/// The kind of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// ECDSA with P-256.
    #[default]
    P256,
    /// ECDSA with P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
}

/// An X.509 extension that is written as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its object identifier.
    pub oid: Vec<u64>,
    /// Whether who does not know it must refuse the certificate.
    pub critical: bool,
    /// Its value.
    pub der: Vec<u8>,
}

/// What a CA's certificate says.
#[derive(Debug, Clone)]
pub struct CaOptions {
    /// Default: a year.
    pub validity: Validity,
    /// Default: P-256.
    pub algorithm: Algorithm,
    /// How many CAs may follow below it. Default: any number.
    pub path_length: Option<u8>,
    /// Default: none.
    pub extensions: Vec<Extension>,
}

impl CaOptions {
    /// The defaults, valid from about `now`.
    pub fn new(now: UnixTime) -> Self {
        Self {
            validity: Validity::starting(now, CA_LIFETIME),
            algorithm: Algorithm::default(),
            path_length: None,
            extensions: Vec::new(),
        }
    }
}

/// What a leaf's certificate says.
#[derive(Debug, Clone)]
pub struct LeafOptions {
    /// URI SANs, unchecked. Default: the SPIFFE ID.
    pub uris: Vec<String>,
    /// DNS SANs, unchecked. Default: none.
    pub dns: Vec<String>,
    /// IP SANs. Default: none.
    pub addresses: Vec<IpAddr>,
    /// Default: a day.
    pub validity: Validity,
    /// Default: P-256.
    pub algorithm: Algorithm,
    /// Whether basic constraints call it a CA. Default: they say that it is none.
    pub ca: bool,
    /// Default: digitalSignature. Empty leaves the extension out.
    pub usages: Vec<Usage>,
    /// Default: clientAuth and serverAuth. Empty leaves the extension out.
    pub purposes: Vec<Purpose>,
    /// Default: none.
    pub extensions: Vec<Extension>,
}

impl LeafOptions {
    /// The defaults without a name, valid from about `now`.
    pub fn new(now: UnixTime) -> Self {
        Self {
            uris: Vec::new(),
            dns: Vec::new(),
            addresses: Vec::new(),
            validity: Validity::starting(now, LEAF_LIFETIME),
            algorithm: Algorithm::default(),
            ca: false,
            usages: vec![Usage::DigitalSignature],
            purposes: vec![Purpose::ClientAuth, Purpose::ServerAuth],
            extensions: Vec::new(),
        }
    }

    /// The defaults for a workload.
    pub fn svid(id: &SpiffeId, now: UnixTime) -> Self {
        Self { uris: vec![id.to_string()], ..Self::new(now) }
    }
}
