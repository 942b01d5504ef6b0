//! `[listener]`, `[tls]`, `[endpoints]`, `[timeouts]` and `[limits]`.

use serde::Deserialize;

use super::{AutoOr, DurationText, List, Number, OffOr, OneOrMany};
use crate::config::read::Field;

/// `[listener]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawListener {
    /// One address or a list. Default `[::]:15443`, dual stack; port 0 picks one.
    pub(in crate::config) address: Option<Field<OneOrMany>>,
    /// Whether a load balancer in front speaks the PROXY protocol. Default `off`.
    pub(in crate::config) proxy_protocol: Option<Field<RawProxyProtocol>>,
    /// The CIDRs that may speak it. Required with `proxy_protocol = "required"`.
    pub(in crate::config) proxy_protocol_from: Option<List<String>>,
}

/// `listener.proxy_protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawProxyProtocol {
    /// Nobody speaks it.
    Off,
    /// Every connection begins with a PROXY v1 or v2 header.
    Required,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawTls {
    /// The lowest version accepted. Default `1.3`.
    pub(in crate::config) min: Option<Field<RawMinTls>>,
    /// Whether sessions may be resumed. Default false.
    pub(in crate::config) resumption: Option<Field<bool>>,
}

/// `tls.min`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(in crate::config) enum RawMinTls {
    /// AEAD suites and the extended master secret only.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// `[endpoints]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawEndpointRules {
    /// Where endpoints from the stream or DNS may point. Default: empty, which is anything but loopback,
    /// link-local and metadata addresses and our own listeners.
    pub(in crate::config) allow_cidrs: Option<List<String>>,
}

/// `[timeouts]`: `"250ms"`, `"5s"`, `"1h"` or `"off"` each.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawTimeouts {
    /// First byte to complete ClientHello, absolute. Default `5s`.
    pub(in crate::config) client_hello: Option<Field<DurationText>>,
    /// The whole handshake, absolute. Default `10s`.
    pub(in crate::config) handshake: Option<Field<DurationText>>,
    /// Each try to connect to an endpoint. Default `3s`.
    pub(in crate::config) connect: Option<Field<DurationText>>,
    /// A try that has not answered by then gets company on another endpoint. Default `250ms`.
    pub(in crate::config) connect_hedge: Option<Field<DurationText>>,
    /// All tries. Default `10s`.
    pub(in crate::config) connect_total: Option<Field<DurationText>>,
    /// No byte either way. Default `1h`.
    pub(in crate::config) idle: Option<Field<DurationText>>,
    /// No byte, once one side has ended. Default `1h`.
    pub(in crate::config) half_close: Option<Field<DurationText>>,
    /// Delivering what was accepted to a side that makes no progress. Default `30s`.
    pub(in crate::config) flush: Option<Field<DurationText>>,
    /// TCP keepalive after this long, then every 10 s, 3 times; all of it within `user_timeout`. Default `60s`.
    pub(in crate::config) keepalive: Option<Field<DurationText>>,
    /// TCP_USER_TIMEOUT. Default `60s`.
    pub(in crate::config) user_timeout: Option<Field<DurationText>>,
    /// The whole drain, from the signal. Default `25s`; `off` waits for the last stream.
    pub(in crate::config) drain: Option<Field<DurationText>>,
    /// Of the drain: still accepting while load balancers notice. Default `5s`; `off` stops at once.
    pub(in crate::config) drain_lag: Option<Field<DurationText>>,
    /// With `close_on_cert_expiry`: how long a connection outlives its caller's certificate. Default `0s`.
    pub(in crate::config) expiry_grace: Option<Field<DurationText>>,
    /// With `close_on_cert_expiry`: each connection's end is put off further by a random share of this.
    /// Default `10s`.
    pub(in crate::config) expiry_jitter: Option<Field<DurationText>>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawLimits {
    /// Connections at once. Default `auto`: from memory and open files.
    pub(in crate::config) connections: Option<Field<AutoOr<1, { u32::MAX }>>>,
    /// Handshakes in flight. Default `auto`.
    pub(in crate::config) handshakes: Option<Field<AutoOr<1, { u32::MAX }>>>,
    /// The largest ClientHello in bytes, 512 to 65536. Default 16384.
    pub(in crate::config) client_hello_bytes: Option<Field<Number<512, 65_536>>>,
    /// Connections at once per service. Default `off`.
    pub(in crate::config) per_service: Option<Field<OffOr<1, { u32::MAX }>>>,
    /// Connections at once per identity. Default `off`.
    pub(in crate::config) per_identity: Option<Field<OffOr<1, { u32::MAX }>>>,
    /// Connections at once per source: an IPv4 address or an IPv6 /64. Default `off`.
    pub(in crate::config) per_source: Option<Field<OffOr<1, { u32::MAX }>>>,
    /// New connections a second. Default `off`.
    pub(in crate::config) per_second: Option<Field<OffOr<1, { u32::MAX }>>>,
    /// Memory in MiB that the gateway keeps within by taking on less. Default `auto`: the cgroup's limit.
    pub(in crate::config) memory_mib: Option<Field<AutoOr<16, { u32::MAX }>>>,
}
