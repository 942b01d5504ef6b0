//! Connecting to an endpoint: the next one on refusal or silence, the first to connect wins.
//!
//! No byte of the client is consumed before an endpoint has answered, so a single bad endpoint is never
//! the caller's problem.

use std::collections::hash_map::RandomState;
use std::future::{Future, pending, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use landbridge_core::endpoint::{Active, Asking, Choice, Pool};
use landbridge_core::outcome::UpstreamFacts;
use landbridge_core::{Endpoint, Permit, Reason};
use landbridge_splice::Side;
use tokio::time::sleep;

pub(crate) use self::dial::Opening;
use self::dial::{Answered, Failed, dial};
use crate::handshake::deadline;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::shared::Shared;

mod dial;

/// A connection to an endpoint.
pub(crate) struct Connected {
    pub(crate) side: Side,
    local: Option<SocketAddr>,
    /// Keeps the endpoint's count.
    pub(crate) active: Active,
    /// How long it took, from the first try on.
    pub(crate) took: Duration,
}

/// One try that is under way.
type Try = Pin<Box<dyn Future<Output = (Active, Result<Answered, Failed>)> + Send>>;

/// Connects to one endpoint of `pool`.
///
/// A try that fails is followed by the next endpoint at once; one that has not answered after
/// `timeouts.connect_hedge` gets company; each may take `timeouts.connect`, all of them together
/// `timeouts.connect_total`. The permit is what allows any of it. A try includes all of `opening`, so
/// that an endpoint which does not take the preface, or does not prove to be one that is expected, has
/// failed.
pub(crate) async fn connect(
    shared: &Shared,
    _permit: &Permit,
    pool: &Pool,
    opening: Opening,
    record: &mut Record,
) -> Result<Connected, Refusal> {
    let mut tries = Tries {
        shared,
        pool,
        opening,
        source: record.source(),
        started: Instant::now(),
        tried: Vec::new(),
        running: Vec::new(),
        last: None,
    };
    let total = deadline(tries.started, shared.config.timeouts.connect_total);
    let connected = tokio::select! {
        biased;
        connected = tries.run() => connected,
        () = total => None,
    };
    let attempts = u32::try_from(tries.tried.len()).unwrap_or(u32::MAX);
    let facts = |host, local, connect| Some(UpstreamFacts { host, local, connect, attempts });
    if let Some(connected) = connected {
        let host = connected.active.endpoint().address();
        let local = connected.local;
        record.note(|outcome| outcome.upstream = facts(host, local, Some(connected.took)));
        return Ok(connected);
    }
    tries.pass_over_silent(tries.tried.len());
    record.note(|outcome| {
        outcome.upstream = tries.tried.last().and_then(|host| facts(*host, None, None));
    });
    Err(tries.failure())
}

struct Tries<'a> {
    shared: &'a Shared,
    pool: &'a Pool,
    opening: Opening,
    source: IpAddr,
    started: Instant,
    tried: Vec<SocketAddr>,
    running: Vec<(Arc<Endpoint>, Try)>,
    last: Option<(SocketAddr, Failed)>,
}

impl Tries<'_> {
    /// `None` when every endpoint was tried and failed.
    async fn run(&mut self) -> Option<Connected> {
        loop {
            let more = self.begin();
            if self.running.is_empty() {
                return None;
            }
            let hedge = async {
                match self.shared.config.timeouts.connect_hedge {
                    Some(hedge) if more => sleep(hedge).await,
                    _ => pending().await,
                }
            };
            let answered = tokio::select! {
                biased;
                answered = first(&mut self.running) => answered,
                () = hedge => continue,
            };
            let (active, result) = answered;
            let endpoint = active.endpoint();
            match result {
                Ok(Answered { side, local }) => {
                    endpoint.connected();
                    // Whoever was asked before the winner and is silent still is not worth asking soon.
                    let winner = endpoint.address();
                    self.pass_over_silent(
                        self.tried.iter().take_while(|address| **address != winner).count(),
                    );
                    let took = self.started.elapsed();
                    return Some(Connected { side, local, active, took });
                }
                Err(failed) => {
                    if !failed.is_our_own() {
                        endpoint.failed(self.shared.epoch.elapsed());
                    }
                    self.last = Some((endpoint.address(), failed));
                }
            }
        }
    }

    /// Begins a try on an endpoint that was not tried; false if there is none.
    fn begin(&mut self) -> bool {
        let asking = Asking { now: self.shared.epoch.elapsed(), random: entropy(), source: self.source };
        let Some(endpoint) = self.pool.choose(&asking, &self.tried, Choice::Any) else { return false };
        let address = endpoint.address();
        self.tried.push(address);
        let active = endpoint.begin();
        let timeouts = self.shared.config.timeouts.clone();
        let opening = self.opening.clone();
        let running = async move {
            let result = tokio::select! {
                biased;
                result = dial(address, &timeouts, &opening) => result,
                () = deadline(Instant::now(), timeouts.connect) => {
                    Err(Failed::Connect(io::ErrorKind::TimedOut.into()))
                }
            };
            (active, result)
        };
        self.running.push((endpoint.clone(), Box::pin(running)));
        true
    }

    /// Ends the tries that have not answered. Of those that were among the `first` to begin, the
    /// endpoints are passed over for a while; the others had less time than the winner.
    fn pass_over_silent(&mut self, first: usize) {
        let (now, blamed) = (self.shared.epoch.elapsed(), self.tried.get(..first).unwrap_or_default());
        for (endpoint, _) in self.running.drain(..) {
            if blamed.contains(&endpoint.address()) {
                endpoint.failed(now);
            }
        }
    }

    fn failure(&self) -> Refusal {
        match &self.last {
            Some((address, failed)) => failed.refusal(*address),
            None => Refusal::reset(Reason::ConnectTimeout).because("no endpoint answered in time"),
        }
    }
}

/// Waits for the first of the running tries to end, and takes it out.
async fn first(running: &mut Vec<(Arc<Endpoint>, Try)>) -> (Active, Result<Answered, Failed>) {
    poll_fn(|context| {
        for index in 0..running.len() {
            if let Some((_, trying)) = running.get_mut(index)
                && let Poll::Ready(answered) = trying.as_mut().poll(context)
            {
                drop(running.swap_remove(index));
                return Poll::Ready(answered);
            }
        }
        Poll::Pending
    })
    .await
}

/// A number that is different each time; it only spreads load.
pub(crate) fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}
