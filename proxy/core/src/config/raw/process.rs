//! `[runtime]`, `[control]`, `[health]`, `[metrics]`, `[admin]` and `[log]`.

use serde::Deserialize;

use super::{AutoOr, List, Number};
use crate::config::read::Field;

/// `[runtime]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawRuntime {
    /// Worker threads. Default `auto`: the CPU quota of the cgroup, else cores.
    pub(in crate::config) workers: Option<Field<AutoOr<1, 1024>>>,
}

/// `[control]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawControl {
    /// URLs of control servers, in order of preference. Default: none.
    pub(in crate::config) servers: Option<List<String>>,
    /// SPIFFE IDs that a server must present. Required with `servers`.
    pub(in crate::config) server_identities: Option<List<String>>,
    /// Where the last good configuration is kept. Required with `servers`.
    pub(in crate::config) snapshot: Option<Field<String>>,
    /// What the stream may decide. Default `service`, `endpoints` and `policy`.
    pub(in crate::config) may: Option<List<RawDecision>>,
    /// A gateway to reach the servers through, by their names in TLS: `host:port`. Default: none.
    pub(in crate::config) via: Option<Field<String>>,
    /// How much of the services and endpoints may vanish within ten minutes unconfirmed, in percent. Default 30.
    pub(in crate::config) removals_percent: Option<Field<Number<0, 100>>>,
}

/// What a configuration stream may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawDecision {
    /// Which services there are.
    Service,
    /// Their endpoints.
    Endpoints,
    /// Who may call.
    Policy,
    /// Whom the gateway believes.
    Trust,
    /// That a service only audits.
    Audit,
    /// That a service is passed through.
    Passthrough,
}

/// `[health]`, `[metrics]` and `[admin]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawAddress {
    /// Where it listens.
    pub(in crate::config) address: Option<Field<String>>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawLog {
    /// A level, or a filter such as `info,landbridge=debug`. Default `info`.
    pub(in crate::config) level: Option<Field<String>>,
    /// How events are written. Default `text`.
    pub(in crate::config) format: Option<Field<RawEventFormat>>,
    /// Where the access log goes: `stdout`, `stderr`, `off` or a file. Default `stdout`.
    pub(in crate::config) access: Option<Field<String>>,
    /// How its lines are written. Default `json`.
    pub(in crate::config) access_format: Option<Field<RawAccessFormat>>,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawEventFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// `log.access_format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawAccessFormat {
    /// Istio's keys and ours.
    Json,
    /// Alibaba's keys, every value a string.
    Asm,
    /// Istio's line.
    Text,
}
