//! A service of the table, with its routes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Answers, Part, Route, adoption};
use crate::endpoint::Pool;
use crate::service::{EndpointSpec, Service, Subset};
use crate::shards::Named;

/// A service with what is known of its endpoints.
#[derive(Debug, Clone)]
pub(super) struct Served {
    /// To the whole service. Its pool has every endpoint, those of names that resolved included, each once.
    pub(super) whole: Arc<Route>,
    /// To each subset; `None` where there is none.
    pub(super) parts: Option<Arc<[Arc<Route>]>>,
}

impl Named for Served {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.whole.service.name)
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.whole, &other.whole)
    }
}

impl Served {
    /// A service with its endpoints, of which those that were known go on.
    pub(super) fn new(service: &Arc<Service>, answers: &Answers, known: Option<&Self>) -> Self {
        let before = known.map_or(&[][..], |known| known.whole.pool.members());
        let members = adoption::members(service, answers, before);
        let route = |subset: Option<&Subset>| {
            let belongs = |spec: &EndpointSpec| subset.is_none_or(|subset| subset.has(spec));
            // Room for all, as nearly every route is to all.
            let mut chosen = Vec::with_capacity(members.len());
            chosen.extend(members.iter().filter(|(spec, _)| belongs(spec)).map(|(_, member)| member.clone()));
            let name = subset.map(|subset| subset.name.as_str());
            let old = known.and_then(|known| known.routes().find(|route| route.subset() == name));
            let turns = old.and_then(|route| route.pool.turns().cloned());
            Arc::new(Route {
                service: service.clone(),
                pool: Pool::new(chosen, service.balance, turns),
                part: subset.map(|subset| Box::new(Part::new(subset, service))),
            })
        };
        let parts = service.subsets.iter().map(|subset| route(Some(subset)));
        let parts = (!service.subsets.is_empty()).then(|| parts.collect());
        Self { whole: route(None), parts }
    }

    /// The route to the whole, then those to subsets.
    fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        std::iter::once(&self.whole).chain(self.parts.iter().flat_map(|parts| parts.iter()))
    }
}
