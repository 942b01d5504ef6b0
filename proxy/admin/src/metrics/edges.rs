//! The counters of each caller and service, found once per connection, and how many there may be.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landbridge::outcome::Flag;
use landbridge::service::{Mode, Service};
use landbridge::spiffe::Identity;

use super::families::{Families, Istio};
use super::labels::Labels;
use super::library::Counter;

/// Callers with labels of their own; further ones are `other`.
const CALLERS: usize = 500;
/// Sets of labels, that is caller, service and flag. Each is at most four lines of some 800 bytes, so
/// that a scrape stays below 5 MB.
const SETS: usize = 1000;
/// Sets beyond those for services whose further callers are `other`; then the service is `other` too.
const SPARE: usize = 250;

/// The counters of one caller and one service.
pub(crate) struct Edge {
    number: usize,
    labels: Labels,
    pub(crate) opened: Counter,
    pub(crate) fine: Ended,
}

/// The counters of one way to end; while a connection runs its bytes count as if it ended well.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) closed: Counter,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

/// Every edge there is.
pub(crate) struct Edges {
    /// The cluster that the gateway is in.
    cluster: String,
    istio: Istio,
    overflow: Counter,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    edges: HashMap<Key, Arc<Edge>>,
    callers: HashSet<Identity>,
    ended: HashMap<(usize, Flag), Ended>,
    sets: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(Mode, Arc<str>, Option<Identity>),
    AnyCaller(Mode, Arc<str>),
    Anything(Mode),
}

impl Edges {
    pub(crate) fn new(cluster: &str, families: &Families) -> Self {
        Self {
            cluster: cluster.to_owned(),
            istio: families.istio.clone(),
            overflow: families.overflow.clone(),
            known: Mutex::default(),
        }
    }

    /// The edge from a caller, where the gateway saw one, to a service.
    pub(crate) fn find(&self, caller: Option<&Identity>, service: &Service) -> Arc<Edge> {
        let key = Key::Pair(service.mode, service.name.clone(), caller.cloned());
        let mut known = self.lock();
        if let Some(edge) = known.edges.get(&key) {
            return edge.clone();
        }
        let labels = Labels::of(caller, service, &self.cluster);
        if known.sets < SETS && known.admits(caller) {
            return self.make(&mut known, key, labels);
        }
        self.overflow.inc();
        let key = Key::AnyCaller(service.mode, service.name.clone());
        if let Some(edge) = known.edges.get(&key) {
            return edge.clone();
        }
        if known.sets < SETS + SPARE {
            return self.make(&mut known, key, labels.without_caller());
        }
        self.anything(&mut known, &labels)
    }

    /// The counters for connections of `edge` that ended with this flag.
    pub(crate) fn ended(&self, edge: &Edge, flag: Flag) -> Ended {
        if flag == Flag::Fine {
            return edge.fine.clone();
        }
        let mut known = self.lock();
        if let Some(ended) = known.ended.get(&(edge.number, flag)) {
            return ended.clone();
        }
        if known.sets < SETS + SPARE {
            known.sets += 1;
            return self.make_ended(&mut known, edge, flag);
        }
        self.overflow.inc();
        // There are as many of these at most as there are modes and flags.
        let anything = self.anything(&mut known, &edge.labels);
        match known.ended.get(&(anything.number, flag)) {
            Some(ended) => ended.clone(),
            None => self.make_ended(&mut known, &anything, flag),
        }
    }

    fn anything(&self, known: &mut Known, like: &Labels) -> Arc<Edge> {
        let key = Key::Anything(like.mode());
        match known.edges.get(&key) {
            Some(edge) => edge.clone(),
            None => self.make(known, key, like.without_service()),
        }
    }

    fn make(&self, known: &mut Known, key: Key, labels: Labels) -> Arc<Edge> {
        let values = labels.values(Flag::Fine);
        let edge = Arc::new(Edge {
            number: known.edges.len(),
            opened: self.istio.opened.with(&values),
            fine: self.counters(&labels, Flag::Fine),
            labels,
        });
        known.sets += 1;
        known.edges.insert(key, edge.clone());
        edge
    }

    fn make_ended(&self, known: &mut Known, edge: &Edge, flag: Flag) -> Ended {
        let ended = self.counters(&edge.labels, flag);
        known.ended.insert((edge.number, flag), ended.clone());
        ended
    }

    fn counters(&self, labels: &Labels, flag: Flag) -> Ended {
        let values = labels.values(flag);
        let Istio { closed, received, sent, .. } = &self.istio;
        Ended { closed: closed.with(&values), received: received.with(&values), sent: sent.with(&values) }
    }

    /// Nothing behind the lock is left half changed by a panic.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether a caller has labels of its own.
    fn admits(&mut self, caller: Option<&Identity>) -> bool {
        let Some(caller) = caller else { return true };
        if self.callers.contains(caller) {
            return true;
        }
        self.callers.len() < CALLERS && self.callers.insert(caller.clone())
    }
}

#[cfg(test)]
mod tests {
    use landbridge::spiffe::{SpiffeId, TrustName};

    use super::*;
    use crate::metrics::library::Registry;
    use crate::metrics::testing::service;

    fn caller(number: usize) -> Identity {
        let id = SpiffeId::parse(&format!("spiffe://cluster.local/ns/n/sa/caller-{number}")).unwrap();
        Identity { trust: TrustName::new("cluster-1"), id }
    }

    fn edges() -> (Registry, Families, Edges) {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry).unwrap();
        let edges = Edges::new("cluster-2", &families);
        (registry, families, edges)
    }

    fn series(registry: &Registry) -> usize {
        registry.text().unwrap().lines().filter(|line| line.starts_with("istio_")).count()
    }

    #[test]
    fn a_caller_of_a_service_keeps_its_counters_and_another_has_others() {
        let (registry, _, edges) = edges();
        let httpbin = service("httpbin.default.svc", Mode::Terminate);
        let first = edges.find(Some(&caller(1)), &httpbin);
        first.opened.inc();
        edges.find(Some(&caller(1)), &httpbin).opened.inc();
        edges.find(Some(&caller(2)), &httpbin).opened.inc();
        edges.ended(&first, Flag::Dr).closed.inc();
        edges.ended(&first, Flag::Dr).closed.inc();
        let text = registry.text().unwrap();
        let value = |name: &str, labels: &[&str]| {
            let matches = |line: &&str| line.starts_with(name) && labels.iter().all(|it| line.contains(it));
            let line = text.lines().find(matches).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(value("istio_tcp_connections_opened_total", &["sa/caller-1\""]), "2");
        assert_eq!(value("istio_tcp_connections_opened_total", &["sa/caller-2\""]), "1");
        assert_eq!(value("istio_tcp_connections_closed_total", &["sa/caller-1\"", "flags=\"DR\""]), "2");
    }

    #[test]
    fn ten_thousand_callers_with_any_flags_leave_a_bounded_number_of_series() {
        let (registry, _, edges) = edges();
        let services: Vec<Service> =
            (0..400).map(|number| service(&format!("s{number}.n.svc"), Mode::Terminate)).collect();
        for number in 0..10_000 {
            let edge = edges.find(Some(&caller(number)), &services[number % services.len()]);
            edge.opened.inc();
            for flag in [Flag::Fine, Flag::Dc, Flag::Uf] {
                edges.ended(&edge, flag).closed.inc();
            }
        }
        assert!(series(&registry) < 4 * (SETS + SPARE + 20), "{}", series(&registry));
        let text = registry.text().unwrap();
        assert!(text.len() < 5_000_000, "{}", text.len());
        let opened: u64 = text
            .lines()
            .filter(|line| line.starts_with("istio_tcp_connections_opened_total"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum();
        assert_eq!(opened, 10_000, "nothing is lost, it is only counted under other");
        assert!(!text.contains("landbridge_metric_series_overflow_total 0"));
        assert!(text.contains("source_principal=\"other\""));
    }
}
