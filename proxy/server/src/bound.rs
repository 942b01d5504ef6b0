//! A gateway that listens: serve it whole, or one worker per core.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use landbridge_core::Reason;
use tokio::sync::watch;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::drain::{self, Drain, Drained};
use crate::error::{Error, Kind};
use crate::generation::Desired;
use crate::handle::Handle;
use crate::registry::Ending;
use crate::shared::{Phase, Shared};
use crate::{accept, pressure, socket, updates};

/// How often connections are looked at once it is time to cut some, or those that may not have heard of it.
const AGAIN: Duration = Duration::from_millis(20);
/// How long the outcomes of connections that are all cut at once are waited for. Those that miss it are told as
/// their runtime is dropped.
const HURRY: Duration = Duration::from_millis(250);

/// A gateway that listens and does not accept yet.
pub struct Bound {
    shared: Arc<Shared>,
    state: watch::Receiver<Desired>,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// A part of a gateway that runs on a runtime of its own, most often a single-threaded one per core.
///
/// All workers accept from the same queues, so whichever is idle takes the next connection, and a
/// connection stays with its worker. The first also follows the gateway's changes.
pub struct Worker {
    shared: Arc<Shared>,
    state: Option<watch::Receiver<Desired>>,
    listeners: Vec<TcpListener>,
}

impl Bound {
    pub(crate) async fn new(
        shared: Arc<Shared>,
        mut state: watch::Receiver<Desired>,
        listeners: Vec<TcpListener>,
    ) -> Result<Self, Error> {
        let mut addresses = Vec::with_capacity(listeners.len());
        for listener in &listeners {
            let timeouts = &shared.config.timeouts;
            let usable = socket::ready(listener, timeouts).and_then(|()| listener.local_addr());
            let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
            addresses.push(usable.map_err(|source| Kind::Listen { address: unknown, source })?);
        }
        shared.resolver.forbid(addresses.iter().copied());
        // What was sent since the gateway was made is in force before it listens.
        let is_news = state.has_changed().unwrap_or(false);
        let desired = state.borrow_and_update().clone();
        if shared.resolver.refresh(desired.services.hosts()).await || is_news {
            updates::apply(&shared, desired).await;
        }
        Ok(Self { shared, state, listeners, addresses })
    }

    /// The addresses it listens on, with the real port where 0 was asked for.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A handle for whoever watches the gateway.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// Serves on the current runtime until `shutdown` resolves and the drain that it asks for is done.
    ///
    /// # Cancel safety
    /// Dropping the future stops accepting; connections that are open go on until their runtime ends,
    /// which resets them.
    pub async fn serve(self, shutdown: impl Future<Output = Drain>) -> Drained {
        self.shared.workers.store(1, Ordering::Relaxed);
        let worker = Worker { shared: self.shared, state: Some(self.state), listeners: self.listeners };
        worker.run(shutdown).await
    }

    /// Divides the gateway into `count` workers, each to be run on a runtime of its own.
    ///
    /// # Errors
    /// A listening socket that can't be duplicated, for want of descriptors.
    pub fn workers(self, count: NonZeroUsize) -> Result<Vec<Worker>, Error> {
        let Self { shared, state, listeners, addresses } = self;
        shared.workers.store(count.get(), Ordering::Relaxed);
        let mut state = Some(state);
        let mut workers = Vec::with_capacity(count.get());
        for _ in 1..count.get() {
            let mut copies = Vec::with_capacity(listeners.len());
            for (listener, &address) in listeners.iter().zip(&addresses) {
                copies.push(listener.try_clone().map_err(|source| Kind::Listen { address, source })?);
            }
            workers.push(Worker { shared: shared.clone(), state: state.take(), listeners: copies });
        }
        workers.push(Worker { shared, state, listeners });
        Ok(workers)
    }
}

impl Worker {
    /// Accepts and serves on the current runtime until `shutdown` resolves and the drain is done.
    ///
    /// Every worker of a gateway needs to be told to stop. Their figures add up: a connection is counted as
    /// open by the worker that has it, and as cut by the worker whose deadline cut it, once.
    ///
    /// # Cancel safety
    /// As [`Bound::serve`].
    pub async fn run(self, shutdown: impl Future<Output = Drain>) -> Drained {
        let Self { shared, state, listeners } = self;
        let connections = TaskTracker::new();
        let stop = CancellationToken::new();
        let _stop_on_drop = stop.clone().drop_guard();
        let accepting = TaskTracker::new();
        for listener in listeners {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    accepting.spawn(accept::run(shared.clone(), listener, connections.clone(), stop.clone()));
                }
                Err(error) => tracing::error!(%error, "a listening socket cannot be used by this runtime"),
            }
        }
        // One worker watches and follows for all.
        let _pressed = state
            .as_ref()
            .and(shared.meter.clone())
            .map(|meter| AbortOnDropHandle::new(tokio::spawn(pressure::watch(shared.clone(), meter))));
        // Changes are followed to the very end: a revocation bites in a drain too.
        let _following =
            state.map(|state| AbortOnDropHandle::new(tokio::spawn(updates::follow(shared.clone(), state))));
        shared.enter(Phase::Serving);
        let accepts = Accepts(&shared);

        let now = &shared.stopping.now;
        let drain = tokio::select! {
            drain = shutdown => drain,
            () = now.cancelled() => Drain::NOW,
        };
        let asked = Instant::now();
        drain::begin(&shared, drain);
        drop(accepts);
        let open = connections.len();
        let lag = drain.patience().map_or(drain.lag, |patience| patience.min(drain.lag));
        // Whichever it is that ends the lag, what is queued is still taken.
        let _ = timeout_at((asked + lag).into(), now.cancelled()).await;
        stop.cancel();
        accepting.close();
        accepting.wait().await;
        connections.close();
        let left = tokio::select! {
            biased;
            () = now.cancelled() => cut_now(&shared, &connections).await,
            left = end(&shared, &connections, drain, asked) => left,
        };
        let cut = drain::newly_cut(&shared, left);
        if shared.workers.fetch_sub(1, Ordering::Relaxed) == 1 {
            shared.enter(Phase::Stopped);
        }
        Drained { open, cut }
    }
}

/// Whoever accepts is worth being sent connections; dropping it, by the signal or with the future that
/// serves, is the end of that.
struct Accepts<'a>(&'a Shared);

impl Drop for Accepts<'_> {
    fn drop(&mut self) {
        self.0.enter(Phase::Draining);
    }
}

/// Waits for connections to end by themselves, then cuts what is left, each in its turn; says how many did not
/// end even so.
async fn end(shared: &Shared, connections: &TaskTracker, drain: Drain, asked: Instant) -> usize {
    let Some(patience) = drain.patience() else {
        connections.wait().await;
        return 0;
    };
    if timeout_at((asked + patience).into(), connections.wait()).await.is_ok() {
        return 0;
    }
    let ending = Ending { reason: Reason::Drained, flush: Some(drain.flush()) };
    // Their own budget ends all of them; a second more is for the tasks to be scheduled.
    let last = asked + patience + drain.spread() + drain.flush() + Duration::from_secs(1);
    loop {
        let since = asked.elapsed();
        // Again and again, also for those that were accepted and had not begun when it was last said.
        shared.registry.for_each(|live| {
            if drain.cut_at(shared.stopping.salt, live.id).is_none_or(|at| at <= since) {
                live.end(ending);
            }
        });
        if over(connections, last).await {
            return connections.len();
        }
    }
}

/// Cuts everything at once, without delivering what was accepted; says how many did not end in time.
async fn cut_now(shared: &Shared, connections: &TaskTracker) -> usize {
    let ending = Ending { reason: Reason::Drained, flush: None };
    let last = Instant::now() + HURRY;
    loop {
        shared.registry.for_each(|live| {
            live.end(ending);
        });
        if over(connections, last).await {
            return connections.len();
        }
    }
}

/// Waits for all connections to end, for a moment and not beyond `last`; whether waiting is over.
async fn over(connections: &TaskTracker, last: Instant) -> bool {
    let next = last.min(Instant::now() + AGAIN);
    timeout_at(next.into(), connections.wait()).await.is_ok() || last <= Instant::now()
}
