//! All services together: what each is, and that no two claim one name.

use std::collections::HashSet;
use std::ops::Range;

use super::first::FirstTerminating;
use super::service::{self, Scope, ServicePlaces};
use super::{names, section};
use crate::config::findings::{Complaint, Findings};
use crate::config::raw::{List, RawMode, RawService};
use crate::config::read::{self, Field};
use crate::policy::{AllowList, Policy};
use crate::snapshot::{Building, Conflict, Snapshot};
use crate::sni::NamePattern;

/// What the file says is served.
pub(super) struct Served {
    pub(super) snapshot: Snapshot,
    /// Whether no service is listed.
    pub(super) nothing: bool,
    pub(super) first_terminating: Option<FirstTerminating>,
}

/// Where the services of a document are.
pub(in crate::config) enum Services<'t> {
    /// In its one tree.
    Whole,
    /// In these parts of the text, from which they are read one by one.
    Apart(&'t str, &'t [Range<usize>]),
}

/// Every service; `None` if the document has to be read as a whole after all.
pub(super) fn served(
    raw: Option<List<RawService>>,
    services: &Services<'_>,
    scope: &Scope<'_>,
    found: &mut Findings,
) -> Option<Served> {
    let readable = raw.as_ref().is_none_or(|list| list.value.is_some());
    let raw = section(raw);
    let (nothing, expected) = match services {
        Services::Whole => (readable && raw.is_empty(), raw.len()),
        Services::Apart(_, ranges) => (ranges.is_empty(), ranges.len()),
    };
    let (building, lists) = (Building::of(expected), HashSet::new());
    let mut serving = Serving { building, lists, first_terminating: None, scope };
    for (index, field) in raw.into_iter().enumerate() {
        serving.add(index, &field, found);
    }
    if let Services::Apart(text, ranges) = services {
        for (index, range) in ranges.iter().enumerate() {
            let mark = found.mark();
            let had_first = serving.first_terminating.is_some();
            let field = read::service(text, range, index, found)?;
            serving.add(index, &field, found);
            // The place of the first is kept.
            if had_first {
                found.forget(mark, index);
            }
        }
    }
    let Serving { building, first_terminating, .. } = serving;
    Some(Served { snapshot: building.done(), nothing, first_terminating })
}

/// The services so far.
struct Serving<'a> {
    building: Building,
    /// Every allow list, of which equal ones are kept once.
    lists: HashSet<AllowList>,
    first_terminating: Option<FirstTerminating>,
    scope: &'a Scope<'a>,
}

impl Serving<'_> {
    fn add(&mut self, index: usize, field: &Field<RawService>, found: &mut Findings) {
        let Some(raw) = &field.value else { return };
        if let Some(name) = names::called(raw) {
            found.call_service(index, name);
        }
        let lowered = service::service(raw, field.place, self.scope, found);
        if self.first_terminating.is_none() && service::mode(raw) == Some(RawMode::Terminate) {
            let written = || match names::called(raw) {
                Some(name) => format!("service {name}"),
                None => format!("service[{index}]"),
            };
            let name = lowered.as_ref().map(|(service, _)| format!("service {}", service.name));
            self.first_terminating =
                Some(FirstTerminating { name: name.unwrap_or_else(written), place: field.place });
        }
        let Some((mut service, places)) = lowered else { return };
        self.share_list(&mut service.policy);
        for conflict in self.building.add(index, service) {
            note(&conflict, &places, found);
        }
    }

    /// Many services let the same callers in: their lists are one in memory.
    fn share_list(&mut self, policy: &mut Policy) {
        let Policy::Grants { allow, .. } = policy else { return };
        match self.lists.get(allow) {
            Some(equal) => allow.clone_from(equal),
            None => {
                self.lists.insert(allow.clone());
            }
        }
    }
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
