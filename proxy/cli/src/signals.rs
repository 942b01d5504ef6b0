//! Signals: what each asks of the gateway.

#![expect(
    clippy::disallowed_methods,
    reason = "signals belong to the command, and this is its place for them"
)]

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first signal to stop is SIGTERM: drain.
    Drain,
    /// The first signal to stop is SIGINT: drain briefly.
    DrainBriefly,
    /// A second SIGTERM or SIGINT: end at once.
    End,
    /// SIGHUP: read files anew.
    Reload,
    /// SIGUSR1: open log files anew.
    Reopen,
}

/// The signals of this process, as a state machine over their order.
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    /// A signal to stop has come.
    stopping: bool,
}

impl Signals {
    /// Listens for signals.
    pub(crate) fn install() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            stopping: false,
        })
    }

    /// Waits for the next signal, and says what it asks for after those that came before.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub(crate) async fn next(&mut self) -> Request {
        let first = tokio::select! {
            _ = self.term.recv() => Request::Drain,
            _ = self.int.recv() => Request::DrainBriefly,
            _ = self.hup.recv() => return Request::Reload,
            _ = self.usr1.recv() => return Request::Reopen,
        };
        if std::mem::replace(&mut self.stopping, true) { Request::End } else { first }
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
