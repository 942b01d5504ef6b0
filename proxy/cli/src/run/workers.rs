//! The workers: listening sockets, and a thread with a runtime of its own for each.

use std::net;
use std::num::NonZeroUsize;
use std::thread;

use anyhow::Context;
use landbridge::{Bound, Drain, Drained, Gateway, Worker};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

use super::control::stop;
use crate::watchdog::Pulse;

/// Listens, with the sockets that were passed on where there are any.
pub(super) async fn bound(gateway: Gateway, inherited: Vec<net::TcpListener>) -> anyhow::Result<Bound> {
    if inherited.is_empty() {
        return Ok(gateway.bind().await?);
    }
    tracing::info!(
        sockets = inherited.len(),
        "listening sockets were passed on; listener.address is not used"
    );
    Ok(gateway.adopt(inherited).await?)
}

/// Starts one thread with a runtime of its own per worker, each with its pulse; resolves when the last has drained.
pub(super) fn spawn_workers(
    bound: Bound,
    pulses: Vec<Pulse>,
    stopping: &watch::Sender<Option<Drain>>,
) -> anyhow::Result<oneshot::Receiver<Drained>> {
    let count = NonZeroUsize::new(pulses.len()).context("no worker was asked for")?;
    let mut threads = Vec::new();
    for (index, (worker, pulse)) in bound.workers(count)?.into_iter().zip(pulses).enumerate() {
        let stopping = stopping.subscribe();
        let (hand, handed) = std::sync::mpsc::channel();
        let thread = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                handed.recv().map(|runtime| work(&runtime, worker, &pulse, stopping)).unwrap_or_default()
            })
            .context("cannot start a worker's thread")?;
        threads.push(thread);
        // Made once there is a thread to take it: here, within another, a runtime can't be dropped.
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot start a worker")?;
        hand.send(runtime).context("a worker ended before it began")?;
    }
    let (done, finished) = oneshot::channel();
    thread::Builder::new()
        .name("drain".to_owned())
        .spawn(move || {
            let all = threads.into_iter().filter_map(|thread| thread.join().ok());
            // The process may have ended at once instead of waiting.
            let _ = done.send(all.fold(Drained::default(), |sum, drained| sum + drained));
        })
        .context("cannot start a thread")?;
    Ok(finished)
}

pub(super) fn cores() -> NonZeroUsize {
    // The CPU quota of the cgroup, else the cores this process may run on.
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn work(
    runtime: &Runtime,
    worker: Worker,
    pulse: &Pulse,
    stopping: watch::Receiver<Option<Drain>>,
) -> Drained {
    runtime.block_on(async {
        let (drained, never) = (worker.run(stop(stopping)), pulse.beat());
        tokio::select! {
            drained = drained => drained,
            never = never => never,
        }
    })
}
