//! A gateway with metrics, and a scrape that can be asked.

use std::sync::Arc;

use landbridge_admin::{Build, Counted, Metrics, Watched};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::world::World;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) gateway: TestGateway,
    pub(crate) metrics: Arc<Metrics>,
}

/// The text of one scrape.
pub(crate) struct Scrape(pub(crate) String);

impl Scene {
    /// A gateway that serves `services` (TOML).
    pub(crate) async fn set(services: &str) -> Self {
        let world = World::default();
        let build = Build { version: "1.2.3", revision: "abc", crypto: "aws-lc-rs" };
        let metrics = Arc::new(Metrics::new(build, "cluster-2").unwrap());
        let toml = World::head() + services;
        let gateway = TestGateway::observed(&toml, world.folder.path(), metrics.clone()).await;
        Self { world, gateway, metrics }
    }

    pub(crate) fn watched(&self) -> Watched {
        let counted =
            Counted { access_log_dropped: 7, events_dropped: 5, clock_jumps: 3, workers_hanging: 2 };
        Watched { gateway: self.gateway.handle.clone(), counted: Box::new(move || counted) }
    }

    pub(crate) fn scrape(&self) -> Scrape {
        Scrape(self.metrics.scrape(&self.watched()).unwrap())
    }
}

impl Scrape {
    /// The sum of the series of this name that have all of these labels, such as `reason="no_sni"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        self.series(name, labels).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn count(&self, name: &str, labels: &[&str]) -> usize {
        self.series(name, labels).count()
    }

    fn series<'a>(&'a self, name: &'a str, labels: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter(move |line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
            rest.is_some_and(|rest| labels.iter().all(|label| rest.contains(label)))
        })
    }
}
