//! A gateway in the test's own process, from TOML text.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use landbridge::config::Config;
use landbridge::{Credentials, Desired, Drain, Drained, Gateway, Handle, Inputs, Observer, Opened, Outcome};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::soon;

/// A running gateway. Dropping it leaves its connections to the test's runtime.
pub struct TestGateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// Everywhere it listens.
    pub addresses: Vec<SocketAddr>,
    /// What can be asked of it.
    pub handle: Handle,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    updates: watch::Sender<Desired>,
    stop: Option<oneshot::Sender<Drain>>,
    serving: JoinHandle<Drained>,
}

/// A gateway that is not bound yet, and what it is connected to.
pub struct Loaded {
    /// The gateway.
    pub gateway: Gateway,
    /// Where new configuration is sent.
    pub updates: watch::Sender<Desired>,
    /// What is told of its connections.
    pub outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl Loaded {
    /// Makes a gateway that is to listen on these addresses.
    pub fn new(toml: &str, directory: &Path, listen: &[&str]) -> Self {
        let (told, outcomes) = mpsc::unbounded_channel();
        // The test may have stopped listening.
        let observer = Arc::new(move |outcome: &Outcome| drop(told.send(outcome.clone())));
        let (gateway, updates) = observed(toml, directory, listen, observer);
        Self { gateway, updates, outcomes }
    }
}

/// Makes a gateway that tells `observer` of its connections.
pub fn observed(
    toml: &str,
    directory: &Path,
    listen: &[&str],
    observer: Arc<dyn Observer>,
) -> (Gateway, watch::Sender<Desired>) {
    let (mut config, desired) = load(toml, directory);
    config.gateway.listener.addresses = listen.iter().map(|address| address.parse().unwrap()).collect();
    let (updates, state) = watch::channel(desired);
    (Gateway::new(config.gateway, Inputs { state, observer }).unwrap(), updates)
}

/// Tells one observer, then the test.
struct Told {
    first: Arc<dyn Observer>,
    told: mpsc::UnboundedSender<Outcome>,
}

impl Observer for Told {
    fn connection(&self, outcome: &Outcome) {
        self.first.connection(outcome);
        // The test may have stopped listening.
        let _ = self.told.send(outcome.clone());
    }

    fn opened(&self, opened: &Opened<'_>) {
        self.first.opened(opened);
    }
}

/// Parses `toml` with paths relative to `directory` and loads what it names.
pub fn load(toml: &str, directory: &Path) -> (Config, Desired) {
    let config = Config::from_toml(toml, directory).unwrap_or_else(|problems| panic!("{problems}"));
    let credentials =
        Credentials::load(&config.identity, &config.trust).unwrap_or_else(|errors| panic!("{errors}"));
    let desired = Desired { services: Arc::new(config.services.clone()), credentials: Arc::new(credentials) };
    (config, desired)
}

impl TestGateway {
    /// Starts a gateway; `toml` needs no `[listener]`, a free loopback port is chosen.
    pub async fn start(toml: &str, directory: &Path) -> Self {
        Self::start_on(toml, directory, &["127.0.0.1:0"]).await
    }

    /// Starts a gateway that listens on these addresses.
    pub async fn start_on(toml: &str, directory: &Path, listen: &[&str]) -> Self {
        Self::serve(toml, directory, listen, Arc::new(|_: &Outcome| ())).await
    }

    /// As [`start`](Self::start), with an observer that hears of each connection before the test does.
    pub async fn observed(toml: &str, directory: &Path, first: Arc<dyn Observer>) -> Self {
        Self::serve(toml, directory, &["127.0.0.1:0"], first).await
    }

    async fn serve(toml: &str, directory: &Path, listen: &[&str], first: Arc<dyn Observer>) -> Self {
        let (told, outcomes) = mpsc::unbounded_channel();
        let (gateway, updates) = observed(toml, directory, listen, Arc::new(Told { first, told }));
        let bound = gateway.bind().await.unwrap();
        let addresses = bound.local_addrs().to_vec();
        let handle = bound.handle();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(bound.serve(async move { stopped.await.unwrap_or(Drain::NOW) }));
        let address = *addresses.first().unwrap();
        Self { address, addresses, handle, outcomes, updates, stop: Some(stop), serving }
    }

    /// Waits for the next connection to end or be refused.
    pub async fn outcome(&mut self) -> Outcome {
        soon("an outcome", self.outcomes.recv()).await.expect("the gateway tells of each connection")
    }

    /// True if no outcome has been told that was not asked for.
    pub fn told_everything(&mut self) -> bool {
        self.outcomes.try_recv().is_err()
    }

    /// Applies new configuration and waits until it is in force.
    pub async fn update(&self, toml: &str, directory: &Path) {
        let before = self.handle.generation();
        self.offer(load(toml, directory).1);
        self.until("an update", |handle| handle.generation() != before).await;
    }

    /// Offers new configuration, which may be refused.
    pub fn offer(&self, desired: Desired) {
        self.updates.send_replace(desired);
    }

    /// Waits until something that can be asked of the handle is so.
    pub async fn until(&self, what: &str, holds: impl Fn(&Handle) -> bool) {
        let coming = async {
            while !holds(&self.handle) {
                tokio::task::yield_now().await;
            }
        };
        soon(what, coming).await;
    }

    /// Begins to drain.
    pub fn drain(&mut self, drain: Drain) {
        self.stop.take().expect("drained once").send(drain).expect("the gateway serves");
    }

    /// Drops the future that serves.
    pub async fn abandon(&mut self) {
        self.serving.abort();
        assert!(soon("an abort", &mut self.serving).await.unwrap_err().is_cancelled());
    }

    /// Waits until the gateway has stopped.
    pub async fn stopped(&mut self) -> Drained {
        soon("the gateway's end", &mut self.serving).await.expect("the gateway does not panic")
    }
}
