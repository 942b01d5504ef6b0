//! What may be written in the file of a control server, and in the files of its folder.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{DurationText, List, RawAddress, RawEventFormat, RawGrant, RawIdentity, RawService, RawTrust};
use crate::config::read::Field;

/// Labels as written.
type Labels = Field<BTreeMap<String, Field<String>>>;

/// The file of a control server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawServer {
    pub(in crate::config) server: Option<Field<RawServing>>,
    pub(in crate::config) identity: Option<Field<RawIdentity>>,
    pub(in crate::config) trust: Option<List<RawTrust>>,
    pub(in crate::config) node: Option<List<RawNodeEntry>>,
    pub(in crate::config) admin: Option<Field<RawAddress>>,
    pub(in crate::config) log: Option<Field<RawServerLog>>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawServing {
    pub(in crate::config) name: Option<Field<String>>,
    pub(in crate::config) address: Option<Field<String>>,
    pub(in crate::config) spread: Option<Field<DurationText>>,
}

/// `[[node]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawNodeEntry {
    pub(in crate::config) id: Option<Field<String>>,
    pub(in crate::config) from: Option<Field<String>>,
    pub(in crate::config) cluster: Option<Field<String>>,
    pub(in crate::config) namespaces: Option<List<String>>,
    pub(in crate::config) labels: Option<Labels>,
    pub(in crate::config) trust: Option<List<String>>,
    pub(in crate::config) peers: Option<List<String>>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawServerLog {
    pub(in crate::config) level: Option<Field<String>>,
    pub(in crate::config) format: Option<Field<RawEventFormat>>,
}

/// `services/*.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawServiceFile {
    pub(in crate::config) namespace: Option<Field<String>>,
    pub(in crate::config) labels: Option<Labels>,
    pub(in crate::config) exposure: Option<List<String>>,
    pub(in crate::config) service: Option<List<RawService>>,
}

/// `policies/*.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPolicyFile {
    pub(in crate::config) policy: Option<List<RawPolicy>>,
}

/// `[[policy]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPolicy {
    pub(in crate::config) name: Option<Field<String>>,
    pub(in crate::config) services: Option<List<String>>,
    pub(in crate::config) allow: Option<List<RawGrant>>,
}

/// `trust/*.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawTrustFile {
    pub(in crate::config) trust: Option<List<RawTrust>>,
}

/// `peers/*.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPeerFile {
    pub(in crate::config) peer: Option<List<RawPeerEntry>>,
}

/// `[[peer]]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawPeerEntry {
    pub(in crate::config) name: Option<Field<String>>,
    pub(in crate::config) trust: Option<List<String>>,
    pub(in crate::config) gateways: Option<List<String>>,
    pub(in crate::config) network: Option<Field<String>>,
}
