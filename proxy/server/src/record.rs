//! What is gathered about one connection, and told once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use landbridge_core::{Outcome, Reason, Service};
use landbridge_splice::Tally;

use crate::observer::{Opened, Traffic};
use crate::registry::Live;
use crate::shared::Shared;

/// The outcome in the making. It is reported exactly once: by [`finish`](Self::finish), or when it is
/// dropped because the connection's task panicked or was cancelled.
pub(crate) struct Record {
    shared: Arc<Shared>,
    live: Arc<Live>,
    started: Instant,
    client: SocketAddr,
    /// Absent once it is reported.
    outcome: Option<Box<Outcome>>,
}

impl Record {
    pub(crate) fn new(shared: &Arc<Shared>, live: &Arc<Live>, remote: SocketAddr, local: SocketAddr) -> Self {
        let outcome = Outcome {
            connection_id: live.id,
            reason: Reason::Internal,
            error: None,
            started: SystemTime::now(),
            duration: Duration::ZERO,
            downstream_remote: canonical(remote),
            downstream_local: canonical(local),
            sni: None,
            service: None,
            mode: None,
            peer: None,
            tls: None,
            handshake: None,
            upstream: None,
            received: 0,
            sent: 0,
            would_deny: false,
            generation: 0,
        };
        Self {
            shared: shared.clone(),
            live: live.clone(),
            started: Instant::now(),
            client: outcome.downstream_remote,
            outcome: Some(Box::new(outcome)),
        }
    }

    /// Notes a fact.
    pub(crate) fn note(&mut self, fact: impl FnOnce(&mut Outcome)) {
        if let Some(outcome) = &mut self.outcome {
            fact(outcome);
        }
    }

    /// Tells that the connection was let in to `service`.
    pub(crate) fn opened(&self, service: &Arc<Service>) {
        if let Some(so_far) = &self.outcome {
            let traffic = Traffic::of(self.live.clone());
            self.shared.observer.opened(&Opened { so_far, service, traffic });
        }
    }

    /// Takes a load balancer's word for who the client is, and which address it dialled.
    pub(crate) fn announce(&mut self, source: SocketAddr, destination: SocketAddr) {
        let (source, destination) = (canonical(source), canonical(destination));
        self.client = source;
        self.note(|outcome| {
            tracing::debug!(
                connection = outcome.connection_id,
                balancer = %outcome.downstream_remote,
                client = %source,
                dialled = %destination,
                "a PROXY header says who the client is",
            );
            outcome.downstream_remote = source;
            outcome.downstream_local = destination;
        });
    }

    /// What is known so far.
    pub(crate) fn so_far(&self) -> Option<&Outcome> {
        self.outcome.as_deref()
    }

    /// The connection as the registry has it.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The client's address.
    pub(crate) fn source(&self) -> IpAddr {
        self.client.ip()
    }

    /// Where the client is.
    pub(crate) fn client(&self) -> SocketAddr {
        self.client
    }

    /// When the connection was accepted.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn finish(mut self, reason: Reason, error: Option<String>) {
        self.report(reason, error);
    }

    /// The client left without a byte: counted, not told.
    pub(crate) fn probe(mut self) {
        self.outcome = None;
        self.shared.counters.count(Reason::Probe);
    }

    fn report(&mut self, reason: Reason, error: Option<String>) {
        let Some(mut outcome) = self.outcome.take() else { return };
        let tally: &Tally = &self.live.tally;
        outcome.reason = reason;
        outcome.error = error;
        outcome.duration = self.started.elapsed();
        outcome.received = tally.received();
        outcome.sent = tally.sent();
        self.shared.counters.count(reason);
        self.shared.observer.connection(&outcome);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report(Reason::Internal, Some("the connection's task panicked".to_owned()));
        } else {
            self.report(Reason::Drained, Some("the gateway was stopped at once".to_owned()));
        }
    }
}

/// An IPv4 client of a dual-stack listener is an IPv4 client. A link-local address keeps its interface.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip = address.ip().to_canonical();
    if ip == address.ip() { address } else { SocketAddr::new(ip, address.port()) }
}
