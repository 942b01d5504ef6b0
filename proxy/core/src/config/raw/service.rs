//! `[[service]]` and what is inside it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{List, Number};
use crate::config::read::Field;

/// `[[service]]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawService {
    /// The host name of the service. Required with `port`, or else `sni` is.
    pub(in crate::config) host: Option<Field<String>>,
    /// The port of the service, a part of its name. Required with `host`.
    pub(in crate::config) port: Option<Field<Number<1, 65_535>>>,
    /// Further names for it: exact, or `*.suffix` (any number of labels). Default: none.
    pub(in crate::config) sni: Option<List<String>>,
    /// How it is served. Default `terminate`.
    pub(in crate::config) mode: Option<Field<RawMode>>,
    /// Who may call; with `terminate` only. Default: nobody.
    pub(in crate::config) allow: Option<List<RawGrant>>,
    /// What becomes of a caller whom no grant allows. Default `enforce`.
    pub(in crate::config) authorization: Option<Field<RawAuthorization>>,
    /// The application protocols selected, strictly. Default: Istio's as offered, none if nothing overlaps.
    pub(in crate::config) alpn: Option<List<String>>,
    /// How an endpoint is chosen. Default `least_request`.
    pub(in crate::config) balance: Option<Field<RawBalance>>,
    /// Where connections go. Default: none.
    pub(in crate::config) endpoints: Option<List<RawEndpoint>>,
    /// Whether live connections end when the caller's certificate does. Default false.
    pub(in crate::config) close_on_cert_expiry: Option<Field<bool>>,
    /// What is made of a TLS stream that ends without close_notify. Default `reset`.
    pub(in crate::config) missing_close_notify: Option<Field<RawCloseNotify>>,
    /// The name of the identity that the service presents. Default: the gateway's own.
    pub(in crate::config) identity: Option<Field<String>>,
    /// PROXY v2 to the endpoint. Default: not sent.
    pub(in crate::config) send_proxy: Option<Field<RawSendProxy>>,
    /// Named parts of the endpoints. Default: none.
    pub(in crate::config) subset: Option<List<RawSubset>>,
    /// mTLS to the endpoint's own sidecar. Default: plain.
    pub(in crate::config) upstream_tls: Option<Field<RawUpstreamTls>>,
}

/// `service.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawMode {
    /// The gateway terminates mutual TLS.
    Terminate,
    /// The caller's TLS reaches the endpoint untouched.
    Passthrough,
}

/// `service.authorization`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawAuthorization {
    /// The caller is refused.
    Enforce,
    /// The caller is let through and logged as `would_deny`.
    Audit,
}

/// `service.balance`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawBalance {
    /// The endpoint with the fewest connections for its weight.
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// At random.
    Random,
    /// By the client's address.
    SourceHash,
}

/// `service.missing_close_notify`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawCloseNotify {
    /// The other side sees a reset.
    Reset,
    /// It is taken for a clean end.
    Fin,
}

/// `service.send_proxy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawSendProxy {
    /// The binary header, with the SNI, the TLS version and the SPIFFE ID.
    V2,
}

/// `service.endpoints[]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawEndpoint {
    /// `IP:port` or `host:port`. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(in crate::config) address: Option<Field<String>>,
    /// Its share of connections. Default 1.
    pub(in crate::config) weight: Option<Field<Number<1, 1_000_000>>>,
    /// Endpoints of the lowest number that has a usable one are chosen. Default 0.
    pub(in crate::config) priority: Option<Field<Number<0, 127>>>,
    /// `region`, `region/zone` or `region/zone/subzone`. Default: not known.
    pub(in crate::config) locality: Option<Field<String>>,
    /// Labels, for subsets. Default: none.
    pub(in crate::config) labels: Option<Field<BTreeMap<String, Field<String>>>>,
}

/// `[[service.subset]]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawSubset {
    /// Its name, a part of the key. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(in crate::config) name: Option<Field<String>>,
    /// An endpoint belongs to it if it has all of these. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(in crate::config) labels: Option<Field<BTreeMap<String, Field<String>>>>,
    /// Who may ask for it; with `terminate` only. Default: whoever may call the service.
    pub(in crate::config) allow: Option<List<RawGrant>>,
}

/// `[service.upstream_tls]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawUpstreamTls {
    /// Whom an endpoint may prove to be: one of these SPIFFE IDs or patterns. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(in crate::config) server_identities: Option<List<RawGrant>>,
}

/// One entry of `service.allow`, of a subset's `allow`, or of `server_identities`.
#[derive(Debug)]
pub(in crate::config) enum RawGrant {
    /// A SPIFFE ID or pattern.
    Pattern(String),
    /// A pattern, bound to the trust entry that must vouch for the peer.
    Bound {
        /// The pattern. Required.
        id: Option<Field<String>>,
        /// The name of the trust entry. Default: any of the pattern's domain.
        from: Option<Field<String>>,
        /// The trust domain for whose grant this one stands in. Default: it is no alias.
        alias_of: Option<Field<String>>,
    },
}

/// `{ id = "…", from = "…" }`
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawBoundGrant {
    /// The pattern. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    id: Option<Field<String>>,
    /// The name of the trust entry that must vouch for the peer. Default: any of the pattern's domain.
    from: Option<Field<String>>,
    /// The trust domain that the pattern's own migrates to: a mark, which widens nothing. Default: none.
    alias_of: Option<Field<String>>,
}

impl<'de> Deserialize<'de> for RawGrant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawGrant;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a SPIFFE ID or pattern in quotes, or { id = \"…\", from = \"…\" }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<RawGrant, E> {
                Ok(RawGrant::Pattern(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawGrant, A::Error> {
                let RawBoundGrant { id, from, alias_of } =
                    Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawGrant::Bound { id, from, alias_of })
            }
        }
        deserializer.deserialize_struct("RawGrant", &["id", "from", "alias_of"], Either)
    }
}
