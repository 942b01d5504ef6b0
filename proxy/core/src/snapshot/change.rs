//! A change of services: what stands after it, and what of it is refused.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Conflict, Lead, Snapshot};
use crate::service::{EndpointSpec, HostPort, Mode, Service, Subset, Target};
use crate::sni::{NamePattern, SniError};

/// What becomes of one service.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is this, whether there was one of its name or not.
    Set(Arc<Service>),
    /// Its endpoints are these; all else stays.
    Endpoints {
        /// The name of the service.
        service: Arc<str>,
        /// All of its endpoints.
        endpoints: Vec<EndpointSpec>,
    },
    /// It is no more; nothing happens if it wasn't.
    Remove(Arc<str>),
}

/// What came of changes.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The services with every change but those that are refused.
    pub snapshot: Snapshot,
    /// What is refused, with the place of the change in the list. A service of which a change is refused stays what
    /// it was.
    pub refused: Vec<Conflict>,
}

impl Snapshot {
    /// The services after these changes, which are judged together: one may take a name that another gives up.
    ///
    /// A service keeps the names that it has; whoever claims one of them is refused. Of several newcomers the first
    /// gets a name. Of changes to one service the last counts, but no service may be set twice.
    pub fn with(&self, changes: impl IntoIterator<Item = Change>) -> Changed {
        let mut plan = Plan::of(self, changes);
        plan.settle();
        plan.carry_out()
    }
}

/// What the changes come to, by service.
struct Plan<'s> {
    before: &'s Snapshot,
    wanted: Vec<Wanted>,
    by_name: HashMap<Arc<str>, usize>,
    /// Names that had nobody or are given up, and who gets them.
    taken: HashMap<NamePattern, usize>,
    refused: Vec<Conflict>,
}

/// One service as it is to be.
struct Wanted {
    name: Arc<str>,
    /// The place of the last change to it.
    index: usize,
    /// `None` if it is to be no more.
    service: Option<Arc<Service>>,
    is_set: bool,
    /// Its names; `None` where they stay what they are.
    names: Option<Vec<NamePattern>>,
    stands: bool,
}

impl<'s> Plan<'s> {
    fn of(before: &'s Snapshot, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut plan = Self {
            before,
            wanted: Vec::new(),
            by_name: HashMap::new(),
            taken: HashMap::new(),
            refused: Vec::new(),
        };
        for (index, change) in changes.into_iter().enumerate() {
            plan.want(index, change);
        }
        plan
    }

    fn want(&mut self, index: usize, change: Change) {
        match change {
            Change::Set(service) => {
                let wanted = self.wanted(service.name.clone());
                if wanted.is_set {
                    self.refused.push(Conflict::Service { name: service.name.clone(), index });
                    return;
                }
                (wanted.index, wanted.is_set) = (index, true);
                wanted.service = Some(service);
            }
            Change::Remove(name) => {
                let wanted = self.wanted(name);
                (wanted.index, wanted.is_set) = (index, false);
                wanted.service = None;
            }
            Change::Endpoints { service: name, endpoints } => {
                let wanted = self.wanted(name.clone());
                let Some(service) = &wanted.service else {
                    self.refused.push(Conflict::Unknown { name, index });
                    return;
                };
                wanted.index = index;
                wanted.service =
                    Some(Arc::new(Service { endpoints: endpoints.into(), ..Service::clone(service) }));
            }
        }
    }

    /// What is wanted of a service so far: at first, that it stays.
    fn wanted(&mut self, name: Arc<str>) -> &mut Wanted {
        let next = self.wanted.len();
        let at = *self.by_name.entry(name.clone()).or_insert(next);
        if at == next {
            let service = self.before.service(&name).cloned();
            self.wanted.push(Wanted { name, index: 0, service, is_set: false, names: None, stands: true });
        }
        self.wanted.get_mut(at).unwrap_or_else(|| unreachable!("it was just added"))
    }

    /// Decides who gets which name.
    fn settle(&mut self) {
        for wanted in &mut self.wanted {
            let Some(service) = &wanted.service else { continue };
            if self.before.service(&wanted.name).is_some_and(|old| has_names_of(service, old)) {
                continue;
            }
            match service.routes() {
                Ok(routes) => wanted.names = Some(routes.into_iter().map(|(pattern, _)| pattern).collect()),
                Err(error) => {
                    wanted.stands = false;
                    let (name, index) = (wanted.name.clone(), wanted.index);
                    self.refused.push(Conflict::Unroutable { name, error, index });
                }
            }
        }
        let given_up = self.given_up();
        for at in 0..self.wanted.len() {
            self.claim(at, &given_up);
        }
        self.refused.sort_by_key(Conflict::index);
    }

    /// Every name that a service of before doesn't want any more.
    fn given_up(&self) -> HashSet<NamePattern> {
        let mut given_up = HashSet::new();
        for wanted in self.wanted.iter().filter(|wanted| wanted.stands) {
            let Some(old) = self.before.service(&wanted.name) else { continue };
            let kept: HashSet<&NamePattern> = match (&wanted.service, &wanted.names) {
                (None, _) => HashSet::new(),
                (Some(_), Some(names)) => names.iter().collect(),
                (Some(_), None) => continue,
            };
            given_up.extend(names_of(old).filter(|name| !kept.contains(name)));
        }
        given_up
    }

    fn claim(&mut self, at: usize, given_up: &HashSet<NamePattern>) {
        let Some(wanted) = self.wanted.get(at).filter(|wanted| wanted.stands) else { return };
        let Some(names) = &wanted.names else { return };
        let mut seen = HashSet::with_capacity(names.len());
        let mut conflicts = Vec::new();
        let mut new = Vec::new();
        for name in names {
            let owner = self.before.owner(name);
            let first = if !seen.insert(name) {
                Some(&wanted.name)
            } else if owner == Some(&wanted.name) {
                continue;
            } else if let Some(owner) = owner.filter(|owner| !self.gives_up(owner, name, given_up)) {
                Some(owner)
            } else {
                self.taken.get(name).and_then(|first| self.wanted.get(*first)).map(|first| &first.name)
            };
            match first {
                Some(first) => conflicts.push(conflict(name, first, wanted)),
                None => new.push(name.clone()),
            }
        }
        if conflicts.is_empty() {
            self.taken.extend(new.into_iter().map(|name| (name, at)));
        } else {
            self.refused.append(&mut conflicts);
            self.refuse(at);
        }
    }

    fn gives_up(&self, owner: &Arc<str>, name: &NamePattern, given_up: &HashSet<NamePattern>) -> bool {
        let owner = self.by_name.get(owner).and_then(|at| self.wanted.get(*at));
        owner.is_some_and(|owner| owner.stands) && given_up.contains(name)
    }

    /// A service stays what it was: whoever took a name that it would have given up is refused too.
    fn refuse(&mut self, at: usize) {
        let mut refused = vec![at];
        while let Some(at) = refused.pop() {
            let Some(wanted) = self.wanted.get_mut(at) else { continue };
            wanted.stands = false;
            let Some(wanted) = self.wanted.get(at) else { continue };
            for name in wanted.names.iter().flatten() {
                if self.taken.get(name) == Some(&at) {
                    self.taken.remove(name);
                }
            }
            for name in self.before.service(&wanted.name).into_iter().flat_map(|old| names_of(old)) {
                if let Some(at) = self.taken.remove(&name)
                    && let Some(second) = self.wanted.get(at)
                {
                    self.refused.push(conflict(&name, &wanted.name, second));
                    refused.push(at);
                }
            }
        }
    }

    fn carry_out(self) -> Changed {
        let Self { before, wanted, refused, .. } = self;
        let claimed = wanted.iter().filter_map(|wanted| wanted.names.as_ref()).map(Vec::len).sum();
        let mut snapshot = before.clone();
        let mut services =
            before.services.edit(wanted.iter().filter(|wanted| wanted.names.is_some()).count());
        let (mut exact, mut suffixes) = (before.exact.edit(claimed), before.suffixes.edit(0));
        let standing = || wanted.iter().filter(|wanted| wanted.stands);
        for Wanted { name, service, names, .. } in standing() {
            let Some(old) = before.service(name) else { continue };
            snapshot.forget(old);
            if service.is_none() || names.is_some() {
                for name in names_of(old) {
                    match name {
                        NamePattern::Exact(name) => exact.remove(name.as_str()),
                        NamePattern::Suffix(name) => suffixes.remove(name.as_str()),
                    }
                }
            }
            if service.is_none() {
                services.remove(name);
            }
        }
        for Wanted { name, service, names, .. } in standing() {
            let Some(service) = service else { continue };
            snapshot.note(service);
            if before.service(name).is_some_and(|old| old == service) {
                continue;
            }
            services.insert(service.clone());
            if names.is_none() {
                continue;
            }
            for (pattern, part) in leads(service).unwrap_or_default() {
                let lead = |name| Lead { name, service: service.name.clone(), part };
                match pattern {
                    NamePattern::Exact(name) => exact.insert(lead(name).into()),
                    NamePattern::Suffix(name) => suffixes.insert(lead(name)),
                }
            }
        }
        snapshot.services = services.done();
        (snapshot.exact, snapshot.suffixes) = (exact.done(), suffixes.done());
        Changed { snapshot, refused }
    }
}

fn conflict(name: &NamePattern, first: &Arc<str>, second: &Wanted) -> Conflict {
    let (name, suffix) = name.clone().into_parts();
    Conflict::Name { name, suffix, first: first.clone(), second: second.name.clone(), index: second.index }
}

/// Whether the same names lead to the same parts of both.
fn has_names_of(one: &Service, other: &Service) -> bool {
    let subsets =
        |service: &Service| service.subsets.iter().map(|subset| subset.name.clone()).collect::<Vec<_>>();
    one.host() == other.host() && one.names == other.names && subsets(one) == subsets(other)
}

fn names_of(service: &Service) -> impl Iterator<Item = NamePattern> {
    service.routes().unwrap_or_default().into_iter().map(|(pattern, _)| pattern)
}

/// Every name of a service, with the part that it leads to: 0 is the whole, others are subsets from 1.
pub(super) fn leads(service: &Service) -> Result<Vec<(NamePattern, u32)>, SniError> {
    let mut subsets = 0;
    let part = |(pattern, subset): (NamePattern, Option<&Subset>)| {
        subsets += u32::from(subset.is_some());
        (pattern, if subset.is_some() { subsets } else { 0 })
    };
    Ok(service.routes()?.into_iter().map(part).collect())
}

impl Snapshot {
    /// Notes what a service uses.
    pub(super) fn note(&mut self, service: &Service) {
        for host in hosts(&service.endpoints) {
            let services = Arc::make_mut(&mut self.hosts).entry(host.clone()).or_default();
            services.insert(service.name.clone());
        }
        if service.mode == Mode::Terminate {
            *Arc::make_mut(&mut self.identities).entry(presented(service)).or_default() += 1;
        }
    }

    /// Takes back what was noted of a service.
    fn forget(&mut self, service: &Service) {
        for host in hosts(&service.endpoints) {
            let all = Arc::make_mut(&mut self.hosts);
            if let Some(services) = all.get_mut(host) {
                services.remove(&service.name);
                if services.is_empty() {
                    all.remove(host);
                }
            }
        }
        if service.mode == Mode::Terminate {
            let (all, identity) = (Arc::make_mut(&mut self.identities), presented(service));
            if let Some(count) = all.get_mut(&identity) {
                *count -= 1;
                if *count == 0 {
                    all.remove(&identity);
                }
            }
        }
    }
}

fn hosts(endpoints: &[EndpointSpec]) -> impl Iterator<Item = &HostPort> {
    endpoints.iter().filter_map(|endpoint| match &endpoint.target {
        Target::Host(host) => Some(host),
        Target::Address(_) => None,
    })
}

/// What a service presents that terminates TLS.
fn presented(service: &Service) -> Option<Box<str>> {
    service.identity.as_deref().map(Into::into)
}
