//! `[node]`, `[listener]`, `[tls]`, `[endpoints]` and `[limits]`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use super::{section, text};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{
    AutoOr, List, OffOr, OneOrMany, RawEndpointRules, RawLimits, RawListener, RawMinTls, RawNode,
    RawProxyProtocol, RawTls,
};
use crate::config::read::Field;
use crate::config::{AddressRules, Cidr, Limits, Listener, MinTls, Node, ProxyProtocol, TlsPolicy};

pub(super) fn node(raw: Option<Field<RawNode>>, found: &mut Findings) -> Node {
    let raw = section(raw);
    let text = |field: Option<Field<String>>| field.and_then(|field| field.value).unwrap_or_default();
    Node {
        id: found.meaning(raw.id.as_ref(), text::not_empty),
        cluster: text(raw.cluster),
        network: text(raw.network),
    }
}

/// Where the gateway listens, and where that is written.
pub(super) struct Listening {
    pub(super) addresses: Vec<SocketAddr>,
    /// Empty where the address is the default.
    pub(super) places: Vec<(SocketAddr, Place)>,
    pub(super) proxy_protocol: ProxyProtocol,
}

pub(super) fn listener(raw: Option<Field<RawListener>>, found: &mut Findings) -> Listening {
    let proxy_protocol = proxy_protocol(raw.as_ref(), found);
    let Some(address) = section(raw).address else {
        return Listening { addresses: Listener::default().addresses, places: Vec::new(), proxy_protocol };
    };
    let written = match address.value {
        None => Vec::new(),
        Some(OneOrMany::One(text)) => vec![Field { place: address.place, value: Some(text) }],
        Some(OneOrMany::Many(list)) => {
            if list.is_empty() {
                found.error(address.place, Complaint::new("expected at least one address, found none"));
            }
            list
        }
    };
    let mut places: Vec<(SocketAddr, Place)> = Vec::with_capacity(written.len());
    let mut seen: BTreeSet<SocketAddr> = BTreeSet::new();
    for field in &written {
        let Some(address) = found.meaning(Some(field), |text| text::listen_address(text)) else {
            continue;
        };
        // Each port 0 picks another port.
        if seen.insert(address) || address.port() == 0 {
            places.push((address, field.place));
        } else {
            let complaint = Complaint::new(format!("{address} is listed twice"));
            found.error(field.place, complaint.help("remove one of the two"));
        }
    }
    Listening { addresses: places.iter().map(|(address, _)| *address).collect(), places, proxy_protocol }
}

fn proxy_protocol(raw: Option<&Field<RawListener>>, found: &mut Findings) -> ProxyProtocol {
    const EXAMPLE: &str =
        "list the addresses of the load balancers, such as proxy_protocol_from = [\"10.0.0.0/8\"]";
    let Some((table, raw)) = raw.and_then(|field| Some((field.place, field.value.as_ref()?))) else {
        return ProxyProtocol::Off;
    };
    let list = raw.proxy_protocol_from.as_ref();
    let from = ranges(list, found);
    let said = raw.proxy_protocol.as_ref().map_or(Some(RawProxyProtocol::Off), |field| field.value);
    if said != Some(RawProxyProtocol::Required) {
        if let Some(place) = filled(list).filter(|_| said == Some(RawProxyProtocol::Off)) {
            found.warning(place, Complaint::new("has no effect without proxy_protocol = \"required\""));
        }
        return ProxyProtocol::Off;
    }
    match list {
        None => {
            let place = found.absent(table, "proxy_protocol_from");
            found.error(place, Complaint::new("missing").help(EXAMPLE));
        }
        Some(field) if field.value.as_ref().is_some_and(Vec::is_empty) => {
            found.error(field.place, Complaint::new("expected at least one range, found none").help(EXAMPLE));
        }
        Some(field) if from.iter().any(Cidr::is_everything) => {
            let complaint = Complaint::new("whoever can connect may claim to be any client");
            found.warning(field.place, complaint.help("list the addresses of the load balancers only"));
        }
        Some(_) => {}
    }
    ProxyProtocol::Required { from }
}

/// The ranges of a list that can be read.
fn ranges(list: Option<&List<String>>, found: &mut Findings) -> Vec<Cidr> {
    let list = list.and_then(|field| field.value.as_deref()).unwrap_or_default();
    let range = |text: &String| {
        Cidr::parse(text)
            .map_err(|error| Complaint::new(format!("expected a range such as \"10.0.0.0/8\": {error}")))
    };
    list.iter().filter_map(|field| found.meaning(Some(field), range)).collect()
}

pub(super) fn tls(raw: Option<Field<RawTls>>, found: &mut Findings) -> TlsPolicy {
    let raw = section(raw);
    let min = found.meaning(raw.min.as_ref(), |min| {
        Ok(match min {
            RawMinTls::V1_2 => MinTls::V1_2,
            RawMinTls::V1_3 => MinTls::V1_3,
        })
    });
    let resumption = raw.resumption.and_then(|field| field.value);
    TlsPolicy { min: min.unwrap_or_default(), resumption: resumption.unwrap_or_default() }
}

pub(super) fn endpoint_rules(raw: Option<Field<RawEndpointRules>>, found: &mut Findings) -> AddressRules {
    AddressRules { allow_cidrs: ranges(section(raw).allow_cidrs.as_ref(), found) }
}

pub(super) fn limits(raw: Option<Field<RawLimits>>) -> Limits {
    let raw = section(raw);
    let count = |field: Option<Field<AutoOr<1, { u32::MAX }>>>| {
        let AutoOr(number) = field?.value?;
        usize::try_from(number?).ok()
    };
    let share = |field: Option<Field<OffOr<1, { u32::MAX }>>>| {
        let OffOr(number) = field?.value?;
        NonZeroU32::new(number?)
    };
    let bytes = raw.client_hello_bytes.and_then(|field| field.value);
    let memory = raw.memory_mib.and_then(|field| field.value).and_then(|AutoOr(mib)| mib);
    Limits {
        per_service: share(raw.per_service),
        per_identity: share(raw.per_identity),
        per_source: share(raw.per_source),
        per_second: share(raw.per_second),
        memory: memory.map(|mib| u64::from(mib) << 20),
        connections: count(raw.connections),
        handshakes: count(raw.handshakes),
        client_hello_bytes: bytes
            .and_then(|bytes| usize::try_from(bytes.0).ok())
            .unwrap_or(Limits::default().client_hello_bytes),
    }
}

/// The place of a list that is not empty.
fn filled<T>(list: Option<&List<T>>) -> Option<Place> {
    list.filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty())).map(|field| field.place)
}
