//! Connections of every kind: so many a second, some that last, some whose ends are killed, and a guest's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use landbridge_streams::{Load, Mode, Scenario, Score};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::mix::{Mix, Next};
use super::route::{Route, Tally};
use super::scene::Strangers;
use super::service::Service;
use crate::verify::perform;

/// At most so many connections at once, besides those that last.
const CONCURRENCY: usize = 512;
/// How many clients or endpoints are killed at once.
const VICTIMS: u64 = 8;
/// How many guests call at once.
const GUESTS: u64 = 4;
/// Numbers of connections, apart from those that come and go.
const WARM: u64 = 1 << 29;
const STEADY: u64 = 1 << 30;
const VICTIM: u64 = 2 << 30;
const GUEST: u64 = 3 << 30;

/// All that calls through the gateway.
pub(super) struct Traffic {
    pub(super) gateway: SocketAddr,
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) strangers: Arc<Strangers>,
    pub(super) tally: Tally,
    pub(super) mix: Mix,
    /// Connections a second.
    pub(super) rate: u32,
}

impl Traffic {
    /// One connection to each service whose ends nobody kills, so that nothing is new to the gateway.
    pub(super) async fn warm(&self) {
        for (number, next) in self.mix.clean(WARM) {
            self.make(number, Next::Exchange(next)).await;
        }
    }

    /// Streams that carry data as long as all of this lasts.
    pub(super) fn steady(self: &Arc<Self>, count: u64) -> JoinSet<()> {
        let mut streams = JoinSet::new();
        for number in 0..count {
            let traffic = self.clone();
            streams.spawn(async move {
                if let Some(next) = traffic.mix.steady(number) {
                    traffic.make(STEADY + number, Next::Exchange(next)).await;
                }
            });
        }
        streams
    }

    /// Connections that come and go, until it is time; returns when all of them are over.
    pub(super) async fn changing(self: &Arc<Self>) {
        let end = Instant::now() + self.mix.time;
        let room = Arc::new(Semaphore::new(CONCURRENCY));
        let mut calls = JoinSet::new();
        let mut tick = interval(Duration::from_secs(1) / self.rate);
        // A machine that stood still is not made up for at once: that would be a load of its own.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0.. {
            tick.tick().await;
            let (Ok(place), Some(next)) = (room.clone().acquire_owned().await, self.mix.next(number)) else {
                break;
            };
            if Instant::now() >= end {
                break;
            }
            let traffic = self.clone();
            calls.spawn(async move {
                traffic.make(number, next).await;
                drop(place);
            });
            while calls.try_join_next().is_some() {}
        }
        while calls.join_next().await.is_some() {}
    }

    async fn make(&self, number: u64, next: Next) {
        let (name, score) = match next {
            Next::Probe => ("probe", probe(self.gateway).await),
            Next::Stranger(stranger) => (stranger.name(), stranger.call(&self.strangers, self.gateway).await),
            Next::Exchange(it) => match self.route(it.service) {
                Some(route) => (it.name, route.exchange(number, it.plans).await),
                None => return,
            },
        };
        self.tally.add(name, score);
    }

    fn route(&self, service: Service) -> Option<&Route> {
        self.routes.iter().find(|route| route.service == service).map(Arc::as_ref)
    }

    /// Those whom something befalls, a change or a signal, until told to stop.
    pub(super) fn victims(self: &Arc<Self>, every: Duration, stop: &Arc<AtomicBool>) -> JoinSet<()> {
        let mut all = JoinSet::new();
        let (killer, told) = (self.clone(), stop.clone());
        all.spawn(async move { killer.kill(2 * every, &told).await });
        for guest in 0..GUESTS {
            let (visitor, told) = (self.clone(), stop.clone());
            all.spawn(async move { visitor.visit(guest, every / 5, &told).await });
        }
        all
    }

    /// Kills clients and endpoints in turn.
    async fn kill(&self, every: Duration, stop: &AtomicBool) {
        let Some(route) = self.route(Service::Mortal) else { return };
        let mut tick = interval(every);
        for nth in 0.. {
            tick.tick().await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let scenario = if nth % 2 == 0 { Scenario::ClientKilled } else { Scenario::EndpointKilled };
            let load = Load {
                scenarios: vec![scenario],
                first: VICTIM + nth * VICTIMS,
                connections: VICTIMS,
                concurrency: VICTIMS,
                mean: self.mix.mean,
            };
            let score = perform(&route.setup, &load, None).await.unwrap_or_else(|error| {
                let mut failed = Score { connections: VICTIMS, ..Score::default() };
                failed.fail(&format!("{error:#}"));
                failed
            });
            self.tally.add(scenario.name(), score);
        }
    }

    /// Calls as the guest again and again: let in at times, cut when its grant or its root goes.
    async fn visit(&self, guest: u64, every: Duration, stop: &AtomicBool) {
        let Some(route) = self.route(Service::Guest) else { return };
        let mut tick = interval(every);
        for nth in 0_u64.. {
            tick.tick().await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let number = GUEST + (guest << 24) + nth;
            let plans = Scenario::Idle.plans(Mode::Terminate, self.mix.run, number, self.mix.mean);
            let (name, score) = route.guest(number, plans).await;
            self.tally.add(name, score);
        }
    }

    /// Closes the endpoints, and says what became of everything.
    pub(super) async fn end(self) -> anyhow::Result<Vec<(String, Score)>> {
        for route in self.routes {
            let Route { service, setup, endpoint, .. } =
                Arc::into_inner(route).context("a connection is still open")?;
            if let Some(endpoint) = endpoint {
                let score = setup.finish(endpoint, Score::default()).await?;
                if !score.is_good() {
                    self.tally.add(&format!("strays of {}", service.sni()), score);
                }
            }
        }
        Ok(self.tally.take())
    }
}

/// Connects and closes, as load balancers do.
async fn probe(gateway: SocketAddr) -> Score {
    let mut score = Score { connections: 1, ..Score::default() };
    if let Err(error) = TcpStream::connect(gateway).await {
        score.fail(&format!("probe: {error}"));
    }
    score
}
