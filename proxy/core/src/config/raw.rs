//! What may be written: every table and key of the file, as serde reads it.
//!
//! Nothing here is checked beyond its type, and nothing here has a default but "absent": defaults are
//! those of the model ([`Config`](super::Config)) and are repeated in words for the reference.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::read::Field;

mod fleet;
mod process;
mod resource;
mod scalar;
mod service;
mod transport;

pub(super) use fleet::{
    RawNodeEntry, RawPeerEntry, RawPeerFile, RawPolicyFile, RawServer, RawServiceFile, RawTrustFile,
};
pub(super) use process::{
    RawAccessFormat, RawAddress, RawControl, RawDecision, RawEventFormat, RawLog, RawRuntime,
};
pub(super) use resource::{RawEndpoints, RawPeer, RawPolicy, RawTrustBundle};
pub(super) use scalar::{AutoOr, DurationText, Number, OffOr, OneOrMany};
#[cfg(feature = "schema")]
pub(super) use service::RawBoundGrant;
pub(super) use service::{
    RawAuthorization, RawBalance, RawCloseNotify, RawEndpoint, RawGrant, RawMode, RawSendProxy, RawService,
    RawSubset, RawUpstreamTls,
};
pub(super) use transport::{
    RawEndpointRules, RawLimits, RawListener, RawMinTls, RawProxyProtocol, RawTimeouts, RawTls,
};

/// A list of which each element has its own place.
pub(super) type List<T> = Field<Vec<Field<T>>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawConfig {
    /// How the gateway is called in logs and to the control plane.
    pub(super) node: Option<Field<RawNode>>,
    /// Where it accepts connections.
    pub(super) listener: Option<Field<RawListener>>,
    /// The TLS policy of the listener.
    pub(super) tls: Option<Field<RawTls>>,
    /// Who the gateway is. Required once any service terminates TLS.
    pub(super) identity: Option<Field<RawIdentity>>,
    /// Further identities, by name, for a service to present. Default: none.
    pub(super) identities: Option<Field<BTreeMap<String, Field<RawIdentity>>>>,
    /// Whom the gateway believes. Default: nobody.
    pub(super) trust: Option<List<RawTrust>>,
    /// What is served. Default: nothing.
    pub(super) service: Option<List<RawService>>,
    /// Where names may lead.
    pub(super) endpoints: Option<Field<RawEndpointRules>>,
    /// How long anything may take.
    pub(super) timeouts: Option<Field<RawTimeouts>>,
    /// How much the gateway takes on.
    pub(super) limits: Option<Field<RawLimits>>,
    /// What it runs on.
    pub(super) runtime: Option<Field<RawRuntime>>,
    /// The stream of configuration.
    pub(super) control: Option<Field<RawControl>>,
    /// Where health is asked for. Default `[::]:15021`.
    pub(super) health: Option<Field<RawAddress>>,
    /// Where metrics are asked for. Default `[::]:15020`.
    pub(super) metrics: Option<Field<RawAddress>>,
    /// Where the JSON API for administration is. Default `127.0.0.1:15000`; `unix:/path` is allowed.
    pub(super) admin: Option<Field<RawAddress>>,
    /// Events and the access log.
    pub(super) log: Option<Field<RawLog>>,
}

/// `[node]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawNode {
    /// The name of this gateway. Default: `$POD_NAME`, else the host name.
    pub(super) id: Option<Field<String>>,
    /// The cluster it serves. Default: empty.
    pub(super) cluster: Option<Field<String>>,
    /// The network it stands in. Default: empty.
    pub(super) network: Option<Field<String>>,
}

/// `[identity]` and `[identities.NAME]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawIdentity {
    /// The certificate chain, PEM: leaf first, then intermediates. Goes with `private_key`.
    pub(super) certificate: Option<Field<String>>,
    /// The private key, PEM. Goes with `certificate`.
    pub(super) private_key: Option<Field<String>>,
    /// A folder with the file names of Istio, GKE or cert-manager, instead of the two files.
    pub(super) directory: Option<Field<String>>,
}

/// `[[trust]]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawTrust {
    /// The name of the entry. Default: the domain.
    pub(super) name: Option<Field<String>>,
    /// The SPIFFE trust domain it vouches for. Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(super) domain: Option<Field<String>>,
    /// The file with its roots: PEM, or a SPIFFE trust bundle (JSON). Required.
    #[cfg_attr(feature = "schema", schemars(required))]
    pub(super) bundle: Option<Field<String>>,
    /// The file with its certificate revocation lists, PEM. Default: none.
    pub(super) crl: Option<Field<String>>,
}
