//! The names of a service: host and port, and those in `sni`.

use std::collections::BTreeSet;

use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::RawService;
use crate::sni::{NamePattern, Sni, service_key};

/// What the user calls a service, as it is written.
pub(super) fn called(raw: &RawService) -> Option<&str> {
    let host = raw.host.as_ref().and_then(|field| field.value.as_deref());
    let first = || {
        let names = raw.sni.as_ref()?.value.as_ref()?;
        names.first()?.value.as_deref()
    };
    host.or_else(first)
}

/// Host and port, from which the keys of a service are made.
pub(super) fn host(raw: &RawService, place: Place, found: &mut Findings) -> Option<(String, u16)> {
    match (&raw.host, &raw.port) {
        (None, None) => {
            let none = raw.sni.as_ref().is_none_or(|list| list.value.as_ref().is_some_and(Vec::is_empty));
            if none {
                let place = found.absent(place, "host");
                found.error(
                    place,
                    Complaint::new("missing: a service has host and port, or else a name in sni")
                        .help("add the host and the port that callers know the service by"),
                );
            }
        }
        (Some(_), None) => {
            let place = found.absent(place, "port");
            found.error(
                place,
                Complaint::new("missing: host and port go together")
                    .help("add the port that callers know the service by"),
            );
        }
        (None, Some(_)) => {
            let place = found.absent(place, "host");
            found.error(
                place,
                Complaint::new("missing: host and port go together")
                    .help("add the host that callers know the service by"),
            );
        }
        (Some(_), Some(_)) => {}
    }
    let port = raw.port.as_ref().and_then(|field| field.value);
    let port = port.and_then(|port| u16::try_from(port.0).ok());
    let host = found.meaning(raw.host.as_ref(), |text| {
        let host =
            Sni::parse(text).map_err(|error| Complaint::new(format!("{text:?} is no host name: {error}")))?;
        service_key(host.as_str(), port.unwrap_or(u16::MAX), "").map_err(|error| {
            Complaint::new(format!("the key of this service cannot be carried by TLS: {error}"))
        })?;
        Ok(host.as_str().to_owned())
    });
    Some((host?, port?))
}

/// Further names, each once.
pub(super) fn further(raw: &RawService, found: &mut Findings) -> Vec<(NamePattern, Place)> {
    let mut names: BTreeSet<NamePattern> = BTreeSet::new();
    let mut places = Vec::new();
    let list = raw.sni.as_ref().and_then(|list| list.value.as_deref());
    for field in list.unwrap_or_default() {
        let name = found.meaning(Some(field), |text| {
            NamePattern::parse(text).map_err(|error| {
                Complaint::new(format!("{text:?} is no server name: {error}"))
                    .help("give an exact name, or \"*.suffix\"")
            })
        });
        let Some(name) = name else { continue };
        if names.insert(name.clone()) {
            places.push((name, field.place));
        } else {
            let complaint = Complaint::new(format!("{name} is listed twice"));
            found.error(field.place, complaint.help("remove one of the two"));
        }
    }
    places
}
