//! The keys of Istio's JSON access log, then ours.

use std::fmt::{self, Display, Write};

use super::escape::{Escaped, Within};
use super::timestamp::Timestamp;
use super::{ALPN, Entry, IDENTITY, NAME, Place, shown};
use crate::service::Mode;

pub(super) fn write(line: &mut String, place: &Place, entry: &Entry<'_>) -> fmt::Result {
    let mut object = Object::begin(line, "null");
    write_istio(&mut object, entry)?;
    write_ours(&mut object, place, entry)?;
    write_tls(&mut object, entry)?;
    write_upstream(&mut object, entry)?;
    write_verdict(&mut object, entry)?;
    object.end();
    Ok(())
}

/// The keys of Istio, in its order. What only HTTP has is null.
fn write_istio(object: &mut Object<'_>, entry: &Entry<'_>) -> fmt::Result {
    let upstream = entry.upstream();
    object.string("start_time", Some(Timestamp(entry.started)))?;
    object.string("route_name", entry.route())?;
    for key in ["method", "path", "protocol"] {
        object.absent(key);
    }
    object.bare("response_code", Some(0))?;
    object.string("response_flags", Some(entry.reason.flag()))?;
    object.string("response_code_details", entry.details())?;
    object.string("connection_termination_details", entry.termination())?;
    object.bare("bytes_received", Some(entry.received()))?;
    object.bare("bytes_sent", Some(entry.sent()))?;
    object.bare("duration", Some(entry.duration.as_millis()))?;
    for key in ["upstream_service_time", "x_forwarded_for", "user_agent", "request_id", "authority"] {
        object.absent(key);
    }
    object.string("upstream_host", upstream.map(|facts| facts.host))?;
    object.string("upstream_cluster", entry.sni())?;
    object.string("upstream_local_address", upstream.and_then(|facts| facts.local))?;
    object.string("downstream_local_address", entry.downstream_local())?;
    object.string("downstream_remote_address", entry.downstream_remote())?;
    object.string("requested_server_name", entry.sni())?;
    object.string("upstream_transport_failure_reason", entry.upstream_failure())
}

fn write_ours(object: &mut Object<'_>, place: &Place, entry: &Entry<'_>) -> fmt::Result {
    let peer = entry.peer();
    object.bare("connection_id", entry.outcome.map(|outcome| outcome.connection_id))?;
    object.string("node_id", shown(Some(&place.node_id), NAME))?;
    object.string("cluster", shown(Some(&place.cluster), NAME))?;
    object.string("network", shown(Some(&place.network), NAME))?;
    let mode = entry.outcome.and_then(|outcome| outcome.mode);
    object.string("mode", mode.map(Mode::as_str))?;
    object.string("trust", shown(peer.map(|peer| peer.trust.as_str()), NAME))?;
    object.string("downstream_peer_uri_san", shown(peer.map(|peer| peer.id.as_str()), IDENTITY))
}

fn write_tls(object: &mut Object<'_>, entry: &Entry<'_>) -> fmt::Result {
    let tls = entry.tls();
    object.string("downstream_tls_version", tls.map(|tls| tls.version))?;
    object.string("downstream_tls_cipher", shown(tls.map(|tls| tls.cipher.as_str()), NAME))?;
    object.string("downstream_tls_group", shown(tls.map(|tls| tls.group.as_str()), NAME))?;
    object.bare("downstream_tls_resumed", tls.map(|tls| tls.resumed))?;
    object.string("downstream_alpn", shown(tls.and_then(|tls| tls.alpn.as_deref()), ALPN))?;
    let handshake = entry.outcome.and_then(|outcome| outcome.handshake);
    object.bare("handshake_ms", handshake.map(|took| took.as_millis()))
}

fn write_upstream(object: &mut Object<'_>, entry: &Entry<'_>) -> fmt::Result {
    let upstream = entry.upstream();
    let connect = upstream.and_then(|facts| facts.connect);
    object.bare("upstream_connect_ms", connect.map(|took| took.as_millis()))?;
    // Without a try there were none, which is a fact; of many refusals at once it is not known.
    let attempts = entry.outcome.map(|_| upstream.map_or(0, |facts| facts.attempts));
    object.bare("upstream_attempts", attempts)
}

fn write_verdict(object: &mut Object<'_>, entry: &Entry<'_>) -> fmt::Result {
    let reason = entry.reason;
    object.string("refusal", reason.refusal().then(|| reason.word()))?;
    object.string("hint", Some(reason.hint()).filter(|hint| !hint.is_empty()))?;
    object.bare("config_version", entry.outcome.map(|outcome| outcome.generation))?;
    if entry.outcome.is_some_and(|outcome| outcome.would_deny) {
        object.bare("would_deny", Some(true))?;
    }
    if entry.suppressed.is_some() {
        object.bare("suppressed", entry.suppressed)?;
    }
    Ok(())
}

/// A JSON object in the making, at the end of a buffer.
pub(super) struct Object<'a> {
    out: &'a mut String,
    separator: char,
    /// What stands for a value that is absent.
    absent: &'static str,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut String, absent: &'static str) -> Self {
        Self { out, separator: '{', absent }
    }

    /// Adds a value as a string.
    pub(super) fn string(&mut self, key: &'static str, value: Option<impl Display>) -> fmt::Result {
        let Some(value) = value else {
            self.absent(key);
            return Ok(());
        };
        self.key(key);
        self.out.push('"');
        let within = Within::Json;
        write!(Escaped { out: self.out, within }, "{value}")?;
        self.out.push('"');
        Ok(())
    }

    /// Adds a number or a boolean.
    fn bare(&mut self, key: &'static str, value: Option<impl Display>) -> fmt::Result {
        let Some(value) = value else {
            self.absent(key);
            return Ok(());
        };
        self.key(key);
        write!(self.out, "{value}")
    }

    pub(super) fn absent(&mut self, key: &'static str) {
        self.key(key);
        self.out.push_str(self.absent);
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &'static str) {
        self.out.push(self.separator);
        self.separator = ',';
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
    }
}
