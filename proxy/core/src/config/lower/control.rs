//! `[control]`.

use std::net::IpAddr;
use std::path::Path;

use super::{section, text};
use crate::config::control::{ControlConfig, ControlServer};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawControl, RawDecision};
use crate::config::read::Field;
use crate::config::resource::Decision;
use crate::sni::Sni;
use crate::spiffe::SpiffeId;

const REMOVALS_PERCENT: u32 = 30;

/// The stream of configuration; `None` if there is no server.
pub(super) fn control(
    raw: Option<Field<RawControl>>,
    dir: &Path,
    found: &mut Findings,
) -> Option<ControlConfig> {
    let table = raw.as_ref().map(|field| field.place)?;
    let raw = section(raw);
    let listed = raw.servers.as_ref();
    if listed.is_none_or(|list| list.value.as_ref().is_some_and(Vec::is_empty)) {
        note_idle(&raw, found);
        return None;
    }
    let items = |list: Option<&List<String>>| list.and_then(|list| list.value.as_ref()).map_or(0, Vec::len);
    let servers: Vec<ControlServer> = listed
        .and_then(|list| list.value.as_ref())
        .into_iter()
        .flatten()
        .filter_map(|field| found.meaning(Some(field), |url| server(url, dir)))
        .collect();
    let server_identities: Vec<SpiffeId> = raw
        .server_identities
        .as_ref()
        .and_then(|list| list.value.as_ref())
        .into_iter()
        .flatten()
        .filter_map(|field| found.meaning(Some(field), |id| identity(id)))
        .collect();
    let by_tls = servers.iter().any(|server| matches!(server, ControlServer::Tls { .. }));
    if by_tls && items(raw.server_identities.as_ref()) == 0 {
        let place = found.absent(table, "server_identities");
        let complaint = Complaint::new("missing: whoever answered could decide who may call");
        let help = "list the SPIFFE IDs of the servers, such as server_identities = [\"spiffe://cluster.local/ns/istio-system/sa/control\"]";
        found.error(place, complaint.help(help));
    }
    let snapshot = found.meaning(raw.snapshot.as_ref(), |path| text::path(path, dir));
    if raw.snapshot.is_none() {
        let place = found.absent(table, "snapshot");
        let complaint = Complaint::new("missing: without it a restart would need a server to serve anything");
        found.error(place, complaint.help("name a file in a folder that survives a restart"));
    }
    let may = match raw.may.as_ref().map(|list| list.value.as_deref().unwrap_or_default()) {
        Some(list) => list.iter().filter_map(|field| field.value).map(Decision::from).collect(),
        None => Decision::USUAL.into_iter().collect(),
    };
    Some(ControlConfig {
        servers,
        server_identities,
        snapshot: snapshot.unwrap_or_default(),
        may,
        via: found.meaning(raw.via.as_ref(), |at| place(at)),
        removals_percent: raw
            .removals_percent
            .and_then(|field| field.value)
            .map_or(REMOVALS_PERCENT, |percent| percent.0),
    })
}

impl From<RawDecision> for Decision {
    fn from(raw: RawDecision) -> Self {
        match raw {
            RawDecision::Service => Self::Service,
            RawDecision::Endpoints => Self::Endpoints,
            RawDecision::Policy => Self::Policy,
            RawDecision::Trust => Self::Trust,
            RawDecision::Audit => Self::Audit,
            RawDecision::Passthrough => Self::Passthrough,
        }
    }
}

fn identity(id: &str) -> Result<SpiffeId, Complaint> {
    SpiffeId::parse(id).map_err(|error| Complaint::new(format!("{id:?} is no SPIFFE ID: {error}")))
}

fn server(url: &str, dir: &Path) -> Result<ControlServer, Complaint> {
    if let Some(path) = url.strip_prefix("unix:") {
        return text::path(path, dir).map(ControlServer::Unix);
    }
    if let Some(rest) = url.strip_prefix("https://") {
        let (host, port) = authority(url, rest)?;
        return Ok(ControlServer::Tls { host, port });
    }
    let Some(rest) = url.strip_prefix("http://") else { return Err(malformed(url)) };
    let (host, port) = authority(url, rest)?;
    let ip = host.parse::<IpAddr>().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
        return Ok(ControlServer::Loopback { host, port });
    }
    let complaint = Complaint::new(format!("{url:?} leads to another machine without TLS"));
    Err(complaint.help("use https://, or http:// with localhost"))
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`, and nothing behind it but a slash.
fn authority(url: &str, rest: &str) -> Result<(String, u16), Complaint> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').map_or(port.is_empty().then_some(""), Some)),
        None => rest.rsplit_once(':').map_or((rest, Some("")), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some("") => Some(ControlServer::PORT),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => None,
    };
    let ip = host.parse::<IpAddr>().is_ok();
    match (ip || Sni::parse(host).is_ok(), port) {
        (true, Some(port)) => Ok((host.to_ascii_lowercase(), port)),
        _ => Err(malformed(url)),
    }
}

fn malformed(url: &str) -> Complaint {
    Complaint::new(format!(
        "expected a URL such as \"https://control.example:15010\", \"http://localhost:15010\" or \"unix:/path\", found {url:?}"
    ))
}

fn place(at: &str) -> Result<(String, u16), Complaint> {
    let (host, port) = authority(at, at).map_err(|_| {
        Complaint::new(format!("expected host:port, such as \"eastwest.example:15443\", found {at:?}"))
    })?;
    if at.ends_with(&format!(":{port}")) {
        Ok((host, port))
    } else {
        Err(Complaint::new(format!("expected host:port, and {at:?} has no port")))
    }
}

/// Notes the keys that mean nothing, because there are no servers.
fn note_idle(raw: &RawControl, found: &mut Findings) {
    let mut idle = Vec::new();
    idle.extend(filled(raw.server_identities.as_ref()));
    let snapshot = raw.snapshot.as_ref();
    let snapshot = snapshot.filter(|field| field.value.as_ref().is_some_and(|path| !path.is_empty()));
    idle.extend(snapshot.map(|field| field.place));
    let may = raw.may.as_ref().filter(|field| field.value.as_deref().is_some_and(|list| !is_usual(list)));
    idle.extend(may.map(|field| field.place));
    idle.extend(raw.via.as_ref().map(|field| field.place));
    let percent = raw.removals_percent.as_ref();
    let percent = percent.filter(|field| field.value.as_ref().is_some_and(|it| it.0 != REMOVALS_PERCENT));
    idle.extend(percent.map(|field| field.place));
    for place in idle {
        found.warning(place, Complaint::new("has no effect without control.servers"));
    }
}

fn is_usual(list: &[Field<RawDecision>]) -> bool {
    let mut may: Vec<Decision> = list.iter().filter_map(|field| field.value).map(Decision::from).collect();
    may.sort_unstable();
    may == Decision::USUAL
}

/// The place of a list that is not empty.
fn filled<T>(list: Option<&List<T>>) -> Option<Place> {
    list.filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty())).map(|field| field.place)
}
