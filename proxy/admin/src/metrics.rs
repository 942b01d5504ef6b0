//! What is counted, for Prometheus: connections, bytes, handshakes, endpoints, certificates.
//!
//! Events are counted as the gateway tells of them ([`Metrics`] is an [`Observer`]); states are read at
//! each scrape, and so are the bytes of connections that still run. The library behind it is named in
//! `library` alone; `families` is the list of all metrics, which docs/metrics.md holds too.
//!
//! Every label value comes from the configuration or from an identity that was let in, and is capped;
//! beyond a cap it is `other`.

mod edges;
mod families;
mod labels;
mod library;
mod open;
mod serve;
mod services;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use landbridge::{Handle, Observer, Opened, Outcome, Reason};

use self::edges::Edges;
use self::families::Families;
use self::labels::UNKNOWN;
pub use self::library::MetricsError;
use self::library::Registry;
use self::open::{Meter, Open};
pub use self::serve::serve_metrics;
use self::services::Services;

/// The metrics of one gateway.
///
/// Give it to the gateway as its observer, or among its observers, from the first connection on.
pub struct Metrics {
    registry: Registry,
    families: Families,
    edges: Edges,
    open: Open,
    services: Services,
    /// Held while a scrape reads states, so that two do not count the same change.
    turn: Mutex<()>,
}

/// What is running, for `landbridge_build_info`.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The version of the program.
    pub version: &'static str,
    /// The revision of its source.
    pub revision: &'static str,
    /// The provider of its cryptography.
    pub crypto: &'static str,
}

/// What is read at each scrape.
pub struct Watched {
    /// The gateway.
    pub gateway: Handle,
    /// What the process around it counts.
    pub counted: Box<dyn Fn() -> Counted + Send + Sync>,
}

/// What the process around a gateway counts, as of now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// How many lines of the access log were lost so far.
    pub access_log_dropped: u64,
    /// How many events were lost so far.
    pub events_dropped: u64,
    /// How often the wall clock has jumped so far.
    pub clock_jumps: u64,
    /// How many workers hang.
    pub workers_hanging: u64,
}

/// What became of something that was read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It is in use now.
    Applied,
    /// It was refused; the last good one stays in use.
    Refused,
}

impl Update {
    const ALL: [Self; 2] = [Self::Applied, Self::Refused];

    fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// The sources of configuration.
const FILE: &str = "file";
const STREAM: &str = "stream";

impl Metrics {
    /// Metrics that all stand at zero; `cluster` is the gateway's own, empty where it has no name.
    ///
    /// # Errors
    /// A fault of this module: two metrics of one name.
    pub fn new(build: Build, cluster: &str) -> Result<Self, MetricsError> {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry)?;
        families.build.with(&[build.version, build.revision, build.crypto]).set(1);
        for update in Update::ALL {
            // Made at once, so that the first refusal is a step from 0.
            families.config_updates.with(&[FILE, update.word()]);
            families.config_updates.with(&[STREAM, update.word()]);
            families.certificate_reloads.with(&[update.word()]);
        }
        Ok(Self {
            edges: Edges::new(cluster, &families),
            open: Open::new(families.connect.clone()),
            services: Services::default(),
            turn: Mutex::default(),
            registry,
            families,
        })
    }

    /// Notes that the configuration file was read, at start or later.
    pub fn config_file(&self, update: Update) {
        self.families.config_updates.with(&[FILE, update.word()]).inc();
        if update == Update::Applied {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            self.families.config_applied.with(&[FILE]).set(now);
        }
    }

    /// Notes what became of an update of the stream of configuration, and how many of its resources were refused.
    pub fn stream(&self, update: Update, refused: usize) {
        self.families.config_updates.with(&[STREAM, update.word()]).inc();
        self.families.control.nacks.add(refused as u64);
        if update == Update::Applied {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            self.families.config_applied.with(&[STREAM]).set(now);
        }
    }

    /// Notes that the stream of configuration is open.
    pub fn stream_opened(&self) {
        self.families.control.connected.set(1);
    }

    /// Notes that the stream of configuration is not open.
    pub fn stream_lost(&self) {
        self.families.control.connected.set(0);
    }

    /// Notes that the last good configuration is on disk.
    pub fn snapshot_kept(&self) {
        self.families.control.snapshot_fails.set(0);
    }

    /// Notes that the last good configuration could not be written to disk.
    pub fn snapshot_failed(&self) {
        self.families.control.snapshot_fails.set(1);
    }

    /// Notes that certificates, keys, bundles and revocation lists were read, at start or later.
    pub fn certificates(&self, update: Update) {
        self.families.certificate_reloads.with(&[update.word()]).inc();
    }

    /// Everything, in Prometheus's text format, version 0.0.4.
    ///
    /// # Errors
    /// A fault of this module: a metric that the format cannot hold.
    pub fn scrape(&self, watched: &Watched) -> Result<String, MetricsError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(watched);
        self.registry.text()
    }

    fn handshake(&self, outcome: &Outcome) {
        let handshakes = &self.families.handshakes;
        match (&outcome.tls, outcome.handshake) {
            (Some(tls), taken) => {
                let result = if tls.resumed { "resumed" } else { "full" };
                handshakes.with(&[result, tls.version, &tls.group]).inc();
                if let Some(taken) = taken {
                    self.families.handshake.observe(taken);
                }
            }
            (None, Some(_)) => handshakes.with(&["failed", UNKNOWN, UNKNOWN]).inc(),
            // It was refused before a handshake began, or its TLS is passed through.
            (None, None) => {}
        }
    }

    fn connect_failure(&self, outcome: &Outcome) {
        let kind = match outcome.reason {
            Reason::ConnectRefused => "refused",
            Reason::ConnectTimeout => "timeout",
            Reason::ConnectFailed => "failed",
            Reason::UpstreamAuth | Reason::UpstreamHandshake => "tls",
            Reason::NoEndpoint => "no_endpoint",
            _ => return,
        };
        if let Some(service) = &outcome.service {
            self.families.connect_failures.with(&[&self.services.label(service), kind]).inc();
        }
    }
}

impl Observer for Metrics {
    fn opened(&self, opened: &Opened<'_>) {
        let so_far = opened.so_far;
        self.handshake(so_far);
        let edge = self.edges.find(so_far.peer.as_ref(), opened.service);
        edge.opened.inc();
        let meter = Meter::new(edge, opened.service.mode, opened.traffic.clone());
        self.open.begin(so_far.connection_id, meter);
    }

    fn connection(&self, outcome: &Outcome) {
        self.connect_failure(outcome);
        let Some(mut meter) = self.open.end(outcome.connection_id) else {
            self.handshake(outcome);
            return;
        };
        let ended = self.edges.ended(&meter.edge, outcome.reason.flag());
        ended.closed.inc();
        meter.count(&ended, outcome.received, outcome.sent);
        self.families.connection.observe(outcome.duration);
    }
}
