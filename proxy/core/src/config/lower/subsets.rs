//! Named parts of a service's endpoints.

use std::collections::BTreeMap;

use super::allow::Lists;
use super::endpoints::{Endpoints, labels};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawSubset};
use crate::service::Subset;
use crate::sni::service_key;

pub(super) fn subsets(
    raw: Option<&List<RawSubset>>,
    host: &Host<'_>,
    endpoints: &Endpoints,
    lists: &Lists<'_>,
    found: &mut Findings,
) -> Vec<Subset> {
    let list = raw.and_then(|list| list.value.as_deref()).unwrap_or_default();
    let mut written: BTreeMap<String, &str> = BTreeMap::new();
    let mut subsets = Vec::with_capacity(list.len());
    for field in list {
        let Some(raw) = &field.value else { continue };
        let name = name(raw, field.place, host, found);
        let labels = subset_labels(raw, field.place, endpoints, found);
        let allow = lists.subset(raw, found);
        let (Some(name), Some(raw_name)) = (name, raw.name.as_ref()) else {
            continue;
        };
        let text = raw_name.value.as_deref().unwrap_or_default();
        if let Some(first) = written.get(name.as_str()) {
            let complaint = if *first == text {
                Complaint::new(format!("this service has a subset {text:?} already"))
            } else {
                Complaint::new(format!(
                    "subset {first:?} has the same name once lower-cased, as it is in the key"
                ))
            };
            found.error(raw_name.place, complaint.help("give each subset a name of its own"));
            continue;
        }
        written.insert(name.clone(), text);
        subsets.push(Subset { name, labels, allow });
    }
    subsets
}

/// Host and port of a service, as far as they go into keys.
pub(super) enum Host<'a> {
    /// The service has them.
    Has(&'a str, u16),
    /// It should have, but they could not be read.
    Unread,
    /// It has names only, so no key can be made.
    Without,
}

fn name(raw: &RawSubset, place: Place, host: &Host<'_>, found: &mut Findings) -> Option<String> {
    if matches!(host, Host::Without) {
        let complaint =
            Complaint::new("a subset is chosen by a key of host and port, and this service has neither");
        found.error(place, complaint.help("add host and port to the service, or remove the subset"));
        return None;
    }
    if raw.name.is_none() {
        let place = found.absent(place, "name");
        found
            .error(place, Complaint::new("missing").help("add the name by which callers ask for the subset"));
    }
    found.meaning(raw.name.as_ref(), |text| {
        let name = text.to_ascii_lowercase();
        if name.is_empty() {
            return Err(Complaint::new("may not be empty: that is the whole service"));
        }
        let (host, port) = match host {
            Host::Has(host, port) => (*host, *port),
            Host::Unread | Host::Without => ("host", u16::MAX),
        };
        match service_key(host, port, &name) {
            Ok(_) => Ok(name),
            Err(error) => Err(Complaint::new(format!("{text:?} makes no key that TLS can carry: {error}"))),
        }
    })
}

fn subset_labels(
    raw: &RawSubset,
    place: Place,
    endpoints: &Endpoints,
    found: &mut Findings,
) -> crate::service::Labels {
    let wanted = labels(raw.labels.as_ref());
    let (at, readable) = match &raw.labels {
        Some(field) => {
            let readable = field.value.as_ref().is_some_and(|labels| labels.len() == wanted.len());
            (field.place, readable)
        }
        None => (found.absent(place, "labels"), true),
    };
    if !readable {
        return wanted;
    }
    if wanted.is_empty() {
        let complaint = Complaint::new(if raw.labels.is_some() { "may not be empty" } else { "missing" });
        found.error(
            at,
            complaint.help("add the labels that an endpoint of the subset has, such as { version = \"v1\" }"),
        );
    } else if endpoints.complete
        && !endpoints.specs.is_empty()
        && !endpoints
            .specs
            .iter()
            .any(|endpoint| wanted.iter().all(|(key, value)| endpoint.labels().get(key) == Some(value)))
    {
        let complaint = Complaint::new(
            "no endpoint of this service has these labels: every connection to the subset is refused, with alert 80",
        );
        found.warning(at, complaint);
    }
    wanted
}
