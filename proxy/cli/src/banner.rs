//! What `run` says at start: what it listens on, whom it trusts, what it serves, its limits.

use std::net::SocketAddr;

use landbridge::config::Config;
use landbridge::policy::{Grant, Policy};
use landbridge::service::{Mode, Service};
use landbridge::{Desired, Handle};

use crate::listen::AdminPlace;

/// Services that are listed by name; more are counted.
const LISTED: usize = 20;

/// Where the process listens, with the real ports.
pub(crate) struct Listening<'a> {
    pub(crate) mtls: &'a [SocketAddr],
    pub(crate) health: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) admin: &'a AdminPlace,
}

/// Says it in the event log, one line per fact.
pub(crate) fn print(config: &Config, desired: &Desired, gateway: &Handle, listening: &Listening<'_>) {
    let node = &config.gateway.node;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        revision = env!("LANDBRIDGE_REVISION"),
        node = node.id.as_deref().unwrap_or_default(),
        cluster = node.cluster,
        network = node.network,
        "landbridge"
    );
    for address in listening.mtls {
        tracing::info!(%address, "listening for mTLS");
    }
    tracing::info!(address = %listening.health, "listening for health: GET /healthz/ready, /healthz/live");
    tracing::info!(address = %listening.metrics, "listening for metrics: GET /stats/prometheus, /metrics");
    tracing::info!(address = %listening.admin, "listening for administration: GET /help");
    if let Some(own) = desired.credentials.own() {
        let id = own.id().map_or_else(|| "no SPIFFE ID".to_owned(), ToString::to_string);
        tracing::info!(identity = id, "identity of the gateway");
    }
    for entry in &config.trust {
        tracing::info!(name = %entry.name, domain = %entry.domain, "trusts");
    }
    let services = desired.services.sorted();
    for service in services.iter().take(LISTED) {
        tracing::info!(
            service = &*service.name,
            mode = %service.mode,
            allow = %allowed(service),
            endpoints = service.endpoints.len(),
            "serves"
        );
    }
    if services.len() > LISTED {
        tracing::info!(more = services.len() - LISTED, "serves further services");
    }
    let capacity = gateway.capacity();
    if let Some(asked) = config.gateway.limits.connections.filter(|asked| *asked > capacity.connections) {
        tracing::warn!(
            asked,
            "limits.connections is more than the open files carry; raise their limit (ulimit -n, LimitNOFILE=)"
        );
    }
    tracing::info!("takes on {capacity}");
}

fn allowed(service: &Service) -> String {
    let own = service.subsets.iter().filter_map(|subset| {
        let list = subset.allow.as_deref()?;
        Some(format!("subset {}: {}", subset.name, listed(list)))
    });
    let whole = match (&service.policy, service.mode) {
        (Policy::Grants { allow, .. }, _) => listed(allow),
        (Policy::EndpointDecides, Mode::Terminate | Mode::Passthrough) => {
            "whom the endpoint lets in".to_owned()
        }
    };
    std::iter::once(whole).chain(own).collect::<Vec<_>>().join("; ")
}

fn listed(allow: &[Grant]) -> String {
    if allow.is_empty() {
        return "nobody".to_owned();
    }
    allow.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
