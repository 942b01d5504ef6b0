//! One `[[service]]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::identity::Identities;
use super::trust::Trusts;
use super::{allow, endpoints, names, subsets};
use crate::config::AddressRules;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{RawBalance, RawCloseNotify, RawMode, RawSendProxy, RawService};
use crate::config::resource::Code;
use crate::service::{Alpn, Balance, MissingCloseNotify, Mode, SendProxy, Service};
use crate::sni::NamePattern;

/// What the rest of the file says that services refer to.
pub(in crate::config) struct Scope<'a> {
    pub(in crate::config) listeners: &'a [SocketAddr],
    /// Whether the machine has an address, which a listener at a wildcard has then too; loopback ones it always has.
    pub(in crate::config) is_ours: fn(IpAddr) -> bool,
    /// Where addresses may lead, whoever gives them; the file itself may lead anywhere.
    pub(in crate::config) rules: Option<&'a AddressRules>,
    pub(in crate::config) trusts: &'a Trusts,
    pub(in crate::config) identities: &'a Identities,
}

/// Where the names of a service are written.
pub(in crate::config) struct ServicePlaces {
    /// Its host, or its first name.
    pub(in crate::config) main: Place,
    names: BTreeMap<NamePattern, Place>,
}

impl ServicePlaces {
    /// Where a name that leads to the service is written.
    pub(in crate::config) fn of(&self, pattern: &NamePattern) -> Place {
        self.names.get(pattern).copied().unwrap_or(self.main)
    }
}

/// How a service is served; `None` if that could not be read.
pub(in crate::config) fn mode(raw: &RawService) -> Option<RawMode> {
    match &raw.mode {
        None => Some(RawMode::Terminate),
        Some(field) => field.value,
    }
}

/// The service; `None` if it has no name that could be read.
pub(in crate::config) fn service(
    raw: &RawService,
    place: Place,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<(Service, ServicePlaces)> {
    let names = names::further(raw, found);
    let host = names::host(raw, place, found);
    let mode = mode(raw);
    if mode == Some(RawMode::Passthrough) {
        refuse_unseen(raw, found);
    }
    let endpoints = endpoints::endpoints(raw.endpoints.as_ref(), place, scope, found);
    let keys = match &host {
        Some((host, port)) => subsets::Host::Has(host, *port),
        None if raw.host.is_none() && raw.port.is_none() => subsets::Host::Without,
        None => subsets::Host::Unread,
    };
    let lists = allow::Lists::of(raw, mode, scope.trusts);
    let subsets = subsets::subsets(raw.subset.as_ref(), &keys, &endpoints, &lists, found);
    let mut service = Service {
        name: Arc::from(""),
        has_host: host.is_some(),
        names: names.iter().map(|(name, _)| name.clone()).collect(),
        mode: match mode {
            Some(RawMode::Passthrough) => Mode::Passthrough,
            Some(RawMode::Terminate) | None => Mode::Terminate,
        },
        policy: lists.policy(raw, place, found),
        alpn: alpn(raw, found),
        identity: identity(raw, scope.identities, found),
        balance: balance(raw),
        endpoints: endpoints.specs.into(),
        subsets: subsets.into(),
        close_on_cert_expiry: written(raw.close_on_cert_expiry.as_ref()).unwrap_or_default(),
        missing_close_notify: close_notify(raw),
        send_proxy: send_proxy(raw),
        upstream_tls: allow::upstream_tls(raw.upstream_tls.as_ref(), scope.trusts, found).map(Arc::new),
    };
    let main = match (&host, &raw.host, names.first()) {
        (Some((host, port)), Some(field), _) => {
            service.name = format!("{host}:{port}").into();
            field.place
        }
        (_, None, Some((name, place))) => {
            service.name = name.to_string().into();
            *place
        }
        _ => return None,
    };
    Some((service, ServicePlaces { main, names: names.into_iter().collect() }))
}

fn written<T: Copy>(field: Option<&crate::config::read::Field<T>>) -> Option<T> {
    field.and_then(|field| field.value)
}

/// Notes every key that means nothing where the gateway does not see inside TLS.
fn refuse_unseen(raw: &RawService, found: &mut Findings) {
    let list = |place: Option<Place>, why: &'static str| place.map(|place| (place, why));
    let unseen = [
        list(raw.allow.as_ref().map(|field| field.place), "the gateway does not see who calls"),
        list(raw.authorization.as_ref().map(|field| field.place), "the gateway does not see who calls"),
        list(raw.alpn.as_ref().map(|field| field.place), "the endpoint selects the protocol"),
        list(raw.identity.as_ref().map(|field| field.place), "the endpoint presents its own certificate"),
        list(
            raw.close_on_cert_expiry
                .as_ref()
                .filter(|field| field.value == Some(true))
                .map(|field| field.place),
            "the gateway does not see the caller's certificate",
        ),
        list(
            raw.missing_close_notify
                .as_ref()
                .filter(|field| field.value == Some(RawCloseNotify::Fin))
                .map(|field| field.place),
            "the gateway does not see close_notify",
        ),
        list(raw.upstream_tls.as_ref().map(|field| field.place), "the caller's TLS goes on to the endpoint"),
    ];
    let subsets = raw.subset.as_ref().and_then(|list| list.value.as_deref()).unwrap_or_default();
    let lists = subsets.iter().filter_map(|field| field.value.as_ref()?.allow.as_ref());
    let lists = lists.map(|field| (field.place, "the gateway does not see who calls"));
    for (place, why) in unseen.into_iter().flatten().chain(lists) {
        let complaint = Complaint::new(format!("cannot be kept with mode = \"passthrough\": {why}"));
        found.error(place, complaint.help("remove it, or let the gateway terminate TLS"));
    }
}

fn alpn(raw: &RawService, found: &mut Findings) -> Alpn {
    let Some(field) = &raw.alpn else {
        return Alpn::AsOffered;
    };
    let Some(list) = &field.value else {
        return Alpn::AsOffered;
    };
    if list.is_empty() {
        found.error(
            field.place,
            Complaint::new("an empty list would refuse every client")
                .help("remove alpn to select what is offered"),
        );
    }
    let protocols = list.iter().filter_map(|field| found.meaning(Some(field), |text| protocol(text)));
    Alpn::Only(protocols.collect())
}

fn protocol(text: &str) -> Result<Box<str>, Complaint> {
    if text.is_empty() || text.len() > 255 {
        return Err(Complaint::new(format!("a protocol has 1 to 255 bytes (RFC 7301), not {}", text.len())));
    }
    if text == "istio-peer-exchange" {
        return Err(Complaint::new(
            "istio-peer-exchange is never selected: the client would wait for a metadata frame that the gateway does not send",
        )
        .help("remove it"));
    }
    Ok(text.into())
}

fn identity(raw: &RawService, identities: &Identities, found: &mut Findings) -> Option<Box<str>> {
    found.meaning(raw.identity.as_ref(), |name| {
        if identities.names.contains(name) || !identities.complete {
            return Ok(name.as_str().into());
        }
        let complaint = Complaint::new(format!("there is no [identities.{name}]"));
        Err(complaint.code(Code::UnknownReference).nearest(name, identities.names.iter().map(String::as_str)))
    })
}

fn balance(raw: &RawService) -> Balance {
    match written(raw.balance.as_ref()) {
        None | Some(RawBalance::LeastRequest) => Balance::LeastRequest,
        Some(RawBalance::RoundRobin) => Balance::RoundRobin,
        Some(RawBalance::Random) => Balance::Random,
        Some(RawBalance::SourceHash) => Balance::SourceHash,
    }
}

fn close_notify(raw: &RawService) -> MissingCloseNotify {
    match written(raw.missing_close_notify.as_ref()) {
        None | Some(RawCloseNotify::Reset) => MissingCloseNotify::Reset,
        Some(RawCloseNotify::Fin) => MissingCloseNotify::Fin,
    }
}

fn send_proxy(raw: &RawService) -> SendProxy {
    match written(raw.send_proxy.as_ref()) {
        None => SendProxy::Off,
        Some(RawSendProxy::V2) => SendProxy::V2,
    }
}
