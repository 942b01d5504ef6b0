//! Who calls: through whichever replica is ready, again and again until told to stop.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use landbridge_streams::{Board, PACE, Plan, Plans, Scenario, Score, exchange_one};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::scene::Service;

/// What a stream that lasts carries: some three seconds of it.
const LASTING: u64 = 3 * PACE;
/// Numbers of connections, apart from those that come and go.
const STREAMS: u64 = 1 << 31;

/// All that calls.
pub(super) struct Traffic {
    services: Vec<Service>,
    board: Arc<Board>,
    ready: watch::Receiver<Vec<SocketAddr>>,
    run: u64,
    mean: u64,
    next: AtomicU64,
    next_stream: AtomicU64,
    made: Arc<AtomicU64>,
    over: AtomicBool,
    rows: Mutex<Vec<(String, Score)>>,
}

/// How many connections there were.
pub(super) struct Made(Arc<AtomicU64>);

impl Made {
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Calls nobody yet; `chance` is the seed, and how many bytes each end sends on average.
    pub(super) fn new(
        services: Vec<Service>,
        board: Arc<Board>,
        ready: watch::Receiver<Vec<SocketAddr>>,
        chance: (u64, u64),
    ) -> Self {
        let rows = services.iter().flat_map(|service| {
            ["comes and goes", "lasts"].map(|what| (row(service, what), Score::default()))
        });
        Self {
            rows: Mutex::new(rows.collect()),
            services,
            board,
            ready,
            run: chance.0,
            mean: chance.1,
            next: AtomicU64::new(0),
            next_stream: AtomicU64::new(STREAMS),
            made: Arc::default(),
            over: AtomicBool::new(false),
        }
    }

    /// How many connections were made, from now on.
    pub(super) fn made(&self) -> Made {
        Made(self.made.clone())
    }

    /// Begins to call: so many at once that come and go, and so many that last.
    pub(super) fn begin(self: &Arc<Self>, concurrency: u64, streams: u64) -> JoinSet<()> {
        let mut callers = JoinSet::new();
        for nth in 0..concurrency + streams {
            let traffic = self.clone();
            callers.spawn(async move {
                while !traffic.over.load(Ordering::Relaxed) {
                    if nth < concurrency {
                        let number = traffic.next.fetch_add(1, Ordering::Relaxed);
                        traffic.call(number, "comes and goes").await;
                    } else {
                        let number = traffic.next_stream.fetch_add(1, Ordering::Relaxed);
                        traffic.call(number, "lasts").await;
                    }
                }
            });
        }
        callers
    }

    /// Lets everybody stop once the present connection is over.
    pub(super) fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    async fn call(&self, number: u64, what: &str) {
        let Some(service) = among(&self.services, number) else { return };
        let plans = if number >= STREAMS {
            let plan = Plan::clean(LASTING).paced();
            Plans { client: plan, endpoint: plan }
        } else {
            let ends = [Scenario::Clean, Scenario::ClientFirst, Scenario::EndpointFirst];
            let scenario = among(&ends, number / 3).copied().unwrap_or(Scenario::Clean);
            scenario.plans(service.setup.mode, self.run, number, self.mean)
        };
        let mut setup = service.setup.clone();
        if let Some(address) = among(&self.ready.borrow(), number) {
            setup.gateway = *address;
        }
        let caller = setup.caller(&self.board);
        let score = exchange_one(&caller, Some(&service.endpoint), number, plans).await;
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, so_far)) = rows.iter_mut().find(|(name, _)| *name == row(service, what)) {
            so_far.merge(score);
        }
    }

    /// Closes the endpoints, and says what became of all connections.
    pub(super) async fn end(self) -> anyhow::Result<Vec<(String, Score)>> {
        let mut rows = self.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        for Service { setup, endpoint } in self.services {
            let name = format!("strays of {}", setup.mode.name());
            let score = setup.finish(endpoint, Score::default()).await.context("the endpoint")?;
            if !score.is_good() {
                rows.push((name, score));
            }
        }
        Ok(rows)
    }
}

fn row(service: &Service, what: &str) -> String {
    format!("{} {what}", service.setup.mode.name())
}

fn among<T>(all: &[T], nth: u64) -> Option<&T> {
    all.get(usize::try_from(nth.checked_rem(all.len() as u64)?).ok()?)
}
