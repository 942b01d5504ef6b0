//! How the stream is, in JSON, as docs/admin.md describes it.

use std::time::Instant;

use landbridge::config::ControlConfig;
use landbridge_control_client::Held;
use landbridge_control_client::client::State;
use landbridge_control_client::effective::{Effective, HeldBack};
use landbridge_control_client::wire::{Kind, Refused};
use serde_json::{Value, json};

use super::disk::Disk;

/// Entries of a list that are told; the rest is counted.
const TOLD: usize = 100;

/// Everything that is told of.
pub(super) struct Look<'a> {
    pub(super) control: &'a ControlConfig,
    pub(super) state: &'a State,
    pub(super) held: &'a Held,
    pub(super) effective: &'a Effective,
    pub(super) refused: &'a [Refused],
    pub(super) disk: &'a Disk,
    /// Whether a server has said since the start that this is the present state.
    pub(super) fresh: bool,
}

impl Look<'_> {
    pub(super) fn told(&self) -> Value {
        let now = Instant::now();
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs();
        let position = self.held.position();
        let resources: serde_json::Map<String, Value> =
            Kind::ALL.into_iter().map(|kind| (kind.to_string(), self.held.count(kind).into())).collect();
        let connected = self.state.connected.as_ref();
        let failure = self.state.last_failure.as_ref();
        json!({
            "servers": self.control.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "connected": connected.map(|open| json!({ "server": open.server, "for_s": ago(open.since) })),
            "failures": self.state.failures,
            "last_failure": failure.map(|failure| {
                json!({ "server": failure.server, "ago_s": ago(failure.at), "error": chain(&*failure.error) })
            }),
            "epoch": position.map(|position| position.epoch.clone()),
            "seq": position.map(|position| String::from(position.seq)),
            "digest": self.held.digest().to_string(),
            "stale": !self.fresh,
            "last_update_ago_s": self.state.last_update.map(ago),
            "resources": resources,
            "refused": self.refused.iter().take(TOLD).collect::<Vec<_>>(),
            "refused_count": self.refused.len(),
            "waiting": self.effective.waiting().take(TOLD)
                .map(|(kind, name)| json!({ "type": kind, "name": name })).collect::<Vec<_>>(),
            "held_back": self.effective.held_back().take(TOLD)
                .map(|((kind, name), what)| json!({ "type": kind, "name": name, "what": word(what) })).collect::<Vec<_>>(),
            "held_back_count": self.effective.held_back().count(),
            "snapshot": self.disk.told(),
        })
    }
}

fn word(held: &HeldBack) -> &'static str {
    match held {
        HeldBack::Removal => "removal",
        HeldBack::Endpoints(_) | HeldBack::OwnEndpoints => "fewer_endpoints",
    }
}

/// An error and what it came from.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
