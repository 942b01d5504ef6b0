//! The specs of resources, as far as they are not in the file: a service is what `[[service]]` is there.

use serde::Deserialize;

use super::{List, RawEndpoint, RawGrant};
use crate::config::read::Field;

/// `endpoints`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawEndpoints {
    /// Where the connections of the service go. Required, and may be empty.
    pub(in crate::config) endpoints: Option<List<RawEndpoint>>,
}

/// `policy`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPolicy {
    /// The names of the service resources that may be called. Required, and may be empty.
    pub(in crate::config) services: Option<List<String>>,
    /// Who may call them. Required, and may be empty.
    pub(in crate::config) allow: Option<List<RawGrant>>,
}

/// `trust_bundle`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawTrustBundle {
    /// The SPIFFE trust domain it vouches for. Required.
    pub(in crate::config) domain: Option<Field<String>>,
    /// Its roots: PEM, or a SPIFFE trust bundle (JSON). Required.
    pub(in crate::config) bundle: Option<Field<String>>,
    /// Its certificate revocation lists, PEM. Default: none.
    pub(in crate::config) crl: Option<Field<String>>,
}

/// `peer`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPeer {
    /// The names of the trust entries that vouch for its callers. Default: none.
    pub(in crate::config) trust: Option<List<String>>,
    /// Where its gateways are: `IP:port` or `host:port`. Default: not known.
    pub(in crate::config) gateways: Option<List<String>>,
    /// The network that it stands in. Default: empty.
    pub(in crate::config) network: Option<Field<String>>,
}
