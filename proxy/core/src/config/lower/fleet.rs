//! From what is written for a control server to what is meant.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::identity::Identities;
use super::service::{self, Scope};
use super::trust::Trusts;
use super::{allow, endpoints, identity, names, process, section, served, text, timeouts, trust as trusts};
use crate::Snapshot;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::fleet::{
    Glob, NodeEntry, OfferedPeer, OfferedPolicy, OfferedService, Selector, ServerConfig,
};
use crate::config::raw::{
    DurationText, List, RawEventFormat, RawGrant, RawNodeEntry, RawPeerEntry, RawPeerFile, RawPolicyFile,
    RawServer, RawServiceFile, RawTrustFile,
};
use crate::config::read::Field;
use crate::config::{AdminAddress, EventFormat, IdentityFiles, LogConfig, TrustFiles};
use crate::service::Service;
use crate::spiffe::TrustName;

/// Where a control server listens unless it is told otherwise.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 15010);
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 15011);
const SPREAD: Duration = Duration::from_secs(5);
/// The most bytes that the name of a resource has (docs/xds-lite.md).
const LONGEST_NAME: usize = 512;

/// Whether gateways prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Come {
    ByTls,
    Plain,
}

pub(in crate::config) fn server(raw: RawServer, dir: &Path, found: &mut Findings) -> ServerConfig {
    let serving = section(raw.server);
    let written = serving.address.as_ref().map(|field| field.place);
    let address = found.meaning(serving.address.as_ref(), |text| process::admin_address(text, dir));
    let address = address.unwrap_or(AdminAddress::Tcp(ADDRESS));
    let come = if raw.identity.is_some() { Come::ByTls } else { Come::Plain };
    let (own, _) = identity::own(raw.identity, dir, found);
    let (trust, known) = trusts::trust(raw.trust, dir, found);
    if let (AdminAddress::Tcp(address), Some(place), Come::Plain) = (&address, written, come)
        && !address.ip().to_canonical().is_loopback()
    {
        let complaint = Complaint::new("without [identity] it is served on loopback and unix sockets alone");
        found.error(place, complaint.help("add [identity], [[trust]] and [[node]]"));
    }
    let nodes = nodes(raw.node, come, &known, found);
    let admin = section(raw.admin).address;
    let admin = found.meaning(admin.as_ref(), |text| process::admin_address(text, dir));
    let log = section(raw.log);
    let spread = found.meaning(serving.spread.as_ref(), |text: &DurationText| {
        timeouts::duration(text, Duration::ZERO, Duration::from_secs(3600))
    });
    ServerConfig {
        name: found.meaning(serving.name.as_ref(), text::not_empty),
        address,
        identity: IdentityFiles { own, ..IdentityFiles::default() },
        trust,
        nodes,
        admin: admin.unwrap_or(AdminAddress::Tcp(ADMIN)),
        level: found
            .meaning(log.level.as_ref(), text::not_empty)
            .unwrap_or_else(|| LogConfig::default().level),
        format: match log.format.and_then(|field| field.value) {
            Some(RawEventFormat::Json) => EventFormat::Json,
            Some(RawEventFormat::Text) | None => EventFormat::Text,
        },
        spread: spread.map_or(SPREAD, Option::unwrap_or_default),
    }
}

fn nodes(
    raw: Option<List<RawNodeEntry>>,
    come: Come,
    trusts: &Trusts,
    found: &mut Findings,
) -> Vec<NodeEntry> {
    let entries = section(raw);
    entries.into_iter().filter_map(|field| node(&field.value?, field.place, come, trusts, found)).collect()
}

fn node(
    raw: &RawNodeEntry,
    place: Place,
    come: Come,
    trusts: &Trusts,
    found: &mut Findings,
) -> Option<NodeEntry> {
    if raw.namespaces.is_none() && raw.labels.is_none() {
        let place = found.absent(place, "namespaces");
        let complaint = Complaint::new("missing: an entry says what may be seen");
        found.error(place, complaint.help("add namespaces or labels; namespaces = [\"*\"] is everything"));
    }
    let who = match (&raw.id, come) {
        (None, Come::ByTls) => {
            let place = found.absent(place, "id");
            let help = "add the SPIFFE ID or pattern of the gateways that are meant";
            found.error(place, Complaint::new("missing").help(help));
            return None;
        }
        (Some(id), Come::Plain) => {
            let complaint = Complaint::new("nobody proves who they are without [identity] and [[trust]]");
            found.error(id.place, complaint.help("add them, or remove id"));
            return None;
        }
        (None, Come::Plain) => None,
        (Some(id), Come::ByTls) => {
            let text = id.value.clone()?;
            let pattern = Field { place: id.place, value: Some(RawGrant::Pattern(text)) };
            let mut grant = allow::grant(&pattern, trusts, found)?;
            grant.from = found.meaning(raw.from.as_ref(), |name| allow::entry(name, trusts));
            if raw.from.is_some() && grant.from.is_none() {
                return None;
            }
            allow::warn_of_stranger(&grant, id.place, trusts, found);
            Some(grant)
        }
    };
    let globs = |list: Option<&List<String>>| match list {
        Some(list) => texts(Some(list)).into_iter().map(|text| Glob::parse(&text)).collect(),
        None => vec![Glob::parse("*")],
    };
    Some(NodeEntry {
        who,
        cluster: raw.cluster.as_ref().and_then(|field| field.value.clone()).unwrap_or_default(),
        sees: Selector {
            namespaces: globs(raw.namespaces.as_ref()),
            labels: endpoints::labels(raw.labels.as_ref()),
            trust: globs(raw.trust.as_ref()),
            peers: globs(raw.peers.as_ref()),
        },
    })
}

pub(in crate::config) fn services(raw: RawServiceFile, found: &mut Findings) -> Vec<(usize, OfferedService)> {
    let labels = endpoints::labels(raw.labels.as_ref());
    let namespace = raw.namespace.and_then(|field| field.value);
    let exposure = raw.exposure.as_ref().map(|list| texts(Some(list)));
    let trusts = Trusts::unknown();
    let identities = Identities { names: BTreeSet::new(), complete: false };
    let scope =
        Scope { listeners: &[], is_ours: |_| false, rules: None, trusts: &trusts, identities: &identities };
    let mut offered = Vec::new();
    for (index, field) in section(raw.service).into_iter().enumerate() {
        let Some(raw) = field.value else { continue };
        if let Some(name) = names::called(&raw) {
            found.call_service(index, name);
        }
        let Some((service, places)) = service::service(&raw, field.place, &scope, found) else { continue };
        if let Err(conflicts) = Snapshot::new(vec![service.clone()]) {
            for conflict in &conflicts {
                served::note(conflict, &places, found);
            }
        }
        let namespace = namespace.clone().or_else(|| own_namespace(&service)).unwrap_or_default();
        let (labels, exposure) = (labels.clone(), exposure.clone());
        offered.push((index, OfferedService { index, service, namespace, labels, exposure }));
    }
    offered
}

/// The namespace in `NAME.NAMESPACE.svc.…`.
fn own_namespace(service: &Service) -> Option<String> {
    let (host, _) = service.host()?;
    let mut labels = host.split('.');
    match (labels.next(), labels.next(), labels.next()) {
        (Some(_), Some(namespace), Some("svc")) => Some(namespace.to_owned()),
        _ => None,
    }
}

pub(in crate::config) fn policies(raw: RawPolicyFile, found: &mut Findings) -> Vec<(usize, OfferedPolicy)> {
    let trusts = Trusts::unknown();
    let mut offered = Vec::new();
    for (index, field) in section(raw.policy).into_iter().enumerate() {
        let Some(raw) = field.value else { continue };
        let name = required_name(raw.name.as_ref(), field.place, found);
        let listed = raw.services.as_ref().and_then(|list| list.value.as_deref()).unwrap_or_default();
        let services: Vec<String> =
            listed.iter().filter_map(|field| found.meaning(Some(field), resource_name)).collect();
        let grants = allow::grants(raw.allow.as_ref(), &trusts, found);
        for (key, empty) in [("services", listed.is_empty()), ("allow", grants.is_empty())] {
            if empty {
                let place = found.absent(field.place, key);
                found.error(place, Complaint::new("expected at least one, found none"));
            }
        }
        if let Some(name) = name {
            offered.push((index, OfferedPolicy { index, name, services }));
        }
    }
    offered
}

pub(in crate::config) fn trust(
    raw: RawTrustFile,
    dir: &Path,
    found: &mut Findings,
) -> Vec<(usize, TrustFiles)> {
    let list = raw.trust.as_ref().and_then(|list| list.value.as_deref()).unwrap_or_default();
    let names: Vec<Option<TrustName>> = list
        .iter()
        .map(|field| {
            let raw = field.value.as_ref()?;
            let text = raw.name.as_ref().or(raw.domain.as_ref())?.value.as_ref()?;
            Some(TrustName::new(text))
        })
        .collect();
    let (entries, _) = trusts::trust(raw.trust, dir, found);
    let index = |name: &TrustName| names.iter().position(|known| known.as_ref() == Some(name));
    entries.into_iter().filter_map(|files| Some((index(&files.name)?, files))).collect()
}

pub(in crate::config) fn peers(raw: RawPeerFile, found: &mut Findings) -> Vec<(usize, OfferedPeer)> {
    let listed = section(raw.peer).into_iter().enumerate();
    let peers = listed.filter_map(|(index, field)| Some((index, peer(&field.value?, field.place, found)?)));
    peers.collect()
}

fn peer(raw: &RawPeerEntry, place: Place, found: &mut Findings) -> Option<OfferedPeer> {
    let name = required_name(raw.name.as_ref(), place, found);
    for field in raw.gateways.as_ref().and_then(|list| list.value.as_deref()).unwrap_or_default() {
        found.meaning(Some(field), |text| text::target(text));
    }
    Some(OfferedPeer {
        name: name?,
        trust: texts(raw.trust.as_ref()),
        gateways: texts(raw.gateways.as_ref()),
        network: raw.network.as_ref().and_then(|field| field.value.clone()).unwrap_or_default(),
    })
}

fn required_name(raw: Option<&Field<String>>, table: Place, found: &mut Findings) -> Option<String> {
    if raw.is_none() {
        let place = found.absent(table, "name");
        found.error(place, Complaint::new("missing").help("give it a name of its own"));
    }
    found.meaning(raw, resource_name)
}

fn resource_name(text: &String) -> Result<String, Complaint> {
    let fits = (1..=LONGEST_NAME).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.clone())
    } else {
        let what =
            format!("expected 1 to {LONGEST_NAME} bytes of printable ASCII without spaces, found {text:?}");
        Err(Complaint::new(what))
    }
}

fn texts(list: Option<&List<String>>) -> Vec<String> {
    let list = list.and_then(|list| list.value.as_deref()).unwrap_or_default();
    list.iter().filter_map(|field| field.value.clone()).collect()
}
