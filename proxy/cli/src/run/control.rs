//! What the process does while its workers serve: it follows signals, orders and files, until all is drained.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use landbridge::config::GatewayConfig;
use landbridge::{Desired, Drain, Drained, Handle};
use landbridge_admin::{Confirmed, DrainOrdered, Metrics, Order, Reloaded};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::last_words::LastWords;
use super::progress::Progress;
use crate::access_log::AccessLog;
use crate::reload::{reload, renew};
use crate::signals::{Request, Signals};
use crate::stream::Stream;
use crate::watch::Watch;

/// SIGINT drains for at most this long.
const SHORT: Duration = Duration::from_secs(2);
/// How long the workers may take to end at once; one that hangs is not waited for.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How often a drain is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A process whose workers serve.
pub(super) struct Control {
    pub(super) file: PathBuf,
    /// What is in force until a restart.
    pub(super) config: GatewayConfig,
    pub(super) gateway: Handle,
    pub(super) updates: watch::Sender<Desired>,
    /// The stream of configuration, if there is one.
    pub(super) stream: Option<Stream>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) files: Watch,
    pub(super) log: Arc<AccessLog>,
    /// Empty until a drain begins; the workers listen to it.
    pub(super) stopping: watch::Sender<Option<Drain>>,
    /// When patience ends, if it does.
    pub(super) ends: Option<(Instant, End)>,
}

/// What happens when patience ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Everything that is open is cut.
    Cut,
    /// The workers are left alone.
    Leave,
}

impl Control {
    /// Follows everything until all workers have `finished`, or did not when they had to.
    ///
    /// # Errors
    /// A worker that ended without having been asked to.
    pub(super) async fn until(
        &mut self,
        mut finished: oneshot::Receiver<Drained>,
        mut signals: Signals,
        mut orders: mpsc::Receiver<Order>,
    ) -> anyhow::Result<LastWords> {
        let mut progress = Progress::default();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                drained = &mut finished => {
                    drained.context("a worker ended without a word")?;
                    break;
                }
                change = self.files.next() => renew(change, &self.updates, &self.metrics),
                Some(order) = orders.recv() => self.carry_out(order),
                request = signals.next() => self.follow(request),
                end = ended(self.ends) => match end {
                    End::Cut => self.cut(),
                    End::Leave => break,
                },
                _ = look.tick() => {
                    if let Some(draining) = self.gateway.draining() {
                        progress.tell(&draining);
                    }
                }
            }
        }
        if let Some(stream) = &self.stream {
            stream.ends();
        }
        Ok(self.gateway.draining().map(LastWords::of).unwrap_or_default())
    }

    fn carry_out(&mut self, order: Order) {
        // Whoever asked may have gone; what was asked is done all the same.
        match order {
            Order::Drain(told) => drop(told.send(self.drain(self.configured()))),
            Order::Reload(told) => drop(told.send(self.reload())),
            Order::Confirm(told) => match &self.stream {
                Some(stream) => stream.confirm(told),
                None => drop(told.send(Confirmed::Nothing)),
            },
        }
    }

    fn follow(&mut self, request: Request) {
        match request {
            Request::Drain => {
                if self.drain(self.configured()) == DrainOrdered::GoesOn {
                    tracing::info!("draining already; signal again to end at once");
                }
            }
            Request::DrainBriefly => {
                let deadline = Some(self.config.timeouts.drain.map_or(SHORT, |deadline| deadline.min(SHORT)));
                if self.drain(Drain { lag: Duration::ZERO, deadline }) == DrainOrdered::GoesOn {
                    tracing::info!(
                        left_s = SHORT.as_secs(),
                        "draining already, and interrupted: not for long"
                    );
                    self.ends.get_or_insert((Instant::now() + SHORT, End::Cut));
                }
            }
            Request::End => {
                tracing::warn!(open = self.gateway.active(), "ended at once by a second signal");
                self.cut();
            }
            Request::Reload => {
                self.reload();
            }
            Request::Reopen => self.log.reopen(),
        }
    }

    fn reload(&mut self) -> Reloaded {
        reload(&self.file, &self.config, &self.updates, &self.metrics, &mut self.files)
    }

    fn configured(&self) -> Drain {
        Drain::from(&self.config.timeouts)
    }

    /// Lets the workers drain so, unless they do already.
    fn drain(&self, drain: Drain) -> DrainOrdered {
        if self.stopping.borrow().is_some() {
            return DrainOrdered::GoesOn;
        }
        tracing::info!(
            open = self.gateway.active(),
            lag_s = drain.lag.as_secs_f32(),
            deadline_s = drain.deadline.map(|deadline| deadline.as_secs_f32()),
            "draining; signal again to end at once"
        );
        self.stopping.send_replace(Some(drain));
        DrainOrdered::Begins
    }

    /// Cuts everything; the workers end as soon as each connection has been told of.
    fn cut(&mut self) {
        self.gateway.end_now();
        self.ends = Some((Instant::now() + AT_ONCE, End::Leave));
    }
}

/// Resolves with the way to stop, once somebody asked for it.
pub(super) async fn stop(mut stopping: watch::Receiver<Option<Drain>>) -> Drain {
    match stopping.wait_for(Option::is_some).await {
        Ok(drain) => (*drain).unwrap_or(Drain::NOW),
        // Nobody is left to ask.
        Err(_) => Drain::NOW,
    }
}

async fn ended(ends: Option<(Instant, End)>) -> End {
    match ends {
        Some((at, end)) => {
            sleep_until(at).await;
            end
        }
        None => pending().await,
    }
}
