//! All services together: what each is, and that no two claim one name.

use super::first::FirstTerminating;
use super::service::{self, Scope, ServicePlaces};
use super::{names, section};
use crate::config::findings::{Complaint, Findings};
use crate::config::raw::{List, RawMode, RawService};
use crate::snapshot::{Building, Conflict, Snapshot};
use crate::sni::NamePattern;

/// What the file says is served.
pub(super) struct Served {
    pub(super) snapshot: Snapshot,
    /// Whether no service is listed.
    pub(super) nothing: bool,
    pub(super) first_terminating: Option<FirstTerminating>,
}

pub(super) fn served(raw: Option<List<RawService>>, scope: &Scope<'_>, found: &mut Findings) -> Served {
    let readable = raw.as_ref().is_none_or(|list| list.value.is_some());
    let raw = section(raw);
    let nothing = readable && raw.is_empty();
    let mut building = Building::of(raw.len());
    let mut first_terminating = None;
    for (index, field) in raw.into_iter().enumerate() {
        let Some(raw) = field.value else { continue };
        if let Some(name) = names::called(&raw) {
            found.call_service(index, name);
        }
        let lowered = service::service(&raw, field.place, scope, found);
        if first_terminating.is_none() && service::mode(&raw) == Some(RawMode::Terminate) {
            let written = || match names::called(&raw) {
                Some(name) => format!("service {name}"),
                None => format!("service[{index}]"),
            };
            let name = lowered.as_ref().map(|(service, _)| format!("service {}", service.name));
            first_terminating =
                Some(FirstTerminating { name: name.unwrap_or_else(written), place: field.place });
        }
        let Some((service, places)) = lowered else { continue };
        for conflict in building.add(index, service) {
            note(&conflict, &places, found);
        }
    }
    Served { snapshot: building.done(), nothing, first_terminating }
}

pub(super) fn note(conflict: &Conflict, places: &ServicePlaces, found: &mut Findings) {
    let (place, complaint) = match conflict {
        Conflict::Name { name, suffix, first, second, .. } => {
            let pattern =
                if *suffix { NamePattern::Suffix(name.clone()) } else { NamePattern::Exact(name.clone()) };
            let place = places.of(&pattern);
            if first == second {
                let complaint = Complaint::new(format!("{pattern} leads to this service already"));
                (place, complaint.help("remove it here"))
            } else {
                let complaint = Complaint::new(format!("{pattern} leads to service {first} already"));
                (place, complaint.help("a name may lead to one service only"))
            }
        }
        Conflict::Service { name, .. } => {
            let complaint = Complaint::new(format!("service {name} is configured twice"));
            (places.main, complaint.help("put its endpoints and names into one [[service]]"))
        }
        Conflict::Unknown { name, .. } => {
            (places.main, Complaint::new(format!("there is no service {name} to give endpoints to")))
        }
        Conflict::Unroutable { error, .. } => {
            (places.main, Complaint::new(format!("a name of this service cannot be carried by TLS: {error}")))
        }
    };
    found.error(place, complaint);
}
