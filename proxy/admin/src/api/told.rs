//! The gateway in JSON, as docs/admin.md describes it. Nothing here can reach a key.

use std::time::Duration;

use landbridge::{Draining, Handle, OpenConnection, Phase, ServiceState, Stage};
use serde_json::{Value, json};

use crate::metrics::Build;

/// How the gateway is.
pub(super) fn overview(gateway: &Handle, build: &Build) -> Value {
    let (node, capacity) = (gateway.node(), gateway.capacity());
    json!({
        "node": { "id": node.id, "cluster": node.cluster, "network": node.network },
        "version": build.version,
        "revision": build.revision,
        "phase": phase(gateway.phase()),
        "generation": gateway.generation(),
        "connections": {
            "active": gateway.active(),
            "accepted": gateway.accepted(),
            "limit": capacity.connections,
        },
        "handshakes": { "in_flight": gateway.handshakes(), "limit": capacity.handshakes },
        "memory": { "level": gateway.memory_level().to_string(), "limit_bytes": capacity.memory },
        "open_files_limit": capacity.open_files,
        "drain": gateway.draining().map(drain),
    })
}

/// How far a drain has come.
pub(super) fn drain(draining: Draining) -> Value {
    json!({
        "lag_left_ms": millis(draining.lag_left),
        "deadline_left_ms": draining.deadline_left.map(millis),
        "open_at_start": draining.open_at_start,
        "open": draining.open,
        "ended": draining.ended,
        "cut": draining.cut,
    })
}

/// A page of services.
pub(super) fn services(page: &[ServiceState], most: usize) -> Value {
    let entries: Vec<Value> = page
        .iter()
        .map(|service| {
            json!({
                "name": service.name.as_ref(),
                "mode": service.mode.to_string(),
                "endpoints": { "usable": service.endpoints.usable, "failing": service.endpoints.failing },
            })
        })
        .collect();
    let next = page.last().filter(|_| page.len() == most).map(|last| last.name.as_ref());
    json!({ "services": entries, "next": next })
}

/// A page of connections.
pub(super) fn connections(page: &[OpenConnection], most: usize) -> Value {
    let entries: Vec<Value> = page
        .iter()
        .map(|connection| {
            let identity = connection.identity.as_ref();
            json!({
                "id": connection.id,
                "service": connection.service.as_deref(),
                "client": connection.client.map(|client| client.to_string()),
                "trust": identity.map(|identity| identity.trust.to_string()),
                "peer": identity.map(|identity| identity.id.to_string()),
                "age_ms": millis(connection.age),
                "bytes_received": connection.received,
                "bytes_sent": connection.sent,
                "state": stage(connection.stage),
            })
        })
        .collect();
    let next = page.last().filter(|_| page.len() == most).map(|last| last.id);
    json!({ "connections": entries, "next": next })
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Serving => "serving",
        Phase::Draining => "draining",
        Phase::Stopped => "stopped",
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Handshake => "handshake",
        Stage::Connecting => "connecting",
        Stage::Open => "open",
        Stage::Ending => "ending",
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
