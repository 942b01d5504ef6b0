//! Signals: what each asks of the gateway.

#![expect(
    clippy::disallowed_methods,
    reason = "signals belong to the command, and this is its place for them"
)]

use std::time::Duration;

use landbridge::Drain;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// A first SIGINT drains for at most this long.
const SHORT: Duration = Duration::from_secs(2);

/// What a signal asks for, beside stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGHUP: read files anew.
    Reload,
    /// SIGUSR1: open log files anew.
    Reopen,
    /// A second SIGTERM or SIGINT: end at once.
    End,
}

/// The signals of this process, as a state machine over their order.
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    configured: Drain,
    /// Empty until the first signal to stop.
    stop: watch::Sender<Option<Drain>>,
}

impl Signals {
    /// Listens for signals; `configured` is how SIGTERM drains.
    pub(crate) fn install(configured: Drain) -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            configured,
            stop: watch::Sender::new(None),
        })
    }

    /// Hears of the first signal to stop.
    pub(crate) fn stopping(&self) -> watch::Receiver<Option<Drain>> {
        self.stop.subscribe()
    }

    /// Waits for the next request that is not the first one to stop.
    pub(crate) async fn next(&mut self) -> Request {
        loop {
            let drain = tokio::select! {
                _ = self.term.recv() => self.configured,
                _ = self.int.recv() => Drain {
                    lag: Duration::ZERO,
                    deadline: Some(self.configured.deadline.map_or(SHORT, |deadline| deadline.min(SHORT))),
                },
                _ = self.hup.recv() => return Request::Reload,
                _ = self.usr1.recv() => return Request::Reopen,
            };
            let stopping_already = self.stop.borrow().is_some();
            if stopping_already {
                return Request::End;
            }
            tracing::info!(
                lag_s = drain.lag.as_secs_f32(),
                deadline_s = drain.deadline.map(|deadline| deadline.as_secs_f32()),
                "draining; signal again to end at once"
            );
            self.stop.send_replace(Some(drain));
        }
    }
}

/// Waits for the first SIGINT or SIGTERM.
pub(crate) async fn interrupted() -> std::io::Result<()> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
    Ok(())
}

/// Resolves with the way to stop, once a signal asked for it.
pub(crate) async fn stop(mut stopping: watch::Receiver<Option<Drain>>) -> Drain {
    match stopping.wait_for(Option::is_some).await {
        Ok(drain) => (*drain).unwrap_or(Drain::NOW),
        // Nobody is left to ask.
        Err(_) => Drain::NOW,
    }
}
