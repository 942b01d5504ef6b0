//! The access log of Alibaba Cloud Service Mesh: its keys in its order, every value a string.

use std::fmt;

use super::Entry;
use super::json::Object;
use super::timestamp::Timestamp;

pub(super) fn write(line: &mut String, entry: &Entry<'_>) -> fmt::Result {
    let upstream = entry.upstream();
    let mut object = Object::begin(line, "\"-\"");
    object.absent("authority_for");
    object.string("bytes_received", Some(entry.received()))?;
    object.string("bytes_sent", Some(entry.sent()))?;
    object.string("downstream_local_address", entry.downstream_local())?;
    object.string("downstream_remote_address", entry.downstream_remote())?;
    object.string("duration", Some(entry.duration.as_millis()))?;
    for key in ["istio_policy_status", "method", "path", "protocol", "request_id"] {
        object.absent(key);
    }
    object.string("requested_server_name", entry.sni())?;
    object.string("response_code", Some(0))?;
    object.string("response_flags", Some(entry.reason.flag()))?;
    object.string("route_name", entry.route())?;
    object.string("start_time", Some(Timestamp(entry.started)))?;
    object.absent("trace_id");
    object.string("upstream_cluster", entry.sni())?;
    object.string("upstream_host", upstream.map(|facts| facts.host))?;
    object.string("upstream_local_address", upstream.and_then(|facts| facts.local))?;
    object.absent("upstream_response_time");
    object.absent("upstream_service_time");
    object.string("upstream_transport_failure_reason", entry.upstream_failure())?;
    object.absent("user_agent");
    object.absent("x_forwarded_for");
    if entry.suppressed.is_some() {
        object.string("suppressed", entry.suppressed)?;
    }
    object.end();
    Ok(())
}
